// Routers: pools and groups, and where they send.
#include <map>
#include <set>

#include <troupe/supervision/supervision.hpp>

#include <catch2/catch.hpp>

#include "support/schedules.hpp"

using namespace std::chrono_literals;
using troupe::test::on_every_schedule;
using troupe::testkit::Probe;
using troupe::testkit::TestSystem;

namespace {

struct Job {
  std::string key;
};
struct WhoAreYou {
  std::string key;
  using Reply = std::uint64_t;
};
struct Work : troupe::Protocol<Job, WhoAreYou> {};
struct Notes : troupe::Protocol<Job> {};

struct Took {
  std::uint64_t who;
  std::string key;
};

class Worker : public troupe::Actor<Work> {
 public:
  explicit Worker(troupe::Ref<Took> sink) : sink_(sink) {}
  void receive(const Job& m) {
    if (m.key == "crash") throw std::runtime_error("crashed");
    sink_.tell(Took{id(), m.key});
  }
  std::uint64_t receive(const WhoAreYou& m) {
    if (m.key == "crash") throw std::runtime_error("crashed");
    return id();
  }

 private:
  std::uint64_t id() const { return std::hash<troupe::Ref<>>{}(troupe::Ref<>{self()}); }
  troupe::Ref<Took> sink_;
};

troupe::Factory<Work> workers(const Probe<Took>& sink) {
  return troupe::factory<Work, Worker>(sink.ref());
}

std::map<std::uint64_t, int> counts(Probe<Took>& sink, int total) {
  std::map<std::uint64_t, int> by_worker;
  for (int i = 0; i < total; ++i) ++by_worker[sink.expect<Took>().who];
  return by_worker;
}

}  // namespace

TEST_CASE("a pool hands out work in turn, and its routees answer the askers", "[router]") {
  on_every_schedule([](TestSystem& system) {
    Probe<Took> sink{system};
    troupe::Ref<Work> pool = system.spawn(troupe::pool(3, workers(sink)), {.name = "pool"});
    for (int i = 0; i < 9; ++i) pool.tell(Job{"x"});
    const auto by_worker = counts(sink, 9);
    REQUIRE(by_worker.size() == 3);
    for (const auto& [who, count] : by_worker) REQUIRE(count == 3);
    std::set<std::uint64_t> answered;
    for (int i = 0; i < 3; ++i) answered.insert(pool.ask(WhoAreYou{"x"}).await());
    REQUIRE(answered.size() == 3);
    REQUIRE(system.find<Work>("/pool"));
  });
}

TEST_CASE("a pool restarts a routee that fails - the others go on", "[router]") {
  on_every_schedule([](TestSystem& system) {
    Probe<Took> sink{system};
    auto pool = system.spawn(troupe::pool(2, workers(sink)));
    REQUIRE_THROWS_AS(pool.ask(WhoAreYou{"crash"}).await(), troupe::ReceiverDown);
    for (int i = 0; i < 4; ++i) pool.tell(Job{"x"});
    REQUIRE(counts(sink, 4).size() == 2);
    REQUIRE(system.metrics().actors_restarted == 1);
  });
}

TEST_CASE("a random router uses all its routees, and the seed decides", "[router]") {
  const auto run = [](std::uint64_t seed) {
    TestSystem system{seed};
    Probe<Took> sink{system};
    auto pool = system.spawn(troupe::pool(4, workers(sink), troupe::random_routee));
    for (int i = 0; i < 400; ++i) pool.tell(Job{"x"});
    return counts(sink, 400);
  };
  const auto by_worker = run(1);
  REQUIRE(by_worker.size() == 4);
  for (const auto& [who, count] : by_worker) REQUIRE((count > 60 && count < 140));
  REQUIRE(run(1) == by_worker);
  REQUIRE(run(2) != by_worker);
}

TEST_CASE("a least loaded router passes by routees whose mailboxes fill", "[router]") {
  on_every_schedule([](TestSystem& system) {
    Probe<Took> sink{system};
    class Slow : public troupe::Actor<Notes> {
     public:
      Slow(troupe::Ref<Took> sink, troupe::Ref<WhoAreYou> gate) : sink_(sink), gate_(gate) {}
      void receive(const Job& m) {
        if (m.key == "long") gate_.ask(WhoAreYou{}, 1h).await();
        sink_.tell(Took{std::hash<troupe::Ref<>>{}(troupe::Ref<>{self()}), m.key});
      }

     private:
      troupe::Ref<Took> sink_;
      troupe::Ref<WhoAreYou> gate_;
    };
    Probe<WhoAreYou> gate{system};
    std::vector<troupe::Ref<Notes>> routees;
    for (int i = 0; i < 2; ++i)
      routees.push_back(
          system.spawn<Slow>(troupe::Ref<Took>{sink.ref()}, troupe::Ref<WhoAreYou>{gate.ref()}));
    routees[0].tell(Job{"long"});
    gate.expect<WhoAreYou>();
    for (int i = 0; i < 5; ++i) routees[0].tell(Job{"queued"});  // its mailbox is not empty
    system.settle();
    auto group = system.spawn(troupe::group<Notes>(routees, troupe::least_loaded));
    for (int i = 0; i < 20; ++i) {
      group.tell(Job{"new"});
      system.settle();
      REQUIRE(sink.expect<Took>(0s).key == "new");
    }
    gate.reply<WhoAreYou>(1);
    for (int i = 0; i < 6; ++i) REQUIRE(sink.expect<Took>().key != "new");
  });
}

