// The life of an actor: start, stop, kill, failure, children.
#include <troupe/runtime/actor.hpp>

#include <atomic>

#include <catch2/catch.hpp>
#include <troupe/runtime/runtime.hpp>

#include "support/schedules.hpp"
#include "system_core.hpp"

using namespace std::chrono_literals;
using troupe::test::on_every_schedule;
using troupe::testkit::Probe;
using troupe::testkit::TestSystem;

namespace {

struct Note {
  std::string text;
};
struct Go {};
struct Boom {};
struct Hold {
  using Reply = int;
};

/// What happened, in the order it happened: messages of several actors have no order among them
/// (S4).
class Diary {
 public:
  void tell(Note note) {
    std::lock_guard guard(*mutex_);
    lines_->push_back(std::move(note.text));
  }
  std::vector<std::string> take() {
    std::lock_guard guard(*mutex_);
    return std::exchange(*lines_, {});
  }

 private:
  std::shared_ptr<std::mutex> mutex_ = std::make_shared<std::mutex>();
  std::shared_ptr<std::vector<std::string>> lines_ = std::make_shared<std::vector<std::string>>();
};
using Notes = Diary;

class Storyteller : public troupe::Actor<Go, Boom, Hold> {
 public:
  explicit Storyteller(Notes notes, std::string name = "it")
      : notes_(notes), name_(std::move(name)) {}
  ~Storyteller() override { notes_.tell(Note{name_ + " destroyed"}); }
  void on_start() override { notes_.tell(Note{name_ + " started"}); }
  void on_stop(troupe::StopReason why) override {
    static constexpr const char* names[] = {"restart", "stop", "failure", "kill"};
    notes_.tell(Note{name_ + " on_stop " + names[static_cast<int>(why)]});
  }
  void receive(const Go&) { notes_.tell(Note{name_ + " goes"}); }
  void receive(const Boom&) { throw std::runtime_error("boom"); }
  void receive(const Hold&, troupe::ReplyTo<int> reply) { kept_.push_back(std::move(reply)); }

 private:
  Notes notes_;
  std::string name_;
  std::vector<troupe::ReplyTo<int>> kept_;
};

class FailsToStart : public troupe::Actor<Go> {
 public:
  explicit FailsToStart(Notes notes) : notes_(notes) {}
  void on_start() override { throw std::runtime_error("no database"); }
  void on_stop(troupe::StopReason) override { notes_.tell(Note{"on_stop"}); }
  void receive(const Go&) {}

 private:
  Notes notes_;
};

class Parent : public troupe::Actor<Go, Boom> {
 public:
  explicit Parent(Notes notes) : notes_(notes) {}
  void on_start() override {
    spawn<Storyteller>({.name = "one"}, notes_, "one");
    spawn<Storyteller>({.name = "two"}, notes_, "two");
  }
  void on_stop(troupe::StopReason) override { notes_.tell(Note{"parent on_stop"}); }
  void receive(const Go&) { stop(); }
  void receive(const Boom&) { throw std::runtime_error("boom"); }
  ~Parent() override { notes_.tell(Note{"parent destroyed"}); }

 private:
  Notes notes_;
};

class Starter : public troupe::Actor<Go> {
 public:
  explicit Starter(Notes notes) : notes_(notes) {}
  void receive(const Go&) {
    start<Storyteller>({.name = "child"}, notes_, "child");
    notes_.tell(Note{"start returned"});
    try {
      start<FailsToStart>({}, notes_);
    } catch (const troupe::StartFailed& e) {
      notes_.tell(Note{e.what()});
    }
  }

 private:
  Notes notes_;
};

class ThrowsInConstructor : public troupe::Actor<Go> {
 public:
  ThrowsInConstructor() { throw std::runtime_error("no"); }
  void receive(const Go&) {}
};

class ContextInConstructor : public troupe::Actor<Go> {
 public:
  ContextInConstructor() { static_cast<void>(self()); }
  void receive(const Go&) {}
};

class ThrowsInOnStop : public troupe::Actor<Go> {
 public:
  void receive(const Go&) { stop(); }
  void on_stop(troupe::StopReason) override { throw std::runtime_error("in on_stop"); }
};

std::vector<std::string> all(Diary& diary) {
  return diary.take();
}
bool contains(const std::vector<std::string>& texts, const std::string& text) {
  return std::find(texts.begin(), texts.end(), text) != texts.end();
}

}  // namespace

