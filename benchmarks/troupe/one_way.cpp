// Floods of messages nobody answers: fan-in, fork-join, counting, radix sort.
#include <utility>
#include <vector>

#include "workloads.hpp"

namespace bench {
namespace {

Latch latch;

struct Go {};
struct Number {
  std::int64_t n;
};
/// Ends after so many messages.
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
/// Sends to each of them in turn, so many times.
class Flooder : public troupe::Actor<Go> {
 public:
  Flooder(std::vector<troupe::Ref<Number>> to, std::int64_t rounds)
      : to_(std::move(to)), rounds_(rounds) {}
  void receive(const Go&) {
    for (std::int64_t i = 0; i < rounds_; ++i) {
      for (auto& ref : to_) ref.tell(Number{i});
    }
    stop();
  }

 private:
  std::vector<troupe::Ref<Number>> to_;
  std::int64_t rounds_;
};

void flood_one(troupe::System& system, std::int64_t messages) {
  latch.reset(1);
  const troupe::Ref<Number> receiver = system.spawn<Receiver>(fanin_senders * messages);
  for (std::int64_t i = 0; i < fanin_senders; ++i) {
    system.spawn<Flooder>(std::vector{receiver}, messages).tell(Go{});
  }
  latch.wait();
}

void flood_many(troupe::System& system, std::int64_t rounds) {
  latch.reset(fork_actors);
  std::vector<troupe::Ref<Number>> receivers;
  for (std::int64_t i = 0; i < fork_actors; ++i)
    receivers.push_back(system.spawn<Receiver>(rounds));
  system.spawn<Flooder>(std::move(receivers), rounds).tell(Go{});
  latch.wait();
}

struct Increment {};
struct GetCount {
  using Reply = std::int64_t;
};
class Counter : public troupe::Actor<Increment, GetCount> {
 public:
  void receive(const Increment&) { ++count_; }
  std::int64_t receive(const GetCount&) { return count_; }

 private:
  std::int64_t count_ = 0;
};
class Producer : public troupe::Actor<Go> {
 public:
  explicit Producer(std::int64_t n) : n_(n) {}
  void receive(const Go&) {
    auto counter = spawn<Counter>();
    for (std::int64_t i = 0; i < n_; ++i) counter.tell(Increment{});
    require(counter.ask(GetCount{}).await() == n_, "count");
    stop();
    latch.count_down();
  }

 private:
  std::int64_t n_;
};

/// One bit's stage of the sort: zeros pass, ones follow when all have come.
class Sorter : public troupe::Actor<Number> {
 public:
  Sorter(troupe::Ref<Number> next, std::int64_t bit, std::int64_t values)
      : next_(next), bit_(bit), left_(values) {}
  void receive(const Number& m) {
    if ((m.n & bit_) == 0) {
      next_.tell(m);
    } else {
      ones_.push_back(m);
    }
    if (--left_ > 0) return;
    for (const Number& one : ones_) next_.tell(one);
    stop();
  }

 private:
  troupe::Ref<Number> next_;
  std::int64_t bit_;
  std::int64_t left_;
  std::vector<Number> ones_;
};
class Checker : public troupe::Actor<Number> {
 public:
  explicit Checker(std::int64_t values) : left_(values) {}
  void receive(const Number& m) {
    require(std::exchange(last_, m.n) <= m.n, "order");
    if (--left_ > 0) return;
    stop();
    latch.count_down();
  }

 private:
  std::int64_t left_;
  std::int64_t last_ = 0;
};
class Source : public troupe::Actor<Go> {
 public:
  Source(troupe::Ref<Number> first, std::int64_t values) : first_(first), values_(values) {}
  void receive(const Go&) {
    Choices choices{74755};
    for (std::int64_t i = 0; i < values_; ++i) first_.tell(Number{wide_number(choices)});
    stop();
  }

 private:
  troupe::Ref<Number> first_;
  std::int64_t values_;
};

void sort(troupe::System& system, std::int64_t values) {
  latch.reset(1);
  troupe::Ref<Number> next = system.spawn<Checker>(values);
  for (std::int64_t bit = radix_stages; bit-- > 0;)
    next = system.spawn<Sorter>(next, std::int64_t{1} << bit, values);
  system.spawn<Source>(next, values).tell(Go{});
  latch.wait();
}

}  // namespace

void fan_in(troupe::System& system) {
  result("fanin", timed([&](std::int64_t n) { flood_one(system, n); }, fanin_messages,
                        fanin_senders * fanin_messages));
}
void fork_join(troupe::System& system) {
  result("fjthroughput", timed([&](std::int64_t n) { flood_many(system, n); }, fork_rounds,
                               fork_actors * fork_rounds));
}
void counting(troupe::System& system) {
  const auto count = [&](std::int64_t n) {
    latch.reset(1);
    system.spawn<Producer>(n).tell(Go{});
    latch.wait();
  };
  result("counting", timed(count, increments, increments));
}
void radix(troupe::System& system) {
  result("radix", timed([&](std::int64_t n) { sort(system, n); }, radix_values,
                        (radix_stages + 2) * radix_values));
}

}  // namespace bench
