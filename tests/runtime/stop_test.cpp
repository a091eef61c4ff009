// How an actor's end is asked for, and how long it may take.
#include <catch2/catch.hpp>
#include <troupe/runtime/runtime.hpp>

#include "support/schedules.hpp"

using namespace std::chrono_literals;
using troupe::test::on_every_schedule;
using troupe::testkit::Probe;
using troupe::testkit::TestSystem;

namespace {

struct Slow {
  using Reply = int;
};
struct Work {};
struct Note {
  std::string text;
};

/// Waits in its handler, and again in on_stop.
class Dawdler : public troupe::Actor<Work> {
 public:
  Dawdler(troupe::Ref<Slow> slow, troupe::Ref<Note> notes) : slow_(slow), notes_(notes) {}
  void receive(const Work&) {
    static_cast<void>(slow_.ask(Slow{}, troupe::no_timeout).await());
    notes_.tell(Note{"worked"});
  }
  void on_stop(troupe::StopReason) override {
    notes_.tell(Note{"on_stop"});
    static_cast<void>(slow_.ask(Slow{}, troupe::no_timeout).await());
    notes_.tell(Note{"waited in on_stop"});
  }

 private:
  troupe::Ref<Slow> slow_;
  troupe::Ref<Note> notes_;
};

class Idle : public troupe::Actor<Work> {
 public:
  void receive(const Work&) {}
};

}  // namespace

TEST_CASE("S139 after a kill on_stop runs, and an await in it throws at once", "[runtime]") {
  on_every_schedule([](TestSystem& system) {
    Probe<Slow> slow{system};
    Probe<Note> notes{system};
    auto dawdler = system.spawn<Dawdler>(slow.ref(), notes.ref());
    dawdler.tell(Work{});
    slow.expect<Slow>();
    system.kill(dawdler);
    REQUIRE(notes.expect<Note>().text == "on_stop");
    system.settle();
    REQUIRE(notes.waiting() == 0);
    REQUIRE(dawdler.tell(Work{}) == troupe::Sent::dead);
  });
}

TEST_CASE("S139 a stop deadline also ends the waiting of on_stop", "[runtime]") {
  on_every_schedule([](TestSystem& system) {
    Probe<Slow> slow{system};
    Probe<Note> notes{system};
    auto dawdler = system.spawn<Dawdler>(slow.ref(), notes.ref());
    system.settle();
    const auto begin = system.now();
    system.stop(dawdler, 3s).await();
    REQUIRE(system.now() - begin == 3s);
    REQUIRE(notes.expect<Note>().text == "on_stop");
    REQUIRE(notes.waiting() == 0);
  });
}

TEST_CASE("S139 of several stop deadlines the earliest holds - no_timeout waits for ever",
          "[runtime]") {
  on_every_schedule([](TestSystem& system) {
    Probe<Slow> slow{system};
    Probe<Note> notes{system};
    auto dawdler = system.spawn<Dawdler>(slow.ref(), notes.ref());
    dawdler.tell(Work{});
    slow.expect<Slow>();
    const auto begin = system.now();
    auto for_ever = system.stop(dawdler, troupe::no_timeout);
    auto long_time = system.stop(dawdler, 1h);
    system.settle();
    system.advance(10min);
    REQUIRE(notes.waiting() == 0);
    auto short_time = system.stop(dawdler, 1min);
    auto longer_time = system.stop(dawdler, 2h);
    for_ever.await();
    REQUIRE(system.now() - begin == 11min);
    long_time.await();
    short_time.await();
    longer_time.await();
  });
}

TEST_CASE("S7 whoever awaited an actor's stop is told that it is dead by the next send",
          "[runtime]") {
  troupe::System system{{.workers = 2, .log = troupe::no_log()}};
  const int many = static_cast<int>(troupe::test::from_environment("TROUPE_STOPS", 20'000));
  for (int i = 0; i < many; ++i) {
    const auto idle = system.spawn<Idle>();
    system.stop(idle).await();
    REQUIRE(idle.tell(Work{}) == troupe::Sent::dead);
  }
}

TEST_CASE("S7 the dead letter of a message that waited names its receiver", "[runtime]") {
  class Serials final : public troupe::Observer {
   public:
    void dead_letter(const troupe::DeadLetter& letter) override {
      if (letter.message_type.find("Work") != std::string_view::npos) receiver = letter.receiver;
    }
    troupe::Ref<> receiver;
  };
  auto serials = std::make_shared<Serials>();
  troupe::SystemOptions options;
  options.observers = {serials};
  TestSystem system{1, troupe::testkit::Schedule::seeded, options};
  Probe<Slow> slow{system};
  Probe<Note> notes{system};
  auto dawdler = system.spawn<Dawdler>(slow.ref(), notes.ref());
  dawdler.tell(Work{});
  dawdler.tell(Work{});
  system.settle();
  system.kill(dawdler);
  system.settle();
  REQUIRE(serials->receiver == dawdler);
  REQUIRE(serials->receiver.to_string() == dawdler.to_string());
}
