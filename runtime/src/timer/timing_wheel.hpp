// A hierarchical timing wheel: a pure data structure, told the time by its user.
//
// Varghese and Lauck, "Hashed and hierarchical timing wheels" (SOSP 1987), scheme 7: levels of 64
// slots, each level 64 times as coarse as the one below. A timer sits in the level of the highest
// digit in which its tick differs from the present one and moves down as time comes near. Timers
// due in one tick come out in order of their due times.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include <troupe/runtime/clock.hpp>

#include "delayed_sends.hpp"

namespace troupe::detail {

struct WheelEntry {
  WheelEntry* previous = nullptr;
  WheelEntry* following = nullptr;
  TimePoint due;
  std::uint32_t sequence = 0;  ///< order among equal due times
  bool in_wheel = false;
  std::uint8_t level = 0;
  std::uint8_t slot = 0;
};

/// What take_due takes out, each kind in order of due time, then of insertion.
struct DueTimers {
  std::vector<WheelEntry*> entries;
  std::vector<DelayedSend> sends;
};
/// Whether one was to come out before the other. The count of insertions may wrap around.
template <class A, class B>
[[nodiscard]] bool is_due_before(const A& a, const B& b) noexcept {
  return a.due != b.due ? a.due < b.due : static_cast<std::int32_t>(a.sequence - b.sequence) < 0;
}

/// Thread safety: one thread at a time.
class TimingWheel {
 public:
  explicit TimingWheel(TimePoint now);

  /// O(1). An entry that is due already comes out at the next take_due.
  void insert(WheelEntry& entry, TimePoint due);
  /// The same, of what is never removed.
  void insert(DelayedSend send);
  /// O(1). False: it was not in the wheel (any more).
  bool remove(WheelEntry& entry);
  /// Takes out everything due at `now`, and adds it. Never early.
  void take_due(TimePoint now, DueTimers& out);
  /// When to look again: not after the earliest due time, and not before now. None: the wheel is
  /// empty.
  [[nodiscard]] std::optional<TimePoint> next_wake() const;
  [[nodiscard]] std::size_t size() const noexcept { return size_; }

 private:
  static constexpr int bits = 6;
  static constexpr std::uint32_t slots = 1u << bits;
  static constexpr int levels = 8;       // 64^8 ticks of 2^20 ns: 9,000 years
  static constexpr int tick_shift = 20;  // a tick is 1.05 ms
  static std::uint64_t tick_of(TimePoint time) noexcept;
  struct Slot {
    WheelEntry* first = nullptr;
    DelayedSends sends;
    [[nodiscard]] bool empty() const noexcept { return first == nullptr && sends.empty(); }
  };
  struct Place {
    int level;
    std::uint32_t slot;
  };
  [[nodiscard]] Place place_of(TimePoint due) const noexcept;
  Slot& slot_at(Place place) noexcept;
  void place(WheelEntry& entry);
  void unlink(WheelEntry& entry) noexcept;
  void cascade(std::uint64_t to_tick);
  void empty_slot(int level, std::uint32_t slot);
  void take_from_slot(std::uint32_t slot, TimePoint now, DueTimers& out);

  std::uint64_t tick_ = 0;
  std::uint32_t sequence_ = 0;
  std::size_t size_ = 0;
  std::array<std::uint64_t, levels> occupied_{};
  std::array<std::array<Slot, slots>, levels> slots_{};
};

}  // namespace troupe::detail
