// Asking and answering.
#include <troupe/runtime/ask.hpp>

#include <catch2/catch.hpp>
#include <troupe/runtime/runtime.hpp>

#include "support/schedules.hpp"
#include "system_core.hpp"

using namespace std::chrono_literals;
using troupe::AskErrorKind;
using troupe::test::on_every_schedule;
using troupe::test::on_seeds;
using troupe::testkit::Probe;
using troupe::testkit::TestSystem;

namespace {

struct Add {
  int a, b;
  using Reply = int;
};
struct Describe {
  using Reply = std::string;
};
struct Acknowledge {
  using Reply = void;
};
struct Crash {
  using Reply = int;
};
struct Refuse {
  using Reply = int;
};
struct Late {
  using Reply = int;
};
struct Forget {
  using Reply = int;
};
struct Release {};

class Server
    : public troupe::Actor<Add, Describe, Acknowledge, Crash, Refuse, Late, Forget, Release> {
 public:
  int receive(const Add& m) { return m.a + m.b; }
  std::string receive(const Describe&) const {
    return "a server with a name too long for a small buffer";
  }
  void receive(const Acknowledge&) { ++acknowledged_; }
  int receive(const Crash&) { throw std::runtime_error("crashed"); }
  int receive(const Refuse&) { troupe::refuse("not today"); }
  void receive(const Late&, troupe::ReplyTo<int> reply) { kept_.push_back(std::move(reply)); }
  void receive(const Forget&, troupe::ReplyTo<int>) {}
  void receive(const Release&) {
    for (auto& reply : kept_) reply(42);
    kept_.clear();
  }

 private:
  int acknowledged_ = 0;
  std::vector<troupe::ReplyTo<int>> kept_;
};

struct Relay {
  int a, b;
  using Reply = int;
};
class Middle : public troupe::Actor<Relay> {
 public:
  explicit Middle(troupe::Ref<Add> to) : to_(to) {}
  troupe::Forwarded<int> receive(const Relay& m) { return forward(to_, Add{m.a, m.b}); }

 private:
  troupe::Ref<Add> to_;
};

struct Question {
  int n;
};
struct Answer {
  troupe::Result<int, troupe::AskError> result;
};
class Piper : public troupe::Actor<Question, troupe::Private<Answer>> {
 public:
  Piper(troupe::Ref<Add, Late> server, troupe::Ref<Add> out) : server_(server), out_(out) {}
  void receive(const Question& m) {
    auto note = [](troupe::Result<int, troupe::AskError> r) { return Answer{std::move(r)}; };
    if (m.n >= 0) {
      pipe_to_self(server_.ask(Add{m.n, 1}), note);
    } else {
      pipe_to_self(server_.ask(Late{}, 100ms), note);
    }
  }
  void receive(const Answer& m) { out_.tell(Add{m.result.has_value() ? *m.result : -1, 0}); }

 private:
  troupe::Ref<Add, Late> server_;
  troupe::Ref<Add> out_;
};

}  // namespace

TEST_CASE("S12 an ask gets its answer, small, large or none but the fact", "[runtime]") {
  on_every_schedule([](TestSystem& system) {
    auto server = system.spawn<Server>();
    REQUIRE(server.ask(Add{2, 3}).await() == 5);
    REQUIRE(server.ask(Describe{}).await().size() > 40);
    server.ask(Acknowledge{}).await();
    REQUIRE(server.ask(Add{2, 3}).try_await().value_or(0) == 5);
  });
}

TEST_CASE("S14 a failing handler answers with its error before the actor ends", "[runtime]") {
  on_every_schedule([](TestSystem& system) {
    auto server = system.spawn<Server>();
    auto result = server.ask(Crash{}).try_await();
    REQUIRE(result.error().kind == AskErrorKind::receiver_down);
    REQUIRE(result.error().what == "crashed");
    REQUIRE_THROWS_AS(server.ask(Add{1, 1}).await(), troupe::ReceiverDown);
  });
}

