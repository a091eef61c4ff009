#include "thread_executor.hpp"

#include <algorithm>
#include <condition_variable>
#include <deque>

#include <troupe/runtime/detail/mutant.hpp>

#include "../futex.hpp"
#include "../memory.hpp"
#include "../stall_watch.hpp"
#include "../system_core.hpp"

namespace troupe::detail {

namespace {
constexpr std::uint32_t slot_runs_in_a_row_max = 3;  // then the deque gets its turn (R15)
constexpr std::uint32_t inject_look_interval =
    61;  // a prime, so that it falls into step with nothing
constexpr auto service_tick = std::chrono::milliseconds(1);
/// Who has sent what was due sleeps so long at least: timers close together are one wake. A part of
/// the wheel's tick.
constexpr Duration timer_slack = std::chrono::microseconds(250);
}  // namespace

class ThreadWorker final : public Worker {
 public:
  ThreadWorker(ThreadExecutor& executor, SystemCore& system, StackPool& stacks, std::uint64_t seed,
               std::uint32_t number, bool alone)
      : Worker(system, stacks, seed), index(number), executor_(executor), is_alone_(alone) {}

  void push(Runnable& runnable) override {
    if (slot.load(std::memory_order_relaxed) == nullptr) {  // thieves only empty it
      slot.store(&runnable, std::memory_order_release);     // partner: a thief's exchange
      return;
    }
    Runnable* older = exchange_slot(&runnable);
    if (older == nullptr) return;
    if (deque.push(older)) {
      executor_.work_was_queued();
    } else {
      executor_.submit(*older);
    }
  }

  void inject(Runnable& runnable) override {
    {
      std::lock_guard guard(inbox_lock_);
      inbox_.push_back(&runnable);
      has_inbox.store(true, std::memory_order_seq_cst);  // before the look at who sleeps
    }
    executor_.wake(index);
  }

  const std::uint32_t index;
  std::atomic<bool> has_inbox{false};  ///< or it is to stop
  std::atomic<Runnable*> slot{nullptr};
  std::atomic<bool> slot_for_thieves{
      false};                            ///< set by the service thread when this worker is stuck
  std::atomic<std::uint32_t> looks{0};   ///< changes with each look beyond the slot
  std::uint32_t looks_at_last_tick = 0;  ///< the service thread's
  Parker::Word awake{1};
  Deque<Runnable> deque;

 private:
  Runnable* next() override {
    // Looked at again before it sleeps, so seen soon enough.
    const bool is_called = has_inbox.load(std::memory_order_relaxed);
    if (--until_inject_look_ != 0 && !is_called) [[likely]] {
      if (slot_streak_ >= slot_runs_in_a_row_max && deque.empty()) slot_streak_ = 0;
      if (slot_streak_ < slot_runs_in_a_row_max) {
        if (Runnable* r = take_slot()) return r;
      }
    }
    return look_everywhere();
  }

  [[gnu::noinline]] Runnable* look_everywhere() {
    looks.store(looks.load(std::memory_order_relaxed) + 1,
                std::memory_order_relaxed);  // read by the service thread, which needs no order
    const bool inject_first = until_inject_look_ == 0;
    if (inject_first) until_inject_look_ = inject_look_interval;
    for (;;) {
      if (executor_.stopping_.load(std::memory_order_relaxed)) {  // set for good; seen soon enough
        return executor_.draining_.load(std::memory_order_relaxed) ? drain() : nullptr;  // as well
      }
      if (has_inbox.load(std::memory_order_relaxed)) {  // sleep looks again
        if (Runnable* r = take_from_inbox()) return r;
      }
      if (inject_first) {
        if (Runnable* r = executor_.take_injected()) return r;
      }
      if (Runnable* r = take_own()) return r;
      if (Runnable* r = executor_.take_injected()) return r;
      if (Runnable* r = executor_.steal(*this)) return r;
      Counters::add(counters.parks);
      if (!executor_.sleep(*this)) return nullptr;
    }
  }

