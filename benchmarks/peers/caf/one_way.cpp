// Floods of messages nobody answers: fan-in, fork-join, counting, radix sort.
#include <memory>
#include <vector>

#include "workloads.hpp"

using namespace caf;

namespace bench {
namespace {

Latch latch;

behavior receiver(event_based_actor* self, std::int64_t n) {
  auto left = std::make_shared<std::int64_t>(n);
  return {[=](number_atom, std::int64_t) {
    if (--*left > 0) return;
    self->quit();
    latch.count_down();
  }};
}
behavior flooder(event_based_actor* self, std::vector<actor> to, std::int64_t rounds) {
  return {[=](go_atom) {
    for (std::int64_t i = 0; i < rounds; ++i) {
      for (auto& a : to) self->send(a, number_atom::value, i);
    }
    self->quit();
  }};
}
void flood_one(actor_system& system, std::int64_t messages) {
  latch.reset(1);
  auto to = system.spawn(receiver, fanin_senders * messages);
  for (std::int64_t i = 0; i < fanin_senders; ++i)
    anon_send(system.spawn(flooder, std::vector{to}, messages), go_atom::value);
  latch.wait();
}
void flood_many(actor_system& system, std::int64_t rounds) {
  latch.reset(fork_actors);
  std::vector<actor> receivers;
  for (std::int64_t i = 0; i < fork_actors; ++i)
    receivers.push_back(system.spawn(receiver, rounds));
  anon_send(system.spawn(flooder, receivers, rounds), go_atom::value);
  latch.wait();
}

behavior counter(event_based_actor* self) {
  auto count = std::make_shared<std::int64_t>(0);
  return {[=](number_atom) { ++*count; },
          [=](get_atom) {
            self->quit();
            return *count;
          }};
}
behavior producer(event_based_actor* self, std::int64_t n) {
  return {[=](go_atom) {
    auto to = self->spawn(counter);
    for (std::int64_t i = 0; i < n; ++i) self->send(to, number_atom::value);
    self->request(to, infinite, get_atom::value).then([=](std::int64_t count) {
      require(count == n, "count");
      self->quit();
      latch.count_down();
    });
  }};
}

behavior sorter(event_based_actor* self, actor next, std::int64_t bit, std::int64_t values) {
  auto left = std::make_shared<std::int64_t>(values);
  auto ones = std::make_shared<std::vector<std::int64_t>>();
  return {[=](std::int64_t n) {
    if ((n & bit) == 0) {
      self->send(next, n);
    } else {
      ones->push_back(n);
    }
    if (--*left > 0) return;
    for (const std::int64_t one : *ones) self->send(next, one);
    self->quit();
  }};
}
behavior checker(event_based_actor* self, std::int64_t values) {
  auto left = std::make_shared<std::int64_t>(values);
  auto last = std::make_shared<std::int64_t>(0);
  return {[=](std::int64_t n) {
    require(*last <= n, "order");
    *last = n;
    if (--*left > 0) return;
    self->quit();
    latch.count_down();
  }};
}
behavior source(event_based_actor* self, actor first, std::int64_t values) {
  return {[=](go_atom) {
    Choices choices{74755};
    for (std::int64_t i = 0; i < values; ++i) self->send(first, wide_number(choices));
    self->quit();
  }};
}
void sort(actor_system& system, std::int64_t values) {
  latch.reset(1);
  auto next = system.spawn(checker, values);
  for (std::int64_t bit = radix_stages; bit-- > 0;)
    next = system.spawn(sorter, next, std::int64_t{1} << bit, values);
  anon_send(system.spawn(source, next, values), go_atom::value);
  latch.wait();
}

}  // namespace

void fan_in(actor_system& system) {
  result("fanin", timed([&](std::int64_t n) { flood_one(system, n); }, fanin_messages,
                        fanin_senders * fanin_messages));
}
void fork_join(actor_system& system) {
  result("fjthroughput", timed([&](std::int64_t n) { flood_many(system, n); }, fork_rounds,
                               fork_actors * fork_rounds));
}
void counting(actor_system& system) {
  const auto count = [&](std::int64_t n) {
    latch.reset(1);
    anon_send(system.spawn(producer, n), go_atom::value);
    latch.wait();
  };
  result("counting", timed(count, increments, increments));
}
void radix(actor_system& system) {
  result("radix", timed([&](std::int64_t n) { sort(system, n); }, radix_values,
                        (radix_stages + 2) * radix_values));
}

}  // namespace bench
