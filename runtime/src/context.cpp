// What an actor can do: the functions behind ActorBase, and the verdicts of children.hpp.
#include <new>
#include <utility>

#include <troupe/runtime/actor.hpp>
#include <troupe/runtime/blocking.hpp>

#include "cell.hpp"
#include "reaper.hpp"
#include "system_core.hpp"

namespace troupe::detail {

Cell& context(const ActorBase& actor) {
  if (actor.cell_ == nullptr) {
    throw UsageError(
        "the context (self, spawn, timers, ...) may be used from on_start on, not in the "
        "constructor");
  }
  return *actor.cell_;
}

Address address_of(const Cell& self) noexcept {
  return const_cast<Cell&>(self).address();
}
TimePoint now_of(const Cell& self) {
  return self.core().now();
}
std::optional<Address> child_address(const Cell& self, std::string_view name) {
  return self.core().names().find(print(address_of(self)) + "/" + std::string(name));
}

// ---- ending others and oneself

namespace {

/// Calls f(core) if the actor may be alive.
template <class F>
void if_alive(const Address& actor, F f) {
  if (actor.cell == nullptr) return;
  SystemGate* gate =
      actor.cell->gate.load(std::memory_order_acquire);  // partner: the store at spawn
  SystemCore* core = gate != nullptr ? gate->enter() : nullptr;
  if (core == nullptr) return;
  f(*core);
  gate->leave();
}

}  // namespace

void stop_actor(const Address& actor, const ExitReason& why) {
  if_alive(actor, [&](SystemCore&) {
    auto* stop = new_command<StopCommand>(CommandKind::stop, actor);
    stop->why = why;
    stop->own_limit = true;
    send_command(*actor.cell, stop);
  });
}

void kill_actor(const Address& actor) {
  if_alive(actor, [&](SystemCore&) {
    send_command(*actor.cell, new_command<Command>(CommandKind::kill, actor));
  });
}

Sent poison_actor(const Address& actor) {
  return send(actor, make_notice(Poison{}));
}

void stop_self(Cell& self, ExitReason why) {
  CellExtension& e = self.ext();
  if (self.is(Phase::failing) || self.is(Phase::held)) {  // its parent decides first
    self.end_when_resumed(why);
    return;
  }
  if (!self.is(Phase::running) && !self.is(Phase::starting)) return;
  e.why = std::move(why);
  e.after = e.hold ? After::hold : After::terminate;
  e.stop_pending = true;  // ends when this handler, and others that wait, are done
  e.ended_by_request = false;
}

Ask<void> stop_and_wait(const Address& actor, Duration deadline) {
  const RequestPort port = open_slot(actor, no_timeout, reply_destroyer<void>());
  bool is_sent = false;
  if_alive(actor, [&](SystemCore&) {
    auto* stop = new_command<StopCommand>(CommandKind::stop, actor);
    stop->why = ExitReason::shutdown();
    stop->limit = deadline;
    stop->waiter = port;
    send_command(*actor.cell, stop);
    is_sent = true;
  });
  if (!is_sent) answer_done(port);  // it has ended long ago
  return Ask<void>{port};
}

// ---- watches, monitors, links

namespace {

/// An actor of this System, or of a node that it is connected with.
bool is_in_reach(const SystemCore& core, const Address& actor) noexcept {
  const SystemGate* gate = actor.cell != nullptr ? actor.cell->gate.load(std::memory_order_acquire)
                                                 : nullptr;  // partner: the store at spawn
  return gate != nullptr && gate->core.load(std::memory_order_relaxed) == &core;  // it does not end
}

std::uint64_t next_token(Cell& self) {
  return (std::uint64_t{self.serial} << 32) | ++self.ext().tokens;
}

MonitorToken add_watch(Cell& self, const Address& target, bool is_monitor, bool incarnations) {
  const std::uint64_t token = next_token(self);
  auto* record = new_command<WatchRecord>(CommandKind::watch, target);
  record->watcher = self.address();
  record->target = target;
  record->token = token;
  record->is_monitor = is_monitor;
  record->incarnations = incarnations;
  made(self.ext().relations).watched.emplace(token, Watched{target, record, is_monitor, false});
  if (is_in_reach(self.core(), target)) {
    send_command(*target.cell, record);
  } else {  // nobody, or an actor of another System: as good as ended
    record->kind = CommandKind::watch_fired;
    record->to_generation = record->watcher.generation;
    record->why = ExitReason::no_actor();
    send_command(self, record);
  }
  return {token};
}

void end_watch(Cell& self, std::unordered_map<std::uint64_t, Watched>::iterator watched) {
  if (WatchRecord* record = watched->second.record) {
    const Address& target = watched->second.target;
    if (is_in_reach(self.core(), target)) {
      auto* unwatch = new_command<UnwatchCommand>(CommandKind::unwatch, target);
      unwatch->record = record;
      unwatch->token = watched->first;
      send_command(*target.cell, unwatch);
    }
  }
  self.extension->relations->watched.erase(watched);
}

}  // namespace

void watch_actor(Cell& self, const Address& target) {
  for (const auto& [token, watched] : made(self.ext().relations).watched) {
    if (!watched.is_monitor && !watched.notified && Ref<>{watched.target} == Ref<>{target}) return;
  }
  add_watch(self, target, false, false);
}

void unwatch_actor(Cell& self, const Address& target) {
  auto& watched = made(self.ext().relations).watched;
  for (auto it = watched.begin(); it != watched.end();) {
    const auto at = it++;
    if (!at->second.is_monitor && Ref<>{at->second.target} == Ref<>{target}) end_watch(self, at);
  }
}

MonitorToken monitor_actor(Cell& self, const Address& target, bool incarnations) {
  return add_watch(self, target, true, incarnations);
}

void demonitor_actor(Cell& self, MonitorToken token) {
  auto& watched = made(self.ext().relations).watched;
  const auto found = watched.find(token.value);
  if (found != watched.end()) end_watch(self, found);
}

void link_actor(Cell& self, const Address& target) {
  if (target.cell == &self && target.generation == self.address().generation) return;
  if (!is_in_reach(self.core(), target)) {
    auto* signal = new_command<LinkRecord>(CommandKind::exit_signal, self.address());
    signal->from = target;
    signal->why = ExitReason::no_actor();
    signal->by_link = false;
    send_command(self, signal);
    return;
  }
  auto* command = new_command<LinkCommand>(CommandKind::link, target);
  command->from = self.address();
  command->id = next_token(self);
  {
    const std::lock_guard guard(self.core().reaper().links_lock(self));
    Links& links = made(self.ext().relations).links;
    const auto known = links.find(Life(target));
    const bool is_linked = known != links.end() && known->second.my_id != 0;
    if (is_linked || is_abandoned(&self, Worker::current())) {
      delete command;
      return;
    }
    Link& link = links[Life(target)];
    link.peer = target;
    link.my_id = command->id;
    if (link.record == nullptr) link.record = new LinkRecord;
  }
  send_command(*target.cell, command);
}

void unlink_actor(Cell& self, const Address& target) {
  LinkCommand* command = nullptr;
  {
    const std::lock_guard guard(self.core().reaper().links_lock(self));
    Links& links = made(self.ext().relations).links;
    const auto found = links.find(Life(target));
    if (found == links.end()) return;
    command = new_command<LinkCommand>(CommandKind::unlink, target);
    command->from = self.address();
    command->id = found->second.my_id;
    command->other_id = found->second.their_id;
    delete found->second.record;
    links.erase(found);
  }
  send_command(*target.cell, command);
}

void exit_actor(Cell& self, const Address& target, ExitReason why) {
  if_alive(target, [&](SystemCore&) {
    auto* signal = new_command<LinkRecord>(CommandKind::exit_signal, target);
    signal->from = self.address();
    signal->why = std::move(why);
    signal->by_link = false;
    send_command(*target.cell, signal);
  });
}

// ---- timers

void start_actor_timer(Cell& self, const TimerKey& key, Duration delay, Envelope* tick,
                       const Repeat& repeat) {
  EnvelopeGuard<Envelope> guard{tick};
  if (repeat.copy != nullptr && delay <= Duration::zero()) {
    throw UsageError("a repeating timer needs a period greater than zero");
  }
  cancel_actor_timer(self, key);
  auto* timer = new TimerRecord;
  timer->purpose = TimerPurpose::tick;
  timer->key = key;
  timer->period = repeat.copy != nullptr ? delay : Duration::zero();
  timer->copy = repeat.copy;
  timer->after_completion = repeat.after_completion;
  timer->token = ++self.ext().tokens;
  timer->message = guard.release();
  timer->following_timer = self.ext().timers;
  self.ext().timers = timer;
  if (delay <= Duration::zero()) {  // behind what is in the mailbox, before what comes (S37)
    self.handle_timer(*timer);
  } else {
    arm_cell_timer(self, *timer, deadline_after(self.core().now(), delay));
  }
}

bool cancel_actor_timer(Cell& self, const TimerKey& key) {
  for (TimerRecord* timer = self.ext().timers; timer != nullptr; timer = timer->following_timer) {
    if (timer->purpose != TimerPurpose::tick || !(timer->key == key)) continue;
    drop_timer(self, timer);
    return true;
  }
  return false;
}

std::uint32_t missed_ticks(Cell& self) {
  const Worker* worker = Worker::current();  // none: in the call of a blocking()
  const Turn* turn = worker != nullptr && worker->cell == &self ? worker->turn : nullptr;
  if (turn == nullptr || turn->envelope == nullptr) return 0;
  const TimerRecord* timer = self.timer_of(*turn->envelope);
  return timer != nullptr ? timer->missed_before : 0;
}

// ---- requests

RequestPort take_request(Cell&) {
  Turn* turn = Worker::current()->turn;
  if (turn == nullptr) throw UsageError("forward is for the handler of a request");
  return turn->take_port();
}

void forward_request(const RequestPort& port, const Address& to, RequestEnvelope* e) {
  e->port = port;
  waits_for(port, to);
  send(to, e);
}

CurrentRequest current_request(Cell& self) {
  Turn* turn = Worker::current()->turn;
  if (turn == nullptr || turn->envelope == nullptr) return {Ref<>{}, TimePoint::max(), {}};
  TimePoint deadline = TimePoint::max();
  if (const AskSlot* slot = turn->asked.slot; slot != nullptr) {
    const TimePoint of_slot{
        Duration{slot->deadline.load(std::memory_order_relaxed)}};  // published by the request
    // The slot is another ask's once this one is over: its deadline counts if it is open still.
    deadline = slot->is_over(turn->asked.generation) ? now_of(self) : of_slot;
  }
  return {Ref<>{turn->envelope->from}, deadline, turn->asked};
}

void on_answer(Cell& self, const RequestPort& ask, const MessageType& message, void* function,
               void (*run)(void*, const RequestPort&, Cell&), void (*drop)(void*)) {
  AskSlot& slot = *ask.slot;
  TROUPE_CHECK(slot.asked_by() == &self, "pipe_to_self takes an ask of this actor");
  slot.callback = {&message, function, run, drop};
  if (slot.is_over(ask.generation) && !slot.command_expected) slot_completed(slot, self);
}

// ---- blocking

namespace {
struct BlockingCall : BlockingJob {
  void* call;
  void (*function)(void*);
  RequestPort done;
};
}  // namespace

namespace {

RequestPort open_lent_wait(Cell& self) {
  const RequestPort port = open_slot({}, no_timeout, reply_destroyer<void>());
  port.slot->asked.store(&message_type<LentWait>, std::memory_order_relaxed);  // both for a look
  port.slot->begun.store(self.core().now().time_since_epoch().count(), std::memory_order_relaxed);
  return port;
}

/// Waits for what `start` begins, and which uses memory of the waiting handler.
void lend(Cell& self, std::stop_source* stop, const std::function<void(RequestPort)>& start) {
  if (is_abandoned(&self, Worker::current())) throw Cancelled{};
  const RequestPort port = open_lent_wait(self);
  const Ask<void> done{port};
  Worker::current()->reserve_carrier();  // so that waiting can't fail once it is under way
  start(port);
  self.wait_in_turn(*Worker::current(), port, true, stop);
  if (static_cast<CellTurn*>(Worker::current()->turn)->cancelled) throw Cancelled{};
}

void submit_call(BlockingCall& job, const RequestPort& done) {
  job.done = done;
  job.run = [](BlockingJob& base) {
    auto& b = static_cast<BlockingCall&>(base);
    const RequestPort port = b.done;
    b.function(b.call);
    answer_done(port);
  };
  Worker::current()->core.executor().submit_blocking(job);
}

}  // namespace

void run_blocking(void* call, void (*run)(void*), std::stop_source* stop) {
  Worker* worker = Worker::current();
  if (worker == nullptr || worker->cell == nullptr || worker->turn == nullptr) {
    run(call);  // a thread of the user's, which may block
    return;
  }
  if (worker->may_not_wait) throw UsageError(why_not_wait);
  BlockingCall job;
  job.call = call;
  job.function = run;
  lend(*worker->cell, stop, [&job](RequestPort done) { submit_call(job, done); });
}

static_assert(sizeof(BlockingCall) <= sizeof(BlockingMemory));

RequestPort begin_blocking(BlockingMemory& memory, void* call, void (*run)(void*)) {
  check_task();
  const RequestPort done = open_lent_wait(*Worker::current()->cell);
  auto& job = *::new (memory.job) BlockingCall;
  job.call = call;
  job.function = run;
  try {
    submit_call(job, done);
  } catch (...) {  // no thread to be had: nobody is going to answer it
    release_slot(done);
    throw;
  }
  return done;
}

void wait_external(std::stop_source& stop, const std::function<void(RequestPort)>& start) {
  Worker* worker = Worker::current();
  if (worker == nullptr || worker->cell == nullptr || worker->turn == nullptr)
    throw UsageError("this waits in an actor's handler; here it would block the thread");
  if (worker->may_not_wait) throw UsageError(why_not_wait);
  if (static_cast<CellTurn*>(worker->turn)->cancelled) throw Cancelled{};  // S139
  lend(*worker->cell, &stop, start);
}

bool with_system_of(const Address& actor, const std::function<void(SystemCore&)>& f) {
  SystemGate* gate = actor.cell != nullptr ? actor.cell->gate.load(std::memory_order_acquire)
                                           : nullptr;  // partner: the store at spawn
  SystemCore* core = gate != nullptr ? gate->enter() : nullptr;
  if (core == nullptr) return false;
  struct Leave {
    SystemGate* gate;
    ~Leave() { gate->leave(); }
  } leave{gate};
  f(*core);
  return true;
}

}  // namespace troupe::detail

namespace troupe {

// ---- the log of an actor

namespace {
void write_log(detail::Cell& cell, LogLevel level, std::string_view text) {
  const detail::Worker* worker = detail::Worker::current();
  // An actor that lives logs: its gate is set, open, and stays so.
  detail::SystemCore& core =
      worker != nullptr
          ? worker->core
          : *cell.gate.load(std::memory_order_relaxed)->core.load(std::memory_order_relaxed);
  core.log(level, detail::print(detail::address_of(cell)), text);
}
}  // namespace

void ActorLog::debug(std::string_view text) const {
  write_log(*cell_, LogLevel::debug, text);
}
void ActorLog::info(std::string_view text) const {
  write_log(*cell_, LogLevel::info, text);
}
void ActorLog::warning(std::string_view text) const {
  write_log(*cell_, LogLevel::warning, text);
}
void ActorLog::error(std::string_view text) const {
  write_log(*cell_, LogLevel::error, text);
}

}  // namespace troupe