TEST_CASE("S40 each incarnation runs on_start first and on_stop last, with the reason",
          "[runtime]") {
  on_every_schedule([](TestSystem& system) {
    Diary diary;
    auto actor = system.spawn<Storyteller>(diary);
    actor.tell(Go{});
    system.settle();
    system.stop(actor).await();
    system.settle();
    REQUIRE(all(diary) ==
            std::vector<std::string>{"it started", "it goes", "it on_stop stop", "it destroyed"});
    auto failing = system.spawn<Storyteller>(diary);
    failing.tell(Boom{});
    system.settle();
    REQUIRE(all(diary) ==
            std::vector<std::string>{"it started", "it on_stop failure", "it destroyed"});
    auto killed = system.spawn<Storyteller>(diary);
    system.settle();
    system.kill(killed);
    system.settle();
    REQUIRE(all(diary) ==
            std::vector<std::string>{"it started", "it on_stop kill", "it destroyed"});
  });
}

namespace {

/// Its Hold waits for another actor.
class Holder : public troupe::Actor<Hold, Go> {
 public:
  Holder(troupe::Ref<Hold> other, std::atomic<int>& gone) : other_(other), gone_(gone) {}
  int receive(const Hold&) { return other_.ask(Hold{}, troupe::no_timeout).await(); }
  void receive(const Go&) { ++gone_; }

 private:
  troupe::Ref<Hold> other_;
  std::atomic<int>& gone_;
};

}  // namespace

TEST_CASE("S46 stop takes effect after the current message - what waits becomes dead letters",
          "[runtime]") {
  on_every_schedule([](TestSystem& system) {
    Probe<Hold> gate{system};
    std::atomic<int> gone{0};
    auto actor = system.spawn<Holder>(gate.ref(), std::ref(gone));
    auto answer = actor.ask(Hold{}, troupe::no_timeout);
    gate.expect<Hold>();
    for (int i = 0; i < 3; ++i) actor.tell(Go{});
    system.settle();
    auto stopped = system.stop(actor);
    system.settle();
    gate.reply<Hold>(5);
    stopped.await();
    REQUIRE(answer.await() == 5);
    REQUIRE(gone == 0);
    REQUIRE(system.metrics().dropped_for(troupe::DropReason::ended) == 3);
  });
}

TEST_CASE(
    "S46 poison ends an actor behind the mail that it has - what comes later is a dead letter",
    "[runtime]") {
  on_every_schedule([](TestSystem& system) {
    Probe<Hold, troupe::Terminated> gate{system};
    std::atomic<int> gone{0};
    auto actor = system.spawn<Holder>(gate.ref(), std::ref(gone));
    auto answer = actor.ask(Hold{}, troupe::no_timeout);
    gate.expect<Hold>();
    gate.watch(actor);
    for (int i = 0; i < 3; ++i) actor.tell(Go{});
    REQUIRE(system.poison(actor) == troupe::Sent::ok);
    for (int i = 0; i < 2; ++i) actor.tell(Go{});
    system.settle();
    gate.reply<Hold>(5);
    REQUIRE(gate.expect<troupe::Terminated>().why.kind() == troupe::ExitReason::Kind::shutdown);
    REQUIRE(answer.await() == 5);
    REQUIRE(gone == 3);
    REQUIRE(system.metrics().dropped_for(troupe::DropReason::ended) == 2);
    REQUIRE(system.poison(actor) == troupe::Sent::dead);
  });
}

TEST_CASE("S46 poison finds room in a full mailbox, and ends nobody else", "[runtime]") {
  for (const auto on_full : {troupe::Overflow::fail, troupe::Overflow::redirect}) {
    on_every_schedule([&](TestSystem& system) {
      Probe<Hold, Go, troupe::Terminated> gate{system};
      std::atomic<int> gone{0};
      troupe::MailboxOptions mailbox = troupe::bounded(1, on_full);
      mailbox.redirect_to = gate.ref();
      auto actor = system.spawn<Holder>({.mailbox = mailbox}, gate.ref(), std::ref(gone));
      gate.watch(actor);
      auto answer = actor.ask(Hold{}, troupe::no_timeout);
      gate.expect<Hold>();
      actor.tell(Go{});
      REQUIRE(system.poison(actor) == troupe::Sent::ok);
      system.settle();
      gate.reply<Hold>(5);
      gate.expect<troupe::Terminated>();
      REQUIRE(gone == 1);
      gate.ref().tell(Go{});
      gate.expect<Go>();  // the probe lives
    });
  }
}

