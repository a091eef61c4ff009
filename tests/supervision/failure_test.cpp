// Failures where one does not expect them, and what is left of an actor that had one.
#include "supervision/support.hpp"

using namespace std::chrono_literals;
using namespace troupe::test;
using troupe::ChildSpec;
using troupe::Ref;
using troupe::Terminated;
using troupe::testkit::Probe;
using troupe::testkit::TestSystem;

namespace {

/// Starts a child of class T under the supervisor of `f`.
template <class T, class... Args>
Ref<T> child_of(Fixture& f, Args... args) {
  const auto child =
      troupe::start_child(f.supervisor, ChildSpec{.id = "child"}, troupe::factory<T>(args...))
          .await();
  REQUIRE(child.has_value());
  return Ref<T>{child->address()};
}

struct Counts {
  std::atomic<int> built{0};
  std::atomic<int> alive{0};
  std::atomic<int> bad{0};  ///< how many further builds, or starts, fail
};
using CountsPtr = std::shared_ptr<Counts>;

/// Its on_stop throws, and its constructor as often as `bad` says.
class Fragile : public troupe::Actor<Fail, Ping> {
 public:
  explicit Fragile(CountsPtr counts) {
    ++counts->built;
    if (counts->bad > 0) {
      --counts->bad;
      throw std::runtime_error("can't be built");
    }
  }
  void on_stop(troupe::StopReason) override { throw std::runtime_error("can't let go"); }
  void receive(const Fail& m) { throw std::runtime_error(m.what); }
  int receive(const Ping&) { return ++pings_; }

 private:
  int pings_ = 0;
};

}  // namespace

TEST_CASE(
    "C53 exceptions in on_stop and in the next constructor: in the end one that works answers",
    "[supervision]") {
  on_every_schedule([](TestSystem& system) {
    auto counts = std::make_shared<Counts>();
    Fixture f{system, {.restarts_max = 5}, {}};
    auto fragile = child_of<Fragile>(f, counts);
    REQUIRE(fragile.ask(Ping{}).await() == 1);
    counts->bad = 1;
    fragile.tell(Fail{});
    REQUIRE(fragile.ask(Ping{}).await() == 1);
    REQUIRE(counts->built == 3);
  });
}

TEST_CASE(
    "S63 C56 a window without end counts for life - with room for all, no failure is too many",
    "[supervision]") {
  const auto for_ever = troupe::Duration::max();
  on_every_schedule([&](TestSystem& system) {
    Probe<Terminated> probe{system};
    Fixture thrice{system, {.restarts_max = 3, .within = for_ever}, {{.id = "a"}}};
    Fixture any{system,
                {.restarts_max = std::numeric_limits<std::uint32_t>::max(), .within = for_ever},
                {{.id = "a"}}};
    probe.watch(thrice.supervisor);
    for (int i = 0; i < 3; ++i) {
      thrice.child("a").tell(Fail{});
      REQUIRE(thrice.child("a").ask(Ping{}).await() == 1);
      system.advance(1000h);
    }
    REQUIRE(probe.waiting() == 0);
    thrice.child("a").tell(Fail{});
    REQUIRE(probe.expect<Terminated>().who == thrice.supervisor);
    for (int i = 0; i < 7; ++i) any.child("a").tell(Fail{});
    REQUIRE(any.child("a").ask(Ping{}).await() == 1);
  });
}

namespace {

class Kid : public troupe::Actor<Ping> {
 public:
  explicit Kid(CountsPtr counts) : counts_(std::move(counts)) {
    ++counts_->built;
    ++counts_->alive;
  }
  ~Kid() override { --counts_->alive; }
  int receive(const Ping&) { return ++pings_; }

 private:
  CountsPtr counts_;
  int pings_ = 0;
};
struct TheKid {
  using Reply = Ref<Kid>;
};
struct Item {};
struct Open {};
/// Has a child, and fails: when told, in on_start as often as `bad` says, and over stashed items.
class Family : public troupe::Actor<Fail, Ping, TheKid, Item, Open> {
 public:
  explicit Family(CountsPtr counts) : counts_(std::move(counts)) {}
  void on_start() override {
    kid_ = spawn<Kid>({.name = "kid"}, counts_);
    if (counts_->bad == 0) return;
    --counts_->bad;
    throw std::runtime_error("a bad start");
  }
  void receive(const Fail& m) { throw std::runtime_error(m.what); }
  int receive(const Ping&) { return ++pings_; }
  Ref<Kid> receive(const TheKid&) { return kid_; }
  void receive(const Item& m) {
    if (open_) throw std::runtime_error("an item");
    stash(m);
  }
  void receive(const Open&) {
    open_ = true;
    unstash_all();
  }

 private:
  CountsPtr counts_;
  Ref<Kid> kid_;
  int pings_ = 0;
  bool open_ = false;
};

}  // namespace

