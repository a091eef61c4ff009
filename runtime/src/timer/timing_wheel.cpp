#include "timing_wheel.hpp"

#include <algorithm>
#include <bit>
#include <utility>

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

void TimingWheel::insert(DelayedSend send) {
  send.sequence = ++sequence_;
  slot_at(place_of(send.due)).sends.push(send);
  ++size_;
}

bool TimingWheel::remove(WheelEntry& entry) {
  if (!entry.in_wheel) return false;
  unlink(entry);
  if (slots_[entry.level][entry.slot].empty())
    occupied_[entry.level] &= ~(std::uint64_t{1} << entry.slot);
  --size_;
  return true;
}

TimingWheel::Place TimingWheel::place_of(TimePoint due) const noexcept {
  const std::uint64_t tick = std::max(tick_of(due), tick_);
  const std::uint64_t differs = tick ^ tick_;
  const int level = differs == 0 ? 0 : (std::bit_width(differs) - 1) / bits;
  return {level, static_cast<std::uint32_t>(tick >> (bits * level)) & (slots - 1)};
}

/// The slot, in which something is about to be.
TimingWheel::Slot& TimingWheel::slot_at(Place place) noexcept {
  occupied_[place.level] |= std::uint64_t{1} << place.slot;
  return slots_[place.level][place.slot];
}

void TimingWheel::place(WheelEntry& entry) {
  const Place place = place_of(entry.due);
  entry.level = static_cast<std::uint8_t>(place.level);
  entry.slot = static_cast<std::uint8_t>(place.slot);
  WheelEntry*& first = slot_at(place).first;
  entry.previous = nullptr;
  entry.following = first;
  if (first != nullptr) first->previous = &entry;
  first = &entry;
  entry.in_wheel = true;
}

void TimingWheel::unlink(WheelEntry& entry) noexcept {
  WheelEntry*& first = slots_[entry.level][entry.slot].first;
  (entry.previous != nullptr ? entry.previous->following : first) = entry.following;
  if (entry.following != nullptr) entry.following->previous = entry.previous;
  entry.in_wheel = false;
}

/// Places what is in the slot again, lower.
void TimingWheel::empty_slot(int level, std::uint32_t slot) {
  WheelEntry* entry = std::exchange(slots_[level][slot].first, nullptr);
  occupied_[level] &= ~(std::uint64_t{1} << slot);
  while (entry != nullptr) {
    WheelEntry* following = entry->following;
    place(*entry);
    entry = following;
  }
  slots_[level][slot].sends.take_if([this](const DelayedSend& send) {
    slot_at(place_of(send.due)).sends.push(send);
    return true;
  });
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

/// Takes out what is due of a slot of the lowest level.
void TimingWheel::take_from_slot(std::uint32_t index, TimePoint now, DueTimers& out) {
  Slot& slot = slots_[0][index];
  for (WheelEntry* e = slot.first; e != nullptr;) {
    WheelEntry* const following = e->following;
    if (e->due <= now) {
      unlink(*e);
      out.entries.push_back(e);
    }
    e = following;
  }
  slot.sends.take_if([&](const DelayedSend& send) {
    if (send.due > now) return false;
    out.sends.push_back(send);
    return true;
  });
  if (slot.empty()) occupied_[0] &= ~(std::uint64_t{1} << index);
}

void TimingWheel::take_due(TimePoint now, DueTimers& out) {
  const auto entries_before = static_cast<std::ptrdiff_t>(out.entries.size());
  const auto sends_before = static_cast<std::ptrdiff_t>(out.sends.size());
  const std::uint64_t to = std::max(tick_of(now), tick_);
  const auto take = [&](std::uint64_t of) {  // which slots
    for (std::uint64_t left = occupied_[0] & of; left != 0; left &= left - 1)
      take_from_slot(static_cast<std::uint32_t>(std::countr_zero(left)), now, out);
  };
  // Below a slot of the next level that is past everything is due; before others come down.
  if (to >> bits != tick_ >> bits) take(~std::uint64_t{0});
  if (to != tick_) cascade(to);
  take(~std::uint64_t{0} >> (slots - 1 - (to & (slots - 1))));  // up to the present one
  std::sort(out.entries.begin() + entries_before, out.entries.end(),
            [](const auto* a, const auto* b) { return is_due_before(*a, *b); });
  std::sort(out.sends.begin() + sends_before, out.sends.end(),
            [](const auto& a, const auto& b) { return is_due_before(a, b); });
  size_ -= out.entries.size() - static_cast<std::size_t>(entries_before);
  size_ -= out.sends.size() - static_cast<std::size_t>(sends_before);
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
    const Slot& slot = slots_[0][(present + ahead) & static_cast<int>(slots - 1)];
    for (const WheelEntry* e = slot.first; e != nullptr; e = e->following)
      earliest = std::min(earliest, e->due);
    slot.sends.for_each([&](const DelayedSend& send) { earliest = std::min(earliest, send.due); });
    return earliest;
  }
  return std::nullopt;
}

}  // namespace troupe::detail
