// What explored stories share: cells whose real mailbox they run, and the look at all executions.
#pragma once

#include <cstdint>

#include <catch2/catch.hpp>

#include "mailbox/mailbox.hpp"
#include "support/interleavings.hpp"

namespace troupe::test {

/// Prints how many executions there were. Every one within the bounds was tried.
template <class S>
void require_all(const char* what, std::uint64_t at_least, const Bounds& bounds = {}) {
  const Exploration e = explore<S>(bounds);
  WARN(what << ": " << e.executions << " executions, " << bounds.preemptions << " pre-emptions, "
            << bounds.delayed_stores << " delayed stores");
  INFO("choices: " << e.choices << "\nsteps:\n" << e.schedule);
  REQUIRE(e.finding == "");
  REQUIRE(e.is_complete);
  REQUIRE(e.executions >= at_least);
}

struct ExploredLink {
  /// A link's next, while the link may be used.
  struct Next : Explored<ExploredLink*> {
    bool is_freed = false;
    void store(ExploredLink* link, std::memory_order order) {
      Explored<ExploredLink*>::store(link, order);
      expect(!is_freed, "a link is written to that is freed already");
    }
  };
  Next next;
  Plain<int> number{"a message"};
  std::uint32_t to_generation = 0;
};
struct ExploredCommand {
  Plain<ExploredCommand*> next{"a command"};
};
using Box = detail::BasicMailbox<ExploredLink, ExploredCommand, Explored>;

/// A cell whose token goes round. Whoever takes it runs the cell at once.
template <class Owner>
struct ExploredCell {
  Box::Inlet in;
  Box::Outlet out;
  Plain<int> turns{"what owners write"};
  bool is_owned = false;

  ExploredCell() {
    Box::init(in, out);
    in.tail.name = "tail";
    in.stub.next.name = "stub.next";
    out.commands.name = "commands";
  }
  Owner& owner() { return static_cast<Owner&>(*this); }

  void tell(ExploredLink& link, int number) {
    link.number = number;
    if (Box::push(in, &link)) take_turn();
  }
  void command(ExploredCommand& command) {
    if (Box::push_command(in, out, &command)) take_turn();
  }
  void take_up() {
    expect(!is_owned, "two own the cell");
    is_owned = true;
    turns = turns + 1;
  }
  /// As Cell::run: commands, then messages, until the token is given up.
  void take_turn() {
    take_up();
    go_on();
  }
  void go_on() {
    for (;;) {
      handle_commands();
      ExploredLink* done = nullptr;
      switch (Box::pop(in, out, done)) {
        case Box::Pop::message:
          if (done != nullptr) done->next.is_freed = true;
          owner().handle(*out.head);
          continue;
        case Box::Pop::half_pushed: explored_yield(); continue;
        case Box::Pop::empty: break;
      }
      if (!sleep()) return;
    }
  }
  /// True: the token is here (still, or again).
  bool sleep() {
    is_owned = false;
    ExploredLink* done = nullptr;
    const Box::Idle idle = Box::go_idle(in, out, done);
    if (done != nullptr) done->next.is_freed = true;
    if (idle == Box::Idle::asleep || idle == Box::Idle::other_owner) return false;
    take_up();
    return true;
  }
  void handle_commands() {
    if (!Box::has_commands(out)) return;
    for (ExploredCommand* c = Box::take_commands(out); c != nullptr;) {
      ExploredCommand* const next = c->next;
      owner().handle(*c);
      c = next;
    }
  }
  void check_that_it_sleeps() {
    expect(!is_owned, "somebody owns the cell for ever");
    expect((in.tail.peek() & Box::mark) != 0, "the token is lost");
    expect(out.commands.peek() == 0, "a command is left");
  }
};

/// An actor that waits for commands and for nothing else.
struct WaitingActor {
  Box::Inlet in;
  Box::Outlet out;
  Explored<int> scheduled;  // its turn
  Plain<int> turns{"what owners write"};

  WaitingActor() {
    Box::init(in, out);
    in.tail.bits &= ~Box::mark;
  }
  void command(ExploredCommand& command) {
    if (!Box::push_command(in, out, &command)) return;
    turns = turns + 1;  // the token is here
    scheduled.fetch_add(1);
  }
  ExploredCommand* wait_for_commands() {
    turns = turns + 1;
    if (Box::go_waiting(out)) {
      wait_until([this] { return scheduled.peek() != 0; });
      expect(scheduled.fetch_sub(1) == 1, "two own the cell");
    }
    return Box::take_commands(out);
  }
};

}  // namespace troupe::test
