// Handlers as coroutines, await_any, and handlers that read together.
#include <troupe/runtime/task.hpp>

#include <atomic>
#include <thread>

#include <catch2/catch.hpp>
#include <troupe/runtime/runtime.hpp>

#include "support/schedules.hpp"

using namespace std::chrono_literals;
using troupe::Task;
using troupe::test::on_every_schedule;
using troupe::testkit::Probe;
using troupe::testkit::TestSystem;

namespace {

struct Price {
  std::string product;
  using Reply = int;
};
struct Quote {
  std::vector<std::string> products;
  using Reply = int;
};
struct Try {
  std::string product;
  using Reply = std::string;
};
struct Poke {};
struct Note {
  std::string text;
};
struct Scope {  // shows that a coroutine was unwound on its actor
  troupe::Ref<Note> notes;
  ~Scope() { notes.tell(Note{"unwound"}); }
};

class Broker : public troupe::Actor<Quote, Try, Poke, Price> {
 public:
  Broker(troupe::Ref<Price> source, troupe::Ref<Note> notes) : source_(source), notes_(notes) {}
  Task<int> receive(const Quote& m) {
    const Scope scope{notes_};
    int sum = 0;
    for (const std::string& product : m.products) {
      const int price = co_await price_of(product);
      sum += price;
    }
    co_return sum;  // m was valid across every await
  }
  Task<std::string> receive(Try m) {
    auto ask = source_.ask(Price{m.product}, 10s);
    auto result = co_await troupe::as_result(std::move(ask));
    co_return result ? std::to_string(*result) : std::string(to_string(result.error().kind));
  }
  Task<void> receive(const Poke&) {
    notes_.tell(Note{"poked"});
    auto ask = source_.ask(Price{"poke"}, 10s);
    static_cast<void>(co_await ask);
    notes_.tell(Note{"poke answered"});
  }
  Task<void> receive(const Price& m, troupe::ReplyTo<int> reply) {
    auto price = source_.ask(Price{m.product}, 10s);
    reply(co_await price + 1);
  }

 private:
  Task<int> price_of(std::string product) {
    if (product == "bad") throw std::runtime_error("no such product");
    if (product == "refused") troupe::refuse("not for sale");
    auto price = source_.ask(Price{product}, 10s);
    co_return co_await price;
  }
  troupe::Ref<Price> source_;
  troupe::Ref<Note> notes_;
};

}  // namespace

TEST_CASE("S136 a coroutine handler awaits asks and other tasks - its message stays valid",
          "[runtime]") {
  on_every_schedule([](TestSystem& system) {
    Probe<Price> source{system};
    Probe<Note> notes{system};
    auto broker = system.spawn<Broker>(source.ref(), notes.ref());
    auto quote = broker.ask(Quote{{"a", "b"}}, 1h);
    auto second = broker.ask(Try{"c"}, 1h);  // waits: one handler at a time
    REQUIRE(source.expect<Price>().product == "a");
    source.reply<Price>(10);
    REQUIRE(source.expect<Price>().product == "b");
    REQUIRE(source.waiting() == 0);
    source.reply<Price>(5);
    REQUIRE(quote.await() == 15);
    REQUIRE(notes.expect<Note>().text == "unwound");
    REQUIRE(source.expect<Price>().product == "c");
    source.reply<Price>(7);
    REQUIRE(second.await() == "7");
    auto kept = broker.ask(Price{"d"}, 1h);
    source.expect<Price>();
    source.reply<Price>(8);
    REQUIRE(kept.await() == 9);
    broker.tell(Poke{});
    source.expect<Price>();
    REQUIRE(notes.expect<Note>().text == "poked");
    source.reply<Price>(0);
    REQUIRE(notes.expect<Note>().text == "poke answered");
  });
}

TEST_CASE("S14 what a coroutine handler throws is what any handler throws", "[runtime]") {
  on_every_schedule([](TestSystem& system) {
    Probe<Price> source{system};
    Probe<Note> notes{system};
    auto broker = system.spawn<Broker>(source.ref(), notes.ref());
    REQUIRE(broker.ask(Quote{{"refused"}}, 1h).try_await().error().what == "not for sale");
    auto late = broker.ask(Quote{{"slow"}}, 1h);
    source.expect<Price>();
    REQUIRE(late.try_await().error().kind == troupe::AskErrorKind::timeout);  // its own ask's
    auto tried = broker.ask(Try{"slow"}, 1h);
    source.expect<Price>();
    REQUIRE(tried.await() == "timeout");
    auto bad = broker.ask(Quote{{"bad"}}, 1h).try_await();
    REQUIRE(bad.error().kind == troupe::AskErrorKind::receiver_down);
    REQUIRE(bad.error().what == "no such product");
    REQUIRE(system.metrics().handler_failures == 1);
  });
}

