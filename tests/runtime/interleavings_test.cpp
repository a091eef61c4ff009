// The lock-free structures of the runtime, their real code, on every interleaving of a few threads
// with up to three pre-emptions and a delayed store (support/interleavings.hpp). Timers are no
// lock-free structure: their table has a lock. What is explored is who frees a timer that is
// cancelled while it becomes due. The mutants of the area "lock-free structures" are found here.
#include <utility>
#include <vector>

#include <catch2/catch.hpp>

#include "scheduler/deque.hpp"
#include "scheduler/parker.hpp"
#include "support/explored_cell.hpp"
#include "timer/timer_service.hpp"

using troupe::Duration;
using troupe::TimePoint;
using troupe::test::Box;
using troupe::test::expect;
using troupe::test::Explored;
using troupe::test::explored_choice;
using troupe::test::explored_yield;
using troupe::test::ExploredAtomics;
using troupe::test::ExploredCell;
using troupe::test::ExploredCommand;
using troupe::test::ExploredLink;
using troupe::test::ExploredMutex;
using troupe::test::Plain;
using troupe::test::require_all;
using troupe::test::wait_until;
using troupe::test::WaitingActor;

namespace {

// ---- the mailbox

/// Mail and commands come while the owner goes idle.
template <bool second_tells>
struct MailboxStory : ExploredCell<MailboxStory<second_tells>> {
  static constexpr const char* names[] = {"owner", "first sender",
                                          second_tells ? "second sender" : "commander"};
  ExploredLink first[2];
  ExploredLink second;
  ExploredCommand order;
  int of_first = 0;
  int handled = 0;
  int commands = 0;

  MailboxStory() { this->in.tail.bits &= ~Box::mark; }  // the owner has the token

  void run(std::size_t me) {
    if (me == 0) this->take_turn();
    if (me == 1) {
      this->tell(first[0], 0);
      this->tell(first[1], 1);
    }
    if (me == 2 && second_tells) this->tell(second, 2);
    if (me == 2 && !second_tells) this->command(order);
  }
  void handle(ExploredLink& link) {
    const int number = link.number;
    ++handled;
    if (number != 2) expect(number == of_first++, "messages of one sender change places");
  }
  void handle(ExploredCommand&) { ++commands; }
  void check() {
    this->check_that_it_sleeps();
    expect(handled == (second_tells ? 3 : 2), "a message is lost");
    expect(commands == (second_tells ? 0 : 1), "a command is lost");
  }
};

/// All at once.
struct MailboxOfAll : ExploredCell<MailboxOfAll> {
  static constexpr const char* names[] = {"owner", "first sender", "second sender", "commander"};
  ExploredLink mail[2];
  ExploredCommand order;
  int handled = 0;

  MailboxOfAll() { in.tail.bits &= ~Box::mark; }

  void run(std::size_t me) {
    if (me == 0) take_turn();
    if (me == 1 || me == 2) tell(mail[me - 1], 0);
    if (me == 3) command(order);
  }
  void handle(ExploredLink& link) { handled += 1 + link.number; }
  void handle(ExploredCommand&) { handled += 10; }
  void check() {
    check_that_it_sleeps();
    expect(handled == 12, "something is lost");
  }
};

// ---- the deque

struct DequeStory {
  static constexpr const char* names[] = {"owner", "first thief", "second thief"};
  static constexpr int items_max = 4;
  struct Item {
    Plain<int> number{"an item"};
    int taken = 0;
  };
  troupe::detail::Deque<Item, 2, Explored> deque;
  Item items[items_max];

  void run(std::size_t me) {
    if (me == 0) {
      for (int i = 0; i < items_max; ++i) {
        items[i].number = i;
        while (!deque.push(&items[i])) take();  // it is full: round it goes
      }
    } else {
      take();
      take();
    }
  }
  void take() {
    Item* const item = deque.take();
    if (item == nullptr) return;
    expect(++item->taken == 1, "an item is taken twice");
    expect(item->number == item - items, "an item is not what was pushed");
  }
  void check() {
    while (Item* item = deque.take()) ++item->taken;
    for (const Item& item : items) expect(item.taken == 1, "an item is lost, or taken twice");
  }
};

// ---- the parker

/// Two workers, with their deques and the inject queue as in ThreadExecutor. They end asleep.
struct ParkerStory {
  static constexpr bool may_end_asleep = true;
  using Parker = troupe::detail::BasicParker<ExploredAtomics>;
  struct Worker {
    Parker::Word awake{1};
    troupe::detail::Deque<int, 2, Explored> deque;
  };
  Parker parker;
  Worker workers[2];
  Explored<int> injected;
  Explored<int> done;
  int item = 0;

