// One connection to a peer, from its first word to its end (docs/wire-protocol.md, sections 3 to
// 6). It knows no sockets and no threads: bytes and times come in, bytes and events go out.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include <troupe/remoting/failure_detector.hpp>
#include <troupe/remoting/transport.hpp>

#include "frame.hpp"
#include "handshake.hpp"
#include "send_queue.hpp"

namespace troupe::remoting::detail {

/// Why a connection is over.
enum class ConnectionEnd : std::uint8_t {
  refused,         ///< one side did not want the other
  untrusted,       ///< TLS has not proven one to the other
  protocol_error,  ///< the peer broke the rules
  unreachable,     ///< no heartbeat came, or no handshake in time
  lost,            ///< the network's end of it
  goodbye,         ///< both had nothing more to say
  given_up,        ///< by this side
};

/// What a connection tells. In the order: ready, frames, over; over once, and nothing after it.
/// Thread safety: called on the connection's thread; they may not destroy it.
struct ConnectionEvents {
  std::function<void(const NodeName& peer, std::uint64_t epoch)> ready;
  /// A frame from `credit` on; its body lives until this returns. May throw ProtocolError.
  std::function<void(const Frame& frame)> frame;
  std::function<void(ConnectionEnd end, const std::string& why)> over;
};

struct ConnectionOptions {
  Duration handshake_max = std::chrono::seconds(5);
  Duration heartbeat_interval = std::chrono::seconds(1);
  Duration goodbye_max = std::chrono::seconds(5);  ///< how long the peer's is waited for
  FailureDetectorOptions detector;
  SendQueueBounds queue;
  ChunkBounds chunks;
};

/// Thread safety: one thread at a time; `queue` by any.
class Connection {
 public:
  Connection(HandshakeTerms terms, const ConnectionOptions& options, Wire& wire,
             ConnectionEvents events, TimePoint now);

  // What the wire tells.
  [[nodiscard]] std::span<std::byte> space() { return reader_.space(); }
  void received(std::size_t bytes, TimePoint now);
  void sent(TimePoint now);
  void lost(const std::string& why);

  /// When `wake` is due at the latest; it changes with everything above.
  [[nodiscard]] TimePoint next_wake() const noexcept;
  void wake(TimePoint now);

  /// Who pushes and is told `first` has `flush` called.
  [[nodiscard]] SendQueue& queue() noexcept { return *queue_; }
  /// Sends what is in that one, from `ready` on, which may call this.
  void use(std::shared_ptr<SendQueue> queue) noexcept { queue_ = std::move(queue); }
  void flush();
  /// What waits is sent, then a goodbye; over when the peer has said the same.
  void say_goodbye();
  /// Ends it at once, with an event.
  void end(ConnectionEnd end, const std::string& why);

  [[nodiscard]] bool is_ready() const noexcept { return state_ == State::ready; }
  /// Who is there, if it has proven that.
  [[nodiscard]] const NodeName* peer() const noexcept {
    return handshake_.is_peer_proven() ? &handshake_.peer() : nullptr;
  }
  /// Why it was refused, where it was.
  struct Refusal {
    RefuseReason reason;
    bool by_peer;
  };
  [[nodiscard]] const std::optional<Refusal>& refusal() const noexcept { return refusal_; }
  /// When the last heartbeat came, or when it became ready.
  [[nodiscard]] TimePoint last_heard() const noexcept { return last_heard_; }
  [[nodiscard]] bool is_over() const noexcept { return state_ == State::over; }

 private:
  enum class State : std::uint8_t { handshake, ready, over };

  [[nodiscard]] bool takes_a_rest();
  void take_frames(TimePoint now);
  void take_handshake_frame(const Frame& frame);
  void take_frame(const Frame& frame, TimePoint now);
  void take_goodbye();
  void become_ready(TimePoint now);
  void send_handshake();
  void end_handshake(ConnectionEnd why_over, const std::string& why);

  const ConnectionOptions options_;
  Wire& wire_;
  ConnectionEvents events_;
  State state_ = State::handshake;
  Handshake handshake_;
  std::optional<Refusal> refusal_;
  bool has_preface_ = false;
  FrameReader reader_;
  ChunkReader chunks_;
  std::shared_ptr<SendQueue> queue_;
  std::vector<Word> answer_;   ///< of the handshake: not given to the wire yet
  std::vector<Word> sending_;  ///< the same: with the wire
  bool is_sending_ = false;    ///< or rests
  bool has_rested_ = false;
  /// Ends it once the refusal is with the wire.
  std::optional<std::pair<ConnectionEnd, std::string>> ends_when_sent_;
  TimePoint handshake_until_;
  TimePoint next_heartbeat_ = TimePoint::max();
  std::uint64_t heartbeats_ = 0;
  std::optional<FailureDetector> detector_;
  TimePoint last_heard_ = TimePoint::min();
  bool says_goodbye_ = false;  ///< what waits is sent, and then its own
  bool is_goodbye_sent_ = false;
  bool heard_goodbye_ = false;  ///< the peer's
  TimePoint goodbye_until_ = TimePoint::max();
};

}  // namespace troupe::remoting::detail
