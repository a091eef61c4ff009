// Waiting inside a handler: what may happen meanwhile, and how it ends.
#include <troupe/runtime/actor.hpp>

#include <catch2/catch.hpp>
#include <troupe/runtime/runtime.hpp>

#include "support/schedules.hpp"

using namespace std::chrono_literals;
using troupe::test::on_every_schedule;
using troupe::testkit::Probe;
using troupe::testkit::TestSystem;

namespace {

struct Slow {
  int n;
  using Reply = int;
};
struct Run {
  int n;
  using Reply = int;
};
struct Poke {};
struct Note {
  std::string text;
};

struct Scope {  // shows that a frame was unwound
  troupe::Ref<Note> notes;
  int n = 0;
  ~Scope() { notes.tell(Note{n == 0 ? "unwound" : "unwound " + std::to_string(n)}); }
};

template <bool IsReentrant>
class Waiter : public troupe::Actor<Run, Poke> {
 public:
  static constexpr auto turns = IsReentrant ? troupe::reentrant : troupe::exclusive;
  Waiter(troupe::Ref<Slow> slow, troupe::Ref<Note> notes) : slow_(slow), notes_(notes) {}
  int receive(const Run& m) {
    const Scope scope{notes_, IsReentrant ? m.n : 0};
    notes_.tell(Note{"waits " + std::to_string(m.n)});
    const int answer = slow_.ask(Slow{m.n}, 1h).await();
    notes_.tell(Note{"has " + std::to_string(m.n)});  // m is valid across the await
    return answer;
  }
  void receive(const Poke&) { notes_.tell(Note{"poked"}); }
  void on_stop(troupe::StopReason) override { notes_.tell(Note{"on_stop"}); }

 private:
  troupe::Ref<Slow> slow_;
  troupe::Ref<Note> notes_;
};
using Patient = Waiter<false>;
using Reentrant = Waiter<true>;

class CatchesAll : public troupe::Actor<Run> {
 public:
  CatchesAll(troupe::Ref<Slow> slow, troupe::Ref<Note> notes) : slow_(slow), notes_(notes) {}
  int receive(const Run&) {
    for (int tries = 0; tries < 100; ++tries) {
      try {
        return slow_.ask(Slow{1}, 1h).await();
      } catch (const std::exception&) {  // must not swallow a kill
        notes_.tell(Note{"retry"});
      }
    }
    return -1;
  }

 private:
  troupe::Ref<Slow> slow_;
  troupe::Ref<Note> notes_;
};

class Propagates : public troupe::Actor<Run> {
 public:
  explicit Propagates(troupe::Ref<Slow> slow) : slow_(slow) {}
  int receive(const Run& m) { return slow_.ask(Slow{m.n}, 100ms).await(); }

 private:
  troupe::Ref<Slow> slow_;
};

struct Compute {
  using Reply = int;
};
class Blocks : public troupe::Actor<Compute> {
 public:
  int receive(const Compute&) {
    int local = 20;
    const int result = troupe::blocking([&] { return local + ++calls_; });
    try {
      troupe::blocking([] { throw std::runtime_error("disk on fire"); });
    } catch (const std::runtime_error&) {
      return result + 100;
    }
    return result;
  }

 private:
  int calls_ = 0;
};

class InCatch : public troupe::Actor<Run> {
 public:
  explicit InCatch(troupe::Ref<Slow> slow) : slow_(slow) {}
  int receive(const Run& m) {
    try {
      throw m.n;
    } catch (int thrown) {  // an await inside a catch block: the exception in flight belongs to the
                            // frame
      const int answer = slow_.ask(Slow{thrown}, 1h).await();
      try {
        throw;
      } catch (int again) {
        return answer * 1000 + again;
      }
    }
  }

 private:
  troupe::Ref<Slow> slow_;
};

}  // namespace

TEST_CASE("S136 while a handler waits its mailbox stands still", "[runtime]") {
  on_every_schedule([](TestSystem& system) {
    Probe<Slow> slow{system};
    Probe<Note> notes{system};
    auto waiter = system.spawn<Patient>(slow.ref(), notes.ref());
    auto answer = waiter.ask(Run{1});
    waiter.tell(Poke{});
    slow.expect<Slow>();
    REQUIRE(notes.expect<Note>().text == "waits 1");
    notes.expect_no_message(1s);
    slow.reply<Slow>(7);
    REQUIRE(answer.await() == 7);
    REQUIRE(notes.expect<Note>().text == "has 1");
    REQUIRE(notes.expect<Note>().text == "unwound");
    REQUIRE(notes.expect<Note>().text == "poked");
  });
}

