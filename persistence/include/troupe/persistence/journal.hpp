// Journal: appends events to streams and reads them, for the actors of a System.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <variant>

#include <troupe/persistence/store.hpp>
#include <troupe/runtime/system.hpp>

namespace troupe::persistence {

/// At which version a stream has to be for events to be appended. Thread safety: a plain value.
class Expected {
 public:
  enum class Kind : std::uint8_t { any, no_stream, exists, exact };

  [[nodiscard]] static constexpr Expected any() noexcept { return {Kind::any, 0}; }
  /// It has no event.
  [[nodiscard]] static constexpr Expected no_stream() noexcept { return {Kind::no_stream, 0}; }
  /// It has one at least.
  [[nodiscard]] static constexpr Expected exists() noexcept { return {Kind::exists, 0}; }
  [[nodiscard]] static constexpr Expected exact(Version v) noexcept { return {Kind::exact, v}; }

  [[nodiscard]] constexpr bool is_met_by(Version head) const noexcept {
    switch (kind_) {
      case Kind::any: return true;
      case Kind::no_stream: return head == 0;
      case Kind::exists: return head != 0;
      case Kind::exact: break;
    }
    return head == version_;
  }

 private:
  constexpr Expected(Kind kind, Version version) noexcept : kind_(kind), version_(version) {}
  Kind kind_;
  Version version_;
};

/// Events that are appended to a stream, all or none.
struct AppendRequest {
  StreamId stream;
  Expected expected = Expected::any();
  std::vector<EventData> events;
  /// With one, a repeat of the request is not appended, and gets the first one's reply.
  CommandId command = {};
  std::uint64_t content = 0;          ///< a hash of the command: a repeat has the same
  std::vector<std::byte> reply = {};  ///< kept with the command; stored_reply_bytes_max at most
};

/// They are durable. Without events `last` is the stream's version and `first` one more.
struct Committed {
  Version first = 0;
  Version last = 0;
  Position position = 0;  ///< of the last
  friend bool operator==(const Committed&, const Committed&) = default;
};
/// The command was done before: nothing was appended. As it was then.
struct AlreadyDone {
  Version first = 0;
  Version last = 0;
  std::vector<std::byte> reply;
  friend bool operator==(const AlreadyDone&, const AlreadyDone&) = default;
};
/// The stream is at another version than expected; nothing was appended.
struct WrongVersion {
  Version actual = 0;
  friend bool operator==(const WrongVersion&, const WrongVersion&) = default;
};
/// The id is that of another command; nothing was appended.
struct IdempotencyConflict {
  friend bool operator==(const IdempotencyConflict&, const IdempotencyConflict&) = default;
};
/// The request can't be appended, now or later.
struct Rejected {
  std::string why;
  friend bool operator==(const Rejected&, const Rejected&) = default;
};
/// Nothing was appended, for a reason that may pass: the disk is full.
struct NotWritten {
  std::string why;
  friend bool operator==(const NotWritten&, const NotWritten&) = default;
};
/// Another journal has claimed the slice: this one appends nothing to it any more.
struct Fenced {
  friend bool operator==(const Fenced&, const Fenced&) = default;
};
/// They may have been appended. The same command id asks again; else who reads anew sees.
struct Unknown {
  std::string why;
  friend bool operator==(const Unknown&, const Unknown&) = default;
};
using AppendResult = std::variant<Committed, AlreadyDone, WrongVersion, IdempotencyConflict,
                                  Rejected, NotWritten, Fenced, Unknown>;
/// In words: "committed as versions 3 to 4".
[[nodiscard]] std::string to_string(const AppendResult& result);

struct JournalOptions {
  std::shared_ptr<WallClock> wall_clock;  ///< none: the machine's
  std::size_t batch_events_max = 4096;    ///< written at a time
  std::size_t request_bytes_max = std::size_t{16} << 20;
  std::uint32_t recoveries_max = 50;  ///< entities that recover at the same time (S120)
  std::size_t replay_events = 1000;   ///< read at a time
  Duration replay_timeout = std::chrono::seconds(30);  ///< for each of those
};

namespace detail {
struct Append {
  using Reply = AppendResult;
  AppendRequest request;
};
struct HeadOf {
  using Reply = Version;
  StreamId stream;
};
struct ReadStream {
  using Reply = std::vector<StoredEvent>;
  StreamId stream;
  Version after = 0;
  std::size_t max = 0;
};
struct ReadSlice {
  using Reply = std::vector<StoredEvent>;
  std::uint32_t slice = 0;
  Position after = 0;
  std::size_t max = 0;
};
struct ReadSnapshot {
  using Reply = std::optional<StoredSnapshot>;
  StreamId stream;
  Version at_most = any_version;
};
/// A state that was copied, and how it is encoded.
struct TakeSnapshot {
  StoredSnapshot snapshot;  ///< without its data
  std::function<std::vector<codec::Word>()> encode;
  SnapshotPolicy policy;
};
/// Answered when the asker may recover: until it says RecoveryOver, or ends.
struct MayRecover {
  using Reply = void;
};
struct RecoveryOver {};
}  // namespace detail

/// The journal of a System. Each slice has one sequencer, which gives events their places, checks
/// versions and commands, and writes what has come while the last batch was written as the next
/// one. Calls of the store are made on threads of the journal's own, where they may block. What is
/// read and appended through one journal is in order: a read sees what was acknowledged before.
/// Thread safety: a plain value; any thread. Answers come to actors of its System, and outside.
class Journal {
 public:
  /// Claims the store's slices, on this thread, and becomes the journal of the System's actors.
  /// Throws StoreFailed, StoreCorrupt, and UsageError when the System has one already.
  static Journal open(System& system, std::shared_ptr<Store> store, JournalOptions options = {});

