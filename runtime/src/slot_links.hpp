// What an ask slot says of others: whose answer it waits for, and which slot ends with it.
//
// Both are written while the ask may end on another thread and its slot be another ask's. So each
// write after the first is an exchange that fails once the slot has been opened anew.
// tests/runtime/slot_interleavings_test.cpp explores them.
#pragma once

#include <atomic>
#include <cstdint>
#include <utility>

#include <troupe/runtime/detail/mutant.hpp>

namespace troupe::detail {

/// Whose answer an ask waits for: an actor's cell and its life there. Others read it to find rings
/// of asks (S138), and look at the slot's word after it.
/// Thread safety: open by the asker, the changes by who has the duty to answer, the rest by any.
template <class Actor, template <class> class Atomic = std::atomic>
class BasicCallee {
 public:
  struct Seen {
    Actor* actor = nullptr;
    std::uint64_t life = 0;
    bool keeps_duty = false;  ///< it has the duty as a value: the answer may come from anywhere
  };

  /// Before the slot's word is opened for its life `slot_life`.
  void open(Actor* actor, std::uint64_t life, std::uint32_t slot_life) noexcept {
    actor_.store(bits_of(actor) | (slot_life << 1 & slot_life_bits),
                 std::memory_order_release);       // partner: seen
    life_.store(life, std::memory_order_release);  // partner: seen
  }
  /// Acquire and release: who has read the callee of a later ask sees, in the word it looks at
  /// next, that the earlier one is over.
  [[nodiscard]] Seen seen() const noexcept {
    const std::uint64_t life = life_.load(std::memory_order_acquire);    // partner: open, pass_on
    const std::uintptr_t bits = actor_.load(std::memory_order_acquire);  // the same
    return {reinterpret_cast<Actor*>(bits & ~low_bits), life, (bits & duty_is_kept) != 0};
  }

  // Each is nothing if the ask is over; `is_open` looks at the slot's word.
  template <class IsOpen>
  void pass_on(Actor* to, std::uint64_t life, const IsOpen& is_open) noexcept {
    std::uint64_t old_life = life_.load(std::memory_order_acquire);  // partner: open
    const auto changed = [to](std::uintptr_t bits) {
      return bits_of(to) | (bits & slot_life_bits);
    };
    if (change(changed, is_open))
      life_.compare_exchange_strong(old_life, life, std::memory_order_acq_rel);  // partner: seen
  }
  template <class IsOpen>
  void keep_duty(bool keeps, const IsOpen& is_open) noexcept {
    change(
        [keeps](std::uintptr_t bits) { return keeps ? bits | duty_is_kept : bits & ~duty_is_kept; },
        is_open);
  }

 private:
  static constexpr std::uintptr_t duty_is_kept = 1;
  /// So much of the slot's life as fits: a change that is late by 32 lives, all of asks to the same
  /// actor, between its look and its exchange, would be taken for one in time.
  static constexpr std::uintptr_t slot_life_bits = 31 << 1;
  static constexpr std::uintptr_t low_bits = duty_is_kept | slot_life_bits;  // cells begin at 64

  static std::uintptr_t bits_of(Actor* actor) noexcept {
    return reinterpret_cast<std::uintptr_t>(actor);
  }
  template <class Change, class IsOpen>
  bool change(const Change& changed, const IsOpen& is_open) noexcept {
    std::uintptr_t bits = actor_.load(std::memory_order_acquire);  // partner: open
    if (!is_open()) return false;
    if (mutant("callee_of_the_next_ask_is_changed")) bits = actor_.load(std::memory_order_acquire);
    return actor_.compare_exchange_strong(bits, changed(bits),
                                          std::memory_order_acq_rel);  // partner: seen
  }

  Atomic<std::uintptr_t> actor_{0};
  Atomic<std::uint64_t> life_{0};
};

/// The slot that is completed with this one: that of an await_any.
/// Thread safety: set and clear by the asker, take by who has won this slot's word.
template <class Slot, template <class> class Atomic = std::atomic>
class BasicAlso {
 public:
  struct Other {
    Slot* slot = nullptr;
    std::uint32_t generation = 0;
  };

  /// After it the asker looks whether the ask is over.
  void set(Slot* slot) noexcept { slot_.store(slot, std::memory_order_seq_cst); }  // pair: take
  void clear() noexcept { slot_.store(nullptr, std::memory_order_seq_cst); }
  /// Once. Before it this slot's word was won: either it sees what was set, or who set it sees
  /// that.
  Other take() noexcept {
    Slot* slot = slot_.load(std::memory_order_seq_cst);  // pair: set
    if (slot == nullptr) return {};
    // Read before the exchange, which fails once the asker waits no more: so it is of that wait.
    const Other other{slot, slot->generation()};
    return slot_.compare_exchange_strong(slot, nullptr) ? other : Other{};
  }

 private:
  Atomic<Slot*> slot_{nullptr};
};

}  // namespace troupe::detail
