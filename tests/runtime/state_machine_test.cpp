// State machines: states as classes, postponed events, the three kinds of timeouts.
#include <string>
#include <vector>

#include <troupe/runtime/runtime.hpp>

#include <catch2/catch.hpp>

#include "support/schedules.hpp"

using namespace std::chrono_literals;
using troupe::test::on_every_schedule;
using troupe::testkit::Probe;
using troupe::testkit::TestSystem;

namespace {

struct Did {
  std::string what;
};
using Sink = troupe::Ref<Did>;

// ---- a door with a code lock

struct Unlock {
  std::string code;
};
struct Push {
  int number;
};
struct IsOpen {
  using Reply = bool;
};
struct Bell {};

class Door : public troupe::StateMachine<Unlock, Push, IsOpen, troupe::Private<Bell>> {
 public:
  explicit Door(Sink sink) : sink_(sink) {}
  void on_start() override { go_to<Locked>(); }

 private:
  struct Any : troupe::State<Door> {
    void say(const std::string& what) { machine().sink_.tell(Did{what}); }
    void receive(const Bell&) { say("bell"); }
  };
  struct Locked : Any {
    using Any::receive;
    void on_enter() { say("locked"); }
    void on_exit() { say("leaves locked"); }
    void receive(const Unlock& m) {
      if (m.code != "1234") return;
      say("unlocking");
      go_to<Unlocked>(m.code);
      say("still locked");  // the change comes when the handler has returned
    }
    void receive(const Push& m) { postpone(m); }
    bool receive(const IsOpen&) { return false; }
  };
  struct Unlocked : Any {
    using Any::receive;
    explicit Unlocked(std::string code) : code_(std::move(code)) {}
    void on_enter() {
      say("unlocked by " + code_);
      state_timeout(10s);
      machine().start_timer("bell", 10s, Bell{});
    }
    void receive(const Push& m) {
      say("opened " + std::to_string(m.number));
      if (m.number == 9) go_to<Locked>();
    }
    void receive(const troupe::StateTimeout&) {
      say("too late");
      go_to<Locked>();
    }
    void receive(const Unlock&) { state_timeout(20s); }
    bool receive(const IsOpen&) { return true; }
    std::string code_;
  };
  Sink sink_;
};

void expect(Probe<Did>& probe, std::initializer_list<const char*> all) {
  for (const char* what : all) REQUIRE(probe.expect<Did>(0s).what == what);
}

}  // namespace

TEST_CASE("S30 postponed events are retried after a change of state, in order, before newer ones",
          "[state_machine]") {
  on_every_schedule([](TestSystem& system) {
    Probe<Did> probe{system};
    auto door = system.spawn<Door>(probe.ref());
    for (int i = 1; i <= 3; ++i) door.tell(Push{i});
    door.tell(Unlock{"wrong"});
    system.settle();
    expect(probe, {"locked"});
    REQUIRE(probe.waiting() == 0);  // handled in this state, and no change: nothing is retried
    door.tell(Unlock{"1234"});
    door.tell(Push{4});
    system.settle();
    expect(probe, {"unlocking", "still locked", "leaves locked", "unlocked by 1234", "opened 1",
                   "opened 2", "opened 3", "opened 4"});
    REQUIRE(door.ask(IsOpen{}).await());
  });
}

TEST_CASE("S30 what is postponed again stays in the order it came", "[state_machine]") {
  struct Event {
    char name;
  };
  class Machine : public troupe::StateMachine<Event> {
   public:
    explicit Machine(Sink sink) : sink_(sink) {}
    void on_start() override { go_to<Wants>('c'); }

   private:
    struct Wants : troupe::State<Machine> {
      explicit Wants(char name) : name_(name) {}
      void receive(const Event& e) {
        if (e.name != name_) {
          postpone(e);
        } else {
          machine().sink_.tell(Did{std::string(1, name_)});
          if (name_ != 'a') go_to<Wants>(static_cast<char>(name_ - 1));
        }
      }
      char name_;
    };
    Sink sink_;
  };
  on_every_schedule([](TestSystem& system) {
    Probe<Did> probe{system};
    auto machine = system.spawn<Machine>(probe.ref());
    for (char name : {'a', 'b', 'a', 'c'}) machine.tell(Event{name});
    system.settle();
    expect(probe, {"c", "b", "a", "a"});
  });
}

