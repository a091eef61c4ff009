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

TEST_CASE("S38 C116 a timer fires when due and never early", "[runtime]") {
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

TEST_CASE("S32 C123 a tick that waits in the mailbox is not delivered once its timer is cancelled",
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

TEST_CASE("S32 outside of a tick's handler no period was missed", "[runtime]") {
  class Looks : public troupe::Actor<Never> {
   public:
    int receive(const Never&) {
      const auto here = missed_ticks();
      return static_cast<int>(here + troupe::blocking([this] { return missed_ticks(); }));
    }
  };
  on_every_schedule(
      [](TestSystem& system) { REQUIRE(system.spawn<Looks>().ask(Never{}).await() == 0); });
}

namespace {
struct Missed {
  std::uint32_t periods;
};
/// Tells how many periods brought no tick while it waited.
class Counts : public troupe::Actor<Tick> {
 public:
  Counts(troupe::Ref<Work> work, troupe::Ref<Missed> missed) : work_(work), missed_(missed) {}
  void on_start() override { every(1, 10s, Tick{}); }
  void receive(const Tick&) {
    missed_.tell(Missed{missed_ticks()});
    work_.ask(Work{}, troupe::no_timeout).await();
  }

 private:
  troupe::Ref<Work> work_;
  troupe::Ref<Missed> missed_;
};
}  // namespace

TEST_CASE("S32 a tick says how many periods were missed before it", "[runtime]") {
  on_every_schedule([](TestSystem& system) {
    Probe<Work> work{system};
    Probe<Missed> missed{system};
    system.spawn<Counts>(work.ref(), missed.ref());
    system.advance(10s);
    REQUIRE(missed.expect<Missed>(0s).periods == 0);
    work.expect<Work>(0s);
    system.advance(45s);  // one tick waits, three more find it there
    work.reply<Work>();
    REQUIRE(missed.expect<Missed>(0s).periods == 3);
    work.expect<Work>(0s);
    work.reply<Work>();
    system.advance(5s);
    REQUIRE(missed.expect<Missed>(0s).periods == 0);
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

namespace {
struct Change {};
struct Boom {};
/// Ticks each second, and says so in two ways.
class Fickle : public troupe::Actor<Change, Boom, troupe::Private<Tick>> {
 public:
  explicit Fickle(troupe::Ref<Seen> out, bool starts = true) : out_(out), starts_(starts) {}
  void on_start() override {
    every("often", 1s, Tick{0});
    start_timer("once", 1h, Tick{0});
    if (!starts_) throw std::runtime_error("a bad start");
  }
  void receive(const Change&) {
    become([this](const Tick&) { out_.tell(Seen{2}); }, troupe::otherwise_receive);
  }
  void receive(const Boom&) { throw std::runtime_error("boom"); }
  void receive(const Tick&) { out_.tell(Seen{1}); }

 private:
  troupe::Ref<Seen> out_;
  bool starts_;
};
}  // namespace

TEST_CASE("S33 C115 timers outlive a change of behavior, and end when their actor fails",
          "[runtime]") {
  on_every_schedule([](TestSystem& system) {
    Probe<Seen> probe{system};
    auto fickle = system.spawn<Fickle>(probe.ref());
    REQUIRE(probe.expect<Seen>().n == 1);
    fickle.tell(Change{});
    REQUIRE(probe.expect<Seen>().n == 2);
    fickle.tell(Boom{});
    system.settle();
    REQUIRE_FALSE(system.core().timers().next_wake().has_value());
    system.spawn<Fickle>(probe.ref(), false);
    system.settle();
    REQUIRE_FALSE(system.core().timers().next_wake().has_value());
    probe.expect_no_message(1h);
  });
}

TEST_CASE("C118 a period of zero or less is refused", "[runtime]") {
  on_every_schedule([](TestSystem& system) {
    Probe<troupe::Terminated> watcher{system};
    Probe<Seen> probe{system};
    for (const troupe::Duration period : {0s, -1s}) {
      auto actor = system.spawn<Clocked>(probe.ref());
      watcher.watch(actor);
      actor.tell(Every{period});
      REQUIRE(std::string(watcher.expect<troupe::Terminated>().why.text()).find("period") !=
              std::string::npos);
    }
  });
}

namespace {
struct TryCancel {
  using Reply = bool;
};
/// Its third tick throws.
class Trips : public troupe::Actor<Start, TryCancel, Every, troupe::Private<Tick>> {
 public:
  explicit Trips(troupe::Ref<Seen> out) : out_(out) {}
  void receive(const Start& m) { start_timer("key", m.delay, Tick{m.n}); }
  bool receive(const TryCancel&) { return cancel_timer("key"); }
  void receive(const Every& m) { every("often", m.period, Tick{0}); }
  void receive(const Tick&) {
    out_.tell(Seen{++ticks_});
    if (ticks_ == 3) throw std::runtime_error("trips");
  }

 private:
  troupe::Ref<Seen> out_;
  int ticks_ = 0;
};
}  // namespace

TEST_CASE(
    "C116 cancelling says whether there was a timer - a repeating one ends when a tick throws",
    "[runtime]") {
  on_every_schedule([](TestSystem& system) {
    Probe<Seen> probe{system};
    auto trips = system.spawn<Trips>(probe.ref());
    REQUIRE_FALSE(trips.ask(TryCancel{}).await());
    trips.tell(Start{1, 1s});
    REQUIRE(trips.ask(TryCancel{}).await());
    REQUIRE_FALSE(trips.ask(TryCancel{}).await());
    trips.tell(Start{1, 1s});
    REQUIRE(probe.expect<Seen>().n == 1);
    REQUIRE_FALSE(trips.ask(TryCancel{}).await());  // it has fired
    trips.tell(Every{1s});
    REQUIRE(probe.expect<Seen>().n == 2);
    REQUIRE(probe.expect<Seen>().n == 3);
    probe.expect_no_message(1h);
    REQUIRE_FALSE(system.core().timers().next_wake().has_value());
  });
}

namespace {
struct Fill {
  int timers;
};
class Full : public troupe::Actor<Fill, Cancel, troupe::Private<Tick>> {
 public:
  void receive(const Fill& m) {
    for (int i = 0; i < m.timers; ++i) start_timer(i, std::chrono::hours(1000 + i), Tick{i});
    timers_ = m.timers;
  }
  void receive(const Cancel&) {
    for (int i = 0; i < timers_; ++i) cancel_timer(i);
  }
  void receive(const Tick&) {}

 private:
  int timers_ = 0;
};
}  // namespace

TEST_CASE("C124 timers that are cancelled are gone at once, however far away", "[runtime]") {
  on_every_schedule([](TestSystem& system) {
    auto full = system.spawn<Full>();
    full.tell(Fill{1000});
    system.settle();
    REQUIRE(system.core().timers().next_wake().has_value());
    full.tell(Cancel{});
    system.settle();
    REQUIRE_FALSE(system.core().timers().next_wake().has_value());
  });
}

namespace {
struct Add {
  int n;
};
struct Total {
  using Reply = std::string;
};
/// Adds by three timers and by messages, each in a turn with a wait.
class Adder : public troupe::Actor<Add, Total, troupe::Private<Tick>> {
 public:
  explicit Adder(troupe::Ref<Never> silent) : silent_(silent) {}
  void on_start() override {
    every(1, 1s, Tick{1});
    every(2, 1s, Tick{1});
    every(3, 2s, Tick{1});
  }
  void receive(const Add& m) { add(m.n); }
  void receive(const Tick& m) { add(m.n); }
  std::string receive(const Total&) {
    return std::to_string(sum_) + ", " + std::to_string(overlaps_) + " overlaps";
  }

 private:
  void add(int n) {
    if (is_busy_) ++overlaps_;
    is_busy_ = true;
    const int before = sum_;
    static_cast<void>(silent_.ask(Never{}, 10ms).try_await());
    sum_ = before + n;
    is_busy_ = false;
  }
  troupe::Ref<Never> silent_;
  int sum_ = 0;
  int overlaps_ = 0;
  bool is_busy_ = false;
};
}  // namespace

TEST_CASE("S35 C125 ticks of several timers and messages come one by one: the sum is exact",
          "[runtime]") {
  on_every_schedule([](TestSystem& system) {
    Probe<Never> silent{system};
    auto adder = system.spawn<Adder>(silent.ref());
    system.advance(500ms);
    for (int second = 0; second < 10; ++second) {
      for (int i = 0; i < 5; ++i) adder.tell(Add{10});
      system.advance(1s);
    }
    REQUIRE(adder.ask(Total{}).await() == std::to_string(10 + 10 + 5 + 500) + ", 0 overlaps");
  });
}

namespace {
/// In its own tick it makes its timer slower, and ends it.
class Changes : public troupe::Actor<troupe::Private<Tick>> {
 public:
  explicit Changes(troupe::Ref<Seen> out) : out_(out) {}
  void on_start() override { every("t", 1s, Tick{0}); }
  void receive(const Tick&) {
    out_.tell(Seen{++ticks_});
    if (ticks_ == 3) every("t", 2s, Tick{0});
    if (ticks_ == 5) cancel_timer("t");
  }

 private:
  troupe::Ref<Seen> out_;
  int ticks_ = 0;
};
}  // namespace

TEST_CASE("C126 a timer that is changed and cancelled in its own tick ticks exactly so often",
          "[runtime]") {
  on_every_schedule([](TestSystem& system) {
    Probe<Seen> probe{system};
    system.spawn<Changes>(probe.ref());
    system.settle();
    const auto ticks_after = [&](troupe::Duration d) {
      system.advance(d);
      return probe.waiting();
    };
    REQUIRE(ticks_after(3s) == 3);
    REQUIRE(ticks_after(1999ms) == 3);
    REQUIRE(ticks_after(1ms) == 4);
    REQUIRE(ticks_after(2s) == 5);
    REQUIRE(ticks_after(1h) == 5);
  });
}

TEST_CASE("C123 a delayed send arrives after its delay, and bounces when its receiver has ended",
          "[runtime]") {
  on_every_schedule([](TestSystem& system) {
    Probe<Seen> probe{system};
    const auto begun = system.now();
    probe.ref().tell_after(3s, Seen{1});
    probe.ref().tell_after(1s, Seen{2});
    REQUIRE(probe.expect<Seen>(10s).n == 2);
    REQUIRE(system.now() - begun >= 1s);
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

TEST_CASE("S8 a delayed send that the shutdown overtakes is a dead letter", "[runtime]") {
  on_every_schedule([](TestSystem& system) {
    Probe<Seen> probe{system};
    probe.ref().tell_after(std::chrono::hours(1000), Seen{1});
    const auto before = system.metrics().dropped_for(troupe::DropReason::no_actor);
    REQUIRE(system.shutdown().complete);
    REQUIRE(system.metrics().dropped_for(troupe::DropReason::no_actor) == before + 1);
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

TEST_CASE("the machine's clock tells a recent moment that is not after now", "[runtime]") {
  const auto clock = troupe::system_clock();
  for (int i = 0; i < 1000; ++i) {
    const troupe::TimePoint recent = clock->recent();
    REQUIRE(recent <= clock->now());
    REQUIRE(recent.time_since_epoch() > troupe::Duration::zero());
  }
}
