// Looking after a running supervisor, and specs that are refused.
#include <troupe/supervision/supervisor.hpp>

#include "supervision/support.hpp"

using namespace std::chrono_literals;
using namespace troupe::test;
using troupe::ChildProblem;
using troupe::ChildSpec;
using troupe::ExitReason;
using troupe::Ref;
using troupe::Restart;
using troupe::testkit::Probe;
using troupe::testkit::TestSystem;

namespace {

template <class R>
ChildProblem problem(R result) {
  REQUIRE_FALSE(result.has_value());
  return result.error();
}

}  // namespace

TEST_CASE("C15 start, terminate, restart and delete a child by id", "[supervision]") {
  on_every_schedule([](TestSystem& system) {
    Fixture f{system};
    const auto live = f.start({.id = "d"});
    REQUIRE(live.has_value());
    REQUIRE(problem(f.start({.id = "d"})) == ChildProblem::already_started);
    REQUIRE(problem(troupe::restart_child(f.supervisor, "d").await()) == ChildProblem::running);
    REQUIRE(problem(troupe::delete_child(f.supervisor, "d").await()) == ChildProblem::running);
    REQUIRE(troupe::terminate_child(f.supervisor, "d").await().has_value());
    REQUIRE(troupe::terminate_child(f.supervisor, "d").await().has_value());  // idempotent
    REQUIRE(problem(f.start({.id = "d"})) == ChildProblem::already_present);
    REQUIRE(troupe::count_children(f.supervisor).await().active == 3);
    REQUIRE(troupe::count_children(f.supervisor).await().specs == 4);
    const auto again = troupe::restart_child(f.supervisor, "d").await();
    REQUIRE(again.has_value());
    REQUIRE_FALSE(*again == *live);
    REQUIRE(troupe::terminate_child(f.supervisor, "d").await().has_value());
    REQUIRE(troupe::delete_child(f.supervisor, "d").await().has_value());
    for (auto* call : {&troupe::restart_child, &troupe::delete_child}) {
      REQUIRE(problem((*call)(f.supervisor, "nobody").await()) == ChildProblem::not_found);
    }
    REQUIRE(problem(troupe::terminate_child(f.supervisor, "nobody").await()) ==
            ChildProblem::not_found);
    const auto infos = troupe::which_children(f.supervisor).await();
    REQUIRE(infos.size() == 3);
    REQUIRE(infos[1].id == "b");
    REQUIRE(infos[1].type == troupe::ChildType::worker);
  });
}

TEST_CASE(
    "C2 a transient child that ended normally is listed as not running and can be restarted by "
    "hand",
    "[supervision]") {
  on_every_schedule([](TestSystem& system) {
    Fixture f{system, {}, three(Restart::transient)};
    f.supervisor.ask(FindChild{"b"}).await().tell(End{ExitReason::normal()});
    system.settle();
    auto infos = troupe::which_children(f.supervisor).await();
    REQUIRE(infos.size() == 3);
    REQUIRE_FALSE(static_cast<bool>(infos[1].ref));
    REQUIRE(troupe::restart_child(f.supervisor, "b").await().has_value());
    REQUIRE(troupe::count_children(f.supervisor).await().active == 3);
  });
}

TEST_CASE("C4 a temporary child's id is free again at once", "[supervision]") {
  on_every_schedule([](TestSystem& system) {
    Fixture f{system, {}, {{.id = "t", .restart = Restart::temporary}}};
    f.supervisor.ask(FindChild{"t"}).await().tell(Fail{});
    system.settle();
    REQUIRE(troupe::count_children(f.supervisor).await().specs == 0);
    REQUIRE(f.start({.id = "t", .restart = Restart::temporary}).has_value());
  });
}

