// Growing delays between restarts.
#pragma once

#include <cstdint>

#include <troupe/runtime/clock.hpp>

namespace troupe {

/// The n-th restart in a row waits min(max, min * 2^n) * (1 + random * jitter) (S72; Akka's
/// restartWithBackoff).
struct Backoff {
  Duration min = std::chrono::milliseconds(100);
  Duration max = std::chrono::seconds(10);
  double jitter = 0.2;  ///< 0: none; 0.2: up to a fifth longer, so that many don't come at once
  /// Messages that may come while the child waits; the newest beyond are dead letters. Those that
  /// waited before stay. Akka's restart-stash-capacity.
  std::uint32_t mail_max = 1000;
  Duration reset_after =
      Duration::zero();  ///< quiet time after which n is 0 again; zero: the mean of min and max

  /// `random` in [0, 1).
  [[nodiscard]] Duration delay(std::uint32_t n, double random) const noexcept;
  [[nodiscard]] Duration quiet_time() const noexcept;
};

}  // namespace troupe
