// Bounded mailboxes and priorities.
#include <troupe/runtime/mailbox.hpp>

#include <thread>

#include <catch2/catch.hpp>
#include <troupe/runtime/runtime.hpp>

#include "support/schedules.hpp"

using namespace std::chrono_literals;
using troupe::DropReason;
using troupe::Overflow;
using troupe::Sent;
using troupe::test::on_every_schedule;
using troupe::testkit::Probe;
using troupe::testkit::TestSystem;

namespace {

struct Item {
  int n;
};
struct Hold {
  using Reply = int;
};
struct Query {
  using Reply = int;
};
struct Alarm {
  int n;
};
struct Note {
  std::string text;
};
struct Lost {
  int n;
};

/// Waits in Hold until it is let go, so that its mailbox fills.
class Slow : public troupe::Actor<Item, Hold, Query, Alarm> {
 public:
  Slow(troupe::Ref<Hold> gate, troupe::Ref<Note> notes) : gate_(gate), notes_(notes) {}
  int receive(const Hold&) { return gate_.ask(Hold{}, troupe::no_timeout).await(); }
  void receive(const Item& m) { notes_.tell(Note{"item " + std::to_string(m.n)}); }
  void receive(const Alarm& m) { notes_.tell(Note{"alarm " + std::to_string(m.n)}); }
  int receive(const Query&) { return 1; }

 private:
  troupe::Ref<Hold> gate_;
  troupe::Ref<Note> notes_;
};

/// A Slow that waits, its mailbox of these options, and a recorder of dead letters.
struct Fixture {
  Fixture(TestSystem& s, troupe::MailboxOptions mailbox) : system(s) {
    slow = system.spawn<Slow>({.mailbox = std::move(mailbox)}, gate.ref(), notes.ref());
    slow.tell(Hold{});
    gate.expect<Hold>();
  }
  std::vector<std::string> let_go() {
    gate.reply<Hold>(0);
    system.settle();
    std::vector<std::string> texts;
    while (notes.waiting() > 0) texts.push_back(notes.expect<Note>().text);
    return texts;
  }
  std::uint64_t dropped() { return system.metrics().dropped_for(DropReason::mailbox_full); }
  TestSystem& system;
  Probe<Hold> gate{system};
  Probe<Note> notes{system};
  troupe::Ref<Slow> slow;
};
using Texts = std::vector<std::string>;

}  // namespace

TEST_CASE(
    "S23 C95 fail: what finds no room is refused, counted and a dead letter - the rest arrives in "
    "order",
    "[runtime]") {
  auto recorder = std::make_shared<troupe::test::Recorder>();
  on_every_schedule(
      [&](TestSystem& system) {
        recorder->clear();
        Fixture f{system, troupe::bounded(3)};
        for (int n = 1; n <= 3; ++n) REQUIRE(f.slow.tell(Item{n}) == Sent::ok);
        for (int n = 4; n <= 5; ++n) REQUIRE(f.slow.tell(Item{n}) == Sent::full);
        REQUIRE(f.dropped() == 2);
        REQUIRE(recorder->count("dead_letter") == 2);
        REQUIRE(f.let_go() == Texts{"item 1", "item 2", "item 3"});
        REQUIRE(f.slow.tell(Item{6}) == Sent::ok);
      },
      troupe::test::observed_by(recorder));
}

TEST_CASE("S24 an ask to a full mailbox fails at once", "[runtime]") {
  on_every_schedule([](TestSystem& system) {
    Fixture f{system, troupe::bounded(1)};
    f.slow.tell(Item{1});
    const auto before = system.now();
    REQUIRE(f.slow.ask(Query{}, 1h).try_await().error().kind == troupe::AskErrorKind::mailbox_full);
    REQUIRE(system.now() == before);
    f.let_go();
    REQUIRE(f.slow.ask(Query{}, 1h).await() == 1);
  });
}

