// Real threads on the real clock: what the sanitizers look at.
#include <troupe/runtime/runtime.hpp>

#include <thread>

#include <catch2/catch.hpp>

#include "support/schedules.hpp"

using namespace std::chrono_literals;

namespace {

troupe::SystemOptions quiet(std::uint32_t workers) {
  troupe::SystemOptions options;
  options.workers = workers;
  options.log = troupe::no_log();
  options.stack_bytes = 64 * 1024;
  return options;
}

struct Add {
  int n;
  using Reply = long;
};
struct Boom {};
struct Echo {
  int n;
  using Reply = int;
};
class Sum : public troupe::Actor<Add, Boom, Echo> {
 public:
  int receive(const Echo& m) {
    ++total_;
    return m.n;
  }
  long receive(const Add& m) { return total_ += m.n; }
  void receive(const Boom&) { throw std::runtime_error("boom"); }

 private:
  long total_ = 0;
};

struct Drive {
  int count;
  using Reply = int;
};
class Driver : public troupe::Actor<Drive> {
 public:
  static constexpr auto turns = troupe::reentrant;
  explicit Driver(std::vector<troupe::Ref<Sum>> sums) : sums_(std::move(sums)) {}
  int receive(const Drive& m) {
    int answered = 0;
    for (int i = 0; i < m.count; ++i) {
      if (sums_[static_cast<std::size_t>(i) % sums_.size()].ask(Add{1}, 10s).try_await())
        ++answered;
    }
    return answered;
  }

 private:
  std::vector<troupe::Ref<Sum>> sums_;
};

struct Spawn {
  int depth;
  using Reply = int;
};
class Tree : public troupe::Actor<Spawn> {  // spawns, asks, and is stopped with its children
 public:
  int receive(const Spawn& m) {
    if (m.depth == 0) return 1;
    auto left = spawn<Tree>();
    auto right = spawn<Tree>();
    auto [a, b] =
        troupe::await_all(left.ask(Spawn{m.depth - 1}, 60s), right.ask(Spawn{m.depth - 1}, 60s));
    stop(left);
    stop(right);
    return a + b;
  }
};

struct Race {
  int answered = 0;
  int failed = 0;
  int wrong = 0;
};
struct RaceOn {
  int count;
  using Reply = Race;
};
class Racer : public troupe::Actor<RaceOn> {
 public:
  explicit Racer(troupe::Ref<Sum> sum) : sum_(sum) {}
  Race receive(const RaceOn& m) {
    Race race;
    for (int i = 0; i < m.count; ++i) {
      const auto result = sum_.ask(Echo{i}, std::chrono::microseconds(1 + i % 40)).try_await();
      if (result.has_value()) {
        ++race.answered;
        if (*result != i) ++race.wrong;  // the answer to an earlier ask
      } else {
        ++race.failed;
        if (result.error().kind != troupe::AskErrorKind::timeout) ++race.wrong;
      }
    }
    return race;
  }

 private:
  troupe::Ref<Sum> sum_;
};

struct ForOwner {
  int owner;
  using Reply = int;
};
class Owned : public troupe::Actor<ForOwner> {
 public:
  Owned(int number, std::atomic<int>& strays) : number_(number), strays_(&strays) {}
  int receive(const ForOwner& m) {
    if (m.owner != number_) ++*strays_;
    return number_;
  }

 private:
  int number_;
  std::atomic<int>* strays_;
};

struct Sit {
  using Reply = bool;
};
struct RunNow {};
class Runs : public troupe::Actor<RunNow> {
 public:
  explicit Runs(std::atomic<bool>& has_run) : has_run_(&has_run) {}
  void receive(const RunNow&) { *has_run_ = true; }

 private:
  std::atomic<bool>* has_run_;
};
class Stuck : public troupe::Actor<Sit> {
 public:
  Stuck(troupe::Ref<Runs> runs, std::atomic<bool>& has_run) : runs_(runs), has_run_(&has_run) {}
  bool receive(const Sit&) {
    runs_.tell(RunNow{});
    while (!*has_run_) std::this_thread::yield();
    return true;
  }

 private:
  troupe::Ref<Runs> runs_;
  std::atomic<bool>* has_run_;
};

}  // namespace

