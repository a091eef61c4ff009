// Processes: actors written as one function, with selective receive.
#include <string>

#include <troupe/runtime/runtime.hpp>

#include <catch2/catch.hpp>

#include "support/schedules.hpp"

using namespace std::chrono_literals;
using troupe::after;
using troupe::when;
using troupe::test::on_every_schedule;
using troupe::testkit::Probe;
using troupe::testkit::TestSystem;

namespace {

struct Unlock {
  std::string code;
};
struct Publish {
  int price;
};
struct GetPrice {
  using Reply = int;
};
struct Did {
  std::string what;
};
using Sink = troupe::Ref<Did>;

void expect(Probe<Did>& probe, std::initializer_list<const char*> all) {
  for (const char* what : all) REQUIRE(probe.expect<Did>(0s).what == what);
  REQUIRE(probe.waiting() == 0);
}

}  // namespace

TEST_CASE("a process receives what it wants, and the rest stays in its order", "[process]") {
  on_every_schedule([](TestSystem& system) {
    Probe<Did> probe{system};
    auto process = troupe::spawn_process(
        system, [sink = Sink{probe.ref()}](troupe::Process<Publish, Unlock>& self) {
          for (bool locked = true; locked;)
            locked = self.receive([](const Unlock& m) { return m.code != "1234"; });
          for (int i = 0; i < 3; ++i)
            self.receive([&](Publish m) { sink.tell(Did{std::to_string(m.price)}); },
                         [&](const Unlock& m) { sink.tell(Did{m.code}); });
        });
    const troupe::Ref<Publish, Unlock> ref = process;
    ref.tell(Publish{1});
    ref.tell(Unlock{"wrong"});
    ref.tell(Publish{2});
    ref.tell(Unlock{"1234"});
    ref.tell(Unlock{"again"});
    system.settle();
    expect(probe, {"1", "2", "again"});
    REQUIRE(system.actor_count() == 1);  // the function returned: it has ended
  });
}

TEST_CASE("C93 what a process skips stays where it is, and the process sleeps", "[process]") {
  on_every_schedule([](TestSystem& system) {
    Probe<Did> probe{system};
    auto process = troupe::spawn_process(
        system, [sink = Sink{probe.ref()}](troupe::Process<Publish, Unlock>& self) {
          self.receive([](const Unlock&) {});
          self.receive([&](const Publish& m) { sink.tell(Did{std::to_string(m.price)}); });
        });
    process.tell(Publish{1});
    system.settle();  // would not come back if it ran on and on
    const auto trace = system.trace_hash();
    system.settle();
    REQUIRE(system.trace_hash() == trace);
    REQUIRE(probe.waiting() == 0);
    process.tell(Unlock{""});
    expect(probe, {"1"});
  });
}

TEST_CASE("a process waits so long and no longer - zero looks at what is there", "[process]") {
  on_every_schedule([](TestSystem& system) {
    Probe<Did> probe{system};
    auto process = troupe::spawn_process(
        system, [sink = Sink{probe.ref()}](troupe::Process<Publish, Unlock>& self) {
          const auto begin = self.now();
          self.receive([](const Unlock&) { FAIL("none was sent"); },
                       after(10s, [&] { sink.tell(Did{"late"}); }));
          if (self.now() - begin < 10s) sink.tell(Did{"early"});
          for (bool more = true; more;) {
            more = self.receive(
                [&](const Publish& m) {
                  sink.tell(Did{std::to_string(m.price)});
                  return true;
                },
                after(0s, [] { return false; }));
          }
          if (self.now() - begin > 11s) sink.tell(Did{"waited"});
          sink.tell(Did{"empty"});
        });
    system.settle();
    for (int i = 1; i <= 3; ++i) process.tell(Publish{i});
    system.advance(9s);
    REQUIRE(probe.waiting() == 0);
    system.advance(1s);
    expect(probe, {"late", "1", "2", "3", "empty"});
  });
}

