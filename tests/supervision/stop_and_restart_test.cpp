// Stops and failures that meet a restart under way, and starts that take too long.
#include "supervision/support.hpp"

using namespace std::chrono_literals;
using namespace troupe::test;
using troupe::ChildSpec;
using troupe::Ref;
using troupe::Restart;
using troupe::testkit::Probe;
using troupe::testkit::TestSystem;
using Lines = std::vector<std::string>;

TEST_CASE("S46 S60 a supervisor stopped while its child is being restarted ends all the same",
          "[supervision]") {
  on_every_schedule([](TestSystem& system) {
    Fixture f{system, {.restarts_max = 100}};
    const auto child = f.child("b");
    child.tell(Fail{});
    auto ended = system.stop(f.supervisor, 1h);
    const auto begin = system.now();
    ended.await();
    REQUIRE(system.now() == begin);
    REQUIRE(system.actor_count() == 0);
  });
}

TEST_CASE("S70 terminate_child right after a failure is answered, and the child stays away",
          "[supervision]") {
  on_every_schedule([](TestSystem& system) {
    Fixture f{system, {.restarts_max = 100}};
    f.child("b").tell(Fail{});
    REQUIRE(troupe::terminate_child(f.supervisor, "b").await().has_value());
    REQUIRE(troupe::terminate_child(f.supervisor, "b").await().has_value());
    REQUIRE(troupe::count_children(f.supervisor).await().active == 2);
    REQUIRE(troupe::restart_child(f.supervisor, "b").await().has_value());
    REQUIRE(f.child("a").ask(Ping{}).await() == 1);
  });
}

TEST_CASE("S41 stopping a permanent child is answered when that incarnation has ended",
          "[supervision]") {
  on_every_schedule([](TestSystem& system) {
    Fixture f{system, {.restarts_max = 100}};
    const auto child = f.child("a");
    REQUIRE(child.ask(Ping{}).await() == 1);
    system.stop(child).await();
    REQUIRE(child.ask(Ping{}).await() == 1);  // the next incarnation
    REQUIRE(f.script->starts_of("a") == 2);
  });
}

TEST_CASE("S59 a kill that meets a restart ends the new incarnation before it begins, or in it",
          "[supervision]") {
  on_every_schedule([](TestSystem& system) {
    Fixture f{system, {.restarts_max = 100}};
    const auto child = f.child("a");
    for (int i = 0; i < 10; ++i) {
      child.tell(Fail{});
      system.kill(child);
    }
    system.settle();
    REQUIRE(child.ask(Ping{}).await() == 1);
    REQUIRE(troupe::count_children(f.supervisor).await().active == 3);
  });
}

namespace {

/// Can start only when the child it needs is up.
class Dependent : public troupe::Actor<Ping, Fail> {
 public:
  explicit Dependent(std::shared_ptr<std::atomic<bool>> needs) : needs_(std::move(needs)) {}
  void on_start() override {
    if (!*needs_) throw std::runtime_error("what it needs is down");
  }
  int receive(const Ping&) { return 1; }
  void receive(const Fail&) { throw std::runtime_error("boom"); }

 private:
  std::shared_ptr<std::atomic<bool>> needs_;
};
/// Up while it lives.
class Base : public troupe::Actor<Ping, Fail> {
 public:
  explicit Base(std::shared_ptr<std::atomic<bool>> up) : up_(std::move(up)) {}
  void on_start() override { *up_ = true; }
  void on_stop(troupe::StopReason) override { *up_ = false; }
  int receive(const Ping&) { return 1; }
  void receive(const Fail&) {
    *up_ = false;
    throw std::runtime_error("boom");
  }

 private:
  std::shared_ptr<std::atomic<bool>> up_;
};
struct Both {
  using Reply = std::pair<Ref<Base>, Ref<Dependent>>;
};
class Pair : public troupe::Supervisor<Both> {
 public:
  Pair() : Supervisor({.strategy = troupe::rest_for_one, .restarts_max = 10}) {}
  void on_start() override {
    auto up = std::make_shared<std::atomic<bool>>(false);
    base_ = start_child<Base>({.id = "base"}, up);
    dependent_ = start_child<Dependent>({.id = "dependent"}, up);
  }
  std::pair<Ref<Base>, Ref<Dependent>> receive(const Both&) { return {base_, dependent_}; }

 private:
  Ref<Base> base_;
  Ref<Dependent> dependent_;
};

}  // namespace

