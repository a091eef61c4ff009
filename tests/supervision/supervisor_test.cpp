// Strategies, intensity, escalation, backoff, decisions.
#include <troupe/supervision/supervisor.hpp>

#include "supervision/support.hpp"

using namespace std::chrono_literals;
using namespace troupe::test;
using troupe::ChildSpec;
using troupe::ExitReason;
using troupe::Ref;
using troupe::Restart;
using troupe::Terminated;
using troupe::testkit::Probe;
using troupe::testkit::TestSystem;
using Lines = std::vector<std::string>;

TEST_CASE("S60 children start in order and stop in reverse", "[supervision]") {
  on_every_schedule([](TestSystem& system) {
    Fixture f{system};
    REQUIRE(f.take() == Lines{"supervisor starts", "start a", "start b", "start c"});
    system.stop(f.supervisor).await();
    REQUIRE(f.take() == Lines{"stop c", "stop b", "stop a"});
  });
}

TEST_CASE(
    "S60 if one start fails, those started are stopped in reverse and the supervisor's start fails",
    "[supervision]") {
  on_every_schedule([](TestSystem& system) {
    auto script = std::make_shared<Script>();
    script->failing_starts["c"] = 1;
    system.spawn<TestSupervisor>({.guardian = troupe::Guardian::no}, troupe::SupervisorOptions{},
                                 script, three());
    system.settle();
    REQUIRE(system.actor_count() == 0);
    REQUIRE(script->take() == Lines{"supervisor starts", "start a", "start b", "stop b", "stop a"});
  });
}

TEST_CASE("S61 C24 one_for_one: only the failed child is restarted, with its ref and mailbox",
          "[supervision]") {
  on_every_schedule([](TestSystem& system) {
    Fixture f{system};
    f.take();
    auto b = f.child("b");
    REQUIRE(b.ask(Ping{}).await() == 1);
    b.tell(Fail{});
    REQUIRE(b.ask(Ping{}).await() ==
            1);  // waited through the restart; the new incarnation counts from 1 (S42)
    REQUIRE(f.take() == Lines{"stop b", "start b"});
    REQUIRE(f.child("b") == b);
  });
}

TEST_CASE("S61 C26 one_for_all: the others stop in reverse, then all start in order",
          "[supervision]") {
  on_every_schedule([](TestSystem& system) {
    Fixture f{system, {.strategy = troupe::one_for_all}};
    f.take();
    auto b = f.child("b");
    b.tell(Fail{});
    REQUIRE(f.take() == Lines{"stop c", "stop a", "start a", "stop b", "start b", "start c"});
    REQUIRE(f.child("a").ask(Ping{}).await() == 1);
    REQUIRE(f.child("c").ask(Ping{}).await() == 1);
  });
}

TEST_CASE("S61 C28 rest_for_one: those after the failed child go with it, those before stay",
          "[supervision]") {
  on_every_schedule([](TestSystem& system) {
    Fixture f{system, {.strategy = troupe::rest_for_one}};
    REQUIRE(f.child("a").ask(Ping{}).await() == 1);
    f.take();
    f.child("b").tell(Fail{});
    REQUIRE(f.take() == Lines{"stop c", "stop b", "start b", "start c"});
    REQUIRE(f.child("a").ask(Ping{}).await() == 2);
  });
}

TEST_CASE(
    "S42 C76 watchers hear nothing of restarts - the message that failed is lost, the others wait",
    "[supervision]") {
  on_every_schedule([](TestSystem& system) {
    Fixture f{system, {.restarts_max = 2}};
    Probe<Terminated> probe{system};
    auto a = f.child("a");
    probe.watch(a);
    a.tell(Fail{});
    auto first = a.ask(Ping{});
    a.tell(Fail{});
    auto second = a.ask(Ping{});
    REQUIRE(first.await() == 1);
    REQUIRE(second.await() == 1);
    probe.expect_no_message(0s);
    a.tell(Fail{});
    REQUIRE(probe.expect<Terminated>().who == a);
    probe.expect_no_message();
  });
}

