// A restart keeps what waits: the mailbox, and what was stashed.
#include <catch2/catch.hpp>
#include <troupe/runtime/runtime.hpp>
#include <troupe/supervision/supervision.hpp>

#include "support/schedules.hpp"

using namespace std::chrono_literals;
using troupe::test::on_every_schedule;
using troupe::testkit::Probe;
using troupe::testkit::TestSystem;

namespace {

struct Item {
  int n;
};
struct Open {};
struct Crash {};
struct Mode {
  using Reply = std::string;
};
struct Note {
  std::string text;
};

constexpr int bad_item = -1;

/// Closed, it stashes items; open, it fails over a bad one. A behavior in force says so.
class Gate : public troupe::Actor<Item, Open, Crash, Mode> {
 public:
  explicit Gate(troupe::Ref<Note> notes) : notes_(notes) {}
  void receive(const Item& m) {
    if (open_ && m.n == bad_item) throw std::runtime_error("a bad item");
    open_ ? static_cast<void>(notes_.tell(Note{"item " + std::to_string(m.n)}))
          : static_cast<void>(stash(m));
  }
  void receive(const Open&) {
    open_ = true;
    unstash_all();
    become([](const Mode&) { return std::string("become"); }, troupe::otherwise_receive);
  }
  void receive(const Crash&) { throw std::runtime_error("crash"); }
  std::string receive(const Mode&) { return "class"; }

 private:
  troupe::Ref<Note> notes_;
  bool open_ = false;
};

struct TheGate {
  using Reply = troupe::Ref<Gate>;
};
class Boss : public troupe::Supervisor<TheGate> {
 public:
  Boss(troupe::Ref<Note> notes, bool keeps) : notes_(notes), keeps_(keeps) {}
  void on_start() override {
    child_ = start_child<Gate>({.id = "gate", .options = {.restart_keeps_stash = keeps_}}, notes_);
  }
  troupe::Ref<Gate> receive(const TheGate&) { return child_; }

 private:
  troupe::Ref<Note> notes_;
  bool keeps_;
  troupe::Ref<Gate> child_;
};

troupe::Ref<Gate> gate_in(TestSystem& system, Probe<Note>& notes, bool keeps = true) {
  return system.spawn<Boss>({.guardian = troupe::Guardian::no}, notes.ref(), keeps)
      .ask(TheGate{})
      .await();
}

}  // namespace

TEST_CASE("S31 C68 C137 a restart puts stashed messages back in front of the mailbox, in order",
          "[supervision]") {
  on_every_schedule([](TestSystem& system) {
    Probe<Note> notes{system};
    auto gate = gate_in(system, notes);
    gate.tell(Item{1});
    gate.tell(Item{2});
    gate.tell(Crash{});
    gate.tell(Item{3});  // the new incarnation stashes 1 and 2 again, then 3
    gate.tell(Open{});
    for (int n = 1; n <= 3; ++n) REQUIRE(notes.expect<Note>().text == "item " + std::to_string(n));
    REQUIRE(system.metrics().dropped_for(troupe::DropReason::stashed) == 0);
  });
}

TEST_CASE("S31 C68 a failure over a stashed message: those behind it are for the next incarnation",
          "[supervision]") {
  on_every_schedule([](TestSystem& system) {
    Probe<Note> notes{system};
    auto gate = gate_in(system, notes);
    for (const int n : {1, bad_item, 3, 4}) gate.tell(Item{n});
    gate.tell(Open{});
    REQUIRE(notes.expect<Note>().text == "item 1");
    notes.expect_no_message();  // 3 and 4 are in the stash again
    gate.tell(Open{});
    REQUIRE(notes.expect<Note>().text == "item 3");
    REQUIRE(notes.expect<Note>().text == "item 4");
    REQUIRE(system.metrics().dropped_for(troupe::DropReason::stashed) == 0);
  });
}

TEST_CASE("S31 with restart_keeps_stash = false they are dead letters", "[supervision]") {
  on_every_schedule([](TestSystem& system) {
    Probe<Note> notes{system};
    auto gate = gate_in(system, notes, false);
    gate.tell(Item{1});
    gate.tell(Crash{});
    gate.tell(Open{});
    gate.tell(Item{2});
    REQUIRE(notes.expect<Note>().text == "item 2");
    REQUIRE(system.metrics().dropped_for(troupe::DropReason::stashed) == 1);
  });
}

TEST_CASE("C62 a restart clears the behavior", "[supervision]") {
  on_every_schedule([](TestSystem& system) {
    Probe<Note> notes{system};
    auto gate = gate_in(system, notes);
    gate.tell(Open{});
    REQUIRE(gate.ask(Mode{}).await() == "become");
    gate.tell(Crash{});
    REQUIRE(gate.ask(Mode{}).await() == "class");
  });
}

