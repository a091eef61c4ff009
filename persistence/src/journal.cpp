#include <troupe/persistence/journal.hpp>

#include <algorithm>
#include <deque>
#include <map>
#include <utility>

#include <troupe/runtime/detail/attached.hpp>
#include <troupe/runtime/detail/mutant.hpp>

#include "sequencer.hpp"

namespace troupe::persistence {

namespace detail {
namespace {

/// Reads beside the sequencer, on a thread of its own.
class Reader final : public Actor<ReadStream, ReadSlice, ReadSnapshot> {
 public:
  explicit Reader(std::shared_ptr<Store> store) : store_(std::move(store)) {}
  std::vector<StoredEvent> receive(const ReadStream& m) {
    return read([&] { return store_->read_stream(m.stream, m.after, m.max); });
  }
  std::vector<StoredEvent> receive(const ReadSlice& m) {
    return read([&] { return store_->read_slice(m.slice, m.after, m.max); });
  }
  std::optional<StoredSnapshot> receive(const ReadSnapshot& m) {
    return read([&] { return store_->snapshot(m.stream, m.at_most); });
  }

 private:
  template <class F>
  static std::invoke_result_t<F&> read(F f) {
    try {
      return f();
    } catch (const std::exception& e) {  // who asked is told, and the journal goes on
      refuse(e.what());
    }
  }
  const std::shared_ptr<Store> store_;
};

/// Does what the store puts off, on a thread of its own.
class Housekeeper final : public Actor<Maintain> {
 public:
  explicit Housekeeper(std::shared_ptr<Store> store) : store_(std::move(store)) {}
  std::string receive(const Maintain&) {
    try {
      store_->maintain();
      return {};
    } catch (const std::exception& e) {
      return e.what();
    }
  }

 private:
  const std::shared_ptr<Store> store_;
};

/// Encodes and writes snapshots, and deletes what they make superfluous, while their actors go on.
class Snapshots final : public Actor<TakeSnapshot> {
 public:
  Snapshots(std::shared_ptr<Store> store, std::shared_ptr<WallClock> wall_clock)
      : store_(std::move(store)), wall_clock_(std::move(wall_clock)) {}

  /// What goes wrong here is no fault of the actor's, and it hears nothing of it (S123).
  void receive(TakeSnapshot&& m) {
    StoredSnapshot& snapshot = m.snapshot;
    try {
      snapshot.data = std::exchange(m.encode, nullptr)();  // the copy is gone
      snapshot.taken_at = wall_clock_->now();
      store_->put_snapshot(snapshot);
      clean_up(snapshot, m.policy);
    } catch (const std::exception& e) {
      log().error("a snapshot of " + snapshot.stream.name() + " at version " +
                  std::to_string(snapshot.version) + " failed: " + e.what());
    }
  }

 private:
  /// Older snapshots go once there are enough newer ones, and events below the oldest one kept
  /// that is what it should be, read back (F5).
  void clean_up(const StoredSnapshot& newest, const SnapshotPolicy& policy) {
    Version oldest = any_version;
    const std::size_t keep = std::max<std::size_t>(policy.keep, 1);
    Version usable = any_version;
    std::size_t usable_count = 0;
    for (std::size_t i = 0; i < keep; ++i) {
      const auto kept = store_->snapshot(newest.stream, oldest - 1);
      if (!kept || kept->version == 0 || kept->version >= oldest) break;
      oldest = kept->version;
      if (is_usable(*kept, newest)) {
        usable = kept->version;
        ++usable_count;
      }
      if (i == 0 && usable != newest.version)
        throw StoreCorrupt("read back, it is not what was written: " + kept->damage);
    }
    if (oldest == any_version) throw StoreCorrupt("read back, it is not there");
    store_->delete_snapshots(newest.stream, oldest);
    if (policy.delete_events && usable_count == keep) store_->delete_events(newest.stream, usable);
  }
  static bool is_usable(const StoredSnapshot& kept, const StoredSnapshot& newest) {
    if (troupe::detail::mutant("doubtful_snapshot_counts_as_verified")) return true;
    if (kept.version == newest.version && kept.data != newest.data) return false;
    return kept.damage.empty() && kept.type == newest.type &&
           kept.fingerprint == newest.fingerprint;
  }
  const std::shared_ptr<Store> store_;
  const std::shared_ptr<WallClock> wall_clock_;
};

/// So many recover at the same time (S120).
class Permits final : public Actor<MayRecover, RecoveryOver> {
 public:
  explicit Permits(std::uint32_t max) : free_(max) {}