TEST_CASE("S23 drop_new and drop_old: the newest goes unseen, or the oldest makes room",
          "[runtime]") {
  on_every_schedule([](TestSystem& system) {
    {
      Fixture f{system, troupe::bounded(2, Overflow::drop_new)};
      for (int n = 1; n <= 4; ++n) REQUIRE(f.slow.tell(Item{n}) == Sent::ok);
      REQUIRE(f.dropped() == 2);
      REQUIRE(f.let_go() == Texts{"item 1", "item 2"});
    }
    Fixture f{system, troupe::bounded(2, Overflow::drop_old)};
    auto ask = f.slow.ask(Query{}, 1h);
    for (int n = 1; n <= 4; ++n) REQUIRE(f.slow.tell(Item{n}) == Sent::ok);
    REQUIRE(f.dropped() == 2 + 3);
    REQUIRE(ask.try_await().error().kind == troupe::AskErrorKind::mailbox_full);
    REQUIRE(f.let_go() == Texts{"item 3", "item 4"});
  });
}

TEST_CASE("S23 redirect and transform: what finds no room goes elsewhere, as it is or changed",
          "[runtime]") {
  on_every_schedule([](TestSystem& system) {
    Probe<Item, Query> other{system};
    {
      auto options = troupe::bounded(1, Overflow::redirect);
      options.redirect_to = other.ref();
      Fixture f{system, options};
      for (int n = 1; n <= 2; ++n) f.slow.tell(Item{n});
      REQUIRE(other.expect<Item>().n == 2);
      auto ask = f.slow.ask(Query{}, 1h);
      other.expect<Query>();
      other.reply<Query>(9);
      REQUIRE(ask.await() == 9);
      REQUIRE(f.let_go() == Texts{"item 1"});
    }
    Probe<Lost> lost{system};
    auto options = troupe::bounded(1, Overflow::transform);
    options.transforms = {troupe::transform_of<Item>(troupe::Ref<Lost>{lost.ref()},
                                                     [](Item&& m) { return Lost{m.n}; })};
    Fixture f{system, options};
    for (int n = 1; n <= 2; ++n) f.slow.tell(Item{n});
    REQUIRE(lost.expect<Lost>().n == 2);
    REQUIRE(f.slow.ask(Query{}, 1h).try_await().error().kind ==
            troupe::AskErrorKind::mailbox_full);  // no function for it
    REQUIRE(f.let_go() == Texts{"item 1"});
  });
}

namespace {
struct AskSlow {
  troupe::Ref<Query> slow;
  using Reply = std::string;
};
class Asker : public troupe::Actor<AskSlow, Query> {
 public:
  std::string receive(const AskSlow& m) {
    const auto answer = m.slow.ask(Query{}, troupe::no_timeout).try_await();
    return std::string(answer ? "answered" : to_string(answer.error().kind));
  }
  int receive(const Query&) { return 2; }
};
}  // namespace

TEST_CASE("S23 S138 who asks a full mailbox that redirects to the asker does not wait for itself",
          "[runtime]") {
  on_every_schedule([](TestSystem& system) {
    auto asker = system.spawn<Asker>();
    auto to_asker = troupe::bounded(1, Overflow::redirect);
    to_asker.redirect_to = asker;
    Fixture f{system, to_asker};
    f.slow.tell(Item{1});
    REQUIRE(asker.ask(AskSlow{f.slow}, 1h).await() == to_string(troupe::AskErrorKind::cycle));
    REQUIRE(f.let_go() == Texts{"item 1"});
    REQUIRE(asker.ask(AskSlow{f.slow}, 1h).await() == "answered");
  });
}

TEST_CASE("S23 two full mailboxes that redirect to each other pass a message on once, and drop it",
          "[runtime]") {
  on_every_schedule([](TestSystem& system) {
    auto to_third = troupe::bounded(1, Overflow::redirect);
    Probe<Item> third{system};
    to_third.redirect_to = third.ref();
    Fixture first{system, to_third};
    auto to_first = troupe::bounded(1, Overflow::redirect);
    to_first.redirect_to = first.slow;
    Fixture second{system, to_first};
    first.slow.tell(Item{1});
    second.slow.tell(Item{2});
    REQUIRE(second.slow.tell(Item{3}) == Sent::full);  // to the first, which is full too
    REQUIRE(first.dropped() == 1);
    REQUIRE(third.waiting() == 0);
    first.let_go();
    second.let_go();
  });
}

