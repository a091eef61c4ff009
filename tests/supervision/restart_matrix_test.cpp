// Restart type x exit reason x strategy, as a generated table (OTP's supervisor_SUITE enumerates it
// likewise).
#include <troupe/supervision/supervisor.hpp>

#include "supervision/support.hpp"

using namespace std::chrono_literals;
using namespace troupe::test;
using troupe::ChildSpec;
using troupe::ExitReason;
using troupe::Restart;
using troupe::Strategy;
using troupe::testkit::TestSystem;

namespace {

enum class How { normal, shutdown, shutdown_with_text, failure, killed };

void end(TestSystem& system, const troupe::Ref<Child>& child, How how) {
  switch (how) {
    case How::normal: child.tell(End{ExitReason::normal()}); break;
    case How::shutdown: child.tell(End{ExitReason::shutdown()}); break;
    case How::shutdown_with_text: child.tell(End{ExitReason::shutdown("maintenance")}); break;
    case How::failure: child.tell(Fail{}); break;
    case How::killed: system.kill(child); break;
  }
  system.settle();
}

bool is_abnormal(How how) {
  return how == How::failure || how == How::killed;
}

/// What SEMANTICS 61 and 62 say becomes of the middle one of three children, and of its siblings.
struct Expected {
  bool restarted;
  bool spec_kept;
  int starts_before, starts_itself, starts_after;
};
Expected expected(Restart restart, How how, Strategy strategy) {
  const bool restarted =
      restart == Restart::permanent || (restart == Restart::transient && is_abnormal(how));
  const bool all = restarted && strategy == Strategy::one_for_all;
  const bool rest =
      restarted && (strategy == Strategy::rest_for_one || strategy == Strategy::one_for_all);
  const bool kept = restart != Restart::temporary && (restarted || strategy != Strategy::dynamic);
  return {restarted, kept, all ? 2 : 1, restarted ? 2 : 1, rest ? 2 : 1};
}

}  // namespace

TEST_CASE("S61 S62 C1 C2 C3 C4 the restart matrix: 3 types x 5 reasons x 4 strategies",
          "[supervision]") {
  int cases = 0;
  for (const Restart restart : {Restart::permanent, Restart::transient, Restart::temporary}) {
    for (const How how :
         {How::normal, How::shutdown, How::shutdown_with_text, How::failure, How::killed}) {
      for (const Strategy strategy :
           {troupe::one_for_one, troupe::one_for_all, troupe::rest_for_one, troupe::dynamic}) {
        ++cases;
        on_every_schedule([&](TestSystem& system) {
          INFO("restart " << int(restart) << ", how " << int(how) << ", strategy "
                          << int(strategy));
          auto script = std::make_shared<Script>();
          std::vector<ChildSpec> specs{{.id = "a"}, {.id = "b", .restart = restart}, {.id = "c"}};
          auto supervisor = system.spawn<TestSupervisor>(
              {.guardian = troupe::Guardian::no}, troupe::SupervisorOptions{.strategy = strategy},
              script, specs);
          system.settle();
          auto b = supervisor.ask(FindChild{"b"}).await();
          end(system, b, how);
          const Expected want = expected(restart, how, strategy);
          REQUIRE(b.ask(Ping{}).try_await().has_value() == want.restarted);
          REQUIRE(script->starts_of("a") == want.starts_before);
          REQUIRE(script->starts_of("b") == want.starts_itself);
          REQUIRE(script->starts_of("c") == want.starts_after);
          const auto counts = troupe::count_children(supervisor).await();
          REQUIRE(counts.specs == (want.spec_kept ? 3u : 2u));
          REQUIRE(counts.active == (want.restarted ? 3u : 2u));
        });
      }
    }
  }
  REQUIRE(cases == 60);
}

TEST_CASE("S62 a temporary child that a sibling's failure took along is not restarted",
          "[supervision]") {
  on_every_schedule([](TestSystem& system) {
    auto script = std::make_shared<Script>();
    std::vector<ChildSpec> specs{{.id = "a"},
                                 {.id = "t", .restart = Restart::temporary},
                                 {.id = "c", .restart = Restart::transient}};
    auto supervisor = system.spawn<TestSupervisor>(
        {.guardian = troupe::Guardian::no},
        troupe::SupervisorOptions{.strategy = troupe::one_for_all}, script, specs);
    system.settle();
    supervisor.ask(FindChild{"a"}).await().tell(Fail{});
    system.settle();
    REQUIRE(script->starts_of("a") == 2);
    REQUIRE(script->starts_of("t") == 1);
    REQUIRE(script->starts_of("c") == 2);
    REQUIRE(troupe::count_children(supervisor).await().specs == 2);
  });
}
