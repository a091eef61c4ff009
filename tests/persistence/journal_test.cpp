// The journal: what it answers when its store goes wrong.
#include <troupe/persistence/journal.hpp>

#include <future>

#include <catch2/catch.hpp>

#include "persistence/account.hpp"
#include "persistence/faulty_store.hpp"
#include "support/schedules.hpp"

using namespace troupe::persistence;  // NOLINT: this file is about nothing else
using troupe::Ask;
using troupe::SchemaId;
using troupe::test::FaultyStore;
using troupe::test::on_every_schedule;
using troupe::testkit::TestSystem;

namespace {

const StreamId one{"test", "one"};
const StreamId two{"test", "two"};

std::vector<EventData> events(std::size_t count) {
  return std::vector<EventData>(count, EventData{SchemaId{1}, 1, "Event", {42}, {}});
}

struct Opened {
  std::shared_ptr<FaultyStore> store = std::make_shared<FaultyStore>();
  Journal journal;
  explicit Opened(TestSystem& system, JournalOptions options = {})
      : journal(Journal::open(system, store, std::move(options))) {}
  [[nodiscard]] AppendResult append(const StreamId& stream, Expected expected,
                                    std::size_t count) const {
    auto ask = journal.append({stream, expected, events(count)});
    return ask.await();
  }
};

template <class T>
bool is(const AppendResult& result) {
  return std::holds_alternative<T>(result);
}

}  // namespace

TEST_CASE("what comes while a batch is written is the next batch", "[persistence]") {
  troupe::test::on_seeds([](TestSystem& system) {
    const Opened opened(system);
    std::size_t batches = 0;
    std::size_t written = 0;
    opened.store->instead_of_append = [&](const Batch& batch) {
      ++batches;
      written += batch.events.size();
      return opened.store->real->append(batch);
    };
    std::vector<Ask<AppendResult>> asks;
    for (int i = 0; i < 100; ++i)
      asks.push_back(opened.journal.append({one, Expected::any(), events(1)}));
    for (auto& ask : asks) REQUIRE(is<Committed>(ask.await()));
    REQUIRE(written == 100);
    REQUIRE(batches < 100);
  });
}

TEST_CASE("a batch has a largest size", "[persistence]") {
  on_every_schedule([](TestSystem& system) {
    JournalOptions options;
    options.batch_events_max = 10;
    const Opened opened(system, options);
    std::size_t largest = 0;
    opened.store->instead_of_append = [&](const Batch& batch) {
      largest = std::max(largest, batch.events.size());
      return opened.store->real->append(batch);
    };
    std::vector<Ask<AppendResult>> asks;
    for (int i = 0; i < 100; ++i)
      asks.push_back(opened.journal.append({one, Expected::any(), events(3)}));
    for (auto& ask : asks) REQUIRE(is<Committed>(ask.await()));
    REQUIRE(largest <= 12);
  });
}

TEST_CASE("a batch that is not written gives back its places, and all in it are told",
          "[persistence]") {
  on_every_schedule([](TestSystem& system) {
    const Opened opened(system);
    REQUIRE(opened.append(one, Expected::no_stream(), 2) == AppendResult{Committed{1, 2, 2}});
    opened.store->instead_of_append = [](const Batch&) { return BatchNotWritten{"full"}; };
    auto a = opened.journal.append({one, Expected::exact(2), events(1)});
    auto b = opened.journal.append({two, Expected::no_stream(), events(1)});
    REQUIRE(a.await() == AppendResult{NotWritten{"full"}});
    REQUIRE(b.await() == AppendResult{NotWritten{"full"}});
    opened.store->instead_of_append = nullptr;
    REQUIRE(opened.append(two, Expected::no_stream(), 1) == AppendResult{Committed{1, 1, 3}});
    REQUIRE(opened.append(one, Expected::exact(2), 1) == AppendResult{Committed{3, 3, 4}});
  });
}

TEST_CASE("a batch of one slice that is not written takes nothing back from the others",
          "[persistence]") {
  on_every_schedule([](TestSystem& system) {
    JournalOptions options;
    options.batch_events_max = 2;
    const auto store = std::make_shared<FaultyStore>();
    store->real = std::make_shared<MemoryStore>(2);
    const StreamId here{"test", "a"};
    const StreamId there{"test", "b"};
    REQUIRE(slice_of(here, 2) != slice_of(there, 2));
    const Journal journal = Journal::open(system, store, options);
    store->instead_of_append = [&](const Batch& batch) -> BatchOutcome {
      if (batch.slice == slice_of(there, 2)) return BatchNotWritten{"full"};
      return store->real->append(batch);
    };
    auto first = journal.append({here, Expected::no_stream(), events(1)});
    auto fails = journal.append({there, Expected::no_stream(), events(2)});  // a whole batch
    auto second = journal.append({here, Expected::exact(1), events(1)});
    REQUIRE(is<Committed>(first.await()));
    REQUIRE(is<NotWritten>(fails.await()));
    REQUIRE(second.await() == AppendResult{Committed{2, 2, 2}});
  });
}