TEST_CASE("S37 C133 a state timeout ends with its state, and is not mixed up with other timers",
          "[state_machine]") {
  on_every_schedule([](TestSystem& system) {
    Probe<Did> probe{system};
    auto door = system.spawn<Door>(probe.ref());
    system.settle();
    door.tell(Unlock{"1234"});
    system.settle();
    expect(probe, {"locked", "unlocking", "still locked", "leaves locked", "unlocked by 1234"});
    door.tell(Push{9});
    system.settle();
    expect(probe, {"opened 9", "locked"});
    system.advance(9s);
    REQUIRE(probe.waiting() == 0);
    system.advance(1s);  // the state's timeout is gone with it; the generic timer goes on
    expect(probe, {"bell"});
    system.advance(1h);
    REQUIRE(probe.waiting() == 0);
    door.tell(Unlock{"1234"});
    system.settle();
    expect(probe, {"unlocking", "still locked", "leaves locked", "unlocked by 1234"});
    system.advance(10s);  // both are due, each for its own handler
    expect(probe, {"too late", "locked", "bell"});
    REQUIRE(probe.waiting() == 0);
  });
}

TEST_CASE("S37 a state timeout fires once, and setting it again sets it anew", "[state_machine]") {
  on_every_schedule([](TestSystem& system) {
    Probe<Did> probe{system};
    auto door = system.spawn<Door>(probe.ref());
    system.settle();
    door.tell(Unlock{"1234"});
    system.settle();
    system.advance(5s);
    door.tell(Unlock{"again"});  // 20 s from now
    system.settle();
    while (probe.waiting() > 0) probe.expect<Did>();
    system.advance(5s);
    expect(probe, {"bell"});
    system.advance(14s);
    REQUIRE(probe.waiting() == 0);
    system.advance(1s);
    expect(probe, {"too late", "locked"});
    REQUIRE_FALSE(door.ask(IsOpen{}).await());
  });
}

namespace {

struct Key {
  int number;
};
struct Wait {
  troupe::Duration time;
};
struct Leave {};

/// Waits for quiet; `Leave` changes the state, which leaves the wait alone.
class Keyboard : public troupe::StateMachine<Key, Wait, Leave> {
 public:
  explicit Keyboard(Sink sink) : sink_(sink) {}
  void on_start() override { go_to<First>(); }

 private:
  struct Typing : troupe::State<Keyboard> {
    void receive(const Key& m) { machine().sink_.tell(Did{"key " + std::to_string(m.number)}); }
    void receive(const Wait& m) { event_timeout(m.time); }
    void receive(const troupe::EventTimeout&) { machine().sink_.tell(Did{"quiet"}); }
  };
  struct Second : Typing {
    static constexpr auto otherwise = troupe::otherwise_stash;
    using Typing::receive;
  };
  struct First : Typing {
    using Typing::receive;
    void receive(const Leave&) {
      go_to<Second>();
      event_timeout(3s);
    }
  };
  Sink sink_;
};

}  // namespace

TEST_CASE("S37 an event timeout is ended by any event, also one that is postponed",
          "[state_machine]") {
  on_every_schedule([](TestSystem& system) {
    Probe<Did> probe{system};
    auto keyboard = system.spawn<Keyboard>(probe.ref());
    keyboard.tell(Wait{5s});
    system.advance(4s);
    keyboard.tell(Key{1});
    system.advance(1h);
    expect(probe, {"key 1"});
    REQUIRE(probe.waiting() == 0);

    keyboard.tell(Wait{5s});
    system.advance(5s);
    expect(probe, {"quiet"});

    keyboard.tell(Leave{});  // sets one, and the change of state leaves it alone
    system.advance(3s);
    expect(probe, {"quiet"});

    keyboard.tell(Wait{5s});
    system.settle();
    keyboard.tell(Leave{});  // no handler in this state: postponed, and an event all the same
    system.advance(1h);
    REQUIRE(probe.waiting() == 0);
  });
}

