#include "stall_watch.hpp"

#include <algorithm>
#include <utility>

#include "cell.hpp"
#include "system_core.hpp"

namespace troupe::detail {

StallWatch::StallWatch(SystemCore& core)
    : core_(core),
      handler_limit_(core.options().handler_stall_after),
      queue_limit_(core.options().queue_stall_after) {}

std::optional<TimePoint> StallWatch::look(TimePoint now, bool busy) {
  std::optional<TimePoint> next;
  if (handler_limit_ > Duration::zero() && busy) {
    if (now >= next_handlers_) look_at_handlers(now);
    next = next_handlers_;
  }
  const bool just_idle = !busy && was_busy_;
  was_busy_ = was_busy_ || busy;
  if (queue_limit_ > Duration::zero() && (was_busy_ || goes_on_looking_)) {
    if (just_idle || now >= next_mailboxes_) look_at_mailboxes(now, busy);
    if (!was_busy_ && !goes_on_looking_) return next;
    next = std::min(next.value_or(TimePoint::max()), next_mailboxes_);
  }
  return next;
}

void StallWatch::look_at_handlers(TimePoint now) {
  next_handlers_ = now + handler_limit_ / 4;
  for (Worker* worker = core_.workers_seen(); worker != nullptr; worker = worker->next_worker) {
    Handler& seen = handlers_[worker];
    // Relaxed: two values that don't fit together only put the report off until the next look.
    const Cell* cell = worker->running.load(std::memory_order_relaxed);
    const std::uint64_t handled = worker->counters.handled.load(std::memory_order_relaxed);
    if (cell == nullptr || cell != seen.cell || handled != seen.handled) {
      seen = {cell, handled, now, false};
      // Both come with the third.
      worker->seen_since.store(now.time_since_epoch().count(), std::memory_order_relaxed);
      worker->seen_handled.store(handled, std::memory_order_relaxed);
      worker->seen_running.store(cell, std::memory_order_release);  // partner: running_for
      continue;
    }
    if (seen.reported || now - seen.since < handler_limit_) continue;
    seen.reported = true;
    const MessageType* type = worker->handling.load(std::memory_order_relaxed);  // as above
    const Ref<> actor{Address{const_cast<Cell*>(cell),
                              cell->generation.load(std::memory_order_relaxed), cell->serial}};
    core_.report_stall({Stall::Kind::handler, actor,
                        type != nullptr ? std::string(type->text()) : "on_start",
                        now - seen.since});
  }
}

void StallWatch::look_at_mailboxes(TimePoint now, bool busy) {
  was_busy_ = busy;
  next_mailboxes_ = now + queue_limit_;
  auto before = std::exchange(mailboxes_, {});
  std::vector<Address> late;
  goes_on_looking_ = false;
  core_.for_each_cell([&](Cell& cell) {
    // Relaxed: a look, which decides nothing. A message for an actor that waits wakes nobody, so
    // while one waits there is something to look for.
    const std::uintptr_t waits = cell.waits_for.load(std::memory_order_relaxed);
    if (waits != 0 && (waits & takes_messages_meanwhile) == 0) goes_on_looking_ = true;
    const std::uint32_t taken = cell.taken.load(std::memory_order_relaxed);
    const std::uint32_t came = messages_came(cell);
    // Relaxed: as above.
    if (cell.phase.load(std::memory_order_relaxed) == Phase::free || came == taken) return;
    Mailbox now_seen{cell.generation.load(std::memory_order_relaxed), came, now, false};
    const auto found = before.find(&cell);
    if (found != before.end() && found->second.generation == now_seen.generation &&
        static_cast<std::int32_t>(found->second.came - taken) > 0) {
      now_seen = found->second;  // a message that waited then waits still
      if (!now_seen.reported && now - now_seen.since >= queue_limit_) {
        now_seen.reported = true;
        late.push_back({&cell, now_seen.generation, cell.serial});
      }
    }
    goes_on_looking_ = goes_on_looking_ || !now_seen.reported;
    mailboxes_.emplace(&cell, now_seen);
  });
  for (const Address& actor : late) {  // the actor itself can say which message it is
    auto* ask = new ReportStallCommand;
    ask->kind = CommandKind::report_stall;
    ask->to_generation = actor.generation;
    ask->at_least = queue_limit_;
    send_command(*actor.cell, ask);
  }
}

/// On the actor: which of its messages has waited so long.
void Cell::report_stall(Duration at_least) {
  const MessageType* waiting_type = nullptr;
  if (LockedLane* own = lane()) {
    waiting_type = own->next_type();
  } else if (const auto* e = static_cast<Envelope*>(Mailbox::peek(out))) {
    waiting_type = e->type;
  }
  const bool is_process = own_type().turns == TurnsKind::process;
  if (waiting_type == nullptr && !(is_process && detail::mailbox_length(*this) > 0))
    return;  // it was taken meanwhile
  core().report_stall({Stall::Kind::queued, Ref<>{address()},
                       waiting_type != nullptr ? std::string(waiting_type->text())
                                               : "that its receive does not take",
                       at_least});
}

void SystemCore::report_stall(const Stall& stall) {
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(stall.at_least).count();
  const std::string text = stall.kind == Stall::Kind::handler
                               ? "its handler of " + stall.message_type + " has run for " +
                                     std::to_string(ms) +
                                     " ms: blocking work belongs into troupe::blocking"
                               : "a message " + stall.message_type + " has waited for more than " +
                                     std::to_string(ms) + " ms; " + why(stall.actor.address());
  log(LogLevel::warning, stall.actor.to_string(), text);
  observe([&](Observer& o) { o.stalled(stall); });
}

}  // namespace troupe::detail