TEST_CASE("a refusal ends the request and not the actor", "[runtime]") {
  on_every_schedule([](TestSystem& system) {
    auto server = system.spawn<Server>();
    REQUIRE_THROWS_AS(server.ask(Refuse{}).await(), troupe::Refused);
    REQUIRE(server.ask(Refuse{}).try_await().error().what == "not today");
    REQUIRE(server.ask(Add{1, 1}).await() == 2);
    REQUIRE(system.metrics().requests_refused == 2);
  });
}

TEST_CASE("S13 C46 C108 asks that wait when the callee ends fail with receiver_down at once",
          "[runtime]") {
  on_every_schedule([](TestSystem& system) {
    auto server = system.spawn<Server>();
    auto kept = server.ask(Late{}, troupe::no_timeout);
    system.settle();
    auto ended = system.stop(server);
    auto queued = server.ask(Late{}, troupe::no_timeout);
    const auto before = system.now();
    REQUIRE(kept.try_await().error().kind == AskErrorKind::receiver_down);
    REQUIRE(queued.try_await().error().kind == AskErrorKind::receiver_down);
    ended.await();
    REQUIRE(system.now() - before < 1s);
    REQUIRE(server.ask(Add{1, 1}).try_await().error().kind == AskErrorKind::receiver_down);
  });
}

TEST_CASE("S16 a timeout fires when its time has come and never before", "[runtime]") {
  on_every_schedule([](TestSystem& system) {
    auto server = system.spawn<Server>();
    const auto before = system.now();
    REQUIRE_THROWS_AS(server.ask(Late{}, 250ms).await(), troupe::AskTimeout);
    REQUIRE(system.now() - before >= 250ms);
    REQUIRE(system.now() - before < 260ms);
  });
}

TEST_CASE("S16 an actor's asks time out each at its own time, never before, the nearest first",
          "[runtime]") {
  on_every_schedule([](TestSystem& system) {
    auto server = system.spawn<Server>();
    Probe<Add> asker{system};
    asker.run_as_actor([&] {
      const auto before = system.now();
      auto far = server.ask(Late{}, 500ms);
      auto near = server.ask(Late{}, 250ms);
      REQUIRE(near.try_await().error().kind == troupe::AskErrorKind::timeout);
      REQUIRE(system.now() - before == 250ms);
      REQUIRE(far.try_await().error().kind == troupe::AskErrorKind::timeout);
      REQUIRE(system.now() - before == 500ms);
    });
  });
}

namespace {

struct TimeOut {
  troupe::Duration after;
  using Reply = troupe::Duration;
};
/// Asks often, then for what never comes, and answers how long that took.
class AsksOften : public troupe::Actor<TimeOut> {
 public:
  explicit AsksOften(TestSystem& system)
      : system_(system), server_(system.spawn<Server>()), silent_(system.spawn<Server>()) {}
  troupe::Duration receive(const TimeOut& m) {
    for (int i = 0; i < 100; ++i) static_cast<void>(server_.ask(Add{i, 1}).await());
    const auto before = system_.now();
    if (m.after == troupe::no_timeout) return outlasts_a_minute();
    auto late = silent_.ask(Late{}, m.after);
    auto sooner = silent_.ask(Late{}, m.after / 2);
    troupe::require(!sooner.try_await() && !late.try_await(), "both time out");
    return system_.now() - before;
  }

 private:
  /// How long an ask was open whose end can't be told, while another made the timer look.
  troupe::Duration outlasts_a_minute() {
    const auto before = system_.now();
    auto endless = silent_.ask(Late{}, troupe::no_timeout - 1ns);
    static_cast<void>(silent_.ask(Late{}, 1min).try_await());
    troupe::require(!troupe::detail::is_over(endless.port()), "nobody has answered");
    return std::min<troupe::Duration>(system_.now() - before, 1min);
  }

  TestSystem& system_;
  troupe::Ref<Server> server_;
  troupe::Ref<Server> silent_;
};

}  // namespace

