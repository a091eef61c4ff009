#include "shutdown_tasks.hpp"

#include <algorithm>
#include <utility>

#include <troupe/runtime/detail/mutant.hpp>
#include <troupe/runtime/error.hpp>

namespace troupe::detail {

namespace {

/// Sorts phases behind those they depend on, depth first; otherwise they stay as they were listed.
class PhaseOrder {
 public:
  explicit PhaseOrder(const std::vector<ShutdownPhase>& phases) : phases_(phases) {
    for (const ShutdownPhase& phase : phases) {
      if (!names_.insert(phase.name).second)
        throw UsageError("shutdown_phases: phase \"" + phase.name + "\" is listed twice");
    }
    for (const ShutdownPhase& phase : phases) add(phase);
  }
  std::vector<ShutdownPhase> ordered;

 private:
  void add(const ShutdownPhase& phase) {
    if (done_.contains(phase.name)) return;
    path_.push_back(phase.name);
    if (std::find(path_.begin(), path_.end() - 1, phase.name) != path_.end() - 1) {
      std::string text;
      for (const std::string& name : path_)
        text += (text.empty() ? "\"" : " after \"") + name + "\"";
      throw UsageError("shutdown_phases wait for each other: " + text);
    }
    for (const std::string& before : phase.after) {
      const auto found = std::find_if(phases_.begin(), phases_.end(),
                                      [&](const ShutdownPhase& p) { return p.name == before; });
      if (found == phases_.end())
        throw UsageError("shutdown_phases: phase \"" + phase.name + "\" comes after \"" + before +
                         "\", which is none of them");
      add(*found);
    }
    path_.pop_back();
    done_.insert(phase.name);
    ordered.push_back(phase);
  }

  const std::vector<ShutdownPhase>& phases_;
  std::set<std::string> names_;
  std::set<std::string> done_;
  std::vector<std::string> path_;
};

}  // namespace

ShutdownTasks::ShutdownTasks(const std::vector<ShutdownPhase>& phases)
    : ordered_(PhaseOrder(phases).ordered) {
  if (mutant("phases_as_they_are_listed")) ordered_ = phases;
}

ShutdownTask ShutdownTasks::add(std::string_view phase, std::string name,
                                std::function<void(std::stop_token)> run) {
  const bool known = std::any_of(ordered_.begin(), ordered_.end(),
                                 [&](const ShutdownPhase& p) { return p.name == phase; });
  if (!known)
    throw UsageError("there is no shutdown phase \"" + std::string(phase) +
                     "\"; see SystemOptions::shutdown_phases");
  ShutdownTask handle{std::make_shared<std::atomic<bool>>(false)};
  std::lock_guard guard(mutex_);
  if (begun_.contains(std::string(phase))) return handle;
  tasks_[std::string(phase)].push_back({std::move(name), std::move(run), handle});
  return handle;
}

std::vector<ShutdownTasks::Task> ShutdownTasks::begin(const std::string& phase) {
  std::lock_guard guard(mutex_);
  begun_.insert(phase);
  std::vector<Task> tasks = std::exchange(tasks_[phase], {});
  std::erase_if(tasks, [](const Task& t) {
    return t.handle.is_cancelled() && !mutant("cancelled_task_runs");
  });
  return tasks;
}

}  // namespace troupe::detail
