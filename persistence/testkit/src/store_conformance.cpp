#include <troupe/persistence_testkit/store_conformance.hpp>

#include <algorithm>
#include <limits>

#include <troupe/persistence/journal.hpp>
#include <troupe/testkit/expectation.hpp>
#include <troupe/testkit/test_system.hpp>

namespace troupe::testkit {

namespace {

using namespace persistence;  // NOLINT: this file is about nothing else

constexpr std::size_t all = std::numeric_limits<std::size_t>::max();

void expect(bool met, const std::string& what) {
  if (!met) throw ExpectationFailed(what);
}

EventData event(std::uint64_t n) {
  return {
      SchemaId{0x1234}, 1, "conformance::Counted", {n, n + 1}, {"tag-" + std::to_string(n % 3)}};
}
std::vector<EventData> events(std::uint64_t first, std::uint64_t count) {
  std::vector<EventData> some;
  for (std::uint64_t n = first; n < first + count; ++n) some.push_back(event(n));
  return some;
}

/// A System with a journal on a store, as a process has it.
class Process {
 public:
  explicit Process(StoreUnderTest& store) : journal_(Journal::open(system_, store.open())) {}
  AppendResult append(AppendRequest request) {
    auto ask = journal_.append(std::move(request), std::chrono::minutes(1));
    return ask.await();
  }
  std::vector<StoredEvent> read(const StreamId& stream, Version after = 0, std::size_t max = all) {
    return journal_.read(stream, after, max).await();
  }
  TestSystem& system() { return system_; }
  Journal& journal() { return journal_; }

