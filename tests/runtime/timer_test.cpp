// Timers of actors, and delayed sends.
#include <troupe/runtime/actor.hpp>

#include <catch2/catch.hpp>
#include <troupe/runtime/runtime.hpp>

#include "support/schedules.hpp"
#include "system_core.hpp"

using namespace std::chrono_literals;
using troupe::test::on_every_schedule;
using troupe::testkit::Probe;
using troupe::testkit::TestSystem;

namespace {

struct Tick {
  int n;
};
struct Start {
  int n;
  troupe::Duration delay;
};
struct Every {
  troupe::Duration period;
};
struct StartAndWait {
  int n;
  troupe::Duration delay;
};
struct Cancel {};
struct Seen {
  int n;
};

struct Never {
  using Reply = int;
};
class Clocked : public troupe::Actor<Start, StartAndWait, Every, Cancel, troupe::Private<Tick>> {
 public:
  explicit Clocked(troupe::Ref<Seen> out, troupe::Ref<Never> silent = {})
      : out_(out), silent_(silent) {}
  void receive(const Start& m) { start_timer("key", m.delay, Tick{m.n}); }
  void receive(const StartAndWait& m) {
    start_timer("key", m.delay, Tick{m.n});
    static_cast<void>(silent_.ask(Never{}, 2 * m.delay).try_await());
  }
  void receive(const Every& m) { every(7, m.period, Tick{0}); }
  void receive(const Cancel&) {
    cancel_timer("key");
    cancel_timer(7);
  }
  void receive(Tick&& m) { out_.tell(Seen{m.n}); }

 private:
  troupe::Ref<Seen> out_;
  troupe::Ref<Never> silent_;
};

}  // namespace

TEST_CASE("S38 a timer fires when due and never early", "[runtime]") {
  on_every_schedule([](TestSystem& system) {
    Probe<Seen> probe{system};
    auto actor = system.spawn<Clocked>(probe.ref());
    actor.tell(Start{1, 500ms});
    system.settle();
    probe.expect_no_message(499ms);
    const auto before = system.now();
    REQUIRE(probe.expect<Seen>().n == 1);
    REQUIRE(system.now() - before <= 1ms);
  });
}

TEST_CASE("S32 C113 starting a key cancels the timer that had it, also one whose tick waits",
          "[runtime]") {
  on_every_schedule([](TestSystem& system) {
    Probe<Seen> probe{system};
    auto actor = system.spawn<Clocked>(probe.ref());
    actor.tell(Start{1, 1s});
    actor.tell(Start{2, 2s});
    REQUIRE(probe.expect<Seen>().n == 2);
    probe.expect_no_message(10s);
    actor.tell(Start{3, 0s});
    actor.tell(Start{4, 1s});  // in some schedules tick 3 waits in the mailbox by then
    auto last = probe.expect<Seen>();
    if (last.n == 3) last = probe.expect<Seen>();
    REQUIRE(last.n == 4);
    probe.expect_no_message(10s);
  });
}

TEST_CASE("S32 a tick that waits in the mailbox is not delivered once its timer is cancelled",
          "[runtime]") {
  on_every_schedule([](TestSystem& system) {
    Probe<Seen> probe{system};
    Probe<Never> silent{system};
    auto actor = system.spawn<Clocked>(probe.ref(), silent.ref());
    actor.tell(StartAndWait{5, 1s});
    actor.tell(Cancel{});
    system.settle();  // the handler waits, and Cancel is in the mailbox before the tick comes
    probe.expect_no_message(10s);
    REQUIRE(system.metrics().dropped_for(troupe::DropReason::cancelled_tick) == 1);
  });
}

TEST_CASE("S34 a repeating timer keeps its rate until it is cancelled", "[runtime]") {
  on_every_schedule([](TestSystem& system) {
    Probe<Seen> probe{system};
    auto actor = system.spawn<Clocked>(probe.ref());
    actor.tell(Every{100ms});
    system.settle();
    system.advance(1050ms);
    REQUIRE(probe.waiting() == 10);
    actor.tell(Cancel{});
    system.settle();
    system.advance(1h);
    REQUIRE(probe.waiting() == 10);
  });
}

namespace {

struct Work {
  using Reply = void;
};
/// Each tick asks and waits for the answer. `fixed_delay`: the next period begins then.
template <auto Turns>
class Polls : public troupe::Actor<troupe::Private<Tick>> {
 public:
  static constexpr auto turns = Turns;
  Polls(troupe::Ref<Work> work, bool fixed_delay) : work_(work), fixed_delay_(fixed_delay) {}
  void on_start() override {
    if (fixed_delay_) {
      every("poll", 10s, Tick{0}, troupe::after_completion);
    } else {
      every("poll", 10s, Tick{0});
    }
  }
  void receive(const Tick&) { work_.ask(Work{}, troupe::no_timeout).await(); }

