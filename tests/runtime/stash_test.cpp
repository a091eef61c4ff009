// Stash, become, urgent messages, receive timeout: what is handled when, and by what.
#include <troupe/runtime/behavior.hpp>

#include <catch2/catch.hpp>
#include <troupe/runtime/runtime.hpp>

#include "support/schedules.hpp"

using namespace std::chrono_literals;
using troupe::test::on_every_schedule;
using troupe::test::on_seeds;
using troupe::testkit::Probe;
using troupe::testkit::TestSystem;

namespace {

struct Item {
  int n;
};
struct Query {
  int n;
  using Reply = int;
};
struct Open {};
struct Close {};
struct Crash {};
struct Note {
  std::string text;
};

std::string numbered(const char* what, int n) {
  return what + std::to_string(n);
}

/// Stashes what comes while it is closed.
class Gate : public troupe::Actor<Item, Query, Open, Close, Crash> {
 public:
  explicit Gate(troupe::Ref<Note> notes) : notes_(notes) {}
  void receive(const Item& m) {
    if (!open_) {
      stash(m);
      return;
    }
    notes_.tell(Note{numbered("item ", m.n)});
  }
  troupe::Forwarded<int> receive(const Query& m) {
    if (!open_) return stash(m);
    return forward(answering_, m);
  }
  void receive(const Open&) {
    open_ = true;
    unstash_all();
  }
  void receive(const Close&) { open_ = false; }
  void receive(const Crash&) { throw std::runtime_error("crash"); }
  void on_start() override { answering_ = spawn<Answering>(); }

 private:
  class Answering : public troupe::Actor<Query> {
   public:
    int receive(const Query& m) { return m.n; }
  };
  troupe::Ref<Note> notes_;
  troupe::Ref<Query> answering_;
  bool open_ = false;
};

std::vector<std::string> texts(Probe<Note>& probe, TestSystem& system) {
  system.settle();
  std::vector<std::string> all;
  while (probe.waiting() > 0) all.push_back(probe.expect<Note>().text);
  return all;
}

using Texts = std::vector<std::string>;

}  // namespace

TEST_CASE("S27 unstash_all: stashed messages in stash order, before any that waits in the mailbox",
          "[runtime]") {
  on_every_schedule([](TestSystem& system) {
    Probe<Note> notes{system};
    auto gate = system.spawn<Gate>(notes.ref());
    for (int n = 1; n <= 3; ++n) gate.tell(Item{n});
    gate.tell(Open{});
    for (int n = 4; n <= 5; ++n) gate.tell(Item{n});
    REQUIRE(texts(notes, system) == Texts{"item 1", "item 2", "item 3", "item 4", "item 5"});
  });
}

TEST_CASE("S27 a stashed request is answered when its turn comes, and times out when it does not",
          "[runtime]") {
  on_every_schedule([](TestSystem& system) {
    Probe<Note> notes{system};
    auto gate = system.spawn<Gate>(notes.ref());
    auto answer = gate.ask(Query{7}, 10s);
    auto late = gate.ask(Query{8}, 1s);
    system.settle();
    system.advance(2s);
    REQUIRE(late.try_await().error().kind == troupe::AskErrorKind::timeout);
    gate.tell(Open{});
    REQUIRE(answer.await() == 7);
    system.settle();
    REQUIRE(system.metrics().dropped_for(troupe::DropReason::expired) == 1);
  });
}

namespace {

/// Stashes every second handling of a number, also while it unstashes.
class Again : public troupe::Actor<Item, Open> {
 public:
  explicit Again(troupe::Ref<Note> notes) : notes_(notes) {}
  void receive(Item&& m) {
    notes_.tell(Note{numbered("sees ", m.n)});
    stash(std::move(m));
  }
  void receive(const Open&) {
    notes_.tell(Note{"opens"});
    unstash_all();
  }

 private:
  troupe::Ref<Note> notes_;
};

/// Stashes the same message twice.
class Twice : public troupe::Actor<Query> {
 public:
  int receive(const Query& m) {
    stash(m);
    try {
      stash(m);
    } catch (const troupe::UsageError&) {
      ++refusals;
    }
    return 0;
  }
  static inline std::atomic<int> refusals{0};  // NOLINT: the actor has no other way out
};

struct Ready {
  using Reply = std::string;
};
/// Looks before it stashes.
class Careful : public troupe::Actor<Item, Ready> {
 public:
  void receive(const Item& m) {
    stash_is_full() ? static_cast<void>(++turned_away_) : static_cast<void>(stash(m));
  }
  std::string receive(const Ready&) {
    return std::to_string(stash_size()) + " stashed, " + std::to_string(turned_away_) + " not";
  }