TEST_CASE("S45a the mail of an actor that ends is bounced in slices: others get their turn between",
          "[runtime]") {
  troupe::test::on_seeds([](TestSystem& system) {
    Probe<Hold> gate{system};
    std::atomic<int> gone{0};
    auto actor = system.spawn<Holder>(gate.ref(), std::ref(gone));
    auto answer = actor.ask(Hold{}, troupe::no_timeout);
    gate.expect<Hold>();
    for (int i = 0; i < 5000; ++i) actor.tell(Go{});
    system.settle();
    system.kill(actor);
    const auto bounced = [&] { return system.metrics().dropped_for(troupe::DropReason::ended); };
    REQUIRE(system.run_until([&] { return bounced() > 0; }, 0s));
    REQUIRE(bounced() <= 1000);
    system.settle();
    REQUIRE(bounced() == 5000);
    REQUIRE(!answer.try_await());
  });
}

namespace {

/// Waits where it may not.
class Hasty : public troupe::Actor<Go> {
 public:
  explicit Hasty(troupe::Ref<Hold> other) { other.ask(Hold{}, troupe::no_timeout).await(); }
  void receive(const Go&) {}
};
class Blocking : public troupe::Actor<Go> {
 public:
  explicit Blocking(troupe::Ref<Hold>) {
    troupe::blocking([] {});
  }
  void receive(const Go&) {}
};
struct SpawnHasty {
  bool blocks;
  using Reply = std::string;
};
class Spawner : public troupe::Actor<SpawnHasty> {
 public:
  explicit Spawner(troupe::Ref<Hold> other) : other_(other) {}
  std::string receive(const SpawnHasty& m) {
    try {
      if (m.blocks) spawn<Blocking>(other_);
      spawn<Hasty>(other_);
    } catch (const troupe::UsageError& e) {
      return e.what();
    }
    return "it waited";
  }

 private:
  troupe::Ref<Hold> other_;
};

}  // namespace

TEST_CASE("S48 a constructor that waits is a usage error, thrown by spawn", "[runtime]") {
  on_every_schedule([](TestSystem& system) {
    Probe<Hold> other{system};
    auto spawner = system.spawn<Spawner>(other.ref());
    const std::string what = spawner.ask(SpawnHasty{false}).await();
    REQUIRE_THAT(what, Catch::Contains("a constructor"));
    REQUIRE(spawner.ask(SpawnHasty{true}).await() == what);  // the spawner can go on
    REQUIRE(system.metrics().dropped_for(troupe::DropReason::late_reply) == 0);
  });
}

TEST_CASE("S41 C41 stop is synchronous for who awaits it, and stopping again is no error",
          "[runtime]") {
  on_every_schedule([](TestSystem& system) {
    Diary diary;
    auto actor = system.spawn<Storyteller>(diary);
    system.stop(actor).await();
    REQUIRE(system.actor_count() == 0);
    system.stop(actor).await();
    system.stop(troupe::Ref<>{}).await();
  });
}

TEST_CASE("S45 an actor's children end before its object is destroyed, whatever ends it",
          "[runtime]") {
  on_every_schedule([](TestSystem& system) {
    for (const bool by_failure : {false, true}) {
      Diary diary;
      auto parent = system.spawn<Parent>({.name = "parent"}, diary);
      system.settle();
      REQUIRE(system.find<Go>("/parent/one").has_value());
      by_failure ? parent.tell(Boom{}) : parent.tell(Go{});
      system.settle();
      const auto texts = all(diary);
      REQUIRE(texts.back() == "parent destroyed");
      REQUIRE(contains(texts, "one destroyed"));
      REQUIRE(contains(texts, "two destroyed"));
      REQUIRE_FALSE(system.find<Go>("/parent/one").has_value());
    }
  });
}