namespace {
struct Tie {
  troupe::Ref<> to;
};
struct Item {
  int n;
};
/// Waits in Run, items in its mailbox.
class Queued : public troupe::Actor<Run, Tie, Item> {
 public:
  Queued(troupe::Ref<Slow> slow, troupe::Ref<Note> notes) : slow_(slow), notes_(notes) {}
  int receive(const Run& m) { return slow_.ask(Slow{m.n}, 1h).await(); }
  void receive(const Tie& m) { link(m.to); }
  void receive(const Item& m) { notes_.tell(Note{std::to_string(m.n)}); }

 private:
  troupe::Ref<Slow> slow_;
  troupe::Ref<Note> notes_;
};
}  // namespace

TEST_CASE("S136 S139 C92 mail waits in its order while a handler does - an exit signal does not",
          "[runtime]") {
  on_every_schedule([](TestSystem& system) {
    Probe<Slow> slow{system};
    Probe<Note> notes{system};
    auto waits = system.spawn<Queued>(slow.ref(), notes.ref());
    auto other = system.spawn<Queued>(slow.ref(), notes.ref());
    waits.tell(Tie{other});
    auto first = waits.ask(Run{1}, 1h);
    slow.expect<Slow>();
    for (int n = 0; n < 5; ++n) waits.tell(Item{n});
    notes.expect_no_message();
    slow.reply<Slow>(1);
    for (int n = 0; n < 5; ++n) REQUIRE(notes.expect<Note>().text == std::to_string(n));
    auto second = waits.ask(Run{2}, 1h);
    slow.expect<Slow>();
    waits.tell(Item{5});
    system.settle();
    const auto before = system.now();
    system.kill(other);
    REQUIRE(second.try_await().error().kind == troupe::AskErrorKind::receiver_down);
    system.settle();
    REQUIRE(system.now() == before);
    REQUIRE(system.actor_count() == 2);  // the probes
    notes.expect_no_message();
  });
}

TEST_CASE("S137 a reentrant actor takes other messages meanwhile, and turns never overlap",
          "[runtime]") {
  on_every_schedule([](TestSystem& system) {
    Probe<Slow> slow{system};
    Probe<Note> notes{system};
    auto waiter = system.spawn<Reentrant>(slow.ref(), notes.ref());
    auto first = waiter.ask(Run{1}, 1h);
    auto second = waiter.ask(Run{2}, 1h);
    waiter.tell(Poke{});
    REQUIRE(notes.expect<Note>().text == "waits 1");
    REQUIRE(notes.expect<Note>().text == "waits 2");
    REQUIRE(notes.expect<Note>().text == "poked");
    slow.expect<Slow>();
    slow.reply<Slow>(10);
    REQUIRE(first.await() == 10);
    slow.expect<Slow>();
    slow.reply<Slow>(20);
    REQUIRE(second.await() == 20);
  });
}

TEST_CASE("S139 kill cancels a wait: destructors run on the actor, then on_stop", "[runtime]") {
  on_every_schedule([](TestSystem& system) {
    Probe<Slow> slow{system};
    Probe<Note> notes{system};
    auto waiter = system.spawn<Patient>(slow.ref(), notes.ref());
    auto answer = waiter.ask(Run{1}, 1h);
    slow.expect<Slow>();
    REQUIRE(notes.expect<Note>().text == "waits 1");
    system.kill(waiter);
    REQUIRE(notes.expect<Note>().text == "unwound");
    REQUIRE(notes.expect<Note>().text == "on_stop");
    REQUIRE(answer.try_await().error().kind == troupe::AskErrorKind::receiver_down);
    slow.reply<Slow>(1);  // too late: counted
    system.settle();
    REQUIRE(system.metrics().dropped_for(troupe::DropReason::late_reply) == 1);
  });
}

TEST_CASE("S137 S139 kill unwinds all frames of a reentrant actor, newest first", "[runtime]") {
  on_every_schedule([](TestSystem& system) {
    Probe<Slow> slow{system};
    Probe<Note> notes{system};
    auto waiter = system.spawn<Reentrant>(slow.ref(), notes.ref());
    std::vector<troupe::Ask<int>> asks;
    for (int i = 1; i <= 5; ++i) asks.push_back(waiter.ask(Run{i}, 1h));
    system.settle();
    for (int i = 1; i <= 5; ++i) REQUIRE(notes.expect<Note>().text == "waits " + std::to_string(i));
    system.kill(waiter);
    for (int i = 5; i >= 1; --i)
      REQUIRE(notes.expect<Note>().text == "unwound " + std::to_string(i));
    REQUIRE(notes.expect<Note>().text == "on_stop");
    for (auto& ask : asks) REQUIRE_FALSE(ask.try_await().has_value());
  });
}

TEST_CASE("S139 stop lets a waiting handler finish", "[runtime]") {
  on_every_schedule([](TestSystem& system) {
    Probe<Slow> slow{system};
    Probe<Note> notes{system};
    auto waiter = system.spawn<Patient>(slow.ref(), notes.ref());
    auto answer = waiter.ask(Run{1}, 1h);
    slow.expect<Slow>();
    auto stopped = system.stop(waiter, 5s);
    system.advance(1s);
    slow.reply<Slow>(3);
    REQUIRE(answer.await() == 3);
    stopped.await();
  });
}