TEST_CASE("S8 a transform that throws drops the message, counted and a dead letter", "[runtime]") {
  auto recorder = std::make_shared<troupe::test::Recorder>();
  on_every_schedule(
      [&](TestSystem& system) {
        recorder->clear();
        Probe<Lost> lost{system};
        auto options = troupe::bounded(1, Overflow::transform);
        options.transforms = {troupe::transform_of<Item>(
            troupe::Ref<Lost>{lost.ref()}, [](Item&&) -> Lost { throw std::runtime_error("no"); })};
        Fixture f{system, options};
        f.slow.tell(Item{1});
        REQUIRE(f.slow.tell(Item{2}) == Sent::full);
        REQUIRE(f.dropped() == 1);
        REQUIRE(recorder->count("dead_letter") == 1);
        f.let_go();
      },
      troupe::test::observed_by(recorder));
}

TEST_CASE("mailbox options that contradict themselves are refused where the actor is spawned",
          "[runtime]") {
  on_every_schedule([](TestSystem& system) {
    Probe<Hold> gate{system};
    Probe<Note> notes{system};
    const auto refused = [&](const troupe::MailboxOptions& options, const char* what) {
      REQUIRE_THROWS_WITH(system.spawn<Slow>({.mailbox = options}, gate.ref(), notes.ref()),
                          Catch::Contains(what));
    };
    refused(troupe::bounded(1, Overflow::redirect), "redirect_to");
    refused(troupe::bounded(1, Overflow::transform), "transforms");
    troupe::MailboxOptions options;
    options.priorities = {troupe::priority_of<Alarm>(256)};
    refused(options, "at most 255");
    system.settle();
    REQUIRE(system.actor_count() == 2);  // the probes
  });
}

TEST_CASE("S23 wait: send waits for room, in line - tell does not - who gives up sends nothing",
          "[runtime]") {
  on_every_schedule([](TestSystem& system) {
    Fixture f{system, troupe::bounded(1, Overflow::wait)};
    f.slow.send(Item{1}).await();
    REQUIRE(f.slow.tell(Item{2}) == Sent::full);
    auto third = f.slow.send(Item{3}, 1h);
    auto fourth = f.slow.send(Item{4}, 1s);
    auto fifth = f.slow.send(Item{5}, 1h);
    REQUIRE(fourth.try_await().error().kind == troupe::AskErrorKind::timeout);
    REQUIRE(f.let_go() == Texts{"item 1", "item 3", "item 5"});
    third.await();
    fifth.await();
    REQUIRE(f.dropped() == 2);
    auto plain = system.spawn<Slow>(f.gate.ref(), f.notes.ref());
    plain.send(Item{6}).await();  // an unbounded mailbox has room
    REQUIRE(f.notes.expect<Note>().text == "item 6");
    system.stop(plain).await();
    REQUIRE(plain.send(Item{7}).try_await().error().kind == troupe::AskErrorKind::receiver_down);
  });
}

TEST_CASE("S23 who waited for room in vain leaves the line, also where nothing is taken any more",
          "[runtime]") {
  on_every_schedule([](TestSystem& system) {
    Fixture f{system, troupe::bounded(1, Overflow::wait)};
    f.slow.send(Item{1}).await();
    constexpr int tries = 200;
    for (int i = 0; i < tries; ++i) REQUIRE_FALSE(f.slow.send(Item{2}, 1ms).try_await());
    REQUIRE(f.dropped() >= tries - 20);  // the rest when it takes, or ends
    REQUIRE(f.let_go() == Texts{"item 1"});
    REQUIRE(f.dropped() == tries);
  });
}

