// An actor that starts another child each time one ends. CAF has no supervisors: this counts
// nothing and gives up never.
#include <memory>

#include "workloads.hpp"

using namespace caf;

namespace bench {
namespace {

Latch latch;

behavior crasher(event_based_actor* self, actor tester) {
  self->send(tester, up_atom::value, actor{self});
  return {[=](crash_atom) { self->quit(sec::runtime_error); }};
}
behavior team(event_based_actor* self, actor tester) {
  const auto start = [=] { self->spawn<monitored>(crasher, tester); };
  self->set_down_handler([=](down_msg&) { start(); });
  return {[=](go_atom) { start(); }, [=](stop_atom) { self->quit(); }};
}
behavior tester(event_based_actor* self, std::int64_t restarts) {
  auto left = std::make_shared<std::int64_t>(restarts);
  return {[=](up_atom, actor child) {
    if ((*left)-- > 0) {
      self->send(child, crash_atom::value);
    } else {
      self->quit();
      latch.count_down();
    }
  }};
}
double restart(actor_system& system, std::int64_t restarts) {
  const auto run = [&](std::int64_t n) {
    latch.reset(1);
    auto starter = system.spawn(team, system.spawn(tester, n));
    anon_send(starter, go_atom::value);
    latch.wait();
    anon_send(starter, stop_atom::value);
  };
  return timed(run, restarts, restarts);
}

}  // namespace

void restart_1k(actor_system& system) {
  result("restart_1k", restart(system, 1'000));
}
void restart_100k(actor_system& system) {
  result("restart_100k", restart(system, 100'000));
}

}  // namespace bench
