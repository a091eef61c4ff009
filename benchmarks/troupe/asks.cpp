// Asks and awaits, in actors and outside: clients of a server, a bank, and what waiting weighs.
#include <vector>

#include "workloads.hpp"

namespace bench {
namespace {

Latch latch;

struct Go {};
struct Next {
  std::int64_t n;
  using Reply = std::int64_t;
};
class Server : public troupe::Actor<Next> {
 public:
  std::int64_t receive(const Next& m) { return m.n + 1; }
};
class Client : public troupe::Actor<Go> {
 public:
  Client(troupe::Ref<Next> server, std::int64_t asks) : server_(server), asks_(asks) {}
  void receive(const Go&) {
    for (std::int64_t i = 0; i < asks_; i = server_.ask(Next{i}).await()) {
    }
    stop();
    latch.count_down();
  }

 private:
  troupe::Ref<Next> server_;
  std::int64_t asks_;
};

void serve(troupe::System& system, std::int64_t clients, std::int64_t asks_of_each) {
  latch.reset(clients);
  auto server = system.spawn<Server>();
  for (std::int64_t i = 0; i < clients; ++i) system.spawn<Client>(server, asks_of_each).tell(Go{});
  latch.wait();
  static_cast<void>(system.stop(server));
}

struct Debit {
  double amount;
  using Reply = void;
};
struct Booked {};
struct Credit {
  double amount;
  troupe::Ref<Debit> to;
  troupe::Ref<Booked> teller;
};
class Account : public troupe::Actor<Credit, Debit> {
 public:
  void receive(const Credit& m) {
    m.to.ask(Debit{m.amount}, troupe::no_timeout).await();  // its queue is as long as ours
    balance_ -= m.amount;
    m.teller.tell(Booked{});
  }
  void receive(const Debit& m) { balance_ += m.amount; }

 private:
  double balance_ = 1e12;
};
class Teller : public troupe::Actor<Go, Booked> {
 public:
  Teller(std::vector<troupe::Ref<Account>> accounts, std::int64_t transactions)
      : accounts_(std::move(accounts)), left_(transactions) {}
  void receive(const Go&) {
    Choices choices{42};
    const std::size_t sources = accounts_.size() / 10 * 8;
    for (std::int64_t i = 0; i < left_; ++i) {
      const std::size_t from = choices.index(sources);
      const std::size_t to = from + 1 + choices.index(accounts_.size() - from - 1);
      accounts_[from].tell(Credit{1.5, accounts_[to], self()});
    }
  }
  void receive(const Booked&) {
    if (--left_ > 0) return;
    stop();
    latch.count_down();
  }

 private:
  std::vector<troupe::Ref<Account>> accounts_;
  std::int64_t left_;
};

void run_bank(troupe::System& system, std::int64_t transactions) {
  std::vector<troupe::Ref<Account>> all;
  for (std::int64_t i = 0; i < accounts; ++i) all.push_back(system.spawn<Account>());
  latch.reset(1);
  system.spawn<Teller>(all, transactions).tell(Go{});
  latch.wait();
  for (auto& account : all) static_cast<void>(system.stop(account));
}

/// Never answers, and says when everybody waits.
class Silent : public troupe::Actor<Next> {
 public:
  void receive(const Next&, troupe::ReplyTo<std::int64_t> reply) {
    unanswered_.push_back(std::move(reply));
    latch.count_down();
  }

 private:
  std::vector<troupe::ReplyTo<std::int64_t>> unanswered_;
};
class OnFiber : public troupe::Actor<Go> {
 public:
  explicit OnFiber(troupe::Ref<Next> other) : other_(other) {}
  void receive(const Go&) { other_.ask(Next{1}, troupe::no_timeout).await(); }

 private:
  troupe::Ref<Next> other_;
};
class OnCoroutine : public troupe::Actor<Go> {
 public:
  explicit OnCoroutine(troupe::Ref<Next> other) : other_(other) {}
  troupe::Task<void> receive(Go) {
    auto answer = other_.ask(Next{1}, troupe::no_timeout);
    co_await answer;
  }

 private:
  troupe::Ref<Next> other_;
};
/// Bytes of an actor that waits for an answer, all in all.
template <class Waiter>
double waiting_bytes(troupe::System& system) {
  auto silent = system.spawn<Silent>();
  const double bytes = resident_bytes();
  latch.reset(suspended);
  for (std::int64_t i = 0; i < suspended; ++i) system.spawn<Waiter>(silent).tell(Go{});
  latch.wait();
  return (resident_bytes() - bytes) / suspended;
}

/// Bytes of a process that waits for its first message.
double process_bytes(troupe::System& system) {
  const double bytes = resident_bytes();
  latch.reset(suspended);
  for (std::int64_t i = 0; i < suspended; ++i) {
    static_cast<void>(troupe::spawn_process(system, [](troupe::Process<Go>& self) {
      latch.count_down();
      self.receive([](const Go&) {});
    }));
  }
  latch.wait();
  return (resident_bytes() - bytes) / suspended;
}

}  // namespace

void ask_1(troupe::System& system) {
  result("ask1", timed([&](std::int64_t n) { serve(system, 1, n); }, asks, asks));
}
void ask_100(troupe::System& system) {
  result("ask100", timed([&](std::int64_t n) { serve(system, 100, n / 100); }, asks, asks));
}
void ask_from_outside(troupe::System& system) {
  auto server = system.spawn<Server>();
  const auto ask = [&](std::int64_t n) {
    for (std::int64_t i = 0; i < n; i = server.ask(Next{i}).await()) {
    }
  };
  result("outside_ask", timed(ask, outside_asks, outside_asks));
}
void banking(troupe::System& system) {
  result("banking",
         timed([&](std::int64_t n) { run_bank(system, n); }, transactions, transactions));
}
void suspend_coroutines(troupe::System& system) {
  result("bytes_coroutine", waiting_bytes<OnCoroutine>(system));
}
void suspend_fibers(troupe::System& system) {
  result("bytes_fiber", waiting_bytes<OnFiber>(system));
}
void wait_as_processes(troupe::System& system) {
  result("bytes_process", process_bytes(system));
}

}  // namespace bench
