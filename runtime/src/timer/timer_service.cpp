#include "timer_service.hpp"

#include <troupe/runtime/detail/mutant.hpp>

#include "../cell.hpp"
#include "../system_core.hpp"

namespace troupe::detail {

TimerService::TimerService(SystemCore& core) : core_(core), table_(core.now()) {}

TimerService::~TimerService() {
  table_.take_due(TimePoint::max(), due_);
  TROUPE_CHECK(due_.entries.empty(), "an actor's timer outlived its actor");
  for (const DelayedSend& send : due_.sends) destroy_envelope(send.message);
}

void TimerService::arm(TimerRecord& timer, TimePoint due) {
  timer.armed = true;
  if (mutant("timers_fire_early")) due -= std::chrono::milliseconds(1);
  if (table_.insert(timer, due)) core_.executor().timers_changed();
}

void TimerService::send_at(TimePoint due, const Address& to, Envelope* message) {
  message->to_generation = to.generation;
  if (mutant("delayed_sends_come_early")) due -= std::chrono::milliseconds(1);
  if (table_.insert({due, message, to.cell, to.serial})) core_.executor().timers_changed();
}

bool TimerService::disarm(TimerRecord& timer) {
  if (!table_.remove(timer)) return false;
  timer.armed = false;
  return true;
}

std::optional<TimePoint> TimerService::next_wake() {
  return table_.next_wake();
}

bool TimerService::fire_due(TimePoint now) {
  table_.take_due(now, due_);
  auto send = due_.sends.begin();
  for (WheelEntry* entry : due_.entries) {
    while (send != due_.sends.end() && is_due_before(*send, *entry)) fire(*send++);
    fire(static_cast<TimerRecord&>(*entry));
  }
  while (send != due_.sends.end()) fire(*send++);
  return !due_.entries.empty() || !due_.sends.empty();
}

void TimerService::fire(TimerRecord& timer) {
  timer.kind = CommandKind::timer;
  timer.to_generation = timer.target.generation;
  send_command(*timer.target.cell, &timer);
}

void TimerService::fire(const DelayedSend& send) {
  send_due(core_, {send.to, send.message->to_generation, send.serial}, send.message);
}

}  // namespace troupe::detail
