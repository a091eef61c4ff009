// TestSystem: a System on virtual time.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include <troupe/runtime/system.hpp>
#include <troupe/testkit/seeded_world.hpp>

namespace troupe::testkit {

/// What runs the actors of a TestSystem.
enum class Schedule : unsigned char {
  seeded,   ///< one thread; the seed decides what runs and what is delivered next
  threads,  ///< the real work-stealing scheduler; time moves when nothing runs any more
};

namespace detail {
struct TestParts {
  TestParts(std::uint64_t seed, Schedule schedule, SystemOptions options);
  TestParts(std::shared_ptr<SeededWorld> world, SystemOptions options);
  void run_in(const std::shared_ptr<SeededWorld>& world, Random& random);
  std::uint64_t seed;
  std::shared_ptr<ManualClock> clock;
  SystemOptions options;
};
}  // namespace detail

/// A System whose time moves only when a test moves it, and which runs only while a test waits.
/// With a seeded schedule the same seed and the same program give the same trace. The log is silent
/// unless the options name one. Thread safety: the test's thread only.
class TestSystem : private detail::TestParts, public System {
 public:
  explicit TestSystem(std::uint64_t seed, Schedule schedule = Schedule::seeded,
                      SystemOptions options = {});
  /// One of several Systems of a world: whoever waits runs them all.
  explicit TestSystem(std::shared_ptr<SeededWorld> world, SystemOptions options = {});

  [[nodiscard]] std::uint64_t seed() const noexcept { return TestParts::seed; }
  /// Runs until nothing is left to do at the present time. No time passes.
  void settle();
  /// Lets `d` pass: everything that is due meanwhile runs in order of time, with what it starts in
  /// turn (S140).
  void advance(Duration d);
  /// Runs, and lets time pass, until `over()`; at most `limit`. Returns over().
  bool run_until(const std::function<bool()>& over, Duration limit);
  /// A hash of every send, delivery, turn, message taken, timer and end so far; 0 on threads
  /// (S141).
  [[nodiscard]] std::uint64_t trace_hash() const;

  /// For test kits of other modules: sees each message when it is sent, a delayed one again when it
  /// is due, and may replace its value. An empty function ends that. Throws UsageError on threads.
  void on_send(
      std::function<void(const troupe::detail::Address& to, troupe::detail::Envelope&)> see);
};

}  // namespace troupe::testkit
