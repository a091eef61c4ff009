// Coordinated shutdown.
#include <troupe/runtime/shutdown.hpp>

#include <algorithm>
#include <csignal>
#include <thread>

#include <catch2/catch.hpp>
#include <troupe/runtime/runtime.hpp>

#include "support/schedules.hpp"
#include "system_core.hpp"

using namespace std::chrono_literals;
using troupe::test::logged_to;
using troupe::test::LogLines;
using troupe::test::on_every_schedule;
using troupe::test::on_seeds;
using troupe::testkit::Probe;
using troupe::testkit::Schedule;
using troupe::testkit::TestSystem;

namespace {

struct Wait {
  using Reply = int;
};
struct Spin {
  std::shared_ptr<std::atomic<bool>> until;
  std::shared_ptr<std::atomic<bool>> begun;
};
class Stubborn : public troupe::Actor<Wait, Spin> {
 public:
  explicit Stubborn(troupe::Ref<Wait> other = {}) : other_(other) {}
  int receive(const Wait&) { return other_.ask(Wait{}, troupe::no_timeout).await(); }
  void receive(const Spin& m) {
    *m.begun = true;
    while (!*m.until) std::this_thread::yield();
  }

 private:
  troupe::Ref<Wait> other_;
};

}  // namespace

TEST_CASE("S74 phases run in the order of their dependencies, tasks once, late ones not at all",
          "[runtime]") {
  on_every_schedule([](TestSystem& system) {
    auto order = std::make_shared<std::vector<std::string>>();
    auto lock = std::make_shared<std::mutex>();
    const auto note = [&](const char* text) {
      return [=](std::stop_token) {
        std::lock_guard guard(*lock);
        order->push_back(text);
      };
    };
    system.at_shutdown("service-stop", "c", note("stop"));
    system.at_shutdown("before-service-unbind", "a", note("before"));
    system.at_shutdown("service-unbind", "b", note("unbind"));
    REQUIRE_THROWS_AS(system.at_shutdown("no-such-phase", "x", note("x")), troupe::UsageError);
    const auto report = system.shutdown();
    REQUIRE(report.complete);
    REQUIRE(*order == std::vector<std::string>{"before", "unbind", "stop"});
    system.at_shutdown("service-stop", "late", note("late"));
    REQUIRE(system.shutdown().complete);
    REQUIRE(order->size() == 3);
  });
}

TEST_CASE(
    "C258 phases are sorted by what they depend on - a ring, an unknown or a doubled name is "
    "refused",
    "[runtime]") {
  const auto with = [](std::vector<troupe::ShutdownPhase> phases) {
    troupe::SystemOptions options;
    options.shutdown_phases = std::move(phases);
    return options;
  };
  on_every_schedule(
      [](TestSystem& system) {
        std::vector<std::string> order;
        for (const char* phase : {"last", "middle", "first"})
          system.at_shutdown(phase, phase,
                             [&order, phase](std::stop_token) { order.push_back(phase); });
        REQUIRE(system.shutdown().complete);
        REQUIRE(order == std::vector<std::string>{"first", "middle", "last"});
      },
      with({{.name = "last", .after = {"middle", "first"}},
            {.name = "middle", .after = {"first"}},
            {.name = "first"}}));
  const auto refused = [&](std::vector<troupe::ShutdownPhase> phases, const char* text) {
    REQUIRE_THROWS_WITH((TestSystem{1, Schedule::seeded, with(std::move(phases))}),
                        Catch::Contains(text));
  };
  refused(
      {{.name = "a", .after = {"b"}}, {.name = "b", .after = {"c"}}, {.name = "c", .after = {"a"}}},
      "\"a\" after \"b\" after \"c\" after \"a\"");
  refused({{.name = "a", .after = {"a"}}}, "\"a\" after \"a\"");
  refused({{.name = "a", .after = {"x"}}}, "\"a\" comes after \"x\", which is none of them");
  refused({{.name = "a"}, {.name = "a"}}, "\"a\" is listed twice");
}

