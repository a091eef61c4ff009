// Events that meet: a stop and a failure, a restart and a timer of another time, a group restart
// and what happens to its children meanwhile.
#include "supervision/support.hpp"

using namespace std::chrono_literals;
using namespace troupe::test;
using troupe::AskErrorKind;
using troupe::Decider;
using troupe::Decision;
using troupe::Duration;
using troupe::Ref;
using troupe::Restart;
using troupe::Shutdown;
using troupe::TimePoint;
using troupe::testkit::Probe;
using troupe::testkit::TestSystem;

namespace {

troupe::Backoff backoff_from(Duration min) {
  return {.min = min, .max = 1000s, .jitter = 0};
}

void let_fail_to_start(Fixture& f, const std::string& id, int times) {
  std::lock_guard guard(f.script->mutex);
  f.script->failing_starts[id] = times;
}

/// Asks `who`, and fails when that answers.
struct AskAndFail {
  Ref<Never> who;
};
class Torn : public troupe::Actor<AskAndFail, Never, Ping> {
 public:
  void receive(const AskAndFail& m) {
    static_cast<void>(m.who.ask(Never{}, troupe::no_timeout).try_await());
    throw std::runtime_error("torn");
  }
  void receive(const Never&, troupe::ReplyTo<int> reply) {
    static_cast<void>(spawn<Silent>().ask(Never{}, troupe::no_timeout).try_await());
    reply(1);
  }
  int receive(const Ping&) { return ++pings_; }

 private:
  int pings_ = 0;
};

/// How long its on_start and its on_stop take.
struct Pace {
  Duration start{0};
  Duration stop{0};
  Ref<Never> nobody;  ///< answers nothing
  int starts = 0;
};
std::shared_ptr<Pace> pace_of(TestSystem& system) {
  auto pace = std::make_shared<Pace>();
  pace->nobody = system.spawn<Silent>();
  return pace;
}
class Slow : public troupe::Actor<Fail, AskAndFail, Ping> {
 public:
  explicit Slow(std::shared_ptr<Pace> pace) : pace_(std::move(pace)) {}
  void on_start() override {
    if (++pace_->starts > 1) rest(pace_->start);
  }
  void on_stop(troupe::StopReason) override { rest(pace_->stop); }
  void receive(const Fail& m) { throw std::runtime_error(m.what); }
  void receive(const AskAndFail& m) {
    static_cast<void>(m.who.ask(Never{}, troupe::no_timeout).try_await());
    throw std::runtime_error("slow");
  }
  int receive(const Ping&) { return pace_->starts; }

 private:
  void rest(Duration d) {
    if (d > 0s) static_cast<void>(pace_->nobody.ask(Never{}, d).try_await());
  }
  std::shared_ptr<Pace> pace_;
};

/// A supervisor of one child of a class that is made with these arguments.
template <class C, class... Args>
class Minds : public troupe::Supervisor<FindChild> {
 public:
  Minds(troupe::SupervisorOptions options, troupe::ChildSpec spec, Args... args)
      : Supervisor(std::move(options)), spec_(std::move(spec)), args_(std::move(args)...) {}
  void on_start() override {
    std::apply([&](const Args&... args) { child_ = start_child<C>(spec_, args...); }, args_);
  }
  Ref<Child> receive(const FindChild&) { return {}; }

 private:
  troupe::ChildSpec spec_;
  std::tuple<Args...> args_;
  Ref<C> child_;
};

template <class C>
Ref<C> only_child(const Ref<>& supervisor) {
  return Ref<C>{which_children(supervisor).await().at(0).ref.address()};
}

}  // namespace

TEST_CASE("S72 a backoff that was cut short does not end the next one early", "[supervision]") {
  on_every_schedule([](TestSystem& system) {
    Fixture f{system, {.restarts_max = 100, .backoff = backoff_from(10s)}, {{.id = "a"}}};
    f.child("a").tell(Fail{});
    system.advance(1s);
    REQUIRE(troupe::terminate_child(f.supervisor, "a").await().has_value());
    system.advance(1s);
    const auto again = troupe::restart_child(f.supervisor, "a").await();
    Ref<Child>{again->address()}.tell(Fail{});  // at 2 s: it rests for 20 s
    system.advance(19s);
    REQUIRE(f.script->starts_of("a") == 2);
    system.advance(1s);
    REQUIRE(f.script->starts_of("a") == 3);
  });
}

