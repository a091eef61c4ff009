#include "reaper.hpp"

#include <linux/membarrier.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <algorithm>
#include <utility>

#include <troupe/runtime/detail/mutant.hpp>

#include "system_core.hpp"

namespace troupe::detail {

namespace {

constexpr std::uint32_t generation_max = has_locked_lane - 1;
constexpr Duration shortest_look = std::chrono::milliseconds(1);

bool membarrier(int command) noexcept {
  return syscall(SYS_membarrier, command, 0, 0) == 0;
}

/// How long a stop lets this actor go on; none: for ever.
std::optional<Duration> limit_of(const StopCommand& stop, const CellExtension* e,
                                 const SystemOptions& options) {
  if (!stop.own_limit) return stop.limit == no_timeout ? std::nullopt : stop.limit;
  const Oversight* const oversight = e != nullptr ? e->oversight.seen_by_reaper() : nullptr;
  const auto own = oversight != nullptr ? oversight->stop_limit : std::nullopt;
  const Duration limit = own.value_or(options.stop_timeout);
  return limit == no_timeout ? std::nullopt : std::optional(limit);
}

bool was_abandoned(const Cell& cell) noexcept {
  const CellExtension* const e = cell.extension.seen_by_reaper();
  const Oversight* const o = e != nullptr ? e->oversight.seen_by_reaper() : nullptr;
  return o != nullptr && o->abandoned_life != 0 && !mutant("abandoned_twice");
}

/// What the handler that is stuck may still need when it goes on.
bool is_for_the_handler(CommandKind kind) noexcept {
  switch (kind) {
    case CommandKind::answered:
    case CommandKind::timer:
    case CommandKind::child_gone:
    case CommandKind::child_abandoned:
    case CommandKind::child_ended:
    case CommandKind::child_started:
    case CommandKind::child_rebuilt:
    case CommandKind::watch_fired:
    case CommandKind::incarnation: return true;
    default: return false;
  }
}

}  // namespace

Reaper::Reaper(SystemCore& core)
    : core_(core),
      grace_(core.options().kill_grace),
      can_fence_(membarrier(MEMBARRIER_CMD_REGISTER_PRIVATE_EXPEDITED)) {}

std::optional<TimePoint> Reaper::look(TimePoint now, bool busy) {
  if (!busy || !can_fence_ || grace_ <= Duration::zero()) return std::nullopt;
  if (now < next_look_) return next_look_;
  next_look_ = deadline_after(now, std::max(grace_ / 4, shortest_look));
  const std::unique_lock lock(lock_, std::try_to_lock);
  if (!lock.owns_lock()) return next_look_;
  bool is_wanted = false;
  for (Worker* worker = core_.workers_seen(); worker != nullptr; worker = worker->next_worker) {
    Stay& stay = stays_[worker];
    // Relaxed: values that don't fit together only put off what happens to the next look.
    auto* cell = const_cast<Cell*>(worker->running.load(std::memory_order_relaxed));
    const std::uint64_t handled = worker->counters.handled.load(std::memory_order_relaxed);
    const bool is_same = cell != nullptr && cell == stay.cell && handled == stay.handled;
    if (!is_same && !stay.abandoned) {
      stay = {};
      stay.cell = cell;
      stay.handled = handled;
      stay.since = now;
    } else if (is_suspicious(stay)) {
      is_wanted = true;
    }
  }
  if (is_wanted && !is_queued_.exchange(true)) core_.executor().submit(*this);
  return next_look_;
}

bool Reaper::is_suspicious(const Stay& stay) noexcept {
  return stay.cell != nullptr &&
         (stay.abandoned || Mailbox::has_commands(stay.cell->out) ||
          stay.cell->phase.load(std::memory_order_relaxed) == Phase::ending);  // a look
}

void Reaper::run(Worker& worker) {
  is_queued_.store(false);
  const std::lock_guard guard(lock_);
  for (auto& [other, stay] : stays_) {
    if (other == &worker || !is_suspicious(stay) || !arrest(*other, stay)) continue;
    look_at(*other, stay, core_.now());
    if (!stay.abandoned) other->is_arrested.store(false, std::memory_order_release);  // the gate
  }
}

/// True: the worker is in user code of that cell, and does not get past the gate.
bool Reaper::arrest(Worker& worker, const Stay& stay) {
  worker.is_arrested.store(true, std::memory_order_seq_cst);
  membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED);  // pair: pass_gate
  // Acquire: what the loop wrote before it went into user code (partner: run_body, wait_in_frame).
  const bool is_in = worker.running.load(std::memory_order_acquire) == stay.cell &&
                     worker.counters.handled.load(std::memory_order_relaxed) == stay.handled;
  if (!is_in && !stay.abandoned) worker.is_arrested.store(false, std::memory_order_release);
  return is_in;
}