TEST_CASE("S139 a stop deadline that expires cancels the wait, exactly then", "[runtime]") {
  on_every_schedule([](TestSystem& system) {
    Probe<Slow> slow{system};
    Probe<Note> notes{system};
    auto waiter = system.spawn<Patient>(slow.ref(), notes.ref());
    auto answer = waiter.ask(Run{1}, 1h);
    slow.expect<Slow>();
    const auto before = system.now();
    system.stop(waiter, 2s).await();
    REQUIRE(system.now() - before >= 2s);
    REQUIRE(system.now() - before < 2010ms);
    REQUIRE_FALSE(answer.try_await().has_value());
  });
}

TEST_CASE("S59 Cancelled passes a catch of std::exception", "[runtime]") {
  on_every_schedule([](TestSystem& system) {
    Probe<Slow> slow{system};
    Probe<Note> notes{system};
    auto actor = system.spawn<CatchesAll>(slow.ref(), notes.ref());
    auto answer = actor.ask(Run{1}, 1h);
    slow.expect<Slow>();
    system.kill(actor);
    notes.expect_no_message();
    REQUIRE_FALSE(answer.try_await().has_value());
  });
}

TEST_CASE("an AskFailed that nobody catches ends the request with its kind - the actor lives",
          "[runtime]") {
  on_every_schedule([](TestSystem& system) {
    Probe<Slow> slow{system};
    auto actor = system.spawn<Propagates>(slow.ref());
    REQUIRE(actor.ask(Run{1}).try_await().error().kind == troupe::AskErrorKind::timeout);
    auto again = actor.ask(Run{2});
    slow.expect<Slow>();
    slow.expect<Slow>();
    slow.reply<Slow>(5);
    REQUIRE(again.await() == 5);
  });
}

TEST_CASE("blocking runs elsewhere, may use this and locals, and throws what it throws here",
          "[runtime]") {
  on_every_schedule([](TestSystem& system) {
    auto actor = system.spawn<Blocks>();
    REQUIRE(actor.ask(Compute{}).await() == 121);
    REQUIRE(actor.ask(Compute{}).await() == 122);
  });
}

TEST_CASE("an await inside a catch block keeps its exception, however handlers interleave",
          "[runtime]") {
  on_every_schedule([](TestSystem& system) {
    Probe<Slow> slow{system};
    std::vector<troupe::Ref<InCatch>> actors;
    std::vector<troupe::Ask<int>> asks;
    for (int i = 0; i < 4; ++i) {
      actors.push_back(system.spawn<InCatch>(slow.ref()));
      asks.push_back(actors.back().ask(Run{i}, 1h));
    }
    for (int i = 0; i < 4; ++i) {
      const int n = slow.expect<Slow>().n;
      slow.reply<Slow>(n);
    }
    for (int i = 0; i < 4; ++i) REQUIRE(asks[static_cast<std::size_t>(i)].await() == i * 1001);
  });
}

namespace {
class AwaitsInDestructor : public troupe::Actor<Poke> {
 public:
  AwaitsInDestructor(troupe::Ref<Slow> slow, troupe::Ref<Note> notes)
      : slow_(slow), notes_(notes) {}
  ~AwaitsInDestructor() override {
    try {
      static_cast<void>(slow_.ask(Slow{1}, 1h).await());
    } catch (const troupe::UsageError& e) {
      notes_.tell(Note{e.what()});
    }
  }
  void receive(const Poke&) {}

 private:
  troupe::Ref<Slow> slow_;
  troupe::Ref<Note> notes_;
};
}  // namespace

TEST_CASE("an await where no handler runs, on a thread of the System, is an error and no hang",
          "[runtime]") {
  on_every_schedule([](TestSystem& system) {
    Probe<Slow> slow{system};
    Probe<Note> notes{system};
    system.stop(system.spawn<AwaitsInDestructor>(slow.ref(), notes.ref())).await();
    REQUIRE_THAT(notes.expect<Note>().text, Catch::Contains("object is destroyed may not wait"));
  });
}

TEST_CASE("thousands of handlers wait at once", "[runtime]") {
  TestSystem system{1, troupe::testkit::Schedule::threads};
  Probe<Slow> slow{system};
  Probe<Note> notes{system};
  constexpr int count = 2000;
  std::vector<troupe::Ask<int>> asks;
  for (int i = 0; i < count; ++i)
    asks.push_back(system.spawn<Patient>(slow.ref(), notes.ref()).ask(Run{i}, 1h));
  for (int i = 0; i < count; ++i) {
    slow.expect<Slow>();
    slow.reply<Slow>(1);
  }
  int sum = 0;
  for (auto& ask : asks) sum += ask.await();
  REQUIRE(sum == count);
}
