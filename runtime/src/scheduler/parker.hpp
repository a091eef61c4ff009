// How workers go to sleep and are woken.
//
// Design. Parking: announce in `sleepers` (seq_cst), look at every queue again, sleep on the own
// word. Waking: publish the work, full fence, then read `sleepers`. One of the two sees the other.
// A worker that searches is not joined by a second one: it looks again before it sleeps, or finds
// something and calls the next. `busy` counts the workers awake, and blocking jobs; who wakes a
// worker counts it, so that nobody sees quiescence in between.
// tests/model/park.pml is this protocol for spin; tests/runtime/interleavings_test.cpp explores it.
#pragma once

#include <atomic>
#include <bit>
#include <cstdint>

#include <troupe/runtime/detail/mutant.hpp>

namespace troupe::detail {

/// What threads use. Tests put atomics in their place that explore interleavings.
struct RealAtomics {
  template <class T>
  using Atomic = std::atomic<T>;
  static void fence() noexcept { std::atomic_thread_fence(std::memory_order_seq_cst); }
};

/// Thread safety: any thread.
template <class Atomics = RealAtomics>
struct BasicParker {
  template <class T>
  using Atomic = typename Atomics::template Atomic<T>;
  using Word = Atomic<std::uint32_t>;  ///< a worker's futex: 0 asleep
  static constexpr std::uint32_t workers_max = 64;
  static constexpr std::uint32_t nobody = workers_max;

  Atomic<std::uint64_t> sleepers{0};  ///< a bit per worker
  Atomic<std::uint32_t> searching{0};
  Atomic<std::uint32_t> busy{0};

  /// After something was queued: the worker to wake for it, or nobody.
  std::uint32_t sleeper_for_work() noexcept {
    // Pair: the announcement in sleep. What was queued is seen by who parks, or it is seen here.
    if (!mutant("work_is_queued_without_a_fence")) Atomics::fence();
    const std::uint64_t seen = sleepers.load(std::memory_order_seq_cst);
    if (seen == 0 || searching.load(std::memory_order_seq_cst) != 0) return nobody;
    return static_cast<std::uint32_t>(std::countr_zero(seen));
  }

  /// Unless it does not sleep, or somebody else wakes it. `wake_word` wakes who sleeps on a word.
  template <class WakeWord>
  void wake(std::uint32_t index, Word& awake, WakeWord&& wake_word) {
    const std::uint64_t bit = std::uint64_t{1} << index;
    if ((sleepers.fetch_and(~bit, std::memory_order_seq_cst) & bit) == 0) return;
    busy.fetch_add(1, std::memory_order_seq_cst);  // on its behalf
    awake.store(1, std::memory_order_seq_cst);
    wake_word(awake);
  }

  /// What a worker without work looks for elsewhere.
  template <class Look>
  auto search(Look&& look) {
    searching.fetch_add(1, std::memory_order_seq_cst);
    auto found = look();
    searching.fetch_sub(1, std::memory_order_seq_cst);
    return found;
  }

  /// The worker's own. `host` tells whether there is something to stay awake for (`sees_work`),
  /// sleeps while the word is 0 (`wait`), and hears that the worker is busy no more
  /// (`done_being_busy`, which counts it down). False: it did not sleep.
  template <class Host>
  bool sleep(std::uint32_t index, Word& awake, Host&& host) {
    const std::uint64_t bit = std::uint64_t{1} << index;
    awake.store(0, std::memory_order_seq_cst);
    sleepers.fetch_or(bit, std::memory_order_seq_cst);
    if (host.sees_work() && !mutant("park_without_a_last_look")) {
      // If a waker counted this worker already, it gives back the count it had of its own.
      if ((sleepers.fetch_and(~bit, std::memory_order_seq_cst) & bit) == 0) host.done_being_busy();
      return false;
    }
    host.done_being_busy();
    while (awake.load(std::memory_order_seq_cst) == 0) host.wait(awake);
    // A waker that was late with its store may have woken a later sleep than it meant: then nobody
    // counted this worker.
    if ((sleepers.fetch_and(~bit, std::memory_order_seq_cst) & bit) != 0)
      busy.fetch_add(1, std::memory_order_seq_cst);
    return true;
  }
};

}  // namespace troupe::detail