  Runnable* drain() {
    if (Runnable* r = take_own()) return r;
    if (Runnable* r = executor_.take_injected()) return r;
    return executor_.steal(*this);
  }

  Runnable* take_from_inbox() {
    std::lock_guard guard(inbox_lock_);
    Runnable* first = inbox_.empty() ? nullptr : inbox_.front();
    if (first != nullptr) inbox_.pop_front();
    has_inbox.store(!inbox_.empty(), std::memory_order_seq_cst);
    return first;
  }

  Runnable* take_own() {
    const bool others_first = slot_streak_ >= slot_runs_in_a_row_max;
    if (others_first) {
      slot_streak_ = 0;
      if (Runnable* r = deque.take()) return r;
    }
    if (Runnable* r = take_slot()) return r;
    slot_streak_ = 0;
    return deque.take();
  }

  Runnable* take_slot() {
    Runnable* r = slot.load(std::memory_order_relaxed);  // the exchange decides
    if (r == nullptr) return nullptr;
    if (is_alone_) {
      slot.store(nullptr, std::memory_order_relaxed);  // there is no thief
    } else {
      r = slot.exchange(nullptr, std::memory_order_acq_rel);  // partner: a thief's exchange
      if (r == nullptr) return nullptr;
    }
    ++slot_streak_;
    return r;
  }

  Runnable* exchange_slot(Runnable* with) {
    if (!is_alone_)
      return slot.exchange(with, std::memory_order_acq_rel);  // partner: a thief's exchange
    Runnable* before = slot.load(std::memory_order_relaxed);  // there is no thief
    slot.store(with, std::memory_order_relaxed);
    return before;
  }

  ThreadExecutor& executor_;
  SpinLock inbox_lock_;
  std::deque<Runnable*> inbox_;  ///< for this worker and no other
  const bool is_alone_;          ///< the only worker: nobody steals
  std::uint32_t slot_streak_ = 0;
  std::uint32_t until_inject_look_ = inject_look_interval;
};

/// The thread of one pinned actor, and of the next one when that has ended. What its actor wakes
/// goes to the other workers.
class PinnedWorker final : public Worker {
 public:
  PinnedWorker(ThreadExecutor& executor, SystemCore& system, StackPool& stacks, std::uint64_t seed)
      : Worker(system, stacks, seed), executor_(executor) {}

  void push(Runnable& runnable) override {
    if (&runnable == cell) {
      inject(runnable);  // it goes on later
    } else {
      executor_.submit(runnable);
    }
  }
  void inject(Runnable& runnable) override {
    {
      std::lock_guard guard(lock_);
      queue_.push_back(&runnable);
      if (!std::exchange(is_awake_, true))
        executor_.parker_.busy.fetch_add(1, std::memory_order_seq_cst);  // on its behalf
    }
    work_came_.notify_one();
  }
  void stop() {
    {
      std::lock_guard guard(lock_);
      is_stopping_ = true;
    }
    work_came_.notify_one();
  }
  std::thread thread;

 private:
  Runnable* next() override {
    std::unique_lock lock(lock_);
    for (;;) {
      if (!queue_.empty()) {
        Runnable* first = queue_.front();
        queue_.pop_front();
        return first;
      }
      if (std::exchange(is_awake_, false)) executor_.done_being_busy();
      if (is_stopping_) return nullptr;
      work_came_.wait(lock, [this] { return is_stopping_ || !queue_.empty(); });
    }
  }