TEST_CASE("S48 the constructor runs in the spawner, on_start before any message", "[runtime]") {
  on_every_schedule([](TestSystem& system) {
    REQUIRE_THROWS_WITH(system.spawn<ThrowsInConstructor>(), "no");
    REQUIRE_THROWS_AS(system.spawn<ContextInConstructor>(), troupe::UsageError);
    REQUIRE(system.actor_count() == 0);
    Diary diary;
    auto starter = system.spawn<Starter>(diary);
    starter.tell(Go{});
    system.settle();
    REQUIRE(all(diary) ==
            std::vector<std::string>{"child started", "start returned", "no database"});
  });
}

TEST_CASE("S48 a failed on_start ends the actor without on_stop", "[runtime]") {
  auto recorder = std::make_shared<troupe::test::Recorder>();
  on_every_schedule(
      [&](TestSystem& system) {
        recorder->clear();
        Diary diary;
        auto actor = system.spawn<FailsToStart>(diary);
        actor.tell(Go{});
        system.settle();
        REQUIRE(all(diary).empty());
        REQUIRE(recorder->count("failed") == 1);
        REQUIRE(recorder->count("dead_letter") == 1);
      },
      troupe::test::observed_by(recorder));
}

TEST_CASE("C63 an exception in on_stop is logged and the end completes", "[runtime]") {
  auto lines = std::make_shared<troupe::test::LogLines>();
  on_every_schedule(
      [&](TestSystem& system) {
        lines->take();  // of the System before
        auto actor = system.spawn<ThrowsInOnStop>({.name = "it"});
        actor.tell(Go{});
        system.settle();
        REQUIRE(system.actor_count() == 0);
        const auto logged = lines->take();
        REQUIRE(logged.size() == 1);
        REQUIRE_THAT(logged[0], Catch::StartsWith("error /it") && Catch::Contains("in on_stop"));
      },
      troupe::test::logged_to(lines));
}

TEST_CASE("S43 C64 an uncaught failure ends the actor, is counted, observed and logged",
          "[runtime]") {
  auto lines = std::make_shared<troupe::test::LogLines>();
  TestSystem system{1, troupe::testkit::Schedule::seeded, troupe::test::logged_to(lines)};
  Diary diary;
  auto actor = system.spawn<Storyteller>({.name = "teller"}, diary);
  actor.tell(Boom{});
  system.settle();
  REQUIRE(system.actor_count() == 0);
  REQUIRE(system.metrics().handler_failures == 1);
  const auto written = lines->take();
  REQUIRE(written.size() == 1);
  REQUIRE_THAT(written[0], Catch::StartsWith("error /teller: failed: boom; handling ") &&
                               Catch::EndsWith("Boom"));
}

namespace {
/// Its destructor tells.
class Farewell : public troupe::Actor<Go, Boom> {
 public:
  explicit Farewell(troupe::Ref<Note> out) : out_(out) {}
  ~Farewell() override { out_.tell(Note{"farewell"}); }
  void receive(const Go&) { stop(); }
  void receive(const Boom&) { throw std::runtime_error("boom"); }

 private:
  troupe::Ref<Note> out_;
};
}  // namespace

TEST_CASE("S45a C72 what an actor's destructor tells is delivered, before its Terminated",
          "[runtime]") {
  on_every_schedule([](TestSystem& system) {
    Probe<Note, troupe::Terminated> probe{system};
    for (int way = 0; way < 4; ++way) {
      auto actor = system.spawn<Farewell>(probe.ref());
      probe.watch(actor);
      if (way == 0) actor.tell(Go{});
      if (way == 1) actor.tell(Boom{});
      if (way == 2) system.kill(actor);
      if (way == 3) system.stop(actor).await();
      REQUIRE(probe.expect<Note>().text == "farewell");
      probe.expect<troupe::Terminated>();
    }
  });
}

TEST_CASE("slots are reused, and an old ref does not reach the new actor in the same cell",
          "[runtime]") {
  on_every_schedule([](TestSystem& system) {
    Diary diary;
    std::vector<troupe::Ref<Storyteller>> old;
    for (int round = 0; round < 20; ++round) {
      auto actor = system.spawn<Storyteller>(diary);
      for (auto& ref : old) ref.tell(Go{});
      system.stop(actor).await();
      system.settle();
      old.push_back(actor);
    }
    REQUIRE_FALSE(contains(all(diary), "it goes"));
  });
}

namespace {
/// Two have their on_stop from it, or hide theirs.
class Between : public troupe::Actor<Go> {
 public:
  explicit Between(std::shared_ptr<std::atomic<int>> stops) : stops_(std::move(stops)) {}
  void on_stop(troupe::StopReason) override { ++*stops_; }
  void receive(const Go&) {}

