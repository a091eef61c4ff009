// A clock that stands still until it is moved.
#pragma once

#include <atomic>

#include <troupe/runtime/clock.hpp>

namespace troupe::testkit {

/// Thread safety: any thread may read; one at a time may move it.
class ManualClock final : public Clock {
 public:
  [[nodiscard]] TimePoint now() const noexcept override { return TimePoint{Duration{now_.load()}}; }
  [[nodiscard]] TimePoint recent() const noexcept override {
    return now() - Duration{recent_lag_.load()};
  }
  /// How far recent() is behind now(): as on a machine that stood still. Any thread.
  void let_recent_lag(Duration lag) noexcept { recent_lag_.store(lag.count()); }
  /// Never goes back.
  void move_to(TimePoint time) noexcept {
    if (time > now()) now_.store(time.time_since_epoch().count());
  }

 private:
  std::atomic<std::int64_t> recent_lag_{0};
  std::atomic<std::int64_t> now_{std::int64_t{1}
                                 << 40};  // not zero, so that "before the start" exists
};

}  // namespace troupe::testkit
