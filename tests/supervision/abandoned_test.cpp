// Actors whose handler neither returns nor awaits: killed, abandoned after kill_grace, and all goes
// on without them. On real threads, since on one nobody is there to see it; what is waited for is
// an event, however long it takes.
#include "supervision/abandoned.hpp"

using namespace std::chrono_literals;
using namespace troupe::test;
using troupe::AskErrorKind;
using troupe::ChildSpec;
using troupe::DropReason;
using troupe::Duration;
using troupe::Guardian;
using troupe::Ref;
using troupe::Restart;
using troupe::Shutdown;
using troupe::System;
using troupe::SystemOptions;
using troupe::Terminated;

namespace {

/// A supervisor in a world, of the children it is given: "prone" is, the others are scripted.
class Ward : public troupe::Supervisor<Ping> {
 public:
  Ward(troupe::SupervisorOptions options, std::vector<ChildSpec> specs, ScriptPtr script,
       TrapPtr trap, Ref<Witness> witness)
      : Supervisor(std::move(options)),
        specs_(std::move(specs)),
        script_(std::move(script)),
        trap_(std::move(trap)),
        witness_(witness) {}
  void on_start() override {
    for (const ChildSpec& spec : specs_) {
      if (spec.id == "prone") {
        start_child<Prone>(spec, trap_, witness_);
      } else {
        start_child<Child>(spec, script_, spec.id);
      }
    }
  }
  int receive(const Ping&) { return 1; }

 private:
  std::vector<ChildSpec> specs_;
  ScriptPtr script_;
  TrapPtr trap_;
  Ref<Witness> witness_;
};

/// A world with a ward, at rest.
struct Hospital : World {
  explicit Hospital(std::vector<ChildSpec> specs, troupe::SupervisorOptions options = {}) {
    ward = system.spawn<Ward>({.name = "ward", .guardian = Guardian::no}, std::move(options),
                              std::move(specs), script, trap, witness);
    ward.ask(Ping{}).await();
    script->take();
  }
  Ref<Prone> prone() {
    const auto found = system.find<Prone>("/ward/prone");
    return found ? *found : Ref<Prone>{};
  }
  Ref<Child> child(const std::string& id) { return *system.find<Child>("/ward/" + id); }
  /// Waits until the child of this name is another actor, and at work.
  void expect_new_prone(const Ref<Prone>& old) {
    eventually([&] {
      const auto now = prone();
      return now && now != old && now.ask(Ping{}).try_await().has_value();
    });
  }
  ScriptPtr script = std::make_shared<Script>();
  Ref<Ward> ward;
};

}  // namespace

TEST_CASE("S66 a killed child whose handler does not return is abandoned: another takes its place",
          "[supervision]") {
  Hospital h{{{.id = "prone"}}};
  const auto old = h.prone();
  h.witness.tell(WatchIt{old});
  h.witness.tell(LinkIt{old});
  h.witness.ask(TheNotes{}).await();
  auto stuck = old.ask(GetStuck{}, troupe::no_timeout);
  h.trap->in.wait();
  auto queued = old.ask(Ping{}, troupe::no_timeout);
  h.system.kill(old);
  REQUIRE(stuck.try_await().error().kind == AskErrorKind::receiver_down);
  REQUIRE(queued.try_await().error().kind == AskErrorKind::receiver_down);
  h.expect_new_prone(old);
  eventually([&] { return h.has_noted("terminated killed") && h.has_noted("exit killed"); });
  REQUIRE(old.tell(Ping{}) == troupe::Sent::dead);
  REQUIRE(h.recorder->count("abandoned") == 1);
  REQUIRE(h.system.metrics().actors_abandoned == 1);
  REQUIRE(h.trap->alive == 2);
  REQUIRE(h.system.actor_count() == 4);
  REQUIRE(h.system.tree().find("abandoned, handles ") != std::string::npos);
  h.release(3);
  REQUIRE(h.trap->alive == 1);
  REQUIRE(h.trap->stops == 1);
  REQUIRE(h.prone().ask(Ping{}).await() == 1);
  REQUIRE(h.notes() == Lines{"terminated killed", "exit killed"});
}

