// Whose answer an ask waits for, when the duty to answer is kept, stashed or handed on.
#include <atomic>

#include <catch2/catch.hpp>
#include <troupe/runtime/runtime.hpp>

#include "support/schedules.hpp"

using namespace std::chrono_literals;
using troupe::test::on_every_schedule;
using troupe::testkit::Probe;
using troupe::testkit::TestSystem;

namespace {
struct Touch {
  using Reply = int;
};
}  // namespace

namespace {

struct Keep {
  using Reply = int;
};
struct Hand {
  troupe::ReplyTo<int> reply;
};
struct AskBack {};
struct Begun {
  using Reply = int;
};

/// Asks a keeper, and can be asked itself once that is answered.
class Asker : public troupe::Actor<Begun, Touch> {
 public:
  explicit Asker(troupe::Ref<Keep> keeper) : keeper_(keeper) {}
  int receive(const Begun&) { return keeper_.ask(Keep{}, troupe::no_timeout).await(); }
  int receive(const Touch&) { return 1; }

 private:
  troupe::Ref<Keep> keeper_;
};
/// Hands the duty to answer on, and then waits for who asked.
class Keeper : public troupe::Actor<Keep, AskBack, troupe::Ref<Touch>> {
 public:
  Keeper(troupe::Ref<Hand> helper, std::atomic<int>& answer) : helper_(helper), answer_(answer) {}
  void receive(const Keep&, troupe::ReplyTo<int> reply) {
    helper_.tell(Hand{std::move(reply)});
    self().tell(AskBack{});
  }
  void receive(const AskBack&) { answer_ = asker_.ask(Touch{}, troupe::no_timeout).await(); }
  void receive(const troupe::Ref<Touch>& asker) { asker_ = asker; }

 private:
  troupe::Ref<Hand> helper_;
  troupe::Ref<Touch> asker_;
  std::atomic<int>& answer_;
};

}  // namespace

TEST_CASE("S138 a kept ReplyTo is no edge: who has it may answer at any time", "[runtime]") {
  on_every_schedule([](TestSystem& system) {
    Probe<Hand> helper{system};
    std::atomic<int> answer{0};
    auto keeper = system.spawn<Keeper>({.name = "keeper"}, helper.ref(), std::ref(answer));
    auto asker = system.spawn<Asker>({.name = "asker"}, keeper);
    keeper.tell(troupe::Ref<Touch>{asker});
    system.settle();
    auto begun = asker.ask(Begun{}, troupe::no_timeout);
    auto hand = helper.expect<Hand>();
    system.settle();
    REQUIRE_THAT(system.why(asker),
                 Catch::EndsWith("from /keeper, which keeps the duty to answer"));
    hand.reply(7);
    REQUIRE(begun.await() == 7);
    system.settle();
    REQUIRE(answer == 1);
  });
}

namespace {

struct Question {
  using Reply = int;
};
/// Asks twice: first who is too late, then for as long as it takes.
class Twice : public troupe::Actor<Begun, Touch> {
 public:
  Twice(troupe::Ref<Question> late, troupe::Ref<Keep> then) : late_(late), then_(then) {}
  int receive(const Begun&) {
    static_cast<void>(late_.ask(Question{}, 100ms).try_await());
    return then_.ask(Keep{}, troupe::no_timeout).await();
  }
  int receive(const Touch&) { return 1; }

 private:
  troupe::Ref<Question> late_;
  troupe::Ref<Keep> then_;
};
/// Hands its request on, when it has an answer itself.
class HandsOnLate : public troupe::Actor<Question> {
 public:
  HandsOnLate(troupe::Ref<Keep> slow, troupe::Ref<Question> to) : slow_(slow), to_(to) {}
  troupe::Forwarded<int> receive(const Question& m) {
    slow_.ask(Keep{}, troupe::no_timeout).await();
    return forward(to_, m);
  }

 private:
  troupe::Ref<Keep> slow_;
  troupe::Ref<Question> to_;
};
/// Asks whom it is told to.
class Third : public troupe::Actor<Question, troupe::Ref<Touch>> {
 public:
  explicit Third(std::atomic<int>& answer) : answer_(answer) {}
  int receive(const Question&) { return 1; }
  void receive(const troupe::Ref<Touch>& who) {
    answer_ = who.ask(Touch{}, troupe::no_timeout).await();
  }

 private:
  std::atomic<int>& answer_;
};

}  // namespace

TEST_CASE("S138 forwarding a request whose asker has given up moves no edge", "[runtime]") {
  on_every_schedule([](TestSystem& system) {
    std::atomic<int> answer{0};
    Probe<Keep> slow{system};
    Probe<Keep> then{system};
    auto third = system.spawn<Third>({.name = "third"}, std::ref(answer));
    auto late = system.spawn<HandsOnLate>(slow.ref(), third);
    auto twice = system.spawn<Twice>({.name = "twice"}, late, then.ref());
    auto begun = twice.ask(Begun{}, troupe::no_timeout);
    slow.expect<Keep>();
    system.advance(1s);
    then.expect<Keep>();
    slow.reply<Keep>(0);  // it forwards what nobody waits for
    system.settle();
    third.tell(troupe::Ref<Touch>{twice});
    system.settle();
    REQUIRE_THAT(system.why(twice), !Catch::Contains("/third"));
    then.reply<Keep>(5);
    REQUIRE(begun.await() == 5);
    system.settle();
    REQUIRE(answer == 1);
  });
}

namespace {

struct GoOn {};
/// Takes the duty to answer as a value, stashes the request with it at first, and asks whoever it
/// serves before it answers.
class Late : public troupe::Actor<Keep, GoOn, troupe::Ref<Touch>> {
 public:
  void receive(const Keep& m, troupe::ReplyTo<int> reply) {
    if (goes_on_) {
      reply(1);
      return;
    }
    stash(m, std::move(reply));
    static_cast<void>(asker_.ask(Touch{}, troupe::no_timeout).try_await());
  }
  void receive(const GoOn&) {
    goes_on_ = true;
    unstash_all();
  }
  void receive(const troupe::Ref<Touch>& asker) { asker_ = asker; }

 private:
  troupe::Ref<Touch> asker_;
  bool goes_on_ = false;
};

}  // namespace

TEST_CASE("S138 a stashed request is its actor's to answer again, and a ring through it is seen",
          "[runtime]") {
  on_every_schedule([](TestSystem& system) {
    auto late = system.spawn<Late>({.name = "late"});
    auto asker = system.spawn<Asker>({.name = "asker"}, late);
    late.tell(troupe::Ref<Touch>{asker});
    auto answer = asker.ask(Begun{}, troupe::no_timeout);
    system.settle();
    REQUIRE(system.why(late) == "/late waits for nobody");  // its ask was refused at once
    late.tell(GoOn{});
    REQUIRE(answer.await() == 1);
  });
}
