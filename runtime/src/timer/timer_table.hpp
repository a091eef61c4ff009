// The timing wheel of one System, under its lock.
//
// Design. Who arms and cancels is an actor's owner, who takes out what is due is the service
// thread. Under the lock a timer is either in the wheel, and may be cancelled, or it is due: then
// its command is under way, and it is not freed before that has come (TimerRecord::cancelled).
#pragma once

#include <mutex>
#include <optional>
#include <vector>

#include <troupe/runtime/detail/mutant.hpp>

#include "timing_wheel.hpp"

namespace troupe::detail {

/// Thread safety: any thread.
template <class Mutex = std::mutex>
class BasicTimerTable {
 public:
  explicit BasicTimerTable(TimePoint now) : wheel_(now) {}

  /// True: nothing else has to be looked at as early as this.
  bool insert(WheelEntry& entry, TimePoint due) {
    std::lock_guard guard(mutex_);
    const auto before = wheel_.next_wake();
    wheel_.insert(entry, due);
    return !before || due < *before;
  }
  /// False: it is due already, and somebody has taken it.
  bool remove(WheelEntry& entry) {
    std::lock_guard guard(mutex_);
    return wheel_.remove(entry) || mutant("due_timer_can_be_cancelled");
  }
  void take_due(TimePoint now, std::vector<WheelEntry*>& due) {
    std::lock_guard guard(mutex_);
    due.clear();
    wheel_.take_due(now, due);
  }
  [[nodiscard]] std::optional<TimePoint> next_wake() const {
    std::lock_guard guard(mutex_);
    return wheel_.next_wake();
  }

 private:
  mutable Mutex mutex_;
  TimingWheel wheel_;
};

}  // namespace troupe::detail
