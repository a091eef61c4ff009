// What waits to be sent to one peer (docs/wire-protocol.md, sections 4, 5 and 7).
//
// Design. Senders append whole frames behind a lock; the connection takes batches. While one batch
// is written the next gathers, so that batches are small where little is sent and large where much
// is. A frame that is too large for one goes in chunks, of which a batch has one of each; one that
// has no credit waits for it. What its pair sends meanwhile waits behind it, what others send goes
// between.
#pragma once

#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <span>
#include <unordered_map>
#include <vector>

#include "credit.hpp"
#include "frame.hpp"

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
  };

  explicit SendQueue(const SendQueueBounds& bounds = {}) : bounds_(bounds) {}

  /// Takes a whole frame. `full`, of a signal: the epoch is to end.
  [[nodiscard]] Pushed push(const Pair& pair, std::span<const Word> frame, Carries what);
  /// Takes a frame that belongs to no pair: it goes before all that waits. `full`: the epoch is to
  /// end.
  [[nodiscard]] Pushed push_control(std::span<const Word> frame);
  /// The peer's actors have taken so many bytes of that pair. Throws ProtocolError when it had not
  /// so many.
  void give_back(const Pair& pair, std::size_t bytes);

  /// The next frames, of about batch_bytes. They live until the next call. Empty: nothing waits;
  /// who pushes next is told `first`.
  [[nodiscard]] std::span<const Word> next_batch();

  /// The pairs of the messages that have not gone, one entry for each. The connection's thread,
  /// once it sends no more.
  [[nodiscard]] std::vector<Pair> unsent() const;
  /// Messages that wait.
  [[nodiscard]] std::size_t messages() const;
  /// Their bytes, and those of signals; without the one beyond the bound.
  [[nodiscard]] std::size_t bytes() const;
  /// Those of messages that wait, are under way, or that the peer's actors have not taken.
  [[nodiscard]] std::size_t untaken_bytes() const;

 private:
  struct Entry {
    Pair pair;
    std::size_t words;
    Carries what;
    bool is_beyond;  ///< the bound of bytes
  };
  /// Frames one behind the other, and what they are.
  struct Frames {
    std::deque<Entry> entries;
    std::vector<Word> words;
    std::size_t begin = 0;  ///< of the first entry's
  };
  /// Of a pair whose next frame has not gone at once.
  struct SubStream {
    std::optional<ChunkWriter> large;  ///< on its way
    Entry of_large{};
    Frames behind;
    std::size_t free_of_credit = 0;  ///< so many of those
    bool has_turn = false;
  };

  [[nodiscard]] bool is_full(std::size_t bytes, Carries what) const noexcept;
  [[nodiscard]] bool is_beyond(std::size_t bytes, Carries what) const noexcept;
  static void append(Frames& frames, const Entry& entry, std::span<const Word> words);
  static std::pair<Entry, std::span<const Word>> take_first(Frames& frames);
  void take_frames();
  void take_small_frames();
  [[nodiscard]] bool must_wait(const Entry& entry) const;
  void hold(const Entry& entry, std::span<const Word> words);
  void give_turn(const Pair& pair, SubStream& s);
  void take_turns();
  bool take_some(SubStream& s);
  [[nodiscard]] bool may_go(const Entry& entry, bool all_the_same);
  void sent(const Entry& entry);
  [[nodiscard]] bool batch_is_full() const noexcept {
    return batch_.size() * sizeof(Word) >= bounds_.batch_bytes;
  }

  const SendQueueBounds bounds_;
  mutable std::mutex mutex_;
  // Guarded by it:
  Frames pushed_;
  std::vector<Word> control_;
  std::size_t messages_ = 0;
  std::size_t message_bytes_ = 0;
  bool has_beyond_ = false;  ///< one that those do not count
  std::size_t signal_bytes_ = 0;
  CreditLeft credit_;
  bool is_idle_ = true;
  // The connection's:
  Frames taken_;
  std::unordered_map<Pair, SubStream, HashPair> held_;
  std::deque<Pair> turns_;  ///< of those that something may go of
  std::size_t larges_ = 0;  ///< under way
  std::uint32_t streams_ = 0;
  std::vector<Word> batch_;
};

}  // namespace troupe::remoting::detail
