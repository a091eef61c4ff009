// Messages that are answered by messages: ping-pong, pairs, ring, big, chameneos.
#include <optional>
#include <vector>

#include "workloads.hpp"

namespace bench {
namespace {

Latch latch;

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

void play(troupe::System& system, std::int64_t pairs, std::int64_t round_trips) {
  std::vector<troupe::Ref<Pinger>> pingers;
  for (std::int64_t i = 0; i < pairs; ++i) {
    pingers.push_back(system.spawn<Pinger>(system.spawn<Ponger>(), round_trips));
  }
  latch.reset(pairs);
  for (auto& pinger : pingers) pinger.tell(Go{});
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

void pass_round(troupe::System& system, std::int64_t hops) {
  std::vector<troupe::Ref<Node>> nodes;
  for (std::int64_t i = 0; i < ring_actors; ++i) nodes.push_back(system.spawn<Node>());
  for (std::size_t i = 0; i < nodes.size(); ++i) nodes[i].tell(Next{nodes[(i + 1) % nodes.size()]});
  latch.reset(1);
  nodes[0].tell(Token{hops});
  latch.wait();
  for (auto& node : nodes) static_cast<void>(system.stop(node));
}

struct Thanks {};
struct Visit {
  troupe::Ref<Thanks> from;
};
struct Meet {
  std::vector<troupe::Ref<Visit>> all;
};
/// Visits others, one at a time and by chance, and is visited.
class Neighbor : public troupe::Actor<Meet, Visit, Thanks> {
 public:
  Neighbor(std::uint32_t seed, std::int64_t visits) : choices_(seed), left_(visits) {}
  void receive(Meet&& m) {
    all_ = std::move(m.all);
    visit_one();
  }
  void receive(const Visit& m) { m.from.tell(Thanks{}); }
  void receive(const Thanks&) {
    if (--left_ > 0) {
      visit_one();
    } else {
      latch.count_down();
    }
  }

 private:
  void visit_one() { all_[choices_.index(all_.size())].tell(Visit{self()}); }

  std::vector<troupe::Ref<Visit>> all_;
  Choices choices_;
  std::int64_t left_;
};

void visit_all(troupe::System& system, std::int64_t visits) {
  std::vector<troupe::Ref<Neighbor>> neighbors;
  for (std::uint32_t i = 0; i < big_actors; ++i)
    neighbors.push_back(system.spawn<Neighbor>(i * 7919 + 1, visits));
  latch.reset(big_actors);
  for (auto& neighbor : neighbors) neighbor.tell(Meet{{neighbors.begin(), neighbors.end()}});
  latch.wait();
  for (auto& neighbor : neighbors) static_cast<void>(system.stop(neighbor));
}

struct Change {
  int color;
};
struct Closed {};
struct Enter {
  int color;
  troupe::Ref<Change, Closed> creature;
};
struct Left {
  std::int64_t met;
};
/// Lets creatures meet two by two, so many times.
class Mall : public troupe::Actor<Enter, Left> {
 public:
  explicit Mall(std::int64_t meetings) : meetings_(meetings), left_(meetings) {}
  void receive(const Enter& m) {
    if (left_ == 0) {
      m.creature.tell(Closed{});
    } else if (!waiting_) {
      waiting_ = m;
    } else {
      waiting_->creature.tell(Change{m.color});
      m.creature.tell(Change{waiting_->color});
      waiting_.reset();
      --left_;
    }
  }
  void receive(const Left& m) {
    met_ += m.met;
    if (++gone_ < creatures) return;
    require(met_ == 2 * meetings_, "meetings");
    stop();
    latch.count_down();
  }

 private:
  std::optional<Enter> waiting_;
  std::int64_t meetings_;
  std::int64_t left_;
  std::int64_t met_ = 0;
  std::int64_t gone_ = 0;
};
class Creature : public troupe::Actor<Go, Change, Closed> {
 public:
  Creature(troupe::Ref<Mall> mall, int color) : mall_(mall), color_(color) {}
  void receive(const Go&) { mall_.tell(Enter{color_, self()}); }
  void receive(const Change& m) {
    color_ = complement(color_, m.color);
    ++met_;
    mall_.tell(Enter{color_, self()});
  }
  void receive(const Closed&) {
    mall_.tell(Left{met_});
    stop();
  }

 private:
  troupe::Ref<Mall> mall_;
  int color_;
  std::int64_t met_ = 0;
};

void open_mall(troupe::System& system, std::int64_t meetings) {
  latch.reset(1);
  auto mall = system.spawn<Mall>(meetings);
  for (int i = 0; i < creatures; ++i) system.spawn<Creature>(mall, i % 3).tell(Go{});
  latch.wait();
}

}  // namespace

void ping_pong(troupe::System& system) {
  result("pingpong", timed([&](std::int64_t n) { play(system, 1, n); }, pingpong_round_trips,
                           2 * pingpong_round_trips));
}
void many_pairs(troupe::System& system) {
  result("pairs", timed([&](std::int64_t n) { play(system, pairs, n); }, pair_round_trips,
                        2 * pairs * pair_round_trips));
}
void ring(troupe::System& system) {
  result("ring", timed([&](std::int64_t n) { pass_round(system, n); }, ring_hops, ring_hops));
}
void big(troupe::System& system) {
  result("big", timed([&](std::int64_t n) { visit_all(system, n); }, big_pings,
                      2 * big_actors * big_pings));
}
void chameneos(troupe::System& system) {
  result("chameneos", timed([&](std::int64_t n) { open_mall(system, n); }, meetings, meetings));
}

}  // namespace bench
