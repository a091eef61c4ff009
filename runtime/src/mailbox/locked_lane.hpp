// The user lane of an actor whose mailbox is bounded or has priorities.
//
// Design. Such an actor's messages wait here, under a lock, and not in the lane of mailbox.hpp,
// which keeps the token only: who puts a message in claims the token of a sleeping cell, and the
// cell looks here once more after it went to sleep. Senders find the lane by the actor's serial in
// LockedLanes; that an actor has one they see in the generation of its address (has_locked_lane).
#pragma once

#include <array>
#include <deque>
#include <memory>
#include <mutex>
#include <unordered_map>
#include <vector>

#include <troupe/runtime/mailbox.hpp>

namespace troupe::detail {

/// Set in the generation of an actor with a locked lane.
inline constexpr std::uint32_t has_locked_lane = 0x80000000u;

/// Thread safety: any thread.
class LockedLane {
 public:
  /// Throws UsageError when the options contradict themselves.
  explicit LockedLane(MailboxOptions options);

  /// A message for which there was no room.
  struct Left {
    Envelope* envelope = nullptr;
    RequestPort waiter;  ///< who waits for room for it
  };
  enum class Put : std::uint8_t { in, displaced, full, closed };
  /// `displaced`: `left` is the one that was dropped for this. `full`: this one is left.
  Put put(Envelope* e, Envelope*& left);
  /// Waits in line when there is no room. `late`: as in take.
  Put put_or_wait(Envelope* e, const RequestPort& waiter, std::vector<Envelope*>& late);
  /// A signal or a tick: behind everything, and not counted. By who holds the actor's token.
  void append(Envelope* e);
  /// A signal, by anybody: `in` or `closed`.
  Put put_uncounted(Envelope* e);
  /// The next message, or null. `admitted`: who has room now; its slot is won, to be published.
  /// `late`: messages of senders that waited and gave up.
  Envelope* take(RequestPort& admitted, std::vector<Envelope*>& late);
  [[nodiscard]] const MessageType* next_type() const;
  [[nodiscard]] bool empty() const;
  /// Nothing is put in any more. Returns all that is left.
  std::vector<Left> close();
  [[nodiscard]] const MailboxOptions& options() const noexcept { return options_; }

 private:
  struct Item {
    Envelope* envelope;
    bool is_counted;
  };
  std::deque<Item>& lane_of(const MessageType* type);
  [[nodiscard]] bool is_full() const noexcept {
    return options_.capacity != 0 && counted_ >= options_.capacity;
  }
  Envelope* drop_oldest();
  void sweep_line(std::vector<Envelope*>& late);

  const MailboxOptions options_;
  mutable std::mutex mutex_;
  std::vector<std::deque<Item>> lanes_;  // by priority; the last takes what is not listed
  std::deque<Left> waiting_;
  std::size_t sweep_line_at_ = 16;  ///< entries; so that a sweep costs each who waits a look or two
  std::uint32_t counted_ = 0;
  bool closed_ = false;
};

/// The lanes of one System, by the serial of their actor.
/// Thread safety: any thread.
class LockedLanes {
 public:
  void add(std::uint32_t serial, std::shared_ptr<LockedLane> lane);
  void remove(std::uint32_t serial);
  [[nodiscard]] std::shared_ptr<LockedLane> find(std::uint32_t serial) const;

 private:
  struct Shard {
    mutable std::mutex mutex;
    std::unordered_map<std::uint32_t, std::shared_ptr<LockedLane>> lanes;
  };
  [[nodiscard]] const Shard& shard(std::uint32_t serial) const noexcept {
    return shards_[serial % shards_.size()];
  }
  std::array<Shard, 16> shards_;
};

}  // namespace troupe::detail