TEST_CASE("C13 each malformed spec is refused with its own reason, and nothing is started",
          "[supervision]") {
  auto recorder = std::make_shared<Recorder>();
  on_every_schedule(
      [&](TestSystem& system) {
        const auto refused = [&](ChildSpec spec, const std::string& text) {
          auto script = std::make_shared<Script>();
          recorder->clear();
          system.spawn<TestSupervisor>({.guardian = troupe::Guardian::no},
                                       troupe::SupervisorOptions{}, script,
                                       std::vector<ChildSpec>{std::move(spec)});
          system.settle();
          REQUIRE(recorder->count("failed") == 1);
          REQUIRE(recorder->all("failed")[0].text.find(text) != std::string::npos);
          REQUIRE(script->take() == std::vector<std::string>{"supervisor starts"});
        };
        refused({.id = ""}, "needs an id");
        refused({.id = "x", .restart = static_cast<Restart>(9)}, "restart is none of");
        refused({.id = "x", .shutdown = troupe::Shutdown{-1s}}, "shutdown must not be negative");
        refused({.id = "x", .type = static_cast<troupe::ChildType>(9)}, "type is neither");
        refused({.id = "x", .restart = Restart::transient, .significant = true}, "auto_shutdown");
      },
      observed_by(recorder));
}

TEST_CASE("C13 a duplicate id is refused and names the child that has it", "[supervision]") {
  on_every_schedule([](TestSystem& system) {
    Fixture f{system};
    REQUIRE(problem(f.start({.id = "a"})) == ChildProblem::already_started);
    REQUIRE(problem(f.start({.id = "p", .significant = true})) == ChildProblem::bad_spec);
  });
}

TEST_CASE("C14 options that contradict themselves are refused where the supervisor is made",
          "[supervision]") {
  on_every_schedule([](TestSystem& system) {
    auto script = std::make_shared<Script>();
    REQUIRE_THROWS_AS(
        system.spawn<TestSupervisor>(troupe::SupervisorOptions{.within = 0s}, script, three()),
        troupe::UsageError);
    REQUIRE_THROWS_AS(system.spawn<TestSupervisor>(
                          troupe::SupervisorOptions{.strategy = static_cast<troupe::Strategy>(9)},
                          script, three()),
                      troupe::UsageError);
  });
}

TEST_CASE("C12 a supervisor among the children has no limit: it waits as long as its own do",
          "[supervision]") {
  on_every_schedule([](TestSystem& system) {
    auto script = std::make_shared<Script>();
    auto top = system.spawn<TestSupervisor>({.guardian = troupe::Guardian::no},
                                            troupe::SupervisorOptions{}, script,
                                            std::vector<troupe::ChildSpec>{});
    const auto inner =
        troupe::start_child(top, {.id = "inner"},
                            troupe::factory<TestSupervisor>(
                                troupe::SupervisorOptions{}, script,
                                std::vector<troupe::ChildSpec>{{.id = "slow", .shutdown = 20min}}))
            .await();
    REQUIRE(inner.has_value());
    REQUIRE(troupe::which_children(top).await().at(0).type == troupe::ChildType::supervisor);
    const auto slow = troupe::which_children(*inner).await().at(0).ref;
    Ref<Child>{slow.address()}.tell(Stall{});
    system.settle();
    const auto before = system.now();
    system.stop(top, troupe::no_timeout).await();
    REQUIRE(system.now() - before >= 20min);
  });
}

TEST_CASE("C12 only an id is needed: permanent, worker, 5 s", "[supervision]") {
  on_every_schedule([](TestSystem& system) {
    Fixture f{system, {}, {{.id = "x"}}};
    const auto infos = troupe::which_children(f.supervisor).await();
    REQUIRE(infos[0].restart == Restart::permanent);
    REQUIRE(infos[0].type == troupe::ChildType::worker);
    f.supervisor.ask(FindChild{"x"}).await().tell(Stall{});
    system.settle();
    const auto before = system.now();
    system.stop(f.supervisor, 1h).await();
    REQUIRE(system.now() - before >= 5s);
    REQUIRE(system.now() - before < 5100ms);
  });
}