  ParkerStory() {
    parker.busy.bits = 2;
    parker.sleepers.name = "sleepers";
    parker.searching.name = "searching";
    parker.busy.name = "busy";
    injected.name = "injected";
  }
  void submit() {
    injected.fetch_add(1);
    work_was_queued();
  }
  void work(std::size_t me) {
    for (;;) {
      if (workers[me].deque.take() != nullptr || take_injected() || steal(me)) {
        done.fetch_add(1);
      } else {
        parker.sleep(static_cast<std::uint32_t>(me), workers[me].awake, Host{*this});
      }
    }
  }
  bool take_injected() {
    int seen = injected.load();
    return seen != 0 && injected.compare_exchange_strong(seen, seen - 1);
  }
  bool steal(std::size_t me) {
    const bool found = parker.search([&] { return workers[1 - me].deque.take() != nullptr; });
    if (found) work_was_queued();
    return found;
  }
  void work_was_queued() {
    const std::uint32_t index = parker.sleeper_for_work();
    if (index != Parker::nobody)
      parker.wake(index, workers[index].awake, troupe::test::explored_futex_wake);
  }
  struct Host {
    ParkerStory& story;
    [[nodiscard]] bool sees_work() const {
      return story.injected.load() != 0 || !story.workers[0].deque.empty() ||
             !story.workers[1].deque.empty();
    }
    void done_being_busy() const { story.parker.busy.fetch_sub(1); }
    static void wait(const Parker::Word& awake) { troupe::test::explored_futex_wait(awake, 0); }
  };
  void check_that_all_sleep(int items) const {
    expect(done.peek() == items, "work is queued and all sleep");
    expect(parker.busy.peek() == 0, "busy counts who is not");
  }
};

/// Work comes from outside while both park.
struct InjectStory : ParkerStory {
  static constexpr const char* names[] = {"first worker", "second worker", "outside"};
  void run(std::size_t me) {
    if (me != 2) work(me);
    submit();
    submit();
  }
  void check() { check_that_all_sleep(2); }
};

/// A worker queues something and is stuck in its handler until that is done.
struct StuckStory : ParkerStory {
  static constexpr const char* names[] = {"stuck worker", "other worker"};
  void run(std::size_t me) {
    if (me == 0) {
      for (int i = 1; i <= 2; ++i) {
        workers[0].deque.push(&item);
        work_was_queued();
        wait_until([&] { return done.peek() == i; });
      }
    }
    work(me);
  }
  void check() { check_that_all_sleep(2); }
};

// ---- reuse of cells

/// An actor ends and another is spawned into its cell, while somebody still tells the first.
struct ReuseStory : ExploredCell<ReuseStory> {
  static constexpr const char* names[] = {"first actor", "stale sender", "spawner",
                                          "stale commander"};
  Explored<std::uint32_t> generation;
  Explored<bool> in_free_list;
  Plain<bool> is_free{"the phase", false};
  Plain<std::uint32_t> life{"the actor's object", 0};
  ExploredLink stale;
  ExploredLink fresh;
  ExploredCommand order;
  bool is_reused = false;
  int bounced = 0;
  int handled = 0;
  int orders = 0;
  bool was_refused = false;

  ReuseStory() { in.tail.bits &= ~Box::mark; }  // the first actor runs, and will end

