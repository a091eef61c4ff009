#include "timing_wheel.hpp"

#include <algorithm>
#include <bit>

#include <troupe/runtime/detail/check.hpp>

namespace troupe::detail {

TimingWheel::TimingWheel(TimePoint now) : tick_(tick_of(now)) {}

std::uint64_t TimingWheel::tick_of(TimePoint time) noexcept {
  return static_cast<std::uint64_t>(std::max<std::int64_t>(time.time_since_epoch().count(), 0)) >>
         tick_shift;
}

void TimingWheel::insert(WheelEntry& entry, TimePoint due) {
  TROUPE_CHECK(!entry.in_wheel, "a timer is inserted twice");
  entry.due = due;
  entry.sequence = ++sequence_;
  place(entry);
  ++size_;
}

bool TimingWheel::remove(WheelEntry& entry) {
  if (!entry.in_wheel) return false;
  WheelEntry*& first = slots_[entry.level][entry.slot];
  (entry.previous != nullptr ? entry.previous->following : first) = entry.following;
  if (entry.following != nullptr) entry.following->previous = entry.previous;
  if (first == nullptr) occupied_[entry.level] &= ~(std::uint64_t{1} << entry.slot);
  entry.in_wheel = false;
  --size_;
  return true;
}

void TimingWheel::place(WheelEntry& entry) {
  const std::uint64_t tick = std::max(tick_of(entry.due), tick_);
  const std::uint64_t differs = tick ^ tick_;
  const int level = differs == 0 ? 0 : (std::bit_width(differs) - 1) / bits;
  const auto slot = static_cast<std::uint32_t>(tick >> (bits * level)) & (slots - 1);
  entry.level = static_cast<std::uint8_t>(level);
  entry.slot = static_cast<std::uint8_t>(slot);
  WheelEntry*& first = slots_[level][slot];
  entry.previous = nullptr;
  entry.following = first;
  if (first != nullptr) first->previous = &entry;
  first = &entry;
  occupied_[level] |= std::uint64_t{1} << slot;
  entry.in_wheel = true;
}

void TimingWheel::empty_slot(int level, std::uint32_t slot) {
  WheelEntry* entry = slots_[level][slot];
  slots_[level][slot] = nullptr;
  occupied_[level] &= ~(std::uint64_t{1} << slot);
  while (entry != nullptr) {
    WheelEntry* following = entry->following;
    place(*entry);
    entry = following;
  }
}

/// Moves the present to `to_tick`: the slots it enters, on every level, are spread over the levels
/// below.
void TimingWheel::cascade(std::uint64_t to_tick) {
  const std::uint64_t from = tick_;
  tick_ = to_tick;
  for (int level = levels - 1; level > 0; --level) {
    const std::uint64_t before = from >> (bits * level);
    const std::uint64_t after = to_tick >> (bits * level);
    if (before == after) continue;
    const std::uint64_t steps = std::min<std::uint64_t>(after - before, slots);
    for (std::uint64_t i = 1; i <= steps; ++i) {
      const auto slot = static_cast<std::uint32_t>(before + i) & (slots - 1);
      if ((occupied_[level] >> slot & 1) != 0) empty_slot(level, slot);
    }
  }
}

void TimingWheel::take_due(TimePoint now, std::vector<WheelEntry*>& out) {
  const std::uint64_t from = tick_;
  const std::uint64_t to = std::max(tick_of(now), tick_);
  const std::size_t first_new = out.size();
  // Everything in the level-0 slots passed over is due; the slot of the present may hold some that
  // are not.
  std::vector<WheelEntry*> candidates;
  const auto collect = [&] {
    for (std::uint64_t left = occupied_[0]; left != 0; left &= left - 1) {
      for (WheelEntry* e = slots_[0][std::countr_zero(left)]; e != nullptr; e = e->following) {
        if (e->due <= now) candidates.push_back(e);
      }
    }
  };
  if (to != from) cascade(to);
  collect();
  for (WheelEntry* e : candidates) {
    remove(*e);
    out.push_back(e);
  }
  std::sort(out.begin() + static_cast<std::ptrdiff_t>(first_new), out.end(),
            [](const auto* a, const auto* b) {
              return a->due != b->due ? a->due < b->due : a->sequence < b->sequence;
            });
}

std::optional<TimePoint> TimingWheel::next_wake() const {
  for (int level = 0; level < levels; ++level) {
    if (occupied_[level] == 0) continue;
    const auto present = static_cast<int>(tick_ >> (bits * level)) & static_cast<int>(slots - 1);
    const int ahead = std::countr_zero(std::rotr(occupied_[level], present));
    if (level > 0) {  // where the slot begins, it cascades
      const std::uint64_t tick = ((tick_ >> (bits * level)) + static_cast<std::uint64_t>(ahead))
                                 << (bits * level);
      return TimePoint{Duration{static_cast<std::int64_t>(tick << tick_shift)}};
    }
    TimePoint earliest = TimePoint::max();
    for (const WheelEntry* e = slots_[0][(present + ahead) & static_cast<int>(slots - 1)];
         e != nullptr; e = e->following) {
      earliest = std::min(earliest, e->due);
    }
    return earliest;
  }
  return std::nullopt;
}

}  // namespace troupe::detail
