// EventStream: subscribers by type of event.
#include <thread>

#include <troupe/runtime/runtime.hpp>

#include <catch2/catch.hpp>

#include "support/schedules.hpp"

using namespace std::chrono_literals;
using troupe::test::on_every_schedule;
using troupe::testkit::Probe;
using troupe::testkit::TestSystem;

namespace {

struct Started {
  int n;
};
struct Stopped {
  int n;
};

class Publisher : public troupe::Actor<Started> {
 public:
  explicit Publisher(troupe::EventStream events) : events_(std::move(events)) {}
  void receive(const Started& m) {
    for (int i = 0; i < m.n; ++i) events_.publish(Started{i});
  }

 private:
  troupe::EventStream events_;
};

}  // namespace

TEST_CASE("events reach those who subscribed to their type, in the publisher's order",
          "[event_stream]") {
  on_every_schedule([](TestSystem& system) {
    troupe::EventStream events;
    Probe<Started, Stopped> both{system};
    Probe<Started> one{system};
    events.subscribe<Started>(both.ref());
    events.subscribe<Stopped>(both.ref());
    events.subscribe<Started>(one.ref());
    events.subscribe<Started>(one.ref());  // twice is once
    system.spawn<Publisher>(events).tell(Started{10});
    for (int i = 0; i < 10; ++i) {
      REQUIRE(one.expect<Started>().n == i);
      REQUIRE(both.expect<Started>().n == i);
    }
    REQUIRE(events.publish(Stopped{1}) == 1);
    both.expect<Stopped>();
    one.expect_no_message();
  });
}

TEST_CASE("C157 who unsubscribed or has ended gets no event, and ends up on no list",
          "[event_stream]") {
  on_every_schedule([](TestSystem& system) {
    troupe::EventStream events;
    Probe<Started, Stopped> a{system};
    Probe<Started> b{system};
    auto ended = system.spawn<Publisher>(events);
    events.subscribe<Started>(a.ref());
    events.subscribe<Stopped>(a.ref());
    events.subscribe<Started>(b.ref());
    events.subscribe<Started>(ended);
    events.unsubscribe<Started>(a.ref());
    system.stop(ended).await();
    const troupe::Ref<Publisher> gone = system.spawn<Publisher>(events);
    system.stop(gone).await();
    events.subscribe<Started>(gone);
    REQUIRE(events.publish(Started{1}) == 1);
    const auto dead = system.metrics().dropped_for(troupe::DropReason::no_actor);
    REQUIRE(events.publish(Started{2}) == 1);
    REQUIRE(system.metrics().dropped_for(troupe::DropReason::no_actor) == dead);
    REQUIRE(events.publish(Stopped{1}) == 1);
    events.unsubscribe_all(a.ref());
    REQUIRE(events.publish(Stopped{2}) == 0);
  });
}

TEST_CASE("subscribing and publishing from several threads loses no event of a subscriber",
          "[event_stream]") {
  constexpr int many = 2000;
  troupe::EventStream events;
  troupe::System system{{.workers = 2, .log = troupe::no_log()}};
  struct Count {
    using Reply = int;
  };
  class Counter : public troupe::Actor<Started, Count> {
   public:
    void receive(const Started&) { ++count_; }
    int receive(const Count&) const { return count_; }

   private:
    int count_ = 0;
  };
  auto constant = system.spawn<Counter>();
  events.subscribe<Started>(constant);
  std::thread coming_and_going([&] {
    for (int i = 0; i < many; ++i) {
      auto guest = system.spawn<Counter>();
      events.subscribe<Started>(guest);
      system.kill(guest);
    }
  });
  for (int i = 0; i < many; ++i) events.publish(Started{i});
  coming_and_going.join();
  REQUIRE(constant.ask(Count{}).await() == many);
}
