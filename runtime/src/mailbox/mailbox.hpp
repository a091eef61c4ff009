// The mailbox and the token of an actor's cell.
//
// Design. A mailbox has two lanes.
//  * The user lane is an intrusive FIFO (Vyukov's multi-producer single-consumer queue): one
//  exchange per send, no retry
//    loop. The link taken last stays in the queue as its dummy, so a message's memory is valid
//    until the next pop.
//  * The command lane is a stack pushed by compare-and-swap, taken whole and reversed by the owner.
// Exactly one token exists per cell, and it is in exactly one place:
//  * nowhere to be seen: the cell is queued or running; whoever runs it is the owner;
//  * `asleep`, bit 0 of tail: idle, or dead, or free. Mail and commands wake it;
//  * `waiting`, bit 0 of commands: suspended in an await, or held. Only commands wake it.
// Whoever clears a mark owns the cell and schedules it; nothing else schedules.
// tests/model/token.pml is this protocol for spin; tests/runtime/interleavings_test.cpp explores
// it.
#pragma once

#include <atomic>
#include <cstdint>

#include <troupe/runtime/detail/mutant.hpp>

namespace troupe::detail {

template <class Link, class Command, template <class> class Atomic = std::atomic>
struct BasicMailbox {
  static constexpr std::uintptr_t mark = 1;

  /// What senders write.
  struct Inlet {
    Atomic<std::uintptr_t> tail{0};  ///< last link, and the mark asleep
    Link stub;
  };
  /// What the owner writes, and commands.
  struct Outlet {
    Atomic<std::uintptr_t> commands{0};  ///< newest command, or the mark waiting
    Link* head = nullptr;                ///< the link taken last; the owner's
  };

  enum class Pop : std::uint8_t { message, empty, half_pushed };
  enum class Idle : std::uint8_t { asleep, not_empty, commands_came, other_owner };

  /// A fresh mailbox belongs to nobody: asleep.
  static void init(Inlet& in, Outlet& out) {
    out.head = &in.stub;
    in.stub.next.store(nullptr, std::memory_order_relaxed);  // published by the store of tail below
    in.tail.store(address(&in.stub) | mark,
                  std::memory_order_release);  // partner: the claim or push that wakes it
  }

  /// Any thread. True: the caller took the token and has to schedule the cell.
  static bool push(Inlet& in, Link* link) {
    link->next.store(nullptr, std::memory_order_relaxed);  // published by the exchange
    // Release: the message is seen by whoever pops it. Acquire: a taken token brings the last
    // owner's writes.
    const std::uintptr_t before = in.tail.exchange(address(link), std::memory_order_acq_rel);
    pointer<Link>(before)->next.store(link, mutant("message_is_linked_too_early")
                                                ? std::memory_order_relaxed
                                                : std::memory_order_release);  // partner: pop, peek
    return (before & mark) != 0;
  }

  /// Any thread. True: the caller took the token and has to schedule the cell.
  static bool push_command(Inlet& in, Outlet& out, Command* command) {
    std::uintptr_t before =
        out.commands.load(std::memory_order_relaxed);  // only a guess for the exchange
    do {
      command->next = pointer<Command>(before);
    } while (
        !out.commands.compare_exchange_weak(before, address(command), std::memory_order_seq_cst));
    if ((before & mark) != 0) return true;
    return claim(in);  // seq_cst pair with go_idle: it sees the command, or this sees the mark
  }

  /// Takes the token of an idle (or dead, or free) cell. True: the caller owns it.
  static bool claim(Inlet& in) {
    std::uintptr_t seen = in.tail.load(std::memory_order_seq_cst);
    while ((seen & mark) != 0) {
      if (mutant("token_is_taken_without_exchange")) {
        in.tail.store(seen & ~mark, std::memory_order_seq_cst);
        return true;
      }
      if (in.tail.compare_exchange_weak(seen, seen & ~mark, std::memory_order_seq_cst)) return true;
    }
    return false;
  }

  /// Owner. On `message`, head is the message, and `done` the link that was the dummy until now.
  static Pop pop(Inlet& in, Outlet& out, Link*& done) {
    Link* head = out.head;
    Link* next = head->next.load(std::memory_order_acquire);  // partner: the release store in push
    if (next != nullptr) {
      done = head == &in.stub ? nullptr : head;
      out.head = next;
      return Pop::message;
    }
    return in.tail.load(std::memory_order_relaxed) == address(head) ? Pop::empty
                                                                    : Pop::half_pushed;  // a hint
  }

  /// Owner: the link that pop would take, or null.
  static Link* peek(const Outlet& out) {
    return out.head->next.load(std::memory_order_acquire);  // partner: the release store in push
  }

  /// Owner of an empty lane: gives the token up. Unless it is `not_empty` or `commands_came`, the
  /// caller owns the cell no longer and must not touch it. `done` is the dummy that is free now.
  static Idle go_idle(Inlet& in, Outlet& out, Link*& done) {
    Link* head = out.head;
    done = nullptr;
    if (head != &in.stub)
      in.stub.next.store(nullptr, std::memory_order_relaxed);  // published by the exchange below
    out.head = &in.stub;
    std::uintptr_t expected = address(head);
    const std::uintptr_t asleep = address(&in.stub) | mark;
    if (!in.tail.compare_exchange_strong(expected, asleep, std::memory_order_seq_cst)) {
      out.head = head;
      return Idle::not_empty;
    }
    if (head != &in.stub) done = head;
    // From here on the cell is anybody's: only its atomics may be touched.
    if (mutant("sleeps_without_a_last_look") || out.commands.load(std::memory_order_seq_cst) == 0)
      return Idle::asleep;  // pair: push_command
    expected = asleep;
    return in.tail.compare_exchange_strong(expected, asleep & ~mark, std::memory_order_seq_cst)
               ? Idle::commands_came
               : Idle::other_owner;
  }

  /// Owner: gives the token up until a command comes. False: commands are there already, the caller
  /// still owns.
  static bool go_waiting(Outlet& out) {
    std::uintptr_t expected = 0;
    // Release: the next owner sees this one's writes (partner: push_command).
    return out.commands.compare_exchange_strong(expected, mark, std::memory_order_seq_cst);
  }

  static bool has_commands(const Outlet& out) {
    return out.commands.load(std::memory_order_relaxed) !=
           0;  // take_commands acquires; a late look is made good in go_*
  }

  /// Owner: all commands, oldest first.
  static Command* take_commands(Outlet& out) {
    // Acquire: what the commands carry (partner: the exchange in push_command).
    return reversed(pointer<Command>(out.commands.exchange(0, std::memory_order_acquire)));
  }

  /// Puts back what was taken from a cell that somebody runs: before what came meanwhile.
  static void put_back(Outlet& out, Command* oldest_first) {
    while (oldest_first != nullptr) {
      Command* const newest = reversed(oldest_first);
      std::uintptr_t none = 0;
      if (out.commands.compare_exchange_strong(none, address(newest), std::memory_order_seq_cst))
        return;
      oldest_first = reversed(newest);
      newest->next = take_commands(out);
    }
  }

 private:
  static Command* reversed(Command* first) {
    Command* result = nullptr;
    while (first != nullptr) {
      Command* next = first->next;
      first->next = result;
      result = first;
      first = next;
    }
    return result;
  }
  template <class T>
  static T* pointer(std::uintptr_t word) {
    return reinterpret_cast<T*>(word & ~mark);
  }
  static std::uintptr_t address(const void* p) { return reinterpret_cast<std::uintptr_t>(p); }
};

}  // namespace troupe::detail
