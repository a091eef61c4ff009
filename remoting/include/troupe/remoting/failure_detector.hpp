// When a peer that says nothing more is given up.
#pragma once

#include <cstddef>
#include <deque>

#include <troupe/runtime/clock.hpp>

namespace troupe::remoting {

/// What a FailureDetector goes by. The defaults are for a heartbeat each second.
struct FailureDetectorOptions {
  /// The suspicion at which a peer is given up: at 8 one in 10^8 such silences means nothing.
  double phi_max = 8;
  /// A silence of so much above the usual is expected: a pause of the peer or of the network.
  Duration acceptable_pause = std::chrono::seconds(3);
  /// Before any heartbeat has come, so long is taken for usual between two.
  Duration first_estimate = std::chrono::seconds(1);
  /// Heartbeats that come evenly must not make it touchy.
  Duration deviation_min = std::chrono::milliseconds(100);
  /// How many of the last intervals are looked at.
  std::size_t samples_max = 200;
};

/// Phi accrual: how unlikely the present silence is, given how heartbeats came so far. Hayashibara,
/// Defago, Yared, Katayama, "The phi accrual failure detector", SRDS 2004; the pause is added to
/// the mean of the intervals, as Akka does.
/// Thread safety: one thread at a time.
class FailureDetector {
 public:
  /// Watches from `now` on, so that a peer is given up as well that never sends a heartbeat (C89).
  /// Throws UsageError when the options make no sense.
  FailureDetector(const FailureDetectorOptions& options, TimePoint now);
  void heartbeat(TimePoint now);
  /// -log10 of the probability that a heartbeat is still to come.
  [[nodiscard]] double phi(TimePoint now) const;
  [[nodiscard]] bool is_available(TimePoint now) const { return phi(now) < options_.phi_max; }

 private:
  void add(double interval);

  FailureDetectorOptions options_;
  TimePoint last_;
  std::deque<double> intervals_;  ///< seconds
  double sum_ = 0;
  double sum_of_squares_ = 0;
};

}  // namespace troupe::remoting
