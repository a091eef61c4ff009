// Commands, as the cell they are for handles them.
#include <algorithm>
#include <utility>

#include <troupe/runtime/detail/mutant.hpp>

#include "cell.hpp"
#include "system_core.hpp"

namespace troupe::detail {

void Cell::handle_commands() {
  Command* next = nullptr;
  for (Command* command = Mailbox::take_commands(out); command != nullptr; command = next) {
    next = command->next;
    if (command->kind == CommandKind::answered) {
      slot_completed(static_cast<AskSlot&>(*command), *this);
    } else if (is(Phase::free) || !is_for_this_life(command->to_generation)) {
      bounce_command(command);
    } else {
      handle(command);
    }
  }
}

bool Cell::is_for_this_life(std::uint32_t life) const noexcept {
  return life == own_generation() || life == abandoned_life();
}

void Cell::handle(Command* command) {
  switch (command->kind) {
    case CommandKind::stop: request_stop(static_cast<StopCommand&>(*command)); break;
    case CommandKind::kill: request_end(ExitReason::killed(), StopReason::kill); break;
    case CommandKind::watch: {
      auto* record = static_cast<WatchRecord*>(command);
      record->previous = nullptr;
      Relations& relations = made(ext().relations);
      record->following = relations.watchers;
      if (record->following != nullptr) record->following->previous = record;
      relations.watchers = record;
      return;  // it lives on in the list
    }
    case CommandKind::unwatch: {
      WatchRecord* wanted = static_cast<UnwatchCommand*>(command)->record;
      Relations& relations = made(ext().relations);
      WatchRecord* record = relations.watchers;
      while (record != nullptr && record != wanted) record = record->following;
      if (record != nullptr) {
        (record->previous != nullptr ? record->previous->following : relations.watchers) =
            record->following;
        if (record->following != nullptr) record->following->previous = record->previous;
        delete record;
      }
      break;
    }
    case CommandKind::watch_fired: handle_watch_fired(static_cast<WatchRecord&>(*command)); break;
    case CommandKind::incarnation:
      handle_incarnation(static_cast<IncarnationCommand&>(*command));
      break;
    case CommandKind::link: handle_link(static_cast<LinkCommand&>(*command)); break;
    case CommandKind::unlink: handle_unlink(static_cast<LinkCommand&>(*command)); break;
    case CommandKind::exit_signal: handle_exit_signal(static_cast<LinkRecord&>(*command)); break;
    case CommandKind::child_gone:
    case CommandKind::child_ended:
    case CommandKind::child_started:
    case CommandKind::child_rebuilt:
      handle_child(static_cast<ChildCommand&>(*command));
      return;  // the child's memory
    case CommandKind::child_abandoned:
      child_was_abandoned(static_cast<ChildCommand&>(*command));
      break;
    case CommandKind::restart:
    case CommandKind::resume:
    case CommandKind::release: handle_verdict(static_cast<VerdictCommand&>(*command)); break;
    case CommandKind::run:
      static_cast<RunCommand*>(command)->function(ext().has_object ? observer() : nullptr);
      break;
    case CommandKind::timer:
      handle_timer(static_cast<TimerRecord&>(*command));
      return;  // the timer sees to itself
    case CommandKind::report_stall:
      report_stall(static_cast<ReportStallCommand&>(*command).at_least);
      break;
    case CommandKind::look_at_rings: look_at_rings(); break;
    case CommandKind::slowdown:
      handle_slowdown(static_cast<SlowdownCommand&>(*command).sender);
      break;
    case CommandKind::urgent:
      accept_urgent(std::exchange(static_cast<UrgentCommand&>(*command).message, nullptr));
      break;
    case CommandKind::answered: return;
  }
  delete_command(command);
}

/// For an actor that has ended. Who must hear of that does.
void Cell::bounce_command(Command* command, const ExitReason& why) {
  switch (command->kind) {
    case CommandKind::watch: {
      auto& record = static_cast<WatchRecord&>(*command);
      record.kind = CommandKind::watch_fired;
      record.to_generation = record.watcher.generation;
      record.why = why;
      send_command(*record.watcher.cell, &record);
      return;
    }
    case CommandKind::link: {
      const auto& link = static_cast<LinkCommand&>(*command);
      auto* signal = new LinkRecord;
      signal->kind = CommandKind::exit_signal;
      signal->to_generation = link.from.generation;
      signal->from = address_of_life(link.to_generation);
      signal->why = why;
      send_command(*link.from.cell, signal);
      break;
    }
    case CommandKind::stop: {
      const auto& stop = static_cast<StopCommand&>(*command);
      if (stop.waiter.slot != nullptr) answer_done(stop.waiter);
      break;
    }
    case CommandKind::timer: {
      auto* timer = static_cast<TimerRecord*>(command);
      timer->armed = false;
      release_timer(timer);
      return;
    }
    case CommandKind::slowdown: go_on(static_cast<SlowdownCommand&>(*command).sender); break;
    case CommandKind::urgent:
      bounce(std::exchange(static_cast<UrgentCommand&>(*command).message, nullptr),
             DropReason::no_actor);
      break;
    case CommandKind::child_gone:
    case CommandKind::child_abandoned:
    case CommandKind::child_ended:
    case CommandKind::child_started:
    case CommandKind::child_rebuilt: TROUPE_CHECK(false, "a child outlived its parent"); return;
    default: break;
  }
  delete_command(command);
}

void delete_command(Command* command) noexcept {
  switch (command->kind) {
    case CommandKind::stop: delete static_cast<StopCommand*>(command); break;
    case CommandKind::watch:
    case CommandKind::watch_fired: delete static_cast<WatchRecord*>(command); break;
    case CommandKind::unwatch: delete static_cast<UnwatchCommand*>(command); break;
    case CommandKind::incarnation: delete static_cast<IncarnationCommand*>(command); break;
    case CommandKind::link:
    case CommandKind::unlink: delete static_cast<LinkCommand*>(command); break;
    case CommandKind::exit_signal: delete static_cast<LinkRecord*>(command); break;
    case CommandKind::restart:
    case CommandKind::resume:
    case CommandKind::release: delete static_cast<VerdictCommand*>(command); break;
    case CommandKind::urgent: {
      auto* urgent = static_cast<UrgentCommand*>(command);
      if (urgent->message != nullptr) destroy_envelope(urgent->message);
      delete urgent;
      break;
    }
    case CommandKind::report_stall: delete static_cast<ReportStallCommand*>(command); break;
    case CommandKind::slowdown: delete static_cast<SlowdownCommand*>(command); break;
    case CommandKind::run: delete static_cast<RunCommand*>(command); break;
    case CommandKind::child_abandoned: delete static_cast<ChildCommand*>(command); break;
    case CommandKind::look_at_rings:
    case CommandKind::kill: delete command; break;
    default: break;  // embedded in a record that lives on
  }
}

// ---- watches, monitors, links

void Cell::handle_incarnation(const IncarnationCommand& news) {
  const auto& watched = made(ext().relations).watched;
  const auto found = watched.find(news.token);
  if (found == watched.end()) return;
  append_notice(make_notice(Down{{news.token}, Ref<>{found->second.target}, news.why, true}));
}

void Cell::handle_watch_fired(WatchRecord& record) {
  auto& watched = made(ext().relations).watched;
  const auto found = watched.find(record.token);
  if (found == watched.end()) return;  // unwatched meanwhile
  found->second.record = nullptr;
  found->second.notified = true;
  const Ref<> target{record.target};
  append_notice(record.is_monitor ? make_notice(Down{{record.token}, target, record.why})
                                  : make_notice(Terminated{target, record.why}));
}

/// Whether nobody waits for a notice any more: what it tells of is watched no longer (S52, S53), be
/// it that the incarnation that did is gone. Else the watch is over with it.
bool Cell::is_called_off(Envelope& e) {
  auto& all = made(ext().relations).watched;
  if (same_type(e.type, &message_type<Down>)) {
    const auto& notice = payload_as<Down>(e);
    const auto found = all.find(notice.token.value);
    if (found == all.end()) return !mutant("demonitor_comes_too_late");
    if (!notice.restarted) all.erase(found);
  } else if (same_type(e.type, &message_type<Terminated>)) {
    const Ref<>& who = payload_as<Terminated>(e).who;
    const auto found = std::find_if(all.begin(), all.end(), [&](const auto& entry) {
      const Watched& w = entry.second;
      return w.notified && !w.is_monitor && Ref<>{w.target} == who;
    });
    if (found == all.end()) return !mutant("unwatch_comes_too_late");
    all.erase(found);
  }
  return false;
}

void Cell::handle_link(LinkCommand& link) {
  Link& mine = made(ext().relations).links[Life(link.from)];
  mine.peer = link.from;
  mine.their_id = link.id;
  if (mine.record == nullptr) mine.record = new LinkRecord;
}

void Cell::handle_unlink(LinkCommand& unlink) {
  auto& links = made(ext().relations).links;
  const auto found = links.find(Life(unlink.from));
  if (found == links.end()) return;
  Link& mine = found->second;
  if (mine.their_id == unlink.id) mine.their_id = 0;
  if (mine.my_id == unlink.other_id) mine.my_id = 0;
  if (mine.my_id != 0 || mine.their_id != 0)
    return;  // linked again meanwhile, from one side or the other
  delete mine.record;
  links.erase(found);
}

void Cell::handle_exit_signal(LinkRecord& signal) {
  Address from = signal.from;
  if (signal.by_link) {
    auto& links = made(ext().relations).links;
    const auto found = links.find(Life(signal.from));
    if (found == links.end()) return;  // unlinked meanwhile
    from = found->second.peer;
    delete found->second.record;
    links.erase(found);
  }
  const bool is_kill = !signal.by_link && signal.why.kind() == ExitReason::Kind::killed &&
                       !mutant("kill_can_be_trapped");
  if (ext().trap_exit && !is_kill) {
    append_notice(make_notice(Exit{Ref<>{from}, signal.why}));
    return;
  }
  if (signal.why.kind() == ExitReason::Kind::normal && !mutant("normal_end_disturbs")) return;
  const bool was_asked = ext().ended_by_request;
  request_end(signal.why, is_kill ? StopReason::kill : StopReason::stop);
  extension->ended_by_request = was_asked;  // an exit signal is no request
}

// ---- timers

/// Null when copying the message threw, which fails this actor.
Envelope* Cell::copy_of_tick(TimerRecord& timer) {
  EnvelopeGuard<Envelope> tick{new_tick(*timer.message->type)};
  try {
    timer.copy(payload(*tick), payload(*timer.message));
    return tick.release();
  } catch (...) {  // the message's copy constructor: a failure of its actor
    if (is(Phase::running)) {
      fail(ExitReason::failure("copying the message of a repeating timer threw",
                               std::current_exception()),
           false);
    }
    return nullptr;
  }
}

void Cell::handle_timer(TimerRecord& timer) {
  timer.armed = false;
  if (timer.cancelled) {
    release_timer(&timer);
    return;
  }
  switch (timer.purpose) {
    case TimerPurpose::tick: break;
    case TimerPurpose::ask_deadline: timeout_asks(); return;
    case TimerPurpose::stop_deadline:
      extension->out_of_time = true;
      if (waiting() != nullptr && !is(Phase::ending)) {
        begin_end(ExitReason::killed("its stop deadline expired"), StopReason::kill,
                  extension->hold ? After::hold : After::terminate);
      } else {
        cancel_frames();
      }
      return;
    case TimerPurpose::control: {
      const std::uint64_t token = timer.token;
      drop_timer(*this, &timer);
      if (extension->has_object) observer()->control_timer_due(token);
      return;
    }
    case TimerPurpose::receive_timeout: receive_timer_due(); return;
  }
  Envelope* tick = timer.message;
  if (timer.copy != nullptr) {
    const bool would_overlap = timer.is_handled && own_type().turns != TurnsKind::exclusive;
    if ((!timer.tick_waits && !would_overlap) || mutant("ticks_pile_up")) {
      tick = copy_of_tick(timer);
      if (tick == nullptr) return;
    } else {
      ++timer.missed;
      tick = nullptr;
    }
    if (!timer.after_completion)
      arm_cell_timer(*this, timer, deadline_after(timer.due, timer.period));
  } else {
    timer.message = nullptr;
  }
  if (tick == nullptr) return;
  static_cast<TickEnvelope*>(tick)->timer = &timer;
  static_cast<TickEnvelope*>(tick)->token = timer.token;
  timer.tick_waits = true;
  append_notice(tick);
}

/// A tick has been handled: where the delay is fixed the next period begins.
void Cell::tick_done(Envelope* e) {
  if (is(Phase::ending)) return;
  TimerRecord* t = timer_of(*e);
  if (t == nullptr) return;
  t->is_handled = false;
  if (t->after_completion && !t->armed)
    arm_cell_timer(*this, *t, deadline_after(core().now(), t->period));
}

/// The timer that a tick is of; null: it is no tick, or its timer is gone.
TimerRecord* Cell::timer_of(const Envelope& tick) noexcept {
  if ((tick.flags & is_timer_tick) == 0 || extension == nullptr) return nullptr;
  const std::uint64_t token = static_cast<const TickEnvelope&>(tick).token;
  TimerRecord* t = extension->timers;
  while (t != nullptr && (t->token != token || t->purpose != TimerPurpose::tick))
    t = t->following_timer;
  return t;
}

void arm_cell_timer(Cell& cell, TimerRecord& timer, TimePoint due) {
  timer.target = cell.address();
  if (due == TimePoint::max()) return;  // never
  timer.armed = true;
  cell.core().timers().arm(timer, due);
}

void release_timer(TimerRecord* timer) noexcept {
  if (timer->armed && timer->target.cell != nullptr) {
    if (Worker* worker = Worker::current(); worker != nullptr) worker->core.timers().disarm(*timer);
  }
  if (timer->message != nullptr) destroy_envelope(std::exchange(timer->message, nullptr));
  timer->cancelled = true;
  if (!timer->armed && !timer->tick_waits) delete timer;
}

void drop_timer(Cell& cell, TimerRecord* timer) noexcept {
  TimerRecord** at = &cell.ext().timers;
  while (*at != nullptr && *at != timer) at = &(*at)->following_timer;
  if (*at == timer) *at = timer->following_timer;
  release_timer(timer);
}

namespace {
/// It began some time before: its timeout counts from here, and is not early.
void begins_now(AskSlot& slot, TimePoint now) noexcept {
  const Duration timeout{slot.deadline.load(std::memory_order_relaxed) -  // the owner's own writes
                         slot.begun.load(std::memory_order_relaxed)};
  slot.deadline.store(deadline_after(now, timeout).time_since_epoch().count(),
                      std::memory_order_relaxed);  // others read estimates
  slot.begun.store(now.time_since_epoch().count(), std::memory_order_relaxed);  // as above
  slot.is_rough.store(false, std::memory_order_release);  // partner: the load in waits_since
}
}  // namespace

/// Fails the asks whose time is up, and arms the timer for the next.
void Cell::timeout_asks() {
  const TimePoint now = core().now();
  TimePoint next = TimePoint::max();
  ext().asks_since_look = 0;
  for (AskSlot* slot = extension->asks; slot != nullptr; slot = slot->following) {
    const bool is_rough = slot->is_rough.load(std::memory_order_relaxed);  // the owner's own write
    if (is_rough && !mutant("guessed_begin_counts")) begins_now(*slot, now);
    const TimePoint due{
        Duration{slot->deadline.load(std::memory_order_relaxed)}};  // the owner's own write
    const RequestPort port{slot, slot->generation()};
    if (due > now) {
      if (!slot->is_over(port.generation)) next = std::min(next, due);
    } else if (!mutant("ask_never_times_out")) {
      fail_reply(port, AskErrorKind::timeout, "no answer in time; the outcome is unknown");
    }
  }
  extension->ask_timer->period = Duration::zero();  // a deadline, no look
  if (next != TimePoint::max()) arm_cell_timer(*this, *extension->ask_timer, next);
}

// ---- children

void Cell::remove_child(Cell& child) {
  CellExtension& e = *extension;
  (child.previous_sibling != nullptr ? child.previous_sibling->next_sibling : e.first_child) =
      child.next_sibling;
  if (child.next_sibling != nullptr) child.next_sibling->previous_sibling = child.previous_sibling;
  --e.child_count;
}

void Cell::handle_child(ChildCommand& notice) {
  CellExtension& e = ext();
  const Ref<> child{notice.child};
  ChildObserver* o = e.has_object ? observer() : nullptr;
  if (notice.kind == CommandKind::child_gone) {
    Cell& cell = *notice.child.cell;
    const ExitReason why = std::move(notice.why);
    notice.~ChildCommand();  // it lay in the dead object's memory
    remove_child(cell);
    core().give_cell(cell);
    if (o != nullptr) o->child_gone(child, why);
  } else if (notice.kind == CommandKind::child_started) {
    delete &notice;
    if (o != nullptr) o->child_started(child);
  } else if (notice.kind == CommandKind::child_rebuilt) {
    delete &notice;
    if (o != nullptr) o->child_rebuilt(child);
  } else {
    auto& command = static_cast<ChildEndedCommand&>(notice);
    const Ended ended{child, command.why, command.can_resume, command.starting};
    if (!command.arrives()) {
      delete &command;  // it has ended without a verdict
    } else if (o == nullptr) {
      verdict::release(child);  // nobody is left to judge
    } else {
      o->child_ended(ended);
    }
  }
}

/// Its handler may run on. Whoever is later, this or the actor's real end, gives the cell back.
void Cell::child_was_abandoned(ChildCommand& notice) {
  Cell& child = *notice.child.cell;
  remove_child(child);
  // Release and acquire: the siblings' list is done with (partner: leave_family).
  if (child.parent.exchange(nullptr, std::memory_order_acq_rel) == &child) core().give_cell(child);
  ChildObserver* const o = extension->has_object ? observer() : nullptr;
  if (o != nullptr) o->child_gone(Ref<>{notice.child}, notice.why);
}

void Cell::handle_verdict(VerdictCommand& verdict) {
  if (!is(Phase::held)) return;
  CellExtension& e = *extension;
  Oversight& oversight = *e.oversight;  // of each held child
  const auto end_now = std::exchange(oversight.end_when_resumed, std::nullopt);
  const TimePoint stop_due = std::exchange(oversight.stop_due, TimePoint::max());
  switch (verdict.kind) {
    case CommandKind::resume:
      TROUPE_CHECK(e.has_object && e.on_start_ran, "resume of an actor that has no state left");
      set(Phase::running);
      if (ChildObserver* o = observer()) o->actor_resumed();
      if (end_now) {
        const bool is_kill = end_now->kind() == ExitReason::Kind::killed;
        request_end(*end_now, is_kill ? StopReason::kill : StopReason::stop);
        if (stop_due != TimePoint::max()) arm_stop_timer(stop_due);
      }
      break;
    case CommandKind::restart:
      oversight.maker = std::move(verdict.maker);
      if (verdict.mail_max) drop_newest(*verdict.mail_max);
      begin_end(e.why, StopReason::restart, After::rebuild);
      limit_end(verdict.limit);
      break;
    default: {
      const bool failed = e.why.kind() == ExitReason::Kind::failure;
      begin_end(e.why, failed ? StopReason::failure : StopReason::stop, After::terminate);
      limit_end(verdict.limit);
      break;
    }
  }
}

}  // namespace troupe::detail
