#include "index.hpp"

#include <algorithm>
#include <limits>
#include <map>
#include <mutex>
#include <utility>

#include <troupe/persistence/store.hpp>

namespace troupe::persistence::sqlite {

namespace {

constexpr std::size_t heads_known_max = 100'000;
constexpr std::size_t tail_runs_max = 4;

/// A stream's name has no newline.
std::string key_of(const std::string& stream, const std::string& command) {
  return stream + "\n" + command;
}
std::string_view category_of(std::string_view stream) {
  return stream.substr(0, stream.find('/'));
}

}  // namespace

std::string type_key(SchemaId type) {
  return std::to_string(type.value);
}

Index::Index(const FileName& name, const HistoryId& history, const Folded& journal_has,
             std::size_t run_events)
    : run_events_(run_events),
      file_(name, history, journal_has),
      folded_(file_.folded().position),
      last_row_(file_.folded().row) {}

// ---- what is appended

Index::Streams::value_type& Index::known(const std::string& stream) {
  if (const auto found = streams_.find(stream); found != streams_.end()) return *found;
  const Version folded = file_.last(RunKind::stream, stream);
  if (streams_.size() >= 2 * heads_known_max) forget_some();
  return *streams_.emplace(stream, Stream{folded, {}}).first;
}

/// Those that are not in the tail.
void Index::forget_some() {
  std::erase_if(streams_, [](const auto& s) { return s.second.positions.empty(); });
}

void Index::add(const StoredEvent& event) {
  const std::lock_guard guard(lock_);
  const Position last = folded_ + tail_.size();
  if (event.position != last + 1)
    throw StoreCorrupt("after event " + std::to_string(last) + " comes event " +
                       std::to_string(event.position) + ": some are missing");
  Streams::value_type& stream = known(event.stream.name());
  if (event.version != stream.second.head() + 1)
    throw StoreCorrupt("event " + std::to_string(event.position) + " is version " +
                       std::to_string(event.version) + " of " + stream.first +
                       ", whose last version is " + std::to_string(stream.second.head()));
  tail_.push_back({&stream, event.event.type.value, event.event.tags});
  stream.second.positions.push_back(event.position);
}

void Index::add_command(std::int64_t row, const std::string& stream, const std::string& command) {
  const std::lock_guard guard(lock_);
  commands_[key_of(stream, command)] = row;
  last_row_ = row;
}

// ---- folding

bool Index::fold() {
  const std::lock_guard one_at_a_time(folding_);
  std::vector<Entry> events;
  std::vector<Run> runs;
  Folded to;
  {
    const std::shared_lock guard(lock_);
    if (tail_.size() < run_events_ && commands_.size() < run_events_) return false;
    const auto count = static_cast<std::ptrdiff_t>(std::min(tail_.size(), run_events_));
    events.assign(tail_.begin(), tail_.begin() + count);
    to = {folded_ + events.size(), last_row_};
    for (const auto& [key, row] : commands_)
      runs.push_back({RunKind::command, key, static_cast<std::uint64_t>(row), {}});
  }
  // Streams of the tail stay where they are, and how much of them is folded changes here only.
  const std::vector<Run> of_events = runs_of(events, to.position - events.size() + 1);
  runs.insert(runs.end(), of_events.begin(), of_events.end());
  std::sort(runs.begin(), runs.end(), [](const Run& a, const Run& b) {
    return a.kind != b.kind ? a.kind < b.kind : a.key < b.key;
  });
  file_.write(runs, to);
  const std::lock_guard guard(lock_);
  drop(runs, to);
  return true;
}

std::vector<Run> Index::runs_of(const std::vector<Entry>& events, Position first) {
  std::unordered_map<const Streams::value_type*, std::size_t> of_stream;
  std::map<std::pair<RunKind, std::string>, std::size_t, std::less<>> of_key;
  std::vector<Run> runs;
  const auto add = [&](RunKind kind, std::string key, Position position) {
    const auto [at, is_new] = of_key.try_emplace({kind, std::move(key)}, runs.size());
    if (is_new) runs.push_back({kind, at->first.second, 0, {}});
    Run& run = runs[at->second];
    if (std::exchange(run.last, position) != position)  // the same tag twice
      run.positions.push_back(position);
  };
  for (const Entry& e : events) {
    const auto [at, is_new] = of_stream.try_emplace(e.stream, runs.size());
    if (is_new) runs.push_back({RunKind::stream, e.stream->first, e.stream->second.folded, {}});
    ++runs[at->second].last;
    runs[at->second].positions.push_back(first);
    add(RunKind::category, std::string(category_of(e.stream->first)), first);
    add(RunKind::type, type_key(SchemaId{e.type}), first);
    for (const std::string& tag : e.tags) add(RunKind::tag, tag, first);
    ++first;
  }
  return runs;
}

void Index::drop(const std::vector<Run>& runs, const Folded& to) {
  for (const Run& run : runs) {
    if (run.kind != RunKind::stream) continue;
    Stream& stream = streams_.at(run.key);
    const auto gone = static_cast<std::ptrdiff_t>(run.positions.size());
    stream.positions.erase(stream.positions.begin(), stream.positions.begin() + gone);
    stream.folded = run.last;
  }
  tail_.erase(tail_.begin(), tail_.begin() + static_cast<std::ptrdiff_t>(to.position - folded_));
  folded_ = to.position;
  std::erase_if(commands_, [&](const auto& c) { return c.second <= to.row; });
  if (streams_.size() > heads_known_max) forget_some();
}

// ---- lookups: the tail's part under the lock, and what is in the file then, which only grows

Position Index::last_position() const {
  const std::shared_lock guard(lock_);
  return folded_ + tail_.size();
}
std::int64_t Index::last_row() const {
  const std::shared_lock guard(lock_);
  return last_row_;
}
bool Index::wants_folding() const {
  const std::shared_lock guard(lock_);
  return tail_.size() >= run_events_ || commands_.size() >= run_events_;
}
bool Index::is_full() const {
  const std::shared_lock guard(lock_);
  return tail_.size() >= tail_runs_max * run_events_;
}

Version Index::head(const std::string& stream) const {
  {
    const std::shared_lock guard(lock_);
    if (const auto found = streams_.find(stream); found != streams_.end())
      return found->second.head();
  }
  return file_.last(RunKind::stream, stream);
}

std::vector<Position> Index::positions(const std::string& stream, Version after,
                                       std::size_t max) const {
  std::vector<Position> tail;
  Version folded = std::numeric_limits<Version>::max();  // all that the file has
  {
    const std::shared_lock guard(lock_);
    if (const auto found = streams_.find(stream); found != streams_.end()) {
      const Stream& s = found->second;
      folded = s.folded;
      const std::size_t from = after > folded ? std::min(after - folded, s.positions.size()) : 0;
      const std::size_t before = folded > after ? folded - after : 0;  // come from the file
      const std::size_t room = max > before ? max - before : 0;
      const std::size_t count = std::min(s.positions.size() - from, room);
      const auto first = s.positions.begin() + static_cast<std::ptrdiff_t>(from);
      tail.assign(first, first + static_cast<std::ptrdiff_t>(count));
    }
  }
  if (after >= folded) return tail;
  std::vector<Position> found =
      file_.positions(RunKind::stream, stream, after, std::min<std::size_t>(max, folded - after));
  found.insert(found.end(), tail.begin(), tail.end());
  return found;
}

namespace {
/// Whether an event of the tail is of a key.
class IsOf {
 public:
  IsOf(RunKind kind, const std::string& key)
      : kind_(kind), key_(key), type_(kind == RunKind::type ? std::stoull(key) : 0) {}
  [[nodiscard]] bool operator()(const std::string& stream, std::uint64_t type,
                                const std::vector<std::string>& tags) const {
    if (kind_ == RunKind::category) return category_of(stream) == key_;
    if (kind_ == RunKind::type) return type == type_;
    return std::find(tags.begin(), tags.end(), key_) != tags.end();
  }