TEST_CASE("S75 C258 a second shutdown does nothing, and the first reason stays", "[runtime]") {
  const auto lines = std::make_shared<LogLines>();
  TestSystem system{1, Schedule::seeded, logged_to(lines)};
  int runs = 0;
  system.at_shutdown("service-stop", "count", [&](std::stop_token) { ++runs; });
  system.shutdown("the first");
  system.shutdown("the second");
  REQUIRE(runs == 1);
  const auto all = lines->take();
  REQUIRE(std::count_if(all.begin(), all.end(), [](const std::string& line) {
            return line.find("shutting down: the first") != line.npos;
          }) == 1);
  REQUIRE(std::none_of(all.begin(), all.end(), [](const std::string& line) {
    return line.find("the second") != line.npos;
  }));
}

TEST_CASE("S74 C259 without recovery a failed phase ends the shutdown's tasks - actors still stop",
          "[runtime]") {
  troupe::SystemOptions options;
  options.shutdown_phases = {{.name = "hangs", .timeout = 1s, .recover = false},
                             {.name = "later", .after = {"hangs"}}};
  on_seeds(
      [](TestSystem& system) {
        bool ran = false;
        system.at_shutdown("hangs", "bad",
                           [](std::stop_token) { throw std::runtime_error("stuck"); });
        system.at_shutdown("later", "never", [&](std::stop_token) { ran = true; });
        const auto report = system.shutdown();
        REQUIRE_FALSE(ran);
        REQUIRE(report.complete);
        REQUIRE(report.problems ==
                std::vector<std::string>{"task \"bad\" of phase hangs failed: stuck"});
      },
      options);
}

TEST_CASE("S74 tasks of one phase run in parallel, and the next waits for all of them",
          "[runtime]") {
  troupe::SystemOptions options;
  options.log = troupe::no_log();
  troupe::System system{options};
  std::atomic<int> present{0};
  std::atomic<bool> met{true};
  std::atomic<int> when_next{-1};
  const auto meet = [&](std::stop_token stop) {
    ++present;
    while (present < 2 && !stop.stop_requested()) std::this_thread::yield();
    met = met && present == 2;
  };
  system.at_shutdown("service-unbind", "one", meet);
  system.at_shutdown("service-unbind", "other", meet);
  system.at_shutdown("service-stop", "next", [&](std::stop_token) { when_next = present.load(); });
  REQUIRE(system.shutdown().complete);
  REQUIRE(met);
  REQUIRE(when_next == 2);
}

TEST_CASE("S74 C259 a phase whose time is up is left, or ends the shutdown's tasks", "[runtime]") {
  for (const bool recover : {true, false}) {
    troupe::SystemOptions options;
    options.log = troupe::no_log();
    options.shutdown_phases = {{.name = "hangs", .timeout = 20ms, .recover = recover},
                               {.name = "later", .after = {"hangs"}}};
    troupe::System system{options};
    std::atomic<bool> heard{false};
    bool ran = false;
    system.at_shutdown("hangs", "slow", [&](std::stop_token stop) {
      while (!stop.stop_requested()) std::this_thread::yield();
      heard = true;
    });
    system.at_shutdown("later", "next", [&](std::stop_token) { ran = true; });
    const auto report = system.shutdown();
    REQUIRE(heard);
    REQUIRE(ran == recover);
    REQUIRE(report.problems.size() == 1);
    REQUIRE_THAT(report.problems[0], Catch::Contains("hangs"));
  }
}

TEST_CASE("S74 C260 a task adds one to a later phase - cancelled ones do not run", "[runtime]") {
  on_every_schedule([](TestSystem& system) {
    std::mutex lock;
    std::vector<std::string> ran;
    const auto note = [&](const char* text) {
      return [&, text](std::stop_token) {
        std::lock_guard guard(lock);
        ran.push_back(text);
      };
    };
    auto dropped = system.at_shutdown("service-stop", "dropped", note("dropped"));
    auto dropped_late = system.at_shutdown("service-stop", "dropped late", note("dropped late"));
    system.at_shutdown("service-unbind", "adds", [&](std::stop_token) {
      system.at_shutdown("service-stop", "added", note("added"));
      system.at_shutdown("before-service-unbind", "too late", note("too late"));
      dropped_late.cancel();
    });
    std::thread([&] { dropped.cancel(); }).join();
    REQUIRE(system.shutdown().complete);
    REQUIRE(ran == std::vector<std::string>{"added"});
  });
}