TEST_CASE("after an unknown outcome the slice is claimed anew, and its head read again",
          "[persistence]") {
  for (const bool is_written : {false, true}) {
    on_every_schedule([&](TestSystem& system) {
      const Opened opened(system);
      REQUIRE(is<Committed>(opened.append(one, Expected::any(), 1)));
      std::uint64_t old_epoch = 0;
      opened.store->instead_of_append = [&](const Batch& batch) -> BatchOutcome {
        old_epoch = batch.epoch;
        if (is_written) opened.store->real->append(batch);
        return BatchUnknown{"gone"};
      };
      REQUIRE(opened.append(one, Expected::any(), 1) == AppendResult{Unknown{"gone"}});
      opened.store->instead_of_append = nullptr;
      // The old claim can't write any more: what was under way is over (F3).
      REQUIRE(
          std::holds_alternative<BatchFenced>(opened.store->real->append({0, old_epoch, {}, {}})));
      const Version head = is_written ? 2 : 1;
      REQUIRE(opened.journal.head(one).await() == head);
      REQUIRE(opened.append(one, Expected::exact(head), 1) ==
              AppendResult{Committed{head + 1, head + 1, head + 1}});
    });
  }
}

TEST_CASE("DISK4 a slice that can't be claimed anew is not written to any more, and is still read",
          "[persistence]") {
  on_every_schedule([](TestSystem& system) {
    const Opened opened(system);
    REQUIRE(is<Committed>(opened.append(one, Expected::any(), 2)));
    opened.store->before_claim = [] { throw StoreFailed("input/output error"); };
    opened.store->instead_of_append = [](const Batch&) { return BatchUnknown{"fdatasync"}; };
    REQUIRE(is<Unknown>(opened.append(one, Expected::any(), 1)));
    opened.store->instead_of_append = nullptr;
    REQUIRE(opened.append(one, Expected::any(), 1) ==
            AppendResult{NotWritten{"input/output error"}});
    REQUIRE(opened.journal.read(one, 0, 10).await().size() == 2);
  });
}

TEST_CASE("options that let nothing happen are refused", "[persistence]") {
  TestSystem system{1};
  for (const auto set : {+[](JournalOptions& o) { o.replay_events = 0; },
                         +[](JournalOptions& o) { o.recoveries_max = 0; },
                         +[](JournalOptions& o) { o.batch_events_max = 0; }}) {
    JournalOptions options;
    set(options);
    REQUIRE_THROWS_AS(Journal::open(system, std::make_shared<MemoryStore>(), options),
                      troupe::UsageError);
  }
}

TEST_CASE("a journal whose store can't be claimed does not open", "[persistence]") {
  TestSystem system{1};
  const auto store = std::make_shared<FaultyStore>();
  store->before_claim = [] { throw StoreFailed("another process has it"); };
  REQUIRE_THROWS_WITH(Journal::open(system, store), "another process has it");
  store->before_claim = nullptr;
  REQUIRE_NOTHROW(Journal::open(system, store));
}

TEST_CASE("a head is read behind the appends that were sent before", "[persistence]") {
  on_every_schedule([](TestSystem& system) {
    const Opened opened(system);
    auto append = opened.journal.append({one, Expected::any(), events(3)});
    auto head = opened.journal.head(one);
    REQUIRE(head.await() == 3);
    REQUIRE(is<Committed>(append.await()));
  });
}

TEST_CASE("a store that can't say where a stream is fails who asks, and the journal goes on",
          "[persistence]") {
  on_every_schedule([](TestSystem& system) {
    const Opened opened(system);
    opened.store->before_head = [] { throw StoreFailed("sector 7"); };
    REQUIRE(opened.append(one, Expected::any(), 1) == AppendResult{NotWritten{"sector 7"}});
    const auto head = opened.journal.head(one).try_await();
    REQUIRE(head.error().kind == troupe::AskErrorKind::refused);
    REQUIRE(head.error().what == "sector 7");
    opened.store->before_head = nullptr;
    REQUIRE(opened.append(one, Expected::no_stream(), 1) == AppendResult{Committed{1, 1, 1}});
  });
}

TEST_CASE("what an append became, in words", "[persistence]") {
  REQUIRE(to_string(AppendResult{Committed{3, 4, 9}}) == "committed as versions 3 to 4");
  REQUIRE(to_string(AppendResult{WrongVersion{7}}) == "the stream is at version 7");
  REQUIRE(to_string(AppendResult{Unknown{"x"}}) == "nobody knows whether it was written: x");
}

TEST_CASE("a stream lies in the same slice for ever", "[persistence]") {
  REQUIRE(slice_of({"bank-account", "acc-1"}, 64) == 37);
  REQUIRE(slice_of({"a", "b"}, 64) == slice_of({"a", "b"}, 64));
  REQUIRE(slice_of({"x", "y"}, 1) == 0);
}

TEST_CASE("DISK15 a disk that takes its time keeps no worker", "[persistence]") {
  const auto store = std::make_shared<FaultyStore>();
  std::promise<void> disk_is_ready;
  std::shared_future<void> is_ready = disk_is_ready.get_future();
  store->blocks = true;
  store->instead_of_append = [&](const Batch& batch) {
    is_ready.wait();
    return store->real->append(batch);
  };
  troupe::System system{{.workers = 1}};
  const Journal journal = Journal::open(system, store);
  const auto account = system.spawn<bank::Account>("slow");
  const auto other = system.spawn<bank::Account>("other");
  REQUIRE(account.ask(bank::GetBalance{}).await() == bank::Balance{0});
  REQUIRE(other.ask(bank::GetBalance{}).await() == bank::Balance{0});
  auto stored = account.ask(bank::Deposit{5, "a"}, troupe::no_timeout);
  for (int i = 0; i < 1000; ++i)  // its only worker is free, and so is who reads the journal
    REQUIRE(other.ask(bank::GetBalance{}).await() == bank::Balance{0});
  REQUIRE(journal.read({"bank-account", "other"}, 0, 10).await().empty());
  disk_is_ready.set_value();
  REQUIRE(stored.await() == bank::Balance{5});
}
