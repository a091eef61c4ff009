// Coordinated shutdown (S74 to S77).
//
// Order: phases in the order of their dependencies, the tasks of one in parallel on the blocking
// pool; in `terminate` all top-level actors are stopped, which stops the rest; then the threads
// end. A total deadline bounds it all: what is alive then is reported, with what it is doing.
#include <troupe/runtime/shutdown.hpp>

#include <algorithm>
#include <utility>

#include <troupe/runtime/detail/mutant.hpp>

#include "futex.hpp"
#include "system_core.hpp"

namespace troupe {

std::vector<ShutdownPhase> default_shutdown_phases() {
  std::vector<ShutdownPhase> phases;
  for (const char* name :
       {"before-service-unbind", "service-unbind", "service-requests-done", "service-stop",
        "before-cluster-shutdown", "cluster-sharding-handoff", "cluster-leave", "cluster-exiting",
        "cluster-shutdown", "before-terminate", "terminate"}) {
    phases.push_back({.name = name});
    if (phases.size() > 1) phases.back().after = {phases[phases.size() - 2].name};
  }
  return phases;
}

std::string ShutdownReport::to_string() const {
  if (complete && problems.empty()) return "shutdown complete";
  std::string text = complete ? "shutdown complete, with problems" : "shutdown incomplete";
  for (const std::string& problem : problems) text += "\n  " + problem;
  if (survivor_count > 0) text += "\n  " + std::to_string(survivor_count) + " actors did not stop:";
  for (const Survivor& s : survivors) {
    text += "\n    " + s.path + " (" + s.type + "): " + s.doing;
    if (s.waiting_messages > 0)
      text += ", " + std::to_string(s.waiting_messages) + " messages wait";
  }
  if (survivor_count > survivors.size()) text += "\n    ...";
  return text;
}

}  // namespace troupe