namespace {
constexpr auto key_of = [](const auto& m) { return m.key; };
}

TEST_CASE("a consistent hash router keeps keys together, and moves only those that lost theirs",
          "[router]") {
  on_every_schedule([](TestSystem& system) {
    Probe<Took> sink{system};
    std::vector<troupe::Ref<Work>> routees;
    for (int i = 0; i < 4; ++i)
      routees.push_back(system.spawn<Worker>(troupe::Ref<Took>{sink.ref()}));
    auto group = system.spawn(troupe::group<Work>(routees, troupe::consistent_hash(key_of)));
    const auto owners = [&] {
      std::map<std::string, std::uint64_t> of;
      for (int i = 0; i < 100; ++i) {
        const std::string key = "order-" + std::to_string(i);
        of[key] = group.ask(WhoAreYou{key}).await();
        REQUIRE(group.ask(WhoAreYou{key}).await() == of[key]);
      }
      return of;
    };
    const auto before = owners();
    const auto gone = std::hash<troupe::Ref<>>{}(troupe::Ref<>{routees[0]});
    system.stop(routees[0]).await();
    system.settle();
    const auto after = owners();
    int moved = 0;
    for (const auto& [key, owner] : before) {
      REQUIRE(after.at(key) != gone);
      if (owner == gone) {
        ++moved;
      } else {
        REQUIRE(after.at(key) == owner);
      }
    }
    REQUIRE((moved > 5 && moved < 60));
  });
}

TEST_CASE("a broadcast reaches everybody that lives - without anybody requests are refused",
          "[router]") {
  on_every_schedule([](TestSystem& system) {
    Probe<Took> sink{system};
    std::vector<troupe::Ref<Notes>> routees;
    for (int i = 0; i < 3; ++i)
      routees.push_back(system.spawn<Worker>(troupe::Ref<Took>{sink.ref()}));
    auto all = system.spawn(troupe::group<Notes>(routees, troupe::broadcast));
    all.tell(Job{"x"});
    REQUIRE(counts(sink, 3).size() == 3);
    system.stop(routees[1]).await();
    system.settle();
    all.tell(Job{"y"});
    REQUIRE(counts(sink, 2).size() == 2);
    auto nobody = system.spawn(troupe::group<Work>({}));
    REQUIRE_THROWS_AS(nobody.ask(WhoAreYou{"x"}).await(), troupe::Refused);
  });
}

TEST_CASE("S8 C140 what a router without routees is told is a dead letter", "[router]") {
  auto recorder = std::make_shared<troupe::test::Recorder>();
  on_every_schedule(
      [&](TestSystem& system) {
        recorder->clear();
        for (const auto& router :
             {troupe::group<Notes>({}), troupe::group<Notes>({}, troupe::broadcast),
              troupe::group<Notes>({}, troupe::scatter_gather_first(1s))}) {
          system.spawn(router).tell(Job{"x"});
        }
        system.settle();
        REQUIRE(recorder->count("dead_letter") == 3);
        REQUIRE(recorder->count("failed") == 0);
        REQUIRE(system.metrics().dropped_for(troupe::DropReason::no_actor) == 3);
      },
      troupe::test::observed_by(recorder));
}

TEST_CASE("C139 members that stop leave the work to the rest, in a group and in a pool",
          "[router]") {
  on_every_schedule([](TestSystem& system) {
    Probe<Took> sink{system};
    std::vector<troupe::Ref<Work>> routees;
    for (int i = 0; i < 4; ++i)
      routees.push_back(system.spawn<Worker>(troupe::Ref<Took>{sink.ref()}));
    const auto group = system.spawn(troupe::group<Work>(routees));
    for (int i = 0; i < 2; ++i) system.stop(routees[static_cast<std::size_t>(i)]).await();
    const auto pool = system.spawn(troupe::pool(4, workers(sink)));
    system.settle();
    for (const char* id : {"routee-1", "routee-3"})
      REQUIRE(troupe::terminate_child(pool, id).await());
    system.settle();
    for (const troupe::Ref<Work>& router : {group, pool}) {
      for (int i = 0; i < 5; ++i) router.tell(Job{"x"});
      REQUIRE(counts(sink, 5).size() == 2);
      sink.expect_no_message();
    }
  });
}

