// Runs the real code of a lock-free structure on every interleaving of a few threads.
//
// A scenario is a class: its object is the shared state, made anew for each execution; `names` are
// its threads, run(i) is what the i-th does, check() looks at the end. That all threads wait is a
// finding, unless it has `may_end_asleep`. The structure is the template of the runtime with
// Explored<T> in place of std::atomic<T>: each of its operations is a point where another thread
// may go on. The threads are fibers on one OS thread, so an execution is the list of its choices,
// and explore() walks through all such lists, depth first, by replay.
//
// What bounds the walk: pre-emptions, that is switches away from a thread that could go on (CHESS:
// Musuvathi and Qadeer, "Iterative context bounding for systematic testing of multithreaded
// programs", PLDI 2007; none first, then one, two, three, so that a finding is a short one), and
// delayed stores. A store that is weaker than seq_cst may stay in its thread's store buffer, which
// only the thread itself sees, until its next read-modify-write that releases, fence, seq_cst store
// or wait, or its end (total store order). A relaxed store that stays may be overtaken by later
// ones (partial store order); a release store takes what is before it along.
//
// A load that is weaker than seq_cst may, as one of these delays, read the value before the last
// one, if nothing tells its thread of the last.
//
// What orders give is checked as well, as Relacy (Vyukov) and loom do: Plain<T>, ordinary data,
// carries vector clocks, and an access that does not happen after the last one of another thread is
// a finding. So an acquire or release that is missing is found by what it was to protect.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <memory>
#include <string>
#include <type_traits>
#include <vector>

namespace troupe::test {

inline constexpr std::size_t explored_threads_max = 6;
/// What a thread knows of the others: of each, how many of its steps.
using VectorClock = std::array<std::uint32_t, explored_threads_max>;

struct Bounds {
  int preemptions = 3;
  int delayed_stores = 1;  ///< per execution: seen late by all others, or by one load
  std::uint32_t steps = 2000;
  std::uint64_t executions = 20'000'000;
};

struct Exploration {
  std::uint64_t executions = 0;  ///< with all pre-emptions; or all until the finding
  bool is_complete = false;      ///< all there are within the bounds
  std::string finding;           ///< what went wrong; empty: nothing
  std::string choices;           ///< for replay(): the pre-emptions allowed, then each choice
  std::string schedule;          ///< the steps of the execution that failed, one a line
};

/// An atomic word of an explored structure.
struct ExploredWord {
  explicit ExploredWord(std::uint64_t value) noexcept;
  ExploredWord(const ExploredWord&) = delete;
  ExploredWord& operator=(const ExploredWord&) = delete;

  std::uint64_t bits;
  std::uint32_t number;  ///< in the order of construction, in schedules
  const char* name = nullptr;
  VectorClock released{};  ///< what an acquiring load learns
  // Who wrote the value, at which of its steps, and who has read it. Others may read the one
  // before.
  std::uint32_t writer = explored_threads_max;
  std::uint32_t written_at = 0;
  mutable std::uint32_t seen_by = 0;
  std::uint64_t older_bits = 0;
  VectorClock older_released{};
};

/// One execution of a scenario that is given by functions, and the choices made in it.
struct ExploredScenario {
  void* (*make)();
  void (*destroy)(void*);
  void (*run)(void*, std::size_t thread);
  void (*check)(void*);
  const char* const* names;
  std::size_t threads;
  bool may_end_asleep;
};
Exploration explore_all(const ExploredScenario& scenario, const Bounds& bounds);
Exploration replay_one(const ExploredScenario& scenario, const Bounds& bounds,
                       const std::string& choices);

template <class S>
constexpr ExploredScenario scenario_of() {
  static_assert(std::size(S::names) <= explored_threads_max);
  return {[]() -> void* { return new S; }, [](void* s) { delete static_cast<S*>(s); },
          [](void* s, std::size_t thread) { static_cast<S*>(s)->run(thread); },
          [](void* s) { static_cast<S*>(s)->check(); }, std::data(S::names), std::size(S::names),
          requires {S::may_end_asleep;
}
};  // namespace troupe::test
}

/// All interleavings of S within the bounds, or those up to the first that fails.
template <class S>
Exploration explore(const Bounds& bounds = {}) {
  return explore_all(scenario_of<S>(), bounds);
}
/// The one interleaving that a finding tells.
template <class S>
Exploration replay(const std::string& choices, const Bounds& bounds = {}) {
  return replay_one(scenario_of<S>(), bounds, choices);
}

/// Ends the execution with a finding unless `holds`. In run and in check.
void expect(bool holds, const char* what);
/// What the scenario leaves open: each of 0 .. count - 1 is tried.
std::size_t explored_choice(std::size_t count);
/// Any other thread first: for a loop that waits for a change.
void explored_yield();
/// As Linux's futex: sleeps if the word still holds `value`, until woken.
void explored_futex_wait(const ExploredWord& word, std::uint64_t value);
void explored_futex_wake(const ExploredWord& word);
/// A seq_cst fence.
void explored_fence();

namespace interleavings_detail {
using Condition = bool (*)(const void*);
void wait_until(Condition condition, const void* argument);
std::uint64_t load(const ExploredWord& word, std::memory_order order);
void store(ExploredWord& word, std::uint64_t bits, std::memory_order order);
/// The value to modify; no other thread goes on between this and the end.
std::uint64_t begin_exchange(ExploredWord& word, std::memory_order order);
void end_exchange(ExploredWord& word, std::uint64_t bits, std::memory_order order);
void give_up_exchange(const ExploredWord& word);
void read_plain(const VectorClock& written, VectorClock& read, const char* what);
void write_plain(VectorClock& written, VectorClock& read, const char* what);
}  // namespace interleavings_detail

/// Sleeps until `condition` holds, which looks at what all threads see and does nothing else. It is
/// a means of the scenario: it gives no order to what the threads did.
template <class F>
void wait_until(const F& condition) {
  interleavings_detail::wait_until([](const void* f) { return (*static_cast<const F*>(f))(); },
                                   &condition);
}

/// In the place of std::atomic<T>.
template <class T>
class Explored : public ExploredWord {
  static_assert(std::is_trivially_copyable_v<T> && sizeof(T) <= sizeof(std::uint64_t));
  using Order = std::memory_order;

