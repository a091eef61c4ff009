#include "timer_service.hpp"

#include <troupe/runtime/detail/mutant.hpp>

#include "../cell.hpp"
#include "../system_core.hpp"

namespace troupe::detail {

TimerService::TimerService(SystemCore& core) : core_(core), wheel_(core.now()) {}

TimerService::~TimerService() {
  due_.clear();
  wheel_.take_due(TimePoint::max(), due_);
  for (WheelEntry* entry : due_) {
    auto* timer = static_cast<TimerRecord*>(entry);
    TROUPE_CHECK(timer->purpose == TimerPurpose::delayed_send,
                 "an actor's timer outlived its actor");
    destroy_envelope(timer->message);
    delete timer;
  }
}

void TimerService::arm(TimerRecord& timer, TimePoint due) {
  bool is_earliest = false;
  {
    std::lock_guard guard(mutex_);
    const auto before = wheel_.next_wake();
    timer.armed = true;
    wheel_.insert(timer, mutant("timers_fire_early") ? due - std::chrono::milliseconds(1) : due);
    is_earliest = !before || due < *before;
  }
  if (is_earliest) core_.executor().timers_changed();
}

bool TimerService::disarm(TimerRecord& timer) {
  std::lock_guard guard(mutex_);
  if (!wheel_.remove(timer)) return false;
  timer.armed = false;
  return true;
}

std::optional<TimePoint> TimerService::next_wake() const {
  std::lock_guard guard(mutex_);
  return wheel_.next_wake();
}

void TimerService::fire_due(TimePoint now) {
  {
    std::lock_guard guard(mutex_);
    due_.clear();
    wheel_.take_due(now, due_);
  }
  for (WheelEntry* entry : due_) fire(static_cast<TimerRecord&>(*entry));
}

void TimerService::fire(TimerRecord& timer) {
  if (timer.purpose != TimerPurpose::delayed_send) {
    timer.kind = CommandKind::timer;
    timer.to_generation = timer.target.generation;
    send_command(*timer.target.cell, &timer);
    return;
  }
  send(timer.target, timer.message);
  delete &timer;
}

}  // namespace troupe::detail
