// The floor: one thread, an intrusive multi-producer mailbox, a ring of runnable actors, one
// virtual call, and messages from a free list. No life cycle, no fairness, no commands: what any
// runtime must pay at least. Usage: floor WORKLOAD
#include <atomic>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "../measure.hpp"

namespace {

struct Actor;
struct Message {
  std::atomic<Message*> next{nullptr};
  std::int64_t value = 0;
  Actor* from = nullptr;
};

class Mailbox {
 public:
  void push(Message* m) {
    m->next.store(nullptr, std::memory_order_relaxed);
    Message* before = last_.exchange(m, std::memory_order_acq_rel);
    before->next.store(m, std::memory_order_release);
  }
  Message* pop() {
    Message* first = first_;
    Message* next = first->next.load(std::memory_order_acquire);
    if (first == &stub_) {
      if (next == nullptr) return nullptr;
      first_ = first = next;
      next = next->next.load(std::memory_order_acquire);
    }
    if (next == nullptr) {
      if (first != last_.load(std::memory_order_acquire)) return nullptr;
      push(&stub_);
      next = first->next.load(std::memory_order_acquire);
      if (next == nullptr) return nullptr;
    }
    first_ = next;
    return first;
  }

 private:
  Message stub_;
  std::atomic<Message*> last_{&stub_};
  Message* first_ = &stub_;
};

struct Actor {
  virtual ~Actor() = default;
  virtual void receive(Message& m) = 0;
  Mailbox mailbox;
  std::atomic<int> scheduled{0};
};

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
void ping_pong(std::int64_t pairs, std::int64_t round_trips) {
  std::vector<Ponger> pongers(static_cast<std::size_t>(pairs));
  std::vector<Pinger> pingers(static_cast<std::size_t>(pairs));
  for (std::size_t i = 0; i < pongers.size(); ++i) {
    pingers[i].ponger = &pongers[i];
    pingers[i].left = round_trips;
    loop.send(pongers[i], round_trips, &pingers[i]);
  }
  loop.run();
}

struct Counter : Actor {
  std::int64_t seen = 0;
  void receive(Message&) override { ++seen; }
};
struct Flooder : Actor {
  Actor* to = nullptr;
  void receive(Message& m) override {
    for (std::int64_t i = 0; i < m.value; ++i) loop.send(*to, i, this);
  }
};
void fan_in(std::int64_t messages) {
  Counter counter;
  std::vector<Flooder> flooders(bench::fanin_senders);
  for (Flooder& f : flooders) {
    f.to = &counter;
    loop.send(f, messages, nullptr);
  }
  loop.run();
}

struct Node : Actor {
  Node* next = nullptr;
  void receive(Message& m) override {
    if (m.value > 0) loop.send(*next, m.value - 1, this);
  }
};
void ring(std::int64_t hops) {
  std::vector<Node> nodes(bench::ring_actors);
  for (std::size_t i = 0; i < nodes.size(); ++i) nodes[i].next = &nodes[(i + 1) % nodes.size()];
  loop.send(nodes[0], hops, nullptr);
  loop.run();
}

struct Idle : Actor {
  std::int64_t state[2] = {};
  void receive(Message&) override {}
};
void spawn() {
  std::vector<std::unique_ptr<Actor>> actors;
  actors.reserve(bench::spawned);
  const double bytes = bench::resident_bytes();
  const double begin = bench::nanoseconds();
  for (std::int64_t i = 0; i < bench::spawned; ++i) actors.push_back(std::make_unique<Idle>());
  bench::result("spawn", (bench::nanoseconds() - begin) / bench::spawned);
  bench::result("spawn_bytes", (bench::resident_bytes() - bytes) / bench::spawned);
}

}  // namespace

int main(int argc, char** argv) {
  const std::string workload = argc > 1 ? argv[1] : "";
  using namespace bench;
  if (workload == "pingpong") {
    result("pingpong", timed([](std::int64_t n) { ping_pong(1, n); }, pingpong_round_trips,
                             2.0 * pingpong_round_trips));
  } else if (workload == "pairs") {
    result("pairs", timed([](std::int64_t n) { ping_pong(pairs, n); }, pair_round_trips,
                          2.0 * pairs * pair_round_trips));
  } else if (workload == "fanin") {
    result("fanin", timed([](std::int64_t n) { fan_in(n); }, fanin_messages,
                          1.0 * fanin_senders * fanin_messages));
  } else if (workload == "ring") {
    result("ring", timed([](std::int64_t n) { ring(n); }, ring_hops, 1.0 * ring_hops));
  } else if (workload == "spawn") {
    spawn();
  } else {
    return 2;
  }
}
