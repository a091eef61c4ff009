#include <troupe/supervision/backoff.hpp>

#include <catch2/catch.hpp>

using namespace std::chrono_literals;

TEST_CASE("S72 C67 delays double up to the maximum, jitter only lengthens", "[supervision]") {
  const troupe::Backoff backoff{.min = 100ms, .max = 1s, .jitter = 0.5};
  REQUIRE(backoff.delay(0, 0) == 100ms);
  REQUIRE(backoff.delay(1, 0) == 200ms);
  REQUIRE(backoff.delay(3, 0) == 800ms);
  REQUIRE(backoff.delay(4, 0) == 1s);
  REQUIRE(backoff.delay(1000000, 0) == 1s);
  REQUIRE(backoff.delay(0, 0.5) == 125ms);
}

TEST_CASE("C67 the quiet time is the mean of min and max unless given", "[supervision]") {
  REQUIRE(troupe::Backoff{.min = 100ms, .max = 300ms}.quiet_time() == 200ms);
  REQUIRE(troupe::Backoff{.min = 100ms, .max = 300ms, .reset_after = 7s}.quiet_time() == 7s);
}