namespace {
class Family : public troupe::Actor<Fail, Ping> {
 public:
  explicit Family(ScriptPtr script) : script_(std::move(script)) { script_->add("build family"); }
  void on_start() override { spawn<Child>({.name = "kid"}, script_, "kid"); }
  void on_stop(troupe::StopReason) override { script_->add("stop family"); }
  ~Family() override { script_->add("family destroyed"); }
  void receive(const Fail&) { throw std::runtime_error("boom"); }
  int receive(const Ping&) { return 7; }

 private:
  ScriptPtr script_;
};
class FamilySupervisor : public troupe::Supervisor<FindChild> {
 public:
  explicit FamilySupervisor(ScriptPtr script) : script_(std::move(script)) {}
  void on_start() override { family_ = start_child<Family>({.id = "family"}, script_); }
  Ref<Child> receive(const FindChild&) {
    family_.tell(Fail{});
    static_cast<void>(family_.ask(Ping{}).await());
    return {};
  }

 private:
  ScriptPtr script_;
  Ref<Family> family_;
};
}  // namespace

TEST_CASE("S44 S45a S41 C61 a restart stops the children first, then destroys the old incarnation",
          "[supervision]") {
  on_every_schedule([](TestSystem& system) {
    auto script = std::make_shared<Script>();
    auto top = system.spawn<FamilySupervisor>({.guardian = troupe::Guardian::no}, script);
    system.settle();
    REQUIRE(script->take() == Lines{"build family", "start kid"});
    static_cast<void>(top.ask(FindChild{"family"}).await());
    system.settle();
    REQUIRE(script->take() ==
            Lines{"stop family", "stop kid", "family destroyed", "build family", "start kid"});
  });
}

TEST_CASE("S53 a monitor of each incarnation hears of restarts", "[supervision]") {
  on_every_schedule([](TestSystem& system) {
    Fixture f{system};
    Probe<troupe::Down> probe{system};
    auto a = f.child("a");
    const auto token = probe.monitor(a, troupe::each_incarnation);
    a.tell(Fail{"first"});
    const auto down = probe.expect<troupe::Down>();
    REQUIRE(down.restarted);
    REQUIRE(down.token == token);
    REQUIRE(down.why.text() == "first");
    system.stop(f.supervisor).await();
    REQUIRE_FALSE(probe.expect<troupe::Down>().restarted);
  });
}

TEST_CASE(
    "S63 C24 one failure too many: all children stop, then the supervisor, with reason shutdown",
    "[supervision]") {
  auto recorder = std::make_shared<Recorder>();
  on_every_schedule(
      [&](TestSystem& system) {
        recorder->clear();
        Fixture f{system, {.restarts_max = 3, .within = 5s}};
        Probe<Terminated> probe{system};
        probe.watch(f.supervisor);
        auto a = f.child("a");
        for (int i = 0; i < 3; ++i) {
          a.tell(Fail{});
          REQUIRE(a.ask(Ping{}).await() == 1);
        }
        f.take();
        a.tell(Fail{});
        const auto notice = probe.expect<Terminated>();
        REQUIRE(notice.why.kind() == ExitReason::Kind::shutdown);
        REQUIRE(std::string(notice.why.text()).find("more than 3 restarts within 5000 ms") == 0);
        REQUIRE(f.take() == Lines{"stop c", "stop b", "stop a"});
        REQUIRE(recorder->count("escalated") == 1);
      },
      observed_by(recorder));
}

TEST_CASE("C31 a sliding window, not a count for life", "[supervision]") {
  on_every_schedule([](TestSystem& system) {
    Fixture f{system, {.restarts_max = 1, .within = 1s}};
    auto a = f.child("a");
    for (int i = 0; i < 4; ++i) {
      a.tell(Fail{});
      system.advance(2100ms);
      REQUIRE(a.ask(Ping{}).await() == 1);
    }
  });
}