TEST_CASE("a process that is restarted twice runs its function once at a time", "[supervision]") {
  struct Job {
    bool fails;
  };
  struct Count {
    using Reply = int;
  };
  struct State {
    std::atomic<int> active{0};
    std::atomic<int> most{0};
    std::atomic<int> received{0};
  };
  class Top : public troupe::Supervisor<Count> {
   public:
    explicit Top(std::shared_ptr<State> state)
        : Supervisor{{.restarts_max = 100}}, state_(std::move(state)) {}
    void on_start() override {
      child_ = start_child({.id = "process"},
                           troupe::process([state = state_](troupe::Process<Job>& self) {
                             struct Active {
                               State& s;
                               explicit Active(State& of) : s(of) {
                                 s.most = std::max(s.most.load(), ++s.active);
                               }
                               ~Active() { --s.active; }
                             } active{*state};
                             for (;;)
                               self.receive([&](const Job& m) {
                                 if (m.fails) throw std::runtime_error("job");
                                 ++state->received;
                               });
                           }));
      for (int i = 0; i < 10; ++i) child_.tell(Job{i % 2 == 0});
    }
    int receive(const Count&) { return 0; }

   private:
    std::shared_ptr<State> state_;
    troupe::Ref<Job> child_;
  };
  troupe::test::on_every_schedule([](troupe::testkit::TestSystem& system) {
    const auto state = std::make_shared<State>();
    auto top = system.spawn<Top>(state);
    top.ask(Count{}).await();
    system.settle();
    REQUIRE(state->most == 1);
    REQUIRE(state->active == 1);
    const auto dead = system.metrics().dropped_for(troupe::DropReason::ended);
    REQUIRE(state->received + static_cast<int>(dead) +
                static_cast<int>(system.metrics().handler_failures) ==
            10);
  });
}

TEST_CASE("S73 a process has ended with its function: it can't be resumed, and is restarted",
          "[supervision]") {
  struct Job {
    bool fails;
    using Reply = int;
  };
  class Top : public troupe::Supervisor<Job> {
   public:
    Top() : Supervisor{{.decider = troupe::Decider{}.otherwise(troupe::Decision::resume)}} {}
    void on_start() override {
      child_ = start_child({.id = "process"}, troupe::process([](troupe::Process<Job>& self) {
                             for (int jobs = 1;; ++jobs)
                               self.receive([&](const Job& m, troupe::ReplyTo<int> reply) {
                                 if (m.fails) throw std::runtime_error("job");
                                 reply(jobs);
                               });
                           }));
    }
    troupe::Forwarded<int> receive(const Job& m) { return forward(child_, m); }

   private:
    troupe::Ref<Job> child_;
  };
  troupe::test::on_every_schedule([](troupe::testkit::TestSystem& system) {
    auto top = system.spawn<Top>();
    REQUIRE(top.ask(Job{false}).await() == 1);
    REQUIRE_FALSE(top.ask(Job{true}).try_await());
    REQUIRE(top.ask(Job{false}).await() == 1);  // it began anew
  });
}

TEST_CASE("S35 a repeating timer goes on after its actor was resumed", "[supervision]") {
  struct Tick {};
  struct Ticks {
    using Reply = int;
  };
  class Trips : public troupe::Actor<Ticks, troupe::Private<Tick>> {
   public:
    void on_start() override { every("tick", 1s, Tick{}, troupe::after_completion); }
    void receive(const Tick&) {
      if (++ticks_ == 2) throw std::runtime_error("trips once");
    }
    int receive(const Ticks&) { return ticks_; }

   private:
    int ticks_ = 0;
  };
  class Top : public troupe::Supervisor<Ticks> {
   public:
    Top()
        : Supervisor{
              {.decider = troupe::Decider{}.on<std::runtime_error>(troupe::Decision::resume)}} {}
    void on_start() override { child_ = start_child<Trips>({.id = "trips"}); }
    troupe::Forwarded<int> receive(const Ticks& m) { return forward(child_, m); }

   private:
    troupe::Ref<Trips> child_;
  };
  troupe::test::on_every_schedule([](troupe::testkit::TestSystem& system) {
    auto top = system.spawn<Top>();
    system.advance(10s);
    REQUIRE(top.ask(Ticks{}).await() >= 9);
  });
}

