// Coordinated shutdown: phases, their tasks, and the report of who did not stop (S74 to S77).
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <memory>
#include <stop_token>
#include <string>
#include <utility>
#include <vector>

#include <troupe/runtime/clock.hpp>

namespace troupe {

/// One phase of the shutdown: runs after the phases it depends on.
struct ShutdownPhase {
  std::string name;
  std::vector<std::string> after = {};
  Duration timeout = std::chrono::seconds(5);
  bool recover = true;  ///< go on when a task fails or takes too long; otherwise later phases but
                        ///< `terminate` are left out
};

/// The default phases, in order (S76). Actors are stopped in `terminate`.
[[nodiscard]] std::vector<ShutdownPhase> default_shutdown_phases();

/// One actor that did not stop in time.
struct Survivor {
  std::string path;
  std::string type;
  std::string doing;  ///< "in a handler for Deposit", "waiting for an answer from /payments", ...
  std::uint32_t waiting_messages = 0;
};

/// A task given to System::at_shutdown.
/// Thread safety: any thread.
class ShutdownTask {
 public:
  explicit ShutdownTask(std::shared_ptr<std::atomic<bool>> cancelled)
      : cancelled_(std::move(cancelled)) {}
  /// It does not run, unless its phase has begun.
  void cancel() noexcept { cancelled_->store(true); }
  [[nodiscard]] bool is_cancelled() const noexcept { return cancelled_->load(); }

 private:
  std::shared_ptr<std::atomic<bool>> cancelled_;
};

/// How a shutdown went.
struct ShutdownReport {
  bool complete = true;             ///< every actor ended and every thread came home
  std::vector<Survivor> survivors;  ///< at most 100 are listed
  std::uint64_t survivor_count = 0;
  std::vector<std::string> problems;  ///< tasks that failed or took too long, in words
  [[nodiscard]] std::string to_string() const;
};

}  // namespace troupe
