// Group restarts that something comes between, and children the supervisor only spawned.
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

TEST_CASE("S61 a group goes on without the child that caused it, also after two restarts met",
          "[supervision]") {
  const auto stop_on_bad_starts = troupe::Decider{}
                                      .on<OtherFailure>(troupe::Decision::restart)
                                      .on<std::runtime_error>(troupe::Decision::stop);
  on_every_schedule([&](TestSystem& system) {
    Fixture f{
        system,
        {.strategy = troupe::rest_for_one, .restarts_max = 10, .decider = stop_on_bad_starts}};
    f.child("c").tell(Stall{});
    system.settle();
    f.child("b").tell(FailOther{});  // c takes its 5 s to stop
    system.advance(1s);
    f.child("a").tell(FailOther{});  // meanwhile
    system.advance(10s);
    REQUIRE(troupe::count_children(f.supervisor).await().active == 3);
    {
      std::lock_guard guard(f.script->mutex);
      f.script->failing_starts["b"] = 1;
    }
    f.child("b").tell(FailOther{});
    system.settle();
    REQUIRE(f.child("c").ask(Ping{}).await() == 1);
    REQUIRE(troupe::count_children(f.supervisor).await().active == 2);
  });
}

TEST_CASE("a child that is forgotten while a group restart is under way leaves the group",
          "[supervision]") {
  on_every_schedule([](TestSystem& system) {
    Fixture f{system,
              {.strategy = troupe::one_for_all, .restarts_max = 10},
              {{.id = "a"}, {.id = "t", .restart = Restart::temporary}, {.id = "b"}}};
    f.child("b").tell(Stall{});
    system.settle();
    f.child("a").tell(Fail{});  // the group halts b first, which takes its 5 s
    system.advance(1s);
    REQUIRE(troupe::terminate_child(f.supervisor, "t").await().has_value());
    system.advance(10s);
    REQUIRE(f.child("a").ask(Ping{}).await() == 1);
    REQUIRE(f.child("b").ask(Ping{}).await() == 1);
    REQUIRE(troupe::count_children(f.supervisor).await().specs == 2);
  });
}

TEST_CASE("when the cause of a group restart is not restarted after all, its siblings are",
          "[supervision]") {
  on_every_schedule([](TestSystem& system) {
    auto decider = troupe::Decider{}
                       .on<OtherFailure>(troupe::Decision::restart)
                       .otherwise(troupe::Decision::stop);
    Fixture f{system, {.strategy = troupe::one_for_all, .restarts_max = 10, .decider = decider}};
    {
      std::lock_guard guard(f.script->mutex);
      f.script->failing_starts["a"] = 1;  // a std::runtime_error: the decider says stop
    }
    f.child("a").tell(FailOther{});
    system.settle();
    REQUIRE(troupe::count_children(f.supervisor).await().active == 2);
    REQUIRE(f.child("b").ask(Ping{}).await() == 1);
    REQUIRE(f.child("c").ask(Ping{}).await() == 1);
  });
}

TEST_CASE("S73 a decision that waited for a group restart is for that failure, not for the next",
          "[supervision]") {
  on_every_schedule([](TestSystem& system) {
    auto decider = troupe::Decider{}
                       .on<OtherFailure>(troupe::Decision::restart)
                       .otherwise(troupe::Decision::resume);
    Fixture f{system, {.strategy = troupe::one_for_all, .restarts_max = 10, .decider = decider}};
    f.child("c").tell(Stall{});
    system.settle();
    f.child("b").tell(FailOther{});  // the group halts c first, which takes its 5 s
    system.advance(1s);
    {
      std::lock_guard guard(f.script->mutex);
      f.script->failing_starts["a"] = 1;
    }
    f.child("a").tell(
        Fail{});  // could be resumed, but the group takes it along, and it can't start
    system.advance(10s);
    for (const char* id : {"a", "b", "c"}) REQUIRE(f.child(id).ask(Ping{}).await() == 1);
    REQUIRE(f.script->starts_of("a") == 3);
  });
}

namespace {
class WithHelper : public troupe::Supervisor<FindChild> {
 public:
  explicit WithHelper(ScriptPtr script) : script_(std::move(script)) {}
  void on_start() override { helper_ = spawn<Child>({.name = "helper"}, script_, "helper"); }
  Ref<Child> receive(const FindChild&) { return helper_; }

 private:
  ScriptPtr script_;
  Ref<Child> helper_;
};
}  // namespace

TEST_CASE("S45 a supervisor's end takes along children it only spawned", "[supervision]") {
  on_every_schedule([](TestSystem& system) {
    auto script = std::make_shared<Script>();
    auto top = system.spawn<WithHelper>({.guardian = troupe::Guardian::no}, script);
    system.settle();
    system.stop(top).await();
    REQUIRE(system.actor_count() == 0);
    REQUIRE(script->take() == Lines{"start helper", "stop helper"});
  });
}