TEST_CASE("S72 a backoff that a sibling's group restart cut short does not end the next one early",
          "[supervision]") {
  on_every_schedule([](TestSystem& system) {
    Fixture f{system,
              {.strategy = troupe::one_for_all, .restarts_max = 100, .backoff = backoff_from(10s)},
              {{.id = "a"}, {.id = "b"}}};
    f.child("a").tell(Fail{});
    system.advance(9s);
    f.child("b").tell(Fail{});  // would rest until 19 s
    system.advance(2s);         // at 10 s a's restart takes it along
    REQUIRE(f.script->starts_of("b") == 2);
    f.child("b").tell(Fail{});  // at 11 s: it rests until 31 s
    system.advance(19s);
    REQUIRE(f.script->starts_of("b") == 2);
    system.advance(1s);
    REQUIRE(f.script->starts_of("b") == 3);
  });
}

TEST_CASE("S61 rest_for_one: who was halted for a sibling that is then given up goes on",
          "[supervision]") {
  on_every_schedule([](TestSystem& system) {
    Fixture f{
        system,
        {.strategy = troupe::rest_for_one,
         .restarts_max = 100,
         .decider =
             Decider{}.on<OtherFailure>(Decision::restart).on<std::runtime_error>(Decision::stop)},
        {{.id = "a"}, {.id = "b"}, {.id = "c"}, {.id = "d"}, {.id = "e"}}};
    f.child("e").tell(Stall{});
    system.settle();
    f.child("b").tell(FailOther{});  // the group halts e first, which takes its 5 s
    system.advance(1s);
    let_fail_to_start(f, "b", 1);
    f.child("d").tell(FailOther{});
    system.advance(100s);
    REQUIRE(f.child("c").ask(Ping{}).await() == 1);
    REQUIRE(troupe::count_children(f.supervisor).await().active == 4);
  });
}

TEST_CASE("S61 S70 rest_for_one: who waits for a sibling that is terminated by hand goes on",
          "[supervision]") {
  on_every_schedule([](TestSystem& system) {
    Fixture f{
        system,
        {.strategy = troupe::rest_for_one, .restarts_max = 100, .backoff = backoff_from(10s)}};
    let_fail_to_start(f, "b", 1000);
    f.child("b").tell(Fail{});
    system.advance(11s);  // c is held until b can start
    const auto e = f.start({.id = "e"});
    Ref<Child>{e->address()}.tell(Fail{});
    system.settle();
    REQUIRE(troupe::terminate_child(f.supervisor, "b").await().has_value());
    REQUIRE(f.child("c").ask(Ping{}).await() == 1);
    system.advance(1000s);
    REQUIRE(troupe::count_children(f.supervisor).await().active == 3);
  });
}

TEST_CASE("S66 S73 a stop that waits for a handler holds, also when that fails and is resumed",
          "[supervision]") {
  on_every_schedule([](TestSystem& system) {
    auto supervisor = system.spawn<Minds<Torn>>(
        {.guardian = troupe::Guardian::no},
        troupe::SupervisorOptions{.decider = Decider{}.otherwise(Decision::resume)},
        troupe::ChildSpec{.id = "torn", .restart = Restart::transient});
    system.settle();
    auto torn = only_child<Torn>(supervisor);
    Probe<Never> slow{system};
    torn.tell(AskAndFail{slow.ref()});
    slow.expect<Never>();
    auto stopped = system.stop(torn, 3s);
    system.settle();
    slow.reply<Never>(1);
    stopped.await();
    REQUIRE(torn.ask(Ping{}).try_await().error().kind == AskErrorKind::receiver_down);
  });
}

TEST_CASE("S66 the deadline of a stop ends with the incarnation that it was for", "[supervision]") {
  on_every_schedule([](TestSystem& system) {
    auto supervisor = system.spawn<Minds<Torn>>({.guardian = troupe::Guardian::no},
                                                troupe::SupervisorOptions{.restarts_max = 10},
                                                troupe::ChildSpec{.id = "torn"});
    system.settle();
    auto torn = only_child<Torn>(supervisor);
    Probe<Never> slow{system};
    torn.tell(AskAndFail{slow.ref()});
    slow.expect<Never>();
    auto stopped = system.stop(torn, 3s);
    system.settle();
    slow.reply<Never>(1);
    stopped.await();
    const auto actors = system.actor_count();
    auto held_up = torn.ask(Never{}, 1h);  // of the next incarnation: it asks a child
    system.advance(10s);
    REQUIRE(system.actor_count() == actors + 1);  // it waits on
  });
}

