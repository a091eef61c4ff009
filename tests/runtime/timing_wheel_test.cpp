// The timing wheel as a pure data structure, against a sorted list.
#include "timer/timing_wheel.hpp"

#include <map>

#include <catch2/catch.hpp>
#include <troupe/runtime/random.hpp>

#include "support/schedules.hpp"

using troupe::Duration;
using troupe::Random;
using troupe::TimePoint;
using troupe::detail::DueTimers;
using troupe::detail::TimingWheel;
using troupe::detail::WheelEntry;

namespace {

/// What the wheel should hold: an entry, or the delayed send of this number.
struct Expected {
  WheelEntry* entry = nullptr;
  std::uint32_t send = 0;
  friend bool operator==(const Expected&, const Expected&) = default;
};

/// What came out, of both kinds, in the order in which it would fire.
std::vector<std::pair<TimePoint, Expected>> merged(const DueTimers& due) {
  std::vector<std::pair<TimePoint, Expected>> all;
  auto send = due.sends.begin();
  const auto next_send = [&] {
    all.push_back({send->due, {nullptr, send->serial}});
    ++send;
  };
  for (WheelEntry* entry : due.entries) {
    while (send != due.sends.end() && is_due_before(*send, *entry)) next_send();
    all.push_back({entry->due, {entry, 0}});
  }
  while (send != due.sends.end()) next_send();
  return all;
}

}  // namespace

TEST_CASE("C117 the wheel gives out what a sorted list would, at any distance, with removals",
          "[runtime]") {
  for (std::uint64_t seed = 1; seed <= troupe::test::from_environment("TROUPE_SEEDS", 25); ++seed) {
    INFO("seed " << seed);
    Random random(seed);
    TimePoint now{Duration{static_cast<std::int64_t>(random.below(1u << 30)) * 1000}};
    TimingWheel wheel(now);
    std::vector<std::unique_ptr<WheelEntry>> entries;
    std::multimap<TimePoint, Expected> model;  // equal due times in order of insertion
    std::uint32_t sends = 0;
    for (int step = 0; step < 2000; ++step) {
      const auto choice = random.below(10);
      if (choice < 5) {
        const auto scale = random.below(64);  // up to 292 years, and then to the end of time
        TimePoint due = troupe::deadline_after(
            now, Duration{static_cast<std::int64_t>(random.next() & ((1ull << scale) - 1))});
        if (!model.empty() && random.below(4) == 0) due = model.begin()->first;
        if (random.below(2) == 0) {
          wheel.insert({due, nullptr, nullptr, ++sends});
          model.insert({due, {nullptr, sends}});
        } else {
          entries.push_back(std::make_unique<WheelEntry>());
          wheel.insert(*entries.back(), due);
          model.insert({due, {entries.back().get(), 0}});
        }
      } else if (choice < 7 && !entries.empty()) {
        WheelEntry& entry = *entries[random.below(static_cast<std::uint32_t>(entries.size()))];
        const bool was_in = entry.in_wheel;
        REQUIRE(wheel.remove(entry) == was_in);
        if (was_in)
          std::erase_if(model, [&](const auto& pair) { return pair.second.entry == &entry; });
      } else {
        now +=
            Duration{static_cast<std::int64_t>(random.next() & ((1ull << random.below(42)) - 1))};
        DueTimers due;
        wheel.take_due(now, due);
        for (const auto& [at, what] : merged(due)) {
          REQUIRE(at <= now);
          REQUIRE(!model.empty());
          REQUIRE(model.begin()->first == at);  // in order, and nothing skipped
          REQUIRE(model.begin()->second == what);
          model.erase(model.begin());
        }
        REQUIRE((model.empty() || model.begin()->first > now));
      }
      REQUIRE(wheel.size() == model.size());
      const auto wake = wheel.next_wake();
      REQUIRE(wake.has_value() == !model.empty());
      if (wake) REQUIRE(*wake <= model.begin()->first);
    }
  }
}

TEST_CASE("waking when the wheel says so comes to every timer, exactly when it is due",
          "[runtime]") {
  Random random(3);
  TimePoint now{Duration{12345678901}};
  TimingWheel wheel(now);
  std::vector<WheelEntry> entries(500);
  for (WheelEntry& entry : entries)
    wheel.insert(entry, now + Duration{static_cast<std::int64_t>(random.next() >> 24)});
  std::size_t fired = 0;
  int wakes = 0;
  while (const auto wake = wheel.next_wake()) {
    REQUIRE(++wakes < 20000);
    now = std::max(now, *wake);
    DueTimers due;
    wheel.take_due(now, due);
    for (WheelEntry* entry : due.entries) REQUIRE(entry->due == now);
    fired += due.entries.size();
  }
  REQUIRE(fired == entries.size());
}
