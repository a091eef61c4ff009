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

  /// True: who waits has to look again, and earlier than he means to.
  bool insert(WheelEntry& entry, TimePoint due) {
    std::lock_guard guard(mutex_);
    wheel_.insert(entry, due);
    return is_earlier(due);
  }
  /// The same, of what is never removed.
  bool insert(const DelayedSend& send) {
    std::lock_guard guard(mutex_);
    wheel_.insert(send);
    return is_earlier(send.due);
  }
  /// False: it is due already, and somebody has taken it.
  bool remove(WheelEntry& entry) {
    std::lock_guard guard(mutex_);
    return wheel_.remove(entry) || mutant("due_timer_can_be_cancelled");
  }
  void take_due(TimePoint now, DueTimers& due) {
    std::lock_guard guard(mutex_);
    due.entries.clear();
    due.sends.clear();
    wheel_.take_due(now, due);
    next_look_ = TimePoint::max();
  }
  /// When to look again. Until then insert speaks up for what is earlier only.
  [[nodiscard]] std::optional<TimePoint> next_wake() {
    std::lock_guard guard(mutex_);
    const auto wake = wheel_.next_wake();
    next_look_ = wake.value_or(TimePoint::max());
    return wake;
  }

 private:
  bool is_earlier(TimePoint due) noexcept {
    if (due >= next_look_) return false;
    next_look_ = due;
    return true;
  }
  Mutex mutex_;
  TimingWheel wheel_;
  TimePoint next_look_ = TimePoint::max();  ///< or earlier; max: nobody has said
};

}  // namespace troupe::detail