TEST_CASE("C17 a dynamic supervisor's children are named by ref - a stranger is not touched",
          "[supervision]") {
  on_every_schedule([](TestSystem& system) {
    Fixture f{system, {.strategy = troupe::dynamic}, {}};
    const auto one = f.start({.id = "one"});
    REQUIRE(one.has_value());
    REQUIRE(problem(troupe::restart_child(f.supervisor, "one").await()) ==
            ChildProblem::not_for_dynamic);
    REQUIRE(problem(troupe::delete_child(f.supervisor, "one").await()) ==
            ChildProblem::not_for_dynamic);
    Probe<Ping> stranger{system};
    REQUIRE(problem(troupe::terminate_child(f.supervisor, Ref<>{stranger.ref()}).await()) ==
            ChildProblem::not_found);
    stranger.ref().tell(Ping{});
    stranger.expect<Ping>();
    REQUIRE(troupe::terminate_child(f.supervisor, *one).await().has_value());
    REQUIRE(troupe::count_children(f.supervisor).await().specs == 0);
  });
}

TEST_CASE("C18 administering what is gone fails at once - what is no supervisor refuses",
          "[supervision]") {
  on_every_schedule([](TestSystem& system) {
    Fixture f{system};
    system.stop(f.supervisor).await();
    const auto before = system.now();
    REQUIRE(troupe::count_children(f.supervisor).try_await().error().kind ==
            troupe::AskErrorKind::receiver_down);
    REQUIRE(troupe::restart_child(f.supervisor, "a").try_await().error().kind ==
            troupe::AskErrorKind::receiver_down);
    REQUIRE(system.now() == before);
    Probe<Ping> plain{system};
    REQUIRE_THROWS_AS(troupe::which_children(plain.ref()).await(), troupe::Refused);
  });
}

TEST_CASE("C19 thousands of children: counts are exact, and zero when all are gone",
          "[supervision]") {
  TestSystem system{1, troupe::testkit::Schedule::threads};
  Fixture f{system, {.strategy = troupe::dynamic, .restarts_max = 10000}, {}};
  std::vector<Ref<>> refs;
  for (int i = 0; i < 2000; ++i) {
    const auto started = f.start({.id = "c" + std::to_string(i), .restart = Restart::temporary});
    REQUIRE(started.has_value());
    refs.push_back(*started);
    if (i == 999) REQUIRE(troupe::count_children(f.supervisor).await().active == 1000);
  }
  REQUIRE(troupe::count_children(f.supervisor).await().active == 2000);
  for (const auto& ref : refs) system.kill(ref);
  system.settle();
  REQUIRE(troupe::count_children(f.supervisor).await().specs == 0);
}

namespace {

/// A dynamic supervisor with ten thousand children, all of which are killed.
struct Storm : Fixture {
  static constexpr int children = 10'000;
  Storm(TestSystem& s, troupe::SupervisorOptions options) : Fixture(s, std::move(options), {}) {
    watcher.watch(supervisor);
    std::vector<Ref<>> refs;
    for (int i = 0; i < children; ++i) refs.push_back(*start({.id = std::to_string(i)}));
    for (const auto& ref : refs) system.kill(ref);
  }
  Probe<troupe::Terminated> watcher{system};
};

}  // namespace

TEST_CASE("T8 in a storm of restarts the supervisor answers, and all children come back",
          "[supervision]") {
  for (const auto schedule :
       {troupe::testkit::Schedule::seeded, troupe::testkit::Schedule::threads}) {
    TestSystem system{1, schedule};
    Storm storm{system, {.strategy = troupe::dynamic, .restarts_max = Storm::children}};
    REQUIRE(troupe::count_children(storm.supervisor).await().specs == Storm::children);
    system.settle();
    REQUIRE(troupe::count_children(storm.supervisor).await().active == Storm::children);
    storm.watcher.expect_no_message();
  }
}

TEST_CASE("T8 in a storm of restarts the intensity rule fires once", "[supervision]") {
  for (const auto schedule :
       {troupe::testkit::Schedule::seeded, troupe::testkit::Schedule::threads}) {
    TestSystem system{1, schedule};
    Storm storm{system, {.strategy = troupe::dynamic, .restarts_max = 5}};
    storm.watcher.expect<troupe::Terminated>();
    system.settle();
    storm.watcher.expect_no_message();
    int starts = 0;
    for (int i = 0; i < Storm::children; ++i) starts += storm.script->starts_of(std::to_string(i));
    REQUIRE(starts <= Storm::children + 5);
    REQUIRE(system.actors().size() == 1);  // the watcher
  }
}

