#include "stepped_executor.hpp"

#include <utility>

#include "system_core.hpp"

namespace troupe::testkit::detail {

void SteppedExecutor::run_aside(std::function<void()> f) {
  std::lock_guard guard(aside_lock_);
  aside_.push_back(std::move(f));
}

void SteppedExecutor::wait_outside(const std::function<bool()>& over,
                                   const std::atomic<std::uint32_t>&, TimePoint deadline) {
  for (;;) {
    look_at_memory(*core_);
    threads_.wait_quiescent();
    std::unique_lock lock(aside_lock_);
    if (!aside_.empty()) {
      const auto f = std::move(aside_.back());
      aside_.pop_back();
      lock.unlock();
      f();
      continue;
    }
    lock.unlock();
    if (over()) return;
    const auto wake = core_->timers().next_wake();
    if (!wake || *wake > deadline) {
      if (deadline != TimePoint::max()) clock_->move_to(deadline);
      look_at_memory(*core_);
      return;
    }
    clock_->move_to(*wake);
    core_->timers().fire_due(clock_->now());
  }
}

}  // namespace troupe::testkit::detail