 private:
  const RunKind kind_;
  const std::string& key_;
  const std::uint64_t type_;
};
}  // namespace

std::vector<Position> Index::positions_of(RunKind kind, const std::string& key, Position after,
                                          std::size_t max) const {
  const IsOf is_of(kind, key);
  std::vector<Position> tail;
  Position folded = 0;
  {
    const std::shared_lock guard(lock_);
    folded = folded_;
    for (std::size_t i = after > folded ? after - folded : 0; i < tail_.size() && tail.size() < max;
         ++i) {
      const Entry& e = tail_[i];
      if (is_of(e.stream->first, e.type, e.tags)) tail.push_back(folded + i + 1);
    }
  }
  std::vector<Position> found;
  if (after < folded) {
    found = file_.positions(kind, key, after, max);
    std::erase_if(found, [&](Position p) { return p > folded; });  // folded since
  }
  const std::size_t room = std::min(max - found.size(), tail.size());
  found.insert(found.end(), tail.begin(), tail.begin() + static_cast<std::ptrdiff_t>(room));
  return found;
}

std::optional<std::int64_t> Index::command(const std::string& stream,
                                           const std::string& command) const {
  const std::string key = key_of(stream, command);
  {
    const std::shared_lock guard(lock_);
    if (const auto found = commands_.find(key); found != commands_.end()) return found->second;
  }
  const auto row = static_cast<std::int64_t>(file_.last(RunKind::command, key));
  if (row == 0) return std::nullopt;
  return row;
}

}  // namespace troupe::persistence::sqlite
