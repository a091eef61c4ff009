#include "cell.hpp"

#include <coroutine>
#include <new>
#include <utility>

#include <troupe/runtime/detail/mutant.hpp>
#include <troupe/runtime/middleware.hpp>

#include "memory.hpp"
#include "reaper.hpp"
#include "system_core.hpp"
#include "trace.hpp"

namespace troupe::detail {

SystemCore& Cell::core() const noexcept {
  return Worker::current()->core;
}

void* Cell::object() noexcept {
  void* where = reinterpret_cast<std::byte*>(this) + cell_header_bytes;
  return is_apart == 0 ? where : *static_cast<void**>(where);
}
ActorBase& Cell::actor() noexcept {
  return *own_type().base(object());
}
ChildObserver* Cell::observer() noexcept {
  const auto find = own_type().child_observer;
  return find == nullptr ? nullptr : find(actor());
}

[[gnu::noinline]] void Cell::make_extension() {
  auto* made = new CellExtension;
  made->has_object = true;
  made->on_start_ran = is(Phase::running);
  extension = made;
}

// Not inlined: see free_block.
[[gnu::noinline]] void* CellExtension::operator new(std::size_t bytes) {
  return allocate_block(size_class_of(bytes), bytes);
}
void CellExtension::operator delete(void* extension) noexcept {
  free_block(size_class_of(sizeof(CellExtension)), extension);
}

// ---- the loop

/// The mailbox needs the envelope no more.
void Cell::finish(Envelope* e) {
  if ((e->flags & is_busy) != 0) {  // the handler that still uses it frees it
    e->flags &= static_cast<std::uint8_t>(~is_dummy);
    return;
  }
  TROUPE_CHECK((e->flags & payload_dead) != 0, "an envelope is freed before its message");
  free_block(e->size_class, e);
}

/// Gives the token up if there is nothing to do.
Cell::Next Cell::sleep() {
  return takes_mail_plainly() ? sleep_plainly() : sleep_extended();
}

inline Cell::Next Cell::sleep_plainly() {
  MailLink* done = nullptr;
  const Mailbox::Idle idle = Mailbox::go_idle(in, out, done);
  if (idle == Mailbox::Idle::not_empty) return Next::go_on;
  if (done != nullptr) finish(static_cast<Envelope*>(done));
  return idle == Mailbox::Idle::commands_came ? Next::go_on : Next::left;
}

[[gnu::noinline]] Cell::Next Cell::sleep_extended() {
  if (is_idle_process() && extension->frames->wakes_when_empty) {
    make_ready(*extension->frames);
    return Next::go_on;
  }
  // A message that a waiting handler still uses is freed by the end of its turn, which may come
  // on another thread as soon as the token is gone: so it stops being the dummy before.
  auto* dummy = out.head != &in.stub ? static_cast<Envelope*>(out.head) : nullptr;
  const bool is_used = dummy != nullptr && (dummy->flags & is_busy) != 0;
  if (is_used) dummy->flags &= static_cast<std::uint8_t>(~is_dummy);
  const auto lane = extension->intake != nullptr ? extension->intake->lane : nullptr;
  MailLink* done = nullptr;
  const Mailbox::Idle idle = Mailbox::go_idle(in, out, done);
  if (idle == Mailbox::Idle::not_empty) {
    if (is_used) dummy->flags |= is_dummy;
    return Next::go_on;
  }
  if (done != nullptr && !is_used) finish(static_cast<Envelope*>(done));
  // Who put a message into a locked lane found the token taken, or this finds the message.
  if (idle == Mailbox::Idle::asleep && lane != nullptr && !lane->empty() && Mailbox::claim(in))
    return Next::go_on;
  return idle == Mailbox::Idle::commands_came ? Next::go_on : Next::left;
}

[[gnu::flatten]] void Cell::run(Worker& first) {
  bool is_plain = takes_mail_plainly();
  if (!is_plain && is_pinned_elsewhere(first)) [[unlikely]] {
    intake()->home->inject(*this);  // it is pinned to another thread (S83)
    return;
  }
  Worker* worker = &first;
  CellTurn& turn = *first.clean_turn;  // this carrier's, whatever worker comes to run it
  worker->cell = this;
  std::uint32_t budget = worker->messages_per_turn_max;
  for (;; is_plain = takes_mail_plainly()) {
    if (Mailbox::has_commands(out)) [[unlikely]] {
      handle_commands();
      is_plain = takes_mail_plainly();
    }
    Next next = Next::messages;
    if (!is(Phase::running) || !is_plain) [[unlikely]] {
      next = before_messages(*worker);
      worker = Worker::current();  // it may have waited
      is_plain = next == Next::messages && takes_mail_plainly();
    }
    if (next == Next::messages) {
      if (!is_plain && lane() != nullptr) {
        next = take_one_from_lane();
        worker = Worker::current();
      } else {
        next = take_messages(worker, turn, budget, is_plain);
      }
    }
    if (next == Next::left) return;
    if (next == Next::took_one && --budget == 0 && !mutant("endless_turn")) {
      yield();
      return;
    }
  }
}

bool Cell::is_pinned_elsewhere(const Worker& worker) const noexcept {
  const Intake* i = intake();
  return i != nullptr && i->home != nullptr && i->home != &worker &&
         !mutant("pinned_actor_anywhere");
}

/// What goes before user messages: handlers that may go on, and the phases that take no messages.
[[gnu::noinline]] Cell::Next Cell::before_messages(Worker& worker) {
  if (extension != nullptr && extension->first_ready != nullptr) return resume_ready(worker);
  switch (phase.load(std::memory_order_relaxed)) {  // the owner's own write
    case Phase::free:
      if (bounce_some()) return sleep();
      yield();
      return Next::left;
    case Phase::starting:
      if (waiting() != nullptr) break;
      start();
      return Next::go_on;
    case Phase::running:
      if (extension->stop_pending && waiting() == nullptr) {
        begin_end(extension->why, StopReason::stop, extension->after);
        return Next::go_on;
      }
      if (waiting() != nullptr && !takes_messages_now()) {
        wait_behind_writer();
        break;
      }
      if (extension->back_pressure != nullptr) {
        release_slowed_senders(core().options().slow_senders_above / 2);
        if (waiting() == nullptr && is_slowed()) break;
      }
      return take_held() ? Next::took_one : Next::messages;
    case Phase::failing:
      if (waiting() != nullptr) break;
      hold_for_verdict(true);
      return Next::go_on;
    case Phase::held: break;
    case Phase::ending: return go_on_ending();
  }
  return Mailbox::go_waiting(out) ? Next::left : Next::go_on;
}

/// The envelope that has become the mailbox's first link: it is to be marked as the dummy.
[[gnu::always_inline]] inline Envelope* Cell::accept(MailLink* done) {
  if (done != nullptr) finish(static_cast<Envelope*>(done));
  auto* e = static_cast<Envelope*>(out.head);
  const std::uint32_t count = taken.load(std::memory_order_relaxed) + 1;  // the owner's
  taken.store(count, std::memory_order_relaxed);                          // a figure for reports
  return e;
}

/// The oldest message; null when there is none, or when its sender is between two instructions:
/// going to sleep will fail then, and this is tried again.
Envelope* Cell::pop() {
  if (lane() != nullptr) return take_from_lane();
  MailLink* done = nullptr;
  if (Mailbox::pop(in, out, done) != Mailbox::Pop::message) return nullptr;
  Envelope* const e = accept(done);
  e->flags |= is_dummy;
  return e;
}

void Cell::yield() {
  Worker::current()->push(*this);
}

// ---- one message

void end_message(Envelope* e) noexcept {
  if ((e->flags & payload_dead) == 0 && e->type->destroy != nullptr) e->type->destroy(payload(*e));
  e->flags = static_cast<std::uint8_t>((e->flags | payload_dead) & ~is_busy);
  if ((e->flags & is_dummy) == 0) free_block(e->size_class, e);
}

void destroy_envelope(Envelope* e) noexcept {
  const RequestPort port = take_port(e);
  if (port.slot != nullptr) drop_reply(port);
  end_message(e);
}

/// Returns the worker that the token is on then.
Worker& Cell::deliver(Envelope* e, Worker& worker) {
  if (e->to_generation != own_generation() &&  // the owner's own write
      !mutant("skip_generation_check")) {
    bounce(e, DropReason::no_actor);
    return worker;
  }
  if ((e->flags & (is_timer_tick | is_notice)) == 0) [[likely]]
    return handle_message(e, worker);
  deliver_tick_or_notice(e);
  return *Worker::current();
}

[[gnu::noinline]] void Cell::deliver_tick_or_notice(Envelope* e) {
  if ((e->flags & is_timer_tick) != 0) {
    TimerRecord* timer = static_cast<TickEnvelope*>(e)->timer;
    timer->tick_waits = false;
    const bool is_over = timer->cancelled;
    timer->is_handled = true;
    timer->missed_before = std::exchange(timer->missed, 0);
    if (is_over || timer->period == Duration::zero()) drop_timer(*this, timer);
    if (is_over && !mutant("stale_tick_is_delivered")) {
      core().count_drop(DropReason::cancelled_tick);
      end_message(e);
      return;
    }
  }
  if ((e->flags & is_notice) != 0) {
    handle_notice(e);
  } else {
    handle_message(e, *Worker::current());
  }
}

const HandlerEntry* ActorType::find(const MessageType* message) const noexcept {
  for (std::uint32_t i = 0; i < handler_count; ++i) {
    if (handlers[i].type == message) return &handlers[i];
  }
  if (message->id == 0) return nullptr;
  for (std::uint32_t i = 0; i < handler_count; ++i) {  // seen from another shared library
    if (handlers[i].type->id == message->id) return &handlers[i];
  }
  return nullptr;
}

namespace {

/// What handles a message: the class, or a lambda of the behavior in force.
struct Invocation {
  const HandlerEntry* handler = nullptr;
  void (*call)(Behavior&, Envelope&, Turn&) = nullptr;

