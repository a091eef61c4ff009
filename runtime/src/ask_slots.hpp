// Ask slots: where an answer waits for its asker.
//
// Design. One slot per ask, from slabs that are never freed, so that a late answer finds a slot
// (with another generation) and never freed memory. Answer, error, timeout and cancel race for its
// word (slot_word.hpp); the loser is counted and touches nothing else. The winner writes the
// outcome, publishes it, and tells the asker: an actor by the command embedded in the slot, a
// thread by the futex word. A slot whose command is under way is freed by the actor that takes the
// command (`abandoned`).
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>

#include <troupe/runtime/ask.hpp>
#include <troupe/runtime/clock.hpp>

#include "commands.hpp"
#include "slot_links.hpp"
#include "slot_word.hpp"

namespace troupe::detail {

struct Frame;
struct SystemGate;
struct AskCallback {
  const MessageType* message;  ///< what it makes
  void* function;
  void (*run)(void*, const RequestPort&, Cell&);
  void (*drop)(void*);
};

struct alignas(64) AskSlot : Command {
  // The asker's:
  bool command_expected : 1 = false;  ///< the completion has not been taken from its commands yet
  bool abandoned : 1 = false;         ///< free it when the completion comes
  std::atomic<bool> is_rough{false};  ///< `begun` is a guess, until its timer looks
  std::atomic<bool> has_stop{false};  ///< somebody holds a stop token of this ask
  BasicSlotWord<> word;
  std::atomic<std::uint32_t> changed{0};   ///< futex of a waiting thread
  std::atomic<Cell*> asker{nullptr};       ///< null: a thread outside
  std::atomic<std::int64_t> deadline{0};   ///< ns on the System's clock; the callee may read it
  std::atomic<std::int64_t> begun{0};      ///< the same; of one that has a deadline
  std::atomic<SystemGate*> gate{nullptr};  ///< whose System the answer comes from
  BasicCallee<Cell> callee;                ///< its life: generation << 32 | serial
  // Read by other threads, which look at the generation before and after.
  std::atomic<const MessageType*> asked{nullptr};
  BasicAlso<AskSlot> also;
  Frame* frame = nullptr;  ///< the asker's: who waits
  void (*destroy)(void* answer) noexcept = nullptr;
  AskSlot* previous = nullptr;  ///< the asker's list of open asks
  AskSlot* following = nullptr;
  AskError* error = nullptr;
  AskCallback callback{};  ///< the asker's: pipe_to_self
  alignas(8) std::byte value[reply_inline_bytes];

  [[nodiscard]] std::uint32_t generation() const noexcept { return word.generation(); }
  [[nodiscard]] SlotState state(std::uint32_t generation) const noexcept {
    return word.state(generation);
  }
  [[nodiscard]] bool is_over(std::uint32_t generation) const noexcept {
    return word.is_over(generation);
  }
  /// Null: a thread outside.
  [[nodiscard]] Cell* asked_by() const noexcept {
    return asker.load(std::memory_order_relaxed);  // published by the request, and by waits_for
  }
  [[nodiscard]] Address callee_address() const noexcept {
    const auto [cell, life, keeps_duty] = callee.seen();
    return {cell, static_cast<std::uint32_t>(life >> 32), static_cast<std::uint32_t>(life)};
  }
  void open_for(const Address& a) noexcept { callee.open(a.cell, life_of(a), generation()); }
  /// Nothing if that ask is over.
  void pass_on(std::uint32_t life, const Address& to) noexcept {
    callee.pass_on(to.cell, life_of(to), [&] { return state(life) == SlotState::pending; });
  }
  /// The callee has the duty to answer as a value, or has it no more. Nothing if that ask is over.
  void keep_duty(std::uint32_t life, bool keeps) noexcept {
    callee.keep_duty(keeps, [&] { return state(life) == SlotState::pending; });
  }
  static std::uint64_t life_of(const Address& a) noexcept {
    return std::uint64_t{a.generation} << 32 | a.serial;
  }
};

/// The asks of one await_any, of which its slot knows (in `value`, as it has no other).
struct AnyAsks {
  const RequestPort* asks;
  std::size_t count;
};

static_assert(sizeof(AskSlot) == 192, "three cache lines");

/// A pending slot of the current actor, or of this thread, for an ask of `callee`. Any thread.
AskSlot* take_slot(const Address& callee, std::chrono::nanoseconds timeout);
/// Wins a pending slot for writing. False: too late.
bool win_slot(const RequestPort& port) noexcept;
/// Publishes the outcome of a slot won before, and tells the asker.
void publish_slot(AskSlot& slot, SlotState outcome) noexcept;
/// Slots that are in use, or in the cache of another thread. For tests, as block_bytes_in_use.
std::uint64_t ask_slots_in_use();
/// An ask is over, or its asker gave up: whoever took a stop token of it hears of that.
void end_stop_token(AskSlot& slot, bool gave_up) noexcept;
class RemotePeer;
/// The outcome of an ask of another node's actor has come: tells that node, and frees the slot.
void take_remote_answer(AskSlot& slot, RemotePeer& peer) noexcept;
/// The asker's cell (or the dead cell it was): the completion's command has come.
void slot_completed(AskSlot& slot, Cell& cell);

}  // namespace troupe::detail