TEST_CASE(
    "S16 the timeout of who asks often is not early, however old the clock's recent moment is",
    "[runtime]") {
  on_every_schedule([](TestSystem& system) {
    auto asker = system.spawn<AsksOften>(std::ref(system));
    auto& clock = dynamic_cast<troupe::testkit::ManualClock&>(*system.core().options().clock);
    for (const troupe::Duration lag : {0ms, 3ms, 10000ms}) {
      clock.let_recent_lag(lag);
      const auto took = asker.ask(TimeOut{4s}, troupe::no_timeout).await();
      REQUIRE(took >= 4s);
      REQUIRE(took <= 4s + 125ms);
      REQUIRE(asker.ask(TimeOut{900ms}, troupe::no_timeout).await() == 900ms);
      REQUIRE(asker.ask(TimeOut{troupe::no_timeout}, troupe::no_timeout).await() == 1min);
    }
  });
}

TEST_CASE("S15 S19 C45 C103 a late answer is counted and reaches nobody", "[runtime]") {
  on_every_schedule([](TestSystem& system) {
    auto server = system.spawn<Server>();
    REQUIRE_THROWS_AS(server.ask(Late{}, 10ms).await(), troupe::AskTimeout);
    server.tell(Release{});
    system.settle();
    REQUIRE(server.ask(Add{1, 2}).await() == 3);
    REQUIRE(system.metrics().dropped_for(troupe::DropReason::late_reply) == 1);
  });
}

TEST_CASE("S18 C112 a request whose asker gave up is not handled", "[runtime]") {
  // Not on threads: there it may be taken before it is dropped.
  on_seeds([](TestSystem& system) {
    Probe<Add> slow{system};
    {
      auto dropped = slow.ref().ask(Add{1, 2});
      static_cast<void>(dropped);
    }
    slow.expect_no_message(10ms);
    REQUIRE(system.metrics().dropped_for(troupe::DropReason::expired) == 1);
  });
}

TEST_CASE("C108 a ReplyTo kept for later answers later - dropped, it fails the ask with no_reply",
          "[runtime]") {
  on_every_schedule([](TestSystem& system) {
    auto server = system.spawn<Server>();
    auto later = server.ask(Late{});
    system.advance(1s);
    server.tell(Release{});
    REQUIRE(later.await() == 42);
    REQUIRE(server.ask(Forget{}).try_await().error().kind == AskErrorKind::no_reply);
  });
}

TEST_CASE("S20 C109 a forwarded request is answered by the third actor, within the same deadline",
          "[runtime]") {
  on_every_schedule([](TestSystem& system) {
    auto server = system.spawn<Server>();
    auto middle = system.spawn<Middle>(server);
    REQUIRE(middle.ask(Relay{20, 3}).await() == 23);
    Probe<Add> silent{system};
    auto stuck = system.spawn<Middle>(silent.ref());
    const auto before = system.now();
    REQUIRE_THROWS_AS(stuck.ask(Relay{1, 1}, 300ms).await(), troupe::AskTimeout);
    REQUIRE(system.now() - before == 300ms);
  });
}

namespace {
struct Buy {
  using Reply = int;
};
/// Asks its shop for much longer than anybody waits for itself.
class Buyer : public troupe::Actor<Buy> {
 public:
  Buyer(troupe::Ref<Add> shop, troupe::Ref<Add> out) : shop_(shop), out_(out) {}
  int receive(const Buy&) {
    const int price = shop_.ask(Add{1, 2}, 1h).await();
    out_.tell(Add{price, 0});
    return price;
  }

 private:
  troupe::Ref<Add> shop_;
  troupe::Ref<Add> out_;
};
}  // namespace

TEST_CASE("S20 a handler's own asks don't end with the time of who asked for it", "[runtime]") {
  on_every_schedule([](TestSystem& system) {
    Probe<Add> shop{system};
    Probe<Add> out{system};
    auto buyer = system.spawn<Buyer>(shop.ref(), out.ref());
    auto bought = buyer.ask(Buy{}, 100ms);
    shop.expect<Add>();
    system.advance(1s);
    REQUIRE(bought.try_await().error().kind == AskErrorKind::timeout);
    shop.reply<Add>(7);
    REQUIRE(out.expect<Add>(0s).a == 7);
  });
}

