// Links and exit signals.
#include <troupe/runtime/signals.hpp>

#include <catch2/catch.hpp>
#include <troupe/runtime/runtime.hpp>

#include "support/schedules.hpp"

using namespace std::chrono_literals;
using troupe::Exit;
using troupe::ExitReason;
using troupe::Terminated;
using troupe::test::on_every_schedule;
using troupe::testkit::Probe;
using troupe::testkit::TestSystem;

namespace {

struct LinkTo {
  troupe::Ref<> who;
};
struct UnlinkFrom {
  troupe::Ref<> who;
};
struct Boom {};
struct Done {};

class Linker : public troupe::Actor<LinkTo, UnlinkFrom, Boom, Done> {
 public:
  void receive(const LinkTo& m) { link(m.who); }
  void receive(const UnlinkFrom& m) { unlink(m.who); }
  void receive(const Boom&) { throw std::runtime_error("boom"); }
  void receive(const Done&) { stop(); }
};

}  // namespace

TEST_CASE(
    "S58 S59 an abnormal end takes linked actors along, in both directions, with the same reason",
    "[runtime]") {
  on_every_schedule([](TestSystem& system) {
    for (const bool from_linker : {true, false}) {
      Probe<Terminated> probe{system};
      auto a = system.spawn<Linker>();
      auto b = system.spawn<Linker>();
      probe.watch(a);
      probe.watch(b);
      a.tell(LinkTo{b});
      a.tell(LinkTo{b});
      system.settle();
      (from_linker ? a : b).tell(Boom{});
      REQUIRE(probe.expect<Terminated>().why.text() == "boom");
      REQUIRE(probe.expect<Terminated>().why.text() == "boom");
      probe.expect_no_message();
    }
  });
}

TEST_CASE("S58 a repeated link is the same link: one exit signal, and one unlink ends it",
          "[runtime]") {
  on_every_schedule([](TestSystem& system) {
    Probe<Exit> probe{system};
    auto target = system.spawn<Linker>();
    for (int i = 0; i < 3; ++i) probe.link(target);
    target.tell(Done{});
    probe.expect<Exit>();
    probe.expect_no_message();
    auto other = system.spawn<Linker>();
    for (int i = 0; i < 3; ++i) probe.link(other);
    probe.unlink(other);
    other.tell(Done{});
    probe.expect_no_message();
  });
}

TEST_CASE("S59 a normal end does not disturb linked actors", "[runtime]") {
  on_every_schedule([](TestSystem& system) {
    Probe<Terminated> probe{system};
    auto a = system.spawn<Linker>();
    auto b = system.spawn<Linker>();
    a.tell(LinkTo{b});
    system.settle();
    probe.watch(b);
    a.tell(Done{});
    probe.expect_no_message();
  });
}

TEST_CASE("S59 an actor that traps exits gets them as signals, a kill by link too", "[runtime]") {
  on_every_schedule([](TestSystem& system) {
    Probe<Exit> probe{system};
    auto normal = system.spawn<Linker>();
    probe.link(normal);
    normal.tell(Done{});
    REQUIRE(probe.expect<Exit>().why.kind() == ExitReason::Kind::normal);
    auto killed = system.spawn<Linker>();
    probe.link(killed);
    system.kill(killed);
    const auto exit = probe.expect<Exit>();
    REQUIRE(exit.who == killed);
    REQUIRE(exit.why.kind() == ExitReason::Kind::killed);
  });
}

TEST_CASE("S59 an explicit kill can't be trapped and shows as killed", "[runtime]") {
  on_every_schedule([](TestSystem& system) {
    Probe<Terminated> watcher{system};
    Probe<Exit> trapper{system};
    Probe<Exit> sender{system};
    watcher.watch(trapper.ref());
    sender.exit(trapper.ref(), ExitReason::failure("trapped"));
    REQUIRE(trapper.expect<Exit>().why.text() == "trapped");
    sender.exit(trapper.ref(), ExitReason::killed());
    REQUIRE(watcher.expect<Terminated>().why.kind() == ExitReason::Kind::killed);
  });
}

namespace {
class SpawnsLinked : public troupe::Actor<Boom> {
 public:
  explicit SpawnsLinked(bool child_fails) : child_fails_(child_fails) {}
  void on_start() override { child_ = spawn<Linker>({.name = "child", .linked = true}); }
  void receive(const Boom& m) {
    if (!child_fails_) throw std::runtime_error("parent");
    child_.tell(m);
  }

 private:
  bool child_fails_;
  troupe::Ref<Linker> child_;
};
}  // namespace

TEST_CASE("S58 a child spawned linked is linked from its first moment", "[runtime]") {
  on_every_schedule([](TestSystem& system) {
    Probe<Terminated> probe{system};
    auto parent = system.spawn<SpawnsLinked>({.name = "parent"}, true);
    system.settle();
    probe.watch(parent);
    parent.tell(Boom{});
    REQUIRE(probe.expect<Terminated>().why.text() == "boom");
    system.settle();
    auto again = system.spawn<SpawnsLinked>({.name = "parent"}, false);
    system.settle();
    probe.watch(*system.find<Boom>("/parent/child"));
    again.tell(Boom{});
    REQUIRE(probe.expect<Terminated>().why.text() == "its parent ended");  // S45 comes first
  });
}

TEST_CASE("linking with an actor that has ended gives an exit signal at once", "[runtime]") {
  on_every_schedule([](TestSystem& system) {
    Probe<Exit> probe{system};
    auto target = system.spawn<Linker>();
    system.stop(target).await();
    probe.link(target);
    REQUIRE(probe.expect<Exit>().why.kind() == ExitReason::Kind::no_actor);
    probe.link(troupe::Ref<>{});
    REQUIRE(probe.expect<Exit>().why.kind() == ExitReason::Kind::no_actor);
  });
}

TEST_CASE("after unlink no exit signal comes - a link made anew from the other side holds",
          "[runtime]") {
  on_every_schedule([](TestSystem& system) {
    Probe<Exit> probe{system};
    auto target = system.spawn<Linker>();
    probe.link(target);
    probe.unlink(target);
    target.tell(Boom{});
    probe.expect_no_message();
    auto other = system.spawn<Linker>();
    probe.link(other);
    other.tell(LinkTo{probe.ref()});
    system.settle();
    probe.unlink(other);
    other.tell(LinkTo{probe.ref()});
    system.settle();
    other.tell(Boom{});
    REQUIRE(probe.expect<Exit>().why.text() == "boom");
    probe.expect_no_message();
  });
}
