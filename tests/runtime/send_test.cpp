// Sending, order, dead letters, names.
#include <troupe/runtime/ref.hpp>

#include <catch2/catch.hpp>
#include <troupe/runtime/runtime.hpp>

#include "support/schedules.hpp"

using namespace std::chrono_literals;
using troupe::test::on_every_schedule;
using troupe::test::on_seeds;
using troupe::testkit::Probe;
using troupe::testkit::TestSystem;

namespace {

struct Number {
  int value;
};
struct Text {
  std::string value;
};
struct MoveOnly {
  std::unique_ptr<int> value;
};

class Counter : public troupe::Actor<Number> {
 public:
  explicit Counter(troupe::Ref<Number> to) : to_(to) {}
  void receive(const Number& m) { to_.tell(Number{m.value}); }

 private:
  troupe::Ref<Number> to_;
};

class Forwarder : public troupe::Actor<Text> {
 public:
  explicit Forwarder(troupe::Ref<Text> to) : to_(to) {}
  void receive(Text&& m) { to_.tell(std::move(m)); }

 private:
  troupe::Ref<Text> to_;
};

class Keeper : public troupe::Actor<MoveOnly> {
 public:
  explicit Keeper(troupe::Ref<Number> to) : to_(to) {}
  void receive(MoveOnly&& m) { to_.tell(Number{*m.value}); }

 private:
  troupe::Ref<Number> to_;
};

}  // namespace

TEST_CASE("S1 S2 messages of one sender arrive once and in order", "[runtime]") {
  on_every_schedule([](TestSystem& system) {
    Probe<Number> probe{system};
    auto counter = system.spawn<Counter>(probe.ref());
    for (int i = 0; i < 100; ++i) REQUIRE(counter.tell(Number{i}) == troupe::Sent::ok);
    for (int i = 0; i < 100; ++i) REQUIRE(probe.expect<Number>().value == i);
    probe.expect_no_message();
  });
}

TEST_CASE(
    "S4 a message by way of another actor may arrive before or after a direct one: seeds show both",
    "[runtime]") {
  int direct_first = 0;
  int runs = 0;
  on_seeds([&](TestSystem& system) {
    Probe<Text> probe{system};
    auto forwarder = system.spawn<Forwarder>(probe.ref());
    Probe<Number> sender{system};
    sender.run_as_actor([&] {
      probe.ref().tell(Text{"direct"});
      forwarder.tell(Text{"forwarded"});
    });
    ++runs;
    if (probe.expect<Text>().value == "direct") ++direct_first;
    probe.expect<Text>();
  });
  if (runs > 10) {
    REQUIRE(direct_first > 0);
    REQUIRE(direct_first < runs);
  }
}

TEST_CASE("a move-only message is moved, an owned one copied or moved", "[runtime]") {
  on_every_schedule([](TestSystem& system) {
    Probe<Number> probe{system};
    auto keeper = system.spawn<Keeper>(probe.ref());
    keeper.tell(MoveOnly{std::make_unique<int>(7)});
    REQUIRE(probe.expect<Number>().value == 7);
    Probe<Text> texts{system};
    const Text text{"kept by the sender, and longer than any small-string buffer"};
    texts.ref().tell(text);
    REQUIRE(texts.expect<Text>().value == text.value);
  });
}

namespace {
struct CountsCopies {
  CountsCopies() = default;
  CountsCopies(const CountsCopies& other) : copies(other.copies + 1) {}
  CountsCopies(CountsCopies&& other) noexcept : copies(other.copies) {}
  int copies = 0;
};
class TakesByValue : public troupe::Actor<CountsCopies> {
 public:
  explicit TakesByValue(troupe::Ref<Number> out) : out_(out) {}
  void receive(CountsCopies m) { out_.tell(Number{m.copies}); }

 private:
  troupe::Ref<Number> out_;
};
}  // namespace

TEST_CASE("a handler that takes its message by value gets it moved", "[runtime]") {
  on_every_schedule([](TestSystem& system) {
    Probe<Number> probe{system};
    system.spawn<TakesByValue>(probe.ref()).tell(CountsCopies{});
    REQUIRE(probe.expect<Number>().value == 0);
  });
}

