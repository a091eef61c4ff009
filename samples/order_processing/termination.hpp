// SIGTERM as an event, on a thread of its own.
#pragma once

#include <atomic>
#include <functional>
#include <thread>

namespace orders {

/// From here on SIGTERM does nothing by itself, in this thread and those it starts.
void block_termination();

/// Calls `f`, once, when SIGTERM comes, which block_termination has blocked in all threads.
/// Thread safety: construction and destruction by one thread.
class OnTermination {
 public:
  explicit OnTermination(std::function<void()> f);
  OnTermination(const OnTermination&) = delete;
  OnTermination& operator=(const OnTermination&) = delete;
  ~OnTermination();

 private:
  std::atomic<bool> is_over_{false};
  std::thread thread_;
};

}  // namespace orders
