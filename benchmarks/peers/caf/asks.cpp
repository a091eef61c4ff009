// Requests and their answers: clients of a server, and a bank.
#include <memory>
#include <vector>

#include "workloads.hpp"

using namespace caf;

namespace bench {
namespace {

Latch latch;

behavior server(event_based_actor* self) {
  return {[=](next_atom, std::int64_t n) { return n + 1; }, [=](stop_atom) { self->quit(); }};
}
void ask_again(event_based_actor* self, const actor& server, std::int64_t i, std::int64_t asks) {
  self->request(server, infinite, next_atom::value, i).then([=](std::int64_t next) {
    if (next < asks) {
      ask_again(self, server, next, asks);
      return;
    }
    self->quit();
    latch.count_down();
  });
}
behavior client(event_based_actor* self, actor server, std::int64_t asks) {
  return {[=](go_atom) { ask_again(self, server, 0, asks); }};
}
void serve(actor_system& system, std::int64_t clients, std::int64_t asks_of_each) {
  latch.reset(clients);
  auto to = system.spawn(server);
  for (std::int64_t i = 0; i < clients; ++i)
    anon_send(system.spawn(client, to, asks_of_each), go_atom::value);
  latch.wait();
  anon_send(to, stop_atom::value);
}

behavior account(event_based_actor* self) {
  auto balance = std::make_shared<double>(1e12);
  return {[=](credit_atom, double amount, actor to) {
            auto teller = sender_of(self);
            self->request(to, infinite, debit_atom::value, amount).await([=](done_atom) {
              *balance -= amount;
              self->send(teller, done_atom::value);
            });
          },
          [=](debit_atom, double amount) {
            *balance += amount;
            return done_atom::value;
          },
          [=](stop_atom) { self->quit(); }};
}
behavior teller(event_based_actor* self, std::vector<actor> accounts, std::int64_t transactions) {
  auto left = std::make_shared<std::int64_t>(transactions);
  return {[=](go_atom) {
            Choices choices{42};
            const std::size_t sources = accounts.size() / 10 * 8;
            for (std::int64_t i = 0; i < transactions; ++i) {
              const std::size_t from = choices.index(sources);
              const std::size_t to = from + 1 + choices.index(accounts.size() - from - 1);
              self->send(accounts[from], credit_atom::value, 1.5, accounts[to]);
            }
          },
          [=](done_atom) {
            if (--*left > 0) return;
            self->quit();
            latch.count_down();
          }};
}
void run_bank(actor_system& system, std::int64_t transactions) {
  std::vector<actor> all;
  for (std::int64_t i = 0; i < accounts; ++i) all.push_back(system.spawn(account));
  latch.reset(1);
  anon_send(system.spawn(teller, all, transactions), go_atom::value);
  latch.wait();
  for (auto& a : all) anon_send(a, stop_atom::value);
}

}  // namespace

void ask_1(actor_system& system) {
  result("ask1", timed([&](std::int64_t n) { serve(system, 1, n); }, asks, asks));
}
void ask_100(actor_system& system) {
  result("ask100", timed([&](std::int64_t n) { serve(system, 100, n / 100); }, asks, asks));
}
void banking(actor_system& system) {
  result("banking",
         timed([&](std::int64_t n) { run_bank(system, n); }, transactions, transactions));
}

}  // namespace bench
