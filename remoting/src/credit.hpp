// How far the actors of a node may be ahead of those they send to (docs/wire-protocol.md, section
// 7).
//
// Design. Credit counts the bytes of tells and asks from when they go until the actor has taken
// them: so it bounds what is under way and what lies in mailboxes there. A message goes while any
// is left, however large it is. What has none waits at the sender, in the order of its pair; other
// pairs pass it, and so that a stuck actor does not take all the room from the others of its node,
// what waits for credit may have an eighth of it. Answers and signals need no credit, and take
// along what their pair sent before: nobody waits for an answer, or can't stop an actor, because
// that one takes no mail.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <unordered_map>
#include <utility>

namespace troupe::remoting::detail {

/// Who sends and who receives; numbers of the two nodes. Thread safety: a value.
struct Pair {
  std::uint64_t sender = 0;
  std::uint64_t receiver = 0;
  bool operator==(const Pair&) const = default;
};
struct HashPair {
  std::size_t operator()(const Pair& pair) const noexcept {
    return (pair.sender * 0x9E3779B97F4A7C15ull) ^  // Fibonacci hashing (Knuth, TAOCP 3, 6.4)
           pair.receiver;
  }
};

inline constexpr std::size_t pair_credit_bytes = std::size_t{256} << 10;
inline constexpr std::size_t peer_credit_bytes = std::size_t{16} << 20;
/// A message counts with its bytes, and at most so many: one of 64 MiB uses up the credit of its
/// pair, and leaves most of the peer's to others.
inline constexpr std::size_t message_credit_bytes_max = peer_credit_bytes / 4;
[[nodiscard]] constexpr std::size_t credit_of(std::size_t bytes) noexcept {
  return bytes < message_credit_bytes_max ? bytes : message_credit_bytes_max;
}
/// What is taken is given back at the latest when it is so much: of a pair, or of all.
inline constexpr std::size_t pair_owed_bytes_max = pair_credit_bytes / 4;
inline constexpr std::size_t peer_owed_bytes_max = peer_credit_bytes / 16;

/// What waits for credit may have so much of the room of all that waits.
inline constexpr std::size_t share_without_credit = 8;

/// What is sent to a peer: what waits, and what its actors have not taken. Thread safety: with a
/// lock of the caller's, except `goes`, which is for one thread, as are `give_back` and `clear`;
/// what is const is for any.
class CreditLeft {
 public:
  /// It stays as long as messages of its pair wait.
  struct OfPair {
    std::size_t spent = 0;    ///< by `goes`
    std::size_t settled = 0;  ///< of that, what `gone` and who has room know of
    std::size_t waiting = 0;
    std::size_t waiting_messages = 0;
  };
  /// Its pair, where so many in all may wait; null: it has no room. `ahead`: nor may it have any
  /// when all that waits has gone. It lives until the next call.
  [[nodiscard]] OfPair* room_for(const Pair& pair, std::size_t bytes, std::size_t messages_max,
                                 std::size_t bytes_max, bool ahead);
  /// One more message of that pair waits.
  static void waits(OfPair& of, std::size_t bytes) noexcept;
  /// It may go. False, unless it goes all the same: it has no credit.
  [[nodiscard]] bool goes(OfPair& of, std::size_t bytes, bool all_the_same) noexcept;
  /// Messages of one pair, and what they spend.
  struct Row {
    OfPair* of = nullptr;
    std::size_t messages = 0;
    std::size_t bytes = 0;
    std::size_t credit = 0;
  };
  /// Those wait no longer.
  static void gone(const Row& row) noexcept;
  /// Throws ProtocolError when so much was not spent.
  void give_back(const Pair& pair, std::size_t bytes);
  void clear() noexcept;
  [[nodiscard]] bool is_used_up() const noexcept { return spent() >= peer_credit_bytes; }
  [[nodiscard]] std::size_t spent() const noexcept {
    return all_spent_.load(std::memory_order_relaxed);  // a figure
  }

 private:
  [[nodiscard]] OfPair& of(const Pair& pair);
  std::unordered_map<Pair, OfPair, HashPair> pairs_;
  std::pair<Pair, OfPair*> last_{};  ///< most come in rows
  std::atomic<std::size_t> all_spent_{0};
};

/// What has come from a peer, and is not given back yet. Thread safety: one thread at a time.
class CreditOwed {
 public:
  /// Has that much of that pair's given back, once its receiver has taken it.
  using GiveBack = std::function<void(const Pair& pair, std::size_t bytes)>;
  /// A message has come. Calls `give_back` when it is time for that.
  void came(const Pair& pair, std::size_t bytes, const GiveBack& give_back);

 private:
  [[nodiscard]] std::size_t& of(const Pair& pair);
  std::unordered_map<Pair, std::size_t, HashPair> owed_;
  std::pair<Pair, std::size_t*> last_{};  ///< most come in rows
  std::size_t all_owed_ = 0;
};

}  // namespace troupe::remoting::detail
