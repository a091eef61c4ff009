// Ask slots, their real words and links, on every interleaving of a few threads (see
// interleavings_test.cpp). The steps between are those of ask_slots.cpp.
#include <utility>

#include "slot_links.hpp"
#include "slot_word.hpp"
#include "support/explored_cell.hpp"

using troupe::detail::SlotState;
using troupe::test::expect;
using troupe::test::Explored;
using troupe::test::explored_choice;
using troupe::test::explored_yield;
using troupe::test::ExploredCommand;
using troupe::test::Plain;
using troupe::test::require_all;
using troupe::test::wait_until;
using troupe::test::WaitingActor;

namespace {

/// An actor asks twice, with the same slot. Each ask is answered and the first may time out; the
/// asker waits for the outcome or gives up. The completion comes to its mailbox, as in
/// ask_slots.cpp.
struct SlotStory {
  static constexpr const char* names[] = {"asker", "callee", "clock"};
  struct Slot : ExploredCommand {
    troupe::detail::BasicSlotWord<Explored> word;
    Plain<int> value{"the value of an ask"};
    bool is_free = true;
  };
  WaitingActor asker;
  Slot slot;
  Explored<int> asked{-1};  // the request, on its way
  int outcomes[2] = {};
  bool completion_came = false;

  void run(std::size_t me) {
    const int asks = me == 2 ? 1 : 2;
    for (int ask = 0; ask < asks; ++ask) {
      if (me == 0) {
        open(ask);
        if (explored_choice(2) == 0) {
          while (!slot.word.is_over(life(ask))) wait();
        }
        release(ask);
      } else {
        wait_until([&] { return asked.peek() >= ask; });
        asked.load(std::memory_order_acquire);
        answer(ask, me == 1 ? SlotState::value : SlotState::failed);
      }
    }
  }
  static std::uint32_t life(int ask) { return static_cast<std::uint32_t>(ask); }
  void open(int ask) {
    expect(std::exchange(slot.is_free, false), "a slot is used before it is free");
    completion_came = false;
    slot.value = -1;
    slot.word.open();
    asked.store(ask, std::memory_order_release);
  }
  void wait() {
    if (asker.wait_for_commands() != nullptr) completion_came = true;
  }
  /// release_slot.
  void release(int ask) {
    if (slot.word.give_up(life(ask))) {
      ++outcomes[ask];
    } else {
      const SlotState state = slot.word.outcome(life(ask), explored_yield);
      expect(state == SlotState::value || state == SlotState::failed, "won by nobody");
      expect(slot.value == ask, "the answer is another ask's");
      slot.word.close(life(ask));
      while (!completion_came) wait();  // abandoned until then
    }
    slot.is_free = true;
  }
  /// win_slot and publish_slot.
  void answer(int ask, SlotState outcome) {
    if (!slot.word.win(life(ask))) return;
    ++outcomes[ask];
    slot.value = ask;
    slot.word.publish(outcome);
    asker.command(slot);
  }
  void check() {
    expect(outcomes[0] == 1 && outcomes[1] == 1, "an ask does not end once");
    expect(slot.is_free, "a slot is lost");
  }
};

/// An actor asks with one slot and then with it again. Who has the duty to answer the first ask
/// takes it as a value and hands it on, while the asker may give up.
struct CalleeStory {
  static constexpr const char* names[] = {"asker", "callee"};
  struct alignas(64) Actor {};
  troupe::detail::BasicSlotWord<Explored> word;
  troupe::detail::BasicCallee<Actor, Explored> callee;
  Actor actors[2];
  Explored<int> asked{-1};

