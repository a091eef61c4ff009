// The work-stealing deque of a worker.
//
// Chase and Lev, "Dynamic circular work-stealing deque" (SPAA 2005), with the C11 orders of Le,
// Pop, Cohen and Zappa Nardelli (PPoPP 2013); of fixed size, since what does not fit goes to the
// inject queue. The owner pushes at the bottom and takes from the top as thieves do, so that it
// works first come, first served. tests/runtime/interleavings_test.cpp explores it.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include <troupe/runtime/detail/mutant.hpp>

namespace troupe::detail {

/// Thread safety: push by the owner only, take by any thread.
template <class T, std::size_t Size = 256, template <class> class Atomic = std::atomic>
class Deque {
  static_assert((Size & (Size - 1)) == 0, "a power of two");

 public:
  /// False when it is full.
  bool push(T* item) noexcept {
    const std::uint64_t bottom =
        bottom_.load(std::memory_order_relaxed);  // written by this thread only
    const std::uint64_t top =
        top_.load(std::memory_order_acquire);  // partner: the exchange in take
    if (bottom - top >= Size) return false;
    items_[bottom & (Size - 1)].store(item, std::memory_order_relaxed);  // published by bottom
    bottom_.store(bottom + 1, mutant("item_is_shown_too_early")
                                  ? std::memory_order_relaxed
                                  : std::memory_order_release);  // partner: bottom's load in take
    return true;
  }

  /// The oldest item, or null when it is empty.
  T* take() noexcept {
    std::uint64_t top = top_.load(std::memory_order_seq_cst);
    for (;;) {
      if (top >= bottom_.load(std::memory_order_seq_cst)) return nullptr;
      T* item = items_[top & (Size - 1)].load(
          std::memory_order_relaxed);  // valid if the exchange below succeeds
      if (mutant("item_is_taken_without_exchange")) {
        top_.store(top + 1, std::memory_order_seq_cst);
        return item;
      }
      if (top_.compare_exchange_weak(top, top + 1, std::memory_order_seq_cst)) return item;
    }
  }

  [[nodiscard]] bool empty() const noexcept {
    return top_.load(std::memory_order_seq_cst) >= bottom_.load(std::memory_order_seq_cst);
  }

 private:
  alignas(64) Atomic<std::uint64_t> top_{0};
  alignas(64) Atomic<std::uint64_t> bottom_{0};
  Atomic<T*> items_[Size] = {};
};

}  // namespace troupe::detail
