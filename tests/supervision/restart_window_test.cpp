#include <troupe/supervision/restart_window.hpp>

#include <deque>

#include <catch2/catch.hpp>
#include <troupe/runtime/random.hpp>

using namespace std::chrono_literals;
using troupe::RestartWindow;
using troupe::TimePoint;

TEST_CASE("S63 exactly restarts_max within the window is tolerated, one more is not",
          "[supervision]") {
  RestartWindow window(3, 5s);
  const TimePoint t{1000s};
  REQUIRE(window.add(t));
  REQUIRE(window.add(t + 1s));
  REQUIRE(window.add(t + 4s));
  REQUIRE_FALSE(window.add(t + 4999ms));
}

TEST_CASE("S63 the window slides: restarts far enough apart go on for ever", "[supervision]") {
  RestartWindow window(1, 1s);
  for (int i = 0; i < 100; ++i) REQUIRE(window.add(TimePoint{i * 1s}));
}

TEST_CASE("S63 C64 restarts_max 0: the first failure ends it", "[supervision]") {
  RestartWindow window(0, 5s);
  REQUIRE_FALSE(window.add(TimePoint{1s}));
}

TEST_CASE("the ring agrees with a plain list of times", "[supervision]") {
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    troupe::Random random(seed);
    const std::uint32_t max = 1 + random.below(5);
    RestartWindow window(max, 1s);
    std::deque<TimePoint> model;
    TimePoint now{0s};
    for (int i = 0; i < 200; ++i) {
      now += troupe::Duration{random.below(600'000'000)};
      std::erase_if(model, [&](TimePoint t) { return now - t >= 1s; });
      const bool tolerated = model.size() < max;
      REQUIRE(window.add(now) == tolerated);
      if (!tolerated) break;  // the supervisor has given up
      model.push_back(now);
    }
  }
}
