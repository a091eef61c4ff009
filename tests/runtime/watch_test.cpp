// Watching and monitoring.
#include <troupe/runtime/signals.hpp>

#include <catch2/catch.hpp>
#include <troupe/runtime/runtime.hpp>

#include "support/schedules.hpp"

using namespace std::chrono_literals;
using troupe::Down;
using troupe::Terminated;
using troupe::test::on_every_schedule;
using troupe::testkit::Probe;
using troupe::testkit::TestSystem;

namespace {

struct Number {
  int value;
};
struct Burst {
  int count;
};
struct Boom {};

class Target : public troupe::Actor<Burst, Boom> {
 public:
  explicit Target(troupe::Ref<Number> out = {}) : out_(out) {}
  void receive(const Burst& m) {
    for (int i = 0; i < m.count; ++i) out_.tell(Number{i});
    stop();
  }
  void receive(const Boom&) { throw std::runtime_error("boom"); }

 private:
  troupe::Ref<Number> out_;
};

struct Watch {
  troupe::Ref<> who;
};
class Careless : public troupe::Actor<Watch> {  // watches, and has no handler for Terminated
 public:
  void receive(const Watch& m) { watch(m.who); }
};

}  // namespace

TEST_CASE("S50 C74 C82 one Terminated per watcher, however often it watched", "[runtime]") {
  on_every_schedule([](TestSystem& system) {
    Probe<Terminated> a{system};
    Probe<Terminated> b{system};
    Probe<Terminated> c{system};
    auto target = system.spawn<Target>();
    a.watch(target);
    a.watch(target);
    b.watch(target);
    c.watch(target);
    target.tell(Boom{});
    const auto notice = a.expect<Terminated>();
    REQUIRE(notice.who == target);
    REQUIRE(notice.why.kind() == troupe::ExitReason::Kind::failure);
    REQUIRE(notice.why.is_a<std::runtime_error>());
    b.expect<Terminated>();
    c.expect<Terminated>();
    a.expect_no_message();
    b.expect_no_message();
    c.expect_no_message();
  });
}

TEST_CASE("S51 C74 watching a dead actor, or nobody, tells at once", "[runtime]") {
  on_every_schedule([](TestSystem& system) {
    Probe<Terminated> probe{system};
    auto target = system.spawn<Target>();
    system.stop(target).await();
    probe.watch(target);
    REQUIRE(probe.expect<Terminated>().why.kind() == troupe::ExitReason::Kind::no_actor);
    probe.watch(troupe::Ref<>{});
    probe.expect<Terminated>();
    probe.expect_no_message();
  });
}

TEST_CASE("S52 C75 after unwatch no Terminated is processed - other watchers still get theirs",
          "[runtime]") {
  on_every_schedule([](TestSystem& system) {
    Probe<Terminated> a{system};
    Probe<Terminated> b{system};
    auto target = system.spawn<Target>();
    a.watch(target);
    b.watch(target);
    a.unwatch(target);
    system.stop(target).await();
    b.expect<Terminated>();
    a.expect_no_message();
  });
}

namespace {
struct Pause {
  using Reply = int;
};
struct WatchThen {
  troupe::Ref<> who;
  bool unwatches;
};
struct MonitorThen {
  troupe::Ref<> who;
  bool demonitors;
};
class Changeable : public troupe::Actor<WatchThen, MonitorThen> {
 public:
  Changeable(troupe::Ref<Pause> pause, troupe::Ref<Number> out) : pause_(pause), out_(out) {}
  void receive(const WatchThen& m) {
    watch(m.who);
    static_cast<void>(pause_.ask(Pause{}, 1h).await());  // the notice comes meanwhile, and waits
    if (m.unwatches) unwatch(m.who);
  }
  void receive(const MonitorThen& m) {
    const auto token = monitor(m.who);
    static_cast<void>(pause_.ask(Pause{}, 1h).await());
    if (m.demonitors) demonitor(token);
  }
  void receive(const Terminated&) { out_.tell(Number{1}); }
  void receive(const Down&) { out_.tell(Number{2}); }

 private:
  troupe::Ref<Pause> pause_;
  troupe::Ref<Number> out_;
};
}  // namespace