  ThreadExecutor& executor_;
  std::mutex lock_;
  std::condition_variable work_came_;
  std::deque<Runnable*> queue_;
  bool is_awake_ = false;  ///< counted in the parker's busy
  bool is_stopping_ = false;
};

ThreadExecutor::ThreadExecutor(bool drive_timers) : drive_timers_(drive_timers) {}
ThreadExecutor::~ThreadExecutor() {
  join_aside();
}

void ThreadExecutor::start(SystemCore& core) {
  core_ = &core;
  const SystemOptions& options = core.options();
  std::uint32_t count =
      options.workers != 0 ? options.workers : std::thread::hardware_concurrency();
  count = std::clamp(count, 1u, Parker::workers_max);
  stacks_ = std::make_unique<StackPool>(core.stack_bytes());
  blocking_ = std::make_unique<BlockingPool>(options.blocking_threads_max);
  for (std::uint32_t i = 0; i < count; ++i) {
    workers_.push_back(
        std::make_unique<ThreadWorker>(*this, core, *stacks_, core.next_seed(), i, count == 1));
    core.add_worker(*workers_.back());
  }
  parker_.busy = count;
  running_threads_ = count;
  try {
    start_threads();
  } catch (...) {  // std::system_error, for the caller, once those that did start have ended
    running_threads_ = static_cast<std::uint32_t>(threads_.size());
    stop(std::chrono::hours(1));
    throw;
  }
}

void ThreadExecutor::start_threads() {
  threads_.reserve(workers_.size());
  for (auto& worker : workers_) {
    threads_.emplace_back([this, &worker = *worker] {
      worker.enter();
      flush_block_cache();
      done_being_busy();
      running_threads_.fetch_sub(1);
      futex_wake_all(running_threads_);
    });
  }
  if (drive_timers_) service_ = std::thread([this] { serve(); });
}

Worker* ThreadExecutor::pin() {
  std::lock_guard guard(pinned_lock_);
  if (!free_pinned_.empty()) {
    PinnedWorker* worker = free_pinned_.back();
    free_pinned_.pop_back();
    return worker;
  }
  auto made = std::make_unique<PinnedWorker>(*this, *core_, *stacks_, core_->next_seed());
  PinnedWorker& worker = *made;
  running_threads_.fetch_add(1);
  try {
    worker.thread = std::thread([this, &worker] {
      worker.enter();
      flush_block_cache();
      running_threads_.fetch_sub(1);
      futex_wake_all(running_threads_);
    });
  } catch (...) {  // std::system_error, for the spawner
    running_threads_.fetch_sub(1);
    throw;
  }
  pinned_.push_back(std::move(made));
  core_->add_worker(worker);
  return &worker;
}

void ThreadExecutor::unpin(Worker& worker) {
  std::lock_guard guard(pinned_lock_);
  free_pinned_.push_back(&static_cast<PinnedWorker&>(worker));
}

void ThreadExecutor::submit(Runnable& runnable) {
  {
    std::lock_guard guard(inject_lock_);
    runnable.next_runnable = nullptr;
    (inject_last_ != nullptr ? inject_last_->next_runnable : inject_first_) = &runnable;
    inject_last_ = &runnable;
    injected_.fetch_add(1, std::memory_order_seq_cst);  // before the look at who sleeps
  }
  work_was_queued();
  if (draining_.load(std::memory_order_seq_cst) && Worker::current() == nullptr) drain();
}

/// Runs what is queued on the calling thread. The workers have ended; what comes now is for actors
/// that have ended, and is bounced.
void ThreadExecutor::drain() {
  std::lock_guard guard(drain_lock_);
  for (auto& worker : workers_) worker->slot_for_thieves = true;
  workers_.front()->enter();
}

Runnable* ThreadExecutor::take_injected() {
  if (injected_.load(std::memory_order_seq_cst) == 0) return nullptr;
  std::lock_guard guard(inject_lock_);
  Runnable* first = inject_first_;
  if (first == nullptr) return nullptr;
  inject_first_ = first->next_runnable;
  if (inject_first_ == nullptr) inject_last_ = nullptr;
  injected_.fetch_sub(1, std::memory_order_seq_cst);
  return first;
}

Runnable* ThreadExecutor::look_at_others(ThreadWorker& thief) {
  Runnable* found = nullptr;
  const std::uint32_t first = thief.random.below(static_cast<std::uint32_t>(workers_.size()));
  for (std::uint32_t i = 0; i < workers_.size() && found == nullptr; ++i) {
    ThreadWorker& victim = *workers_[(first + i) % workers_.size()];
    if (&victim == &thief) continue;
    found = victim.deque.take();
    if (found == nullptr && victim.slot_for_thieves.exchange(false) &&
        !mutant("thief_leaves_the_slot")) {
      found = victim.slot.exchange(
          nullptr, std::memory_order_acq_rel);  // partner: push and take_own of the victim
    }
  }
  return found;
}

Runnable* ThreadExecutor::steal(ThreadWorker& thief) {
  if (workers_.size() == 1) return nullptr;
  Runnable* found = parker_.search([&] { return look_at_others(thief); });
  if (found != nullptr) {
    Counters::add(thief.counters.steals);
    work_was_queued();  // more may be left, and nobody was woken while this one searched
  }
  return found;
}

bool ThreadExecutor::sees_work(const ThreadWorker& worker) const noexcept {
  if (injected_.load(std::memory_order_seq_cst) != 0 ||
      worker.slot.load(std::memory_order_seq_cst) != nullptr ||
      worker.has_inbox.load(std::memory_order_seq_cst))
    return true;
  return std::any_of(workers_.begin(), workers_.end(), [&](const auto& w) {
    return !w->deque.empty() ||
           (w.get() != &worker && w->slot_for_thieves.load(std::memory_order_seq_cst));
  });
}

void ThreadExecutor::work_was_queued() {
  if (const std::uint32_t index = parker_.sleeper_for_work(); index != Parker::nobody) wake(index);
}

void ThreadExecutor::wake(std::uint32_t index) {
  parker_.wake(index, workers_[index]->awake, [](Parker::Word& awake) { futex_wake_one(awake); });
}

/// What its parker asks of a worker.
struct ThreadExecutor::ParkingWorker {
  ThreadExecutor& executor;
  ThreadWorker& worker;

