// A lock for a few instructions, where a waiting thread would only lose by sleeping.
#pragma once

#include <atomic>
#include <thread>

namespace troupe::detail {

/// Thread safety: any thread. Never held across anything that waits, allocates much or calls user
/// code.
class SpinLock {
 public:
  void lock() noexcept {
    // Partner: unlock's release.
    for (int tries = 0; locked_.exchange(true, std::memory_order_acquire); ++tries) {
      if (tries > 64) std::this_thread::yield();
    }
  }
  void unlock() noexcept {
    locked_.store(false, std::memory_order_release);  // partner: lock's acquire
  }

 private:
  std::atomic<bool> locked_{false};
};

}  // namespace troupe::detail
