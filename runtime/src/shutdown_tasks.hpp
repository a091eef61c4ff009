// The phases of a shutdown, in order, and what is to run in each.
#pragma once

#include <map>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include <troupe/runtime/shutdown.hpp>

namespace troupe::detail {

/// Thread safety: any thread.
class ShutdownTasks {
 public:
  struct Task {
    std::string name;
    std::function<void(std::stop_token)> run;
    ShutdownTask handle;
  };

  /// Throws UsageError for phases that wait for each other, for one nobody knows, or come twice.
  explicit ShutdownTasks(const std::vector<ShutdownPhase>& phases);

  /// Throws UsageError for an unknown phase. Once the phase has begun the task is left out (S75).
  ShutdownTask add(std::string_view phase, std::string name,
                   std::function<void(std::stop_token)> run);
  /// Those of a phase, which takes no more.
  std::vector<Task> begin(const std::string& phase);
  /// The phases, each behind those it depends on.
  [[nodiscard]] const std::vector<ShutdownPhase>& phases() const noexcept { return ordered_; }

 private:
  std::vector<ShutdownPhase> ordered_;
  std::mutex mutex_;
  std::map<std::string, std::vector<Task>, std::less<>> tasks_;
  std::set<std::string> begun_;
};

}  // namespace troupe::detail
