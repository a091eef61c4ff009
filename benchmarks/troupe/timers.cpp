// A million timers pending at once, all of them fire. What one costs to make, weighs, and costs in
// all.
#include "workloads.hpp"

namespace bench {
namespace {

Latch latch;

struct Go {};
struct Due {
  troupe::TimePoint at;
};
class Alarm : public troupe::Actor<Go, Due> {
 public:
  void receive(const Go&) {
    Choices choices{42};
    const double bytes = resident_bytes();
    const double begin = nanoseconds();
    for (std::int64_t i = 0; i < timers; ++i) {
      const std::chrono::milliseconds delay(timer_delay_ms_min + choices.index(timer_delays));
      self().tell_after(delay, Due{now() + delay});
    }
    result("timers_create", (nanoseconds() - begin) / timers);
    result("timers_bytes", (resident_bytes() - bytes) / timers);
  }
  void receive(const Due& m) {
    require(now() >= m.at, "a timer fired early");
    if (++fired_ == timers) latch.count_down();
  }

 private:
  std::int64_t fired_ = 0;
};

}  // namespace

void million_timers(troupe::System& system) {
  latch.reset(1);
  const double begin = cpu_nanoseconds();
  system.spawn<Alarm>().tell(Go{});
  latch.wait();
  result("timers_cpu", (cpu_nanoseconds() - begin) / timers);
}

}  // namespace bench
