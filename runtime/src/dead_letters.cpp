#include "dead_letters.hpp"

#include <string>

#include "system_core.hpp"

namespace troupe::detail {

void DeadLetters::add(const DeadLetter& letter) {
  core_.count_drop(letter.reason);
  core_.observe([&](Observer& o) { o.dead_letter(letter); });
  log(letter);
}

void DeadLetters::log(const DeadLetter& letter) {
  std::unique_lock lock(mutex_);
  const TimePoint now = core_.now();
  if (second_began_ == TimePoint::min() || now - second_began_ >= std::chrono::seconds(1)) {
    const std::uint64_t left_out = std::exchange(left_out_, 0);
    second_began_ = now;
    logged_ = 0;
    if (left_out > 0) {
      core_.log(LogLevel::warning, "system",
                std::to_string(left_out) + " more dead letters before this one");
    }
  }
  if (logged_ >= core_.options().dead_letters_logged_per_second_max) {
    ++left_out_;
    return;
  }
  ++logged_;
  lock.unlock();
  core_.log(LogLevel::warning, "system",
            "dead letter: " + std::string(letter.message_type) + " to " +
                letter.receiver.to_string() + " from " +
                (letter.sender ? letter.sender.to_string() : "outside") + ": " +
                std::string(to_string(letter.reason)));
}

void DeadLetters::flush() {
  std::lock_guard guard(mutex_);
  if (left_out_ == 0) return;
  core_.log(LogLevel::warning, "system",
            std::to_string(std::exchange(left_out_, 0)) + " more dead letters");
}

}  // namespace troupe::detail