TEST_CASE("S139 a task is cancelled by resuming it with Cancelled: destructors run on the actor",
          "[runtime]") {
  on_every_schedule([](TestSystem& system) {
    Probe<Price> source{system};
    Probe<Note> notes{system};
    auto broker = system.spawn<Broker>(source.ref(), notes.ref());
    auto quote = broker.ask(Quote{{"a"}}, 1h);
    source.expect<Price>();
    system.kill(broker);
    REQUIRE(notes.expect<Note>().text == "unwound");
    REQUIRE(quote.try_await().error().kind == troupe::AskErrorKind::receiver_down);
    system.settle();
    REQUIRE(broker.tell(Poke{}) == troupe::Sent::dead);
  });
}

TEST_CASE("S138 a ring through a coroutine is seen too", "[runtime]") {
  on_every_schedule([](TestSystem& system) {
    Probe<Note> notes{system};
    class Self : public troupe::Actor<Price> {
     public:
      Task<int> receive(const Price&) {
        auto price = self().ask(Price{}, troupe::no_timeout);
        co_return co_await price;
      }
    };
    REQUIRE(system.spawn<Self>().ask(Price{}, 1h).try_await().error().kind ==
            troupe::AskErrorKind::cycle);
  });
}

namespace {

struct Race {
  using Reply = std::string;
};
/// The first of two answers; the other ask is dropped.
class Racer : public troupe::Actor<Race> {
 public:
  Racer(troupe::Ref<Price> one, troupe::Ref<Price> two) : one_(one), two_(two) {}
  std::string receive(const Race&) {
    auto first = one_.ask(Price{"x"}, 1h);
    auto second = two_.ask(Price{"x"}, 1h);
    const std::size_t which = troupe::await_any(first, second);
    return std::to_string(which) + ": " +
           std::to_string(which == 0 ? first.await() : second.await());
  }

 private:
  troupe::Ref<Price> one_;
  troupe::Ref<Price> two_;
};

}  // namespace

TEST_CASE("S12 await_any waits for the first of several asks, in an actor and outside",
          "[runtime]") {
  on_every_schedule([](TestSystem& system) {
    Probe<Price> one{system};
    Probe<Price> two{system};
    auto racer = system.spawn<Racer>(one.ref(), two.ref());
    auto race = racer.ask(Race{}, 1h);
    one.expect<Price>();
    two.expect<Price>();
    two.reply<Price>(2);
    REQUIRE(race.await() == "1: 2");
    one.reply<Price>(1);  // too late: its ask was dropped
    system.settle();
    REQUIRE(system.metrics().dropped_for(troupe::DropReason::late_reply) == 1);

    std::vector<troupe::Ask<int>> asks;
    for (auto* probe : {&one, &two}) asks.push_back(probe->ref().ask(Price{"y"}, 1h));
    one.expect<Price>();
    two.expect<Price>();
    two.reply<Price>(10);
    REQUIRE(troupe::await_any(asks) == 1);
    REQUIRE(troupe::await_any(asks) == 1);
    REQUIRE(asks[1].await() == 10);
  });
}

TEST_CASE("S12 await_any: a failed ask is over too", "[runtime]") {
  on_every_schedule([](TestSystem& system) {
    Probe<Price> silent{system};
    Probe<Price> other{system};
    auto ask = silent.ref().ask(Price{}, 1h);
    auto soon = other.ref().ask(Price{}, 5s);
    REQUIRE(troupe::await_any(ask, soon) == 1);
    REQUIRE(soon.try_await().error().kind == troupe::AskErrorKind::timeout);
  });
}

