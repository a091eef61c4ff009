// What a ChildObserver can do: spawn held children, decide about them, be told in time, give up.
#include <troupe/runtime/children.hpp>

#include <utility>

#include <troupe/runtime/actor.hpp>

#include "cell.hpp"
#include "system_core.hpp"

namespace troupe {

namespace {

/// The actor whose turn it is, checked to be a ChildObserver.
detail::Cell& observing_cell(const char* what) {
  const detail::Worker* worker = detail::Worker::current();
  if (worker == nullptr || worker->cell == nullptr || worker->cell->observer() == nullptr) {
    throw UsageError(std::string(what) +
                     " is for an actor that derives from ChildObserver, on its own turn");
  }
  return *worker->cell;
}

/// The child's cell if it is alive, checked to be the calling actor's child.
detail::Cell* own_child(const Ref<>& child) {
  const detail::Worker* worker = detail::Worker::current();
  detail::Cell* cell = child.address().cell;
  // Relaxed: nothing else is read by it.
  if (cell == nullptr ||
      cell->generation.load(std::memory_order_relaxed) != child.address().generation) {
    return nullptr;  // gone; its cell is the caller's until it has taken the notice, so this can't
                     // be another actor
  }
  if (worker == nullptr || worker->cell == nullptr ||
      cell->parent.load(std::memory_order_relaxed) != worker->cell) {
    throw UsageError("only the parent of " + child.to_string() +
                     " may decide about it, on its own turn");
  }
  return cell;
}

void send_verdict(const Ref<>& child, detail::CommandKind kind,
                  std::shared_ptr<const detail::Maker> maker = {},
                  std::optional<std::uint32_t> mail_max = {}, std::optional<Duration> limit = {}) {
  detail::Cell* cell = own_child(child);
  if (cell == nullptr) return;
  auto* verdict = new detail::VerdictCommand;
  verdict->kind = kind;
  verdict->to_generation = child.address().generation;
  verdict->maker = std::move(maker);
  verdict->mail_max = mail_max;
  verdict->limit = limit;
  detail::send_command(*cell, verdict);
}

}  // namespace

namespace verdict {
void restart(const Ref<>& child, std::shared_ptr<const detail::Maker> maker,
             std::optional<std::uint32_t> mail_max, std::optional<Duration> limit) {
  send_verdict(child, detail::CommandKind::restart, std::move(maker), mail_max, limit);
}
void resume(const Ref<>& child) {
  send_verdict(child, detail::CommandKind::resume);
}
void release(const Ref<>& child, std::optional<Duration> limit) {
  send_verdict(child, detail::CommandKind::release, {}, {}, limit);
}
}  // namespace verdict

SpawnedChild spawn_held_child(const detail::Maker& maker, SpawnOptions options,
                              Duration start_timeout) {
  detail::Cell& self = observing_cell("spawn_held_child");
  options.on_end = OnEnd::hold;
  const detail::RequestPort port =
      detail::open_slot({}, start_timeout, detail::reply_destroyer<void>());
  Ask<void> started{port};
  const Ref<> child{detail::spawn_from(&self, nullptr, options, maker, port)};
  detail::waits_for(port, child.address());
  return {child, std::move(started)};
}

void halt_child(const Ref<>& child, std::optional<Duration> limit) {
  detail::Cell* cell = own_child(child);
  if (cell == nullptr) return;
  auto* stop = new detail::StopCommand;
  stop->kind = detail::CommandKind::stop;
  stop->to_generation = child.address().generation;
  stop->why = ExitReason::shutdown();
  stop->limit = limit;
  detail::send_command(*cell, stop);
}

void start_control_timer(std::uint64_t token, Duration delay) {
  detail::Cell& self = observing_cell("start_control_timer");
  auto* timer = new detail::TimerRecord;
  timer->purpose = detail::TimerPurpose::control;
  timer->token = token;
  timer->following_timer = self.ext().timers;
  self.ext().timers = timer;
  detail::arm_cell_timer(self, *timer, deadline_after(self.core().now(), delay));
}

bool escalate(ExitReason why) {
  detail::Cell& self = observing_cell("escalate");
  if (!self.is(detail::Phase::running) && !self.is(detail::Phase::starting)) return false;
  const Ref<> who{self.address()};
  ActorLog{self}.error("gives up: " + why.to_string());
  self.core().observe([&](Observer& o) { o.escalated(who, why); });
  self.begin_end(std::move(why), StopReason::failure,
                 self.ext().hold ? detail::After::hold : detail::After::terminate);
  return true;
}

double random_unit() {
  detail::Worker* worker = detail::Worker::current();
  TROUPE_CHECK(worker != nullptr, "random_unit is for actors");
  return worker->core.random_unit();
}

void run_as_command(const Ref<>& actor, std::function<void(ChildObserver*)> f) {
  const detail::Address& to = actor.address();
  detail::SystemGate* gate =
      to.cell != nullptr ? to.cell->gate.load(std::memory_order_acquire) : nullptr;  // spawn
  if (gate == nullptr || gate->enter() == nullptr) return;
  auto* command = new detail::RunCommand;
  command->kind = detail::CommandKind::run;
  command->to_generation = to.generation;
  command->function = std::move(f);
  detail::send_command(*to.cell, command);
  gate->leave();
}

}  // namespace troupe
