// Messages that are answered by messages: ping-pong, pairs, ring, big, chameneos.
#include <memory>
#include <utility>
#include <vector>

#include "workloads.hpp"

using namespace caf;

namespace bench {
namespace {

Latch latch;

behavior ponger(event_based_actor* self) {
  return {[=](ping_atom, std::int64_t n) { self->send(sender_of(self), pong_atom::value, n); },
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
void play(actor_system& system, std::int64_t pairs, std::int64_t round_trips) {
  std::vector<actor> pingers;
  for (std::int64_t i = 0; i < pairs; ++i)
    pingers.push_back(system.spawn(pinger, system.spawn(ponger), round_trips));
  latch.reset(pairs);
  for (auto& p : pingers) anon_send(p, go_atom::value);
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
void pass_round(actor_system& system, std::int64_t hops) {
  std::vector<actor> nodes;
  for (std::int64_t i = 0; i < ring_actors; ++i) nodes.push_back(system.spawn(node));
  for (std::size_t i = 0; i < nodes.size(); ++i)
    anon_send(nodes[i], next_atom::value, nodes[(i + 1) % nodes.size()]);
  latch.reset(1);
  anon_send(nodes[0], token_atom::value, hops);
  latch.wait();
  for (auto& n : nodes) anon_send(n, stop_atom::value);
}

struct Neighborhood {
  const std::vector<actor>* all;  // main's
  Choices choices;
  std::int64_t left;
};
behavior neighbor(event_based_actor* self, const std::vector<actor>* all, std::uint32_t seed,
                  std::int64_t visits) {
  auto state = std::make_shared<Neighborhood>(Neighborhood{all, Choices{seed}, visits});
  const auto visit_one = [=] {
    self->send((*state->all)[state->choices.index(state->all->size())], ping_atom::value);
  };
  return {[=](go_atom) { visit_one(); },
          [=](ping_atom) { self->send(sender_of(self), pong_atom::value); },
          [=](pong_atom) {
            if (--state->left > 0) {
              visit_one();
            } else {
              latch.count_down();
            }
          },
          [=](stop_atom) { self->quit(); }};
}
void visit_all(actor_system& system, std::int64_t visits) {
  std::vector<actor> all;
  const auto others = system.registry().running();
  for (std::uint32_t i = 0; i < big_actors; ++i)
    all.push_back(system.spawn(neighbor, &all, i * 7919 + 1, visits));
  latch.reset(big_actors);
  for (auto& a : all) anon_send(a, go_atom::value);
  latch.wait();
  for (auto& a : all) anon_send(a, stop_atom::value);
  system.registry().await_running_count_equal(others);
}

struct Waiting {
  std::int64_t left;
  strong_actor_ptr creature = nullptr;
  int color = 0;
  std::int64_t gone = 0;
};
behavior mall(event_based_actor* self, std::int64_t meetings) {
  auto state = std::make_shared<Waiting>(Waiting{meetings});
  return {[=](enter_atom, int color) {
            if (state->left == 0) {
              self->send(sender_of(self), stop_atom::value);
            } else if (!state->creature) {
              state->creature = self->current_sender();
              state->color = color;
            } else {
              self->send(actor_cast<actor>(std::exchange(state->creature, nullptr)),
                         change_atom::value, color);
              self->send(sender_of(self), change_atom::value, state->color);
              --state->left;
            }
          },
          [=](left_atom, std::int64_t) {
            if (++state->gone < creatures) return;
            self->quit();
            latch.count_down();
          }};
}
behavior creature(event_based_actor* self, actor mall, int first_color) {
  auto color = std::make_shared<int>(first_color);
  auto met = std::make_shared<std::int64_t>(0);
  return {[=](go_atom) { self->send(mall, enter_atom::value, *color); },
          [=](change_atom, int other) {
            *color = complement(*color, other);
            ++*met;
            self->send(mall, enter_atom::value, *color);
          },
          [=](stop_atom) {
            self->send(mall, left_atom::value, *met);
            self->quit();
          }};
}
void open_mall(actor_system& system, std::int64_t meetings) {
  latch.reset(1);
  auto to = system.spawn(mall, meetings);
  for (int i = 0; i < creatures; ++i) anon_send(system.spawn(creature, to, i % 3), go_atom::value);
  latch.wait();
}

}  // namespace

void ping_pong(actor_system& system) {
  result("pingpong", timed([&](std::int64_t n) { play(system, 1, n); }, pingpong_round_trips,
                           2 * pingpong_round_trips));
}
void many_pairs(actor_system& system) {
  result("pairs", timed([&](std::int64_t n) { play(system, pairs, n); }, pair_round_trips,
                        2 * pairs * pair_round_trips));
}
void ring(actor_system& system) {
  result("ring", timed([&](std::int64_t n) { pass_round(system, n); }, ring_hops, ring_hops));
}
void big(actor_system& system) {
  result("big", timed([&](std::int64_t n) { visit_all(system, n); }, big_pings,
                      2 * big_actors * big_pings));
}
void chameneos(actor_system& system) {
  result("chameneos", timed([&](std::int64_t n) { open_mall(system, n); }, meetings, meetings));
}

}  // namespace bench