namespace {

struct Read {
  int n;
  using Reply = int;
};
struct Write {
  int n;
  using Reply = int;
};
/// Its readers may wait together.
class Ledger : public troupe::Actor<Read, Write> {
 public:
  static constexpr auto turns = troupe::readers_together;
  explicit Ledger(troupe::Ref<Price> slow) : slow_(slow) {}
  int receive(const Read& m) const {
    return slow_.ask(Price{"read " + std::to_string(m.n)}, 1h).await();
  }
  int receive(const Write& m) {
    return slow_.ask(Price{"write " + std::to_string(m.n)}, 1h).await();
  }

 private:
  troupe::Ref<Price> slow_;
};

}  // namespace

TEST_CASE("S137 readers_together: const handlers wait side by side, others alone, in order",
          "[runtime]") {
  on_every_schedule([](TestSystem& system) {
    Probe<Price> slow{system};
    auto ledger = system.spawn<Ledger>(slow.ref());
    auto r1 = ledger.ask(Read{1}, 1h);
    auto r2 = ledger.ask(Read{2}, 1h);
    auto w3 = ledger.ask(Write{3}, 1h);
    auto r4 = ledger.ask(Read{4}, 1h);
    REQUIRE(slow.expect<Price>().product == "read 1");
    system.settle();
    REQUIRE(slow.waiting() == 1);  // the second reader did not wait for the first
    slow.reply<Price>(1);
    REQUIRE(r1.await() == 1);
    REQUIRE(slow.expect<Price>().product == "read 2");
    system.settle();
    REQUIRE(slow.waiting() == 0);  // the writer waits for the reader, and whoever comes behind it
    slow.reply<Price>(2);
    REQUIRE(r2.await() == 2);
    REQUIRE(slow.expect<Price>().product == "write 3");
    system.settle();
    REQUIRE(slow.waiting() == 0);
    slow.reply<Price>(3);
    REQUIRE(w3.await() == 3);
    REQUIRE(slow.expect<Price>().product == "read 4");
    auto r5 = ledger.ask(Read{5}, 1h);  // an idle waiting reader is joined by a new one
    REQUIRE(slow.expect<Price>().product == "read 5");
    slow.reply<Price>(5);
    REQUIRE(r5.await() == 5);
    REQUIRE_FALSE(r4.try_await().has_value());
  });
}

namespace {

struct First {
  using Reply = std::string;
};
struct All {
  using Reply = std::string;
};
struct Sum {
  int count;
  using Reply = int;
};
struct ReadFile {
  using Reply = std::string;
};

/// Waits in a coroutine for several at a time, and for the blocking pool.
class Juggler : public troupe::Actor<First, All, Sum, ReadFile> {
 public:
  Juggler(troupe::Ref<Price> a, troupe::Ref<Price> b) : a_(a), b_(b) {}
  Task<std::string> receive(const First&) {
    auto one = a_.ask(Price{"one"}, 10s);
    auto other = b_.ask(Price{"other"}, 10s);
    const std::size_t first = co_await troupe::any_of(one, other);
    auto& ask = first == 0 ? one : other;
    const int price = co_await ask;
    co_return std::to_string(first) + ": " + std::to_string(price);
  }
  Task<std::string> receive(const All&) {
    auto one = a_.ask(Price{"one"}, 10s);
    auto other = b_.ask(Price{"other"}, 10s);
    const auto [x, y] = co_await troupe::all_of(std::move(one), std::move(other));
    const auto text = [](const auto& r) {
      return r ? std::to_string(*r) : std::string(to_string(r.error().kind));
    };
    co_return text(x) + " " + text(y);
  }
  Task<int> receive(const Sum& m) {
    std::vector<troupe::Ask<int>> asks;
    for (int i = 0; i < m.count; ++i) asks.push_back(a_.ask(Price{std::to_string(i)}, 10s));
    const auto prices = co_await troupe::all_of(std::move(asks));
    int sum = 0;
    for (const auto& price : prices) sum += *price;
    co_return sum;
  }
  Task<std::string> receive(const ReadFile&) {
    std::string text = "read";
    const int size = co_await troupe::blocking_task([&] { return static_cast<int>(text.size()); });
    try {
      co_await troupe::blocking_task([] { throw std::runtime_error("disk on fire"); });
    } catch (const std::runtime_error& e) {
      text = e.what();
    }
    co_return text + " " + std::to_string(size);
  }

 private:
  troupe::Ref<Price> a_;
  troupe::Ref<Price> b_;
};

}  // namespace