TEST_CASE("S21 pipe_to_self makes a message of the answer, and of the failure", "[runtime]") {
  on_every_schedule([](TestSystem& system) {
    auto server = system.spawn<Server>();
    Probe<Add> out{system};
    auto piper = system.spawn<Piper>(server, out.ref());
    piper.tell(Question{4});
    REQUIRE(out.expect<Add>().a == 5);
    piper.tell(Question{-1});
    REQUIRE(out.expect<Add>().a == -1);
  });
}

TEST_CASE("S21 C107 what was to be piped to an actor that has ended is a dead letter",
          "[runtime]") {
  on_every_schedule([](TestSystem& system) {
    auto server = system.spawn<Server>();
    Probe<Add> out{system};
    auto piper = system.spawn<Piper>(server, out.ref());
    for (int i = 0; i < 2; ++i) piper.tell(Question{-1});
    system.settle();
    system.stop(piper).await();
    REQUIRE(system.metrics().dropped_for(troupe::DropReason::ended) == 2);
    server.tell(Release{});
    out.expect_no_message(10s);
    REQUIRE(system.metrics().dropped_for(troupe::DropReason::ended) == 2);
  });
}

TEST_CASE("S16 C102 an ask with no time, or of nobody, fails at once", "[runtime]") {
  on_every_schedule([](TestSystem& system) {
    auto server = system.spawn<Server>();
    Probe<Add> inside{system};
    const auto before = system.now();
    const auto all_fail = [&] {
      for (const troupe::Duration none : {0s, -1s})
        REQUIRE(server.ask(Late{}, none).try_await().error().kind == AskErrorKind::timeout);
      REQUIRE(troupe::Ref<Add>{}.ask(Add{1, 1}, troupe::no_timeout).try_await().error().kind ==
              AskErrorKind::receiver_down);
    };
    all_fail();
    inside.run_as_actor(all_fail);
    system.stop(server).await();
    REQUIRE(server.ask(Late{}, troupe::no_timeout).try_await().error().kind ==
            AskErrorKind::receiver_down);
    REQUIRE(system.now() == before);
  });
}

TEST_CASE("S21 C104 what is piped from one actor's answers comes in the order it answered",
          "[runtime]") {
  on_every_schedule([](TestSystem& system) {
    auto server = system.spawn<Server>();
    Probe<Add> out{system};
    auto piper = system.spawn<Piper>(server, out.ref());
    for (int n = 0; n < 100; ++n) piper.tell(Question{n});
    for (int n = 0; n < 100; ++n) REQUIRE(out.expect<Add>().a == n + 1);
  });
}

namespace {
struct Sum {
  int value;
};
/// Pipes answers to itself: fails in the function over 3, in the handler over 5.
class Adapter : public troupe::Actor<Question, troupe::Private<Sum>> {
 public:
  Adapter(troupe::Ref<Late> other, troupe::Ref<Question> out) : other_(other), out_(out) {}
  void receive(const Question&) {
    pipe_to_self(other_.ask(Late{}), [](const troupe::Result<int, troupe::AskError>& r) {
      if (*r == 3) throw std::runtime_error("no three");
      return Sum{*r};
    });
  }
  void receive(const Sum& m) {
    if (m.value == 5) throw std::runtime_error("no five");
    out_.tell(Question{m.value});
  }
  void on_stop(troupe::StopReason) override { out_.tell(Question{-1}); }

 private:
  troupe::Ref<Late> other_;
  troupe::Ref<Question> out_;
};
}  // namespace

TEST_CASE("S21 C105 a function of pipe_to_self that throws fails its actor, and is named then",
          "[runtime]") {
  on_every_schedule([](TestSystem& system) {
    Probe<troupe::Terminated> watcher{system};
    for (const int last : {3, 5}) {
      Probe<Late> other{system};
      Probe<Question> out{system};
      auto adapter = system.spawn<Adapter>(other.ref(), out.ref());
      watcher.watch(adapter);
      for (int i = 0; i < 4; ++i) adapter.tell(Question{i});
      for (const int answer : {1, 2, last, 4}) {
        other.expect<Late>();
        other.reply<Late>(answer);
        system.settle();
      }
      for (const int n : {1, 2, -1}) REQUIRE(out.expect<Question>().n == n);
      const auto why = watcher.expect<troupe::Terminated>().why;
      REQUIRE(why.text() == (last == 3 ? "the function given to pipe_to_self threw" : "no five"));
      REQUIRE(why.is_a<std::runtime_error>());
      REQUIRE(system.metrics().dropped_for(troupe::DropReason::late_reply) >= 1);
      out.expect_no_message();
    }
  });
}