TEST_CASE("S66 a stop's deadline holds, also when the handler fails first and is resumed",
          "[supervision]") {
  on_every_schedule([](TestSystem& system) {
    const auto pace = pace_of(system);
    pace->stop = 1000s;
    auto supervisor = system.spawn<Minds<Slow, std::shared_ptr<Pace>>>(
        {.guardian = troupe::Guardian::no},
        troupe::SupervisorOptions{.decider = Decider{}.otherwise(Decision::resume)},
        troupe::ChildSpec{.id = "slow", .restart = Restart::transient}, pace);
    system.settle();
    auto slow = only_child<Slow>(supervisor);
    Probe<Never> answer{system};
    slow.tell(AskAndFail{answer.ref()});
    answer.expect<Never>();
    auto stopped = system.stop(slow, 3s);
    system.advance(1s);
    answer.reply<Never>(1);
    system.advance(1900ms);
    REQUIRE(troupe::count_children(supervisor).await().active == 1);
    system.advance(200ms);
    REQUIRE(troupe::count_children(supervisor).await().active == 0);
    stopped.await();
  });
}

TEST_CASE("S66 on_stop of a child that failed has its shutdown's limit too", "[supervision]") {
  for (const auto decision : {Decision::stop, Decision::restart}) {
    on_every_schedule([&](TestSystem& system) {
      const auto pace = pace_of(system);
      pace->stop = 1000s;
      auto supervisor = system.spawn<Minds<Slow, std::shared_ptr<Pace>>>(
          {.guardian = troupe::Guardian::no},
          troupe::SupervisorOptions{.decider = Decider{}.otherwise(decision)},
          troupe::ChildSpec{.id = "slow", .shutdown = 2s}, pace);
      system.settle();
      only_child<Slow>(supervisor).tell(Fail{});
      system.advance(1900ms);
      REQUIRE(pace->starts == 1);
      system.advance(200ms);
      REQUIRE(pace->starts == (decision == Decision::restart ? 2 : 1));
      REQUIRE(troupe::count_children(supervisor).await().active ==
              (decision == Decision::restart ? 1 : 0));
    });
  }
}

TEST_CASE("S66 a start's limit begins with the start, not with the end before", "[supervision]") {
  on_every_schedule([](TestSystem& system) {
    const auto pace = pace_of(system);
    pace->stop = 4s;
    pace->start = 4s;  // its limit is 5 s
    auto supervisor = system.spawn<Minds<Slow, std::shared_ptr<Pace>>>(
        {.guardian = troupe::Guardian::no}, troupe::SupervisorOptions{.restarts_max = 10},
        troupe::ChildSpec{.id = "slow"}, pace);
    system.settle();
    auto slow = only_child<Slow>(supervisor);
    slow.tell(Fail{});
    system.advance(7900ms);
    auto answer = slow.ask(Ping{}, 10s);
    REQUIRE(answer.await() == 2);
    pace->start = 100s;
    slow.tell(Fail{});
    system.advance(8900ms);  // 4 s to end, and not yet 5 s to start
    REQUIRE(pace->starts == 3);
    system.advance(200ms);
    REQUIRE(pace->starts == 4);  // one failure more
  });
}

namespace {

struct Crash {};
/// Its child matters; it fails by itself, and its own supervisor resumes it.
class Household : public troupe::Supervisor<Crash, FindChild> {
 public:
  explicit Household(ScriptPtr script)
      : Supervisor({.auto_shutdown = troupe::AutoShutdown::any_significant}),
        script_(std::move(script)) {}
  void on_start() override {
    child_ = start_child<Child>(
        {.id = "matters", .restart = Restart::temporary, .significant = true}, script_, "matters");
  }
  void on_stop(troupe::StopReason reason) override {
    if (reason == troupe::StopReason::kill) script_->add("household was killed");
  }
  void receive(const Crash&) { throw OtherFailure("household"); }
  Ref<Child> receive(const FindChild&) { return child_; }

 private:
  ScriptPtr script_;
  Ref<Child> child_;
};
class Town : public troupe::Supervisor<FindChild> {
 public:
  explicit Town(ScriptPtr script)
      : Supervisor({.strategy = troupe::rest_for_one,
                    .restarts_max = 10,
                    .decider = Decider{}.on<OtherFailure>(Decision::resume)}),
        script_(std::move(script)) {}
  void on_start() override {
    start_child<Household>({.id = "household", .restart = Restart::temporary}, script_);
    children_["a"] = start_child<Child>({.id = "a"}, script_, "a");
    children_["c"] = start_child<Child>({.id = "c"}, script_, "c");
  }
  Ref<Child> receive(const FindChild& m) { return children_[m.id]; }

 private:
  ScriptPtr script_;
  std::map<std::string, Ref<Child>> children_;
};

}  // namespace

TEST_CASE("S67 a supervisor whose significant child ends while it is held itself ends when resumed",
          "[supervision]") {
  on_every_schedule([](TestSystem& system) {
    auto town = system.spawn<Town>({.guardian = troupe::Guardian::no}, std::make_shared<Script>());
    system.settle();
    auto household = only_child<Household>(town);
    auto matters = household.ask(FindChild{}).await();
    town.ask(FindChild{"c"}).await().tell(Stall{});
    system.settle();
    town.ask(FindChild{"a"}).await().tell(Fail{});  // the group halts c first: 5 s
    system.advance(1s);
    household.tell(Crash{});  // held until the group is done
    system.settle();
    matters.tell(End{troupe::ExitReason::normal()});
    system.advance(60s);
    REQUIRE(troupe::count_children(town).await().specs == 2);
  });
}