TEST_CASE(
    "S66 what an abandoned handler sends is a dead letter, and what it waits for is cancelled",
    "[supervision]") {
  World w;
  const auto prone = w.spawn_prone();
  w.witness.tell(WatchIt{prone});
  w.witness.ask(TheNotes{}).await();
  prone.tell(TryAll{});
  w.trap->in.wait();
  w.system.kill(prone);
  w.wait_abandoned();
  w.release(1);
  REQUIRE(w.trap->cancelled == 2);
  REQUIRE(w.trap->stops == 1);
  REQUIRE(w.system.metrics().dropped_for(DropReason::abandoned) == 5);
  REQUIRE(w.notes() == Lines{"terminated killed"});
}

TEST_CASE("S66 stop and watch of an abandoned actor are answered at once, or soon",
          "[supervision]") {
  World w;
  const auto prone = w.spawn_prone();
  prone.tell(GetStuck{});
  w.trap->in.wait();
  w.witness.tell(WatchIt{prone});  // while it is stuck, and alive
  w.witness.ask(TheNotes{}).await();
  w.system.stop(prone, 0s).await();
  REQUIRE(w.system.metrics().actors_abandoned == 1);
  eventually([&] { return w.has_noted("terminated killed"); });
  w.system.stop(prone, 0s).await();
  w.witness.tell(WatchIt{prone});
  eventually([&] { return w.has_noted("terminated no actor"); });
  const auto next = w.spawn_prone();  // of the same name
  REQUIRE(next.ask(Ping{}).await() == 1);
  w.release(2);
  REQUIRE(*w.system.find<Prone>("/prone") == next);
}

TEST_CASE("S66 an actor with a bounded mailbox, and one on a thread of its own, are abandoned too",
          "[supervision]") {
  World w;
  const auto bounded = w.spawn_prone({.mailbox = troupe::bounded(2)});
  bounded.tell(GetStuck{});
  w.trap->in.wait();
  auto queued = bounded.ask(Ping{}, troupe::no_timeout);
  w.system.stop(bounded, 1ms).await();
  REQUIRE(queued.try_await().error().kind == AskErrorKind::receiver_down);
  w.release(1);
  w.trap = std::make_shared<Trap>();
  const auto pinned = w.spawn_prone({.pinned = true});
  pinned.tell(GetStuck{});
  w.trap->in.wait();
  w.system.stop(pinned, 1ms).await();
  REQUIRE(w.system.metrics().actors_abandoned == 2);
  w.release(1);
}

TEST_CASE("S66 a child that is stuck in on_start past its start_timeout is given up, and its name",
          "[supervision]") {
  Hospital h{{}};
  h.trap->bad_starts = 1;
  const ChildSpec spec{.id = "prone", .start_timeout = 5ms};
  const auto start = [&] {
    return troupe::start_child(h.ward, spec, troupe::factory<Prone>(h.trap, h.witness)).await();
  };
  const auto late = start();
  REQUIRE(late.error() == troupe::ChildProblem::start_failed);
  const auto second = start();
  REQUIRE(second.has_value());
  REQUIRE(h.prone().ask(Ping{}).await() == 1);
  h.release(3);
  REQUIRE(h.trap->stops == 0);
}

TEST_CASE("S66 a restart that gets stuck counts as failed, and the next is another actor",
          "[supervision]") {
  Hospital h{{{.id = "prone", .start_timeout = 5ms}}, {.restarts_max = 2, .within = 1h}};
  const auto old = h.prone();
  h.trap->bad_starts = 1;
  h.system.kill(old);
  h.trap->in.wait();
  h.expect_new_prone(old);
  h.release(3);
  h.witness.tell(WatchIt{h.ward});
  h.witness.ask(TheNotes{}).await();
  h.system.kill(h.prone());
  eventually([&] { return h.has_noted("terminated shutdown"); });
  REQUIRE(h.system.metrics().actors_abandoned == 1);
}