TEST_CASE("S7 a message to an actor that has ended is one dead letter with its reason",
          "[runtime]") {
  auto recorder = std::make_shared<troupe::test::Recorder>();
  on_every_schedule(
      [&](TestSystem& system) {
        recorder->clear();
        Probe<Number> probe{system};
        auto counter = system.spawn<Counter>(probe.ref());
        system.stop(counter).await();
        system.settle();
        REQUIRE(counter.tell(Number{1}) == troupe::Sent::dead);
        REQUIRE(recorder->count("dead_letter") == 1);
        REQUIRE(recorder->all("dead_letter")[0].text.find("no such actor") != std::string::npos);
        REQUIRE(system.metrics().dropped_for(troupe::DropReason::no_actor) == 1);
      },
      troupe::test::observed_by(recorder));
}

TEST_CASE("telling an empty ref is a dead letter and asking it fails", "[runtime]") {
  on_every_schedule([](TestSystem&) {
    troupe::Ref<Number> nobody;
    REQUIRE_FALSE(static_cast<bool>(nobody));
    REQUIRE(nobody.tell(Number{1}) == troupe::Sent::dead);
    REQUIRE(nobody.to_string() == "(nobody)");
  });
}

TEST_CASE(
    "S47 C39 a name is unique, free again after the end, and an old ref never reaches a new actor "
    "of "
    "that name",
    "[runtime]") {
  on_every_schedule([](TestSystem& system) {
    Probe<Number> probe{system};
    auto first = system.spawn<Counter>({.name = "counter"}, probe.ref());
    REQUIRE(first.to_string() == "/counter");
    REQUIRE_THROWS_AS(system.spawn<Counter>({.name = "counter"}, probe.ref()), troupe::NameTaken);
    REQUIRE(*system.find<Number>("/counter") == first);  // who has it
    system.stop(first).await();
    system.settle();
    auto second = system.spawn<Counter>({.name = "counter"}, probe.ref());
    first.tell(Number{1});
    second.tell(Number{2});
    REQUIRE(probe.expect<Number>().value == 2);
    probe.expect_no_message();
    REQUIRE_THROWS_AS(system.spawn<Counter>({.name = "a/b"}, probe.ref()), troupe::UsageError);
  });
}

TEST_CASE("C158 find looks a path up and checks the protocol at run time", "[runtime]") {
  on_every_schedule([](TestSystem& system) {
    Probe<Number> probe{system};
    auto counter = system.spawn<Counter>({.name = "counter"}, probe.ref());
    auto found = system.find<Number>("/counter");
    REQUIRE(found.has_value());
    REQUIRE(*found == counter);
    REQUIRE(*system.find<Number>(counter.to_string()) == counter);
    REQUIRE(system.find<Text>("/counter").error() == troupe::FindError::wrong_protocol);
    REQUIRE(system.find<Number>("/nobody").error() == troupe::FindError::not_found);
    system.stop(counter).await();
    REQUIRE(system.find<Number>("/counter").error() == troupe::FindError::not_found);
  });
}

TEST_CASE("refs are plain values: they narrow, compare, hash, and order by age", "[runtime]") {
  static_assert(sizeof(troupe::Ref<Number>) == 16);
  static_assert(std::is_trivially_copyable_v<troupe::Ref<Number>>);
  TestSystem system{1};
  Probe<Number> a{system};
  Probe<Number> b{system};
  troupe::Ref<> who = a.ref();
  troupe::Ref<Number> same = a.ref();
  REQUIRE(who == same);
  REQUIRE_FALSE(who == b.ref());
  REQUIRE(who < troupe::Ref<>{b.ref()});
  REQUIRE(std::hash<troupe::Ref<>>{}(who) == std::hash<troupe::Ref<Number>>{}(same));
}

TEST_CASE("S8 every drop is counted and observed - a burst is logged by its first and its number",
          "[runtime]") {
  auto recorder = std::make_shared<troupe::test::Recorder>();
  auto lines = std::make_shared<troupe::test::LogLines>();
  troupe::SystemOptions options = troupe::test::observed_by(recorder);
  options.log = lines;
  options.dead_letters_logged_per_second_max = 3;
  TestSystem system{1, troupe::testkit::Schedule::seeded, options};
  Probe<Number> probe{system};
  auto gone = system.spawn<Counter>(probe.ref());
  system.stop(gone).await();
  system.settle();
  for (int i = 0; i < 100; ++i) gone.tell(Number{i});
  REQUIRE(recorder->count("dead_letter") == 100);
  REQUIRE(system.metrics().dropped_for(troupe::DropReason::no_actor) == 100);
  REQUIRE(lines->take().size() == 3);
  system.advance(2s);
  gone.tell(Number{1});
  const auto later = lines->take();
  REQUIRE(later.size() == 2);
  REQUIRE_THAT(later[0], Catch::Contains("97 more dead letters before this one"));
}