TEST_CASE("a process sees what is in its mailbox before a receive of zero gives up", "[process]") {
  on_every_schedule([](TestSystem& system) {
    Probe<Did> probe{system};
    Probe<GetPrice> gate{system};
    auto process = troupe::spawn_process(
        system, [sink = Sink{probe.ref()},
                 open = troupe::Ref<GetPrice>{gate.ref()}](troupe::Process<Publish, Unlock>& self) {
          open.ask(GetPrice{}, 1h).await();  // takes no messages: they stay in the mailbox
          self.receive([&](const Unlock&) { sink.tell(Did{"unlocked"}); },
                       after(0s, [&] { sink.tell(Did{"nothing"}); }));
          self.receive([&](const Unlock&) { sink.tell(Did{"again"}); },
                       after(0s, [&] { sink.tell(Did{"nothing"}); }));
        });
    gate.expect<GetPrice>();
    for (int i = 1; i <= 100; ++i) process.tell(Publish{i});
    process.tell(Unlock{"1"});
    system.settle();
    gate.reply<GetPrice>(1);
    system.settle();
    expect(probe, {"unlocked", "nothing"});
  });
}

TEST_CASE("a process can choose by what a message says", "[process]") {
  on_every_schedule([](TestSystem& system) {
    Probe<Did> probe{system};
    auto process =
        troupe::spawn_process(system, [sink = Sink{probe.ref()}](troupe::Process<Publish>& self) {
          const auto say = [&](Publish&& m) { sink.tell(Did{std::to_string(m.price)}); };
          self.receive(when([](const Publish& m) { return m.price > 10; }, say));
          self.receive(when([](const Publish& m) { return m.price == 3; }, say));
          while (self.waiting() > 0) self.receive(say);
        });
    for (int price : {1, 2, 30, 3, 4}) process.tell(Publish{price});
    system.settle();
    REQUIRE(probe.expect<Did>().what == "30");
    REQUIRE(probe.expect<Did>().what == "3");
    REQUIRE(probe.expect<Did>().what == "1");
    REQUIRE(probe.expect<Did>().what == "2");
  });
}

TEST_CASE("a process answers requests when it wants to, and waits for others like any actor",
          "[process]") {
  on_every_schedule([](TestSystem& system) {
    Probe<GetPrice> source{system};
    const troupe::Ref<GetPrice> from = source.ref();
    auto process = troupe::spawn_process(system, [from](troupe::Process<Publish, GetPrice>& self) {
      const int first = from.ask(GetPrice{}).await();  // its messages wait meanwhile
      self.receive([&](const Publish& m) {
        self.receive([&](GetPrice, troupe::ReplyTo<int> reply) { reply(m.price + first); });
      });
      self.receive([](GetPrice, troupe::ReplyTo<int>) {});  // forgets the answer
    });
    auto answer = process.ask(GetPrice{});
    process.tell(Publish{7});
    source.expect<GetPrice>();
    source.reply<GetPrice>(100);
    REQUIRE(answer.await() == 107);
    auto forgotten = process.ask(GetPrice{}).try_await();
    REQUIRE_FALSE(forgotten);
    REQUIRE(forgotten.error().kind == troupe::AskErrorKind::no_reply);
  });
}

namespace {

struct Unwinds {
  Sink sink;
  ~Unwinds() { sink.tell(Did{"unwound"}); }
};
/// Receives, or asks when it is unlocked, and receives again.
auto receives_twice(Sink sink, troupe::Ref<GetPrice> from) {
  return troupe::process([=](troupe::Process<Publish, Unlock>& self) {
    const Unwinds unwinds{sink};
    self.receive([](const Publish&) {},
                 [&](const Unlock&) {
                   from.ask(GetPrice{}, 1h).await();
                   sink.tell(Did{"answered"});
                 });
    self.receive([](const Publish&) {});
    sink.tell(Did{"went on"});
  });
}

}  // namespace

TEST_CASE("S139 a stop ends a process where it receives", "[process]") {
  on_every_schedule([](TestSystem& system) {
    Probe<Did> probe{system};
    Probe<GetPrice> source{system};
    auto process = system.spawn(receives_twice(probe.ref(), source.ref()));
    system.settle();
    const auto before = system.now();
    system.stop(process).await();
    REQUIRE(system.now() == before);
    expect(probe, {"unwound"});
  });
}