TEST_CASE("S52 unwatch holds even for a Terminated that waits already", "[runtime]") {
  on_every_schedule([](TestSystem& system) {
    for (const bool unwatches : {false, true}) {
      Probe<Pause> pause{system};
      Probe<Number> out{system};
      auto target = system.spawn<Target>();
      auto watcher = system.spawn<Changeable>(pause.ref(), out.ref());
      watcher.tell(WatchThen{target, unwatches});
      pause.expect<Pause>();
      system.stop(target).await();
      system.settle();
      out.expect_no_message(1s);
      pause.reply<Pause>(1);
      if (unwatches) {
        out.expect_no_message();
      } else {
        out.expect<Number>();  // it did wait
      }
    }
  });
}

TEST_CASE("S3 a Terminated comes after everything the dead actor had sent to the watcher",
          "[runtime]") {
  on_every_schedule([](TestSystem& system) {
    Probe<Terminated, Number> probe{system};
    auto target = system.spawn<Target>(probe.ref());
    probe.watch(target);
    target.tell(Burst{20});
    for (int i = 0; i < 20; ++i) REQUIRE(probe.expect<Number>().value == i);
    REQUIRE(probe.expect<Terminated>().why.kind() == troupe::ExitReason::Kind::normal);
    probe.expect_no_message();
  });
}

TEST_CASE("S3 so do a Down and a trapped exit", "[runtime]") {
  on_every_schedule([](TestSystem& system) {
    Probe<Down, Number> monitors{system};
    auto target = system.spawn<Target>(monitors.ref());
    monitors.monitor(target);
    target.tell(Burst{20});
    for (int i = 0; i < 20; ++i) REQUIRE(monitors.expect<Number>().value == i);
    monitors.expect<Down>();
    Probe<troupe::Exit, Number> linked{system};
    target = system.spawn<Target>(linked.ref());
    linked.link(target);
    target.tell(Burst{20});
    for (int i = 0; i < 20; ++i) REQUIRE(linked.expect<Number>().value == i);
    REQUIRE(linked.expect<troupe::Exit>().why.kind() == troupe::ExitReason::Kind::normal);
    linked.expect_no_message();
  });
}

namespace {
struct Begin {};
/// Has two children and watches one.
class Parent : public troupe::Actor<Begin> {
 public:
  explicit Parent(troupe::Ref<Number> out) : out_(out) {}
  void receive(const Begin&) {
    const auto watched = spawn<Target>();
    const auto unwatched = spawn<Target>();
    watch(watched);
    unwatched.tell(Burst{0});
    watched.tell(Burst{0});
  }
  void receive(const Terminated&) { out_.tell(Number{1}); }

 private:
  troupe::Ref<Number> out_;
};
}  // namespace

TEST_CASE("S55 a parent hears of the end of children that it watches, and of no others",
          "[runtime]") {
  on_every_schedule([](TestSystem& system) {
    Probe<Number> out{system};
    auto parent = system.spawn<Parent>(out.ref());
    parent.tell(Begin{});
    out.expect<Number>();
    system.settle();
    REQUIRE(system.actor_count() == 2);  // the parent and the probe
    out.expect_no_message();
  });
}

TEST_CASE("S53 C83 each monitor yields one Down - ending one leaves the other", "[runtime]") {
  on_every_schedule([](TestSystem& system) {
    Probe<Down> probe{system};
    auto target = system.spawn<Target>();
    const auto first = probe.monitor(target);
    const auto second = probe.monitor(target);
    const auto third = probe.monitor(target);
    probe.demonitor(second);
    system.stop(target).await();
    std::vector<troupe::MonitorToken> got{probe.expect<Down>().token, probe.expect<Down>().token};
    REQUIRE(std::count(got.begin(), got.end(), first) == 1);
    REQUIRE(std::count(got.begin(), got.end(), third) == 1);
    probe.expect_no_message();
    auto other = system.spawn<Target>();
    for (const auto token : {probe.monitor(other), probe.monitor(other)}) probe.demonitor(token);
    system.stop(other).await();
    probe.expect_no_message();
  });
}

TEST_CASE("S53 demonitor holds even for a Down that waits already", "[runtime]") {
  on_every_schedule([](TestSystem& system) {
    for (const bool demonitors : {false, true}) {
      Probe<Pause> pause{system};
      Probe<Number> out{system};
      auto target = system.spawn<Target>();
      auto watcher = system.spawn<Changeable>(pause.ref(), out.ref());
      watcher.tell(MonitorThen{target, demonitors});
      pause.expect<Pause>();
      system.stop(target).await();
      system.settle();
      pause.reply<Pause>(1);
      if (demonitors) {
        out.expect_no_message();
      } else {
        REQUIRE(out.expect<Number>().value == 2);  // it did wait
        out.expect_no_message();
      }
    }
  });
}

