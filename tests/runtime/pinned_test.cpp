// Actors with a thread of their own, and handlers that stay on theirs.
#include <atomic>
#include <set>
#include <thread>

#include <troupe/runtime/runtime.hpp>

#include <catch2/catch.hpp>

#include "support/schedules.hpp"

using namespace std::chrono_literals;
using troupe::test::on_every_schedule;
using troupe::testkit::Probe;
using troupe::testkit::TestSystem;

namespace {

struct Where {
  using Reply = std::thread::id;
};
struct WaitWhere {
  using Reply = bool;  ///< whether it is where it was
};
struct CoWaitWhere {
  using Reply = bool;
};
struct Ping {
  using Reply = int;
};
struct Block {
  std::atomic<bool>* until;
};

class Echo : public troupe::Actor<Ping> {
 public:
  int receive(const Ping&) { return 1; }
};

class Located : public troupe::Actor<Where, WaitWhere, CoWaitWhere, Block> {
 public:
  explicit Located(troupe::Ref<Ping> echo, std::atomic<int>* misplaced = nullptr)
      : echo_(echo), misplaced_(misplaced) {}
  void on_start() override {
    home_ = std::this_thread::get_id();
    echo_.ask(Ping{}).await();
    check();
  }
  void on_stop(troupe::StopReason) override { check(); }
  std::thread::id receive(const Where&) {
    check();
    return std::this_thread::get_id();
  }
  bool receive(const WaitWhere&) {
    const auto before = std::this_thread::get_id();
    for (int i = 0; i < 10; ++i) echo_.ask(Ping{}).await();
    check();
    return before == std::this_thread::get_id();
  }
  troupe::Task<bool> receive(CoWaitWhere) {
    const auto before = std::this_thread::get_id();
    for (int i = 0; i < 10; ++i) {
      auto answer = echo_.ask(Ping{});
      co_await answer;
    }
    co_return before == std::this_thread::get_id();
  }
  void receive(const Block& m) {
    while (!*m.until) std::this_thread::yield();
  }

 private:
  void check() {
    if (misplaced_ != nullptr && std::this_thread::get_id() != home_) ++*misplaced_;
  }
  troupe::Ref<Ping> echo_;
  std::atomic<int>* misplaced_;
  std::thread::id home_;
};

troupe::SystemOptions workers(std::uint32_t count) {
  troupe::SystemOptions options;
  options.workers = count;
  options.log = troupe::no_log();
  return options;
}

}  // namespace

TEST_CASE("S83 a pinned actor runs on one thread that is no other's", "[pinned]") {
  std::atomic<int> misplaced{0};
  {
    troupe::System system{workers(2)};
    auto echo = system.spawn<Echo>();
    std::vector<troupe::Ref<Located>> pinned;
    for (int i = 0; i < 3; ++i)
      pinned.push_back(
          system.spawn<Located>({.pinned = true}, troupe::Ref<Ping>{echo}, &misplaced));
    auto other = system.spawn<Located>(troupe::Ref<Ping>{echo});
    std::set<std::thread::id> homes;
    for (int round = 0; round < 50; ++round) {
      for (const auto& ref : pinned) {
        homes.insert(ref.ask(Where{}).await());
        REQUIRE(ref.ask(WaitWhere{}).await());
      }
      REQUIRE(homes.count(other.ask(Where{}).await()) == 0);
    }
    REQUIRE(homes.size() == 3);
    REQUIRE(homes.count(std::this_thread::get_id()) == 0);
  }
  REQUIRE(misplaced == 0);  // on_start and on_stop too
}

TEST_CASE("S83 a pinned actor that blocks its thread holds up nobody else", "[pinned]") {
  troupe::System system{workers(1)};
  auto echo = system.spawn<Echo>();
  auto pinned = system.spawn<Located>({.pinned = true}, troupe::Ref<Ping>{echo});
  auto other = system.spawn<Located>(troupe::Ref<Ping>{echo});
  std::atomic<bool> go_on{false};
  pinned.tell(Block{&go_on});
  for (int i = 0; i < 100; ++i) REQUIRE(echo.ask(Ping{}).await() == 1);
  REQUIRE(other.ask(WaitWhere{}).await());  // one worker: there is no other place
  go_on = true;
  REQUIRE(pinned.ask(WaitWhere{}).await());
}

TEST_CASE("S83 the thread of a pinned actor that has ended serves the next", "[pinned]") {
  troupe::System system{workers(2)};
  auto echo = system.spawn<Echo>();
  std::set<std::thread::id> homes;
  for (int i = 0; i < 50; ++i) {
    auto pinned = system.spawn<Located>({.pinned = true}, troupe::Ref<Ping>{echo});
    homes.insert(pinned.ask(Where{}).await());
    system.stop(pinned).await();
  }
  REQUIRE(homes.size() == 1);
  REQUIRE(system.actor_count() == 1);
}

TEST_CASE("S83 a handler that stays on its worker goes on there after each wait", "[pinned]") {
  troupe::System system{workers(4)};
  auto echo = system.spawn<Echo>();
  std::vector<troupe::Ref<Located>> actors;
  std::vector<troupe::Ask<bool>> answers;
  for (int i = 0; i < 100; ++i)
    actors.push_back(system.spawn<Located>({.stay_on_worker = true}, troupe::Ref<Ping>{echo}));
  for (int round = 0; round < 20; ++round) {
    for (const auto& actor : actors) {
      answers.push_back(actor.ask(WaitWhere{}, 1min));
      answers.push_back(actor.ask(CoWaitWhere{}, 1min));  // a coroutine too
    }
  }
  for (auto& answer : answers) REQUIRE(answer.await());
}

TEST_CASE("S83 pinned actors live and end as others do, on every schedule", "[pinned]") {
  on_every_schedule([](TestSystem& system) {
    Probe<troupe::Terminated> probe{system};
    auto echo = system.spawn<Echo>();
    auto pinned = system.spawn<Located>({.name = "pinned", .pinned = true, .stay_on_worker = true},
                                        troupe::Ref<Ping>{echo});
    probe.watch(pinned);
    REQUIRE(pinned.ask(WaitWhere{}).await());
    system.kill(pinned);
    REQUIRE(probe.expect<troupe::Terminated>().who == pinned);
    REQUIRE_FALSE(pinned.ask(Where{}).try_await());
  });
}