TEST_CASE(
    "S64 C25 restarts that fail count too - when spent, the supervisor and its healthy children "
    "end",
    "[supervision]") {
  on_every_schedule([](TestSystem& system) {
    Fixture f{system, {.restarts_max = 4, .within = 5s}};
    Probe<Terminated> probe{system};
    probe.watch(f.supervisor);
    f.take();
    {
      std::lock_guard guard(f.script->mutex);
      f.script->failing_starts["b"] = 1000;
    }
    f.child("b").tell(Fail{});
    REQUIRE(probe.expect<Terminated>().why.kind() == ExitReason::Kind::shutdown);
    REQUIRE(f.script->starts_of("b") == 1 + 4);
    REQUIRE(f.take() == Lines{"stop b", "stop c", "stop a"});
  });
}

TEST_CASE(
    "S64 failures while restarting are further failures - finally a working incarnation answers",
    "[supervision]") {
  on_every_schedule([](TestSystem& system) {
    Fixture f{system, {.restarts_max = 5}};
    auto b = f.child("b");
    {
      std::lock_guard guard(f.script->mutex);
      f.script->failing_starts["b"] = 2;
    }
    b.tell(Fail{});
    REQUIRE(b.ask(Ping{}).await() == 1);
    REQUIRE(f.script->starts_of("b") == 4);
  });
}

TEST_CASE(
    "C36 rest_for_one with a child stuck in restarting: later ones don't run, earlier ones are "
    "untouched",
    "[supervision]") {
  on_every_schedule([](TestSystem& system) {
    Fixture f{system,
              {.strategy = troupe::rest_for_one,
               .restarts_max = 100,
               .backoff = troupe::Backoff{.min = 1s, .jitter = 0}}};
    REQUIRE(f.child("a").ask(Ping{}).await() == 1);
    {
      std::lock_guard guard(f.script->mutex);
      f.script->failing_starts["b"] = 3;
    }
    f.child("b").tell(Fail{});
    system.advance(2500ms);  // restarted once after 1 s, which failed
    const auto counts = troupe::count_children(f.supervisor).await();
    REQUIRE(counts.active == 1);
    REQUIRE(counts.specs == 3);
    REQUIRE(f.child("a").ask(Ping{}).await() == 2);
    system.advance(60s);
    REQUIRE(troupe::count_children(f.supervisor).await().active == 3);
    REQUIRE(f.child("c").ask(Ping{}).await() == 1);
  });
}

TEST_CASE(
    "S72 C67 backoff: the child is down for growing delays, its mail waits, quiet time resets",
    "[supervision]") {
  on_every_schedule([](TestSystem& system) {
    Fixture f{system,
              {.restarts_max = 100,
               .within = 1s,
               .backoff = troupe::Backoff{.min = 1s, .max = 8s, .jitter = 0, .reset_after = 20s}}};
    auto a = f.child("a");
    const auto down_for = [&] {
      const auto before = system.now();
      a.tell(Fail{});
      REQUIRE(a.ask(Ping{}, 1h).await() == 1);
      return system.now() - before;
    };
    REQUIRE(down_for() == 1s);
    REQUIRE(down_for() == 2s);
    REQUIRE(down_for() == 4s);
    REQUIRE(down_for() == 8s);
    REQUIRE(down_for() == 8s);
    system.advance(21s);
    REQUIRE(down_for() == 1s);
  });
}

TEST_CASE("S73 decisions by type of failure: resume keeps state, stop ends, escalate gives up",
          "[supervision]") {
  on_every_schedule([](TestSystem& system) {
    auto decider = troupe::Decider{}
                       .on<OtherFailure>(troupe::Decision::resume)
                       .on<std::runtime_error>(troupe::Decision::stop);
    Fixture f{system, {.decider = decider}};
    auto a = f.child("a");
    REQUIRE(a.ask(Ping{}).await() == 1);
    a.tell(FailOther{});
    REQUIRE(a.ask(Ping{}).await() == 2);
    f.take();
    a.tell(Fail{});
    REQUIRE(f.take() == Lines{"stop a"});
    REQUIRE(troupe::count_children(f.supervisor).await().active == 2);

    Fixture g{system,
              {.decider = troupe::Decider{}.otherwise(troupe::Decision::escalate)},
              {{.id = "x"}}};
    Probe<Terminated> probe{system};
    probe.watch(g.supervisor);
    g.child("x").tell(Fail{"grave"});
    REQUIRE(std::string(probe.expect<Terminated>().why.text()).find("grave") != std::string::npos);
  });
}