 public:
  Explored() noexcept : Explored(T{}) {}
  Explored(T value) noexcept : ExploredWord(bits_of(value)) {}  // NOLINT: as std::atomic

  T load(Order order = Order::seq_cst) const noexcept {
    return value_of(interleavings_detail::load(*this, order));
  }
  void store(T value, Order order = Order::seq_cst) noexcept {
    interleavings_detail::store(*this, bits_of(value), order);
  }
  T exchange(T value, Order order = Order::seq_cst) noexcept {
    return modify([&](T) { return value; }, order);
  }
  bool compare_exchange_strong(T& expected, T desired, Order order = Order::seq_cst) noexcept {
    const T before = value_of(interleavings_detail::begin_exchange(*this, order));
    if (bits_of(before) != bits_of(expected)) {
      interleavings_detail::give_up_exchange(*this);
      expected = before;
      return false;
    }
    interleavings_detail::end_exchange(*this, bits_of(desired), order);
    return true;
  }
  bool compare_exchange_weak(T& expected, T desired, Order order = Order::seq_cst) noexcept {
    return compare_exchange_strong(expected, desired, order);
  }
  T fetch_add(T n, Order order = Order::seq_cst) noexcept {
    return modify([&](T before) { return static_cast<T>(before + n); }, order);
  }
  T fetch_sub(T n, Order order = Order::seq_cst) noexcept {
    return modify([&](T before) { return static_cast<T>(before - n); }, order);
  }
  T fetch_or(T n, Order order = Order::seq_cst) noexcept {
    return modify([&](T before) { return static_cast<T>(before | n); }, order);
  }
  T fetch_and(T n, Order order = Order::seq_cst) noexcept {
    return modify([&](T before) { return static_cast<T>(before & n); }, order);
  }
  /// What all threads see; no step. For conditions and checks.
  [[nodiscard]] T peek() const noexcept { return value_of(bits); }

 private:
  template <class F>
  T modify(F change, Order order) noexcept {
    const T before = value_of(interleavings_detail::begin_exchange(*this, order));
    interleavings_detail::end_exchange(*this, bits_of(change(before)), order);
    return before;
  }
  static std::uint64_t bits_of(T value) noexcept {
    std::uint64_t bits = 0;
    std::memcpy(&bits, &value, sizeof(T));
    return bits;
  }
  static T value_of(std::uint64_t bits) noexcept {
    T value;
    std::memcpy(&value, &bits, sizeof(T));
    return value;
  }
};

/// Ordinary data that threads hand over to each other. An access without order is a finding.
template <class T>
class Plain {
 public:
  explicit Plain(const char* name, T value = T{}) : name_(name), value_(value) {}
  Plain(const Plain&) = delete;
  Plain& operator=(const Plain&) = delete;
  Plain& operator=(T value) {
    interleavings_detail::write_plain(written_, read_, name_);
    value_ = value;
    return *this;
  }
  operator T() const {  // NOLINT: as ordinary data
    interleavings_detail::read_plain(written_, read_, name_);
    return value_;
  }
  /// Without a look at the order: for checks.
  [[nodiscard]] const T& peek() const { return value_; }

 private:
  const char* name_;
  T value_;
  VectorClock written_{};
  mutable VectorClock read_{};
};

/// In the place of std::mutex.
class ExploredMutex {
 public:
  void lock();
  void unlock();

 private:
  Explored<bool> locked_{false};
};

/// In the place of the runtime's RealAtomics.
struct ExploredAtomics {
  template <class T>
  using Atomic = Explored<T>;
  static void fence() { explored_fence(); }
  static void yield() { explored_yield(); }
};

}  // namespace troupe::test
