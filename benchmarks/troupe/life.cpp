// Actors that come and go: spawn and its memory, stop, fork-join create, fib.
#include <string>
#include <thread>
#include <vector>

#include "workloads.hpp"

namespace bench {
namespace {

Latch latch;

struct Go {};
class Idle : public troupe::Actor<Go> {
 public:
  void receive(const Go&) { stop(); }

 private:
  [[maybe_unused]] std::int64_t state_[2] = {};  // 16 bytes, as the budget says
};

struct Done {};
struct Job {
  std::int64_t n;
  troupe::Ref<Done> from;
};
class Worker : public troupe::Actor<Job> {
 public:
  void receive(const Job& m) {
    m.from.tell(Done{});
    stop();
  }
};
class Foreman : public troupe::Actor<Go, Done> {
 public:
  explicit Foreman(std::int64_t jobs) : jobs_(jobs), left_(jobs) {}
  void receive(const Go&) {
    for (std::int64_t i = 0; i < jobs_; ++i) spawn<Worker>().tell(Job{i, self()});
  }
  void receive(const Done&) {
    if (--left_ > 0) return;
    stop();
    latch.count_down();
  }

 private:
  std::int64_t jobs_;
  std::int64_t left_;
};

struct Term {
  std::int64_t value;
};
struct Compute {
  std::int64_t n;
};
class Fib : public troupe::Actor<Compute, Term> {
 public:
  explicit Fib(troupe::Ref<Term> parent) : parent_(parent) {}
  void receive(const Compute& m) {
    if (m.n <= 2) {
      answer(1);
      return;
    }
    spawn<Fib>(self()).tell(Compute{m.n - 1});
    spawn<Fib>(self()).tell(Compute{m.n - 2});
  }
  void receive(const Term& m) {
    sum_ += m.value;
    if (++terms_ == 2) answer(sum_);
  }

 private:
  void answer(std::int64_t value) {
    parent_.tell(Term{value});
    stop();
  }

  troupe::Ref<Term> parent_;
  std::int64_t sum_ = 0;
  int terms_ = 0;
};
class Result : public troupe::Actor<Term> {
 public:
  explicit Result(std::int64_t& value) : value_(value) {}
  void receive(const Term& m) {
    value_ = m.value;
    stop();
    latch.count_down();
  }

 private:
  std::int64_t& value_;  // main's, which waits meanwhile
};

std::int64_t fib_of_actors(troupe::System& system, std::int64_t n) {
  std::int64_t value = 0;
  latch.reset(1);
  system.spawn<Fib>(system.spawn<Result>(value)).tell(Compute{n});
  latch.wait();
  return value;
}

}  // namespace

void spawn(troupe::System& system) {
  std::vector<troupe::Ref<Idle>> refs;
  refs.reserve(spawned);
  const double bytes = resident_bytes();
  const double begin = nanoseconds();
  for (std::int64_t i = 0; i < spawned; ++i) refs.push_back(system.spawn<Idle>());
  const double time = nanoseconds() - begin;
  result("spawn", time / spawned);
  // The refs are the caller's: 16 bytes each of what became resident.
  result("spawn_bytes", (resident_bytes() - bytes) / spawned);
}
void spawn_named(troupe::System& system) {
  const double bytes = resident_bytes();
  for (std::int64_t i = 0; i < named; ++i) {
    system.spawn<Idle>({.name = "account-" + std::to_string(i)});
  }
  result("spawn_bytes_named", (resident_bytes() - bytes) / named);
}
void stop(troupe::System& system) {
  const auto spawn_and_stop = [&](std::int64_t n) {
    std::vector<troupe::Ref<Idle>> refs;
    for (std::int64_t i = 0; i < n; ++i) refs.push_back(system.spawn<Idle>());
    const double begin = nanoseconds();
    for (auto& ref : refs) ref.tell(Go{});
    while (system.actor_count() > 0) std::this_thread::yield();
    return (nanoseconds() - begin) / static_cast<double>(n);
  };
  spawn_and_stop(stopped / 10);
  result("stop", spawn_and_stop(stopped));
}
void create(troupe::System& system) {
  const auto run = [&](std::int64_t n) {
    latch.reset(1);
    system.spawn<Foreman>(n).tell(Go{});
    latch.wait();
  };
  result("fjcreate", timed(run, created, created));
}
void fib(troupe::System& system) {
  fib_of_actors(system, fib_warm_up);
  const double begin = nanoseconds();
  require(fib_of_actors(system, fib_of) == fib_result, "fib");
  result("fib", (nanoseconds() - begin) / 1e6);
}

}  // namespace bench