  explicit operator bool() const noexcept { return handler != nullptr || call != nullptr; }
};

[[gnu::always_inline]] inline Invocation find_handler(const Cell& cell,
                                                      const MessageType* message) noexcept {
  const Behavior* behavior = cell.behavior();
  if (behavior == nullptr) return {cell.own_type().find(message)};
  for (std::uint32_t i = 0; i < behavior->count; ++i) {
    if (same_type(behavior->entries[i].type, message)) return {nullptr, behavior->entries[i].call};
  }
  if (behavior->otherwise != Otherwise::receive) return {};
  return {cell.own_type().find(message)};
}

[[gnu::always_inline]] inline void call_handler(Cell& cell, CellTurn& turn,
                                                const Invocation& invocation) {
  if (invocation.handler != nullptr) [[likely]] {
    turn.is_reader = invocation.handler->is_reader;
    invocation.handler->function(cell.object(), *turn.envelope, turn);
  } else {
    const std::shared_ptr<Behavior> behavior = cell.intake()->behavior;  // it may be replaced
    invocation.call(*behavior, *turn.envelope, turn);
  }
}

/// A message on its way through the middleware to its handler.
struct Passage {
  Cell& cell;
  CellTurn& turn;
  const Invocation& invocation;
  Handling handling;
  bool has_arrived = false;
};
/// The part from one middleware on.
struct Level {
  Passage& passage;
  std::size_t at;
  bool is_used = false;