 private:
  int turned_away_ = 0;
};

/// Goes on after an overflow.
class Hoarder : public troupe::Actor<Item, Ready> {
 public:
  void receive(const Item& m) {
    try {
      stash(m);
    } catch (const troupe::StashOverflow&) {
      ++overflows_;
    }
  }
  std::string receive(const Ready&) {
    return std::to_string(stash_size()) + " stashed, " + std::to_string(overflows_) + " not";
  }

 private:
  int overflows_ = 0;
};

}  // namespace

TEST_CASE("S28 what is stashed while stashed messages are handled waits for the next unstash_all",
          "[runtime]") {
  on_every_schedule([](TestSystem& system) {
    Probe<Note> notes{system};
    auto again = system.spawn<Again>(notes.ref());
    again.tell(Item{1});
    again.tell(Item{2});
    again.tell(Open{});
    REQUIRE(texts(notes, system) == Texts{"sees 1", "sees 2", "opens", "sees 1", "sees 2"});
    again.tell(Open{});
    REQUIRE(texts(notes, system) == Texts{"opens", "sees 1", "sees 2"});
  });
}

TEST_CASE("S29 C137 the same message can't be stashed twice", "[runtime]") {
  Twice::refusals = 0;
  TestSystem system{1};
  auto twice = system.spawn<Twice>();
  auto ask = twice.ask(Query{1}, 1s);
  system.settle();
  REQUIRE(Twice::refusals == 1);
  system.advance(2s);
  REQUIRE(ask.try_await().error().kind == troupe::AskErrorKind::timeout);
}

TEST_CASE("S26 C134 a full stash fails the actor, unless it looks before", "[runtime]") {
  auto recorder = std::make_shared<troupe::test::Recorder>();
  on_every_schedule(
      [&](TestSystem& system) {
        recorder->clear();
        Probe<Note> notes{system};
        auto gate = system.spawn<Gate>({.stash_max = 3}, notes.ref());
        for (int n = 0; n < 4; ++n) gate.tell(Item{n});
        system.settle();
        const auto failed = recorder->all("failed");
        REQUIRE(failed.size() == 1);
        REQUIRE_THAT(failed[0].text, Catch::Contains("the stash holds 3 messages"));
        auto careful = system.spawn<Careful>({.stash_max = 3});
        for (int n = 0; n < 5; ++n) careful.tell(Item{n});
        REQUIRE(careful.ask(Ready{}).await() == "3 stashed, 2 not");
        auto hoarder = system.spawn<Hoarder>({.stash_max = 3});
        for (int n = 0; n < 4; ++n) hoarder.tell(Item{n});
        REQUIRE(hoarder.ask(Ready{}).await() == "3 stashed, 1 not");
      },
      troupe::test::observed_by(recorder));
}

TEST_CASE("S31 at the end stashed messages are dead letters, and stashed requests fail",
          "[runtime]") {
  auto recorder = std::make_shared<troupe::test::Recorder>();
  on_every_schedule(
      [&](TestSystem& system) {
        recorder->clear();
        Probe<Note> notes{system};
        auto gate = system.spawn<Gate>(notes.ref());
        gate.tell(Item{1});
        auto ask = gate.ask(Query{1}, 1h);
        system.settle();
        system.stop(gate).await();
        REQUIRE(ask.try_await().error().kind == troupe::AskErrorKind::receiver_down);
        REQUIRE(recorder->count("dead_letter") == 2);
        REQUIRE(system.metrics().dropped_for(troupe::DropReason::stashed) == 2);
      },
      troupe::test::observed_by(recorder));
}

// ---- become

namespace {

struct Push {};
struct Count {
  using Reply = int;
};
struct Later {
  using Reply = int;
};

class Switch : public troupe::Actor<Push, Count, Later, Crash, troupe::Private<Note>> {
 public:
  void receive(const Push&) {
    become([this](const Push&) { unbecome(); },       // back to the class
           [this](const Count&) { return -count_; },  // NOLINT
           [](const Later&, troupe::ReplyTo<int> reply) { reply(99); }, troupe::otherwise_receive);
    ++count_;
  }
  int receive(const Count&) { return count_; }
  int receive(const Later&) { return 0; }
  void receive(const Crash&) { throw std::runtime_error("crash"); }
  void receive(const Note&) {}

 private:
  int count_ = 0;
};

class Locked : public troupe::Actor<Query, Open, Close> {
 public:
  void on_start() override { lock(); }
  int receive(const Query& m) { return m.n; }
  void receive(const Open&) {}
  void receive(const Close&) { lock(); }