void Reaper::look_at(Worker& worker, Stay& stay, TimePoint now) {
  Cell& cell = *stay.cell;
  if (stay.abandoned) {
    bounce_commands(cell, ExitReason::no_actor());
    bounce_mail(cell, *stay.abandoned);
    return;
  }
  if (was_abandoned(cell)) return;  // what it does on its way out is nobody's business any more
  find_kill(stay, now);
  // One more life has to be left in the cell than this takes.
  if (now >= stay.abandon_at && cell.next_generation() < generation_max) abandon(worker, stay, now);
}

/// When an actor that is to be killed has had its time.
void Reaper::find_kill(Stay& stay, TimePoint now) const {
  Cell& cell = *stay.cell;
  const CellExtension* e = cell.extension.seen_by_reaper();
  const auto killed_after = [&](Duration limit, bool asked) {
    const TimePoint at = deadline_after(deadline_after(now, limit), grace_);
    if (at >= stay.abandon_at) return;
    stay.abandon_at = at;
    stay.asked = asked;
  };
  const bool is_ending =
      cell.phase.load(std::memory_order_acquire) == Phase::ending;  // partner: Cell::set
  if (is_ending && e != nullptr && (e->stop_reason == StopReason::kill || e->out_of_time))
    killed_after(Duration::zero(), e->ended_by_request);
  Command* const all = Mailbox::take_commands(cell.out);
  for (const Command* c = all; c != nullptr; c = c->next) {
    if (c->to_generation != cell.own_generation()) continue;
    switch (c->kind) {
      case CommandKind::kill: killed_after(Duration::zero(), true); break;
      case CommandKind::stop: {
        const auto limit = limit_of(static_cast<const StopCommand&>(*c), e, core_.options());
        if (limit) killed_after(*limit, true);
        break;
      }
      case CommandKind::exit_signal: {
        const auto& signal = static_cast<const LinkRecord&>(*c);
        if (!signal.by_link && signal.why.kind() == ExitReason::Kind::killed)
          killed_after(Duration::zero(), false);
        break;
      }
      case CommandKind::timer:
        if (static_cast<const TimerRecord&>(*c).purpose == TimerPurpose::stop_deadline)
          killed_after(Duration::zero(), true);
        break;
      default: break;
    }
  }
  Mailbox::put_back(cell.out, all);
}

void Reaper::abandon(Worker& worker, Stay& stay, TimePoint now) {
  Cell& cell = *stay.cell;
  const Address self = cell.address();
  const auto* turn = static_cast<const CellTurn*>(worker.turn);
  Abandoned& a = stay.abandoned.emplace();
  a.actor = self;
  a.message_type = turn->name();
  a.had_started = cell.is(Phase::running);
  core_.count_abandoned();
  worker.has_abandoned.store(&cell, std::memory_order_seq_cst);
  membarrier(MEMBARRIER_CMD_PRIVATE_EXPEDITED);  // from here on its sends see it
  a.handled = turn->envelope;
  {
    const std::lock_guard guard(names_lock_);
    abandoned_.emplace(&cell, a.message_type);
  }
  Counters::add(Worker::current()->counters.abandoned);
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(now - stay.since).count();
  core_.log(LogLevel::error, print(self),
            "abandoned: it was killed, and its handler of " + a.message_type +
                " has not returned for " + std::to_string(ms) +
                " ms; its thread is lost to others until it does");
  core_.observe([&](Observer& o) { o.abandoned(Ref<>{self}, a.message_type); });
  if (cell.is_named != 0)  // before anybody hears of it
    core_.names().free_from(core_.names().path_of(cell.serial), cell.serial);
  bounce_mail(cell, a);
  cell.generation.store(cell.next_generation(), std::memory_order_seq_cst);
  cell.set(Phase::ending);
  const ExitReason why = ExitReason::killed("its handler did not return: it was abandoned");
  bounce_commands(cell, why);
  bounce_mail(cell, a);  // what was under way
  const RequestPort asked = turn->asked;
  const Address callee = asked.slot != nullptr ? asked.slot->callee_address() : Address{};
  if (callee.cell == &cell)  // else it was forwarded
    fail_reply(asked, AskErrorKind::receiver_down, "the actor was killed while it handled this");
  tell_others(cell, self, why, stay.asked);
  stop_children(cell);
}

/// In the order of an actor's end (S45a), as far as others see it.
void Reaper::tell_others(Cell& cell, const Address& self, const ExitReason& why, bool asked) {
  if (CellExtension* e = cell.extension.seen_by_reaper()) {
    if (Oversight* oversight = e->oversight.seen_by_reaper();
        oversight != nullptr && oversight->started.slot != nullptr)
      fail_reply(std::exchange(oversight->started, {}), AskErrorKind::receiver_down, why.text());
    cell.tell_watchers(why);
    Links links;
    {
      const std::lock_guard guard(links_lock(cell));
      if (Relations* relations = e->relations.seen_by_reaper()) links.swap(relations->links);
    }
    Cell::send_exit_signals(links, self, why);
    cell.release_slowed_senders(~std::uint32_t{0});
    cell.answer_stop_waiters();
    core_.guardian_ended(cell, print(self), why, !asked);
  }
  Cell* const boss = cell.parent.load(std::memory_order_relaxed);  // set at spawn
  if (boss == nullptr) return;
  auto* gone = new ChildCommand;
  gone->kind = CommandKind::child_abandoned;
  gone->to_generation =
      boss->generation.load(std::memory_order_relaxed);  // changes under this lock at most
  gone->child = self;
  gone->why = why;
  send_command(*boss, gone);
}