  [[nodiscard]] Ask<AppendResult> append(AppendRequest request,
                                         std::chrono::nanoseconds timeout = no_timeout) const {
    return sequencer_.ask(detail::Append{std::move(request)}, timeout);
  }
  /// The version of the stream's last event, once the appends that were sent before are over.
  [[nodiscard]] Ask<Version> head(StreamId stream,
                                  std::chrono::nanoseconds timeout = default_timeout) const {
    return sequencer_.ask(detail::HeadOf{std::move(stream)}, timeout);
  }
  /// Events after a version, `max` at most; fewer only where there are no more. `refused` where the
  /// store can't read them.
  [[nodiscard]] Ask<std::vector<StoredEvent>> read(
      StreamId stream, Version after, std::size_t max,
      std::chrono::nanoseconds timeout = default_timeout) const {
    return reader_.ask(detail::ReadStream{std::move(stream), after, max}, timeout);
  }
  /// The same of a slice, after a position.
  [[nodiscard]] Ask<std::vector<StoredEvent>> read_slice(std::uint32_t slice, Position after,
                                                         std::size_t max) const {
    return reader_.ask(detail::ReadSlice{slice, after, max});
  }
  /// The newest snapshot of a stream that has no more events than `at_most`.
  [[nodiscard]] Ask<std::optional<StoredSnapshot>> read_snapshot(
      StreamId stream, Version at_most = any_version,
      std::chrono::nanoseconds timeout = default_timeout) const {
    return reader_.ask(detail::ReadSnapshot{std::move(stream), at_most}, timeout);
  }
  [[nodiscard]] std::uint32_t slices() const noexcept { return slices_; }
  [[nodiscard]] const HistoryId& history() const noexcept { return history_; }
  [[nodiscard]] const JournalOptions& options() const noexcept { return *options_; }
  /// For event-sourced actors.
  [[nodiscard]] const Ref<detail::TakeSnapshot>& snapshots() const noexcept { return snapshots_; }
  [[nodiscard]] const Ref<detail::MayRecover, detail::RecoveryOver>& permits() const noexcept {
    return permits_;
  }

 private:
  Journal() = default;
  Ref<detail::Append, detail::HeadOf> sequencer_;
  Ref<detail::ReadStream, detail::ReadSlice, detail::ReadSnapshot> reader_;
  Ref<detail::TakeSnapshot> snapshots_;
  Ref<detail::MayRecover, detail::RecoveryOver> permits_;
  std::uint32_t slices_ = 0;
  HistoryId history_;
  std::shared_ptr<const JournalOptions> options_;
};

}  // namespace troupe::persistence