 private:
  void lock() {
    become(
        [this](const Open&) {
          unbecome();
          unstash_all();
        },
        troupe::otherwise_stash);
  }
};

class Picky : public troupe::Actor<Query, Open> {
 public:
  void on_start() override {
    become([](const Open&) {}, troupe::otherwise_drop);
  }
  int receive(const Query& m) { return m.n; }
  void receive(const Open&) {}
};

}  // namespace

TEST_CASE("become: lambdas handle messages in place of the class, until unbecome", "[runtime]") {
  on_every_schedule([](TestSystem& system) {
    auto s = system.spawn<Switch>();
    REQUIRE(s.ask(Count{}).await() == 0);
    REQUIRE(s.ask(Later{}).await() == 0);
    s.tell(Push{});
    REQUIRE(s.ask(Count{}).await() == -1);
    REQUIRE(s.ask(Later{}).await() == 99);
    s.tell(Push{});
    REQUIRE(s.ask(Count{}).await() == 1);
  });
}

TEST_CASE("become: what no lambda takes is stashed, dropped, or for the class, as it says",
          "[runtime]") {
  on_every_schedule([](TestSystem& system) {
    auto locked = system.spawn<Locked>();
    auto waiting = locked.ask(Query{5}, 1h);
    auto dropped = system.spawn<Picky>().ask(Query{5}, 1h).try_await();
    REQUIRE(dropped.error().kind == troupe::AskErrorKind::wrong_protocol);
    REQUIRE(system.metrics().dropped_for(troupe::DropReason::unhandled) == 1);
    locked.tell(Open{});
    REQUIRE(waiting.await() == 5);
    locked.tell(Close{});
    auto again = locked.ask(Query{6}, 1h);
    locked.tell(Open{});
    REQUIRE(again.await() == 6);
  });
}

TEST_CASE("C71 a message that is not expected fails its ask - the receiver takes the next one",
          "[runtime]") {
  class Narrow : public troupe::Actor<Query, Count> {
   public:
    void on_start() override {
      become([](const Query& m) { return m.n; }, troupe::otherwise_drop);
    }
    int receive(const Query&) { return -1; }
    int receive(const Count&) { return -1; }
  };
  on_every_schedule([](TestSystem& system) {
    auto narrow = system.spawn<Narrow>();
    REQUIRE(narrow.ask(Count{}, 1h).try_await().error().kind ==
            troupe::AskErrorKind::wrong_protocol);
    REQUIRE(narrow.ask(Query{5}).await() == 5);
    REQUIRE(system.metrics().dropped_for(troupe::DropReason::unhandled) == 1);
  });
}

TEST_CASE("S26 become: an overflow by otherwise_stash is a failure too", "[runtime]") {
  auto recorder = std::make_shared<troupe::test::Recorder>();
  on_seeds(
      [&](TestSystem& system) {
        recorder->clear();
        auto locked = system.spawn<Locked>({.stash_max = 1});
        auto first = locked.ask(Query{1}, 1h);
        auto second = locked.ask(Query{2}, 1h);
        REQUIRE(second.try_await().error().kind == troupe::AskErrorKind::receiver_down);
        REQUIRE(first.try_await().error().kind == troupe::AskErrorKind::receiver_down);
        REQUIRE_THAT(recorder->all("failed").at(0).text, Catch::Contains("overflow"));
      },
      troupe::test::observed_by(recorder));
}

// ---- urgent messages

namespace {
struct Work {
  int n;
};
class Busy : public troupe::Actor<Work, Query> {
 public:
  Busy(troupe::Ref<Note> notes, troupe::Ref<Query> slow) : notes_(notes), slow_(slow) {}
  void receive(const Work& m) {
    if (m.n == 0) static_cast<void>(slow_.ask(Query{0}, 1h).await());
    notes_.tell(Note{numbered("work ", m.n)});
  }
  int receive(const Query& m) { return m.n; }

 private:
  troupe::Ref<Note> notes_;
  troupe::Ref<Query> slow_;
};
}  // namespace