  void run(std::size_t me) {
    if (me == 0) {
      open(0);
      expect(word.give_up(0), "somebody else ended the ask");
      open(1);
    } else {
      wait_until([&] { return asked.peek() >= 0; });
      asked.load(std::memory_order_acquire);
      const auto is_open = [&] { return word.state(0) == SlotState::pending; };
      callee.keep_duty(true, is_open);
      callee.pass_on(&actors[1], 7, is_open);
    }
  }
  void open(std::uint32_t life) {
    callee.open(&actors[0], 5, life);
    word.open();
    asked.store(static_cast<int>(life), std::memory_order_release);
  }
  void check() {
    const auto seen = callee.seen();
    expect(seen.actor == &actors[0] && !seen.keeps_duty, "the next ask waits for somebody else");
  }
};

/// An actor waits for the first of two asks, as await_any_slot does; then, if it is told to, for
/// the other, with the same slot for its wait.
struct AnyStory {
  static constexpr const char* names[] = {"asker", "one callee", "the other"};
  struct Slot : ExploredCommand {
    troupe::detail::BasicSlotWord<Explored> word;
    troupe::detail::BasicAlso<Slot, Explored> also;
    [[nodiscard]] std::uint32_t generation() const { return word.generation(); }
  };
  WaitingActor asker;
  Slot asks[2];
  Slot any;
  Explored<int> asked{0};

  void run(std::size_t me) {
    if (me == 0) {
      for (Slot& ask : asks) ask.word.open();
      asked.store(1, std::memory_order_release);
      const std::size_t first = wait_for_one(asks, 2);
      wait_for_one(&asks[1 - first], 1);
    } else {
      wait_until([&] { return asked.peek() != 0; });
      asked.load(std::memory_order_acquire);
      Slot& ask = asks[me - 1];
      expect(ask.word.win(0), "nobody else answers");
      publish(ask);
    }
  }
  static std::size_t first_over(const Slot* slots, std::size_t count) {
    std::size_t i = 0;
    for (; i < count; ++i) {
      while (slots[i].word.state(0) == SlotState::writing) explored_yield();
      if (slots[i].word.is_over(0)) break;
    }
    return i;
  }
  std::size_t wait_for_one(Slot* slots, std::size_t count) {
    const std::uint32_t life = any.generation();
    bool any_is_under_way = false;
    if (std::size_t first = first_over(slots, count); first < count) return index_of(slots[first]);
    any.word.open();
    for (std::size_t i = 0; i < count; ++i) slots[i].also.set(&any);
    while (first_over(slots, count) == count && !any.word.is_over(life))
      any_is_under_way |= takes_any();
    for (std::size_t i = 0; i < count; ++i) slots[i].also.clear();
    if (!any.word.give_up(life)) {
      expect(any.word.outcome(life, explored_yield) == SlotState::value, "won by nobody");
      any.word.close(life);
      while (!any_is_under_way) any_is_under_way = takes_any();
    }
    const std::size_t first = first_over(slots, count);
    expect(first < count, "the wait ended, and no ask is over");
    return index_of(slots[first]);
  }
  [[nodiscard]] std::size_t index_of(const Slot& ask) const {
    return static_cast<std::size_t>(&ask - asks);
  }
  /// Waits for a command. Whether it is the completion of the wait; those of the asks wake only.
  bool takes_any() {
    bool is_any = false;
    for (ExploredCommand* c = asker.wait_for_commands(); c != nullptr; c = c->next)
      is_any |= c == &any;
    return is_any;
  }
  /// publish_slot.
  void publish(Slot& slot) {
    const auto also = slot.also.take();
    slot.word.publish(SlotState::value);
    asker.command(slot);
    if (also.slot != nullptr && also.slot->word.win(also.generation)) {
      also.slot->word.publish(SlotState::value);
      asker.command(*also.slot);
    }
  }
  void check() { expect(any.word.generation() <= 2, "the wait ended twice"); }
};

}  // namespace

TEST_CASE("S12 S15 explored: answer, timeout and release: one wins, and none reaches the next ask",
          "[runtime][explored]") {
  require_all<SlotStory>("ask slot", 5000);
}

TEST_CASE("S138 explored: whose answer an ask waits for is never changed by who had the last one",
          "[runtime][explored]") {
  require_all<CalleeStory>("callee of a slot", 100, {.preemptions = 10});
}

TEST_CASE("explored: await_any wakes at the first answer, and an answer ends no later wait",
          "[runtime][explored]") {
  require_all<AnyStory>("slot of an await_any", 5000, {.preemptions = 2});
}
