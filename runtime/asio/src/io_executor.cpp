#include <troupe/asio/executor.hpp>

#include <atomic>
#include <deque>
#include <mutex>
#include <optional>
#include <thread>

#include <asio/executor_work_guard.hpp>
#include <asio/post.hpp>
#include <asio/steady_timer.hpp>

#include "futex.hpp"
#include "memory.hpp"
#include "scheduler/blocking_pool.hpp"
#include "scheduler/executor.hpp"
#include "scheduler/worker.hpp"
#include "system_core.hpp"

namespace troupe::asio {

namespace {

using troupe::detail::BlockingJob;
using troupe::detail::BlockingPool;
using troupe::detail::Runnable;
using troupe::detail::SystemCore;

constexpr std::uint32_t runs_per_turn = 64;  // then other handlers of the io_context get theirs
constexpr auto look_again = std::chrono::milliseconds(1);

/// One worker, run by whoever holds `run_lock_`: a handler of the io_context, or a thread outside
/// that waits. Each push posts a turn, unless one is posted already.
class IoExecutor final : public troupe::detail::Executor,
                         public std::enable_shared_from_this<IoExecutor> {
 public:
  explicit IoExecutor(::asio::io_context& io) : io_(io), timer_(io) {}
  ~IoExecutor() override { join_aside(); }

  void start(SystemCore& core) override {
    if (std::exchange(was_started_, true)) throw UsageError("an executor is for one System");
    core_ = &core;
    stacks_ = std::make_unique<troupe::detail::StackPool>(core.stack_bytes());
    blocking_ = std::make_unique<BlockingPool>(core.options().blocking_threads_max);
    worker_ = std::make_unique<IoWorker>(*this, core, *stacks_, core.next_seed());
    core.add_worker(*worker_);
  }
  void submit(Runnable& runnable) override {
    bool must_post = false;
    {
      std::lock_guard guard(queue_lock_);
      queue_.push_back(&runnable);
      must_post = !std::exchange(is_posted_, true);
    }
    if (has_stopped_.load(std::memory_order_seq_cst)) {
      if (troupe::detail::Worker::current() == nullptr) drain();
    } else if (must_post) {
      post_turn();
    }
  }
  /// A job under way keeps io.run() from returning, as a message does.
  void submit_blocking(BlockingJob& job) override {
    struct Counted : BlockingJob {
      explicit Counted(::asio::io_context& io, BlockingJob& j)
          : work(::asio::make_work_guard(io)), job(j) {}
      ::asio::executor_work_guard<::asio::io_context::executor_type> work;
      BlockingJob& job;
    };
    auto counted = std::make_unique<Counted>(io_, job);
    counted->run = [](BlockingJob& self) {
      const std::unique_ptr<Counted> c(static_cast<Counted*>(&self));
      c->job.run(c->job);
    };
    blocking_->run(*counted);  // throws: nothing was begun
    static_cast<void>(counted.release());
  }
  void timers_changed() override {
    ::asio::post(io_, [weak = weak_from_this()] {
      if (const auto self = weak.lock()) self->look_at_timers();
    });
  }
  void wait_outside(const std::function<bool()>& over, const std::atomic<std::uint32_t>& word,
                    TimePoint deadline) override {
    for (;;) {
      const std::uint32_t seen = word.load(std::memory_order_seq_cst);
      if (over()) return;
      const Duration left =
          deadline == TimePoint::max() ? Duration(look_again) : deadline - core_->now();
      if (left <= Duration::zero()) return;
      if (io_.get_executor().running_in_this_thread()) {
        if (io_.poll_one() != 0) continue;  // a handler that waits: the others go on here
      } else if (io_.stopped()) {           // nobody runs it: its operations go on here
        io_.restart();
        io_.poll_one();
        io_.stop();
      }
      if (run_turn()) continue;
      troupe::detail::futex_wait(word, seen, std::min(left, Duration(look_again)));
    }
  }
  void run_aside(std::function<void()> f) override {
    TROUPE_CHECK(!aside_.joinable(), "one thread aside is enough");
    aside_ = std::thread(std::move(f));
  }
  void join_aside() override {
    if (aside_.joinable()) aside_.join();
  }
  bool stop(Duration limit) override {
    while (run_turn()) {
    }
    if (!blocking_->stop(limit)) return false;
    has_stopped_.store(true, std::memory_order_seq_cst);  // what comes now is run by who sends it
    drain();
    return true;
  }

 private:
  class IoWorker final : public troupe::detail::Worker {
   public:
    IoWorker(IoExecutor& executor, SystemCore& system, troupe::detail::StackPool& stacks,
             std::uint64_t seed)
        : Worker(system, stacks, seed), executor_(executor) {}
    void push(Runnable& runnable) override { executor_.submit(runnable); }
    std::uint32_t budget = 0;

   private:
    Runnable* next() override { return budget-- == 0 ? nullptr : executor_.take(); }
    IoExecutor& executor_;
  };

  Runnable* take() {
    std::lock_guard guard(queue_lock_);
    if (queue_.empty()) return nullptr;
    Runnable* first = queue_.front();
    queue_.pop_front();
    return first;
  }
  [[nodiscard]] bool has_work() {
    std::lock_guard guard(queue_lock_);
    is_posted_ = !queue_.empty();
    return is_posted_;
  }
  void post_turn() {
    ::asio::post(io_, [weak = weak_from_this()] {
      const auto self = weak.lock();
      if (self == nullptr) return;
      self->run_turn();
      self->look_at_timers();
      if (self->has_work()) self->post_turn();
    });
  }
  /// What comes for actors that have ended is bounced on the calling thread.
  void drain() {
    std::lock_guard guard(run_lock_);
    worker_->budget = ~std::uint32_t{0};
    worker_->enter();
  }
  /// False: there was nothing to do.
  bool run_turn() {
    std::lock_guard guard(run_lock_);
    if (has_stopped_.load(std::memory_order_seq_cst)) return false;  // its System may be gone
    const TimePoint now = core_->now();
    const auto wake = core_->timers().next_wake();
    const bool is_due = wake && *wake <= now;
    if (is_due) core_->timers().fire_due(now);
    {
      std::lock_guard look(queue_lock_);
      if (queue_.empty()) return is_due;
    }
    troupe::detail::flush_when_thread_ends();  // it is the user's
    worker_->budget = runs_per_turn;
    worker_->enter();
    return true;
  }
  /// On the io_context: wakes it for the earliest timer, and for none when there is none.
  void look_at_timers() {
    std::lock_guard guard(run_lock_);
    if (has_stopped_.load(std::memory_order_seq_cst)) return;  // its System may be gone
    const auto wake = core_->timers().next_wake();
    if (wake == armed_for_) return;
    armed_for_ = wake;
    if (!wake) {
      timer_.cancel();
      return;
    }
    timer_.expires_after(std::max(*wake - core_->now(), Duration::zero()));
    timer_.async_wait([weak = weak_from_this()](const std::error_code& error) {
      const auto self = weak.lock();
      if (self == nullptr || error) return;
      self->timer_is_due();
    });
  }
  void timer_is_due() {
    {
      std::lock_guard guard(run_lock_);
      armed_for_ = std::nullopt;
    }
    run_turn();
    look_at_timers();
  }

  ::asio::io_context& io_;
  ::asio::steady_timer timer_;
  SystemCore* core_ = nullptr;
  std::unique_ptr<troupe::detail::StackPool> stacks_;
  std::unique_ptr<IoWorker> worker_;
  std::unique_ptr<BlockingPool> blocking_;
  std::mutex run_lock_;
  std::mutex queue_lock_;
  std::deque<Runnable*> queue_;
  bool is_posted_ = false;
  std::optional<TimePoint> armed_for_;  ///< what timer_ waits for
  bool was_started_ = false;
  std::atomic<bool> has_stopped_{false};
  std::thread aside_;
};

}  // namespace

std::shared_ptr<troupe::detail::Executor> executor_on(::asio::io_context& io) {
  return std::make_shared<IoExecutor>(io);
}

}  // namespace troupe::asio
