// Counts and reports what was not handled: observers hear of each, the log of the first few a
// second.
#pragma once

#include <cstdint>
#include <mutex>

#include <troupe/runtime/clock.hpp>
#include <troupe/runtime/dead_letters.hpp>

namespace troupe::detail {

class SystemCore;

/// Thread safety: any thread.
class DeadLetters {
 public:
  explicit DeadLetters(SystemCore& core) : core_(core) {}
  void add(const DeadLetter& letter);
  /// Logs how many were left out of the log so far, if any.
  void flush();

 private:
  void log(const DeadLetter& letter);
  SystemCore& core_;
  std::mutex mutex_;
  TimePoint second_began_ = TimePoint::min();
  std::uint64_t logged_ = 0;
  std::uint64_t left_out_ = 0;
};

}  // namespace troupe::detail