namespace {
// A supervisor under a supervisor.
class Nested : public troupe::Supervisor<FindChild> {
 public:
  Nested(ScriptPtr script, std::uint32_t outer_max, std::uint32_t inner_max,
         troupe::Strategy strategy = troupe::one_for_one)
      : Supervisor({.strategy = strategy, .restarts_max = outer_max, .within = 1h}),
        script_(std::move(script)),
        inner_max_(inner_max) {}
  void on_start() override {
    inner_ = start_child<TestSupervisor>(
        {.id = "inner"}, troupe::SupervisorOptions{.restarts_max = inner_max_, .within = 1h},
        script_, std::vector<ChildSpec>{{.id = "leaf"}});
    start_child<Child>({.id = "sibling"}, script_, "sibling");
  }
  Ref<Child> receive(const FindChild& m) { return inner_.ask(m).await(); }

 private:
  ScriptPtr script_;
  std::uint32_t inner_max_;
  Ref<TestSupervisor> inner_;
};
}  // namespace

TEST_CASE("S43 S65 each failure, restart and escalation is a log line with who and why",
          "[supervision]") {
  auto lines = std::make_shared<troupe::test::LogLines>();
  TestSystem system{1, troupe::testkit::Schedule::seeded, troupe::test::logged_to(lines)};
  Fixture f{system};  // one restart is allowed
  f.child("a").tell(Fail{"first"});
  system.settle();
  const auto restart = lines->take();
  REQUIRE(restart.size() == 2);
  REQUIRE_THAT(restart[0],
               Catch::StartsWith("error #") && Catch::Contains(": failed: first; handling "));
  REQUIRE_THAT(restart[1], Catch::StartsWith("warning #") && Catch::Contains("restarted after") &&
                               Catch::Contains("first"));
  f.child("a").tell(Fail{"second"});
  system.settle();
  const auto escalation = lines->take();
  REQUIRE(std::count_if(escalation.begin(), escalation.end(), [](const std::string& line) {
            return line.find("error #") == 0 && line.find("gives up") != std::string::npos &&
                   line.find("second") != std::string::npos;
          }) == 1);
}

TEST_CASE("S65 over two levels a leaf that always fails starts (outer + 1) * (inner + 1) times",
          "[supervision]") {
  on_every_schedule([](TestSystem& system) {
    auto script = std::make_shared<Script>();
    Probe<Terminated> probe{system};
    auto top = system.spawn<Nested>({.guardian = troupe::Guardian::no}, script, 2u, 3u);
    probe.watch(top);
    system.settle();
    for (int i = 0; i < 100 && probe.waiting() == 0; ++i) {
      auto leaf = top.ask(FindChild{"leaf"}).try_await();
      if (leaf) leaf->tell(Fail{});
      system.settle();
    }
    probe.expect<Terminated>();
    REQUIRE(script->starts_of("leaf") == 3 * 4);
  });
}

TEST_CASE(
    "S49 a top-level supervisor that gives up shuts the System down - one that is stopped does not",
    "[supervision]") {
  on_every_schedule([](TestSystem& system) {
    auto script = std::make_shared<Script>();
    auto stopped = system.spawn<TestSupervisor>(troupe::SupervisorOptions{}, script, three());
    system.settle();
    system.stop(stopped).await();
    system.settle();
    REQUIRE_NOTHROW(system.spawn<TestSupervisor>({.guardian = troupe::Guardian::no},
                                                 troupe::SupervisorOptions{}, script, three()));
    auto gives_up =
        system.spawn<TestSupervisor>(troupe::SupervisorOptions{.restarts_max = 0}, script, three());
    system.settle();
    gives_up.ask(FindChild{"a"}).await().tell(Fail{});
    system.settle();
    REQUIRE_THROWS_AS(system.spawn<TestSupervisor>(troupe::SupervisorOptions{}, script, three()),
                      troupe::UsageError);
  });
}