TEST_CASE(
    "S22 C90 C96 urgent messages are handled before waiting mail, in order, and interrupt no "
    "handler",
    "[runtime]") {
  on_every_schedule([](TestSystem& system) {
    Probe<Note> notes{system};
    Probe<Query> slow{system};
    auto busy = system.spawn<Busy>(notes.ref(), slow.ref());
    for (int n = 0; n < 3; ++n) busy.tell(Work{n});
    slow.expect<Query>();
    for (int n = 10; n < 13; ++n) REQUIRE(busy.tell_urgent(Work{n}) == troupe::Sent::ok);
    system.settle();
    slow.reply<Query>(0);
    REQUIRE(texts(notes, system) ==
            Texts{"work 0", "work 10", "work 11", "work 12", "work 1", "work 2"});
    system.stop(busy).await();
    REQUIRE(busy.tell_urgent(Work{1}) == troupe::Sent::dead);
    REQUIRE(system.metrics().dropped_for(troupe::DropReason::no_actor) == 1);
  });
}

// ---- receive timeout

namespace {
struct Heartbeat {
  static constexpr bool influences_receive_timeout = false;
};
struct Quiet {
  std::optional<troupe::Duration> after;
};
class Sleepy : public troupe::Actor<Open, Heartbeat, Quiet> {
 public:
  explicit Sleepy(troupe::Ref<Note> notes) : notes_(notes) {}
  void on_start() override { set_receive_timeout(10s); }
  void receive(const Open&) {}
  void receive(const Heartbeat&) {}
  void receive(const Quiet& m) { set_receive_timeout(m.after); }
  void receive(const troupe::ReceiveTimeout&) { notes_.tell(Note{"quiet"}); }

 private:
  troupe::Ref<Note> notes_;
};
}  // namespace

TEST_CASE(
    "S36 C52 C119 receive timeout: after so long without a message that counts, again and again, "
    "until it is cancelled",
    "[runtime]") {
  on_every_schedule([](TestSystem& system) {
    Probe<Note> notes{system};
    auto sleepy = system.spawn<Sleepy>(notes.ref());
    system.settle();
    system.advance(9s);
    sleepy.tell(Open{});
    REQUIRE(texts(notes, system).empty());
    system.advance(9s);
    sleepy.tell(Heartbeat{});  // does not count
    REQUIRE(texts(notes, system).empty());
    system.advance(1s);
    REQUIRE(texts(notes, system).size() == 1);
    system.advance(20s);
    REQUIRE(texts(notes, system).size() == 2);
    sleepy.tell(Quiet{std::nullopt});
    system.settle();
    system.advance(1h);
    REQUIRE(texts(notes, system).empty());
  });
}

TEST_CASE("S36 C122 a receive timeout of for ever never comes - one of zero is refused",
          "[runtime]") {
  on_every_schedule([](TestSystem& system) {
    Probe<Note> notes{system};
    Probe<troupe::Terminated> watcher{system};
    auto sleepy = system.spawn<Sleepy>(notes.ref());
    watcher.watch(sleepy);
    sleepy.tell(Quiet{troupe::no_timeout});
    system.settle();
    system.advance(1000h);
    REQUIRE(texts(notes, system).empty());
    sleepy.tell(Quiet{1s});
    system.settle();
    system.advance(1s);
    REQUIRE(texts(notes, system).size() == 1);
    sleepy.tell(Quiet{0s});
    REQUIRE_THAT(std::string(watcher.expect<troupe::Terminated>().why.text()),
                 Catch::Contains("longer than zero"));
  });
}

namespace {
class NotHandled : public troupe::Actor<Open> {
 public:
  void on_start() override { set_receive_timeout(1s); }
  void receive(const Open&) {}
};
}  // namespace

TEST_CASE("S36 a receive timeout without a handler for it is an error that says so", "[runtime]") {
  auto recorder = std::make_shared<troupe::test::Recorder>();
  TestSystem system{1, troupe::testkit::Schedule::seeded, troupe::test::observed_by(recorder)};
  system.spawn<NotHandled>();
  system.settle();
  REQUIRE_THAT(recorder->all("failed").at(0).text,
               Catch::Contains("receive(const ReceiveTimeout&)"));
}

TEST_CASE("S31 a tick that a behavior stashes is a message like others from then on", "[runtime]") {
  struct Tick {};
  struct Start {};
  class Sleeper : public troupe::Actor<Start, troupe::Private<Tick>> {
   public:
    void receive(const Start&) {
      start_timer("once", 1s, Tick{});
      every("often", 1s, Tick{}, troupe::after_completion);
      become([](const Start&) {}, troupe::otherwise_stash);
    }
    void receive(const Tick&) {}
  };
  on_every_schedule([](TestSystem& system) {
    auto sleeper = system.spawn<Sleeper>();
    sleeper.tell(Start{});
    system.advance(10s);
    system.stop(sleeper).await();
    REQUIRE(system.metrics().dropped_for(troupe::DropReason::stashed) >= 2);
  });
}