namespace {
struct Start {
  using Reply = std::string;
};
/// Sends to an actor that waits for this one.
class Pusher : public troupe::Actor<Start, Query> {
 public:
  explicit Pusher(troupe::Ref<Item, Start> other) : other_(other) {}
  std::string receive(const Start&) {
    const auto sent = other_.send(Item{1}, troupe::no_timeout).try_await();
    return sent ? "sent" : std::string(to_string(sent.error().kind));
  }
  int receive(const Query&) { return 1; }

 private:
  troupe::Ref<Item, Start> other_;
};
class Puller : public troupe::Actor<Item, Start, Query> {
 public:
  void receive(const Item&) {}
  std::string receive(const Start&) {
    self().tell(Item{0});  // its mailbox is full
    return pusher_.ask(Start{}, troupe::no_timeout).await();
  }
  int receive(const Query&) { return 1; }
  static inline troupe::Ref<Start> pusher_;  // NOLINT: set once before it runs
};
}  // namespace

TEST_CASE("S138 waiting for room is an edge: a ring through it fails at once", "[runtime]") {
  on_every_schedule([](TestSystem& system) {
    auto puller = system.spawn<Puller>({.mailbox = troupe::bounded(1, Overflow::wait)});
    Puller::pusher_ = system.spawn<Pusher>(puller);
    REQUIRE(puller.ask(Start{}, 1h).await() == "cycle of waits");
  });
}

TEST_CASE("S6 C96 priorities: lower numbers first, in order of arrival within one", "[runtime]") {
  on_every_schedule([](TestSystem& system) {
    troupe::MailboxOptions options;
    options.priorities = {troupe::priority_of<Alarm>(0)};
    Fixture f{system, options};
    for (int n = 1; n <= 3; ++n) {
      f.slow.tell(Item{n});
      f.slow.tell(Alarm{n});
    }
    REQUIRE(f.let_go() == Texts{"alarm 1", "alarm 2", "alarm 3", "item 1", "item 2", "item 3"});
  });
}

TEST_CASE("S22 S31 a bounded mailbox does not bound commands, and its mail ends with its actor",
          "[runtime]") {
  auto recorder = std::make_shared<troupe::test::Recorder>();
  on_every_schedule(
      [&](TestSystem& system) {
        recorder->clear();
        Fixture f{system, troupe::bounded(2, Overflow::wait)};
        for (int n = 1; n <= 2; ++n) f.slow.tell(Item{n});
        auto waiting = f.slow.send(Item{3}, 1h);
        Probe<troupe::Terminated> watcher{system};
        watcher.watch(f.slow);
        system.kill(f.slow);
        watcher.expect<troupe::Terminated>();
        REQUIRE(waiting.try_await().error().kind == troupe::AskErrorKind::receiver_down);
        REQUIRE(system.metrics().dropped_for(DropReason::ended) == 3);
        REQUIRE(f.slow.tell(Item{4}) == Sent::dead);
      },
      troupe::test::observed_by(recorder));
}

namespace {
struct Add {
  int n;
};
struct Total {
  using Reply = long;
};
class Sum : public troupe::Actor<Add, Total> {
 public:
  void receive(const Add& m) { total_ += m.n; }
  long receive(const Total&) { return total_; }

 private:
  long total_ = 0;
};
}  // namespace

TEST_CASE(
    "S79 S23 threads fill a bounded mailbox: what was taken in is handled, and no wake-up is lost",
    "[stress]") {
  troupe::SystemOptions options;
  options.workers = 2;
  options.log = troupe::no_log();
  troupe::System system{options};
  auto sum = system.spawn<Sum>({.mailbox = troupe::bounded(16, Overflow::wait)});
  std::atomic<long> sent{0};
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&, t] {
      for (int i = 0; i < 5000; ++i) {
        if (t == 0) {
          if (sum.send(Add{1}, 60s).try_await()) ++sent;
        } else if (sum.tell(Add{1}) == Sent::ok) {
          ++sent;
        }
      }
    });
  }
  for (auto& thread : threads) thread.join();
  long total = -1;
  while (total < 0) {  // the question may find no room
    const auto answer = sum.ask(Total{}, 60s).try_await();
    if (answer) total = *answer;
  }
  REQUIRE(total == sent);
  REQUIRE(total >= 5000);
}