TEST_CASE(
    "C9 S66 a child busy beyond its shutdown limit is killed at the limit - its siblings end in "
    "order",
    "[supervision]") {
  on_every_schedule([](TestSystem& system) {
    Fixture f{system, {}, {{.id = "good"}, {.id = "busy", .shutdown = 1s}}};
    f.child("busy").tell(Stall{});
    system.settle();
    f.take();
    const auto before = system.now();
    system.stop(f.supervisor, 1h).await();
    REQUIRE(system.now() - before >= 1s);
    REQUIRE(system.now() - before < 1010ms);
    REQUIRE(f.take() == Lines{"stop busy", "stop good"});
  });
}

TEST_CASE("C10 S66 brutal kill ends a busy child without grace", "[supervision]") {
  on_every_schedule([](TestSystem& system) {
    Fixture f{
        system, {}, {{.id = "good"}, {.id = "busy", .shutdown = troupe::Shutdown::brutal_kill()}}};
    Probe<Terminated> probe{system};
    probe.watch(f.child("busy"));
    f.child("busy").tell(Stall{});
    system.settle();
    const auto before = system.now();
    system.stop(f.supervisor).await();
    REQUIRE(system.now() == before);
    REQUIRE(probe.expect<Terminated>().why.kind() == ExitReason::Kind::killed);
  });
}

TEST_CASE("C11 an unlimited shutdown is legal for workers: it waits as long as the child does",
          "[supervision]") {
  on_every_schedule([](TestSystem& system) {
    Fixture f{system, {}, {{.id = "busy", .shutdown = troupe::Shutdown::infinity()}}};
    auto busy = f.child("busy");
    busy.tell(Stall{});
    system.settle();
    auto stopped = system.stop(f.supervisor, 10h);
    system.advance(1h);
    REQUIRE(system.actor_count() == 3);  // with the one it waits for
    system.kill(busy);
    stopped.await();
  });
}

TEST_CASE(
    "C32 S69 a dynamic supervisor stops its children in parallel: the time of the slowest, not the "
    "sum",
    "[supervision]") {
  on_every_schedule([](TestSystem& system) {
    Fixture f{system, {.strategy = troupe::dynamic}, {}};
    const auto limit = troupe::Shutdown{2s};
    for (const char* id : {"x", "y", "z"})
      f.supervisor.tell(StartWith{{.id = id, .shutdown = limit}});
    for (const char* id : {"x", "y", "z"}) f.child(id).tell(Stall{});
    system.settle();
    const auto before = system.now();
    system.stop(f.supervisor, 1h).await();
    REQUIRE(system.now() - before >= 2s);
    REQUIRE(system.now() - before < 2100ms);
  });
}

TEST_CASE(
    "C34 S68 a supervisor's restart brings its static children back, and not those added later",
    "[supervision]") {
  on_every_schedule([](TestSystem& system) {
    auto script = std::make_shared<Script>();
    auto top = system.spawn<Nested>({.guardian = troupe::Guardian::no}, script, 5u, 1u,
                                    troupe::one_for_all);
    system.settle();
    auto infos = troupe::which_children(top).await();
    REQUIRE(infos.size() == 2);
    const Ref<> inner_ref = infos[0].ref;
    REQUIRE(troupe::start_child(inner_ref, {.id = "extra"},
                                troupe::factory<Child>(script, std::string("extra")))
                .await()
                .has_value());
    REQUIRE(troupe::count_children(inner_ref).await().specs == 2);
    auto leaf = top.ask(FindChild{"leaf"}).await();
    leaf.tell(Fail{});
    system.settle();
    leaf.tell(Fail{});  // one too many for inner: top restarts it
    system.settle();
    REQUIRE(troupe::count_children(inner_ref).await().specs == 1);
    REQUIRE(script->starts_of("leaf") == 3);
    REQUIRE(script->starts_of("extra") == 1);
    REQUIRE(script->starts_of("sibling") == 2);
  });
}

