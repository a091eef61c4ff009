// What keeps mailboxes from growing for ever: slowing of senders, and the memory budget (D2).
#include <troupe/runtime/options.hpp>

#include <catch2/catch.hpp>
#include <troupe/runtime/runtime.hpp>

#include "memory.hpp"
#include "memory_watch.hpp"
#include "support/schedules.hpp"

using namespace std::chrono_literals;
using Catch::Contains;
using troupe::DropReason;
using troupe::Sent;
using troupe::test::LogLines;
using troupe::test::observed_by;
using troupe::test::on_every_schedule;
using troupe::test::on_seeds;
using troupe::test::Recorder;
using troupe::testkit::Probe;
using troupe::testkit::TestSystem;

namespace {

struct Row {};
struct Flood {
  int rows;
  int rounds;
};
struct Question {
  using Reply = int;
};
struct AskBack {
  troupe::Ref<Question> whom;
};
struct Next {};

/// Takes rows, and asks whom it is told to.
class Store : public troupe::Actor<Row, AskBack> {
 public:
  explicit Store(std::shared_ptr<std::atomic<int>> rows) : rows_(std::move(rows)) {}
  void receive(const Row&) { ++*rows_; }
  void receive(const AskBack& m) {
    answered = m.whom.ask(Question{}).try_await().has_value();
    *rows_ += answered ? 1'000'000 : 0;
  }
  bool answered = false;

 private:
  std::shared_ptr<std::atomic<int>> rows_;
};

/// Floods a store in rounds, each a message to itself; notes how much mail waits there.
class Source : public troupe::Actor<Flood, Question> {
 public:
  Source(troupe::Ref<Store> to, std::shared_ptr<std::atomic<std::uint32_t>> most)
      : to_(to), most_(std::move(most)) {}
  void receive(const Flood& m) {
    for (int i = 0; i < m.rows; ++i) to_.tell(Row{});
    const std::uint32_t length = troupe::detail::mailbox_length(to_.address());
    if (length > *most_) *most_ = length;
    if (m.rounds > 1) self().tell(Flood{m.rows, m.rounds - 1});
  }
  int receive(const Question&) { return 1; }

 private:
  troupe::Ref<Store> to_;
  std::shared_ptr<std::atomic<std::uint32_t>> most_;
};

struct Flooding {
  std::shared_ptr<std::atomic<int>> rows = std::make_shared<std::atomic<int>>(0);
  std::shared_ptr<std::atomic<std::uint32_t>> most =
      std::make_shared<std::atomic<std::uint32_t>>(0);
};

troupe::SystemOptions slowed_above(std::uint32_t messages) {
  troupe::SystemOptions options;
  options.slow_senders_above = messages;
  return options;
}

}  // namespace

TEST_CASE("D2 who floods an actor is slowed: its mailbox stays small, and everything arrives",
          "[runtime]") {
  const auto flood = [](TestSystem& system) {
    Flooding f;
    const auto store = system.spawn<Store>(f.rows);
    system.spawn<Source>(store, f.most).tell(Flood{100, 200});
    system.advance(10s);
    REQUIRE(f.rows->load() == 100 * 200);
    return f.most->load();
  };
  on_every_schedule([&](TestSystem& system) { REQUIRE(flood(system) <= 400 + 2 * 100 + 64); },
                    slowed_above(400));
}

TEST_CASE("D2 a slowed sender goes on after a while also when nothing moves", "[runtime]") {
  on_every_schedule(
      [](TestSystem& system) {
        Flooding f;
        Probe<Question> nobody{system};
        const auto store = system.spawn<Store>(f.rows);
        const auto source = system.spawn<Source>(store, f.most);
        store.tell(AskBack{nobody.ref()});  // it waits for 5 s, and takes nothing
        system.settle();
        source.tell(Flood{200, 3});
        system.settle();
        system.advance(1s);
        REQUIRE(source.ask(Question{}).await() == 1);  // each round took 10 ms at most
        REQUIRE(f.most->load() >= 600);
      },
      slowed_above(100));
}

TEST_CASE(
    "D2 S138 being slowed is no part of a ring: who is flooded asks the sender, and is answered "
    "at once",
    "[runtime]") {
  on_every_schedule(
      [](TestSystem& system) {
        Flooding f;
        const auto store = system.spawn<Store>(f.rows);
        const auto source = system.spawn<Source>(store, f.most);
        const auto begun = system.now();
        source.tell(Flood{300, 1});
        store.tell(AskBack{source});
        source.tell(Flood{300, 4});
        store.tell(AskBack{source});
        system.settle();  // no time passes
        REQUIRE(system.now() == begun);
        REQUIRE(f.rows->load() == 2'000'000 + 5 * 300);
      },
      slowed_above(100));
}

