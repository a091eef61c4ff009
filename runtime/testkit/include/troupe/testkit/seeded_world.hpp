// SeededWorld: one seed and one clock for all that a test runs.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include <troupe/runtime/random.hpp>
#include <troupe/testkit/manual_clock.hpp>

namespace troupe::testkit {

/// Something that could happen next in a SeededWorld: a System's actors, a simulated network.
/// Thread safety: the test's thread only.
class StepSource {
 public:
  StepSource() = default;
  StepSource(const StepSource&) = delete;
  StepSource& operator=(const StepSource&) = delete;
  virtual ~StepSource() = default;
  /// How many different steps it could take now.
  [[nodiscard]] virtual std::size_t choices() = 0;
  /// Takes one of them.
  virtual void step(std::size_t choice) = 0;
  /// When it is to be woken, if nothing happens before.
  [[nodiscard]] virtual std::optional<TimePoint> next_wake() = 0;
  virtual void wake(TimePoint now) = 0;
  /// Does what has to be done between steps and is no step. True: it did something.
  virtual bool look() { return false; }
};

/// Decides what happens next: of all steps that are possible anywhere, the seed picks one; when
/// there is none, time moves on to what is due first. The same seed and the same program give the
/// same trace (S141), be it of one System or of a cluster of them. Thread safety: the test's thread
/// only.
class SeededWorld {
 public:
  explicit SeededWorld(std::uint64_t seed);

  /// `source` takes part until it is removed.
  void add(StepSource& source);
  void remove(StepSource& source);
  /// Runs, and lets time pass, until `over()`, or until nothing is left to do before `deadline`.
  void run(const std::function<bool()>& over, TimePoint deadline);

  [[nodiscard]] Random& random() noexcept { return random_; }
  [[nodiscard]] const std::shared_ptr<ManualClock>& clock() const noexcept { return clock_; }
  /// Adds an event to the trace.
  void note(std::uint64_t event) noexcept { trace_ = (trace_ ^ event) * 1099511628211ull; }
  void note(std::string_view text) noexcept;
  [[nodiscard]] std::uint64_t trace_hash() const noexcept { return trace_; }

 private:
  bool look();
  bool step();
  [[nodiscard]] std::optional<TimePoint> next_wake();

  Random random_;
  std::shared_ptr<ManualClock> clock_ = std::make_shared<ManualClock>();
  std::vector<StepSource*> sources_;
  std::uint64_t trace_ = 14695981039346656037ull;  // FNV-1a, 64 bits
};

}  // namespace troupe::testkit