TEST_CASE("C20 children stuck in failing restarts are workers that are not active",
          "[supervision]") {
  on_every_schedule([](TestSystem& system) {
    Fixture f{
        system,
        {.restarts_max = 1000, .backoff = troupe::Backoff{.min = 1s, .max = 1s, .jitter = 0}}};
    {
      std::lock_guard guard(f.script->mutex);
      f.script->failing_starts["a"] = f.script->failing_starts["b"] = 5;
    }
    for (const char* id : {"a", "b"}) f.supervisor.ask(FindChild{id}).await().tell(Fail{});
    system.advance(2500ms);
    auto counts = troupe::count_children(f.supervisor).await();
    REQUIRE(counts.active == 1);
    REQUIRE(counts.workers == 3);
    system.advance(60s);
    REQUIRE(troupe::count_children(f.supervisor).await().active == 3);
    for (const char* id : {"a", "b", "c"})
      REQUIRE(troupe::terminate_child(f.supervisor, id).await().has_value());
    counts = troupe::count_children(f.supervisor).await();
    REQUIRE(counts.active == 0);
    REQUIRE(counts.specs == 3);
  });
}

namespace {
class SlowStart : public troupe::Actor<Ping> {
 public:
  SlowStart(Ref<Ping> never, troupe::Duration takes) : never_(never), takes_(takes) {}
  void on_start() override { static_cast<void>(never_.ask(Ping{}, takes_).try_await()); }
  int receive(const Ping&) { return 1; }

 private:
  Ref<Ping> never_;
  troupe::Duration takes_;
};
/// Says how a start went.
class SlowStarter : public troupe::Supervisor<StartWith> {
 public:
  SlowStarter(Ref<Ping> never, Ref<End> out, troupe::Duration takes)
      : never_(never), out_(out), takes_(takes) {}
  void receive(const StartWith& m) {
    try {
      start_child<SlowStart>(m.spec, never_, takes_);
      out_.tell(End{ExitReason::normal()});
    } catch (const troupe::StartFailed& e) {
      out_.tell(End{ExitReason::failure(e.what())});
    }
  }

 private:
  Ref<Ping> never_;
  Ref<End> out_;
  troupe::Duration takes_;
};
}  // namespace

TEST_CASE("C38 a start that takes longer than its limit fails then, and no actor remains",
          "[supervision]") {
  on_every_schedule([](TestSystem& system) {
    Probe<Ping> never{system};
    Probe<End> out{system};
    auto supervisor =
        system.spawn<SlowStarter>({.guardian = troupe::Guardian::no}, never.ref(), out.ref(), 1h);
    const auto before = system.now();
    supervisor.tell(StartWith{{.id = "slow", .start_timeout = 100ms}});
    REQUIRE(std::string(out.expect<End>().why.text()).find("slow") != std::string::npos);
    REQUIRE(system.now() - before >= 100ms);
    REQUIRE(system.now() - before < 110ms);
    system.settle();
    REQUIRE(troupe::count_children(supervisor).await().specs == 0);
    REQUIRE(system.actor_count() == 3);
  });
}

TEST_CASE("C38 a start that takes just as long as its limit is in time or fails", "[supervision]") {
  on_every_schedule([](TestSystem& system) {
    Probe<Ping> never{system};
    Probe<End> out{system};
    auto supervisor = system.spawn<SlowStarter>({.guardian = troupe::Guardian::no}, never.ref(),
                                                out.ref(), 100ms);
    supervisor.tell(StartWith{{.id = "slow", .start_timeout = 100ms}});
    const bool is_in_time = out.expect<End>().why.kind() == ExitReason::Kind::normal;
    system.settle();
    REQUIRE(troupe::count_children(supervisor).await().active == (is_in_time ? 1 : 0));
    REQUIRE(system.actor_count() == (is_in_time ? 4 : 3));
  });
}