TEST_CASE("S66 S61 a group restart goes on without a sibling that is stuck", "[supervision]") {
  Hospital h{{{.id = "a"}, {.id = "prone", .shutdown = Shutdown(1ms)}, {.id = "c"}},
             {.strategy = troupe::rest_for_one}};
  const auto old = h.prone();
  old.tell(GetStuck{});
  h.trap->in.wait();
  h.child("a").tell(Fail{});
  h.expect_new_prone(old);
  REQUIRE(h.child("c").ask(Ping{}).await() == 1);
  REQUIRE(h.script->take() == Lines{"stop c", "stop a", "start a", "start c"});
  REQUIRE(troupe::count_children(h.ward).await().active == 3);
  h.release(5);
}

TEST_CASE("S66 S60 a supervisor's shutdown goes on past a child that is stuck", "[supervision]") {
  Hospital h{{{.id = "a"}, {.id = "prone", .shutdown = Shutdown::brutal_kill()}, {.id = "c"}}};
  h.prone().tell(GetStuck{});
  h.trap->in.wait();
  h.system.stop(h.ward, 1h).await();
  REQUIRE(h.script->take() == Lines{"stop c", "stop a"});
  REQUIRE(h.system.actor_count() == 2);
  h.release(1);
}

TEST_CASE("S66 a temporary child that is stuck is forgotten, a terminated one stays away",
          "[supervision]") {
  Hospital h{{{.id = "prone", .restart = Restart::temporary}}};
  h.prone().tell(GetStuck{});
  h.trap->in.wait();
  h.system.kill(h.prone());
  eventually([&] { return troupe::count_children(h.ward).await().specs == 0; });
  h.release(2);
  h.trap = std::make_shared<Trap>();
  const ChildSpec spec{.id = "prone", .shutdown = Shutdown::brutal_kill()};
  REQUIRE(troupe::start_child(h.ward, spec, troupe::factory<Prone>(h.trap, h.witness))
              .await()
              .has_value());
  h.prone().tell(GetStuck{});
  h.trap->in.wait();
  REQUIRE(troupe::terminate_child(h.ward, "prone").await().has_value());
  REQUIRE(troupe::count_children(h.ward).await().active == 0);
  REQUIRE(troupe::restart_child(h.ward, "prone").await().has_value());
  REQUIRE(h.prone().ask(Ping{}).await() == 1);
  h.release(3);
}

namespace {

/// A supervisor that gets stuck itself.
class StuckWard : public troupe::Supervisor<GetStuck, Ping> {
 public:
  StuckWard(ScriptPtr script, TrapPtr trap) : script_(std::move(script)), trap_(std::move(trap)) {}
  void on_start() override {
    start_child<Child>({.id = "kid"}, script_, "kid");
    spawn<Silent>({.name = "silent"});
  }
  int receive(const GetStuck&) {
    trap_->spring();
    return 1;
  }
  int receive(const Ping&) { return 1; }

 private:
  ScriptPtr script_;
  TrapPtr trap_;
};
class Director : public troupe::Supervisor<Ping> {
 public:
  Director(ScriptPtr script, TrapPtr trap) : script_(std::move(script)), trap_(std::move(trap)) {}
  void on_start() override { start_child<StuckWard>({.id = "ward"}, script_, trap_); }
  int receive(const Ping&) { return 1; }

 private:
  ScriptPtr script_;
  TrapPtr trap_;
};

}  // namespace

