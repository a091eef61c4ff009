// The workloads on Troupe. Usage: troupe_bench WORKLOAD WORKERS
#include <cstdlib>
#include <string>
#include <vector>

#include <troupe/runtime/runtime.hpp>

#include "measure.hpp"

namespace {

bench::Latch latch;

struct Go {};
struct Pong {
  std::int64_t n;
};
struct Ping {
  std::int64_t n;
  troupe::Ref<Pong> from;
};
struct Stop {};

class Ponger : public troupe::Actor<Ping, Stop> {
 public:
  void receive(const Ping& m) { m.from.tell(Pong{m.n}); }
  void receive(const Stop&) { stop(); }
};
class Pinger : public troupe::Actor<Go, Pong> {
 public:
  Pinger(troupe::Ref<Ping, Stop> ponger, std::int64_t n) : ponger_(ponger), left_(n) {}
  void receive(const Go&) { ponger_.tell(Ping{left_, self()}); }
  void receive(const Pong&) {
    if (--left_ > 0) {
      ponger_.tell(Ping{left_, self()});
      return;
    }
    ponger_.tell(Stop{});
    stop();
    latch.count_down();
  }

 private:
  troupe::Ref<Ping, Stop> ponger_;
  std::int64_t left_;
};

void ping_pong(troupe::System& system, std::int64_t pairs, std::int64_t round_trips) {
  std::vector<troupe::Ref<Pinger>> pingers;
  for (std::int64_t i = 0; i < pairs; ++i) {
    pingers.push_back(system.spawn<Pinger>(system.spawn<Ponger>(), round_trips));
  }
  latch.reset(pairs);
  for (auto& pinger : pingers) pinger.tell(Go{});
  latch.wait();
}

struct Number {
  std::int64_t n;
};
class Receiver : public troupe::Actor<Number> {
 public:
  explicit Receiver(std::int64_t n) : left_(n) {}
  void receive(const Number&) {
    if (--left_ > 0) return;
    stop();
    latch.count_down();
  }

 private:
  std::int64_t left_;
};
class Flooder : public troupe::Actor<Go> {
 public:
  Flooder(troupe::Ref<Number> to, std::int64_t n) : to_(to), n_(n) {}
  void receive(const Go&) {
    for (std::int64_t i = 0; i < n_; ++i) to_.tell(Number{i});
    stop();
  }

 private:
  troupe::Ref<Number> to_;
  std::int64_t n_;
};
void fan_in(troupe::System& system, std::int64_t messages) {
  latch.reset(1);
  auto receiver = system.spawn<Receiver>(bench::fanin_senders * messages);
  for (std::int64_t i = 0; i < bench::fanin_senders; ++i) {
    system.spawn<Flooder>(receiver, messages).tell(Go{});
  }
  latch.wait();
}

struct Token {
  std::int64_t hops;
};
struct Next {
  troupe::Ref<Token> ref;
};
class Node : public troupe::Actor<Token, Next> {
 public:
  void receive(const Next& m) { next_ = m.ref; }
  void receive(const Token& m) {
    if (m.hops == 0) {
      latch.count_down();
    } else {
      next_.tell(Token{m.hops - 1});
    }
  }

 private:
  troupe::Ref<Token> next_;
};
void ring(troupe::System& system, std::int64_t hops) {
  std::vector<troupe::Ref<Node>> nodes;
  for (std::int64_t i = 0; i < bench::ring_actors; ++i) nodes.push_back(system.spawn<Node>());
  for (std::size_t i = 0; i < nodes.size(); ++i) nodes[i].tell(Next{nodes[(i + 1) % nodes.size()]});
  latch.reset(1);
  nodes[0].tell(Token{hops});
  latch.wait();
  for (auto& node : nodes) static_cast<void>(system.stop(node));
}

class Idle : public troupe::Actor<Go> {
 public:
  void receive(const Go&) {}

 private:
  [[maybe_unused]] std::int64_t state_[2] = {};  // 16 bytes, as the budget says
};
void spawn(troupe::System& system) {
  std::vector<troupe::Ref<Idle>> refs;
  refs.reserve(bench::spawned);
  const double bytes = bench::resident_bytes();
  const double begin = bench::nanoseconds();
  for (std::int64_t i = 0; i < bench::spawned; ++i) refs.push_back(system.spawn<Idle>());
  const double time = bench::nanoseconds() - begin;
  bench::result("spawn", time / bench::spawned);
  // The refs are the caller's: 16 bytes each of what became resident.
  bench::result("spawn_bytes", (bench::resident_bytes() - bytes) / bench::spawned);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  const std::string workload = argv[1];
  troupe::SystemOptions options;
  options.workers = static_cast<std::uint32_t>(std::atoi(argv[2]));
  options.log = troupe::no_log();
  troupe::System system{std::move(options)};
  using namespace bench;
  if (workload == "pingpong") {
    result("pingpong", timed([&](std::int64_t n) { ping_pong(system, 1, n); }, pingpong_round_trips,
                             2.0 * pingpong_round_trips));
  } else if (workload == "pairs") {
    result("pairs", timed([&](std::int64_t n) { ping_pong(system, pairs, n); }, pair_round_trips,
                          2.0 * pairs * pair_round_trips));
  } else if (workload == "fanin") {
    result("fanin", timed([&](std::int64_t n) { fan_in(system, n); }, fanin_messages,
                          1.0 * fanin_senders * fanin_messages));
  } else if (workload == "ring") {
    result("ring", timed([&](std::int64_t n) { ring(system, n); }, ring_hops, 1.0 * ring_hops));
  } else if (workload == "spawn") {
    spawn(system);
  } else {
    return 2;
  }
}