 private:
  troupe::Ref<Work> work_;
  bool fixed_delay_;
};

}  // namespace

TEST_CASE("S35 with a fixed delay the period begins when the handler has ended", "[runtime]") {
  on_every_schedule([](TestSystem& system) {
    Probe<Work> work{system};
    system.spawn<Polls<troupe::reentrant>>(work.ref(), true);
    for (int i = 0; i < 3; ++i) {
      system.settle();
      work.expect_no_message(9s);
      system.advance(1s);
      work.expect<Work>(0s);
      work.expect_no_message(25s);  // the handler waits: its timer stands still
      work.reply<Work>();
    }
  });
}

TEST_CASE("S35 the handler of a repeating timer does not overlap itself", "[runtime]") {
  on_every_schedule([](TestSystem& system) {
    Probe<Work> work{system};
    system.spawn<Polls<troupe::reentrant>>(work.ref(), false);
    system.advance(10s);
    work.expect<Work>(0s);
    work.expect_no_message(25s);  // two periods are missed
    work.reply<Work>();
    work.expect_no_message(4s);
    system.advance(1s);  // the rate is kept
    work.expect<Work>(0s);
  });
}

TEST_CASE("S33 timers end with their actor", "[runtime]") {
  on_every_schedule([](TestSystem& system) {
    Probe<Seen> probe{system};
    auto actor = system.spawn<Clocked>(probe.ref());
    actor.tell(Start{1, 1s});
    actor.tell(Every{100ms});
    system.settle();
    system.stop(actor).await();
    system.settle();
    REQUIRE_FALSE(system.core().timers().next_wake().has_value());
    probe.expect_no_message(1h);
  });
}

TEST_CASE("C118 a period of zero or less is refused", "[runtime]") {
  on_every_schedule([](TestSystem& system) {
    Probe<troupe::Terminated> watcher{system};
    Probe<Seen> probe{system};
    auto actor = system.spawn<Clocked>(probe.ref());
    watcher.watch(actor);
    actor.tell(Every{0s});
    REQUIRE(std::string(watcher.expect<troupe::Terminated>().why.text()).find("period") !=
            std::string::npos);
  });
}

TEST_CASE("a delayed send arrives after its delay, and bounces when its receiver has ended",
          "[runtime]") {
  on_every_schedule([](TestSystem& system) {
    Probe<Seen> probe{system};
    probe.ref().tell_after(3s, Seen{1});
    probe.ref().tell_after(1s, Seen{2});
    REQUIRE(probe.expect<Seen>(10s).n == 2);
    REQUIRE(probe.expect<Seen>(10s).n == 1);
    auto actor = system.spawn<Clocked>(probe.ref());
    actor.tell_after(5s, Start{1, 1s});
    system.stop(actor).await();
    system.advance(1min);
    REQUIRE(system.metrics().dropped_for(troupe::DropReason::no_actor) == 1);
  });
}

TEST_CASE("a delayed send that never becomes due is freed with its System", "[runtime]") {
  on_every_schedule([](TestSystem& system) {
    Probe<Seen> probe{system};
    probe.ref().tell_after(std::chrono::hours(1000), Seen{1});
    system.settle();
  });
}

TEST_CASE("S140 advance runs all that becomes due in order of time, also what it starts in turn",
          "[runtime]") {
  on_every_schedule([](TestSystem& system) {
    Probe<Seen> probe{system};
    auto actor = system.spawn<Clocked>(probe.ref());
    for (int i = 10; i > 0; --i) actor.tell_after(i * 100ms, Start{i, 10ms});
    system.advance(2s);
    for (int i = 1; i <= 10; ++i) REQUIRE(probe.expect<Seen>(0s).n == i);
  });
}

namespace {
struct Fragile {
  explicit Fragile(int copies) : copies_left(copies) {}
  Fragile(const Fragile& other) : copies_left(other.copies_left - 1) {
    if (copies_left < 0) throw std::runtime_error("no more copies");
  }
  int copies_left;
};
class Repeats : public troupe::Actor<Cancel, troupe::Private<Fragile>> {
 public:
  void on_start() override { every("fragile", 1s, Fragile{1}); }
  void receive(const Cancel&) {}
  void receive(const Fragile&) {}
};
}  // namespace

TEST_CASE("S43 a repeated message whose copy throws fails its actor and nothing else",
          "[runtime]") {
  auto recorder = std::make_shared<troupe::test::Recorder>();
  on_every_schedule(
      [&](TestSystem& system) {
        recorder->clear();
        system.spawn<Repeats>();
        system.settle();
        system.advance(3s);
        REQUIRE(recorder->count("failed") == 1);
        REQUIRE(system.actor_count() == 0);
      },
      troupe::test::observed_by(recorder));
}
