#include <troupe/persistence_testkit/scenario.hpp>

#include <limits>

namespace troupe::testkit::detail {

using persistence::AppendRequest;
using persistence::Committed;
using persistence::EventData;
using persistence::Expected;
using persistence::StoredEvent;

namespace {
std::string names_of(const std::vector<EventData>& events) {
  std::string text;
  for (const EventData& e : events) text += (text.empty() ? "" : ", ") + e.type_name;
  return text.empty() ? "nothing" : text;
}
}  // namespace

ScenarioBase::ScenarioBase(persistence::StreamId stream)
    : stream_(std::move(stream)),
      journal_(persistence::Journal::open(system_, std::make_shared<persistence::MemoryStore>())) {}

void ScenarioBase::store(std::vector<EventData> events) {
  auto ask = journal_.append({stream_, Expected::any(), std::move(events)});
  const auto result = ask.await();
  if (!std::holds_alternative<Committed>(result))
    throw ExpectationFailed("what was given could not be stored: " +
                            persistence::to_string(result));
}

void ScenarioBase::begin_command() {
  before_ = journal_.head(stream_).await();
}

std::vector<StoredEvent> ScenarioBase::stored_after(persistence::Version version) {
  return journal_.read(stream_, version, std::numeric_limits<std::size_t>::max()).await();
}

void ScenarioBase::expect_stored(const std::vector<EventData>& wanted) {
  std::vector<EventData> stored;
  for (const StoredEvent& e : stored_after(before_)) stored.push_back(e.event);
  if (stored == wanted) return;
  const std::string names = names_of(stored);
  if (names != names_of(wanted))
    throw ExpectationFailed("it stored " + names + ", and not " + names_of(wanted));
  throw ExpectationFailed("it stored " + names + " with other values");
}

}  // namespace troupe::testkit::detail