TEST_CASE("D2 a slowed sender hears a stop at once, and why() says what it waits for",
          "[runtime]") {
  on_seeds(
      [](TestSystem& system) {
        Flooding f;
        Probe<Question> nobody{system};
        const auto store = system.spawn<Store>({.name = "store"}, f.rows);
        const auto source = system.spawn<Source>(store, f.most);
        store.tell(AskBack{nobody.ref()});
        system.settle();
        source.tell(Flood{300, 2});
        system.settle();
        REQUIRE_THAT(system.why(source), Contains("waits for room in the mailbox from /store"));
        const auto begun = system.now();
        system.stop(source).await();
        REQUIRE(system.now() == begun);
      },
      slowed_above(100));
}

TEST_CASE("D2 over the memory budget those with much mail get no more - a tenth above nobody does",
          "[runtime]") {
  const auto recorder = std::make_shared<Recorder>();
  const auto lines = std::make_shared<LogLines>();
  const auto used = std::make_shared<std::atomic<std::uint64_t>>(0);
  auto options = observed_by(recorder);
  options.log = lines;
  options.memory_max = 100 << 20;
  options.memory_gauge = [used] { return used->load(); };
  options.slow_senders_above = 0;
  on_every_schedule(
      [&](TestSystem& system) {
        *used = 0;
        lines->take();
        Flooding f;
        Probe<Question> nobody{system};
        const auto full = system.spawn<Store>(f.rows);
        const auto empty = system.spawn<Store>(f.rows);
        full.tell(AskBack{nobody.ref()});
        system.settle();
        for (int i = 0; i < 1500; ++i) REQUIRE(full.tell(Row{}) == Sent::ok);
        system.settle();

        recorder->clear();
        *used = 101 << 20;
        system.advance(60ms);
        REQUIRE(full.tell(Row{}) == Sent::budget);
        REQUIRE(empty.tell(Row{}) == Sent::ok);
        REQUIRE(system.metrics().dropped_for(DropReason::over_budget) == 1);
        REQUIRE(recorder->count("dead_letter") == 1);

        *used = 111 << 20;
        system.advance(60ms);
        REQUIRE(empty.tell(Row{}) == Sent::budget);
        const auto source = system.spawn<Source>(empty, f.most);
        const auto refused = source.ask(Question{}).try_await();
        REQUIRE(refused.error().kind == troupe::AskErrorKind::mailbox_full);
        nobody.expect<Question>();
        nobody.reply<Question>(1);  // answers go through, and what waits is handled
        system.settle();
        REQUIRE(f.rows->load() == 1'000'000 + 1500 + 1);

        *used = 50 << 20;
        system.advance(60ms);
        REQUIRE(full.tell(Row{}) == Sent::ok);
        auto log = lines->take();
        std::erase_if(log, [](const std::string& l) { return l.find("MiB") == l.npos; });
        REQUIRE(log.size() == 3);
        REQUIRE_THAT(log[0], Contains("101 MiB in use, memory_max is 100 MiB"));
        REQUIRE_THAT(log[1], Contains("messages are refused"));
        REQUIRE_THAT(log[2], Contains("within the memory budget again"));
      },
      options);
}

TEST_CASE("D2 delayed messages come over the budget too, and who has ended is told apart from it",
          "[runtime]") {
  const auto used = std::make_shared<std::atomic<std::uint64_t>>(0);
  troupe::SystemOptions options;
  options.memory_max = 100 << 20;
  options.memory_gauge = [used] { return used->load(); };
  on_every_schedule(
      [&](TestSystem& system) {
        *used = 0;
        Flooding f;
        const auto store = system.spawn<Store>(f.rows);
        const auto gone = system.spawn<Store>(f.rows);
        system.stop(gone).await();
        system.settle();
        REQUIRE(store.tell_after(1s, Row{}) == Sent::ok);
        *used = 200 << 20;
        system.advance(2s);
        REQUIRE(f.rows->load() == 1);
        REQUIRE(store.tell(Row{}) == Sent::budget);
        REQUIRE(gone.tell(Row{}) == Sent::dead);
        REQUIRE(store.send(Row{}).try_await().error().kind == troupe::AskErrorKind::mailbox_full);
      },
      options);
}

#if !TROUPE_PLAIN_HEAP
TEST_CASE("D2 memory that messages have used up and given back is free again", "[runtime]") {
  troupe::SystemOptions options;
  const std::uint64_t before = troupe::detail::bytes_in_use();
  options.memory_max = before + (64 << 20);
  options.memory_gauge = &troupe::detail::bytes_in_use;
  options.slow_senders_above = 0;
  TestSystem system{1, troupe::testkit::Schedule::threads, options};
  Flooding f;
  Probe<Question> nobody{system};
  const auto store = system.spawn<Store>(f.rows);
  store.tell(AskBack{nobody.ref()});
  system.settle();
  constexpr int flood = 2'000'000;  // of 64 bytes each
  for (int i = 0; i < flood; ++i) static_cast<void>(store.tell(Row{}));
  system.advance(60ms);
  REQUIRE(store.tell(Row{}) == Sent::budget);
  nobody.expect<Question>();
  nobody.reply<Question>(1);
  system.settle();
  system.advance(2s);
  REQUIRE(store.tell(Row{}) == Sent::ok);
}
#endif
