// One incarnation of another node, as this one's actors see it.
#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include <troupe/remoting/node.hpp>
#include <troupe/runtime/detail/remote.hpp>
#include <troupe/runtime/system.hpp>

#include "foster.hpp"
#include "frame.hpp"
#include "message_frame.hpp"
#include "schema/wire.capnp.hpp"
#include "send_queue.hpp"
#include "signal_frame.hpp"

namespace troupe::remoting::detail {

using troupe::detail::Envelope;
using troupe::detail::RemoteAnswer;
using troupe::detail::RemoteSignal;
using troupe::detail::RequestPort;

/// One of this node's actors, or why there is none. Thread safety: a value.
struct Found {
  Address actor;
  std::optional<AskError> error;
};
/// The actor of that path, if it takes messages of all these schemas. Any thread.
[[nodiscard]] Found look_up(System& system, const std::string& path,
                            std::span<const std::uint64_t> schemas);

/// What a Peer needs of its node. Thread safety: any thread.
class PeerHome {
 public:
  /// Something waits to be sent to that peer.
  virtual void wants_to_send(class Peer& peer) = 0;
  /// Its connection can't go on: what must not be lost found no room.
  virtual void is_overrun(class Peer& peer) = 0;
  [[nodiscard]] virtual System& system() noexcept = 0;
  [[nodiscard]] virtual troupe::detail::RefNames& names() noexcept = 0;
  /// The number of one of this node's actors; 0: nobody.
  [[nodiscard]] virtual std::uint64_t number_of(const Address& actor) = 0;
  [[nodiscard]] virtual Address actor_of(std::uint64_t number) = 0;
  [[nodiscard]] virtual const SendQueueBounds& queue_bounds() const noexcept = 0;
  [[nodiscard]] virtual std::size_t message_bytes_max() const noexcept = 0;
  [[nodiscard]] virtual std::size_t unanswered_max() const noexcept = 0;
  /// Makes an actor for a parent of that node's. On the loop; `done` on any thread.
  virtual void spawn_here(wire::Spawn spawn, std::uint64_t node, const Address& parent,
                          Resolved done) = 0;

 protected:
  ~PeerHome() = default;
};

/// Encodes what is sent to that node's actors, and keeps what is open between the two. It outlives
/// its node, whose end it hears of by `close`.
/// Thread safety: any thread, except what is said to be the loop's.
class Peer final : public troupe::detail::RemotePeer, public std::enable_shared_from_this<Peer> {
 public:
  /// Without a home it is closed.
  Peer(std::shared_ptr<PeerHome> home, std::uint64_t incarnation, std::string_view address);

  // RemotePeer
  Sent send(const Address& to, Envelope* e) noexcept override;
  void send_when_room(const Address& to, Envelope* e, const RequestPort& waiter) noexcept override;
  void signal(const RemoteSignal& signal) noexcept override;
  void answer(const RemoteAnswer& answer) noexcept override;
  [[nodiscard]] troupe::detail::WireRef name() const override {
    return {incarnation_, 0, address_};
  }

  [[nodiscard]] std::uint64_t incarnation() const noexcept { return incarnation_; }
  [[nodiscard]] std::string_view address() const noexcept { return address_; }

  // The loop's:
  /// Its actors, once the System knows them. Before anything else.
  void set_actors(troupe::detail::RemoteActors actors) { actors_ = actors; }
  /// Throws ProtocolError when no node has got so far with its numbers.
  [[nodiscard]] Address actor(std::uint64_t number);
  /// What waits for it; of the present epoch, or of the next.
  [[nodiscard]] const std::shared_ptr<SendQueue>& queue() const noexcept { return queue_; }
  /// Has that node find or make an actor: answered by `done`, once.
  using WriteRequest =
      std::function<void(PeerHome& home, std::uint64_t request, std::vector<Word>& frame)>;
  void request(const WriteRequest& write, Resolved done);
  /// A frame of a pair of actors has come. Throws ProtocolError.
  void take(const Frame& frame);
  /// The epoch has ended, or could not begin: what was open ends (F11).
  void lost(const std::string& why);
  /// The same for ever: a later incarnation is there, or this node ends.
  void close(const std::string& why);
  [[nodiscard]] bool is_closed() { return home() == nullptr; }
  /// Forgets asks whose askers gave up.
  void sweep();
  /// Fills in what is open between the two.
  void describe(PeerStatus& status);

