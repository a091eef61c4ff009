// What runs by the clock: a million timers, and requests at a fixed rate.
#include <memory>
#include <string>
#include <vector>

#include "workloads.hpp"

using namespace caf;

namespace bench {
namespace {

Latch latch;

behavior alarm(event_based_actor* self) {
  auto fired = std::make_shared<std::int64_t>(0);
  return {
      [=](go_atom) {
        Choices choices{42};
        const double bytes = resident_bytes();
        const double begin = nanoseconds();
        for (std::int64_t i = 0; i < timers; ++i) {
          const std::chrono::milliseconds delay(timer_delay_ms_min + choices.index(timer_delays));
          self->delayed_send(self, delay, done_atom::value,
                             nanoseconds() + 1e6 * static_cast<double>(delay.count()));
        }
        result("timers_create", (nanoseconds() - begin) / timers);
        result("timers_bytes", (resident_bytes() - bytes) / timers);
      },
      [=](done_atom, double at) {
        require(nanoseconds() >= at, "a timer fired early");
        if (++*fired == timers) latch.count_down();
      }};
}

behavior server(event_based_actor* self) {
  return {[=](ping_atom, actor to, double sent) { self->send(to, pong_atom::value, sent); }};
}
behavior collector(event_based_actor* self, std::vector<double>* latencies) {
  return {[=](pong_atom, double sent) {
    latencies->push_back(nanoseconds() - sent);
    if (latencies->size() < latencies->capacity()) return;
    self->quit();
    latch.count_down();
  }};
}
struct Sent {
  double begin = nanoseconds();
  std::size_t count = 0;
  Choices choices{1};
};
behavior generator(event_based_actor* self, std::vector<actor> servers, actor to, double rate,
                   std::size_t requests) {
  auto sent = std::make_shared<Sent>();
  return {[=](go_atom) {
    const double due = (nanoseconds() - sent->begin) / 1e9 * rate;
    for (; sent->count < requests && static_cast<double>(sent->count) < due; ++sent->count)
      self->send(servers[sent->choices.index(servers.size())], ping_atom::value, to, nanoseconds());
    if (sent->count < requests) {
      self->delayed_send(self, std::chrono::milliseconds(1), go_atom::value);
    } else {
      self->quit();
    }
  }};
}
std::vector<double> latencies_at(actor_system& system, double rate, double seconds) {
  const auto requests = static_cast<std::size_t>(rate * seconds);
  std::vector<double> latencies;
  latencies.reserve(requests);
  std::vector<actor> servers;
  for (std::int64_t i = 0; i < load_servers; ++i) servers.push_back(system.spawn(server));
  latch.reset(1);
  auto to = system.spawn(collector, &latencies);
  anon_send(system.spawn(generator, servers, to, rate, requests), go_atom::value);
  latch.wait();
  return latencies;
}
void load(actor_system& system, const std::string& name, double rate) {
  latencies_at(system, rate, load_warm_up_s);
  percentiles(name, latencies_at(system, rate, load_s));
}

}  // namespace

void million_timers(actor_system& system) {
  latch.reset(1);
  const double begin = cpu_nanoseconds();
  anon_send(system.spawn(alarm), go_atom::value);
  latch.wait();
  result("timers_cpu", (cpu_nanoseconds() - begin) / timers);
}
void load_50k(actor_system& system) {
  load(system, "load50k", 50e3);
}
void load_200k(actor_system& system) {
  load(system, "load200k", 200e3);
}

}  // namespace bench