namespace troupe::detail {

namespace {

constexpr std::size_t survivors_listed_max = 100;
constexpr auto look_again_after = std::chrono::milliseconds(100);
constexpr auto first_look_again_after = std::chrono::milliseconds(10);
constexpr auto threads_end_within = std::chrono::seconds(1);

/// One task under way; outlives the phase if the task does.
struct RunningTask : BlockingJob {
  std::string name;
  std::function<void(std::stop_token)> function;
  std::stop_source stop;
  std::string error;
  std::shared_ptr<std::atomic<std::uint32_t>> left;
  std::atomic<bool> done{false};
  std::shared_ptr<RunningTask> self;
};

std::string run_safely(RunningTask& task) {
  try {
    task.function(task.stop.get_token());
    return {};
  } catch (const std::exception& e) {
    return e.what();
  } catch (...) {  // user code: nothing is known of what it throws
    return "an unknown exception";
  }
}

}  // namespace

void SystemCore::begin_shutdown(std::string why, bool failed) {
  {
    std::lock_guard guard(shutdown_lock_);
    if (failed) guardian_failed_ = true;
    if (shutdown_begun_.exchange(true)) return;
    shutdown_why_ = std::move(why);
  }
  shutdown_word_.fetch_add(1, std::memory_order_seq_cst);
  futex_wake_all(shutdown_word_);
  executor().run_aside([this] { shutdown({}); });
}

void SystemCore::wait_for_shutdown() {
  executor().wait_outside([this] { return shutdown_begun(); }, shutdown_word_, TimePoint::max());
}

ShutdownReport SystemCore::shutdown(std::string why) {
  if (Worker::current() != nullptr)
    throw UsageError("an actor can't wait for the shutdown: use begin_shutdown");
  {
    std::lock_guard guard(shutdown_lock_);
    if (!shutdown_begun_.exchange(true)) shutdown_why_ = std::move(why);
  }
  shutdown_word_.fetch_add(1, std::memory_order_seq_cst);  // for wait_for_shutdown
  futex_wake_all(shutdown_word_);
  std::lock_guard running(shutdown_running_);
  if (!report_) report_ = run_shutdown();
  return *report_;
}

ShutdownReport SystemCore::run_shutdown() {
  ShutdownReport report;
  const TimePoint deadline = deadline_after(now(), options_.shutdown_timeout);
  // The actors have the rest, however long the tasks take.
  const TimePoint tasks_until = mutant("tasks_use_up_all_time")
                                    ? deadline
                                    : deadline_after(now(), options_.shutdown_timeout / 10 * 6);
  if (!shutdown_why_.empty()) log(LogLevel::debug, "system", "shutting down: " + shutdown_why_);
  for (const ShutdownPhase& phase : shutdown_tasks_.phases()) {
    const TimePoint until = std::min(tasks_until, deadline_after(now(), phase.timeout));
    if (!run_tasks(phase, until, report) && !phase.recover) break;
  }
  stop_all_actors(deadline);
  const bool threads_ended = executor().stop(threads_end_within);
  const std::uint64_t left = actor_count();
  report.complete = threads_ended && left == 0;
  if (report.complete) timers().fire_due(TimePoint::max());  // delayed sends: dead letters (S8)
  if (!threads_ended)
    report.problems.push_back(
        "a thread is stuck: a handler or a blocking call that does not return");
  if (left > 0 && !mutant("survivors_are_not_named")) list_survivors(report);
  report.survivor_count = left;
  dead_letters_.flush();
  if (!report.complete) log(LogLevel::error, "system", report.to_string());
  return report;
}

/// False: a task failed or took too long.
bool SystemCore::run_tasks(const ShutdownPhase& phase, TimePoint deadline, ShutdownReport& report) {
  std::vector<std::shared_ptr<RunningTask>> running;
  auto left = std::make_shared<std::atomic<std::uint32_t>>(0);
  for (ShutdownTasks::Task& task : shutdown_tasks_.begin(phase.name)) {
    auto r = std::make_shared<RunningTask>();
    r->name = std::move(task.name);
    r->function = std::move(task.run);
    r->left = left;
    r->self = r;
    r->run = [](BlockingJob& job) {
      auto& t = static_cast<RunningTask&>(job);
      const std::shared_ptr<RunningTask> keep = std::move(t.self);
      const auto count = t.left;
      t.error = run_safely(t);
      t.done.store(true, std::memory_order_release);  // partner: the load below
      count->fetch_sub(1);
      futex_wake_all(*count);
    };
    left->fetch_add(1);
    running.push_back(r);
  }
  for (const auto& r : running) executor().submit_blocking(*r);
  executor().wait_outside([&] { return left->load() == 0; }, *left, deadline);
  bool all_well = true;
  for (const auto& r : running) {
    const bool done = r->done.load(std::memory_order_acquire);  // partner: the store of its thread
    if (!done) r->stop.request_stop();
    if (done && r->error.empty()) continue;
    all_well = false;
    report.problems.push_back("task \"" + r->name + "\" of phase " + phase.name +
                              (done ? " failed: " + r->error : std::string(" took too long")));
  }
  return all_well;
}

void SystemCore::stop_top_level_actors(Duration limit) {
  std::vector<Address> top_level;
  for_each_cell([&](Cell& cell) {
    // Partner: Cell::set, which comes after the parent. A look from outside decides nothing.
    if (cell.phase.load(std::memory_order_acquire) == Phase::free ||
        cell.parent.load(std::memory_order_relaxed) != nullptr) {
      return;  // a look from outside: the command's generation is checked where it arrives
    }
    top_level.push_back({&cell, cell.generation.load(std::memory_order_relaxed), 0});
  });
  for (const Address& actor : top_level) {
    auto* stop = new StopCommand;
    stop->kind = CommandKind::stop;
    stop->to_generation = actor.generation;
    stop->why = ExitReason::shutdown("the System is shutting down");
    stop->limit = limit;
    send_command(*actor.cell, stop);
  }
}

/// Supervisors wait for their children as long as the children may take: near the end all are
/// killed.
void SystemCore::kill_all_actors() {
  for_each_cell([&](Cell& cell) {
    // A look from outside decides nothing: the generation is checked where the command arrives.
    if (cell.phase.load(std::memory_order_acquire) == Phase::free) return;
    auto* kill = new Command;
    kill->kind = CommandKind::kill;
    kill->to_generation = cell.generation.load(std::memory_order_relaxed);  // as above
    send_command(cell, kill);
  });
}

void SystemCore::stop_all_actors(TimePoint deadline) {
  spawning_allowed_.store(mutant("spawn_while_shutting_down"), std::memory_order_seq_cst);
  counting_down_.store(true, std::memory_order_seq_cst);
  const auto over = [&] { return is_deserted(); };
  // A little before the deadline, so that killed actors still end in time.
  const TimePoint kill_at = now() + std::max((deadline - now()) / 10 * 8, Duration{1});
  // What was just being spawned is missed by the first look: soon again, then less and less often.
  const auto longest_look = std::max<Duration>(look_again_after, options_.shutdown_timeout / 4);
  Duration look_again = std::min<Duration>(first_look_again_after, longest_look);
  while (!over() && now() < deadline) {
    const bool is_late = now() >= kill_at;
    if (is_late) {
      kill_all_actors();
    } else {
      stop_top_level_actors(kill_at - now());
    }
    const TimePoint until = is_late ? deadline : kill_at;
    executor().wait_outside(over, shutdown_word_, std::min(until, now() + look_again));
    look_again = std::min(look_again * 2, longest_look);
  }
}

/// The threads have ended (but one that is stuck): what the cells say can be read.
void SystemCore::list_survivors(ShutdownReport& report) {
  const std::map<const Cell*, std::string> abandoned = reaper_.abandoned();
  for_each_cell([&](Cell& cell) {
    const Phase phase = cell.phase.load(std::memory_order_acquire);  // as left by its last owner
    if (phase == Phase::free || report.survivors.size() >= survivors_listed_max) return;
    Survivor s;
    s.path = print(cell.address());
    s.type = cell.type.load(std::memory_order_relaxed)->text();  // came with the phase
    s.waiting_messages = mailbox_length(cell);
    const CellExtension* e = cell.extension;
    if (const auto stuck = abandoned.find(&cell); stuck != abandoned.end()) {
      s.doing = "abandoned: its handler of " + stuck->second + " does not return";
    } else if (const Frame* frame = cell.waiting()) {
      const Address callee = frame->waits_for.slot->callee_address();
      s.doing = std::string("its handler of ") + static_cast<CellTurn*>(frame->turn)->name() +
                " waits for " +
                (frame->lent              ? "a blocking call"
                 : callee.cell != nullptr ? "an answer from " + print(callee)
                                          : "an answer");
    } else if (phase == Phase::ending && e != nullptr && e->child_count > 0) {
      s.doing = "waits for " + std::to_string(e->child_count) + " children to end";
    } else {
      const std::string handling = handler_of(cell);
      s.doing = handling.empty() ? "has its turn still to come" : "in a handler for " + handling;
    }
    report.survivors.push_back(std::move(s));
  });
}

}  // namespace troupe::detail
