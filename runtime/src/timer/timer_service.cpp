#include "timer_service.hpp"

#include <troupe/runtime/detail/mutant.hpp>

#include "../cell.hpp"
#include "../system_core.hpp"

namespace troupe::detail {

TimerService::TimerService(SystemCore& core) : core_(core), table_(core.now()) {}

TimerService::~TimerService() {
  table_.take_due(TimePoint::max(), due_);
  for (WheelEntry* entry : due_) {
    auto* timer = static_cast<TimerRecord*>(entry);
    TROUPE_CHECK(timer->purpose == TimerPurpose::delayed_send,
                 "an actor's timer outlived its actor");
    destroy_envelope(timer->message);
    delete timer;
  }
}

void TimerService::arm(TimerRecord& timer, TimePoint due) {
  timer.armed = true;
  if (mutant("timers_fire_early")) due -= std::chrono::milliseconds(1);
  if (table_.insert(timer, due)) core_.executor().timers_changed();
}

bool TimerService::disarm(TimerRecord& timer) {
  if (!table_.remove(timer)) return false;
  timer.armed = false;
  return true;
}

std::optional<TimePoint> TimerService::next_wake() const {
  return table_.next_wake();
}

void TimerService::fire_due(TimePoint now) {
  table_.take_due(now, due_);
  for (WheelEntry* entry : due_) fire(static_cast<TimerRecord&>(*entry));
}

void TimerService::fire(TimerRecord& timer) {
  if (timer.purpose != TimerPurpose::delayed_send) {
    timer.kind = CommandKind::timer;
    timer.to_generation = timer.target.generation;
    send_command(*timer.target.cell, &timer);
    return;
  }
  send_due(core_, timer.target, timer.message);
  delete &timer;
}

}  // namespace troupe::detail