TEST_CASE("S61 rest_for_one: a child that can't start without an earlier one waits for its restart",
          "[supervision]") {
  on_every_schedule([](TestSystem& system) {
    auto supervisor = system.spawn<Pair>({.guardian = troupe::Guardian::no});
    const auto [base, dependent] = supervisor.ask(Both{}).await();
    dependent.tell(Fail{});
    base.tell(Fail{});  // while the group of the other is under way, or before, or after
    system.settle();
    REQUIRE(base.ask(Ping{}).await() == 1);
    REQUIRE(dependent.ask(Ping{}).await() == 1);
    REQUIRE(troupe::count_children(supervisor).await().active == 2);
  });
}

namespace {

/// Hangs in on_start as often as the script says.
class SlowStart : public troupe::Actor<Fail, Ping> {
 public:
  explicit SlowStart(std::shared_ptr<std::atomic<int>> hangs) : hangs_(std::move(hangs)) {}
  void on_start() override {
    if (hangs_->fetch_sub(1) > 0)
      static_cast<void>(spawn<Silent>().ask(Never{}, troupe::no_timeout).try_await());
  }
  void receive(const Fail&) { throw std::runtime_error("boom"); }
  int receive(const Ping&) { return 1; }

 private:
  std::shared_ptr<std::atomic<int>> hangs_;
};
struct TryTwice {
  using Reply = std::string;
};
class Hanging : public troupe::Supervisor<TryTwice> {
 public:
  explicit Hanging(std::shared_ptr<std::atomic<int>> hangs)
      : Supervisor({.restarts_max = 10, .within = 1h}), hangs_(std::move(hangs)) {}
  std::string receive(const TryTwice&) {
    try {
      child_ = start_child<SlowStart>({.id = "slow", .start_timeout = 1s}, hangs_);
      return "started";
    } catch (const troupe::StartFailed&) {
      child_ = start_child<SlowStart>({.id = "slow", .start_timeout = 1s}, hangs_);
      return "failed, then started";
    }
  }

 private:
  std::shared_ptr<std::atomic<int>> hangs_;
  Ref<SlowStart> child_;
};

}  // namespace

TEST_CASE("S48 after StartFailed the id and the name are free again", "[supervision]") {
  on_every_schedule([](TestSystem& system) {
    auto hangs = std::make_shared<std::atomic<int>>(1);
    auto supervisor = system.spawn<Hanging>({.guardian = troupe::Guardian::no}, hangs);
    REQUIRE(supervisor.ask(TryTwice{}, 1h).await() == "failed, then started");
    REQUIRE(troupe::count_children(supervisor).await().active == 1);
  });
}

TEST_CASE(
    "S48 S71 an on_start that hangs in a restart is killed after its start timeout and tried "
    "again",
    "[supervision]") {
  on_every_schedule([](TestSystem& system) {
    auto hangs = std::make_shared<std::atomic<int>>(0);
    auto supervisor = system.spawn<Hanging>({.guardian = troupe::Guardian::no}, hangs);
    supervisor.ask(TryTwice{}, 1h).await();
    const auto child = troupe::which_children(supervisor).await().at(0).ref;
    *hangs = 2;
    system.kill(child);
    system.settle();
    system.advance(500ms);
    REQUIRE(system.metrics().actors_restarted == 1);
    system.advance(10s);
    REQUIRE(system.metrics().actors_restarted == 3);
    REQUIRE(troupe::count_children(supervisor).await().active == 1);
  });
}

namespace {
struct FailAfter {
  Ref<Ping> answer;
};
class Watches : public troupe::Actor<Fail, FailAfter, Ping> {
 public:
  explicit Watches(Ref<> service) : service_(service) {}
  void on_start() override { monitor(service_); }
  void receive(const Fail&) { throw std::runtime_error("boom"); }
  void receive(const FailAfter& m) {
    static_cast<void>(m.answer.ask(Ping{}, 1h).await());
    throw std::runtime_error("boom");
  }
  int receive(const Ping&) { return downs_; }
  void receive(const troupe::Down&) { ++downs_; }

 private:
  Ref<> service_;
  int downs_ = 0;
};
struct Get {
  using Reply = Ref<Watches>;
};
class WatchBoss : public troupe::Supervisor<Get> {
 public:
  explicit WatchBoss(Ref<> service) : Supervisor({.restarts_max = 100}), service_(service) {}
  void on_start() override { child_ = start_child<Watches>({.id = "w"}, service_); }
  Ref<Watches> receive(const Get&) { return child_; }

 private:
  Ref<> service_;
  Ref<Watches> child_;
};
}  // namespace