TEST_CASE(
    "S54 C77 a Terminated without a handler ends the watcher, and its own watchers hear of it",
    "[runtime]") {
  const auto recorder = std::make_shared<troupe::test::Recorder>();
  on_every_schedule(
      [&](TestSystem& system) {
        recorder->clear();
        Probe<Terminated> probe{system};
        auto target = system.spawn<Target>();
        auto careless = system.spawn<Careless>();
        probe.watch(careless);
        careless.tell(Watch{target});
        system.settle();
        target.tell(Boom{});
        const auto notice = probe.expect<Terminated>();
        REQUIRE(notice.who == careless);
        REQUIRE(std::string(notice.why.text()).find("death pact") == 0);
        const auto failed = recorder->all("failed");
        REQUIRE(failed.size() == 2);
        REQUIRE(failed[0].who == target);
        REQUIRE(failed[1].who == careless);
      },
      troupe::test::observed_by(recorder));
}

TEST_CASE("S57 C78 in the notice's handler the dead actor's name is free", "[runtime]") {
  on_every_schedule([](TestSystem& system) {
    Probe<Terminated> probe{system};
    for (int round = 0; round < 5; ++round) {
      auto target = system.spawn<Target>({.name = "phoenix"});
      probe.watch(target);
      static_cast<void>(system.stop(target));
      probe.expect<Terminated>();
    }
  });
}

namespace {
struct Go {};
/// As soon as its child has ended it spawns another of the same name.
class Nest : public troupe::Actor<Go> {
 public:
  explicit Nest(troupe::Ref<Number> out) : out_(out) {}
  void receive(const Go&) {
    const auto child = spawn<Target>({.name = "phoenix"});
    watch(child);
    child.tell(Burst{0});
  }
  void receive(const Terminated&) {
    out_.tell(Number{++ends_});
    if (ends_ < 5) receive(Go{});
  }

 private:
  troupe::Ref<Number> out_;
  int ends_ = 0;
};
/// Lets the notice wait until it is told to look.
class Later : public troupe::Actor<Watch, Go> {
 public:
  Later(troupe::Ref<Number> out, bool by_behavior) : out_(out), by_behavior_(by_behavior) {}
  void receive(const Watch& m) {
    watch(m.who);
    if (!by_behavior_) return;
    become(
        [this](const Go&) {
          unbecome();
          receive(Go{});
        },
        troupe::otherwise_stash);
  }
  void receive(const Go&) {
    looks_ = true;
    unstash_all();
  }
  void receive(const Terminated& m) {
    looks_ ? static_cast<void>(out_.tell(Number{1})) : static_cast<void>(stash(m));
  }

 private:
  troupe::Ref<Number> out_;
  bool by_behavior_;
  bool looks_ = false;
};
}  // namespace

TEST_CASE("S57 C78 a parent spawns and watches a child of the dead one's name as soon as it hears",
          "[runtime]") {
  on_every_schedule([](TestSystem& system) {
    Probe<Number> probe{system};
    auto nest = system.spawn<Nest>(probe.ref());
    nest.tell(Go{});
    for (int i = 1; i <= 5; ++i) REQUIRE(probe.expect<Number>().value == i);
    system.kill(nest);
  });
}

TEST_CASE("C81 a Terminated can be stashed, and comes when it is unstashed", "[runtime]") {
  on_every_schedule([](TestSystem& system) {
    for (const bool by_behavior : {false, true}) {
      Probe<Number> probe{system};
      auto target = system.spawn<Target>();
      auto later = system.spawn<Later>(probe.ref(), by_behavior);
      later.tell(Watch{target});
      system.settle();
      system.stop(target).await();
      probe.expect_no_message();
      later.tell(Go{});
      probe.expect<Number>();
      probe.expect_no_message();
    }
  });
}

TEST_CASE("re-watching after the notice tells again, at once", "[runtime]") {
  on_every_schedule([](TestSystem& system) {
    Probe<Terminated> probe{system};
    auto target = system.spawn<Target>();
    probe.watch(target);
    system.stop(target).await();
    probe.expect<Terminated>();
    probe.watch(target);
    probe.expect<Terminated>();
  });
}
