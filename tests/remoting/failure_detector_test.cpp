// When a peer that says nothing more is given up.
#include <cmath>

#include <catch2/catch.hpp>
#include <troupe/remoting/failure_detector.hpp>
#include <troupe/runtime/error.hpp>

using namespace std::chrono_literals;
using troupe::Duration;
using troupe::TimePoint;
using troupe::remoting::FailureDetector;
using troupe::remoting::FailureDetectorOptions;

namespace {

constexpr TimePoint begin{1h};

/// How long after the last heartbeat it is given up, to a hundredth of a second.
Duration patience_of(const FailureDetector& detector, TimePoint last) {
  Duration silence{0};
  while (detector.is_available(last + silence)) silence += 10ms;
  return silence;
}

/// One that has heard heartbeats with these intervals, over and over; and when the last came.
std::pair<FailureDetector, TimePoint> after(std::initializer_list<Duration> intervals, int times) {
  FailureDetector detector{{}, begin};
  TimePoint now = begin;
  for (int i = 0; i < times; ++i)
    for (const Duration interval : intervals) detector.heartbeat(now += interval);
  return {detector, now};
}

}  // namespace

TEST_CASE("a peer that sends its heartbeats is never suspected", "[remoting]") {
  auto [detector, now] = after({1s}, 300);
  REQUIRE(detector.phi(now) < 0.01);
  REQUIRE(detector.phi(now + 1s) < 0.01);
  REQUIRE(detector.is_available(now + 3s));  // two are lost
}

TEST_CASE("suspicion grows with the silence - the more evenly heartbeats came, the faster",
          "[remoting]") {
  const auto [even, even_last] = after({1s}, 100);
  const auto [uneven, uneven_last] = after({200ms, 1800ms}, 100);
  double before = 0;
  for (Duration silence = 3500ms; silence < 6s; silence += 100ms) {
    const double phi = even.phi(even_last + silence);
    REQUIRE(phi >= before);
    before = phi;
  }
  const Duration of_even = patience_of(even, even_last);
  REQUIRE(of_even > 4s);  // the mean and the pause
  REQUIRE(of_even < 5s);
  REQUIRE(patience_of(uneven, uneven_last) > of_even + 2s);
}

TEST_CASE("phi is what its definition says", "[remoting]") {
  // Half of all heartbeats come later than the mean, 2.275 % later than two deviations above it.
  const auto [detector, last] = after({500ms, 1500ms}, 1000);
  REQUIRE(detector.phi(last + 1s + 3s) == Approx(-std::log10(0.5)).margin(0.01));
  REQUIRE(detector.phi(last + 2s + 3s) == Approx(-std::log10(0.02275)).margin(0.02));
}

TEST_CASE("C89 C191 a peer that never sends a heartbeat is given up as well", "[remoting]") {
  const FailureDetector detector{{}, begin};
  const Duration patience = patience_of(detector, begin);
  REQUIRE(patience > 3s);
  REQUIRE(patience < 7s);
}

TEST_CASE("a silence that was nearly too long does not make it more patient", "[remoting]") {
  auto [detector, now] = after({1s}, 100);
  const Duration patience = patience_of(detector, now);
  detector.heartbeat(now += 30s);
  REQUIRE(patience_of(detector, now) == patience);
  detector.heartbeat(now += 3s);  // this one was within bounds, and is one of a hundred
  REQUIRE(patience_of(detector, now) > patience);
  REQUIRE(patience_of(detector, now) < patience + 2s);
}

TEST_CASE("it follows a change of the network within its samples", "[remoting]") {
  auto [detector, now] = after({1s}, 400);
  for (int i = 0; i < 400; ++i) detector.heartbeat(now += 2s);
  REQUIRE(patience_of(detector, now) > 5s);
  for (int i = 0; i < 400; ++i) detector.heartbeat(now += 1s);
  REQUIRE(patience_of(detector, now) < 5s);
}

TEST_CASE("options that make no sense are refused", "[remoting]") {
  using troupe::UsageError;
  const auto make = [](FailureDetectorOptions options) { FailureDetector{options, begin}; };
  REQUIRE_THROWS_AS(make({.phi_max = 0}), UsageError);
  REQUIRE_THROWS_AS(make({.phi_max = std::nan("")}), UsageError);
  REQUIRE_THROWS_AS(make({.acceptable_pause = -1s}), UsageError);
  REQUIRE_THROWS_AS(make({.first_estimate = 0s}), UsageError);
  REQUIRE_THROWS_AS(make({.deviation_min = 0s}), UsageError);
  REQUIRE_THROWS_AS(make({.samples_max = 0}), UsageError);
}