namespace {

/// Starts a child that takes its time, and says what became of that.
struct StartSlowly {
  using Reply = bool;
};
class Starter : public troupe::Supervisor<StartSlowly, FindChild> {
 public:
  Starter(ScriptPtr script, std::shared_ptr<Pace> pace, Restart restart)
      : Supervisor({.strategy = troupe::one_for_all, .restarts_max = 10}),
        script_(std::move(script)),
        pace_(std::move(pace)),
        restart_(restart) {}
  void on_start() override { sibling_ = start_child<Child>({.id = "a"}, script_, "a"); }
  bool receive(const StartSlowly&) {
    try {
      return static_cast<bool>(start_child<Slow>(
          {.id = "slow", .restart = restart_, .shutdown = Shutdown::brutal_kill()}, pace_));
    } catch (const troupe::StartFailed&) {
      return false;
    }
  }
  Ref<Child> receive(const FindChild&) { return sibling_; }

 private:
  ScriptPtr script_;
  std::shared_ptr<Pace> pace_;
  Restart restart_;
  Ref<Child> sibling_;
};

}  // namespace

TEST_CASE("S61 start_child of a child that a sibling's failure restarts meanwhile gives its ref",
          "[supervision]") {
  on_every_schedule([](TestSystem& system) {
    const auto pace = pace_of(system);
    pace->starts = 1;  // so that the first one takes its time as well
    pace->start = 1s;
    auto starter = system.spawn<Starter>({.guardian = troupe::Guardian::no},
                                         std::make_shared<Script>(), pace, Restart::permanent);
    auto sibling = starter.ask(FindChild{}).await();
    auto started = starter.ask(StartSlowly{}, 1h);
    system.advance(500ms);
    sibling.tell(Fail{});
    REQUIRE(started.await());
    system.advance(10s);
    REQUIRE(troupe::count_children(starter).await().active == 2);
  });
}

TEST_CASE("S46 S67 who was killed while held is killed when resumed, whatever came after",
          "[supervision]") {
  on_every_schedule([](TestSystem& system) {
    const auto script = std::make_shared<Script>();
    auto town = system.spawn<Town>({.guardian = troupe::Guardian::no}, script);
    system.settle();
    auto household = only_child<Household>(town);
    auto matters = household.ask(FindChild{}).await();
    town.ask(FindChild{"c"}).await().tell(Stall{});
    system.settle();
    town.ask(FindChild{"a"}).await().tell(Fail{});
    system.advance(1s);
    household.tell(Crash{});
    system.settle();
    system.kill(household);
    system.settle();
    matters.tell(End{troupe::ExitReason::normal()});
    system.advance(60s);
    const auto log = script->take();
    REQUIRE(std::count(log.begin(), log.end(), "household was killed") == 1);
  });
}

TEST_CASE("S61 S62 start_child of a temporary child that a group takes along fails",
          "[supervision]") {
  on_every_schedule([](TestSystem& system) {
    const auto pace = pace_of(system);
    pace->starts = 1;
    pace->start = 1s;
    auto starter = system.spawn<Starter>({.guardian = troupe::Guardian::no},
                                         std::make_shared<Script>(), pace, Restart::temporary);
    auto sibling = starter.ask(FindChild{}).await();
    auto started = starter.ask(StartSlowly{}, 1h);
    system.advance(500ms);
    sibling.tell(Fail{});
    REQUIRE_FALSE(started.await());
    system.advance(10s);
    REQUIRE(troupe::count_children(starter).await().specs == 1);
  });
}

TEST_CASE(
    "S70 start_child of a child that is terminated by hand meanwhile fails, and leaves nothing",
    "[supervision]") {
  on_every_schedule([](TestSystem& system) {
    const auto pace = pace_of(system);
    pace->starts = 1;
    pace->start = 1s;
    auto starter = system.spawn<Starter>({.guardian = troupe::Guardian::no},
                                         std::make_shared<Script>(), pace, Restart::permanent);
    auto started = starter.ask(StartSlowly{}, 1h);
    system.advance(500ms);
    REQUIRE(troupe::terminate_child(starter, "slow").await().has_value());
    REQUIRE_FALSE(started.await());
    REQUIRE(troupe::count_children(starter).await().specs == 1);
    REQUIRE(starter.ask(FindChild{}).await());
  });
}