TEST_CASE("S5 a message sent right after the spawn is never lost", "[runtime]") {
  on_every_schedule([](TestSystem& system) {
    Probe<Number> probe{system};
    Probe<Text> spawner{system};
    for (int i = 0; i < 20; ++i) {
      spawner.run_as_actor([&] { system.spawn<Counter>(probe.ref()).tell(Number{i}); });
      REQUIRE(probe.expect<Number>().value == i);
    }
  });
}

TEST_CASE("S78 an actor with endless mail does not keep others from their turn", "[runtime]") {
  class Hog : public troupe::Actor<Number> {
   public:
    void receive(const Number& m) { self().tell(Number{m.value + 1}); }
  };
  troupe::SystemOptions options;
  options.workers = 1;
  options.log = troupe::no_log();
  troupe::System system{options};
  auto hog = system.spawn<Hog>();
  hog.tell(Number{0});
  struct Ask {
    using Reply = int;
  };
  class Polite : public troupe::Actor<Ask> {
   public:
    int receive(const Ask&) { return 1; }
  };
  auto polite = system.spawn<Polite>();
  for (int i = 0; i < 100; ++i) REQUIRE(polite.ask(Ask{}, 60s).await() == 1);
  system.kill(hog);
}

TEST_CASE("an actor of one System can't tell an actor of another", "[runtime]") {
  TestSystem one{1};
  TestSystem other{2};
  Probe<Number> here{one};
  Probe<Number> there{other};
  troupe::Sent sent = troupe::Sent::ok;
  here.run_as_actor([&] { sent = there.ref().tell(Number{1}); });
  REQUIRE(sent == troupe::Sent::foreign_system);
  there.expect_no_message();
  REQUIRE(one.metrics().dropped_for(troupe::DropReason::foreign_system) == 1);
}

TEST_CASE("a ref that outlives its System answers closed", "[runtime]") {
  troupe::Ref<Number> stale;
  {
    TestSystem system{1};
    Probe<Number> probe{system};
    stale = probe.ref();
  }
  REQUIRE(stale.tell(Number{1}) == troupe::Sent::dead);
  REQUIRE(stale.to_string().front() == '#');
}

namespace {

struct Hit {
  int id;
};
struct Aim {
  int id;
  troupe::Ref<Hit> at;
};
struct Round {};
/// Takes what is meant for it; counts what is not.
class Mark : public troupe::Actor<Hit> {
 public:
  Mark(int id, std::atomic<int>& strays) : id_(id), strays_(strays) {}
  void receive(const Hit& m) { strays_ += m.id != id_; }

 private:
  int id_;
  std::atomic<int>& strays_;
};
class Archer : public troupe::Actor<Aim> {
 public:
  void receive(const Aim& m) { m.at.tell(Hit{m.id}); }
};
/// Spawns marks and kills them while they are aimed at.
class Range : public troupe::Actor<Round> {
 public:
  Range(troupe::Ref<Aim> archer, std::atomic<int>& strays) : archer_(archer), strays_(strays) {}
  void receive(const Round&) {
    if (++rounds_ > 200) return;
    const auto mark = spawn<Mark>(rounds_, std::ref(strays_));
    archer_.tell(Aim{rounds_, mark});
    kill(mark);
    self().tell(Round{});
  }

 private:
  troupe::Ref<Aim> archer_;
  std::atomic<int>& strays_;
  int rounds_ = 0;
};

}  // namespace

TEST_CASE("S5 what was sent to an actor never reaches another that has its place", "[runtime]") {
  on_every_schedule([](TestSystem& system) {
    std::atomic<int> strays{0};
    auto archer = system.spawn<Archer>();
    system.spawn<Range>(archer, std::ref(strays)).tell(Round{});
    system.settle();
    REQUIRE(strays == 0);
    const auto metrics = system.metrics();
    REQUIRE(metrics.dropped_for(troupe::DropReason::no_actor) +
                metrics.dropped_for(troupe::DropReason::ended) >
            0);
  });
}
