// What waits to be sent to one peer (docs/wire-protocol.md, sections 4, 5 and 7).
//
// Design. Senders append whole frames behind a lock; the connection takes batches. While one batch
// is written the next gathers, so that batches are small where little is sent and large where much
// is. A frame that is too large for one goes in chunks, of which a batch has one of each; what its
// pair sends meanwhile waits behind it, what others send goes between.
#pragma once

#include <cstdint>
#include <deque>
#include <mutex>
#include <span>
#include <vector>

#include "frame.hpp"

namespace troupe::remoting::detail {

/// Who sends and who receives; numbers of the two nodes. Thread safety: a value.
struct Pair {
  std::uint64_t sender = 0;
  std::uint64_t receiver = 0;
  bool operator==(const Pair&) const = default;
};

struct SendQueueBounds {
  std::size_t messages_max = 3072;
  std::size_t bytes_max = std::size_t{16} << 20;         ///< of messages; one may exceed it alone
  std::size_t signal_bytes_max = std::size_t{16} << 20;  ///< beyond it the epoch ends
  std::size_t batch_bytes = std::size_t{256} << 10;      ///< then a heartbeat has its turn again
};

/// Thread safety: push and push_control by any thread, the rest by the connection's.
class SendQueue {
 public:
  enum class Pushed : std::uint8_t {
    first,   ///< nothing waited: whoever sends is to be woken
    behind,  ///< it is on its way with others
    full,    ///< it was not taken
  };

  explicit SendQueue(const SendQueueBounds& bounds = {}) : bounds_(bounds) {}

  /// Takes a whole frame that carries a message.
  [[nodiscard]] Pushed push(const Pair& pair, std::span<const Word> frame) {
    return push(pair, frame, false);
  }
  /// Takes a frame that must not be lost: a watch, a link, an exit, a Down. `full` ends the epoch.
  [[nodiscard]] Pushed push_signal(const Pair& pair, std::span<const Word> frame) {
    return push(pair, frame, true);
  }
  /// Takes a frame that belongs to no pair: it goes before all that waits.
  [[nodiscard]] Pushed push_control(std::span<const Word> frame);

  /// The next frames, of about batch_bytes. They live until the next call. Empty: nothing waits;
  /// who pushes next is told `first`.
  [[nodiscard]] std::span<const Word> next_batch();

  /// The pairs of the messages that have not gone, one entry for each. The connection's thread,
  /// once it sends no more.
  [[nodiscard]] std::vector<Pair> unsent() const;
  /// Messages that wait.
  [[nodiscard]] std::size_t messages() const;
  /// Their bytes, and those of signals.
  [[nodiscard]] std::size_t bytes() const;

 private:
  struct Entry {
    Pair pair;
    std::size_t words;
    bool is_signal;
  };
  /// Frames one behind the other, and what they are.
  struct Frames {
    std::deque<Entry> entries;
    std::vector<Word> words;
    std::size_t begin = 0;  ///< of the first entry's
  };
  /// A large frame on its way, and what its pair sent since.
  struct Large {
    Pair pair;
    bool is_signal;
    std::size_t words;
    ChunkWriter writer;
    Frames behind;
  };

  Pushed push(const Pair& pair, std::span<const Word> frame, bool is_signal);
  [[nodiscard]] bool is_full(std::size_t bytes, bool is_signal) const noexcept;
  static void append(Frames& frames, const Entry& entry, std::span<const Word> words);
  static std::pair<Entry, std::span<const Word>> take_first(Frames& frames);
  void take_frames();
  void take_chunks();
  void release_behind(Large& large);
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
  std::size_t signal_bytes_ = 0;
  bool is_idle_ = true;
  // The connection's:
  Frames taken_;
  std::deque<Large> large_;
  std::uint32_t streams_ = 0;
  std::vector<Word> batch_;
};

}  // namespace troupe::remoting::detail
