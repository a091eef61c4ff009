// The real scheduler on a clock moved by hand: time passes when nothing runs any more.
#pragma once

#include <memory>

#include <troupe/testkit/manual_clock.hpp>

#include "scheduler/thread_executor.hpp"

namespace troupe::testkit::detail {

/// Thread safety: as Executor; wait_outside on the test's thread only.
class SteppedExecutor final : public troupe::detail::Executor {
 public:
  explicit SteppedExecutor(std::shared_ptr<ManualClock> clock) : clock_(std::move(clock)) {}

  void start(troupe::detail::SystemCore& core) override {
    core_ = &core;
    threads_.start(core);
  }
  void submit(troupe::detail::Runnable& runnable) override { threads_.submit(runnable); }
  void submit_blocking(troupe::detail::BlockingJob& job) override { threads_.submit_blocking(job); }
  void timers_changed() override {}
  void wait_outside(const std::function<bool()>& over, const std::atomic<std::uint32_t>& word,
                    TimePoint deadline) override;
  void run_aside(std::function<void()> f) override;
  void join_aside() override { aside_.clear(); }
  bool stop(Duration limit) override { return threads_.stop(limit); }
  troupe::detail::Worker* pin() override { return threads_.pin(); }
  void unpin(troupe::detail::Worker& worker) override { threads_.unpin(worker); }

 private:
  std::shared_ptr<ManualClock> clock_;
  troupe::detail::SystemCore* core_ = nullptr;
  troupe::detail::ThreadExecutor threads_{false};
  std::mutex aside_lock_;
  std::vector<std::function<void()>> aside_;
};

}  // namespace troupe::testkit::detail
