// How often children may be restarted before their supervisor gives up.
#pragma once

#include <cstdint>
#include <vector>

#include <troupe/runtime/clock.hpp>

namespace troupe {

/// A sliding window: at most `restarts_max` restarts in any span of `within` (S63). A ring of the
/// last times, so a restart costs the same however many are allowed. Thread safety: one thread at a
/// time.
class RestartWindow {
 public:
  RestartWindow(std::uint32_t restarts_max, Duration within);
  /// Counts a restart at `now`. False: it is one too many. The window is (now - within, now], as in
  /// OTP.
  [[nodiscard]] bool add(TimePoint now);

 private:
  std::uint32_t restarts_max_;
  Duration within_;
  std::vector<TimePoint> ring_;  ///< the last restarts_max times, the oldest at next_
  std::size_t next_ = 0;
};

}  // namespace troupe