 private:
  struct OpenAsk {
    RequestPort port;  ///< empty: a resolve, or a spawn
    const troupe::detail::MessageType* asked = nullptr;
    Pair pair;  ///< in whose order its cancel goes
    Resolved resolved;
  };
  enum class Put : std::uint8_t { sent, full, closed };

  [[nodiscard]] std::shared_ptr<PeerHome> home();
  Put put(const Pair& pair, std::span<const Word> frame, Carries what);
  Put put(const Pair& pair, std::vector<Word>& frame, Carries what);
  [[nodiscard]] Put told(SendQueue::Pushed pushed, bool may_be_full);
  [[nodiscard]] std::optional<Pair> pair_of(const Address& from, const Address& to);
  Sent put_message(const Address& to, Envelope* e);
  /// Why not; nothing: it has taken the message.
  struct Refusal {
    DropReason reason;
    AskErrorKind kind;
    std::string what;
  };
  std::optional<Refusal> put_when_room(const Address& to, Envelope* e, const RequestPort& waiter);
  void put_signal(const NumberedSignal& numbered);
  void bounce(const RemoteSignal& signal);
  void put_failure(const Pair& pair, std::uint64_t request, AskErrorKind kind,
                   std::string_view what);
  void take_message(const Frame& frame);
  void hand_over(const MessageHead& head, std::span<const Word> words, bool is_ask);
  [[nodiscard]] bool know(const MessageHead& head);
  [[nodiscard]] bool is_full_of_asks(std::uint64_t request);
  void count_message(const Pair& pair, std::size_t bytes);
  void give_back(const Pair& pair, std::size_t bytes, std::uint64_t epoch);
  void take_credit(const Frame& frame);
  void take_answer(const Frame& frame);
  void take_cancel(const Frame& frame);
  void take_signal(const Frame& frame);
  void take_resolve(const Frame& frame);
  void take_spawn(const Frame& frame);
  void put_found(std::uint64_t request, const Address& actor, const AskError* error);
  void reject(const MessageHead& head, bool is_ask, std::string_view type, DropReason reason,
              AskErrorKind kind, std::string_view what);
  void end_with(OpenAsk& ask, std::uint64_t status, std::span<const Word> words);
  void end_epoch(const std::string& why, bool closes);
  static void end(OpenAsk& ask, AskErrorKind kind, const std::string& why);

  const std::shared_ptr<SendQueue> queue_;
  const std::size_t message_bytes_max_;
  const std::uint64_t serial_;  ///< no other Peer of this process has it
  std::mutex lock_;
  std::shared_ptr<PeerHome> home_;              ///< null: closed; guarded by the lock, as these:
  std::map<std::uint64_t, OpenAsk> asks_;       ///< by request
  std::map<std::uint64_t, RequestPort> asked_;  ///< what was asked from there, by request
  std::uint64_t requests_ = 0;
  std::atomic<std::uint64_t> epoch_{0};        ///< those that have ended
  std::atomic<std::size_t> untaken_bytes_{0};  ///< came from there, and was not given back
  const std::uint64_t incarnation_;
  const std::string_view address_;  ///< kept for ever
  std::optional<troupe::detail::RemoteActors> actors_;
  // The loop's:
  /// Of the last message that came: most come in rows.
  struct Known {
    std::uint64_t receiver = 0;
    std::uint64_t sender = 0;
    std::uint64_t schema = 0;
    Address to;  ///< empty: it has ended
    Address from;
    const troupe::detail::MessageType* type = nullptr;  ///< null: it does not take that
  };
  Known known_;
  CreditOwed owed_;
};

}  // namespace troupe::remoting::detail