TEST_CASE("S71 a supervisor answers while a child is slow to stop and another is being restarted",
          "[supervision]") {
  on_every_schedule([](TestSystem& system) {
    Fixture f{system, {.strategy = troupe::one_for_all, .restarts_max = 10}};
    f.child("c").tell(Stall{});
    system.settle();
    f.child("a").tell(Fail{});  // c takes its 5 s to stop
    system.advance(1s);
    const auto before = system.now();
    REQUIRE(troupe::count_children(f.supervisor).await().specs == 3);
    REQUIRE(system.now() == before);
    system.advance(10s);
    REQUIRE(troupe::count_children(f.supervisor).await().active == 3);
  });
}

TEST_CASE(
    "S67 S70 C23 auto-shutdown: any, all, or never - only ends of significant children of their "
    "own "
    "count",
    "[supervision]") {
  using troupe::AutoShutdown;
  const auto significant = [](const char* id) {
    return ChildSpec{.id = id, .restart = Restart::transient, .significant = true};
  };
  on_every_schedule([&](TestSystem& system) {
    Probe<Terminated> probe{system};
    Fixture any{system,
                {.auto_shutdown = AutoShutdown::any_significant},
                {significant("a"), significant("b"), {.id = "c", .restart = Restart::transient}}};
    probe.watch(any.supervisor);
    any.child("c").tell(End{ExitReason::normal()});
    probe.expect_no_message();
    any.child("a").tell(End{ExitReason::normal()});
    REQUIRE(probe.expect<Terminated>().why.kind() == ExitReason::Kind::shutdown);

    Fixture every{system,
                  {.auto_shutdown = AutoShutdown::all_significant},
                  {significant("a2"), significant("b2"), {.id = "c2"}}};
    probe.watch(every.supervisor);
    every.child("a2").tell(End{ExitReason::normal()});
    probe.expect_no_message();
    every.child("b2").tell(End{ExitReason::normal()});
    REQUIRE(probe.expect<Terminated>().why.kind() == ExitReason::Kind::shutdown);

    Fixture by_hand{system,
                    {.auto_shutdown = AutoShutdown::any_significant},
                    {significant("a3"), {.id = "c3"}}};
    probe.watch(by_hand.supervisor);
    REQUIRE(troupe::terminate_child(by_hand.supervisor, "a3").await().has_value());  // S70
    probe.expect_no_message();
  });
}

TEST_CASE("C22 a temporary child's arguments are not kept", "[supervision]") {
  on_every_schedule([](TestSystem& system) {
    auto script = std::make_shared<Script>();
    Fixture f{system, {}, {{.id = "t", .restart = Restart::temporary}, {.id = "p"}}};
    system.settle();
    // The script is held by: the fixture, the supervisor, two children, and the maker of the
    // permanent one.
    REQUIRE(f.script.use_count() == 5);
  });
}

TEST_CASE("a harness runs a supervisor with its children", "[testkit]") {
  struct Shipped {
    std::string order;
  };
  class Packer : public troupe::Actor<Shipped> {
   public:
    void receive(const Shipped&) { FAIL("the harness delivers nothing to children"); }
  };
  struct Hire {};
  class Boss : public troupe::Supervisor<Hire> {
   public:
    void on_start() override { first_ = start_child<Packer>({.id = "first"}); }
    void receive(const Hire&) { first_.tell(Shipped{"x"}); }

   private:
    troupe::Ref<Packer> first_;
  };
  troupe::testkit::Harness<Boss> h;
  h.start();
  const auto first = h.spawned<Packer>();
  h.tell(Hire{});
  REQUIRE(h.told<Shipped>(first).order == "x");
  h.expect_nothing_else();
}
