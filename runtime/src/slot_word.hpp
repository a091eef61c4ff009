// The word of an ask slot: whose turn it is, and of which of its lives.
//
// Design. `generation << 8 | state`. Answer, error, timeout and cancel race by one compare-and-swap
// from `pending`; who wins writes the outcome and publishes it.
//   free -> pending -> writing -> value | failed -> free, of the next generation
//              \-> free, of the next generation: the asker gives up
// A late answer has another generation in its port and changes nothing.
// tests/model/slot.pml is this protocol for spin; tests/runtime/slot_interleavings_test.cpp
// explores it.
#pragma once

#include <atomic>
#include <cstdint>

#include <troupe/runtime/detail/mutant.hpp>

namespace troupe::detail {

enum class SlotState : std::uint8_t { free, pending, writing, value, failed };

/// Thread safety: open, give_up and close by the asker, the rest by any thread.
template <template <class> class Atomic = std::atomic>
class BasicSlotWord {
 public:
  [[nodiscard]] std::uint32_t generation() const noexcept {
    return static_cast<std::uint32_t>(word_.load(std::memory_order_relaxed) >>
                                      8);  // compared by exchanges later
  }
  /// Free where that life is over.
  [[nodiscard]] SlotState state(std::uint32_t generation) const noexcept {
    // Partner: publish. seq_cst: a pair with win, see publish_slot.
    const std::uint64_t w = word_.load(std::memory_order_seq_cst);
    return static_cast<std::uint32_t>(w >> 8) == generation ? static_cast<SlotState>(w & 0xff)
                                                            : SlotState::free;
  }
  [[nodiscard]] bool is_over(std::uint32_t generation) const noexcept {
    const SlotState s = state(generation);
    return s != SlotState::pending && s != SlotState::writing;
  }

  /// A free slot waits for its answer from here on.
  void open() noexcept {
    word_.store(word_of(generation(), SlotState::pending),
                std::memory_order_release);  // partner: win
  }
  /// A pending slot is the caller's to write. False: too late.
  bool win(std::uint32_t generation) noexcept {
    if (mutant("late_answer_reaches_the_next_ask")) generation = this->generation();
    std::uint64_t expected = word_of(generation, SlotState::pending);
    // Acquires what the asker wrote into the slot (partner: open); seq_cst: a pair with state.
    return word_.compare_exchange_strong(expected, word_of(generation, SlotState::writing),
                                         std::memory_order_seq_cst);
  }
  /// The outcome is written. From here on the slot may be another ask's.
  void publish(SlotState outcome) noexcept {
    word_.store(word_of(generation(), outcome),
                mutant("answer_is_published_too_early")
                    ? std::memory_order_relaxed
                    : std::memory_order_release);  // partner: state
  }
  /// The asker waits no longer. True: nobody had won, and that life is over.
  bool give_up(std::uint32_t generation) noexcept {
    std::uint64_t expected = word_of(generation, SlotState::pending);
    // Release: the next open of this slot (same thread, or through the depot's lock). What has been
    // won instead is waited for by outcome.
    return word_.compare_exchange_strong(expected, word_of(generation + 1, SlotState::free),
                                         std::memory_order_acq_rel);
  }
  /// What became of a slot that somebody won. `yield` lets others run while it is written.
  template <class Yield>
  SlotState outcome(std::uint32_t generation, Yield yield) const {
    for (;;) {
      const SlotState s = state(generation);
      if (s != SlotState::writing) return s;
      yield();
    }
  }
  /// The outcome has been taken: that life is over.
  void close(std::uint32_t generation) noexcept {
    word_.store(word_of(generation + 1, SlotState::free),
                std::memory_order_release);  // partner: win of a late answer, which fails
  }

 private:
  static constexpr std::uint64_t word_of(std::uint32_t generation, SlotState state) {
    return std::uint64_t{generation} << 8 | static_cast<std::uint64_t>(state);
  }
  Atomic<std::uint64_t> word_{0};
};

}  // namespace troupe::detail