TEST_CASE("S139 a stop lets a process that awaits go on to its next receive", "[process]") {
  on_every_schedule([](TestSystem& system) {
    Probe<Did> probe{system};
    Probe<GetPrice> source{system};
    auto process = system.spawn(receives_twice(probe.ref(), source.ref()));
    process.tell(Unlock{"1"});
    source.expect<GetPrice>();
    auto stopped = system.stop(process, 1h);
    system.advance(1min);
    REQUIRE(probe.waiting() == 0);
    source.reply<GetPrice>(1);
    stopped.await();
    expect(probe, {"answered", "unwound"});
  });
}

TEST_CASE("S139 a kill ends a process where it awaits", "[process]") {
  on_every_schedule([](TestSystem& system) {
    Probe<Did> probe{system};
    Probe<GetPrice> source{system};
    auto process = system.spawn(receives_twice(probe.ref(), source.ref()));
    process.tell(Unlock{"1"});
    source.expect<GetPrice>();
    system.kill(process);
    system.settle();
    expect(probe, {"unwound"});
  });
}

TEST_CASE("what a process throws is its failure, a failed ask too", "[process]") {
  on_every_schedule([](TestSystem& system) {
    Probe<troupe::Terminated> probe{system};
    const auto ends_with = [&](auto body, const std::string& text) {
      auto process = troupe::spawn_process(system, body);
      probe.watch(process);
      process.tell(Publish{1});
      REQUIRE_THAT(probe.expect<troupe::Terminated>(10s).why.to_string(), Catch::Contains(text));
    };
    ends_with(
        [](troupe::Process<Publish>& self) {
          self.receive([](const Publish&) { throw std::runtime_error("broken"); });
        },
        "broken");
    ends_with(
        [](troupe::Process<Publish>& self) {
          self.receive([](const Publish&) { troupe::Ref<GetPrice>{}.ask(GetPrice{}).await(); });
        },
        "no such actor");
    ends_with([](troupe::Process<Publish>& self) { self.receive([](const Publish&) {}); },
              "normal");
  });
}

TEST_CASE("a process receives signals that it lists", "[process]") {
  on_every_schedule([](TestSystem& system) {
    Probe<Did> probe{system};
    auto child_body = [](troupe::Process<Publish>& self) { self.receive([](const Publish&) {}); };
    troupe::spawn_process(system, [sink = Sink{probe.ref()},
                                   child_body](troupe::Process<Unlock, troupe::Terminated>& self) {
      const auto child = self.spawn(troupe::process(child_body));
      self.watch(child);
      child.tell(Publish{1});
      self.receive([&](const troupe::Terminated& m) {
        sink.tell(Did{m.who == child ? "the child has ended" : "somebody has ended"});
      });
    });
    system.settle();
    expect(probe, {"the child has ended"});
  });
}

TEST_CASE("T7 receiving selectively from 500,000 waiting messages costs a look at each",
          "[process]") {
  constexpr int many = 500'000;
  troupe::System system{{.workers = 2}};
  struct Done {
    std::size_t looks;
    using Reply = std::size_t;
  };
  auto process = troupe::spawn_process(system, [](troupe::Process<Publish, Unlock, Done>& self) {
    std::size_t looks = 0;
    // The messages of another type in front cost nothing, a `when` looks at each once.
    for (int i = 0; i < 100; ++i) self.receive([](const Unlock&) {});
    self.receive(when(
        [&](const Publish& m) {
          ++looks;
          return m.price == many;
        },
        [](const Publish&) {}));
    for (int i = 1; i < many; ++i) self.receive([](const Publish&) {});
    self.receive([&](Done, troupe::ReplyTo<std::size_t> reply) { reply(looks); });
  });
  for (int i = 1; i <= many; ++i) process.tell(Publish{i});
  for (int i = 0; i < 100; ++i) process.tell(Unlock{""});
  REQUIRE(process.ask(Done{}, 5min).await() == many);
}

