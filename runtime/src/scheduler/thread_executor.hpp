// Work-stealing threads.
//
// Design. Each worker has a LIFO slot (the cell it woke last, whose data is warm), a deque that
// thieves may take from, and shares the inject queue for work from outside. Filling an empty slot
// wakes nobody; displacing one puts the older into the deque and wakes at most one sleeper, and
// none while another worker searches; how they sleep and wake is in parker.hpp. The service thread
// drives the timers. While workers are busy it ticks each millisecond and lets thieves take the
// slot of a worker that is stuck in one handler; while all sleep it sleeps too, until the next
// timer.
#pragma once

#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "../spin_lock.hpp"
#include "blocking_pool.hpp"
#include "deque.hpp"
#include "executor.hpp"
#include "parker.hpp"
#include "worker.hpp"

namespace troupe::detail {

class PinnedWorker;
class ThreadWorker;
using Parker = BasicParker<>;

/// Thread safety: as Executor.
class ThreadExecutor final : public Executor {
 public:
  /// `drive_timers`: false where a test drives the clock by hand.
  explicit ThreadExecutor(bool drive_timers = true);
  ~ThreadExecutor() override;

  void start(SystemCore& core) override;
  void submit(Runnable& runnable) override;
  void submit_blocking(BlockingJob& job) override;
  void timers_changed() override;
  void wait_outside(const std::function<bool()>& over, const std::atomic<std::uint32_t>& word,
                    TimePoint deadline) override;
  void run_aside(std::function<void()> f) override;
  void join_aside() override;
  bool stop(Duration limit) override;
  Worker* pin() override;
  void unpin(Worker& worker) override;

  /// Nothing is queued and nothing runs. Stays so until something is sent from outside or a timer
  /// fires.
  [[nodiscard]] bool is_quiescent() const noexcept {
    return parker_.busy.load(std::memory_order_seq_cst) == 0;
  }
  /// Sleeps until is_quiescent or `word` no longer holds `value`.
  void wait_quiescent();

 private:
  friend class PinnedWorker;
  friend class ThreadWorker;
  struct ParkingWorker;
  void work_was_queued();
  void wake(std::uint32_t index);
  bool sleep(ThreadWorker& worker);
  void done_being_busy();
  Runnable* take_injected();
  Runnable* steal(ThreadWorker& thief);
  Runnable* look_at_others(ThreadWorker& thief);
  [[nodiscard]] bool sees_work(const ThreadWorker& worker) const noexcept;
  void serve();
  void start_threads();
  void drain();
  void tick();

  const bool drive_timers_;
  SystemCore* core_ = nullptr;
  std::unique_ptr<StackPool> stacks_;
  std::vector<std::unique_ptr<ThreadWorker>> workers_;
  std::vector<std::thread> threads_;
  std::mutex pinned_lock_;
  std::vector<std::unique_ptr<PinnedWorker>> pinned_;  // with those that are free
  std::vector<PinnedWorker*> free_pinned_;
  std::unique_ptr<BlockingPool> blocking_;

  alignas(64) Parker parker_;
  std::atomic<std::uint32_t> quiescence_{0};  // changes when the parker's busy reaches 0
  std::atomic<std::uint32_t> running_threads_{0};
  std::atomic<bool> stopping_{false};
  std::atomic<bool> draining_{false};  // the threads have ended: who queues something runs it
  std::mutex drain_lock_;

  alignas(64) SpinLock inject_lock_;
  Runnable* inject_first_ = nullptr;
  Runnable* inject_last_ = nullptr;
  std::atomic<std::uint32_t> injected_{0};

  std::thread service_;
  std::thread aside_;
  std::atomic<std::uint32_t> service_word_{0};
  std::atomic<bool> ticking_{false};
};

}  // namespace troupe::detail
