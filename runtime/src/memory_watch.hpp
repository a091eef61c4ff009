// The System's memory budget: looks at what the process uses, and says how hard it is pressed.
//
// Mailboxes are unbounded, so what limits them together is the memory there is (DESIGN.md D2). What
// the process really uses is read now and then; never is anything counted per message.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>

#include <troupe/runtime/clock.hpp>

namespace troupe::detail {

class SystemCore;

enum class Pressure : std::uint8_t {
  none,
  full_mailboxes,  ///< over the budget: actors with much mail get no more
  everybody,       ///< a tenth over it: no message is taken in but answers, signals and timers
};

/// Half of what the cgroup, or else the machine, allows; bytes.
std::uint64_t default_memory_max();
/// Bytes of this process in memory, but for those that are kept for messages to come; 0 where that
/// can't be read.
std::uint64_t bytes_in_use();

/// Thread safety: any thread.
class MemoryWatch {
 public:
  explicit MemoryWatch(SystemCore& core);

  /// Reads, if it is time to. Until when to come back, while the System is busy or pressed.
  std::optional<TimePoint> look(TimePoint now, bool busy);
  [[nodiscard]] Pressure pressure() const noexcept {
    return pressure_.load(std::memory_order_relaxed);  // seen soon enough
  }

 private:
  void set(Pressure pressure, std::uint64_t used);

  SystemCore& core_;
  const std::uint64_t max_;
  const std::function<std::uint64_t()> gauge_;
  std::atomic<Pressure> pressure_{Pressure::none};
  std::mutex mutex_;
  TimePoint next_look_ = TimePoint::min();
  TimePoint next_trim_ = TimePoint::min();
};

/// For executors on virtual time: looks where the options have a gauge, since what the process
/// really uses is not the same from run to run.
void look_at_memory(SystemCore& core);

}  // namespace troupe::detail
