// Randomness as a seam: one seed, split into a stream per purpose.
#pragma once

#include <cstdint>
#include <string_view>

namespace troupe {

/// A small random generator (SplitMix64; Steele, Lea, Flood, OOPSLA 2014). Good for jitter,
/// schedules and victims; not for secrets. `split` gives each purpose its own stream, so that a
/// draw added in one place shifts no other. Thread safety: one thread at a time.
class Random {
 public:
  explicit Random(std::uint64_t seed) noexcept : state_(seed) {}

  std::uint64_t next() noexcept {
    std::uint64_t z = (state_ += 0x9E3779B97F4A7C15ull);
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9ull;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBull;
    return z ^ (z >> 31);
  }
  /// A number in [0, bound); 0 when bound is 0. Multiply-shift (Lemire, ACM TOMACS 2019) of 32
  /// bits: the bias is below bound / 2^32.
  std::uint32_t below(std::uint32_t bound) noexcept {
    return static_cast<std::uint32_t>(((next() >> 32) * bound) >> 32);
  }
  /// A number in [0, 1).
  double unit() noexcept { return static_cast<double>(next() >> 11) * 0x1.0p-53; }
  bool chance(double probability) noexcept { return unit() < probability; }
  [[nodiscard]] Random split(std::string_view purpose) noexcept {
    std::uint64_t hash = next();
    for (char c : purpose) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ull;
    return Random{hash};
  }

 private:
  std::uint64_t state_;
};

/// A seed from the operating system.
[[nodiscard]] std::uint64_t random_seed();

}  // namespace troupe