TEST_CASE("S44 a restart ends the children, also after a failure in on_start or over the stash",
          "[supervision]") {
  on_every_schedule([](TestSystem& system) {
    auto counts = std::make_shared<Counts>();
    Fixture f{system, {.restarts_max = 10}, {}};
    auto family = child_of<Family>(f, counts);
    counts->bad = 1;
    family.tell(Fail{});
    REQUIRE(family.ask(Ping{}).await() == 1);
    REQUIRE(counts->built == 3);  // the one in the middle belonged to the bad start
    REQUIRE(counts->alive == 1);
    family.tell(Item{});
    family.tell(Open{});
    REQUIRE(family.ask(Ping{}).await() == 1);
    REQUIRE(counts->built == 4);
    REQUIRE(counts->alive == 1);
  });
}

TEST_CASE("S73 C57 after a resume the children of the actor that failed are as they were",
          "[supervision]") {
  on_every_schedule([](TestSystem& system) {
    auto counts = std::make_shared<Counts>();
    Fixture f{system, {.decider = troupe::Decider{}.otherwise(troupe::Decision::resume)}, {}};
    auto family = child_of<Family>(f, counts);
    auto kid = family.ask(TheKid{}).await();
    REQUIRE(kid.ask(Ping{}).await() == 1);
    REQUIRE(family.ask(Ping{}).await() == 1);
    family.tell(Fail{});
    auto queued = kid.ask(Ping{});
    REQUIRE(family.ask(Ping{}).await() == 2);
    REQUIRE(queued.await() == 2);
    REQUIRE(counts->built == 1);
  });
}

TEST_CASE("S73 C60 a supervisor without a rule escalates: its own restarts it with all its workers",
          "[supervision]") {
  on_every_schedule([](TestSystem& system) {
    auto script = std::make_shared<Script>();
    Fixture f{system, {}, {}};
    const troupe::SupervisorOptions no_rule{.decider =
                                                troupe::Decider{}
                                                    .on<OtherFailure>(troupe::Decision::resume)
                                                    .otherwise(troupe::Decision::escalate)};
    auto manager = child_of<TestSupervisor>(f, no_rule, script, three());
    manager.ask(FindChild{"b"}).await().tell(Fail{});
    system.settle();
    for (const char* id : {"a", "b", "c"}) {
      REQUIRE(script->starts_of(id) == 2);
      REQUIRE(manager.ask(FindChild{id}).await().ask(Ping{}).await() == 1);
    }
    REQUIRE(troupe::count_children(f.supervisor).await().active == 1);
  });
}

namespace {
struct Answer {};
/// Asks, and makes a message of the answer by a function that throws.
class Adapts : public troupe::Actor<Open, Ping, troupe::Private<Answer>> {
 public:
  explicit Adapts(Ref<Ping> other) : other_(other) {}
  void receive(const Open&) {
    pipe_to_self(other_.ask(Ping{}), [](const troupe::Result<int, troupe::AskError>&) -> Answer {
      throw std::runtime_error("no such answer");
    });
  }
  int receive(const Ping&) { return ++pings_; }
  void receive(const Answer&) {}

 private:
  Ref<Ping> other_;
  int pings_ = 0;
};
}  // namespace

TEST_CASE("S21 C69 what the function of pipe_to_self throws is a failure for the supervisor",
          "[supervision]") {
  on_every_schedule([](TestSystem& system) {
    Fixture f{system, {}, {}};
    Probe<Ping> other{system};
    auto adapts = child_of<Adapts>(f, Ref<Ping>{other.ref()});
    REQUIRE(adapts.ask(Ping{}).await() == 1);
    adapts.tell(Open{});
    other.expect<Ping>();
    other.reply<Ping>(1);
    system.settle();
    REQUIRE(adapts.ask(Ping{}).await() == 1);
    REQUIRE(system.metrics().actors_restarted == 1);
  });
}

namespace {
struct Tick {
  int incarnation;
};
/// Says which incarnation's timers and receive timeouts come.
class Timed : public troupe::Actor<Fail, troupe::Private<Tick>> {
 public:
  Timed(CountsPtr counts, Ref<End> out) : counts_(std::move(counts)), out_(out) {}
  void on_start() override {
    number_ = ++counts_->built;
    if (number_ == 1) {
      start_timer("once", 3s, Tick{number_});
      every("often", 1s, Tick{number_});
    } else {
      set_receive_timeout(10s);
    }
  }
  void receive(const Fail& m) { throw std::runtime_error(m.what); }
  void receive(const Tick& m) { say(std::to_string(m.incarnation)); }
  void receive(const troupe::ReceiveTimeout&) { say("quiet in " + std::to_string(number_)); }

 private:
  void say(std::string text) { out_.tell(End{troupe::ExitReason::shutdown(std::move(text))}); }
  CountsPtr counts_;
  Ref<End> out_;
  int number_ = 0;
};
}  // namespace

TEST_CASE("S33 C115 C121 timers end with a restart - a receive timeout set in it comes",
          "[supervision]") {
  on_every_schedule([](TestSystem& system) {
    Fixture f{system, {}, {}};
    Probe<End> out{system};
    auto timed = child_of<Timed>(f, std::make_shared<Counts>(), Ref<End>{out.ref()});
    REQUIRE(out.expect<End>(1s).why.text() == "1");
    timed.tell(Fail{});
    system.settle();
    out.expect_no_message(9s);
    REQUIRE(out.expect<End>(1s).why.text() == "quiet in 2");
    REQUIRE(out.expect<End>(10s).why.text() == "quiet in 2");
  });
}
