// Replies of many rows.
#include <string>
#include <vector>

#include <troupe/runtime/runtime.hpp>

#include <catch2/catch.hpp>

#include "support/schedules.hpp"

using namespace std::chrono_literals;
using troupe::test::on_every_schedule;
using troupe::testkit::Probe;
using troupe::testkit::TestSystem;

namespace {

struct Row {
  int number;
  std::string text;  // too large for the slot of an answer
};
struct Query {
  int rows;
  std::string then = "finish";
  using Reply = troupe::Stream<Row>;
};
struct HowFar {
  using Reply = int;
};
struct Numbers {
  int count;
  using Reply = troupe::Stream<int>;
};

class Table : public troupe::Actor<Query, HowFar, Numbers> {
 public:
  static constexpr auto turns = troupe::reentrant;
  void receive(const Query& m, troupe::StreamTo<Row> out) {
    if (m.then == "refuse first") return out.refuse("no such table");
    for (written_ = 0; written_ < m.rows; ++written_) {
      auto sent = out.send(Row{written_, "row"}).try_await();
      if (!sent) {
        reader_left_ = true;
        return;
      }
    }
    if (m.then == "finish") out.finish();
    if (m.then == "refuse") out.refuse("the disk is full");
    if (m.then == "throw") throw std::runtime_error("broken");
  }
  troupe::Task<void> receive(Numbers m, troupe::StreamTo<int> out) {
    for (int i = 0; i < m.count; ++i) {
      auto sent = out.send(i);
      co_await sent;
    }
    out.finish();
  }
  int receive(const HowFar&) { return reader_left_ ? -1 : written_; }

 private:
  int written_ = 0;
  bool reader_left_ = false;
};

}  // namespace

TEST_CASE("a stream brings all rows in order, and then its end", "[stream]") {
  on_every_schedule([](TestSystem& system) {
    auto table = system.spawn<Table>();
    for (const int rows : {0, 1, 64, 65, 300}) {
      auto stream = table.ask(Query{rows}).await();
      for (int i = 0; i < rows; ++i) {
        auto row = stream.next().await();
        REQUIRE(row);
        REQUIRE(row->number == i);
      }
      REQUIRE_FALSE(stream.next().await());
      REQUIRE_FALSE(stream.next().await());
    }
  });
}

TEST_CASE("a writer is never further ahead than its reader's credit", "[stream]") {
  on_every_schedule([](TestSystem& system) {
    auto table = system.spawn<Table>();
    auto stream = table.ask(Query{1000}).await();
    system.settle();
    REQUIRE(table.ask(HowFar{}).await() == 64);  // the 65th is written and waits
    REQUIRE(stream.next().await()->number == 0);
    system.settle();
    REQUIRE(table.ask(HowFar{}).await() == 65);
    stream.set_credit(100);
    system.settle();
    REQUIRE(table.ask(HowFar{}).await() == 101);
    stream.set_credit(0);
    for (int i = 1; i < 1000; ++i) REQUIRE(stream.next().await()->number == i);
    REQUIRE_FALSE(stream.next().await());
  });
}

TEST_CASE("a stream fails as its writer does, after the rows before", "[stream]") {
  on_every_schedule([](TestSystem& system) {
    const auto ends_with = [&](const std::string& then, troupe::AskErrorKind kind) {
      auto table = system.spawn<Table>();
      auto stream = table.ask(Query{2, then}).await();
      REQUIRE(stream.next().await()->number == 0);
      REQUIRE(stream.next().await()->number == 1);
      const auto end = stream.next().try_await();
      REQUIRE_FALSE(end);
      REQUIRE(end.error().kind == kind);
    };
    ends_with("refuse", troupe::AskErrorKind::refused);
    ends_with("forget", troupe::AskErrorKind::no_reply);
    ends_with("throw", troupe::AskErrorKind::no_reply);
    auto table = system.spawn<Table>();
    REQUIRE_THROWS_AS(table.ask(Query{2, "refuse first"}).await(), troupe::Refused);
  });
}

TEST_CASE("a writer that is killed fails its stream - a reader that leaves stops its writer",
          "[stream]") {
  on_every_schedule([](TestSystem& system) {
    auto table = system.spawn<Table>();
    auto stream = table.ask(Query{1000}).await();
    system.settle();
    system.kill(table);
    system.settle();
    for (int i = 0; i < 65; ++i) REQUIRE(stream.next().await()->number == i);
    REQUIRE_THROWS_AS(stream.next().await(), troupe::ReceiverDown);

    auto other = system.spawn<Table>();
    { auto dropped = other.ask(Query{1000}).await(); }
    system.settle();
    REQUIRE(other.ask(HowFar{}).await() == -1);
  });
}

TEST_CASE("a next that nobody waits for any more takes no row", "[stream]") {
  on_every_schedule([](TestSystem& system) {
    struct Slow {
      using Reply = troupe::Stream<Row>;
    };
    Probe<Slow> writer{system};
    auto asked = writer.ref().ask(Slow{});
    writer.expect<Slow>();
    auto out = writer.take_reply<Slow>();
    out.open();
    auto stream = asked.await();
    REQUIRE_THROWS_AS(stream.next(1s).await(), troupe::AskTimeout);
    { auto dropped = stream.next(); }
    static_cast<void>(out.send(Row{7, "seven"}));
    REQUIRE(stream.next().await()->number == 7);
    out.finish();
    REQUIRE_FALSE(stream.next().await());
  });
}

TEST_CASE("coroutines write streams, actors read them", "[stream]") {
  struct Sum {
    int count;
    using Reply = int;
  };
  class Adder : public troupe::Actor<Sum> {
   public:
    explicit Adder(troupe::Ref<Numbers> numbers) : numbers_(numbers) {}
    int receive(const Sum& m) {
      auto stream = numbers_.ask(Numbers{m.count}).await();
      int sum = 0;
      while (auto number = stream.next().await()) sum += *number;
      return sum;
    }

   private:
    troupe::Ref<Numbers> numbers_;
  };
  on_every_schedule([](TestSystem& system) {
    auto adder = system.spawn<Adder>(system.spawn<Table>());
    REQUIRE(adder.ask(Sum{500}).await() == 499 * 500 / 2);
  });
}
