// What waits to be sent to one peer (docs/wire-protocol.md, sections 4, 5 and 7).
//
// Design. Senders append whole frames behind a lock; the connection takes batches. While one batch
// is written the next gathers, so that batches are small where little is sent and large where much
// is: frames that may all go are not even copied. A frame that is too large for one goes in chunks,
// of which a batch has one of each; one that has no credit waits for it. What its pair sends
// meanwhile waits behind it, what others send goes between. The connection has the lock only to
// take what was appended and to say what has gone, so that senders and it seldom meet there.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "credit.hpp"
#include "frame.hpp"
#include "waiting_line.hpp"

namespace troupe::remoting::detail {

struct SendQueueBounds {
  std::size_t messages_max = 3072;
  std::size_t bytes_max = std::size_t{16} << 20;         ///< of messages, and one large one beyond
  std::size_t signal_bytes_max = std::size_t{16} << 20;  ///< beyond it the epoch ends
  std::size_t control_bytes_max = std::size_t{4} << 20;  ///< the same
  std::size_t batch_bytes = std::size_t{256} << 10;      ///< then a heartbeat has its turn again
};

/// What a frame of a pair carries.
enum class Carries : std::uint8_t {
  message,  ///< a tell or an ask: it goes where its pair has credit
  answer,   ///< somebody waits for it: it needs none
  signal,   ///< a watch, a link, an exit, a Down: it must not be lost, and needs none
  cancel,   ///< of an ask: it must not be lost, and is in no hurry
};
[[nodiscard]] constexpr bool has_room_of_its_own(Carries what) noexcept {
  return what == Carries::signal || what == Carries::cancel;
}

/// Thread safety: the pushes and what is asked by any thread, the rest by the connection's.
class SendQueue {
 public:
  enum class Pushed : std::uint8_t {
    first,   ///< nothing waited: whoever sends is to be woken
    behind,  ///< it is on its way with others
    full,    ///< it was not taken
    closed,  ///< the same, and nothing will be
  };

  /// How much of the room is for a message: all; less, with `some_left` behind one that is sent and
  /// not told, so that others may be told; still less, with `more_left` behind those that had to
  /// wait for that, so that who is let on has something to do for a while.
  enum class Room : std::uint8_t { all, some_left, more_left };

  explicit SendQueue(const SendQueueBounds& bounds = {}) : bounds_(bounds) {}

  /// Takes a whole frame. `full`, of a signal: the epoch is to end.
  [[nodiscard]] Pushed push(const Pair& pair, std::span<const Word> frame, Carries what,
                            Room room = Room::all);
  /// The same, and takes the memory of a large one, if it has room.
  [[nodiscard]] Pushed push(const Pair& pair, std::vector<Word>& frame, Carries what,
                            Room room = Room::all);
  /// The same with a message that would have left too little. `full`: it waits, and messages that
  /// its pair pushes meanwhile are refused, as none may overtake it.
  [[nodiscard]] Pushed wait_in_line(const Pair& pair, std::vector<Word> frame,
                                    std::unique_ptr<Waiter> waiter);
  /// Takes a frame that belongs to no pair: it goes before all that waits. `full`: the epoch is to
  /// end.
  [[nodiscard]] Pushed push_control(std::span<const Word> frame);
  /// The peer's actors have taken so many bytes of that pair. Throws ProtocolError when it had not
  /// so many.
  void give_back(const Pair& pair, std::size_t bytes);

  /// The next frames, of about batch_bytes. They live until the next call. Empty: nothing waits;
  /// who pushes next is told `first`.
  [[nodiscard]] std::span<const Word> next_batch();

  /// Something was pushed since the last batch, but less than so much, and nothing else is to go.
  /// The connection's thread.
  [[nodiscard]] bool has_little(std::size_t bytes) const;
  struct Unsent {
    std::vector<Pair> pairs;  ///< of each message that was taken, and has not gone
    std::vector<std::unique_ptr<Waiter>> waiters;
  };
  /// Forgets all that waits and what was spent of credit, for the next connection; or `closes`, for
  /// ever. The connection's thread, once it sends no more.
  [[nodiscard]] Unsent clear(bool closes);
  /// Forgets who stands in line no more. The connection's thread.
  void sweep();
  /// Messages that wait.
  [[nodiscard]] std::size_t messages() const;
  /// Their bytes, and those of signals; without the one beyond the bound.
  [[nodiscard]] std::size_t bytes() const;
  /// Those of messages that wait, are under way, or that the peer's actors have not taken.
  [[nodiscard]] std::size_t untaken_bytes() const;