  [[nodiscard]] bool sees_work() const noexcept {
    return executor.sees_work(worker) || executor.stopping_.load(std::memory_order_seq_cst);
  }
  void done_being_busy() const { executor.done_being_busy(); }
  static void wait(const Parker::Word& awake) noexcept { futex_wait(awake, 0); }
};

bool ThreadExecutor::sleep(ThreadWorker& worker) {
  const bool slept = parker_.sleep(worker.index, worker.awake, ParkingWorker{*this, worker});
  if (slept && drive_timers_ && !ticking_.exchange(true)) timers_changed();
  return !stopping_.load(std::memory_order_seq_cst);
}

void ThreadExecutor::done_being_busy() {
  if (parker_.busy.fetch_sub(1, std::memory_order_seq_cst) != 1) return;
  quiescence_.fetch_add(1, std::memory_order_seq_cst);
  futex_wake_all(quiescence_);
}

void ThreadExecutor::wait_quiescent() {
  for (;;) {
    const std::uint32_t seen = quiescence_.load(std::memory_order_seq_cst);
    if (is_quiescent()) return;
    futex_wait(quiescence_, seen);
  }
}

void ThreadExecutor::submit_blocking(BlockingJob& job) {
  parker_.busy.fetch_add(1, std::memory_order_seq_cst);
  struct Counted : BlockingJob {
    ThreadExecutor* executor;
    BlockingJob* job;
  };
  auto* counted = new Counted;
  counted->executor = this;
  counted->job = &job;
  counted->run = [](BlockingJob& self) {
    auto& c = static_cast<Counted&>(self);
    ThreadExecutor& executor = *c.executor;
    c.job->run(*c.job);
    delete &c;
    executor.done_being_busy();
  };
  try {
    blocking_->run(*counted);
  } catch (...) {  // no thread to be had: the caller hears of it
    delete counted;
    done_being_busy();
    throw;
  }
}

void ThreadExecutor::timers_changed() {
  service_word_.fetch_add(1, std::memory_order_seq_cst);
  futex_wake_one(service_word_);
}

void ThreadExecutor::serve() {
  StallWatch stalls(*core_);
  stalls.something_ran();  // perhaps: workers may have run and gone to sleep before this thread
  while (!stopping_.load(std::memory_order_seq_cst)) {
    const std::uint32_t seen = service_word_.load(std::memory_order_seq_cst);
    const bool fired = core_->timers().fire_due(core_->now());
    const bool is_busy = parker_.busy.load(std::memory_order_seq_cst) != 0;
    if (!is_busy && ticking_.exchange(false)) {
      stalls.something_ran();
      if (parker_.busy.load(std::memory_order_seq_cst) != 0) continue;
    }
    const TimePoint wake_at = std::min(
        core_->timers().next_wake().value_or(TimePoint::max()),
        std::min(
            stalls.look(core_->now(), is_busy).value_or(TimePoint::max()),
            std::min(core_->memory_watch().look(core_->now(), is_busy).value_or(TimePoint::max()),
                     core_->reaper().look(core_->now(), is_busy).value_or(TimePoint::max()))));
    const bool tick_on = is_busy && workers_.size() > 1;
    std::optional<Duration> nap;
    if (wake_at != TimePoint::max())
      nap = std::max(wake_at - core_->now(), fired ? timer_slack : Duration::zero());
    if (tick_on) nap = std::min<Duration>(nap.value_or(service_tick), service_tick);
    futex_wait(service_word_, seen, nap);
    if (tick_on) tick();
  }
  flush_block_cache();
}

/// Lets thieves at the slot of a worker that has not looked beyond it since the last tick: it is in
/// one long handler, or had few that were not short.
void ThreadExecutor::tick() {
  for (auto& worker : workers_) {
    const std::uint32_t looks =
        worker->looks.load(std::memory_order_relaxed);  // any recent value will do
    const bool stuck = looks == worker->looks_at_last_tick &&
                       worker->slot.load(std::memory_order_relaxed) != nullptr;
    worker->looks_at_last_tick = looks;
    if (!stuck || parker_.sleepers.load(std::memory_order_seq_cst) == 0) continue;
    worker->slot_for_thieves.store(true, std::memory_order_seq_cst);
    work_was_queued();
  }
}

void ThreadExecutor::wait_outside(const std::function<bool()>& over,
                                  const std::atomic<std::uint32_t>& word, TimePoint deadline) {
  for (;;) {
    const std::uint32_t seen = word.load(std::memory_order_seq_cst);
    if (over()) return;
    std::optional<Duration> left;
    if (deadline != TimePoint::max()) {
      left = deadline - core_->now();
      if (*left <= Duration::zero()) return;
    }
    futex_wait(word, seen, left);
  }
}

void ThreadExecutor::run_aside(std::function<void()> f) {
  TROUPE_CHECK(!aside_.joinable(), "one thread aside is enough");
  aside_ = std::thread(std::move(f));
}

void ThreadExecutor::join_aside() {
  if (aside_.joinable()) aside_.join();
}

bool ThreadExecutor::stop(Duration limit) {
  stopping_.store(true, std::memory_order_seq_cst);
  for (auto& worker : workers_) worker->has_inbox.store(true, std::memory_order_seq_cst);
  for (std::uint32_t i = 0; i < workers_.size(); ++i) wake(i);
  for (auto& worker : pinned_) worker->stop();  // nobody spawns any more
  timers_changed();
  if (service_.joinable()) service_.join();
  while (const std::uint32_t left = running_threads_.load(std::memory_order_seq_cst)) {
    futex_wait(running_threads_, left, limit);  // each thread that ends begins the limit anew
    if (running_threads_.load(std::memory_order_seq_cst) != left) continue;
    for (auto& thread : threads_) thread.detach();
    for (auto& worker : pinned_) worker->thread.detach();
    return false;
  }
  for (auto& thread : threads_) thread.join();
  for (auto& worker : pinned_) worker->thread.join();
  if (!blocking_->stop(limit)) return false;  // its System is left behind, and this with it
  draining_.store(true, std::memory_order_seq_cst);
  drain();  // what was queued when the workers left
  return true;
}

}  // namespace troupe::detail