TEST_CASE("S66 S45 an abandoned supervisor's children end, and the next one's have their names",
          "[supervision]") {
  World w;
  auto script = std::make_shared<Script>();
  auto director =
      w.system.spawn<Director>({.name = "director", .guardian = Guardian::no}, script, w.trap);
  director.ask(Ping{}).await();
  const auto kid = *w.system.find<Child>("/director/ward/kid");
  const auto ward = *w.system.find<StuckWard>("/director/ward");
  ward.tell(GetStuck{});
  w.trap->in.wait();
  w.witness.tell(WatchIt{kid});
  w.witness.ask(TheNotes{}).await();
  w.system.kill(ward);
  eventually([&] { return w.has_noted("terminated shutdown"); });
  eventually([&] {
    const auto next = w.system.find<Child>("/director/ward/kid");
    return next && *next != kid && next->ask(Ping{}).try_await().has_value();
  });
  w.release(5);
  REQUIRE(w.system.find<Child>("/director/ward/kid")->ask(Ping{}).await() == 2);
}

TEST_CASE("S66 S45 a child that is held when its supervisor is abandoned ends as well",
          "[supervision]") {
  World w;
  auto script = std::make_shared<Script>();
  auto ward = w.system.spawn<StuckWard>({.name = "ward", .guardian = Guardian::no}, script, w.trap);
  ward.ask(Ping{}).await();
  const auto kid = *w.system.find<Child>("/ward/kid");
  w.witness.tell(WatchIt{kid});
  w.witness.ask(TheNotes{}).await();
  ward.tell(GetStuck{});
  w.trap->in.wait();
  const auto failures = w.system.metrics().handler_failures;
  kid.tell(Fail{});  // what it tells its supervisor lies there
  eventually([&] { return w.system.metrics().handler_failures > failures; });
  w.system.kill(ward);
  w.wait_abandoned();
  eventually([&] { return w.terminated() == 1; });
  w.release(1);
}

namespace {

/// Does not get through its on_stop by itself.
class Clinging : public troupe::Actor<Fail> {
 public:
  explicit Clinging(Ref<Never> silent) : silent_(silent) {}
  void on_stop(troupe::StopReason) override {
    static_cast<void>(silent_.ask(Never{}, troupe::no_timeout).try_await());
  }
  void receive(const Fail& m) { throw std::runtime_error(m.what); }

 private:
  Ref<Never> silent_;
};
class MindsClinging : public troupe::Supervisor<GetStuck, Ping> {
 public:
  MindsClinging(TrapPtr trap, Ref<Never> silent) : trap_(std::move(trap)), silent_(silent) {}
  void on_start() override {
    start_child<Clinging>({.id = "kid", .options = {.stop_timeout = 1ms}}, silent_);
  }
  int receive(const GetStuck&) {
    trap_->spring();
    return 1;
  }
  int receive(const Ping&) { return 1; }

 private:
  TrapPtr trap_;
  Ref<Never> silent_;
};

}  // namespace

TEST_CASE("S66 S45 a held child of an abandoned supervisor has a limit to its on_stop",
          "[supervision]") {
  World w;
  const auto silent = w.system.spawn<Silent>();
  auto ward = w.system.spawn<MindsClinging>({.name = "ward", .guardian = Guardian::no}, w.trap,
                                            Ref<Never>{silent});
  ward.ask(Ping{}).await();
  const auto kid = *w.system.find<Clinging>("/ward/kid");
  w.witness.tell(WatchIt{kid});
  w.witness.ask(TheNotes{}).await();
  ward.tell(GetStuck{});
  w.trap->in.wait();
  const auto failures = w.system.metrics().handler_failures;
  kid.tell(Fail{});
  eventually([&] { return w.system.metrics().handler_failures > failures; });
  w.system.kill(ward);
  eventually([&] { return w.terminated() == 1; });  // although the ward is stuck
  w.release(2);
}

namespace {

struct Bear {};
/// Its constructor takes until it is told to go on, and fails.
class Stillborn : public troupe::Actor<Ping> {
 public:
  explicit Stillborn(const TrapPtr& trap) {
    trap->in.open();
    trap->go_on.wait();
    throw std::runtime_error("too late");
  }
  int receive(const Ping&) { return 1; }
};
class Mother : public troupe::Actor<Bear> {
 public:
  explicit Mother(TrapPtr trap) : trap_(std::move(trap)) {}
  void receive(const Bear&) { spawn<Stillborn>(trap_); }