TEST_CASE("what a process has taken and not received is a dead letter when it ends", "[process]") {
  on_every_schedule([](TestSystem& system) {
    auto process = troupe::spawn_process(
        system, [](troupe::Process<Publish, Unlock>& self) { self.receive([](const Unlock&) {}); });
    for (int i = 0; i < 10; ++i) process.tell(Publish{i});
    system.settle();
    system.stop(process).await();
    REQUIRE(system.metrics().dropped_for(troupe::DropReason::ended) == 10);
  });
}

TEST_CASE("S25 what a process has taken and not received counts as waiting", "[process]") {
  on_every_schedule([](TestSystem& system) {
    auto process = troupe::spawn_process(system,
                                         [](troupe::Process<Publish, Unlock>& self) {
                                           self.receive([](const Unlock&) {});
                                           for (int i = 0; i < 4; ++i)
                                             self.receive([](const Publish&) {});
                                           self.receive([](const Unlock&) {});
                                         },
                                         {.name = "process"});
    const auto waiting = [&] {
      system.settle();
      for (const auto& actor : system.actors())
        if (actor.path == "/process") return actor.mailbox_length;
      return ~0u;
    };
    for (int i = 0; i < 10; ++i) process.tell(Publish{i});
    REQUIRE(waiting() == 10);
    process.tell(Unlock{});
    REQUIRE(waiting() == 6);
    process.tell(Unlock{});
    system.settle();
    REQUIRE(system.metrics().dropped_for(troupe::DropReason::ended) == 6);
  });
}

TEST_CASE("S139 a matcher that waits is a usage error, which fails the process", "[process]") {
  on_every_schedule([](TestSystem& system) {
    Probe<GetPrice> prices{system};
    Probe<troupe::Terminated> watcher{system};
    auto process = troupe::spawn_process(system, [prices = prices.ref()](
                                                     troupe::Process<Publish>& self) {
      self.receive(troupe::when([&](const Publish&) { return prices.ask(GetPrice{}).await() > 0; },
                                [](const Publish&) {}));
    });
    watcher.watch(process);
    process.tell(Publish{1});
    REQUIRE_THAT(std::string(watcher.expect<troupe::Terminated>().why.text()),
                 Catch::Contains("a matcher"));
  });
}

TEST_CASE("S52 after unwatch a process receives no Terminated that it has taken already",
          "[process]") {
  on_every_schedule([](TestSystem& system) {
    Probe<Did> probe{system};
    auto child_body = [](troupe::Process<Publish>& self) { self.receive([](const Publish&) {}); };
    auto process = troupe::spawn_process(
        system, [sink = Sink{probe.ref()},
                 child_body](troupe::Process<Unlock, troupe::Terminated, troupe::Down>& self) {
          const auto child = self.spawn(troupe::process(child_body));
          self.watch(child);
          const auto token = self.monitor(child);
          child.tell(Publish{1});
          self.receive([](const Unlock&) {});  // takes what else has come
          self.unwatch(child);
          self.demonitor(token);
          self.receive([&](const troupe::Terminated&) { sink.tell(Did{"terminated"}); },
                       [&](const troupe::Down&) { sink.tell(Did{"down"}); },
                       after(1s, [&] { sink.tell(Did{"nothing"}); }));
        });
    system.settle();
    process.tell(Unlock{"1"});
    system.advance(2s);
    expect(probe, {"nothing"});
  });
}

TEST_CASE("a process may wait for nothing but the time - one with a bounded mailbox is refused",
          "[process]") {
  on_every_schedule([](TestSystem& system) {
    Probe<Did> probe{system};
    const auto begin = system.now();
    troupe::spawn_process(system, [sink = Sink{probe.ref()}](troupe::Process<Publish>& self) {
      self.receive(after(3s, [] {}));
      sink.tell(Did{"slept"});
    });
    REQUIRE(probe.expect<Did>(10s).what == "slept");
    REQUIRE(system.now() - begin >= 3s);
    troupe::spawn_process(system, [](troupe::Process<Publish>&) { FAIL("it does not begin"); },
                          {.mailbox = {.capacity = 2}});
    system.settle();
    REQUIRE(system.metrics().handler_failures == 1);
  });
}
