#include "futex.hpp"

#include <climits>
#include <ctime>

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

namespace troupe::detail {

namespace {
long futex(const std::atomic<std::uint32_t>& word, int operation, std::uint32_t value,
           const timespec* timeout) {
  return syscall(SYS_futex, &word, operation | FUTEX_PRIVATE_FLAG, value, timeout, nullptr, 0);
}
}  // namespace

void futex_wait(const std::atomic<std::uint32_t>& word, std::uint32_t value,
                std::optional<std::chrono::nanoseconds> timeout) noexcept {
  timespec time{};
  if (timeout) {
    if (*timeout <= std::chrono::nanoseconds::zero()) return;
    const auto seconds = std::chrono::floor<std::chrono::seconds>(*timeout);
    time.tv_sec = seconds.count();
    time.tv_nsec = (*timeout - seconds).count();
  }
  futex(word, FUTEX_WAIT, value, timeout ? &time : nullptr);
}
void futex_wake_one(const std::atomic<std::uint32_t>& word) noexcept {
  futex(word, FUTEX_WAKE, 1, nullptr);
}
void futex_wake_all(const std::atomic<std::uint32_t>& word) noexcept {
  futex(word, FUTEX_WAKE, INT_MAX, nullptr);
}

}  // namespace troupe::detail