TEST_CASE(
    "S11 S12 many threads and actors ask at once: every ask is answered once, nothing is lost",
    "[stress]") {
  troupe::System system{quiet(2)};
  std::vector<troupe::Ref<Sum>> sums;
  for (int i = 0; i < 8; ++i) sums.push_back(system.spawn<Sum>());
  std::vector<troupe::Ref<Driver>> drivers;
  for (int i = 0; i < 4; ++i) drivers.push_back(system.spawn<Driver>(sums));
  std::vector<std::thread> threads;
  std::atomic<int> answered{0};
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 500; ++i) {
        if (sums[static_cast<std::size_t>(i) % sums.size()].ask(Add{1}, 10s).try_await())
          ++answered;
      }
    });
  }
  std::vector<troupe::Ask<int>> drives;
  for (int i = 0; i < 16; ++i)
    drives.push_back(drivers[static_cast<std::size_t>(i) % 4].ask(Drive{500}, 60s));
  for (auto& drive : drives) answered += drive.await();
  for (auto& thread : threads) thread.join();
  REQUIRE(answered == 3 * 500 + 16 * 500);
  long total = 0;
  for (auto& sum : sums) total += sum.ask(Add{0}).await();
  REQUIRE(total == answered);
}

TEST_CASE("spawn, ask and stop trees of actors on two workers: none is left", "[stress]") {
  troupe::System system{quiet(2)};
  auto root = system.spawn<Tree>();
  for (int round = 0; round < 5; ++round) REQUIRE(root.ask(Spawn{7}, 60s).await() == 128);
  system.stop(root).await();
  REQUIRE(system.actor_count() == 0);
}

TEST_CASE("S13 S79 asks race the callee's end and their own timeout: each ends exactly once",
          "[stress]") {
  troupe::System system{quiet(2)};
  int answered = 0;
  int failed = 0;
  int wrong = 0;
  for (int round = 0; round < 1000; ++round) {
    auto sum = system.spawn<Sum>();
    auto first = sum.ask(Add{1}, 10s);
    if (round % 3 == 0) sum.tell(Boom{});
    if (round % 3 == 1) system.kill(sum);
    if (round % 3 == 2) static_cast<void>(system.stop(sum));
    auto second = sum.ask(Add{1}, round % 2 == 0 ? 10s : 10us);
    for (auto* ask : {&first, &second}) {
      const auto result = ask->try_await();
      result ? ++answered : ++failed;
      if (!result && result.error().kind != troupe::AskErrorKind::receiver_down &&
          result.error().kind != troupe::AskErrorKind::timeout)
        ++wrong;
    }
  }
  REQUIRE(wrong == 0);
  REQUIRE(failed > 0);
  INFO(answered << " answered, " << failed << " failed");
  system.shutdown();
  REQUIRE(system.metrics().actors_ended == 1000);
}

TEST_CASE(
    "S13 answers race the timeout of their ask: each ends once, and a late one reaches nobody",
    "[stress]") {
  troupe::System system{quiet(2)};
  auto sum = system.spawn<Sum>();
  auto driver = system.spawn<Racer>(sum);
  int answered = 0;
  int failed = 0;
  std::thread outside([&] {  // waits on its own thread
    for (int i = 0; i < 2000; ++i) {
      auto ask = sum.ask(Add{1}, std::chrono::microseconds(1 + i % 40));
      ask.try_await().has_value() ? ++answered : ++failed;
    }
  });
  const Race inside = driver.ask(RaceOn{2000}, 60s).await();  // waits in a handler
  outside.join();
  REQUIRE(answered + failed == 2000);
  REQUIRE(inside.answered + inside.failed == 2000);
  REQUIRE(inside.wrong == 0);
  const long handled = sum.ask(Add{0}, 60s).await();
  const auto expired = system.metrics().dropped_for(troupe::DropReason::expired);
  REQUIRE(handled + static_cast<long>(expired) == 2 * 2000);
}

TEST_CASE(
    "S5 cells are reused while old refs still tell, stop and watch: none reaches the new actor",
    "[stress]") {
  troupe::System system{quiet(2)};
  std::atomic<bool> done{false};
  std::mutex mutex;
  std::vector<troupe::Ref<Owned>> old(8);
  std::vector<std::thread> threads;
  for (int t = 0; t < 2; ++t) {
    threads.emplace_back([&] {
      for (unsigned i = 0; !done; ++i) {
        troupe::Ref<Owned> ref;
        {
          std::lock_guard guard(mutex);
          ref = old[i % old.size()];
        }
        ref.tell(ForOwner{-1});
        if (i % 16 == 0) system.kill(ref);
      }
    });
  }
  std::atomic<int> strays{0};
  for (int round = 0; round < 3000; ++round) {
    auto actor = system.spawn<Owned>(round, std::ref(strays));
    REQUIRE(actor.ask(ForOwner{round}, 60s).await() == round);
    system.stop(actor).await();
    std::lock_guard guard(mutex);
    old[static_cast<std::size_t>(round) % old.size()] = actor;
  }
  done = true;
  for (auto& thread : threads) thread.join();
  REQUIRE(strays == 0);
}