TEST_CASE("S76 the default phases, in order", "[runtime]") {
  const auto phases = troupe::default_shutdown_phases();
  REQUIRE(phases.size() == 11);
  REQUIRE(phases.front().name == "before-service-unbind");
  REQUIRE(phases.back().name == "terminate");
  REQUIRE(phases.back().after == std::vector<std::string>{"before-terminate"});
}

TEST_CASE("S74 a task that fails is reported, and the shutdown goes on", "[runtime]") {
  on_every_schedule([](TestSystem& system) {
    bool ran = false;
    system.at_shutdown("service-unbind", "bad",
                       [](std::stop_token) { throw std::runtime_error("socket stuck"); });
    system.at_shutdown("service-stop", "good", [&](std::stop_token) { ran = true; });
    const auto report = system.shutdown();
    REQUIRE(ran);
    REQUIRE(report.complete);
    REQUIRE(report.problems.size() == 1);
    REQUIRE(report.problems[0].find("socket stuck") != std::string::npos);
  });
}

TEST_CASE(
    "S77 a handler that waits for ever is cancelled within the deadline, and the shutdown "
    "completes",
    "[runtime]") {
  on_every_schedule([](TestSystem& system) {
    Probe<Wait> silent{system};
    auto waiting = system.spawn<Stubborn>(silent.ref());
    auto answer = waiting.ask(Wait{}, troupe::no_timeout);
    silent.expect<Wait>();
    const auto before = system.now();
    const auto report = system.shutdown();
    REQUIRE(report.complete);
    REQUIRE(system.now() - before <= 10s);
    REQUIRE_FALSE(answer.try_await().has_value());
  });
}

TEST_CASE("C101 spawning while the System shuts down is refused", "[runtime]") {
  on_every_schedule([](TestSystem& system) {
    system.shutdown();
    REQUIRE_THROWS_AS(system.spawn<Stubborn>(), troupe::UsageError);
  });
}

namespace {
struct Spawn {};
/// Spawns children until it may not any more.
class Prolific : public troupe::Actor<Spawn> {
 public:
  explicit Prolific(std::atomic<int>& refused) : refused_(&refused) {}
  void receive(const Spawn&) {
    spawn<Prolific>(std::ref(*refused_));
    self().tell(Spawn{});
  }
  void on_stop(troupe::StopReason) override {
    try {
      spawn<Prolific>(std::ref(*refused_));
    } catch (const troupe::UsageError&) {
      ++*refused_;
    }
  }

 private:
  std::atomic<int>* refused_;
};
}  // namespace

TEST_CASE("C101 actors that spawn while the System shuts down are refused, and none is left",
          "[stress]") {
  for (int round = 0; round < 5; ++round) {
    troupe::SystemOptions options;
    options.workers = 2;
    options.log = troupe::no_log();
    std::atomic<int> refused{0};
    std::atomic<int> spawned{0};
    troupe::System system{options};
    system.spawn<Prolific>(std::ref(refused)).tell(Spawn{});
    std::thread outside([&] {
      try {
        for (;; ++spawned) system.spawn<Stubborn>();
      } catch (const troupe::UsageError&) {
        ++refused;
      }
    });
    while (spawned < 100) std::this_thread::yield();
    REQUIRE(system.shutdown().complete);
    outside.join();
    REQUIRE(refused >= 2);
    REQUIRE(system.actor_count() == 0);
    REQUIRE(system.metrics().actors_spawned == system.metrics().actors_ended);
  }
}