TEST_CASE("C111 tell returns before the message is handled, and hears nothing of its failure",
          "[runtime]") {
  class Fails : public troupe::Actor<Release> {
   public:
    explicit Fails(troupe::Ref<Late> gate) : gate_(gate) {}
    void receive(const Release&) {
      static_cast<void>(gate_.ask(Late{}, 1h).await());
      throw std::runtime_error("too late for the teller");
    }

   private:
    troupe::Ref<Late> gate_;
  };
  on_every_schedule([](TestSystem& system) {
    Probe<Late> gate{system};
    Probe<Question> teller{system};
    auto fails = system.spawn<Fails>(gate.ref());
    troupe::Sent sent = troupe::Sent::dead;
    teller.run_as_actor([&] { sent = fails.tell(Release{}); });
    REQUIRE(sent == troupe::Sent::ok);
    REQUIRE(system.metrics().handler_failures == 0);
    gate.expect<Late>();
    gate.reply<Late>(0);
    system.settle();
    REQUIRE(system.metrics().handler_failures == 1);
    REQUIRE(teller.ref().tell(Question{1}) == troupe::Sent::ok);  // it lives
    REQUIRE(teller.expect<Question>().n == 1);
  });
}

TEST_CASE("S17 nothing is ever sent again: one ask is one message", "[runtime]") {
  on_every_schedule([](TestSystem& system) {
    Probe<Add> slow{system};
    REQUIRE_THROWS_AS(slow.ref().ask(Add{1, 2}, 5s).await(), troupe::AskTimeout);
    REQUIRE(slow.waiting() == 1);
  });
}

TEST_CASE("await_all gives all values, or the first error when all have ended", "[runtime]") {
  on_every_schedule([](TestSystem& system) {
    auto server = system.spawn<Server>();
    auto [sum, text] = troupe::await_all(server.ask(Add{1, 2}), server.ask(Describe{}));
    REQUIRE(sum == 3);
    REQUIRE_FALSE(text.empty());
    REQUIRE_THROWS_AS(troupe::await_all(server.ask(Add{1, 2}), server.ask(Refuse{})),
                      troupe::Refused);
    auto [one, two] = troupe::try_await_all(server.ask(Refuse{}), server.ask(Add{4, 4}));
    REQUIRE_FALSE(one.has_value());
    REQUIRE(*two == 8);
    std::vector<troupe::Ask<int>> sums;
    for (int i = 0; i < 3; ++i) sums.push_back(server.ask(Add{i, 1}));
    REQUIRE(troupe::await_all(std::move(sums)) == std::vector<int>{1, 2, 3});
    std::vector<troupe::Ask<void>> done;
    for (int i = 0; i < 3; ++i) done.push_back(server.ask(Acknowledge{}));
    troupe::await_all(std::move(done));
    std::vector<troupe::Ask<int>> mixed;
    mixed.push_back(server.ask(Add{1, 1}));
    mixed.push_back(server.ask(Refuse{}));
    REQUIRE_THROWS_AS(troupe::await_all(std::move(mixed)), troupe::Refused);
  });
}

TEST_CASE("S55 a held child needs a parent that decides", "[runtime]") {
  TestSystem system{1};
  REQUIRE_THROWS_AS(system.spawn<Server>({.on_end = troupe::OnEnd::hold}), troupe::UsageError);
}

TEST_CASE("an ask that its System outlives not ends with system_stopped", "[runtime]") {
  troupe::Ref<Add> stale;
  {
    TestSystem system{1};
    stale = system.spawn<Server>();
  }
  REQUIRE(stale.ask(Add{1, 1}).try_await().error().kind == AskErrorKind::system_stopped);
}
