// Actors on one thread: a mailbox, a ring of runnable actors, one virtual call, and messages from a
// free list. No life cycle, no fairness, no commands.
#include <atomic>
#include <memory>
#include <vector>

#include "workloads.hpp"

namespace bench {

struct Actor {
  virtual ~Actor() = default;
  virtual void receive(Message& m) = 0;
  Mailbox mailbox;
  std::atomic<int> scheduled{0};
};

namespace {

class Loop {
 public:
  void send(Actor& to, std::int64_t value, Actor* from) {
    Message* m = nullptr;
    if (free_.empty()) {
      m = new Message;
    } else {
      m = free_.back();
      free_.pop_back();
    }
    m->value = value;
    m->from = from;
    to.mailbox.push(m);
    int idle = 0;
    if (to.scheduled.load(std::memory_order_relaxed) == 0 &&
        to.scheduled.compare_exchange_strong(idle, 1)) {
      ready_[tail_++ & mask] = &to;
    }
  }
  void run() {
    while (head_ != tail_) {
      Actor& actor = *ready_[head_++ & mask];
      actor.scheduled.store(0);
      while (Message* m = actor.mailbox.pop()) {
        actor.receive(*m);
        free_.push_back(m);
      }
    }
  }

 private:
  static constexpr std::size_t mask = (1 << 17) - 1;
  std::vector<Actor*> ready_ = std::vector<Actor*>(mask + 1);
  std::size_t head_ = 0;
  std::size_t tail_ = 0;
  std::vector<Message*> free_;
};
Loop loop;

struct Ponger : Actor {
  void receive(Message& m) override { loop.send(*m.from, m.value, this); }
};
struct Pinger : Actor {
  Ponger* ponger = nullptr;
  std::int64_t left = 0;
  void receive(Message&) override {
    if (--left > 0) loop.send(*ponger, left, this);
  }
};
void play(std::int64_t pairs, std::int64_t round_trips) {
  std::vector<Ponger> pongers(static_cast<std::size_t>(pairs));
  std::vector<Pinger> pingers(static_cast<std::size_t>(pairs));
  for (std::size_t i = 0; i < pongers.size(); ++i) {
    pingers[i].ponger = &pongers[i];
    pingers[i].left = round_trips;
    loop.send(pongers[i], round_trips, &pingers[i]);
  }
  loop.run();
}

struct Node : Actor {
  Node* next = nullptr;
  void receive(Message& m) override {
    if (m.value > 0) loop.send(*next, m.value - 1, this);
  }
};
void pass_round(std::int64_t hops) {
  std::vector<Node> nodes(ring_actors);
  for (std::size_t i = 0; i < nodes.size(); ++i) nodes[i].next = &nodes[(i + 1) % nodes.size()];
  loop.send(nodes[0], hops, nullptr);
  loop.run();
}

struct Idle : Actor {
  std::int64_t state[8] = {};
  void receive(Message&) override {}
};
static_assert(sizeof(Idle) == 128, "the budgets are against an object of this size");
std::vector<std::unique_ptr<Actor>> spawn_all(std::int64_t n) {
  std::vector<std::unique_ptr<Actor>> actors;
  actors.reserve(static_cast<std::size_t>(n));
  for (std::int64_t i = 0; i < n; ++i) actors.push_back(std::make_unique<Idle>());
  return actors;
}

}  // namespace

void ping_pong(int) {
  result("pingpong",
         timed([](std::int64_t n) { play(1, n); }, pingpong_round_trips, 2 * pingpong_round_trips));
}
void many_pairs(int) {
  result("pairs", timed([](std::int64_t n) { play(pairs, n); }, pair_round_trips,
                        2 * pairs * pair_round_trips));
}
void ring(int) {
  result("ring", timed(pass_round, ring_hops, ring_hops));
}
void spawn(int) {
  const double bytes = resident_bytes();
  const double begin = nanoseconds();
  const auto actors = spawn_all(spawned);
  result("spawn", (nanoseconds() - begin) / spawned);
  result("spawn_bytes", (resident_bytes() - bytes) / spawned);
}
void stop(int) {
  spawn_all(stopped / 10);
  auto actors = spawn_all(stopped);
  const double begin = nanoseconds();
  actors.clear();
  result("stop", (nanoseconds() - begin) / stopped);
}

}  // namespace bench
