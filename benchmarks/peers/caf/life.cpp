// Actors that come and go: spawn and its memory, stop, fork-join create, fib.
#include <memory>
#include <thread>
#include <vector>

#include "workloads.hpp"

using namespace caf;

namespace bench {
namespace {

Latch latch;

behavior idle(event_based_actor* self) {
  return {[=](stop_atom) { self->quit(); }};
}

behavior worker(event_based_actor* self) {
  return {[=](number_atom, std::int64_t) {
    self->send(sender_of(self), done_atom::value);
    self->quit();
  }};
}
behavior foreman(event_based_actor* self, std::int64_t jobs) {
  auto left = std::make_shared<std::int64_t>(jobs);
  return {[=](go_atom) {
            for (std::int64_t i = 0; i < jobs; ++i)
              self->send(self->spawn(worker), number_atom::value, i);
          },
          [=](done_atom) {
            if (--*left > 0) return;
            self->quit();
            latch.count_down();
          }};
}

struct Terms {
  std::int64_t sum = 0;
  int count = 0;
};
behavior fib_actor(stateful_actor<Terms>* self, actor parent) {
  const auto answer = [=](std::int64_t value) {
    self->send(parent, done_atom::value, value);
    self->quit();
  };
  return {[=](go_atom, std::int64_t n) {
            if (n <= 2) {
              answer(1);
              return;
            }
            self->send(self->spawn(fib_actor, actor{self}), go_atom::value, n - 1);
            self->send(self->spawn(fib_actor, actor{self}), go_atom::value, n - 2);
          },
          [=](done_atom, std::int64_t value) {
            self->state.sum += value;
            if (++self->state.count == 2) answer(self->state.sum);
          }};
}
behavior fib_result_actor(event_based_actor* self, std::int64_t* result) {
  return {[=](done_atom, std::int64_t value) {
    *result = value;
    self->quit();
    latch.count_down();
  }};
}
std::int64_t fib_of_actors(actor_system& system, std::int64_t n) {
  std::int64_t result = 0;
  latch.reset(1);
  anon_send(system.spawn(fib_actor, system.spawn(fib_result_actor, &result)), go_atom::value, n);
  latch.wait();
  return result;
}

}  // namespace

void spawn(actor_system& system) {
  std::vector<actor> actors;
  actors.reserve(spawned);
  const double bytes = resident_bytes();
  const double begin = nanoseconds();
  for (std::int64_t i = 0; i < spawned; ++i) actors.push_back(system.spawn(idle));
  result("spawn", (nanoseconds() - begin) / spawned);
  result("spawn_bytes", (resident_bytes() - bytes) / spawned);
  std::_Exit(0);  // stopping them takes CAF longer than everything measured here
}
void stop(actor_system& system) {
  const auto others = system.registry().running();
  const auto spawn_and_stop = [&](std::int64_t n) {
    std::vector<actor> actors;
    for (std::int64_t i = 0; i < n; ++i) actors.push_back(system.spawn(idle));
    const double begin = nanoseconds();
    for (auto& a : actors) anon_send(a, stop_atom::value);
    actors.clear();
    while (system.registry().running() > others) std::this_thread::yield();
    return (nanoseconds() - begin) / static_cast<double>(n);
  };
  spawn_and_stop(stopped / 10);
  result("stop", spawn_and_stop(stopped));
}
void create(actor_system& system) {
  const auto run = [&](std::int64_t n) {
    latch.reset(1);
    anon_send(system.spawn(foreman, n), go_atom::value);
    latch.wait();
  };
  result("fjcreate", timed(run, created, created));
}
void fib(actor_system& system) {
  fib_of_actors(system, fib_warm_up);
  const double begin = nanoseconds();
  require(fib_of_actors(system, fib_of) == fib_result, "fib");
  result("fib", (nanoseconds() - begin) / 1e6);
}

}  // namespace bench
