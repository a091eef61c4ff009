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

void Entity::recover() {
  journal_ = troupe::detail::attached_here<Journal>();
  if (journal_ == nullptr)
    throw UsageError("an event-sourced actor needs a journal: Journal::open(system, store) first");
  try {
    const Permit permit(*journal_);
    read_to(journal_->head(stream_, journal_->options().replay_timeout).await());
  } catch (const AskFailed& e) {
    throw RecoveryFailed("the events of " + stream_.name() + " can't be read beyond version " +
                         std::to_string(version_) + ": " + e.what());
  }
}

void Entity::read_to(Version head) {
  const JournalOptions& options = journal_->options();
  while (version_ < head) {
    const auto events =
        journal_->read(stream_, version_, options.replay_events, options.replay_timeout).await();
    if (events.empty())
      throw RecoveryFailed("the events of " + stream_.name() + " end at version " +
                           std::to_string(version_) + ", and there should be " +
                           std::to_string(head));
    for (const StoredEvent& e : events) {
      if (e.version != version_ + 1)
        throw RecoveryFailed("version " + std::to_string(e.version) + " of " + stream_.name() +
                             " comes after version " + std::to_string(version_));
      try {
        apply(e.event);
        if (mutant("replayed_event_is_applied_twice")) apply(e.event);
      } catch (const std::exception& x) {
        throw RecoveryFailed("version " + std::to_string(e.version) + " of " + stream_.name() +
                             " (" + e.event.type_name + ") can't be applied: " + x.what());
      }
      version_ = e.version;
    }
  }
}

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
