// The rule by which a soak judges memory: it must see a leak, and must not see one in noise.
#include "soak/flatness.hpp"

#include <troupe/runtime/random.hpp>

#include <catch2/catch.hpp>

using troupe::soak::Flatness;
using troupe::soak::judge;
using troupe::soak::MemorySample;

namespace {

constexpr double megabyte = 1e6;

/// Half an hour, a sample each half minute: 300 MB, of which `bytes_at` may make anything.
template <class F>
std::vector<MemorySample> half_an_hour(F bytes_at) {
  std::vector<MemorySample> samples;
  for (double minute = 0.5; minute <= 30; minute += 0.5)
    samples.push_back({minute, 300 * megabyte + bytes_at(minute)});
  return samples;
}

}  // namespace

TEST_CASE("memory that stands still is flat, whatever the first third was", "[soak]") {
  const auto samples =
      half_an_hour([](double minute) { return minute < 10 ? -200 * megabyte : 0.0; });
  const Flatness flatness = judge(samples, 30);
  REQUIRE(flatness.was_judged);
  REQUIRE(flatness.window_minutes == 10);
  REQUIRE(flatness.worst == 0);
  REQUIRE(flatness.is_flat());
}

TEST_CASE("a slow leak is seen: more than one percent in ten minutes", "[soak]") {
  const auto leak = [](double percent) {
    return half_an_hour(
        [=](double minute) { return percent / 100 * 300 * megabyte / 10 * minute; });
  };
  REQUIRE_FALSE(judge(leak(1.2), 30).is_flat());
  REQUIRE(judge(leak(0.8), 30).is_flat());
}

TEST_CASE("a leak that begins late is seen by the window it is in", "[soak]") {
  const auto samples =
      half_an_hour([](double minute) { return minute < 20 ? 0 : (minute - 20) * megabyte; });
  const Flatness flatness = judge(samples, 30);
  REQUIRE_FALSE(flatness.is_flat());
  REQUIRE(flatness.worst_until > 25);
}

TEST_CASE("noise and single outliers are no leak", "[soak]") {
  troupe::Random random{1};
  const auto samples = half_an_hour(
      [&](double minute) { return minute == 17 ? 50 * megabyte : random.unit() * 3 * megabyte; });
  REQUIRE(judge(samples, 30).is_flat());
}

TEST_CASE("a run of less than a quarter of an hour is not judged, a longer one by its third",
          "[soak]") {
  const auto doubling = [](double minutes) {
    std::vector<MemorySample> samples;
    for (double minute = 0.5; minute <= minutes; minute += 0.5)
      samples.push_back({minute, megabyte * minute});
    return judge(samples, minutes);
  };
  REQUIRE_FALSE(doubling(14).was_judged);
  REQUIRE(doubling(14).is_flat());
  REQUIRE(doubling(18).window_minutes == 6);
  REQUIRE_FALSE(doubling(18).is_flat());
}

TEST_CASE("what this process takes is in its resident memory", "[soak]") {
  const double before = troupe::soak::resident_bytes();
  const std::vector<char> taken(static_cast<std::size_t>(16 * megabyte), 'x');
  asm volatile("" : : "r"(taken.data()) : "memory");  // a compiler may leave it out else
  REQUIRE(before > 0);
  REQUIRE(troupe::soak::resident_bytes() > before + 15 * megabyte);
}
