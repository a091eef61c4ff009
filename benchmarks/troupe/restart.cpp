// A supervisor restarts a child each time it throws.
#include <stdexcept>

#include <troupe/supervision/supervision.hpp>

#include "workloads.hpp"

namespace bench {
namespace {

using namespace std::chrono_literals;

Latch latch;

struct Crash {};
struct Up {
  troupe::Ref<Crash> child;
};
class Crasher : public troupe::Actor<Crash> {
 public:
  explicit Crasher(troupe::Ref<Up> tester) : tester_(tester) {}
  void on_start() override { tester_.tell(Up{self()}); }
  void receive(const Crash&) { throw std::runtime_error("a bug"); }

 private:
  troupe::Ref<Up> tester_;
};
/// Crashes the child each time it is up, so many times.
class Tester : public troupe::Actor<Up> {
 public:
  explicit Tester(std::int64_t restarts) : left_(restarts) {}
  void receive(const Up& m) {
    if (left_-- > 0) {
      m.child.tell(Crash{});
    } else {
      stop();
      latch.count_down();
    }
  }

 private:
  std::int64_t left_;
};
class Team : public troupe::Supervisor<> {
 public:
  explicit Team(troupe::Ref<Up> tester)
      : Supervisor{{.restarts_max = 1'000'000, .within = 1s}}, tester_(tester) {}
  void on_start() override { start_child<Crasher>({.id = "crasher"}, tester_); }

 private:
  troupe::Ref<Up> tester_;
};

double restart(troupe::System& system, std::int64_t restarts) {
  const auto run = [&](std::int64_t n) {
    latch.reset(1);
    auto team = system.spawn<Team>(system.spawn<Tester>(n));
    latch.wait();
    static_cast<void>(system.stop(team));
  };
  return timed(run, restarts, restarts);
}

}  // namespace

void restart_1k(troupe::System& system) {
  result("restart_1k", restart(system, 1'000));
}
void restart_100k(troupe::System& system) {
  result("restart_100k", restart(system, 100'000));
}

}  // namespace bench