TEST_CASE("S53 a restart ends the monitors of the incarnation before", "[supervision]") {
  on_every_schedule([](TestSystem& system) {
    auto probe = std::make_unique<Probe<Ping>>(system);
    auto child = system.spawn<WatchBoss>({.guardian = troupe::Guardian::no}, Ref<>{probe->ref()})
                     .ask(Get{})
                     .await();
    for (int i = 0; i < 5; ++i) child.tell(Fail{});
    system.settle();
    system.stop(probe->ref()).await();
    system.settle();
    REQUIRE(child.ask(Ping{}).await() == 1);
  });
}

TEST_CASE("S53 a Down that waits when its monitor's incarnation fails reaches not the next",
          "[supervision]") {
  on_every_schedule([](TestSystem& system) {
    Probe<Ping> answers{system};
    auto service = std::make_unique<Probe<Ping>>(system);
    auto child = system.spawn<WatchBoss>({.guardian = troupe::Guardian::no}, Ref<>{service->ref()})
                     .ask(Get{})
                     .await();
    child.tell(FailAfter{answers.ref()});
    answers.expect<Ping>();
    system.stop(service->ref()).await();
    system.settle();  // the Down waits
    answers.reply<Ping>(1);
    REQUIRE(child.ask(Ping{}).await() <= 1);
    system.settle();
    REQUIRE(child.ask(Ping{}).await() == 1);  // of the monitor that the next has begun itself
  });
}

TEST_CASE("S72 C66 of what comes while a child backs off only so much is kept", "[supervision]") {
  auto recorder = std::make_shared<Recorder>();
  on_every_schedule(
      [&](TestSystem& system) {
        recorder->clear();
        Fixture f{system,
                  {.restarts_max = 10},
                  {{.id = "a", .backoff = troupe::Backoff{.min = 1s, .jitter = 0, .mail_max = 2}}}};
        const auto child = f.child("a");
        child.tell(Fail{});
        system.settle();
        std::vector<troupe::Ask<int>> asks;
        for (int i = 0; i < 4; ++i) asks.push_back(child.ask(Ping{}, 1h));
        system.settle();
        system.advance(2s);
        REQUIRE(asks[0].await() == 1);
        REQUIRE(asks[1].await() == 2);
        REQUIRE_FALSE(asks[2].try_await().has_value());
        REQUIRE_FALSE(asks[3].try_await().has_value());
        REQUIRE(system.metrics().dropped_for(troupe::DropReason::held_too_many) == 2);
        REQUIRE(recorder->count("dead_letter") == 2);
      },
      observed_by(recorder));
}

TEST_CASE("S46 S68 a poison that came while a restart backed off ends the next incarnation",
          "[supervision]") {
  on_every_schedule([](TestSystem& system) {
    Fixture f{system,
              {.restarts_max = 10},
              {{.id = "a",
                .restart = Restart::transient,
                .backoff = troupe::Backoff{.min = 1s, .max = 1s, .jitter = 0, .mail_max = 1}}}};
    const auto child = f.child("a");
    child.tell(Fail{});
    system.settle();
    auto before = child.ask(Ping{}, 1h);
    auto dropped = child.ask(Ping{}, 1h);  // one too many to be kept
    REQUIRE(system.poison(child) == troupe::Sent::ok);
    system.advance(2s);
    REQUIRE(before.await() == 1);
    REQUIRE_FALSE(dropped.try_await());
    REQUIRE(child.ask(Ping{}, 1h).try_await().error().kind == troupe::AskErrorKind::receiver_down);
    REQUIRE(f.script->starts_of("a") == 2);
  });
}

namespace {
struct Idle {};
class Nothing : public troupe::Actor<Idle> {
 public:
  void receive(const Idle&) {}
};
}  // namespace

TEST_CASE("C21 twenty thousand temporary children end, and none is left - the times are printed",
          "[supervision]") {
  const auto run = [](int children) {
    TestSystem system{1, troupe::testkit::Schedule::threads};
    Fixture f{system, {.strategy = troupe::dynamic, .restarts_max = 10}, {}};
    for (int i = 0; i < children; ++i) {
      static_cast<void>(troupe::start_child(f.supervisor, ChildSpec{.restart = Restart::temporary},
                                            troupe::factory<Nothing>()));
    }
    system.settle();
    const auto refs = troupe::which_children(f.supervisor).await();
    const auto begin = std::chrono::steady_clock::now();  // lint:allow(clock) printed, not asserted
    for (const auto& info : refs) system.kill(info.ref);
    system.settle();
    REQUIRE(troupe::count_children(f.supervisor).await().specs == 0);
    const auto end = std::chrono::steady_clock::now();  // lint:allow(clock) as above
    return std::chrono::duration<double, std::milli>(end - begin).count();
  };
  const double few = run(2000);
  const double many = run(20000);
  WARN("2,000 children ended in " << few << " ms, 20,000 in " << many << " ms");
}