TEST_CASE("S37 a timeout of zero comes behind what is queued and before what comes later",
          "[state_machine]") {
  on_every_schedule([](TestSystem& system) {
    Probe<Did> probe{system};
    class Machine : public troupe::StateMachine<Key, Leave> {
     public:
      explicit Machine(Sink sink) : sink_(sink) {}
      void on_start() override {
        troupe::blocking([] {});  // until everything sent so far is in the mailbox
        go_to<Only>();
      }

     private:
      struct Only : troupe::State<Machine> {
        void on_enter() { state_timeout(0s); }
        void receive(const Key& m) { machine().sink_.tell(Did{"key " + std::to_string(m.number)}); }
        void receive(const Leave&) {
          state_timeout(0s);
          machine().self().tell(Key{2});
        }
        void receive(const troupe::StateTimeout&) { machine().sink_.tell(Did{"now"}); }
      };
      Sink sink_;
    };
    auto machine = system.spawn<Machine>(probe.ref());
    system.settle();
    expect(probe, {"now"});
    machine.tell(Leave{});
    system.settle();
    expect(probe, {"now", "key 2"});
  });
}

TEST_CASE("a machine: wrong timeouts are told, exceptions leave the state, on_enter may go on",
          "[state_machine]") {
  struct Go {
    std::string where;
    using Reply = std::string;
  };
  class Machine : public troupe::StateMachine<Go> {
   public:
    explicit Machine(troupe::Ref<IsOpen> door) : door_(door) {}
    void on_start() override { go_to<Idle>(); }

   private:
    struct Idle : troupe::State<Machine> {
      std::string receive(const Go& m) {
        if (m.where == "timeout") {
          try {
            state_timeout(1s);
          } catch (const troupe::UsageError& e) {
            return e.what();
          }
        }
        if (m.where == "refuse") {
          go_to<Through>();
          troupe::refuse("no");
        }
        if (m.where == "through") go_to<Through>();
        return "idle";
      }
    };
    struct Through : troupe::State<Machine> {
      void on_enter() {  // may wait, and may go on at once
        if (!machine().door_.ask(IsOpen{}).await()) go_to<End>();
      }
      std::string receive(const Go&) { return "through"; }
    };
    struct End : troupe::State<Machine> {
      std::string receive(const Go&) { return "end"; }
    };
    troupe::Ref<IsOpen> door_;
  };
  on_every_schedule([](TestSystem& system) {
    Probe<Did> probe{system};
    auto door = system.spawn<Door>(probe.ref());
    auto machine = system.spawn<Machine>(door);
    REQUIRE_THAT(machine.ask(Go{"timeout"}).await(), Catch::Contains("StateTimeout"));
    REQUIRE_THROWS_AS(machine.ask(Go{"refuse"}).await(), troupe::Refused);
    REQUIRE(machine.ask(Go{"through"}).await() == "idle");
    REQUIRE(machine.ask(Go{"where"}).await() == "end");
  });
}

namespace {

class Shares : public troupe::StateMachine<IsOpen, Leave> {
 public:
  using StateMachine::receive;
  explicit Shares(troupe::Ref<IsOpen> door) : door_(door) {}
  bool receive(const IsOpen&) { return true; }
  void on_start() override { go_to<Shared>(); }

 private:
  struct Shared : troupe::State<Shares> {
    static constexpr auto otherwise = troupe::otherwise_receive;
    troupe::Task<void> receive(Leave) {
      auto open = machine().door_.ask(IsOpen{});
      if (!co_await open) go_to<Own>();
    }
  };
  struct Own : troupe::State<Shares> {
    bool receive(const IsOpen&) { return false; }
    void receive(const Leave&) {}
  };
  troupe::Ref<IsOpen> door_;
};

}  // namespace