 private:
  TrapPtr trap_;
};

}  // namespace

TEST_CASE("S66 an actor that is killed while a child's constructor hangs is abandoned",
          "[supervision]") {
  World w;
  const auto mother = w.system.spawn<Mother>({.name = "mother"}, w.trap);
  mother.tell(Bear{});
  w.trap->in.wait();
  w.system.kill(mother);
  w.wait_abandoned();
  eventually([&] { return !w.system.find<Bear>("/mother").has_value(); });
  REQUIRE(w.system.metrics().actors_abandoned == 1);
  w.release(1);  // the witness
}

TEST_CASE("S66 S77 the shutdown lists an abandoned actor, and the handler it is stuck in",
          "[supervision]") {
  auto trap = std::make_shared<Trap>();
  troupe::ShutdownReport report;
  {
    SystemOptions options;
    options.workers = 2;
    options.kill_grace = 20ms;
    options.shutdown_timeout = 300ms;
    options.log = troupe::no_log();
    System system{options};
    const auto prone = system.spawn<Prone>({.name = "prone"}, trap, Ref<Witness>{});
    prone.tell(GetStuck{});
    trap->in.wait();
    system.stop(prone, 0s).await();
    report = system.shutdown();
  }
  trap->go_on.open();
  REQUIRE_FALSE(report.complete);
  REQUIRE(report.survivor_count == 1);
  REQUIRE(report.survivors[0].path == "/prone");
  REQUIRE(report.survivors[0].doing.find("abandoned: its handler of ") == 0);
  REQUIRE(report.survivors[0].doing.find("GetStuck does not return") != std::string::npos);
}

namespace {

struct Spin {
  Duration time;
};
/// Keeps its thread busy for as long as it is told, and then does what a handler may do.
class Spinner : public troupe::Actor<Spin, Ping> {
 public:
  explicit Spinner(Ref<Witness> witness) : witness_(witness) {}
  void receive(const Spin& m) {
    every("beat", 1ms, Spin{0s});
    for (const auto until = now() + m.time; now() < until;) {
      watch(witness_);
      link(witness_);
      unlink(witness_);
      unwatch(witness_);
    }
    static_cast<void>(witness_.ask(TheNotes{}).try_await());
  }
  int receive(const Ping&) { return 1; }

 private:
  Ref<Witness> witness_;
};

}  // namespace

TEST_CASE("S66 handlers that return when they are about to be abandoned: the books balance",
          "[stress]") {
  World w{2ms};
  const auto rounds = from_environment("TROUPE_ROUNDS", 100);
  constexpr std::size_t at_once = 3;  // of four workers
  std::uint64_t ended = 0;
  for (std::uint64_t round = 0; round < rounds; ++round) {
    std::vector<Ref<Spinner>> all;
    std::vector<troupe::Ask<int>> asks;
    for (std::size_t i = 0; i < at_once; ++i) {
      all.push_back(w.system.spawn<Spinner>({.name = "spinner-" + std::to_string(i)}, w.witness));
      w.witness.tell(WatchIt{all.back()});
      all.back().tell(Spin{std::chrono::microseconds(2500 + (round * 7 + i) * 97 % 4000)});
      asks.push_back(all.back().ask(Ping{}, troupe::no_timeout));
    }
    for (const auto& spinner : all) w.system.kill(spinner);
    for (auto& ask : asks) static_cast<void>(ask.try_await());
    for (const auto& spinner : all) w.system.stop(spinner, 0s).await();
    ended += at_once;
    eventually([&] { return w.terminated() == ended; });
  }
  eventually([&] { return w.system.actor_count() == 1; });
  REQUIRE(w.terminated() == ended);
  REQUIRE(w.system.metrics().actors_ended == ended);
  WARN(w.system.metrics().actors_abandoned << " of " << ended << " were abandoned");
}
