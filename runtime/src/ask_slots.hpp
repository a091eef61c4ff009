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
  std::atomic<std::uint32_t> changed{0};  ///< futex of a waiting thread
  std::atomic<std::uint32_t> also_generation{0};
  std::atomic<Cell*> asker{nullptr};       ///< null: a thread outside
  std::atomic<std::int64_t> deadline{0};   ///< ns on the System's clock; the callee may read it
  std::atomic<std::int64_t> begun{0};      ///< the same; of one that has a deadline
  std::atomic<SystemGate*> gate{nullptr};  ///< whose System the answer comes from
  // Whose answer it is, and to what: read by other threads, which look at the generation before and
  // after.
  static constexpr std::uintptr_t callee_keeps_duty = 1;
  std::atomic<std::uintptr_t> callee{0};      ///< a Cell*, and the bit above
  std::atomic<std::uint64_t> callee_life{0};  ///< generation << 32 | serial
  std::atomic<const MessageType*> asked{nullptr};
  std::atomic<AskSlot*> also{nullptr};  ///< a slot to complete with this one (await_any)
  Frame* frame = nullptr;               ///< the asker's: who waits
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
  // Acquire and release: who has read the callee of a later ask sees, in the word it looks at next,
  // that the earlier one is over.
  [[nodiscard]] Address callee_address() const noexcept {
    const std::uint64_t life = callee_life.load(std::memory_order_acquire);  // partner: set_callee
    const std::uintptr_t cell = callee.load(std::memory_order_acquire) & ~callee_keeps_duty;
    return {reinterpret_cast<Cell*>(cell), static_cast<std::uint32_t>(life >> 32),
            static_cast<std::uint32_t>(life)};
  }
  void set_callee(const Address& a) noexcept {
    callee.store(reinterpret_cast<std::uintptr_t>(a.cell),
                 std::memory_order_release);  // partner: callee_address
    callee_life.store(std::uint64_t{a.generation} << 32 | a.serial, std::memory_order_release);
  }
  /// The callee has the duty to answer as a value, which may be anywhere.
  [[nodiscard]] bool is_kept() const noexcept {
    return (callee.load(std::memory_order_acquire) & callee_keeps_duty) != 0;  // partner: set_kept
  }
  void set_kept() noexcept {
    callee.fetch_or(callee_keeps_duty, std::memory_order_release);  // partner: is_kept
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
/// The asker's cell (or the dead cell it was): the completion's command has come.
void slot_completed(AskSlot& slot, Cell& cell);

}  // namespace troupe::detail
