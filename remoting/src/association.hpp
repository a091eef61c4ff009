// What a node has with one address: the connections there, one after the other, and who was met.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "connection.hpp"
#include "peer.hpp"

namespace troupe::remoting::detail {

struct Association;

/// A wire, and the connection over it once it is open.
/// Thread safety: its node's loop.
class Line final : public WireUser {
 public:
  struct Events {
    /// The terms of the handshake, now that it begins.
    std::function<HandshakeTerms(const std::vector<std::string>& uris)> opened;
    std::function<void(Line&, const NodeName& peer)> ready;
    std::function<void(Line&, const Frame&)> frame;
    std::function<void(Line&, ConnectionEnd end, const std::string& why)> over;
  };
  Line(Transport& transport, std::unique_ptr<Wire> wire, const ConnectionOptions& options,
       Events events);
  ~Line() override { wire_->close(); }  // it may still send what the connection holds
  /// Begins. Not in the constructor: what happens may need its address.
  void start() { wire_->start(*this); }

  // WireUser
  void opened(const std::vector<std::string>& uris) override;
  std::span<std::byte> space() override { return connection_->space(); }
  void received(std::size_t bytes) override;
  void sent() override { connection_->sent(transport_.now()); }
  void lost(const std::string& why) override;
  void untrusted(const std::string& why, bool by_peer) override;

  [[nodiscard]] std::string other_end() const { return wire_->other_end(); }
  /// Why it was refused, and by whom: as NodeCounters says it.
  struct Refusal {
    std::string reason;
    bool by_peer;
  };
  [[nodiscard]] std::optional<Refusal> refusal() const;
  /// It was one too many of two nodes that know each other.
  [[nodiscard]] bool is_duplicate() const noexcept {
    return connection_ && connection_->refusal() &&
           connection_->refusal()->reason == RefuseReason::duplicate;
  }
  [[nodiscard]] TimePoint next_wake() const noexcept;
  void wake(TimePoint now);
  void end(ConnectionEnd end, const std::string& why);
  [[nodiscard]] bool is_over() const noexcept { return is_over_; }
  [[nodiscard]] bool is_ready() const noexcept { return connection_ && connection_->is_ready(); }
  /// Once it is ready.
  [[nodiscard]] Connection& connection() noexcept { return *connection_; }
  /// Who is at the other end, if it has proven that.
  [[nodiscard]] const NodeName* peer() const noexcept {
    return connection_ ? connection_->peer() : nullptr;
  }
  /// Whom it leads to: set by who hears that it is ready, and by who dials.
  Association* association = nullptr;

 private:
  void is_done(ConnectionEnd end, const std::string& why);

  Transport& transport_;
  std::unique_ptr<Wire> wire_;
  const ConnectionOptions options_;
  Events events_;
  TimePoint open_until_;
  std::optional<Connection> connection_;
  std::optional<Refusal> refusal_by_tls_;
  bool is_over_ = false;
};

/// A resolve, or a spawn, that waits until it is known who is there.
struct WaitingRequest {
  Peer::WriteRequest write;
  std::function<void(class Hub& hub)> here;  ///< in place of it, where this node itself is meant
  Resolved done;
};

/// Thread safety: its node's loop.
struct Association {
  Association(std::string at, const Duration& backoff_min) noexcept
      : address(std::move(at)), backoff(backoff_min) {}

  const std::string address;
  std::string node;            ///< its name, once it was met
  std::shared_ptr<Peer> peer;  ///< who was met last; null: nobody yet
  std::shared_ptr<Peer> next;  ///< who is heard of in refs, and was not met yet
  Line* dialing = nullptr;
  Line* line = nullptr;  ///< ready
  std::deque<WaitingRequest> requests;
  bool wants_line = false;  ///< something waits to be sent there
  [[nodiscard]] bool waits() const noexcept {
    return wants_line && dialing == nullptr && (line == nullptr || next != nullptr);
  }
  void stop_waiting() noexcept {
    wants_line = false;
    give_up_at = TimePoint::max();
  }
  Duration backoff;  ///< before the next dial
  TimePoint dial_at = TimePoint::min();
  TimePoint give_up_at = TimePoint::max();  ///< of what waits; max: nothing does
};

}  // namespace troupe::remoting::detail