TEST_CASE("S26 S35 a tick that overflows the stash was handled: its timer goes on after a resume",
          "[supervision]") {
  struct Tick {};
  struct Close {};
  struct Ticks {
    using Reply = int;
  };
  class Trips : public troupe::Actor<Close, Ticks, troupe::Private<Tick>> {
   public:
    void on_start() override { every("tick", 1s, Tick{}, troupe::after_completion); }
    void receive(const Close&) {
      become([](const Ticks&) { return 0; }, troupe::otherwise_stash);
    }
    void receive(const Tick&) {}
    int receive(const Ticks&) { return 0; }
  };
  class Top : public troupe::Supervisor<Ticks, Close> {
   public:
    Top() : Supervisor{{.decider = troupe::Decider{}.otherwise(troupe::Decision::resume)}} {}
    void on_start() override {
      child_ = start_child<Trips>({.id = "trips", .options = {.stash_max = 1}});
    }
    troupe::Forwarded<int> receive(const Ticks& m) { return forward(child_, m); }
    void receive(const Close& m) { child_.tell(m); }

   private:
    troupe::Ref<Trips> child_;
  };
  on_every_schedule([](TestSystem& system) {
    auto top = system.spawn<Top>();
    top.tell(Close{});
    system.advance(10s);  // the first is stashed, nine overflow it
    REQUIRE(top.ask(Ticks{}).await() == 0);
    REQUIRE(system.metrics().handler_failures >= 8);
  });
}

namespace {

struct Step {
  int n;
};
struct Take {
  using Reply = int;
};
/// Takes two steps and lets them lie, then one message more, over which it fails.
class Skips : public troupe::Supervisor<Take> {
 public:
  Skips() : Supervisor{{.backoff = troupe::Backoff{.min = 1s, .max = 1s, .mail_max = 2}}} {}
  void on_start() override {
    child_ = start_child({.id = "skips"}, troupe::process([](troupe::Process<Step, Crash>& self) {
                           self.receive([](const Crash&) { throw std::runtime_error("crash"); });
                         }));
    for (int n = 0; n < 5; ++n) child_.tell(Step{n});
    child_.tell(Crash{});
  }
  int receive(const Take&) {
    for (int n = 0; n < 7; ++n) child_.tell(Step{n});
    return 0;
  }

 private:
  troupe::Ref<Step, Crash> child_;
};

}  // namespace

TEST_CASE("C68 of what comes while a process is held so much is kept, whatever it had let lie",
          "[supervision]") {
  on_every_schedule([](TestSystem& system) {
    auto skips = system.spawn<Skips>();
    system.settle();
    REQUIRE(skips.ask(Take{}).await() == 0);  // the process is held by now
    system.advance(2s);
    REQUIRE(system.metrics().dropped_for(troupe::DropReason::ended) == 5);
    REQUIRE(system.metrics().dropped_for(troupe::DropReason::held_too_many) == 5);
  });
}

namespace {

struct WatchOver {
  troupe::Ref<> who;
};
/// Watches over somebody, in its first life only.
class Guard : public troupe::Actor<WatchOver, Item, Crash, troupe::Down> {
 public:
  explicit Guard(troupe::Ref<Note> notes) : notes_(notes) {}
  void receive(const WatchOver& m) { monitor(m.who); }
  void receive(const Item& m) { notes_.tell(Note{"item " + std::to_string(m.n)}); }
  void receive(const Crash&) { throw std::runtime_error("crash"); }
  void receive(const troupe::Down&) { notes_.tell(Note{"down"}); }

 private:
  troupe::Ref<Note> notes_;
};
struct TheGuard {
  using Reply = troupe::Ref<Guard>;
};
class PatientBoss : public troupe::Supervisor<TheGuard> {
 public:
  explicit PatientBoss(troupe::Ref<Note> notes)
      : Supervisor({.backoff = troupe::Backoff{.min = 1s, .max = 1s, .mail_max = 2}}),
        notes_(notes) {}
  void on_start() override { child_ = start_child<Guard>({.id = "guard"}, notes_); }
  troupe::Ref<Guard> receive(const TheGuard&) { return child_; }

 private:
  troupe::Ref<Note> notes_;
  troupe::Ref<Guard> child_;
};

}  // namespace

TEST_CASE("S53 a Down that waits while a restart backs off is not for the next incarnation",
          "[supervision]") {
  on_every_schedule([](TestSystem& system) {
    Probe<Note> notes{system};
    const auto boss = system.spawn<PatientBoss>({.guardian = troupe::Guardian::no}, notes.ref());
    const auto guard = boss.ask(TheGuard{}).await();
    const auto watched = system.spawn<Gate>(notes.ref());
    guard.tell(WatchOver{watched});
    guard.tell(Crash{});
    system.settle();
    system.stop(watched).await();
    for (int n = 1; n <= 5; ++n) guard.tell(Item{n});  // more than the backoff lets it keep
    system.advance(5s);
    guard.tell(Item{9});
    std::string text;
    do {
      text = notes.expect<Note>(10s).text;
      REQUIRE(text != "down");
    } while (text != "item 9");
  });
}