TEST_CASE("S78 an actor whose worker is stuck in another's handler is run by an idle worker",
          "[stress]") {
  troupe::System system{quiet(2)};
  std::atomic<bool> has_run{false};
  auto runs = system.spawn<Runs>(std::ref(has_run));
  // Sits in its handler until the actor it told has run, which only another worker can do.
  auto stuck = system.spawn<Stuck>(runs, std::ref(has_run));
  REQUIRE(stuck.ask(Sit{}, 60s).await());
}

TEST_CASE("a System may end while threads go on telling and asking its actors", "[stress]") {
  for (int round = 0; round < 20; ++round) {
    auto system = std::make_unique<troupe::System>(quiet(2));
    auto sum = system->spawn<Sum>();
    std::atomic<bool> done{false};
    std::vector<std::thread> threads;
    for (int t = 0; t < 2; ++t) {
      threads.emplace_back([&] {
        while (!done) {
          sum.tell(Add{1});
          static_cast<void>(sum.ask(Add{1}, 1s).try_await());
        }
      });
    }
    static_cast<void>(sum.ask(Add{1}).try_await());
    system.reset();
    done = true;
    for (auto& thread : threads) thread.join();
    REQUIRE(sum.tell(Add{1}) == troupe::Sent::dead);
  }
}

TEST_CASE("S80 an idle System sleeps: no worker wakes while nothing is sent", "[stress]") {
  troupe::System system{quiet(2)};
  std::vector<troupe::Ref<Sum>> sums;
  for (int i = 0; i < 1000; ++i) sums.push_back(system.spawn<Sum>());
  REQUIRE(sums[0].ask(Add{1}).await() == 1);
  const auto settled = [&] { return system.metrics().parks; };
  std::uint64_t before = settled();
  for (int i = 0; i < 100; ++i) {
    std::this_thread::sleep_for(2ms);  // lint:allow(sleep) the real idle state
    before = settled();
  }
  std::this_thread::sleep_for(50ms);  // lint:allow(sleep) the same
  REQUIRE(settled() == before);
}

namespace {

/// Asks from a coroutine, but waits as a fiber does, and from a plain handler.
template <auto kind>
class AsksBothWays : public troupe::Actor<Drive, Add> {
 public:
  static constexpr auto turns = kind;
  explicit AsksBothWays(troupe::Ref<Sum> sum) : sum_(sum) {}
  troupe::Task<int> receive(const Drive& m) {
    const int echo = sum_.ask(Echo{m.count}, 10s).await();
    co_return echo;
  }
  long receive(const Add& m) { return sum_.ask(Echo{m.n}, 10s).await(); }

 private:
  troupe::Ref<Sum> sum_;
};

template <auto kind>
void ask_both_ways() {
  troupe::System system{quiet(2)};
  std::vector<troupe::Ref<AsksBothWays<kind>>> askers;
  for (int i = 0; i < 4; ++i)
    askers.push_back(system.spawn<AsksBothWays<kind>>(system.spawn<Sum>()));
  for (int round = 0; round < 20; ++round) {
    std::vector<troupe::Ask<int>> coroutines;
    std::vector<troupe::Ask<long>> fibers;
    for (int n = 0; n < 100; ++n) {
      for (auto& asker : askers) {
        coroutines.push_back(asker.ask(Drive{n}, 30s));
        fibers.push_back(asker.ask(Add{n}, 30s));
      }
    }
    for (std::size_t i = 0; i < fibers.size(); ++i) {
      REQUIRE(coroutines[i].await() == static_cast<int>(i / askers.size()));
      REQUIRE(fibers[i].await() == static_cast<long>(i / askers.size()));
    }
  }
}

}  // namespace

TEST_CASE("a coroutine that waits as a fiber does goes on on any worker, and so does its actor",
          "[stress]") {
  ask_both_ways<troupe::exclusive>();
  ask_both_ways<troupe::reentrant>();
}

TEST_CASE("C97 extreme ping-pong between two workers loses no wake-up", "[stress]") {
  troupe::System system{quiet(2)};
  auto sum = system.spawn<Sum>();
  for (int i = 0; i < 20000; ++i) REQUIRE(sum.ask(Add{1}, 30s).await() == i + 1);
}
