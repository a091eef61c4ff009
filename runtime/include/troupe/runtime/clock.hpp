// Time as a seam: a System reads no clock but the one it is given.
#pragma once

#include <chrono>
#include <memory>

namespace troupe {

using Duration = std::chrono::nanoseconds;
using TimePoint = std::chrono::time_point<std::chrono::steady_clock, Duration>;

/// Tells the time. Monotonic: never goes back.
/// Thread safety: any thread.
class Clock {
 public:
  Clock() = default;
  Clock(const Clock&) = delete;
  Clock& operator=(const Clock&) = delete;
  virtual ~Clock() = default;
  [[nodiscard]] virtual TimePoint now() const noexcept = 0;
  /// A moment not after now(), and mostly a few milliseconds before it at most. Cheaper to tell.
  [[nodiscard]] virtual TimePoint recent() const noexcept { return now(); }
};

/// The machine's monotonic clock.
[[nodiscard]] std::shared_ptr<Clock> system_clock();

/// The time of day, as the world outside tells it: what is noted down for people. It jumps, and
/// nothing is ordered or timed by it. Nanoseconds since 1970.
using WallTime = std::chrono::time_point<std::chrono::system_clock, Duration>;
/// Thread safety: any thread.
class WallClock {
 public:
  WallClock() = default;
  WallClock(const WallClock&) = delete;
  WallClock& operator=(const WallClock&) = delete;
  virtual ~WallClock() = default;
  [[nodiscard]] virtual WallTime now() const noexcept = 0;
};

/// The machine's time of day.
[[nodiscard]] std::shared_ptr<WallClock> wall_clock();

/// `now` + `d`; for ever (TimePoint::max()) when that is later than can be told.
constexpr TimePoint deadline_after(TimePoint now, Duration d) noexcept {
  return d > TimePoint::max() - now ? TimePoint::max() : now + d;
}

}  // namespace troupe