  static void go_on(void* argument) {
    auto& level = *static_cast<Level*>(argument);
    if (std::exchange(level.is_used, true)) throw UsageError("next() is called once");
    Passage& p = level.passage;
    const auto& all = p.cell.core().options().middleware;
    if (level.at == all.size()) {
      p.has_arrived = true;
      call_handler(p.cell, p.turn, p.invocation);
    } else {
      Level inner{p, level.at + 1};
      all[level.at]->around(p.handling, {&go_on, &inner});
    }
  }
};

[[gnu::noinline]] void call_through_middleware(Cell& cell, CellTurn& turn,
                                               const Invocation& invocation) {
  Envelope& e = *turn.envelope;
  Passage passage{cell,
                  turn,
                  invocation,
                  {Ref<>{cell.address()}, Ref<>{e.from}, e.type->text(), turn.asked.slot != nullptr,
                   e.type, payload(e)}};
  Level all{passage, 0};
  try {
    Level::go_on(&all);
  } catch (...) {  // a coroutine that was made and has not begun never does
    if (void* task = std::exchange(turn.task, nullptr))
      std::coroutine_handle<>::from_address(task).destroy();
    throw;
  }
  if (!passage.has_arrived && (e.flags & is_notice) == 0)
    cell.core().dead_letters().add(
        {passage.handling.sender, passage.handling.actor, e.type->text(), DropReason::turned_away});
}

[[gnu::always_inline]] inline void invoke(Cell& cell, const Worker& worker, CellTurn& turn,
                                          const Invocation& invocation) {
  if (worker.has_middleware) [[unlikely]] {
    call_through_middleware(cell, turn, invocation);
  } else {
    call_handler(cell, turn, invocation);
  }
}

/// Runs user code on an actor, and sees to what it throws. Returns the worker that holds the token
/// then. What the turn left is for finish_body.
template <class Body>
[[gnu::always_inline]] inline Worker& call_body(Cell& cell, Worker& before, CellTurn& turn,
                                                const MessageType* handled, const Body& body) {
  before.turn = &turn;
  before.handling.store(handled, std::memory_order_relaxed);  // for those who look on
  before.running.store(&cell, std::memory_order_release);     // partner: Reaper::arrest
  try {
    body();
    while (turn.at_end != nullptr && turn.task == nullptr) [[unlikely]] cell.run_turn_end(turn);
  } catch (const Cancelled&) {
    turn.cancelled = true;
  } catch (
      ...) {  // what left the handler decides: refusal, failed ask, or the end of this incarnation
    pass_gate(*Worker::current(), cell, turn);
    cell.turn_failed(turn, std::current_exception());
  }
  Worker& worker = *Worker::current();
  pass_gate(worker, cell, turn);
  worker.turn = nullptr;
  return worker;
}

void finish_body(Worker& worker, CellTurn& turn) {
  if (turn.task != nullptr) return;  // it is yet to begin, or to go on
  Counters::add(worker.counters.handled);
  if (turn.at_end != nullptr) delete std::exchange(turn.at_end, nullptr);  // the handler threw
  if (turn.port.slot != nullptr) {
    fail_reply(turn.take_port(),
               turn.cancelled ? AskErrorKind::receiver_down : AskErrorKind::no_reply,
               turn.cancelled ? "the actor was ended while it handled the request"
                              : "the handler gave no reply");
  }
}

template <class Body>
[[gnu::always_inline]] inline Worker& run_body(Cell& cell, Worker& before, CellTurn& turn,
                                               const Body& body) {
  const MessageType* const handled = turn.envelope != nullptr ? turn.envelope->type : nullptr;
  Worker& worker = call_body(cell, before, turn, handled, body);
  finish_body(worker, turn);
  return worker;
}

}  // namespace

/// One message after the other, as long as there is nothing else to see to. The last counts as
/// `took_one`; those before are off the budget already.
/// `turn` is of all those that leave it as it was.
inline Cell::Next Cell::take_messages(Worker*& worker, CellTurn& turn, std::uint32_t& budget,
                                      bool is_plain) {
  for (;; is_plain = true) {
    MailLink* done = nullptr;
    switch (Mailbox::pop(in, out, done)) {
      [[likely]] case Mailbox::Pop::message : break;
      case Mailbox::Pop::empty: return is_plain ? sleep_plainly() : sleep();
      case Mailbox::Pop::half_pushed: yield(); return Next::left;
    }
    Envelope* const e = accept(done);
    const HandlerEntry* const handler = is_plain ? plain_handler(*e, *worker) : nullptr;
    if (handler == nullptr) [[unlikely]] {
      e->flags |= is_dummy;
      worker = &deliver(e, *worker);
    } else {
      turn.envelope = e;
      const bool is_asked = (e->flags & is_request) != 0;
      if (is_asked) turn.port = turn.asked = take_port(e);
      turn.is_reader = handler->is_reader;
      turn.is_given_away = false;
      e->flags |= is_dummy | is_busy;
      worker =
          &call_body(*this, *worker, turn, e->type, [&] { handler->function(object(), *e, turn); });
      if (turn.is_plain() && takes_mail_plainly()) [[likely]] {
        Counters::add(worker->counters.handled);
        if (is_asked) turn.asked = {};
        end_message(e);
      } else {
        finish_body(*worker, turn);
        end_turn(turn);
        worker = Worker::current();  // a coroutine may have waited as a fiber does
        ::new (&turn) CellTurn;      // g++ 12 makes a slow string instruction of `= {}`
      }
    }
    if (Mailbox::has_commands(out) || !is(Phase::running) || !takes_mail_plainly() || budget == 1)
        [[unlikely]]
      return Next::took_one;
    --budget;
  }
}

/// The handler of a message that needs nothing else: no trace, no middleware; and of a request, for
/// which somebody still waits. The actor takes its mail plainly.
[[gnu::always_inline]] inline const HandlerEntry* Cell::plain_handler(
    const Envelope& e, const Worker& worker) const noexcept {
  if ((e.flags & (is_timer_tick | is_notice)) != 0 || e.has_trace || worker.has_middleware ||
      e.to_generation != own_generation()) [[unlikely]]
    return nullptr;
  if ((e.flags & is_request) != 0) {
    const RequestPort& port = static_cast<const RequestEnvelope&>(e).port;
    if (port.slot == nullptr || port.slot->state(port.generation) != SlotState::pending)
      return nullptr;
  }
  const ActorType& t = own_type();
  return t.handlers->type == e.type ? t.handlers : t.find(e.type);  // its table is never empty
}

Worker& Cell::handle_message(Envelope* e, Worker& worker) {
  const RequestPort port = take_port(e);
  if (port.slot != nullptr && port.slot->state(port.generation) != SlotState::pending &&
      !mutant("expired_request_is_handled")) {
    core().dead_letters().add(
        {Ref<>{e->from}, Ref<>{address()}, e->type->text(), DropReason::expired});
    end_message(e);
    return worker;
  }
  Invocation invocation = find_handler(*this, e->type);
  if (!invocation) {
    if (Behavior* own = behavior()) {
      own->not_handled();
      if (own->otherwise == Otherwise::stash) {
        stash_unhandled(e, port);
        return worker;
      }
    }
    if (port.slot != nullptr)
      fail_reply(port, AskErrorKind::wrong_protocol, "the actor has no handler for this message");
    core().dead_letters().add(
        {Ref<>{e->from}, Ref<>{address()}, e->type->text(), DropReason::unhandled});
    tick_done(e);
    end_message(e);
    return worker;
  }
  CellTurn turn;
  turn.envelope = e;
  turn.port = turn.asked = port;
  e->flags |= is_busy;
  if (e->has_trace) [[unlikely]]
    turn.span = begin_span(*e, worker);
  Worker& after = run_body(*this, worker, turn, [&] { invoke(*this, worker, turn, invocation); });
  if (turn.task == nullptr && extension == nullptr && turn.span == nullptr) [[likely]] {
    end_message(e);
    return after;
  }
  end_turn(turn);
  return *Worker::current();  // a coroutine may have waited as a fiber does
}

/// The handler has returned; where it is a coroutine that has not ended, its message stays.
[[gnu::noinline]] void Cell::end_turn(CellTurn& turn) {
  if (turn.task != nullptr) {
    run_task(*new TaskTurn(turn, intake() != nullptr ? intake()->behavior : nullptr));
    return;
  }
  if (turn.span != nullptr) end_span(turn.span, *this, *turn.envelope->type);
  tick_done(turn.envelope);
  const bool influences = turn.envelope->type->influences_receive_timeout;
  if (!turn.envelope_is_kept) end_message(turn.envelope);
  Intake* const i = intake();
  if ((influences || mutant("any_message_influences")) && i != nullptr &&
      i->receive_timer != nullptr)
    i->last_influence = core().now();
}

/// What the user sees of a command.
void Cell::handle_notice(Envelope* e) {
  if (same_type(e->type, &message_type<Poison>)) {
    end_message(e);
    StopCommand stop;
    stop.why = ExitReason::shutdown();
    stop.own_limit = true;
    request_stop(stop);
    return;
  }
  if (is_called_off(*e) || same_type(e->type, &message_type<MailMark>)) {
    end_message(e);
    return;
  }
  const bool is_death_pact =
      same_type(e->type, &message_type<Terminated>) && !mutant("death_pact_is_forgotten");
  Invocation invocation = find_handler(*this, e->type);
  if (!invocation) invocation = {own_type().find(e->type)};  // signals are never left out
  if (invocation) {
    CellTurn turn;
    turn.envelope = e;
    e->flags |= is_busy;
    Worker& worker = *Worker::current();
    run_body(*this, worker, turn, [&] { invoke(*this, worker, turn, invocation); });
    end_turn(turn);
    return;
  }
  if (is_death_pact) {
    const std::string who = payload_as<Terminated>(*e).who.to_string();
    fail(ExitReason::failure(
             "death pact: " + who +
             " ended, and this actor, which watched it, has no handler for Terminated"),
         false);
  }
  end_message(e);
}

/// What was to follow the handler.
void Cell::run_turn_end(CellTurn& turn) {
  const std::unique_ptr<TurnEnd> end(std::exchange(turn.at_end, nullptr));
  end->run(*this);
}

void Cell::run_turn(Worker& before, CellTurn& turn, void (*body)(Cell&, CellTurn&)) {
  run_body(*this, before, turn, [&] { body(*this, turn); });
}

void Cell::append_notice(Envelope* e) {
  e->to_generation = own_generation();             // the owner's own write
  pushed.fetch_add(1, std::memory_order_relaxed);  // a figure for reports
  if (lane() != nullptr) {
    lane()->append(e);
    return;
  }
  Mailbox::push(in, e);  // the token is ours: nobody else can take it
}

}  // namespace troupe::detail