 private:
  TestSystem system_{1};
  Journal journal_;
};

const StreamId one{"conformance", "one"};
const StreamId two{"conformance", "two"};

void expect_versions(const std::vector<StoredEvent>& read, Version first, std::size_t count) {
  expect(read.size() == count,
         "read " + std::to_string(read.size()) + " events, and not " + std::to_string(count));
  for (std::size_t i = 0; i < read.size(); ++i)
    expect(read[i].version == first + i, "versions do not follow each other");
}

// ---- the cases

void keeps_what_it_is_given(const MakeStore& make) {
  const auto store = make();
  Process p(*store);
  p.append({one, Expected::no_stream(), events(7, 3)});
  const auto read = p.read(one);
  expect_versions(read, 1, 3);
  for (std::uint64_t i = 0; i < 3; ++i) {
    expect(read[i].event == event(7 + i), "an event is not what was appended");
    expect(read[i].stream == one, "an event is of another stream");
  }
}

void reads_ranges(const MakeStore& make) {  // C234
  const auto store = make();
  Process p(*store);
  p.append({one, Expected::any(), events(0, 10)});
  expect_versions(p.read(one, 3), 4, 7);
  expect_versions(p.read(one, 3, 2), 4, 2);
  expect_versions(p.read(one, 0, 0), 0, 0);
  expect_versions(p.read(one, 10), 0, 0);
  expect_versions(p.read(one, 99), 0, 0);
  expect_versions(p.read(two), 0, 0);
}

void checks_versions(const MakeStore& make) {
  const auto store = make();
  Process p(*store);
  const auto is_wrong = [&](Expected expected, Version actual) {
    const auto result = p.append({one, expected, events(0, 1)});
    expect(result == AppendResult{WrongVersion{actual}}, to_string(result));
  };
  is_wrong(Expected::exists(), 0);
  is_wrong(Expected::exact(1), 0);
  expect(p.append({one, Expected::no_stream(), events(0, 2)}) == AppendResult{Committed{1, 2, 2}},
         "the first append");
  is_wrong(Expected::no_stream(), 2);
  is_wrong(Expected::exact(1), 2);
  is_wrong(Expected::exact(3), 2);
  expect(std::holds_alternative<Committed>(p.append({one, Expected::exact(2), events(2, 1)})),
         "exact");
  expect(std::holds_alternative<Committed>(p.append({one, Expected::exists(), events(3, 1)})),
         "exists");
  expect(std::holds_alternative<Committed>(p.append({one, Expected::any(), events(4, 1)})), "any");
  expect_versions(p.read(one), 1, 5);
}

void appends_nothing_where_there_is_nothing(const MakeStore& make) {  // C244
  const auto store = make();
  Process p(*store);
  p.append({one, Expected::any(), events(0, 2)});
  expect(p.append({one, Expected::exact(2), {}}) == AppendResult{Committed{3, 2, 2}}, "no events");
  expect(p.append({one, Expected::exact(9), {}}) == AppendResult{WrongVersion{2}}, "no check");
  expect_versions(p.read(one), 1, 2);
}

void tells_streams_apart(const MakeStore& make) {  // C240
  const auto store = make();
  Process p(*store);
  const std::vector<StreamId> streams{{"a", "b"}, {"a", "bb"}, {"a", "b/c"}, {"ab", "b"},
                                      {"a", "%"}, {"a", "_"},  {"A", "b"}};
  for (std::size_t i = 0; i < streams.size(); ++i)
    p.append({streams[i], Expected::no_stream(), events(i, 1)});
  for (std::size_t i = 0; i < streams.size(); ++i) {
    const auto read = p.read(streams[i]);
    expect_versions(read, 1, 1);
    expect(read[0].event == event(i), "two streams are taken for one: " + streams[i].name());
  }
}

void gives_places_without_gaps(const MakeStore& make) {
  const auto store = make();
  Process p(*store);
  std::vector<Ask<AppendResult>> asks;
  for (std::uint64_t n = 0; n < 100; ++n) {
    const StreamId stream{"conformance", std::to_string(n % 7)};
    asks.push_back(p.journal().append({stream, Expected::any(), events(n, n % 3)}));
  }
  for (auto& ask : asks) ask.await();
  for (std::uint32_t slice = 0; slice < p.journal().slices(); ++slice) {
    const auto read = p.journal().read_slice(slice, 0, all).await();
    for (std::size_t i = 0; i < read.size(); ++i) {
      expect(read[i].position == i + 1, "positions of a slice do not follow each other");
      expect(read[i].slice == slice && slice_of(read[i].stream, p.journal().slices()) == slice,
             "an event lies in another slice");
    }
    const auto rest = p.journal().read_slice(slice, read.size() / 2, 5).await();
    expect(rest.size() == std::min<std::size_t>(5, read.size() - read.size() / 2),
           "a part of a slice");
  }
}

void is_there_when_it_is_opened_again(const MakeStore& make) {
  const auto store = make();
  HistoryId history;
  {
    Process p(*store);
    history = p.journal().history();
    p.append({one, Expected::any(), events(0, 3)});
  }
  Process p(*store);
  expect(p.journal().history() == history, "it is another history");
  expect(p.append({one, Expected::exact(3), events(3, 1)}) == AppendResult{Committed{4, 4, 4}},
         "it goes on where it was");
  expect_versions(p.read(one), 1, 4);
}

void does_a_command_once(const MakeStore& make) {
  const auto store = make();
  const std::vector<std::byte> reply{std::byte{1}, std::byte{2}};
  const AlreadyDone done{1, 2, reply};
  {
    Process p(*store);
    expect(p.append({one, Expected::exact(0), events(0, 2), "c1", 77, reply}) ==
               AppendResult{Committed{1, 2, 2}},
           "the first time");
    // The command before the version: its repeat comes when the stream has gone on (F7).
    expect(p.append({one, Expected::exact(0), events(0, 2), "c1", 77}) == AppendResult{done},
           "the second time");
    expect(p.append({one, Expected::any(), events(9, 1), "c1", 78}) ==
               AppendResult{IdempotencyConflict{}},
           "another command of that id");
    const auto other = p.append({two, Expected::any(), events(0, 1), "c1", 77});
    const auto* const committed = std::get_if<Committed>(&other);
    expect(committed != nullptr && committed->first == 1, "the same id in another stream");
  }
  Process p(*store);
  expect(p.append({one, Expected::any(), events(0, 2), "c1", 77}) == AppendResult{done},
         "after it was opened again");
  expect_versions(p.read(one), 1, 2);
}

void does_a_command_once_within_a_batch(const MakeStore& make) {
  const auto store = make();
  Process p(*store);
  std::vector<Ask<AppendResult>> asks;
  for (int i = 0; i < 3; ++i)
    asks.push_back(p.journal().append({one, Expected::any(), events(0, 1), "c", 5}));
  std::size_t committed = 0;
  for (auto& ask : asks) {
    const AppendResult result = ask.await();
    if (std::holds_alternative<Committed>(result))
      ++committed;
    else
      expect(result == AppendResult{AlreadyDone{1, 1, {}}}, "a repeat: " + to_string(result));
  }
  expect(committed == 1, "a command was done more than once");
  expect_versions(p.read(one), 1, 1);
}

void turns_down_one_alone(const MakeStore& make) {  // C237, F20
  const auto store = make();
  Process p(*store);
  std::vector<Ask<AppendResult>> asks;
  const EventData large{SchemaId{1}, 1, "Large", std::vector<codec::Word>((17u << 20) / 8), {}};
  asks.push_back(p.journal().append({one, Expected::exact(0), events(0, 1)}));
  asks.push_back(p.journal().append({one, Expected::exact(0), events(1, 1)}));
  asks.push_back(p.journal().append({one, Expected::any(), {large}}));
  asks.push_back(p.journal().append({{"", "x"}, Expected::any(), events(1, 1)}));
  asks.push_back(p.journal().append({one, Expected::exact(1), events(2, 1)}));
  expect(std::holds_alternative<Committed>(asks[0].await()), "the one before");
  expect(asks[1].await() == AppendResult{WrongVersion{1}}, "the wrong version");
  expect(std::holds_alternative<Rejected>(asks[2].await()), "the large one");
  expect(std::holds_alternative<Rejected>(asks[3].await()), "the one without a stream");
  expect(std::holds_alternative<Committed>(asks[4].await()), "the one behind");
  expect_versions(p.read(one), 1, 2);
}

void fences_the_earlier_claim(const MakeStore& make) {  // F1, F27
  const auto store = make();
  Process first(*store);
  first.append({one, Expected::any(), events(0, 2)});
  Process second(*store);
  expect(std::holds_alternative<Committed>(second.append({one, Expected::exact(2), events(2, 1)})),
         "who has claimed last appends");
  for (int i = 0; i < 2; ++i)
    expect(first.append({one, Expected::any(), events(9, 1)}) == AppendResult{Fenced{}},
           "who has claimed before appends nothing");
  expect(!first.journal().head(one).try_await(), "who has claimed before knows no heads any more");
  expect_versions(second.read(one), 1, 3);
}

StoredSnapshot snapshot(const StreamId& stream, Version version, std::uint64_t word) {
  return {stream,
          version,
          SchemaId{0x77},
          42,
          "conformance::State",
          {word, 1, 2},
          WallTime(Duration(5)),
          {}};
}

void keeps_snapshots(const MakeStore& make) {  // C238, C240
  const auto store = make();
  const StreamId longer{one.category, one.id + "1"};
  {
    const auto opened = store->open();
    expect(!opened->snapshot(one, any_version), "a stream has a snapshot that nobody has put");
    for (const Version v : {10, 20, 30}) opened->put_snapshot(snapshot(one, v, v));
    opened->put_snapshot(snapshot(longer, 25, 7));
    opened->put_snapshot(snapshot(one, 20, 99));  // instead of the other one
  }
  const auto opened = store->open();
  const auto is = [&](Version at_most, const StoredSnapshot& wanted) {
    const auto read = opened->snapshot(one, at_most);
    expect(read.has_value() && *read == wanted,
           "the newest snapshot up to version " + std::to_string(at_most) + " is another one");
  };
  is(any_version, snapshot(one, 30, 30));
  is(30, snapshot(one, 30, 30));
  is(29, snapshot(one, 20, 99));
  is(19, snapshot(one, 10, 10));
  expect(!opened->snapshot(one, 9), "there is none with so few events");
  opened->delete_snapshots(one, 20);
  expect(!opened->snapshot(one, 19), "it was deleted");
  is(20, snapshot(one, 20, 99));
  expect(opened->snapshot(longer, any_version) == snapshot(longer, 25, 7),
         "the snapshot of a stream of a similar name is gone");
}

void deletes_what_events_say(const MakeStore& make) {  // C236, C245, F24
  const auto store = make();
  {
    Process p(*store);
    p.append({one, Expected::any(), events(0, 10)});
    p.append({two, Expected::any(), events(0, 2)});
    const auto opened = store->open();
    opened->delete_events(one, 4);
    opened->delete_events(one, 2);
    bool is_refused = false;
    try {
      opened->delete_events(one, 11);
    } catch (const UsageError&) {
      is_refused = true;
    }
    expect(is_refused, "more is deleted than there is");
  }
  Process p(*store);
  const auto read = p.read(one);
  expect_versions(read, 1, 10);
  for (std::uint64_t i = 0; i < 10; ++i) {
    expect(read[i].is_deleted == (i < 4), "other events are deleted");
    expect(i < 4 ? read[i].event.data.empty() : read[i].event == event(i), "an event is not right");
  }
  const auto next = p.append({one, Expected::exact(10), events(10, 1)});
  expect(std::holds_alternative<Committed>(next) && std::get<Committed>(next).last == 11,
         "the stream does not go on where it was: " + to_string(next));
  for (const StoredEvent& e : p.read(two)) expect(!e.is_deleted, "another stream's are deleted");
}

void raises_epochs(const MakeStore& make) {
  const auto store = make();
  const auto opened = store->open();
  const Claim first = opened->claim(0);
  const Claim second = opened->claim(0);
  expect(second.epoch > first.epoch, "a later claim has no later epoch");
  expect(second.head == first.head, "a claim moves the head");
  const bool is_fenced =
      std::holds_alternative<BatchFenced>(opened->append({0, first.epoch, {}, {}}));
  expect(is_fenced, "an earlier claim appends");
}

}  // namespace

const std::vector<ConformanceCase>& store_conformance() {
  static const std::vector<ConformanceCase> cases{
      {"what is appended is read as it was", &keeps_what_it_is_given},
      {"C234 events are read after a version, so many at most", &reads_ranges},
      {"events are appended where the stream is at the expected version", &checks_versions},
      {"C244 no events are stored as none, and checked", &appends_nothing_where_there_is_nothing},
      {"C240 streams of similar names are not taken for each other", &tells_streams_apart},
      {"positions of a slice have no gaps", &gives_places_without_gaps},
      {"what was acknowledged is there when it is opened again", &is_there_when_it_is_opened_again},
      {"a command is done once, and its repeat gets the first reply", &does_a_command_once},
      {"a command is done once within a batch", &does_a_command_once_within_a_batch},
      {"C237 a request that can't be stored fails alone", &turns_down_one_alone},
      {"who has claimed a slice before appends nothing any more", &fences_the_earlier_claim},
      {"C238 the newest snapshot with so many events is found", &keeps_snapshots},
      {"C245 events that are deleted keep their places", &deletes_what_events_say},
      {"epochs rise with each claim", &raises_epochs},
  };
  return cases;
}

}  // namespace troupe::testkit
