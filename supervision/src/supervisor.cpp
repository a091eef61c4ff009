#include <troupe/supervision/supervisor.hpp>

#include <utility>

#include <troupe/runtime/detail/mutant.hpp>

namespace troupe::detail {

namespace {

// Of a control timer's token.
constexpr std::uint64_t start_timer_bit = std::uint64_t{1} << 63;
constexpr std::uint64_t abandoned_bit = std::uint64_t{1} << 62;

ChildType type_of(const ChildSpec& spec, const Maker& maker) {
  return spec.type.value_or(maker.type().child_observer != nullptr ? ChildType::supervisor
                                                                   : ChildType::worker);
}

std::optional<Duration> limit_of(const SupervisedChild& child) {
  if (child.maker == nullptr) return child.spec.shutdown->limit();  // a temporary child: see below
  const Shutdown standard = type_of(child.spec, *child.maker) == ChildType::supervisor
                                ? Shutdown::infinity()
                                : Shutdown{std::chrono::seconds(5)};
  return child.spec.shutdown.value_or(standard).limit();
}

std::string seconds(Duration d) {
  return std::to_string(std::chrono::duration_cast<std::chrono::milliseconds>(d).count()) + " ms";
}

}  // namespace

SupervisorBase::SupervisorBase(SupervisorOptions options)
    : options_(std::move(options)), window_(options_.restarts_max, options_.within) {
  if (options_.within <= Duration::zero())
    throw UsageError("SupervisorOptions::within must be greater than zero");
  if (options_.strategy > Strategy::dynamic)
    throw UsageError("SupervisorOptions::strategy is none of the strategies");
}

// ---- starting

std::optional<ChildRefused> SupervisorBase::why_refused(const ChildSpec& spec) const {
  const auto bad = [&](const std::string& what) {
    return ChildRefused(ChildProblem::bad_spec, "child \"" + spec.id + "\": " + what);
  };
  if (spec.id.empty() && options_.strategy != Strategy::dynamic) return bad("a child needs an id");
  if (spec.restart > Restart::temporary)
    return bad("restart is none of permanent, transient, temporary");
  if (spec.type && *spec.type > ChildType::supervisor)
    return bad("type is neither worker nor supervisor");
  if (spec.shutdown && spec.shutdown->limit() && *spec.shutdown->limit() < Duration::zero()) {
    return bad("shutdown must not be negative");
  }
  if (spec.significant && options_.auto_shutdown == AutoShutdown::never) {
    return bad("a significant child needs a supervisor with auto_shutdown");
  }
  if (spec.significant && spec.restart == Restart::permanent) {
    return bad("a permanent child can't be significant: it never ends on its own");
  }
  const auto known = by_id_.find(spec.id);
  if (spec.id.empty() || known == by_id_.end()) return std::nullopt;
  const SupervisedChild& child = *known->second;
  const bool runs = child.state != ChildState::stopped;
  const ChildProblem problem = runs ? ChildProblem::already_started : ChildProblem::already_present;
  return ChildRefused(problem, "child \"" + spec.id + "\": " + std::string(to_string(problem)),
                      child.ref);
}

SupervisedChild& SupervisorBase::new_child(ChildSpec spec, std::shared_ptr<const Maker> maker,
                                           Ask<void>* started) {
  SupervisedChild& child = children_.emplace_back();
  ++in_state_[static_cast<std::size_t>(child.state)];
  child.at = std::prev(children_.end());
  child.spec = std::move(spec);
  child.maker = std::move(maker);
  child.number = ++numbers_;
  child.erase = child.spec.restart == Restart::temporary || options_.strategy == Strategy::dynamic;
  by_number_[child.number] = &child;
  if (!child.spec.id.empty()) by_id_[child.spec.id] = child.at;
  try {
    spawn_child(child, started);
  } catch (...) {  // the constructor threw, or the name is taken: no trace is left
    forget(child);
    throw;
  }
  // A temporary child is never built again: its arguments, which may be large, are not kept.
  if (child.spec.restart == Restart::temporary) {
    child.spec.type = type_of(child.spec, *child.maker);
    child.spec.shutdown = child.spec.shutdown.value_or(child.spec.type == ChildType::supervisor
                                                           ? Shutdown::infinity()
                                                           : Shutdown{std::chrono::seconds(5)});
    child.maker = nullptr;
  }
  return child;
}

void SupervisorBase::set(SupervisedChild& child, ChildState state) {
  --in_state_[static_cast<std::size_t>(child.state)];
  ++in_state_[static_cast<std::size_t>(state)];
  child.state = state;
}

void SupervisorBase::spawn_child(SupervisedChild& child, Ask<void>* started) {
  SpawnOptions options = child.spec.options;
  options.name = child.spec.id;
  SpawnedChild spawned =
      spawn_held_child(*child.maker, std::move(options), child.spec.start_timeout);
  child.ref = spawned.child;
  set(child, ChildState::starting);
  child.by_hand = false;
  by_serial_[child.ref.address().serial] = child.at;
  if (started != nullptr) {
    *started = std::move(spawned.started);
  } else {
    limit_start(child);
  }
}

namespace {
/// It runs, or did. Where it is about to be gone, nobody knows; what never started leaves no trace.
bool has_started(ChildState state) noexcept {
  return state != ChildState::starting && state != ChildState::halting &&
         state != ChildState::leaving;
}
}  // namespace

Ref<> SupervisorBase::add_child(ChildSpec spec, std::shared_ptr<const Maker> maker) {
  if (auto refused = why_refused(spec)) throw *refused;
  Ask<void> started{RequestPort{}};
  Ref<> ref;
  std::uint64_t number = 0;
  std::string id = spec.id;
  try {
    const SupervisedChild& child = new_child(std::move(spec), std::move(maker), &started);
    ref = child.ref;
    number = child.number;
  } catch (const StartFailed&) {
    throw;
  } catch (const std::exception& e) {
    throw StartFailed("child \"" + id + "\": " + e.what());
  }
  const auto result = started.try_await();
  if (result) return ref;
  if (const auto found = by_number_.find(number); found != by_number_.end()) {
    SupervisedChild* const child = found->second;
    // It said so when its time was just over; or a sibling's failure restarts it along with others.
    const bool is_in_group = group_ && group_->current == child && !child->by_hand;
    const bool is_restarted =
        child->spec.restart != Restart::temporary && (has_started(child->state) || is_in_group);
    const bool is_here = (child->state == ChildState::running || is_restarted) && child->ref;
    if (is_here && !mutant("late_start_is_forgotten")) return child->ref;
    give_back(*child);
  }
  if (const auto found = by_number_.find(number); found != by_number_.end()) {
    // Its name and id are free again when this throws.
    const RequestPort port = open_slot({}, no_timeout, reply_destroyer<AdminResult>());
    Ask<AdminResult> gone{port};
    found->second->end_waiters.push_back(std::make_shared<ReplyTo<AdminResult>>(port));
    static_cast<void>(gone.try_await());
  }
  throw StartFailed("child \"" + id + "\": " + result.error().what);
}

/// A child whose start has failed leaves no trace, wherever it is on its way.
void SupervisorBase::give_back(SupervisedChild& child) {
  child.by_hand = true;
  child.erase = true;
  switch (child.state) {
    case ChildState::starting:  // it took too long
      set(child, ChildState::halting);
      halt_child(child.ref, Duration::zero());
      break;
    case ChildState::stopped: forget(child); break;  // terminated by hand meanwhile
    case ChildState::halting:
    case ChildState::leaving: break;
    default: leave(child);  // it was abandoned, or a group would not start it again
  }
}

void SupervisorBase::child_started(const Ref<>& ref) {
  SupervisedChild* child = find(ref);
  if (child == nullptr ||
      (child->state != ChildState::starting && child->state != ChildState::restarting))
    return;
  set(*child, ChildState::running);
  child_is_here(child->ref);
  child->erase =
      child->spec.restart == Restart::temporary || options_.strategy == Strategy::dynamic;
  if (child->start_waiter != nullptr)
    (*std::exchange(child->start_waiter, nullptr))(AdminResult{child->ref});
  if (group_ && group_->current == child) start_next();
}

// ---- the end of a child

SupervisedChild* SupervisorBase::find(const Ref<>& ref) {
  const auto found = by_serial_.find(ref.address().serial);
  return found == by_serial_.end() || !(found->second->ref == ref) ? nullptr : &*found->second;
}

SupervisedChild* SupervisorBase::find(const std::string& id) {
  const auto found = by_id_.find(id);
  return found == by_id_.end() ? nullptr : &*found->second;
}

void SupervisorBase::child_ended(const Ended& ended) {
  SupervisedChild* child = find(ended.child);
  if (child == nullptr) {
    verdict::release(ended.child);
  } else {
    this->ended(*child, ended);
  }
}

void SupervisorBase::ended(SupervisedChild& ended_child, const Ended& ended) {
  SupervisedChild* const child = &ended_child;
  const std::uint64_t end = ++child->ends;
  const bool is_first_start = child->state == ChildState::starting;
  if (is_first_start || child->by_hand || shutting_down_) {
    if (is_first_start && child->start_waiter == nullptr)
      child->erase = true;  // start_child throws: no trace is left
    const bool group_waits = group_ && group_->current == child;
    leave(*child);
    if (group_waits) halt_next();
    return;
  }
  if (group_ && group_->current == child && child->state == ChildState::halting) {
    set(*child, ChildState::held);
    halt_next();
    return;
  }
  if (group_ && !(group_->current == child && child->state == ChildState::restarting)) {
    set(*child,
        ChildState::held);  // the group takes it along, or it is looked at when that is done
    queued_.push_back([this, number = child->number, end, ended] {
      if (SupervisedChild* held = find_held(number, end)) decide(*held, ended);
    });
    return;
  }
  group_.reset();  // a restart within the group failed: the group begins anew
  if (queued_.empty()) {
    decide(*child, ended);
  } else {  // those that ended meanwhile come first: this one may need them
    set(*child, ChildState::held);
    queued_.push_back([this, number = child->number, end, ended] { retry(number, end, ended); });
  }
  go_on();
}

void SupervisorBase::decide(SupervisedChild& child, const Ended& ended) {
  set(child, ChildState::held);
  const bool failed = ended.why.kind() == ExitReason::Kind::failure;
  Decision decision = Decision::restart;
  try {
    if (failed) decision = options_.decider(ended.why);
  } catch (...) {  // user code: a rule that throws can't be trusted with the decision
    decision = Decision::escalate;
  }
  if (decision == Decision::escalate) {
    give_up("child \"" + child.spec.id + "\": " + ended.why.to_string());
    return;
  }
  if (decision == Decision::resume && ended.can_resume) {
    set(child, ChildState::running);
    verdict::resume(child.ref);
    return;
  }
  const bool wants_restart = child.spec.restart == Restart::permanent ||
                             (child.spec.restart == Restart::transient &&
                              (ended.why.is_abnormal() || mutant("transient_like_permanent")));
  if (decision != Decision::stop && wants_restart) {
    restart_or_give_up(child, ended.why);
    return;
  }
  check_auto_shutdown(child);
  leave(child);
}

/// False: it was one too many, and this supervisor has given up.
bool SupervisorBase::count_restart(const SupervisedChild& child, const ExitReason& why) {
  if (window_.add(supervisor_now())) return true;
  give_up("more than " + std::to_string(options_.restarts_max) + " restarts within " +
          seconds(options_.within) + "; the last was of child \"" + child.spec.id +
          "\": " + why.to_string());
  return false;
}

void SupervisorBase::restart_or_give_up(SupervisedChild& child, const ExitReason& why) {
  if (!count_restart(child, why)) return;
  const TimePoint now = supervisor_now();
  const std::optional<Backoff>& backoff =
      child.spec.backoff ? child.spec.backoff : options_.backoff;
  if (!backoff) {
    restart_now(child);
    return;
  }
  if (child.last_failure != TimePoint::min() && now - child.last_failure > backoff->quiet_time())
    child.restarts_in_row = 0;
  const Duration delay = backoff->delay(child.restarts_in_row++, random_unit());
  child.last_failure = now + delay;
  set(child, ChildState::backing_off);
  start_control_timer(child.number, delay);
}

/// An on_start that takes longer than its spec allows is killed, which is one more failure.
void SupervisorBase::limit_start(SupervisedChild& child) {
  if (child.spec.start_timeout == no_timeout || !child.maker->type().has_on_start) return;
  child.start_deadline = deadline_after(supervisor_now(), child.spec.start_timeout);
  if (std::exchange(child.start_timer_runs, true)) return;  // it looks again when it is due
  start_control_timer(child.number | start_timer_bit, child.spec.start_timeout);
}

void SupervisorBase::start_timer_due(SupervisedChild& child) {
  child.start_timer_runs = false;
  if (child.state != ChildState::starting && child.state != ChildState::restarting) return;
  if (child.start_deadline == TimePoint::max()) return;
  const Duration left = child.start_deadline - supervisor_now();
  if (left <= Duration::zero()) {
    halt_child(child.ref, Duration::zero());
  } else {
    child.start_timer_runs = true;
    start_control_timer(child.number | start_timer_bit, left);
  }
}

void SupervisorBase::restart_child_now(SupervisedChild& child) {
  const bool waited = child.state == ChildState::backing_off || child.mail_is_limited;
  const std::optional<Backoff>& backoff =
      child.spec.backoff ? child.spec.backoff : options_.backoff;
  child.mail_is_limited = false;
  set(child, ChildState::restarting);
  if (!child.ref) {
    spawn_anew(child);
    return;
  }
  child.start_deadline = TimePoint::max();  // until child_rebuilt
  verdict::restart(child.ref, child.maker,
                   waited && backoff ? std::optional(backoff->mail_max) : std::nullopt,
                   limit_of(child));
}

/// What the incarnation before took to end is none of the time of this one's start.
void SupervisorBase::child_rebuilt(const Ref<>& ref) {
  SupervisedChild* child = find(ref);
  if (child != nullptr && child->state == ChildState::restarting) limit_start(*child);
}

/// In place of one that was abandoned: a new actor, under the same name.
void SupervisorBase::spawn_anew(SupervisedChild& child) {
  try {
    spawn_child(child, nullptr);
    set(child, ChildState::restarting);
  } catch (const std::exception& e) {  // a further failure of this child, as if it had ended
    child.spawn_failure = ExitReason::failure(e.what(), std::current_exception());
  } catch (...) {  // the same; nothing is known of it
    child.spawn_failure = ExitReason::failure("an unknown exception", std::current_exception());
  }
  if (child.spawn_failure) start_control_timer(child.number | abandoned_bit, Duration::zero());
}

/// What an actor would tell of itself, where there is none any more.
void SupervisorBase::look_after_abandoned(std::uint64_t number) {
  const auto found = by_number_.find(number);
  if (found == by_number_.end() || found->second->ref) return;
  SupervisedChild& child = *found->second;
  if (child.state == ChildState::leaving) {
    gone(child);
  } else if (const auto why = std::exchange(child.spawn_failure, std::nullopt)) {
    if (child.state == ChildState::restarting) ended(child, {Ref<>{}, *why, false, true});
  }
}

void SupervisorBase::control_timer_due(std::uint64_t token) {
  if ((token & abandoned_bit) != 0) {
    look_after_abandoned(token & ~abandoned_bit);
    return;
  }
  if ((token & start_timer_bit) != 0) {
    const auto starting = by_number_.find(token & ~start_timer_bit);
    if (starting != by_number_.end()) start_timer_due(*starting->second);
    return;
  }
  const auto found = by_number_.find(token);
  if (shutting_down_ || found == by_number_.end() ||
      found->second->state != ChildState::backing_off)
    return;
  const bool is_of_another_time = supervisor_now() < found->second->last_failure;
  if (is_of_another_time && !mutant("old_backoff_ends_the_new")) return;
  if (group_) {
    queued_.push_back([this, token] { control_timer_due(token); });
  } else {
    restart_now(*found->second);
  }
}

void SupervisorBase::give_up(const std::string& why) {
  gave_up_ = true;
  if (!escalate(ExitReason::shutdown(why))) gives_up_when_resumed_ = why;
}

void SupervisorBase::actor_resumed() {
  if (!gives_up_when_resumed_.empty()) give_up(std::exchange(gives_up_when_resumed_, {}));
}

// ---- stopping

void SupervisorBase::halt(SupervisedChild& child) {
  if (!child.ref) {  // abandoned, and nobody could be spawned in its place
    leave(child);
    return;
  }
  set(child, ChildState::halting);
  halt_child(child.ref, limit_of(child));
}

void SupervisorBase::leave(SupervisedChild& child) {
  set(child, ChildState::leaving);
  if (child.ref) {
    verdict::release(child.ref, limit_of(child));
  } else {  // soon, as if it had been released: the caller may be going through all children
    start_control_timer(child.number | abandoned_bit, Duration::zero());
  }
}

void SupervisorBase::forget(SupervisedChild& child) {
  for (const AdminReply& waiter : child.end_waiters) (*waiter)(AdminResult{Ref<>{}});
  if (group_) {
    std::erase(group_->to_halt, &child);
    std::erase(group_->to_start, &child);
    if (group_->current == &child) group_->current = nullptr;
  }
  if (child.ref) by_serial_.erase(child.ref.address().serial);
  --in_state_[static_cast<std::size_t>(child.state)];
  by_number_.erase(child.number);
  if (!child.spec.id.empty()) by_id_.erase(child.spec.id);
  children_.erase(child.at);
}

void SupervisorBase::child_gone(const Ref<>& ref, const ExitReason& why) {
  SupervisedChild* child = find(ref);
  if (child == nullptr) return;
  child_has_left(ref);
  by_serial_.erase(ref.address().serial);
  child->ref = Ref<>{};
  if (child->state == ChildState::leaving) {
    gone(*child);
    return;
  }
  ended(*child, {Ref<>{}, why});  // abandoned
}

void SupervisorBase::gone(SupervisedChild& child) {
  const bool is_awaited = group_ && group_->current == &child;
  if (child.start_waiter != nullptr) {
    (*std::exchange(child.start_waiter, nullptr))(
        AdminResult{Unexpected{ChildProblem::start_failed}});
  }
  if (child.erase) {
    forget(child);
  } else {
    set(child, ChildState::stopped);
    for (const AdminReply& waiter : child.end_waiters) (*waiter)(AdminResult{Ref<>{}});
    child.end_waiters.clear();
  }
  if (shutting_down_) {
    stop_next();
  } else if (is_awaited) {
    group_->current = nullptr;
    halt_next();
  }
}

void SupervisorBase::check_auto_shutdown(const SupervisedChild& child) {
  if ((!child.spec.significant && !mutant("any_child_is_significant")) ||
      options_.auto_shutdown == AutoShutdown::never)
    return;
  if (options_.auto_shutdown == AutoShutdown::all_significant) {
    for (const SupervisedChild& other : children_) {
      const bool is_left = other.state == ChildState::stopped || other.state == ChildState::leaving;
      if (&other != &child && other.spec.significant && !is_left) return;
    }
  }
  stop_supervisor(ExitReason::shutdown("its significant child \"" + child.spec.id + "\" ended"));
}

void SupervisorBase::stop_children() {
  shutting_down_ = true;
  group_.reset();
  queued_.clear();
  if (options_.strategy != Strategy::dynamic) {
    stop_next();
    return;
  }
  for (SupervisedChild& child : children_) {  // in parallel (S69)
    if (child.state == ChildState::held || child.state == ChildState::backing_off) {
      leave(child);
    } else if (child.state != ChildState::leaving && child.state != ChildState::stopped) {
      halt(child);
    }
  }
}

/// Stops the last child that runs; the next when that is gone.
void SupervisorBase::stop_next() {
  if (options_.strategy == Strategy::dynamic) return;
  for (auto child = children_.rbegin(); child != children_.rend(); ++child) {
    if (child->state == ChildState::stopped) continue;
    if (child->state == ChildState::held || child->state == ChildState::backing_off) {
      leave(*child);
    } else if (child->state != ChildState::leaving && child->state != ChildState::halting) {
      halt(*child);
    }
    return;
  }
}

}  // namespace troupe::detail
