// The seams' real sides: the machine's clock and its randomness. Nothing else in Troupe asks the
// machine.
#include <random>

#include <time.h>

#include <troupe/runtime/clock.hpp>
#include <troupe/runtime/random.hpp>

namespace troupe {

namespace {
class SteadyClock final : public Clock {
 public:
  [[nodiscard]] TimePoint now() const noexcept override { return std::chrono::steady_clock::now(); }
  /// What the kernel noted at its last tick is read in a fifth of the time.
  [[nodiscard]] TimePoint recent() const noexcept override {
    timespec last_tick{};
    clock_gettime(CLOCK_MONOTONIC_COARSE, &last_tick);
    return TimePoint{std::chrono::seconds{last_tick.tv_sec} + Duration{last_tick.tv_nsec}};
  }
};
class MachineWallClock final : public WallClock {
 public:
  [[nodiscard]] WallTime now() const noexcept override { return std::chrono::system_clock::now(); }
};
}  // namespace

std::shared_ptr<WallClock> wall_clock() {
  return std::make_shared<MachineWallClock>();
}

std::shared_ptr<Clock> system_clock() {
  return std::make_shared<SteadyClock>();
}

std::uint64_t random_seed() {
  std::random_device device;
  return (std::uint64_t{device()} << 32 | device()) | 1;
}

}  // namespace troupe
