#include "blocking_pool.hpp"

#include <chrono>
#include <system_error>
#include <utility>

#include "../memory.hpp"

namespace troupe::detail {

namespace {
constexpr auto idle_thread_leaves_after = std::chrono::seconds(5);
}

BlockingPool::~BlockingPool() {
  std::unique_lock lock(mutex_);
  stopping_ = true;
  job_came_.notify_all();
  thread_left_.wait(lock, [&] { return threads_ == 0; });
}

bool BlockingPool::stop(Duration limit) {
  std::unique_lock lock(mutex_);
  stopping_ = true;
  job_came_.notify_all();
  return thread_left_.wait_for(lock, limit, [&] { return threads_ == 0; });
}

void BlockingPool::run(BlockingJob& job) {
  std::lock_guard lock(mutex_);
  if (idle_ <= waiting_ && threads_ < threads_max_) {
    try {
      std::thread([this] { serve(); }).detach();  // it begins with the lock
      ++threads_;
    } catch (const std::system_error&) {
      if (threads_ == 0) throw;  // otherwise a thread that exists will come to it
    }
  }
  job.next = nullptr;
  (last_ != nullptr ? last_->next : first_) = &job;
  last_ = &job;
  ++waiting_;
  job_came_.notify_one();
}

void BlockingPool::serve() {
  std::unique_lock lock(mutex_);
  for (;;) {
    ++idle_;
    const bool woken = job_came_.wait_for(lock, idle_thread_leaves_after,
                                          [&] { return first_ != nullptr || stopping_; });
    --idle_;
    if (!woken || first_ == nullptr) break;
    BlockingJob& job = *std::exchange(first_, first_->next);
    if (first_ == nullptr) last_ = nullptr;
    --waiting_;
    lock.unlock();
    job.run(job);
    lock.lock();
  }
  flush_block_cache();
  --threads_;
  thread_left_.notify_all();
}

}  // namespace troupe::detail