TEST_CASE("C143 a broadcast through pools of pools reaches every worker once - they end together",
          "[router]") {
  on_every_schedule([](TestSystem& system) {
    Probe<Took> sink{system};
    const auto worker = troupe::factory<Notes, Worker>(troupe::Ref<Took>{sink.ref()});
    const auto inner = troupe::pool<Notes>(5, worker, troupe::broadcast);
    const auto all = system.spawn(troupe::pool<Notes>(5, inner, troupe::broadcast));
    all.tell(Job{"x"});
    REQUIRE(counts(sink, 25).size() == 25);
    const auto first = troupe::which_children(all).await().at(0).ref;
    REQUIRE(troupe::terminate_child(first, "routee-1").await());
    system.settle();
    all.tell(Job{"y"});
    REQUIRE(counts(sink, 24).size() == 24);
    sink.expect_no_message();
    system.stop(all).await();
    REQUIRE(system.actor_count() == 1);  // the sink
  });
}

TEST_CASE("C142 scatter and gather without members fails at once - a dead one does no harm",
          "[router]") {
  struct Ask {
    using Reply = int;
  };
  on_every_schedule([](TestSystem& system) {
    Probe<Ask> dead{system};
    Probe<Ask> lives{system};
    system.stop(dead.ref()).await();
    const auto before = system.now();
    auto nobody = system.spawn(troupe::group<Ask>({}, troupe::scatter_gather_first(10s)));
    REQUIRE_THROWS_AS(nobody.ask(Ask{}, 1h).await(), troupe::Refused);
    auto both = system.spawn(
        troupe::group<Ask>({dead.ref(), lives.ref()}, troupe::scatter_gather_first(10s)));
    auto answer = both.ask(Ask{}, 1h);
    lives.expect<Ask>();
    lives.reply<Ask>(7);
    REQUIRE(answer.await() == 7);
    REQUIRE(system.now() == before);
  });
}

TEST_CASE("scatter and gather takes the first value, and fails only when all have", "[router]") {
  on_every_schedule([](TestSystem& system) {
    struct Ask {
      using Reply = int;
    };
    Probe<Ask> a{system};
    Probe<Ask> b{system};
    auto both =
        system.spawn(troupe::group<Ask>({a.ref(), b.ref()}, troupe::scatter_gather_first(10s)));
    auto first = both.ask(Ask{}, 1min);
    auto second = both.ask(Ask{}, 1min);  // they do not wait for each other
    a.expect<Ask>();
    b.expect<Ask>();
    a.expect<Ask>();
    system.settle();  // b has both: one that is over before b takes it would not come
    a.reply<Ask>(2);
    REQUIRE(second.await() == 2);
    b.expect<Ask>();
    REQUIRE_THROWS_AS(first.await(), troupe::AskFailed);  // a gave no reply, b none in time
  });
}

TEST_CASE("a pool of none is refused", "[router]") {
  TestSystem system{1};
  Probe<Took> sink{system};
  REQUIRE_THROWS_AS(system.spawn(troupe::pool(0, workers(sink))), troupe::UsageError);
}

namespace {
struct Hello {};
class Stranger : public troupe::Actor<Hello> {
 public:
  void receive(const Hello&) {}
};
}  // namespace

TEST_CASE("a pool hands no work to a child of another kind", "[router]") {
  on_every_schedule([](TestSystem& system) {
    Probe<Took> sink{system};
    auto pool = system.spawn(troupe::pool(2, workers(sink), troupe::round_robin));
    REQUIRE(troupe::start_child(pool, {.id = "stranger"}, troupe::factory<Stranger>()).await());
    for (int i = 0; i < 6; ++i) pool.ask(WhoAreYou{"x"}).await();  // throws where it is refused
  });
}

TEST_CASE("a pool leaves out a routee that was taken away, and takes it in when it is back",
          "[router]") {
  on_every_schedule([](TestSystem& system) {
    Probe<Took> sink{system};
    auto pool = system.spawn(troupe::pool(3, workers(sink), troupe::least_loaded));
    const auto all_answer = [&](std::size_t routees) {
      std::set<std::uint64_t> answered;
      for (int i = 0; i < 12; ++i) answered.insert(pool.ask(WhoAreYou{"x"}).await());
      return answered.size() == routees;
    };
    REQUIRE(all_answer(3));
    REQUIRE(troupe::terminate_child(pool, "routee-2").await());
    system.settle();
    REQUIRE(all_answer(2));
    REQUIRE(troupe::restart_child(pool, "routee-2").await());
    system.settle();
    REQUIRE(all_answer(3));
  });
}
