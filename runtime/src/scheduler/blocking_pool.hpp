// Threads for calls that block: started when needed, ended when idle.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <thread>

#include "executor.hpp"

namespace troupe::detail {

/// Thread safety: any thread, except construction and destruction.
class BlockingPool {
 public:
  explicit BlockingPool(std::uint32_t threads_max) : threads_max_(threads_max) {}
  BlockingPool(const BlockingPool&) = delete;
  BlockingPool& operator=(const BlockingPool&) = delete;
  /// Waits for the jobs that run.
  ~BlockingPool();
  /// Ends the threads. False: a job still runs after `limit`; then the pool must be left to it.
  bool stop(Duration limit);
  /// Runs the job soon. Beyond `threads_max` jobs wait for a thread. Throws std::system_error when
  /// not a single thread can be started.
  void run(BlockingJob& job);

 private:
  void serve();
  const std::uint32_t threads_max_;
  std::mutex mutex_;
  std::condition_variable job_came_;
  std::condition_variable thread_left_;
  BlockingJob* first_ = nullptr;
  BlockingJob* last_ = nullptr;
  std::uint32_t threads_ = 0;
  std::uint32_t idle_ = 0;
  std::uint32_t waiting_ = 0;
  bool stopping_ = false;
};

}  // namespace troupe::detail
