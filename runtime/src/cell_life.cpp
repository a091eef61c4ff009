// The life of an actor: start, failure, restart, and the order of its end (SEMANTICS 45a).
#include <algorithm>
#include <new>
#include <utility>
#include <vector>

#include <troupe/runtime/detail/mutant.hpp>

#include "cell.hpp"
#include "system_core.hpp"
#include "trace.hpp"

namespace troupe::detail {

// ---- start

void Cell::start() {
  CellTurn turn;
  run_turn(*Worker::current(), turn, [](Cell& cell, CellTurn&) { cell.actor().on_start(); });
  if (is(Phase::starting) && !turn.cancelled) started_ok();
}

void Cell::started_ok() {
  set(Phase::running);
  if (extension != nullptr) {  // one made later knows
    extension->on_start_ran = true;
    const RequestPort started = extension->take_started();
    if (started.slot != nullptr) answer_done(started);
  }
  tell_parent(CommandKind::child_started);
}

/// A held child's parent hears of each incarnation that works. In launch that is the parent's own
/// turn, and the notice goes straight to its commands: before any that the child will send.
void Cell::tell_parent(CommandKind what) {
  Cell* const boss = parent.load(std::memory_order_relaxed);  // set at spawn
  if (boss == nullptr || !is_held) return;
  auto* notice = new ChildCommand;
  notice->kind = what;
  notice->to_generation =
      boss->generation.load(std::memory_order_relaxed);  // or the life before: see Reaper
  notice->child = address();
  if (Worker::current()->cell == boss) {
    Mailbox::push_command(boss->in, boss->out, notice);  // its token is held: nobody to schedule
  } else {
    send_command(*boss, notice);
  }
}

// ---- failure

/// What left a handler decides: refusal, failed ask, or the end of this incarnation.
void Cell::turn_failed(CellTurn& turn, std::exception_ptr error) {
  AskError answer{AskErrorKind::receiver_down, "an unknown exception"};
  bool ends_request_only = false;
  if (turn.span != nullptr) turn.span->failed = true;
  try {
    std::rethrow_exception(error);
  } catch (const AskFailed& e) {
    answer = {e.kind(), e.what()};
    ends_request_only = turn.envelope != nullptr && (turn.envelope->flags & is_notice) == 0;
  } catch (const std::exception& e) {
    answer.what = e.what();
  } catch (...) {  // nothing is known of it
  }
  const bool was_asked = turn.port.slot != nullptr;
  if (was_asked) fail_reply(turn.take_port(), answer.kind, answer.what);
  if (ends_request_only) {
    Counters::add(Worker::current()->counters.refused);
    if (!was_asked) ActorLog{*this}.warning("refused " + turn.name() + ": " + answer.what);
    return;
  }
  if (is(Phase::running) || is(Phase::starting)) {
    fail(ExitReason::failure(answer.what, std::move(error)), is(Phase::starting), &turn);
  } else {
    ActorLog{*this}.error(turn.name() + " threw while the actor was ending: " + answer.what);
  }
}

void Cell::fail(ExitReason why, bool starting, const CellTurn* turn) {
  CellExtension& e = ext();
  Counters::add(Worker::current()->counters.failed);
  const Ref<> self{address()};
  if (core().is_observed() || !core().options().log->is_silent()) {
    const CrashReport report = make_crash_report(*this, why, starting, turn);
    core().observe([&](Observer& o) {
      o.failed(self, why);
      o.crashed(report);
    });
    ActorLog{*this}.error(report.to_string());
  }
  if (const RequestPort started = e.take_started(); started.slot != nullptr)
    fail_reply(started, AskErrorKind::receiver_down, why.text());
  if (!e.hold) {
    begin_end(std::move(why), StopReason::failure, After::terminate);
    return;
  }
  if (e.stop_pending && !mutant("failure_calls_off_a_stop")) end_when_resumed(e.why);
  e.why = std::move(why);
  e.oversight->ended->starting = starting;
  set(Phase::failing);
  cancel_frames();
}

/// Handlers that wait go on with Cancelled, newest first; one that lent memory when it has it back.
void Cell::cancel_frames() {
  if (mutant("kill_leaves_frames")) return;
  for (Frame* frame = waiting(); frame != nullptr; frame = frame->following) {
    static_cast<CellTurn*>(frame->turn)->cancelled = true;
    if (!frame->lent) make_ready(*frame);
    if (frame->stop != nullptr) frame->stop->request_stop();
  }
}

void Cell::hold_for_verdict(bool can_resume) {
  CellExtension& e = ext();
  set(Phase::held);
  Oversight& oversight = *e.oversight;  // of each held child
  if (TimerRecord* timer = std::exchange(oversight.stop_timer, nullptr)) {
    if (timer->armed) oversight.stop_due = std::min(oversight.stop_due, timer->due);
    release_timer(timer);
  }
  e.out_of_time = false;
  oversight.came_when_held = messages_came(*this);
  e.stop_pending = false;
  Cell* const boss = parent.load(std::memory_order_relaxed);  // set at spawn
  ChildEndedCommand& ended = *oversight.ended;
  ended.kind = CommandKind::child_ended;
  ended.to_generation =
      boss->generation.load(std::memory_order_relaxed);  // or the life before: see Reaper
  ended.child = address();
  ended.why = e.why;
  // A process is its function, which the failure has unwound: nothing is left to go on.
  const bool is_over = own_type().turns == TurnsKind::process && !mutant("process_is_resumed");
  ended.can_resume = can_resume && !ended.starting && !is_over;
  ended.is_on_its_way.store(true);
  send_command(*boss, &ended);
}

// ---- the end

/// A held actor's parent can give no verdict any more. False: that ends it at once.
bool Cell::waits_for_no_verdict() {
  CellExtension& e = ext();
  e.hold = false;
  switch (phase.load(std::memory_order_relaxed)) {  // the owner's own write
    case Phase::failing:
    case Phase::held: {
      const bool failed = e.why.kind() == ExitReason::Kind::failure;
      begin_end(e.why, failed ? StopReason::failure : StopReason::stop, After::terminate);
      return false;
    }
    case Phase::ending: e.after = After::terminate; return false;
    default: return true;
  }
}

void Cell::request_stop(StopCommand& stop) {
  CellExtension& e = ext();
  if (stop.waiter.slot != nullptr)
    made(e.oversight).stop_waiters.push_back(std::exchange(stop.waiter, {}));
  const auto own_limit = e.oversight != nullptr ? e.oversight->stop_limit : std::nullopt;
  auto limit = stop.own_limit ? std::optional(own_limit.value_or(core().options().stop_timeout))
                              : stop.limit;
  if (limit == no_timeout) limit = std::nullopt;
  const bool at_once = limit && *limit <= Duration::zero();
  if (is(Phase::held) && !e.has_object) answer_stop_waiters();  // this incarnation has ended
  if (stop.for_good && !waits_for_no_verdict()) {
    limit_end(limit);
    return;
  }
  if (at_once) {
    request_end(ExitReason::killed(), StopReason::kill);
    return;
  }
  if (is(Phase::running) || is(Phase::starting)) {
    e.why = std::move(stop.why);
    e.after = e.hold ? After::hold : After::terminate;
    e.stop_pending = true;
    e.ended_by_request = true;
    const bool is_free = waiting() == nullptr || is_idle_process();
    if (is_free || mutant("stop_waits_for_nobody")) begin_end(e.why, StopReason::stop, e.after);
  } else {
    request_end(stop.why, StopReason::stop);
  }
  if (limit) arm_stop_timer(deadline_after(core().now(), *limit));
}

/// What was asked for while the parent's verdict is awaited. A kill stays one.
void Cell::end_when_resumed(const ExitReason& why) {
  std::optional<ExitReason>& asked = extension->oversight->end_when_resumed;
  const bool is_kill = asked && asked->kind() == ExitReason::Kind::killed;
  if (extension->has_object && !is_kill) asked = why;
}

/// Ends the incarnation now. One whose parent is yet to give its verdict ends if that is to go on;
/// one that is on its way to the next incarnation gets no further than this one's end.
void Cell::request_end(const ExitReason& why, StopReason reason) {
  CellExtension& e = ext();
  switch (phase.load(std::memory_order_relaxed)) {  // the owner's own write
    case Phase::failing:
    case Phase::held: end_when_resumed(why); return;
    case Phase::ending:
      if (e.after == After::rebuild) {
        e.after = After::hold;
        e.why = why;
        e.oversight->maker = nullptr;
        e.ended_by_request = true;
      }
      if (reason == StopReason::kill) {
        e.out_of_time = true;
        cancel_frames();
      }
      return;
    default:
      e.ended_by_request = true;
      begin_end(why, reason, e.hold ? After::hold : After::terminate);
  }
}

/// The earliest of the deadlines asked for holds.
void Cell::arm_stop_timer(TimePoint due) {
  if (mutant("stop_without_deadline")) return;
  if (is(Phase::failing) || is(Phase::held)) {  // if it is resumed
    TimePoint& earliest = extension->oversight->stop_due;
    earliest = std::min(earliest, due);
    return;
  }
  TimerRecord*& timer = made(extension->oversight).stop_timer;
  if (timer == nullptr) {
    timer = new TimerRecord;
    timer->purpose = TimerPurpose::stop_deadline;
  } else if (timer->armed) {
    if (timer->due <= due || !core().timers().disarm(*timer)) return;
  }
  arm_cell_timer(*this, *timer, due);
}

/// Of an end that has begun: how long on_stop may take.
void Cell::limit_end(const std::optional<Duration>& limit) {
  if (!limit || *limit == no_timeout || mutant("on_stop_after_a_failure_has_no_limit")) return;
  if (*limit <= Duration::zero()) {
    extension->out_of_time = true;
  } else {
    arm_stop_timer(deadline_after(core().now(), *limit));
  }
}

std::vector<RequestPort> Cell::take_stop_waiters() {
  Oversight* o = extension.seen_by_reaper()->oversight.seen_by_reaper();
  return o == nullptr ? std::vector<RequestPort>{} : std::exchange(o->stop_waiters, {});
}

void Cell::answer_stop_waiters() {
  for (const RequestPort& waiter : take_stop_waiters()) answer_done(waiter);
}

void Cell::begin_end(ExitReason why, StopReason stop_reason, After after) {
  CellExtension& e = ext();
  e.why = std::move(why);
  e.stop_reason = stop_reason;
  e.after = after;
  e.stop_pending = false;
  if (e.back_pressure != nullptr) e.back_pressure->slow_target = {};
  end_slowdown();
  e.stage = Stage::unwind;
  e.children_told = false;
  if (const RequestPort started = e.take_started(); started.slot != nullptr)
    fail_reply(started, AskErrorKind::receiver_down, "ended before it had started");
  set(Phase::ending);
  cancel_frames();
}

/// As far as the end can go now.
Cell::Next Cell::go_on_ending() {
  CellExtension& e = *extension;
  for (;;) {
    bool waits = waiting() != nullptr;
    switch (e.stage) {
      case Stage::unwind:
        if (!waits) e.stage = Stage::on_stop;
        break;
      case Stage::on_stop: {
        if (waits) break;
        const bool is_due = e.on_start_ran && own_type().has_on_stop;
        e.on_start_ran = false;
        if (!is_due) {
          e.stage = Stage::children;
          break;
        }
        if (!mutant("no_on_stop")) call_on_stop();
        return Next::go_on;
      }
      case Stage::children:
        if (keeps_children()) {
          e.stage = Stage::object;
          break;
        }
        if (!e.children_told) {
          e.children_told = true;
          tell_children_to_stop();
        }
        waits = e.child_count > 0 && !mutant("children_outlive_their_parent");
        if (!waits) e.stage = Stage::object;
        break;
      case Stage::object:
        drop_object();
        if (e.after == After::terminate) return terminate();
        if (e.after == After::hold) {
          hold_for_verdict(false);
        } else {
          rebuild();
        }
        return Next::go_on;
    }
    if (waits) return Mailbox::go_waiting(out) ? Next::left : Next::go_on;
  }
}

/// They go on unless this is the end: while the parent's verdict is awaited that is open (S44).
bool Cell::keeps_children() const noexcept {
  return extension->restart_keeps_children && extension->after != After::terminate &&
         !mutant("restart_ends_children_always");
}

void Cell::call_on_stop() {
  CellTurn turn;
  turn.what = "on_stop";
  turn.cancelled = extension->stop_reason == StopReason::kill || extension->out_of_time;
  run_turn(*Worker::current(), turn,
           [](Cell& cell, CellTurn&) { cell.actor().on_stop(cell.extension->stop_reason); });
}

void Cell::tell_children_to_stop() {
  CellExtension& e = *extension;
  if (e.child_count == 0) return;
  ChildObserver* const o = e.has_object ? observer() : nullptr;
  if (o != nullptr) o->stop_children();
  for (Cell* child = e.first_child; child != nullptr; child = child->next_sibling) {
    if (o != nullptr && child->is_held) continue;  // the observer's
    auto* stop = new StopCommand;
    stop->kind = CommandKind::stop;
    stop->to_generation =
        child->generation.load(std::memory_order_relaxed);  // constant: its parent frees it
    stop->why = ExitReason::shutdown("its parent ended");
    stop->own_limit = true;
    send_command(*child, stop);
  }
}

void Cell::drop_object() {
  CellExtension& e = *extension;
  const ActorType& t = own_type();
  if (e.intake != nullptr)
    e.intake->behavior = nullptr;  // its lambdas, or its state, may refer to the object
  if (std::exchange(e.has_object, false)) {
    void* memory = object();
    t.destroy(memory);  // may send
    if (is_apart != 0) ::operator delete (memory, std::align_val_t{t.align});
  }
  release_held_mail();
  const auto drop = [](TimerRecord*& timer) {
    if (timer != nullptr) release_timer(std::exchange(timer, nullptr));
  };
  if (e.intake != nullptr) drop(e.intake->receive_timer);
  while (e.timers != nullptr && !mutant("timers_outlive_their_actor")) drop_timer(*this, e.timers);
  if (e.oversight != nullptr) drop(e.oversight->stop_timer);
  while (e.asks != nullptr) {  // answers that were to become messages
    AskSlot& slot = *e.asks;
    if (slot.callback.function != nullptr) {
      core().dead_letters().add(
          {{}, Ref<>{address()}, slot.callback.message->text(), DropReason::ended});
      slot.callback.drop(std::exchange(slot.callback.function, nullptr));
    }
    release_slot({&slot, slot.generation()});
  }
  drop(e.ask_timer);
  e.out_of_time = false;
  if (e.after == After::terminate) return;
  end_watches();
  answer_stop_waiters();
}

/// The next incarnation, in the same cell: mailbox, watchers, links and name stay.
void Cell::rebuild() {
  CellExtension& e = *extension;
  ++incarnation;
  Counters::add(Worker::current()->counters.restarted);
  const Ref<> self{address()};
  core().observe([&](Observer& o) { o.restarted(self, incarnation); });
  ActorLog{*this}.warning("restarted after: " + e.why.to_string());
  WatchRecord* const watchers = e.relations != nullptr ? e.relations->watchers : nullptr;
  for (WatchRecord* w = watchers; w != nullptr; w = w->following) {
    if (!w->incarnations) continue;
    auto* news = new IncarnationCommand;
    news->kind = CommandKind::incarnation;
    news->to_generation = w->watcher.generation;
    news->token = w->token;
    news->why = e.why;
    send_command(*w->watcher.cell, news);
  }
  e.ended_by_request = false;
  e.oversight->ended->starting = false;
  const std::shared_ptr<const Maker> maker = std::move(e.oversight->maker);
  const ActorType& t = own_type();
  if (is_apart != 0) {
    *reinterpret_cast<void**>(reinterpret_cast<std::byte*>(this) + cell_header_bytes) =
        ::operator new (t.size, std::align_val_t{t.align});
  }
  if (mutant("restart_loses_mail")) bounce_some();
  set(Phase::starting);
  void* memory = object();
  try {
    maker->construct(memory);
  } catch (...) {  // a further failure of this child, in the phase of starting
    if (is_apart != 0) ::operator delete (memory, std::align_val_t{t.align});
    std::string text = "an unknown exception";
    const auto error = std::current_exception();
    try {
      throw;
    } catch (const std::exception& x) {
      text = x.what();
    } catch (...) {  // nothing is known of it
    }
    fail(ExitReason::failure(std::move(text), error), true);
    return;
  }
  e.has_object = true;
  actor().cell_ = this;
  if (t.has_on_start) {
    tell_parent(CommandKind::child_rebuilt);
  } else {
    started_ok();
  }
}

void Cell::tell_watchers(const ExitReason& why) {
  Relations* const relations = extension.seen_by_reaper()->relations.seen_by_reaper();
  if (relations == nullptr) return;
  while (WatchRecord* w = relations->watchers) {
    relations->watchers = w->following;
    if (mutant("terminated_is_dropped")) continue;
    w->kind = CommandKind::watch_fired;
    w->to_generation = w->watcher.generation;
    w->why = why;
    send_command(*w->watcher.cell, w);
  }
}

void Cell::send_exit_signals(const Links& links, const Address& self, const ExitReason& why) {
  std::vector<Link> sorted;
  for (const auto& [key, link] : links) sorted.push_back(link);
  // The table's order depends on where cells lie, and a trace must not (S141).
  std::sort(sorted.begin(), sorted.end(),
            [](const Link& a, const Link& b) { return Ref<>{a.peer} < Ref<>{b.peer}; });
  for (const Link& link : sorted) {
    if (mutant("exit_signal_is_dropped")) continue;
    LinkRecord* signal = link.record;
    signal->kind = CommandKind::exit_signal;
    signal->to_generation = link.peer.generation;
    signal->from = self;
    signal->why = why;
    send_command(*link.peer.cell, signal);
  }
}

/// This incarnation watches nobody any more.
void Cell::end_watches() {
  if (extension->relations == nullptr) return;
  for (auto& [token, watched] : extension->relations->watched) {
    if (watched.notified || watched.record == nullptr) continue;
    auto* unwatch = new UnwatchCommand;
    unwatch->kind = CommandKind::unwatch;
    unwatch->to_generation = watched.target.generation;
    unwatch->record = watched.record;
    unwatch->token = token;
    send_command(*watched.target.cell, unwatch);
  }
  extension->relations->watched.clear();
}

Address Cell::last_address() noexcept {
  const std::uint32_t abandoned = abandoned_life();
  return {this, abandoned != 0 ? abandoned : own_generation(), serial};
}

Cell::Next Cell::terminate() {
  SystemCore& system = core();
  const Address self = last_address();
  const std::string name =
      is_named && !mutant("name_is_kept") ? system.names().remove(serial) : std::string();
  tell_watchers(extension->why);
  if (extension->relations != nullptr)
    send_exit_signals(std::exchange(extension->relations->links, {}), self, extension->why);
  end_watches();
  release_slowed_senders(~std::uint32_t{0});
  const ExitReason why = extension->why;
  const bool was_abandoned = abandoned_life() != 0;
  close_lane();
  system.actor_ended(*this, name, why);
  if (Intake* i = intake(); i != nullptr && i->home != nullptr) system.executor().unpin(*i->home);
  const std::vector<RequestPort> stop_waiters = take_stop_waiters();
  CellExtension* const done_with = extension;
  extension = nullptr;
  delete done_with;
  set(Phase::free);
  generation.store(next_generation(),
                   std::memory_order_relaxed);  // senders' shortcut; published with the token
  for (const RequestPort& waiter : stop_waiters) answer_done(waiter);  // who now sends hears: dead
  // Set at spawn. That of an abandoned actor has heard of its end.
  Cell* const boss = was_abandoned ? nullptr : parent.load(std::memory_order_relaxed);
  if (boss != nullptr) {
    void* where = reinterpret_cast<std::byte*>(this) + cell_header_bytes;
    auto* gone = ::new (where) ChildCommand;
    gone->kind = CommandKind::child_gone;
    gone->to_generation =
        boss->generation.load(std::memory_order_relaxed);  // or the life before: see Reaper
    gone->child = self;
    gone->why = why;
    send_command(*boss, gone);  // the parent puts the cell on the free list
  }
  // Who takes it before the token is given up leaves it to this turn, as where a stale push wakes
  // it.
  if (boss == nullptr && (!was_abandoned || leave_family())) system.give_cell(*this);
  do {
    if (Mailbox::has_commands(out)) handle_commands();
    if (!bounce_some()) {
      yield();
      break;
    }
  } while (sleep() == Next::go_on);
  return Next::left;
}

/// Of an actor that was abandoned. False: its parent is yet to hear of that, and gives the cell
/// back then.
bool Cell::leave_family() {
  Worker::current()->core.forget_abandoned();
  // Partner: child_was_abandoned.
  return parent.exchange(this, std::memory_order_acq_rel) == nullptr;
}

}  // namespace troupe::detail
