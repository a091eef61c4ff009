// Sleeping on a word: Linux's futex. std::atomic::wait of libstdc++ 12 spins first and knows no
// deadline.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>

namespace troupe::detail {

/// Sleeps while `word` holds `value`, until woken or `timeout` is over. May return for no reason.
void futex_wait(const std::atomic<std::uint32_t>& word, std::uint32_t value,
                std::optional<std::chrono::nanoseconds> timeout = {}) noexcept;
void futex_wake_one(const std::atomic<std::uint32_t>& word) noexcept;
void futex_wake_all(const std::atomic<std::uint32_t>& word) noexcept;

}  // namespace troupe::detail
