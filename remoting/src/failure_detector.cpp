#include <troupe/remoting/failure_detector.hpp>

#include <algorithm>
#include <cmath>
#include <numbers>

#include <troupe/runtime/error.hpp>

namespace troupe::remoting {

namespace {
double seconds(Duration d) {
  return std::chrono::duration<double>(d).count();
}
}  // namespace

FailureDetector::FailureDetector(const FailureDetectorOptions& options, TimePoint now)
    : options_(options), last_(now) {
  if (!(options.phi_max > 0)) throw UsageError("phi_max must be more than 0");
  if (options.first_estimate <= Duration::zero() || options.deviation_min <= Duration::zero())
    throw UsageError("first_estimate and deviation_min must be longer than zero");
  if (options.acceptable_pause < Duration::zero())
    throw UsageError("acceptable_pause must not be negative");
  if (options.samples_max == 0) throw UsageError("samples_max must be at least 1");
  // Two that are a quarter of the estimate apart from it: not too sure at first.
  const double estimate = seconds(options.first_estimate);
  add(estimate * 3 / 4);
  add(estimate * 5 / 4);
}

void FailureDetector::add(double interval) {
  if (intervals_.size() >= options_.samples_max) {
    sum_ -= intervals_.front();
    sum_of_squares_ -= intervals_.front() * intervals_.front();
    intervals_.pop_front();
  }
  intervals_.push_back(interval);
  sum_ += interval;
  sum_of_squares_ += interval * interval;
}

void FailureDetector::heartbeat(TimePoint now) {
  // A silence that was nearly too long is no sample: the next one would be waited for longer still.
  if (is_available(now)) add(seconds(now - last_));
  last_ = now;
}

double FailureDetector::phi(TimePoint now) const {
  const auto count = static_cast<double>(intervals_.size());
  const double mean = sum_ / count;
  const double variance = std::max(sum_of_squares_ / count - mean * mean, 0.0);
  const double deviation = std::max(std::sqrt(variance), seconds(options_.deviation_min));
  const double late = seconds(now - last_) - (mean + seconds(options_.acceptable_pause));
  const double later = 0.5 * std::erfc(late / deviation / std::numbers::sqrt2);
  return -std::log10(later);
}

}  // namespace troupe::remoting