TEST_CASE("a machine's own handlers serve states that leave messages to it - coroutines too",
          "[state_machine]") {
  on_every_schedule([](TestSystem& system) {
    Probe<Did> probe{system};
    auto machine = system.spawn<Shares>(system.spawn<Door>(probe.ref()));
    REQUIRE(machine.ask(IsOpen{}).await());
    machine.tell(Leave{});
    REQUIRE_FALSE(machine.ask(IsOpen{}).await());
  });
}

namespace {

struct Go {
  char to;
};
struct Hold {
  using Reply = void;
};

/// Its states wait in on_exit, in a coroutine, and say goodbye to the machine when they end.
class Busy : public troupe::StateMachine<Go, Hold> {
 public:
  static constexpr auto turns = troupe::reentrant;
  Busy(Sink sink, troupe::Ref<Hold> gate) : sink_(sink), gate_(gate) {}
  void on_start() override { go_to<Named>('a'); }

 private:
  struct Named : troupe::State<Busy> {
    explicit Named(char name) : name_(1, name) {}
    ~Named() { machine().sink_.tell(Did{"end of " + name_}); }  // the machine is still there
    void on_enter() { machine().sink_.tell(Did{"in " + name_}); }
    void on_exit() {
      if (name_ == "w") machine().gate_.ask(Hold{}, 1h).await();
    }
    void receive(const Go& m) {
      go_to<Named>(m.to);
      if (m.to == '!') throw std::logic_error("changes nothing");
    }
    troupe::Task<void> receive(Hold) {
      auto waits = machine().gate_.ask(Hold{}, 1h);
      co_await waits;
      machine().sink_.tell(Did{"waited in " + name_});  // this state, though the machine went on
    }
    std::string name_;
  };
  Sink sink_;
  troupe::Ref<Hold> gate_;
};

}  // namespace

TEST_CASE("a reentrant machine changes its state one change at a time", "[state_machine]") {
  on_every_schedule([](TestSystem& system) {
    Probe<Did> probe{system};
    Probe<Hold> gate{system};
    auto machine = system.spawn<Busy>(probe.ref(), gate.ref());
    machine.tell(Go{'w'});
    machine.tell(Go{'b'});  // waits in w's on_exit
    gate.expect<Hold>();
    machine.tell(Go{'c'});  // comes after
    system.settle();
    expect(probe, {"in a", "end of a", "in w"});
    REQUIRE(probe.waiting() == 0);
    gate.reply<Hold>();
    system.settle();
    expect(probe, {"end of w", "in b", "end of b", "in c"});
  });
}

TEST_CASE("a state lives while a coroutine of it does, and ends before its machine",
          "[state_machine]") {
  on_every_schedule([](TestSystem& system) {
    Probe<Did> probe{system};
    Probe<Hold> gate{system};
    auto machine = system.spawn<Busy>(probe.ref(), gate.ref());
    auto waited = machine.ask(Hold{}, 1h);
    gate.expect<Hold>();
    machine.tell(Go{'b'});
    system.settle();
    expect(probe, {"in a", "in b"});
    gate.reply<Hold>();
    waited.await();
    system.settle();
    expect(probe, {"waited in a", "end of a"});
    system.stop(machine).await();
    system.settle();
    expect(probe, {"end of b"});
  });
}

TEST_CASE("S33 a timeout that comes to a state without a handler for it is not for that state",
          "[state_machine]") {
  on_every_schedule([](TestSystem& system) {
    Probe<Did> probe{system};
    auto keyboard = system.spawn<Keyboard>(probe.ref());
    keyboard.tell(Leave{});
    system.advance(3s);
    keyboard.tell(Leave{});  // stashed until the end
    system.settle();
    expect(probe, {"quiet"});
    system.stop(keyboard).await();
    REQUIRE(system.metrics().dropped_for(troupe::DropReason::stashed) == 1);
  });
}