namespace {
/// Its constructor takes until the shutdown has begun, and a while.
class SlowToMake : public troupe::Actor<Spawn> {
 public:
  SlowToMake(troupe::System& system, std::atomic<bool>& begun) {
    begun = true;
    while (!system.core().shutdown_begun()) std::this_thread::yield();
    for (int i = 0; i < 100'000; ++i) std::this_thread::yield();
  }
  void receive(const Spawn&) {}
};
}  // namespace

TEST_CASE("C101 a spawn that is refused leaves the shutdown nothing to wait for", "[runtime]") {
  troupe::SystemOptions options;
  options.log = troupe::no_log();
  troupe::System system{options};
  REQUIRE_THROWS_AS(system.spawn<Stubborn>({.name = "a/b"}), troupe::UsageError);
  REQUIRE(system.core().is_deserted());
  system.spawn<Stubborn>({.name = "one"});
  REQUIRE_THROWS_AS(system.spawn<Stubborn>({.name = "one"}), troupe::NameTaken);
  REQUIRE(system.shutdown().complete);
}

TEST_CASE("C101 the shutdown waits for an actor that is being made", "[runtime]") {
  troupe::SystemOptions options;
  options.log = troupe::no_log();
  troupe::System system{options};
  std::atomic<bool> begun{false};
  std::thread outside([&] { system.spawn<SlowToMake>(std::ref(system), std::ref(begun)); });
  while (!begun) std::this_thread::yield();
  const auto report = system.shutdown();
  const auto ended = system.metrics().actors_ended;
  outside.join();
  REQUIRE(report.complete);
  REQUIRE(ended == 1);
}

TEST_CASE(
    "S77 a handler that neither returns nor awaits is reported by name, and does not hold the "
    "shutdown up",
    "[runtime]") {
  auto release = std::make_shared<std::atomic<bool>>(false);
  troupe::ShutdownReport report;
  {
    troupe::SystemOptions options;
    options.workers = 2;
    options.log = troupe::no_log();
    options.shutdown_timeout = 300ms;
    troupe::System system{options};
    auto stuck = system.spawn<Stubborn>({.name = "stuck"});
    auto begun = std::make_shared<std::atomic<bool>>(false);
    stuck.tell(Spin{release, begun});
    stuck.tell(Spin{release, begun});
    while (!*begun) std::this_thread::yield();
    report = system.shutdown();
  }
  *release = true;
  REQUIRE_FALSE(report.complete);
  REQUIRE(report.survivor_count == 1);
  REQUIRE(report.survivors[0].path == "/stuck");
  REQUIRE_THAT(report.survivors[0].doing, Catch::Contains("Spin"));
  REQUIRE(report.to_string().find("/stuck") != std::string::npos);
}

namespace {
/// SIGTERM to this process until the System shuts down. Ignored outside of run_until_signal.
int run_under_sigterm(troupe::System& system) {
  const auto before = std::signal(SIGTERM, SIG_IGN);
  std::thread raiser([&] {
    while (!system.core().shutdown_begun()) {
      std::raise(SIGTERM);
      std::this_thread::yield();
    }
  });
  const int code = system.run_until_signal();
  raiser.join();
  std::signal(SIGTERM, before);
  return code;
}
}  // namespace

TEST_CASE("S75 run_until_signal turns SIGTERM into a shutdown and says so in its exit code",
          "[runtime]") {
  troupe::SystemOptions options;
  options.log = troupe::no_log();
  troupe::System system{options};
  system.spawn<Stubborn>();
  REQUIRE(run_under_sigterm(system) == 128 + SIGTERM);
  REQUIRE(system.actor_count() == 0);
}

TEST_CASE("S75 of two Systems in one process one may take signals over at a time", "[runtime]") {
  troupe::SystemOptions options;
  options.log = troupe::no_log();
  troupe::System first{options};
  troupe::System second{options};
  std::string refused;
  REQUIRE(first.run_until_signal([&] {
    try {
      second.run_until_signal();
    } catch (const troupe::UsageError& e) {
      refused = e.what();
    }
    first.begin_shutdown("the test is over");
  }) == 0);
  REQUIRE(refused != "");
  REQUIRE_FALSE(second.core().shutdown_begun());
  second.begin_shutdown("now");
  REQUIRE(second.run_until_signal() == 0);  // once the first is over
}

TEST_CASE("begin_shutdown from an actor ends run_until_signal with 0", "[runtime]") {
  troupe::SystemOptions options;
  options.log = troupe::no_log();
  troupe::System system{options};
  class Ends : public troupe::Actor<Wait> {
   public:
    explicit Ends(troupe::System& s) : system_(s) {}
    int receive(const Wait&) {
      system_.begin_shutdown("done");
      return 1;
    }

   private:
    troupe::System& system_;
  };
  system.spawn<Ends>(system).ask(Wait{}).await();
  REQUIRE(system.run_until_signal() == 0);
}

TEST_CASE("S75 run_until_signal returns where there is no actor, and when somebody else shuts down",
          "[runtime]") {
  troupe::SystemOptions options;
  options.log = troupe::no_log();
  {
    troupe::System system{options};
    REQUIRE(run_under_sigterm(system) == 128 + SIGTERM);
  }
  troupe::System system{options};
  std::thread other([&] { system.shutdown(); });
  REQUIRE(system.run_until_signal() == 0);
  other.join();
}

TEST_CASE("S77 run_until_signal exits with 3 when a handler is stuck", "[runtime]") {
  auto release = std::make_shared<std::atomic<bool>>(false);
  auto begun = std::make_shared<std::atomic<bool>>(false);
  troupe::SystemOptions options;
  options.workers = 2;
  options.log = troupe::no_log();
  options.shutdown_timeout = 200ms;
  {
    troupe::System system{options};
    system.spawn<Stubborn>({.name = "stuck"}).tell(Spin{release, begun});
    while (!*begun) std::this_thread::yield();
    REQUIRE(run_under_sigterm(system) == 3);
  }
  *release = true;
}

TEST_CASE("S41 S13 after the shutdown, stopping and asking what has ended is answered at once",
          "[runtime]") {
  on_every_schedule([](TestSystem& system) {
    auto ended = system.spawn<Stubborn>();
    system.shutdown();
    system.stop(ended).await();
    REQUIRE_FALSE(ended.ask(Wait{}, troupe::no_timeout).try_await().has_value());
    REQUIRE(ended.tell(Wait{}) == troupe::Sent::dead);
  });
}

TEST_CASE("S77 tasks that hang leave the actors their share of the deadline", "[runtime]") {
  troupe::SystemOptions options;
  options.log = troupe::no_log();
  options.shutdown_timeout = 500ms;
  troupe::System system{options};
  auto gave_up = std::make_shared<std::atomic<int>>(0);
  for (const char* phase : {"service-unbind", "service-stop", "terminate"}) {
    system.at_shutdown(phase, "hangs", [=](std::stop_token stop) {
      while (!stop.stop_requested()) std::this_thread::yield();
      ++*gave_up;
    });
  }
  system.spawn<Stubborn>();
  const auto report = system.shutdown();
  REQUIRE(report.survivor_count == 0);
  REQUIRE(report.problems.size() == 3);
  REQUIRE(*gave_up == 3);
}

TEST_CASE("S77 a blocking call that never returns does not hold the shutdown up", "[runtime]") {
  static std::atomic<bool> release{false};
  static std::atomic<bool> begun{false};
  class Blocks : public troupe::Actor<Wait> {
   public:
    int receive(const Wait&) {
      return troupe::blocking([] {
        begun = true;
        while (!release) std::this_thread::yield();
        return 1;
      });
    }
  };
  troupe::ShutdownReport report;
  {
    troupe::SystemOptions options;
    options.log = troupe::no_log();
    options.shutdown_timeout = 300ms;
    troupe::System system{options};
    system.spawn<Blocks>({.name = "blocks"}).tell(Wait{});
    while (!begun) std::this_thread::yield();
    report = system.shutdown();
  }
  release = true;
  REQUIRE_FALSE(report.complete);
  REQUIRE(report.survivor_count == 1);
  REQUIRE(report.survivors[0].doing.find("a blocking call") != std::string::npos);
}

namespace {
class Echo : public troupe::Actor<Wait> {
 public:
  int receive(const Wait&) { return 1; }
};
class Asks : public troupe::Actor<Wait> {
 public:
  static constexpr auto turns = troupe::reentrant;
  explicit Asks(troupe::Ref<Wait> to) : to_(to) {}
  int receive(const Wait&) { return to_.ask(Wait{}, 30s).await(); }

 private:
  troupe::Ref<Wait> to_;
};
}  // namespace

TEST_CASE("a reentrant handler that waits while its actor sleeps keeps its message", "[stress]") {
  troupe::SystemOptions options;
  options.workers = 2;
  options.log = troupe::no_log();
  troupe::System system{options};
  auto asks = system.spawn<Asks>(system.spawn<Echo>());
  for (int i = 0; i < 20000; ++i) REQUIRE(asks.ask(Wait{}, 30s).await() == 1);
}
