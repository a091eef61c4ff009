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

/// Closed, it stashes items; a behavior in force says so.
class Gate : public troupe::Actor<Item, Open, Crash, Mode> {
 public:
  explicit Gate(troupe::Ref<Note> notes) : notes_(notes) {}
  void receive(const Item& m) {
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

TEST_CASE("S31 C68 a restart puts stashed messages back in front of the mailbox, in order",
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