  /// Who asks again was restarted: its place is the one it had.
  void receive(const MayRecover&, ReplyTo<void> reply) {
    const Ref<> who = request().sender();
    if (holders_.contains(who)) {
      reply();
    } else if (const auto [at, is_new] = replies_.try_emplace(who, std::move(reply)); is_new) {
      waiting_.push_back(who);
      grant();
    } else {
      at->second = std::move(reply);
    }
  }
  void receive(const RecoveryOver&) { give_back(request().sender()); }
  void receive(const Down& m) { give_back(m.who); }

 private:
  /// One who has ended meanwhile gives it back at once, by his Down.
  void grant() {
    while ((free_ > 0 || mutant_is_on()) && !waiting_.empty()) {
      const Ref<> who = waiting_.front();
      waiting_.pop_front();
      ReplyTo<void> reply = std::move(replies_.extract(who).mapped());
      --free_;
      holders_[who] = monitor(who);
      reply();
    }
  }
  void give_back(const Ref<>& who) {
    const auto holder = holders_.find(who);
    if (holder == holders_.end()) return;
    demonitor(holder->second);
    holders_.erase(holder);
    ++free_;
    grant();
  }
  static bool mutant_is_on() { return troupe::detail::mutant("all_recover_at_once"); }

  std::int64_t free_;
  std::deque<Ref<>> waiting_;
  std::map<Ref<>, ReplyTo<void>> replies_;  ///< to those
  std::map<Ref<>, MonitorToken> holders_;
};

}  // namespace
}  // namespace detail

Journal Journal::open(System& system, std::shared_ptr<Store> store, JournalOptions options) {
  if (store == nullptr) throw UsageError("a journal needs a store");
  if (troupe::detail::attached<Journal>(system) != nullptr)
    throw UsageError("this System has a journal already");
  if (options.replay_events == 0 || options.recoveries_max == 0 || options.batch_events_max == 0)
    throw UsageError("replay_events, recoveries_max and batch_events_max are one at least");
  if (options.wall_clock == nullptr) options.wall_clock = wall_clock();
  const auto shared = std::make_shared<const JournalOptions>(std::move(options));
  const bool own_threads = !store->is_in_memory();
  Journal journal;
  journal.slices_ = store->slices();
  journal.history_ = store->history();
  journal.options_ = shared;
  const auto housekeeper = system.spawn<detail::Housekeeper>({.pinned = own_threads}, store);
  journal.sequencer_ =
      system.spawn<detail::Sequencer>({.pinned = own_threads}, store, shared, housekeeper);
  journal.reader_ = system.spawn<detail::Reader>({.pinned = own_threads}, store);
  journal.snapshots_ =
      system.spawn<detail::Snapshots>({.pinned = own_threads}, store, shared->wall_clock);
  journal.permits_ = system.spawn<detail::Permits>(shared->recoveries_max);
  troupe::detail::attach(system, std::make_shared<Journal>(journal));
  return journal;
}

std::string to_string(const AppendResult& result) {
  struct Words {
    std::string operator()(const Committed& r) const {
      return "committed as versions " + std::to_string(r.first) + " to " + std::to_string(r.last);
    }
    std::string operator()(const AlreadyDone& r) const {
      return "done before, as versions " + std::to_string(r.first) + " to " +
             std::to_string(r.last);
    }
    std::string operator()(const WrongVersion& r) const {
      return "the stream is at version " + std::to_string(r.actual);
    }
    std::string operator()(const IdempotencyConflict&) const {
      return "the command id was used for another command";
    }
    std::string operator()(const Rejected& r) const { return "rejected: " + r.why; }
    std::string operator()(const NotWritten& r) const { return "not written: " + r.why; }
    std::string operator()(const Fenced&) const { return "another journal has claimed the slice"; }
    std::string operator()(const Unknown& r) const {
      return "nobody knows whether it was written: " + r.why;
    }
  };
  return std::visit(Words{}, result);
}

}  // namespace troupe::persistence