/// Its handler may be spawning: so they are found from their own side.
void Reaper::stop_children(const Cell& cell) {
  core_.for_each_cell([&](Cell& child) {
    // A look from outside decides nothing: the generation is checked where the command arrives.
    if (child.phase.load(std::memory_order_acquire) == Phase::free ||
        child.parent.load(std::memory_order_relaxed) != &cell) {
      return;
    }
    auto* stop = new StopCommand;
    stop->kind = CommandKind::stop;
    stop->to_generation = child.generation.load(std::memory_order_relaxed);  // as above
    stop->why = ExitReason::shutdown("its parent ended");
    stop->own_limit = true;
    stop->for_good = true;
    send_command(child, stop);
  });
}

void Reaper::bounce_mail(Cell& cell, Abandoned& a) {
  const auto bounce = [&](Envelope* e) {
    if ((e->flags & is_timer_tick) != 0) {
      e->flags |= is_busy;  // nobody frees it
      a.ticks.push_back(e);
    } else {
      cell.bounce(e, DropReason::ended);
    }
  };
  MailLink* done = nullptr;
  while (Mailbox::pop(cell.in, cell.out, done) == Mailbox::Pop::message) {
    if (done != nullptr && done != a.handled) cell.finish(static_cast<Envelope*>(done));
    if (done == a.handled && done != nullptr) a.was_first = true;
    auto* e = static_cast<Envelope*>(cell.out.head);
    e->flags |= is_dummy;
    cell.taken.fetch_add(1, std::memory_order_relaxed);  // a figure for reports
    bounce(e);
  }
  const CellExtension* e = cell.extension.seen_by_reaper();
  const Intake* const intake = e != nullptr ? e->intake.seen_by_reaper() : nullptr;
  if (intake == nullptr || intake->lane == nullptr) return;
  core_.locked_lanes().remove(cell.serial);
  for (const auto& left : intake->lane->close()) {
    bounce(left.envelope);
    if (left.waiter.slot != nullptr) {
      fail_reply(left.waiter, AskErrorKind::receiver_down, "the actor has ended");
    } else {
      cell.taken.fetch_add(1, std::memory_order_relaxed);  // a figure for reports
    }
  }
}

void Reaper::bounce_commands(Cell& cell, const ExitReason& why) {
  Command* kept = nullptr;
  Command** last = &kept;
  Command* next = nullptr;
  for (Command* c = Mailbox::take_commands(cell.out); c != nullptr; c = next) {
    next = c->next;
    if (is_for_the_handler(c->kind)) {
      *last = c;
      last = &c->next;
    } else {
      cell.bounce_command(c, why);
    }
  }
  *last = nullptr;
  Mailbox::put_back(cell.out, kept);
}

void Reaper::wait_at_gate(Worker& worker, Cell& cell, CellTurn& turn) {
  Abandoned a;
  {
    const std::lock_guard guard(lock_);
    Stay& stay = stays_[&worker];
    if (!stay.abandoned) return;  // it was let go
    a = std::move(*stay.abandoned);
    stay = {};
    worker.has_abandoned.store(nullptr, std::memory_order_seq_cst);
    worker.is_arrested.store(false, std::memory_order_seq_cst);
    const std::lock_guard names_guard(names_lock_);
    abandoned_.erase(&cell);
  }
  CellExtension& e = cell.ext();
  made(e.oversight).abandoned_life = a.actor.generation;
  e.hold = false;
  e.guardian = Guardian::no;  // it was seen to
  if (a.had_started) e.on_start_ran = true;
  if (a.was_first) a.handled->flags &= static_cast<std::uint8_t>(~is_dummy);
  for (Envelope* tick : a.ticks) {
    tick->flags &= static_cast<std::uint8_t>(~is_busy);
    cell.bounce(tick, DropReason::ended);
  }
  turn.cancelled = true;
  cell.begin_end(ExitReason::killed("its handler returned after it was abandoned"),
                 StopReason::kill, After::terminate);
}

std::map<const Cell*, std::string> Reaper::abandoned() const {
  const std::lock_guard guard(names_lock_);
  return abandoned_;
}

void wait_at_gate(Worker& worker, Cell& cell, CellTurn& turn) {
  worker.core.reaper().wait_at_gate(worker, cell, turn);
}

}  // namespace troupe::detail