 private:
  struct Entry {
    Pair pair;
    CreditLeft::OfPair* credit;  ///< null: it needs none
    std::size_t words;
    Carries what;
    bool is_beyond;  ///< the bound of bytes
  };
  /// What bounds count.
  struct Load {
    std::size_t messages = 0;
    std::size_t message_bytes = 0;
    std::size_t signal_bytes = 0;
    std::size_t beyond = 0;  ///< messages whose bytes that does not count
    void add(const Entry& entry) noexcept;
    Load& operator-=(const Load& gone) noexcept;
  };
  /// Frames one behind the other, and what they are. The memory of those that have gone is used
  /// again: no block goes from the thread of a sender to the connection's.
  struct Frames {
    std::vector<Entry> entries;
    std::size_t first = 0;  ///< of the entries; those before have gone
    std::vector<Word> words;
    std::size_t begin = 0;                 ///< of the first entry's
    std::deque<std::vector<Word>> larges;  ///< those that go in chunks lie for themselves
    [[nodiscard]] bool is_empty() const noexcept { return first == entries.size(); }
    [[nodiscard]] std::size_t size() const noexcept { return entries.size() - first; }
    [[nodiscard]] const Entry& front() const noexcept { return entries[first]; }
    void append(const Entry& entry, std::span<const Word> frame);
    void append_large(const Entry& entry, std::vector<Word> frame);
    /// That of the first entry, which is taken.
    std::vector<Word> take_large() noexcept;
    /// Not a large one. The words live until the next change.
    std::pair<Entry, std::span<const Word>> take_first() noexcept;
    void clear() noexcept;
  };
  /// Of a pair whose next frame has not gone at once.
  struct SubStream {
    std::optional<ChunkWriter> large;  ///< on its way
    Entry of_large{};
    Frames behind;
    std::size_t free_of_credit = 0;  ///< so many of those
    bool has_turn = false;
  };

  [[nodiscard]] bool is_full(std::size_t bytes, Carries what, Room room) const noexcept;
  [[nodiscard]] bool has_room(const Pair& pair, std::size_t bytes, Carries what, Room room,
                              CreditLeft::OfPair*& credit);
  [[nodiscard]] bool take(const Pair& pair, std::span<const Word> frame, Carries what, Room room,
                          std::vector<Word>* owner);
  [[nodiscard]] Pushed push(const Pair& pair, std::span<const Word> frame, Carries what, Room room,
                            std::vector<Word>* owner);
  [[nodiscard]] Pushed pushed() noexcept;
  [[nodiscard]] bool is_beyond(std::size_t bytes, Carries what) const noexcept;
  [[nodiscard]] std::span<const Word> take_run();
  void take_frames();
  [[nodiscard]] bool must_wait(const Entry& entry) const;
  void hold_first();
  void give_turn(const Pair& pair, SubStream& s);
  void take_turns();
  bool take_some(SubStream& s);
  [[nodiscard]] bool may_go(const Entry& entry, bool all_the_same) noexcept;
  void goes(const Entry& entry);
  [[nodiscard]] std::span<const Word> settled(std::span<const Word> batch);
  [[nodiscard]] std::vector<Pair> unsent() const;
  [[nodiscard]] std::unique_lock<std::mutex> lock() const;
  [[nodiscard]] bool batch_is_full() const noexcept {
    return batch_.size() * sizeof(Word) >= bounds_.batch_bytes;
  }

  const SendQueueBounds bounds_;
  mutable std::mutex mutex_;
  // Guarded by it:
  Frames pushed_;
  std::vector<Word> control_;
  Load waiting_;
  bool is_idle_ = true;
  bool is_closed_ = false;
  WaitingLines in_line_;
  CreditLeft credit_;  ///< see there
  // The connection's:
  Frames taken_;
  Load gone_;                               ///< in this batch
  std::vector<CreditLeft::Row> gone_rows_;  ///< the same
  std::unordered_map<Pair, SubStream, HashPair> held_;
  std::deque<Pair> turns_;  ///< of those that something may go of
  std::size_t larges_ = 0;  ///< under way
  std::uint32_t streams_ = 0;
  std::vector<Word> batch_;
};

}  // namespace troupe::remoting::detail