 protected:
  std::shared_ptr<std::atomic<int>> stops_;
};
class Heir : public Between {
 public:
  using Between::Between;
};
class Shy : public Between {
 public:
  using Between::Between;

 private:
  void on_stop(troupe::StopReason) override { *stops_ += 10; }
};
}  // namespace

TEST_CASE("S40 on_stop runs where a class between has it, and where it is private", "[runtime]") {
  on_every_schedule([](TestSystem& system) {
    auto stops = std::make_shared<std::atomic<int>>(0);
    system.stop(system.spawn<Heir>(stops)).await();
    system.stop(system.spawn<Shy>(stops)).await();
    REQUIRE(*stops == 11);
  });
}

TEST_CASE("cells of actors that are spawned from outside and end on workers come round",
          "[runtime]") {
  on_every_schedule([](TestSystem& system) {
    Diary diary;
    for (int i = 0; i < 1000; ++i) system.stop(system.spawn<Storyteller>(diary)).await();
    int cells = 0;
    system.core().for_each_cell([&](troupe::detail::Cell&) { ++cells; });
    REQUIRE(cells < 600);
  });
}

namespace {
using Stopping = std::shared_ptr<std::optional<troupe::Ask<void>>>;

/// Sends a command to an actor that lived in the same cell, and fails.
class FailsInConstructor : public Storyteller {  // of its size, so that it gets its cell
 public:
  FailsInConstructor(TestSystem& system, Notes notes, troupe::Ref<Storyteller> old,
                     const Stopping& stopping)
      : Storyteller(std::move(notes)) {
    stopping->emplace(system.stop(old));
    old.tell(Go{});
    throw std::runtime_error("no");
  }
};
}  // namespace

TEST_CASE(
    "S5 what came for an ended actor while its cell was about to be reused is answered, "
    "although the constructor of the new one throws",
    "[runtime]") {
  auto recorder = std::make_shared<troupe::test::Recorder>();
  on_every_schedule(
      [&](TestSystem& system) {
        recorder->clear();
        Diary diary;
        auto old = system.spawn<Storyteller>(diary);
        system.stop(old).await();
        system.settle();
        auto stopping = std::make_shared<std::optional<troupe::Ask<void>>>();
        Probe<Note> spawner{system};  // a worker's free cells are for who spawns on it
        std::string why;
        spawner.run_as_actor([&] {
          try {
            system.spawn<FailsInConstructor>(std::ref(system), diary, old, stopping);
          } catch (const std::runtime_error& e) {
            why = e.what();
          }
        });
        REQUIRE(why == "no");
        (*stopping)->await();
        REQUIRE(recorder->count("dead_letter") == 1);
      },
      troupe::test::observed_by(recorder));
}

namespace {
class Guarded : public troupe::Actor<Go, Boom> {
 public:
  void receive(const Go&) { stop(); }
  void receive(const Boom&) { throw std::runtime_error("boom"); }
};
}  // namespace

TEST_CASE(
    "S49 C73 the end of a guardian shuts the System down - that of another top-level actor does "
    "not",
    "[runtime]") {
  on_every_schedule([](TestSystem& system) {
    auto plain = system.spawn<Guarded>();
    plain.tell(Boom{});
    system.settle();
    REQUIRE_FALSE(system.core().shutdown_begun());
    auto calm = system.spawn<Guarded>({.guardian = troupe::Guardian::on_failure});
    system.stop(calm).await();
    REQUIRE_FALSE(system.core().shutdown_begun());
    auto guardian = system.spawn<Guarded>({.guardian = troupe::Guardian::on_failure});
    guardian.tell(Boom{});
    system.settle();
    REQUIRE(system.core().shutdown_begun());
    REQUIRE(system.core().guardian_failed());
    REQUIRE_THROWS_AS(system.spawn<Guarded>(), troupe::UsageError);
  });
  on_every_schedule([](TestSystem& system) {
    auto guardian = system.spawn<Guarded>({.guardian = troupe::Guardian::always});
    guardian.tell(Go{});
    system.settle();
    REQUIRE(system.core().shutdown_begun());
    REQUIRE_FALSE(system.core().guardian_failed());
  });
}
