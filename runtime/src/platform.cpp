// The seams' real sides: the machine's clock and its randomness. Nothing else in Troupe asks the
// machine.
#include <random>

#include <time.h>

#include <troupe/runtime/clock.hpp>
#include <troupe/runtime/random.hpp>

namespace troupe {

namespace {
Duration duration_of(const timespec& t) {
  return std::chrono::seconds{t.tv_sec} + Duration{t.tv_nsec};
}

/// What the kernel noted at its last tick is read in a fifth of the time. A CPU that keeps the time
/// and is itself kept from running makes up for it within five ticks (Linux, tick_sched_do_timer).
class SteadyClock final : public Clock {
 public:
  SteadyClock() {
    timespec tick{};
    clock_getres(CLOCK_MONOTONIC_COARSE, &tick);
    ahead_ = 6 * duration_of(tick);
  }
  [[nodiscard]] TimePoint now() const noexcept override { return std::chrono::steady_clock::now(); }
  [[nodiscard]] TimePoint soon() const noexcept override {
    timespec last_tick{};
    clock_gettime(CLOCK_MONOTONIC_COARSE, &last_tick);
    return TimePoint{duration_of(last_tick)} + ahead_;
  }

 private:
  Duration ahead_;
};
}  // namespace

std::shared_ptr<Clock> system_clock() {
  return std::make_shared<SteadyClock>();
}

std::uint64_t random_seed() {
  std::random_device device;
  return (std::uint64_t{device()} << 32 | device()) | 1;
}

}  // namespace troupe
