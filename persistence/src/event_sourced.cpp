#include <troupe/persistence/event_sourced.hpp>

#include <troupe/runtime/detail/attached.hpp>
#include <troupe/runtime/detail/mutant.hpp>

namespace troupe::persistence::detail {

using troupe::detail::mutant;

namespace {
/// From the moment that this actor may recover until it has.
class Permit {
 public:
  explicit Permit(const Journal& journal) : permits_(journal.permits()) {
    permits_.ask(MayRecover{}, no_timeout).await();
  }
  Permit(const Permit&) = delete;
  Permit& operator=(const Permit&) = delete;
  ~Permit() { permits_.tell(RecoveryOver{}); }

 private:
  const Ref<MayRecover, RecoveryOver> permits_;
};

std::string in_words(const Result<AppendResult, AskError>& result) {
  if (result) return to_string(*result);
  return "the journal gave no answer: " + std::string(to_string(result.error().kind)) + ": " +
         result.error().what;
}
}  // namespace

std::vector<std::string> Entity::recover() {
  journal_ = troupe::detail::attached_here<Journal>();
  if (journal_ == nullptr)
    throw UsageError("an event-sourced actor needs a journal: Journal::open(system, store) first");
  std::vector<std::string> doubts;
  try {
    const Permit permit(*journal_);
    const Version head = journal_->head(stream_, journal_->options().replay_timeout).await();
    if (has_snapshots()) read_snapshot(head, doubts);
    read_to(head, doubts);
  } catch (const AskFailed& e) {
    throw RecoveryFailed("the events of " + stream_.name() + " can't be read beyond version " +
                         std::to_string(version_) + ": " + e.what());
  }
  const bool is_rewritten = !doubts.empty() && version_ != 0;
  if (policy_.takes_any() && (is_rewritten || is_time_for_snapshot())) take_snapshot();
  return doubts;
}

/// The newest one that can be used (S124).
void Entity::read_snapshot(Version head, std::vector<std::string>& doubts) {
  const Duration timeout = journal_->options().replay_timeout;
  for (Version at_most = any_version; at_most != 0;) {
    const auto result = journal_->read_snapshot(stream_, at_most, timeout).try_await();
    if (!result) {  // those that are left can't be read; the events may be
      doubts.push_back("the snapshots of " + stream_.name() +
                       " can't be read: " + result.error().what);
      return;
    }
    if (!result->has_value()) return;
    const StoredSnapshot& snapshot = **result;
    if (snapshot.version == 0 || snapshot.version > at_most) {  // where would the next one be?
      doubts.push_back("the snapshots of " + stream_.name() + " can't be read: one says version " +
                       std::to_string(snapshot.version));
      return;
    }
    const std::string why = why_doubtful(snapshot, head);
    if (why.empty()) {
      version_ = snapshot_version_ = snapshot.version;
      return;
    }
    doubts.push_back("the snapshot of " + stream_.name() + " at version " +
                     std::to_string(snapshot.version) + " can't be used: " + why);
    at_most = snapshot.version - 1;
  }
}

std::string Entity::why_doubtful(const StoredSnapshot& snapshot, Version head) {
  if (!snapshot.damage.empty()) return snapshot.damage;
  if (snapshot.version > head)
    return "it has more events than the stream, which ends at version " + std::to_string(head);
  try {
    return restore(snapshot);
  } catch (const std::exception& e) {
    return e.what();
  }
}

void Entity::read_to(Version head, const std::vector<std::string>& doubts) {
  const JournalOptions& options = journal_->options();
  while (version_ < head) {
    const auto events =
        journal_->read(stream_, version_, options.replay_events, options.replay_timeout).await();
    if (events.empty())
      throw RecoveryFailed("the events of " + stream_.name() + " end at version " +
                           std::to_string(version_) + ", and there should be " +
                           std::to_string(head));
    for (const StoredEvent& e : events) read(e, doubts);
  }
}

void Entity::read(const StoredEvent& e, const std::vector<std::string>& doubts) {
  if (e.version != version_ + 1)
    throw RecoveryFailed("version " + std::to_string(e.version) + " of " + stream_.name() +
                         " comes after version " + std::to_string(version_));
  if (e.is_deleted) fail_for_deleted(e.version, doubts);
  try {
    apply(e.event);
    if (mutant("replayed_event_is_applied_twice")) apply(e.event);
  } catch (const std::exception& x) {
    throw RecoveryFailed("version " + std::to_string(e.version) + " of " + stream_.name() + " (" +
                         e.event.type_name + ") can't be applied: " + x.what());
  }
  version_ = e.version;
  note_size(e.event);
}

/// No state can be made of the rest (F5).
void Entity::fail_for_deleted(Version first, const std::vector<std::string>& doubts) {
  const std::size_t at_a_time = journal_->options().replay_events;
  Version last = first;
  for (bool goes_on = true; goes_on;) {
    const auto events =
        journal_->read(stream_, last, at_a_time, journal_->options().replay_timeout).await();
    for (const StoredEvent& e : events) {
      goes_on = e.is_deleted;
      if (!goes_on) break;
      last = e.version;
    }
    goes_on = goes_on && !events.empty();
  }
  std::string why = "events " + std::to_string(first) + " to " + std::to_string(last) + " of " +
                    stream_.name() + " were deleted, and no snapshot has them";
  for (const std::string& doubt : doubts) why += "; " + doubt;
  throw RecoveryFailed(why + ". A release that can read the snapshot is needed, or a backup");
}

// ---- snapshots

void Entity::note_size(const EventData& event) noexcept {
  bytes_since_snapshot_ += event.data.size() * sizeof(codec::Word);
}
bool Entity::is_time_for_snapshot() const noexcept {
  const auto reaches = [](std::uint64_t is, std::uint64_t most) { return most != 0 && is >= most; };
  return reaches(version_ - snapshot_version_, policy_.every_events) ||
         reaches(bytes_since_snapshot_, policy_.every_bytes);
}

/// One that is still to be encoded is not overtaken: so a disk that is slow makes them rarer.
void Entity::take_snapshot() {
  TakeSnapshot take;
  try {
    take = copy();
  } catch (const std::exception& e) {  // what is stored is stored: told about as one that failed
    take.snapshot.stream = stream_;
    take.snapshot.version = version_;
    take.encode = [why = std::string(e.what())]() -> std::vector<codec::Word> {
      throw std::runtime_error(why);
    };
  }
  if (!take.encode) return;
  take.policy = policy_;
  journal_->snapshots().tell(std::move(take));
  snapshot_version_ = version_;
  bytes_since_snapshot_ = 0;
}

// ---- storing

void Entity::append(std::vector<EventData> events) {
  Ask<AppendResult> ask = begin_append(std::move(events));
  end_append(ask.try_await());
}

Ask<AppendResult> Entity::begin_append(std::vector<EventData> events) {
  check();
  if (journal_ == nullptr)
    throw UsageError("an actor persists from on_recovered on, not in its constructor");
  if (std::exchange(is_persisting_, true))
    throw UsageError(
        "one event is stored after the other: an event-sourced actor is not reentrant");
  for (const EventData& e : events) note_size(e);
  return journal_->append({stream_, Expected::exact(version_), std::move(events)});
}

void Entity::end_append(const Result<AppendResult, AskError>& result) {
  is_persisting_ = false;
  if (!result) fail(in_words(result));
  if (const auto* committed = std::get_if<Committed>(&*result)) {
    version_ = committed->last;
    return;
  }
  const bool is_certain =
      std::holds_alternative<Rejected>(*result) || std::holds_alternative<NotWritten>(*result);
  if (is_certain) throw PersistRejected(in_words(result));
  fail(in_words(result));
}

void Entity::fail(const std::string& why) {
  failed_ = "storing an event of " + stream_.name() + " behind version " +
            std::to_string(version_) + " failed: " + why;
  throw JournalFailed(failed_);
}

void Entity::check() const {
  if (!failed_.empty()) throw JournalFailed(failed_);
}

}  // namespace troupe::persistence::detail