  void run(std::size_t me) {
    if (me == 0) end();
    if (me == 1) tell_the_first();
    if (me == 2) spawn();
    if (me == 3) command(order);
  }
  /// Cell::terminate. Its parent may put the cell on the free list at once.
  void end() {
    take_up();
    is_free = true;
    generation.store(1, std::memory_order_relaxed);  // as there
    in_free_list.store(true, std::memory_order_release);
    go_on();
  }
  /// send: the look at the generation is a shortcut only.
  void tell_the_first() {
    if (generation.load(std::memory_order_relaxed) != 0) {
      was_refused = true;
      return;
    }
    tell(stale, 0);
  }
  /// SystemCore::take_cell, NewCell, launch, and a message to the new actor.
  void spawn() {
    wait_until([this] { return in_free_list.peek(); });
    in_free_list.load(std::memory_order_acquire);
    if (!Box::claim(in)) return;  // a stale push has woken it: another cell is taken
    take_up();
    expect(is_free, "an actor is spawned into a cell that is used");
    is_free = false;
    life = 1;
    is_reused = true;
    if (sleep()) go_on();
    fresh.to_generation = 1;
    tell(fresh, 1);
  }
  void handle(ExploredLink& link) {
    const bool is_mine = link.to_generation == generation.load(std::memory_order_relaxed);
    if (is_free || !is_mine) {
      ++bounced;
      expect(&link == &stale, "a message to the living actor bounces");
      return;
    }
    expect(link.number == static_cast<int>(life), "a message reaches another life");
    ++handled;
  }
  void handle(ExploredCommand&) { ++orders; }
  void check() {
    check_that_it_sleeps();
    expect(orders == 1, "a command is lost");
    expect(bounced + handled + (was_refused ? 1 : 0) == (is_reused ? 2 : 1), "a message is lost");
    if (is_reused) expect(handled >= 1, "a message to the living actor is lost");
  }
};

// ---- timers

/// Two timers become due while their actor cancels them. Each is freed once: when it is cancelled,
/// or when its command comes.
struct TimerStory {
  static constexpr const char* names[] = {"owner", "service thread"};
  struct Timer : ExploredCommand, troupe::detail::WheelEntry {
    Plain<bool> is_freed{"a timer", false};
    Plain<int> to_generation{"a timer's command", 0};
  };
  troupe::detail::BasicTimerTable<ExploredMutex> table{TimePoint{}};
  WaitingActor owner;
  Timer timers[2];
  int freed = 0;

  void run(std::size_t me) {
    if (me == 1) {
      fire_due();
      fire_due();
      return;
    }
    for (Timer& timer : timers) table.insert(timer, TimePoint{Duration{1}});
    for (Timer& timer : timers) cancel(timer);
    while (freed < 2) handle_commands();
  }
  /// release_timer.
  void cancel(Timer& timer) {
    if (table.remove(timer)) free(timer);
  }
  /// Cell::handle_timer of one that is cancelled.
  void handle_commands() {
    for (ExploredCommand* c = owner.wait_for_commands(); c != nullptr;) {
      ExploredCommand* const next = c->next;
      free(static_cast<Timer&>(*c));
      c = next;
    }
  }
  void free(Timer& timer) {
    expect(!timer.is_freed, "a timer is freed twice");
    timer.is_freed = true;
    ++freed;
  }
  /// TimerService::fire_due.
  void fire_due() {
    troupe::detail::DueTimers due;
    table.take_due(TimePoint{std::chrono::milliseconds(5)}, due);
    for (troupe::detail::WheelEntry* entry : due.entries) {
      auto& timer = static_cast<Timer&>(*entry);
      expect(!timer.is_freed, "a timer fires that is freed");
      timer.to_generation = 1;
      owner.command(timer);
    }
  }
  void check() { expect(timers[0].is_freed.peek() && timers[1].is_freed.peek(), "one is lost"); }
};

}  // namespace

TEST_CASE("S79 S10 explored: mail, a command and going idle: nothing is lost, one owner, in order",
          "[runtime][explored]") {
  require_all<MailboxStory<true>>("mailbox, two senders", 5000);
  require_all<MailboxStory<false>>("mailbox, a sender and a command", 5000);
  require_all<MailboxOfAll>("mailbox, two senders and a command", 5000);
}

TEST_CASE("S10 explored: the deque's owner and two thieves take each item once",
          "[runtime][explored]") {
  require_all<DequeStory>("deque", 5000);
}

TEST_CASE("S79 explored: work that is queued while a worker parks wakes it, or is seen",
          "[runtime][explored]") {
  require_all<InjectStory>("parker, work from outside", 5000);
  require_all<StuckStory>("parker, work of a worker that is stuck", 5000);
}

TEST_CASE("S47 explored: a cell is reused while somebody still tells the actor that was in it",
          "[runtime][explored]") {
  require_all<ReuseStory>("cell reuse", 5000);
}

TEST_CASE("S32 explored: a timer that is cancelled while it becomes due is freed once",
          "[runtime][explored]") {
  require_all<TimerStory>("timer cancellation", 5000, {.preemptions = 10});
}