TEST_CASE("S12 in a coroutine any_of waits for the first, all_of for all", "[runtime]") {
  on_every_schedule([](TestSystem& system) {
    Probe<Price> a{system};
    Probe<Price> b{system};
    auto juggler = system.spawn<Juggler>(a.ref(), b.ref());
    for (const bool is_first : {true, false}) {
      auto first = juggler.ask(First{}, 1h);
      a.expect<Price>();
      b.expect<Price>();
      is_first ? a.reply<Price>(1) : b.reply<Price>(2);
      REQUIRE(first.await() == (is_first ? "0: 1" : "1: 2"));
      is_first ? b.reply<Price>(3) : a.reply<Price>(3);  // late: counted, and reaches nobody
    }
    auto all = juggler.ask(All{}, 1h);
    a.expect<Price>();
    b.expect<Price>();
    b.reply<Price>(7);
    system.advance(9s);
    REQUIRE(!troupe::detail::is_over(all.port()));
    system.advance(1s);
    REQUIRE(all.await() == "timeout 7");
    auto sum = juggler.ask(Sum{5}, 1h);
    for (int i = 0; i < 5; ++i) {
      a.expect<Price>();
      a.reply<Price>(i);
    }
    REQUIRE(sum.await() == 10);
    REQUIRE(juggler.ask(Sum{0}).await() == 0);
  });
}

TEST_CASE("S81 in a coroutine blocking_task runs on the blocking pool, and throws what it threw",
          "[runtime]") {
  on_every_schedule([](TestSystem& system) {
    Probe<Price> none{system};
    auto juggler = system.spawn<Juggler>(none.ref(), none.ref());
    REQUIRE(juggler.ask(ReadFile{}).await() == "disk on fire 4");
  });
}

TEST_CASE(
    "S81 no more blocking calls run at a time than blocking_threads_max, and all get their turn",
    "[runtime]") {
  constexpr int calls = 6;
  static std::atomic<int> begun, active, most;
  begun = active = most = 0;
  class Blocks : public troupe::Actor<ReadFile> {
   public:
    std::string receive(const ReadFile&) {
      ++begun;
      troupe::blocking([] {
        const int now = ++active;
        for (int seen = most; now > seen && !most.compare_exchange_weak(seen, now);) {
        }
        while (begun < calls) std::this_thread::yield();
        for (int i = 0; i < 1000; ++i) std::this_thread::yield();
        --active;
      });
      return "read";
    }
  };
  troupe::SystemOptions options;
  options.blocking_threads_max = 2;
  TestSystem system{1, troupe::testkit::Schedule::threads, options};
  std::vector<troupe::Ask<std::string>> asks;
  for (int i = 0; i < calls; ++i)
    asks.push_back(system.spawn<Blocks>().ask(ReadFile{}, troupe::no_timeout));
  for (auto& ask : asks) REQUIRE(ask.await() == "read");
  REQUIRE(most == 2);
}

namespace {

/// Holds memory that a call on the blocking pool uses.
class Lender : public troupe::Actor<Poke> {
 public:
  Lender(std::atomic<int>& steps, troupe::Ref<Note> notes) : steps_(steps), notes_(notes) {}
  Task<void> receive(const Poke&) {
    const Scope scope{notes_};
    co_await troupe::blocking_task([this](std::stop_token stop) {
      steps_ = 1;
      while (!stop.stop_requested()) std::this_thread::yield();
      steps_ = 2;
    });
    notes_.tell(Note{"not reached"});
  }

 private:
  std::atomic<int>& steps_;
  troupe::Ref<Note> notes_;
};

}  // namespace

TEST_CASE("S139 a task that lent memory to a blocking call is cancelled when that is over",
          "[runtime]") {
  troupe::SystemOptions options;
  options.log = troupe::no_log();
  TestSystem system{1, troupe::testkit::Schedule::threads, options};
  std::atomic<int> steps{0};
  Probe<Note> notes{system};
  auto lender = system.spawn<Lender>(std::ref(steps), notes.ref());
  lender.tell(Poke{});
  std::thread killer([&] {
    while (steps == 0) std::this_thread::yield();
    system.kill(lender);
  });
  REQUIRE(notes.expect<Note>().text == "unwound");
  killer.join();
  REQUIRE(steps == 2);
  notes.expect_no_message();
}
