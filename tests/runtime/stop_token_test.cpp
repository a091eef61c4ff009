// What the callee hears of an asker that gives up, and a blocking call of its actor's end.
#include <thread>

#include <catch2/catch.hpp>
#include <troupe/runtime/runtime.hpp>

#include "support/schedules.hpp"

using namespace std::chrono_literals;
using troupe::test::on_every_schedule;
using troupe::testkit::Probe;
using troupe::testkit::TestSystem;

namespace {

struct Search {
  using Reply = int;
};
struct Stopped {
  using Reply = bool;
};
class Watching : public troupe::Actor<Search, Stopped> {
 public:
  static constexpr auto turns = troupe::reentrant;
  explicit Watching(troupe::Ref<Search> next) : next_(next) {}
  int receive(const Search&) {
    token_ = request().stop_token();
    return next_.ask(Search{}, troupe::no_timeout).await();
  }
  bool receive(const Stopped&) { return token_.stop_requested(); }

 private:
  troupe::Ref<Search> next_;
  std::stop_token token_;
};

}  // namespace

TEST_CASE(
    "request().stop_token() is stopped when the asker drops its ask or its time is up, and not "
    "when it is answered",
    "[runtime]") {
  on_every_schedule([](TestSystem& system) {
    Probe<Search> probe{system};
    {
      auto w = system.spawn<Watching>(probe.ref());
      auto ask = std::make_unique<troupe::Ask<int>>(w.ask(Search{}, 1h));
      probe.expect<Search>();
      REQUIRE_FALSE(w.ask(Stopped{}).await());
      ask.reset();
      REQUIRE(w.ask(Stopped{}).await());
    }
    {
      auto w = system.spawn<Watching>(probe.ref());
      auto ask = w.ask(Search{}, 1s);
      probe.expect<Search>();
      REQUIRE(ask.try_await().error().kind == troupe::AskErrorKind::timeout);
      REQUIRE(w.ask(Stopped{}).await());
    }
    auto w = system.spawn<Watching>(probe.ref());
    auto ask = w.ask(Search{}, 1h);
    probe.expect<Search>();
    probe.reply<Search>(7);
    REQUIRE(ask.await() == 7);
    REQUIRE_FALSE(w.ask(Stopped{}).await());
  });
}

namespace {
struct Until {
  using Reply = troupe::TimePoint;
};
/// What request() says in a handler that takes the duty to answer.
class Deferring : public troupe::Actor<Until, Search, Stopped> {
 public:
  void receive(const Until&, troupe::ReplyTo<troupe::TimePoint> reply) {
    reply(request().deadline());
  }
  void receive(const Search&, troupe::ReplyTo<int> reply) {
    token_ = request().stop_token();
    kept_.push_back(std::move(reply));
  }
  bool receive(const Stopped&) { return token_.stop_requested(); }

 private:
  std::stop_token token_;
  std::vector<troupe::ReplyTo<int>> kept_;
};
}  // namespace

TEST_CASE("request() knows deadline and stop token also where the handler keeps the duty to answer",
          "[runtime]") {
  on_every_schedule([](TestSystem& system) {
    auto actor = system.spawn<Deferring>();
    const auto begin = system.now();
    REQUIRE(actor.ask(Until{}, 7s).await() == begin + 7s);
    REQUIRE(actor.ask(Until{}, troupe::no_timeout).await() == troupe::TimePoint::max());
    auto search = std::make_unique<troupe::Ask<int>>(actor.ask(Search{}, 1h));
    REQUIRE_FALSE(actor.ask(Stopped{}).await());
    search.reset();
    REQUIRE(actor.ask(Stopped{}).await());
  });
}

TEST_CASE("S139 a blocking call hears that its actor is killed, and the actor ends when it returns",
          "[runtime]") {
  class Blocks : public troupe::Actor<Search> {
   public:
    int receive(const Search&) {
      return troupe::blocking([](std::stop_token stop) {
        while (!stop.stop_requested()) std::this_thread::yield();
        return 1;
      });
    }
  };
  troupe::SystemOptions options;
  options.log = troupe::no_log();
  troupe::System system{options};
  auto blocks = system.spawn<Blocks>();
  auto ask = blocks.ask(Search{}, 1h);
  system.kill(blocks);
  system.stop(blocks).await();
  REQUIRE(ask.try_await().error().kind == troupe::AskErrorKind::receiver_down);
}
