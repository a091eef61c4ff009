// The workloads on CAF 0.17 (Debian's libcaf-dev). Usage: caf WORKLOAD WORKERS
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include <caf/all.hpp>

#include "../measure.hpp"

using namespace caf;

namespace {

bench::Latch latch;

using go_atom = atom_constant<atom("go")>;
using ping_atom = atom_constant<atom("ping")>;
using pong_atom = atom_constant<atom("pong")>;
using stop_atom = atom_constant<atom("stop")>;
using next_atom = atom_constant<atom("next")>;
using number_atom = atom_constant<atom("number")>;
using token_atom = atom_constant<atom("token")>;

behavior ponger(event_based_actor* self) {
  return {[=](ping_atom, std::int64_t n) {
            self->send(actor_cast<actor>(self->current_sender()), pong_atom::value, n);
          },
          [=](stop_atom) { self->quit(); }};
}
behavior pinger(event_based_actor* self, actor other, std::int64_t n) {
  auto left = std::make_shared<std::int64_t>(n);
  return {[=](go_atom) { self->send(other, ping_atom::value, *left); },
          [=](pong_atom, std::int64_t) {
            if (--*left > 0) {
              self->send(other, ping_atom::value, *left);
              return;
            }
            self->send(other, stop_atom::value);
            self->quit();
            latch.count_down();
          }};
}
void ping_pong(actor_system& system, std::int64_t pairs, std::int64_t round_trips) {
  std::vector<actor> pingers;
  for (std::int64_t i = 0; i < pairs; ++i)
    pingers.push_back(system.spawn(pinger, system.spawn(ponger), round_trips));
  latch.reset(pairs);
  for (auto& p : pingers) anon_send(p, go_atom::value);
  latch.wait();
}

behavior receiver(event_based_actor* self, std::int64_t n) {
  auto left = std::make_shared<std::int64_t>(n);
  return {[=](number_atom, std::int64_t) {
    if (--*left > 0) return;
    self->quit();
    latch.count_down();
  }};
}
behavior flooder(event_based_actor* self, actor to, std::int64_t n) {
  return {[=](go_atom) {
    for (std::int64_t i = 0; i < n; ++i) self->send(to, number_atom::value, i);
    self->quit();
  }};
}
void fan_in(actor_system& system, std::int64_t messages) {
  latch.reset(1);
  auto to = system.spawn(receiver, bench::fanin_senders * messages);
  for (std::int64_t i = 0; i < bench::fanin_senders; ++i)
    anon_send(system.spawn(flooder, to, messages), go_atom::value);
  latch.wait();
}

behavior node(event_based_actor* self) {
  auto next = std::make_shared<actor>();
  return {[=](next_atom, actor a) { *next = a; },
          [=](token_atom, std::int64_t hops) {
            if (hops == 0) {
              latch.count_down();
            } else {
              self->send(*next, token_atom::value, hops - 1);
            }
          },
          [=](stop_atom) {
            *next = nullptr;
            self->quit();
          }};
}
void ring(actor_system& system, std::int64_t hops) {
  std::vector<actor> nodes;
  for (std::int64_t i = 0; i < bench::ring_actors; ++i) nodes.push_back(system.spawn(node));
  for (std::size_t i = 0; i < nodes.size(); ++i)
    anon_send(nodes[i], next_atom::value, nodes[(i + 1) % nodes.size()]);
  latch.reset(1);
  anon_send(nodes[0], token_atom::value, hops);
  latch.wait();
  for (auto& n : nodes) anon_send(n, stop_atom::value);
}

behavior idle(event_based_actor* self) {
  return {[=](stop_atom) { self->quit(); }};
}
void spawn(actor_system& system) {
  std::vector<actor> actors;
  actors.reserve(bench::spawned);
  const double bytes = bench::resident_bytes();
  const double begin = bench::nanoseconds();
  for (std::int64_t i = 0; i < bench::spawned; ++i) actors.push_back(system.spawn(idle));
  bench::result("spawn", (bench::nanoseconds() - begin) / bench::spawned);
  bench::result("spawn_bytes", (bench::resident_bytes() - bytes) / bench::spawned);
  std::_Exit(0);  // stopping them takes CAF longer than everything measured here
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  const std::string workload = argv[1];
  actor_system_config config;
  config.set("scheduler.max-threads", static_cast<std::size_t>(std::atoi(argv[2])));
  actor_system system{config};
  using namespace bench;
  if (workload == "pingpong") {
    bench::result("pingpong", timed([&](std::int64_t n) { ping_pong(system, 1, n); },
                                    pingpong_round_trips, 2.0 * pingpong_round_trips));
  } else if (workload == "pairs") {
    bench::result("pairs", timed([&](std::int64_t n) { ping_pong(system, pairs, n); },
                                 pair_round_trips, 2.0 * pairs * pair_round_trips));
  } else if (workload == "fanin") {
    bench::result("fanin", timed([&](std::int64_t n) { fan_in(system, n); }, fanin_messages,
                                 1.0 * fanin_senders * fanin_messages));
  } else if (workload == "ring") {
    bench::result("ring",
                  timed([&](std::int64_t n) { ring(system, n); }, ring_hops, 1.0 * ring_hops));
  } else if (workload == "spawn") {
    spawn(system);
  }
  std::fflush(stdout);
  std::_Exit(0);
}
