// How two nodes come to know each other (docs/wire-protocol.md, section 3). It reads and writes
// words and knows no sockets.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "cluster_key.hpp"
#include "frame.hpp"
#include "schema/wire.capnp.hpp"

namespace troupe::remoting::detail {

using wire::RefuseReason;

inline constexpr Word preface_word = 0x0100'4550'554f'5254;  // "TROUPE", 0, 1
inline constexpr std::uint16_t protocol_version = 1;

/// As the wire's specification calls it.
[[nodiscard]] std::string_view name_of(RefuseReason reason) noexcept;

/// What a node says of itself. Thread safety: a value.
struct NodeName {
  std::string cluster;
  std::string node;
  std::string address;  ///< where it is reached
  std::uint64_t incarnation = 0;
};

/// What TLS has proven of the peer: the URIs of its certificate.
struct ProvenByTls {
  std::vector<std::string> uris;
};

/// The peer is not who it should be, or does not want this node. Thread safety: a value.
class HandshakeFailed : public std::runtime_error {
 public:
  HandshakeFailed(std::optional<RefuseReason> reason, bool by_peer, const std::string& what)
      : runtime_error(what), reason_(reason), by_peer_(by_peer) {}
  /// Nothing: it does not speak the protocol.
  [[nodiscard]] std::optional<RefuseReason> reason() const noexcept { return reason_; }
  [[nodiscard]] bool by_peer() const noexcept { return by_peer_; }

 private:
  std::optional<RefuseReason> reason_;
  bool by_peer_;
};

/// What a handshake goes by.
struct HandshakeTerms {
  HandshakeRole role = HandshakeRole::dialer;
  NodeName self;
  std::string meant_node;     ///< the dialer's: whom it means to reach; empty: whoever is there
  std::string meant_address;  ///< the same
  std::variant<ClusterKey, ProvenByTls> trust;
  std::array<std::byte, 32> nonce{};  ///< from the operating system, for this connection only
  /// The listener's: whether a peer that has proven itself may come; its epoch, or why not.
  std::function<std::variant<std::uint64_t, RefuseReason>(const NodeName&)> admit;
};

/// One side of one handshake. What it throws ends the connection, after what it appended was sent.
/// Thread safety: one thread at a time.
class Handshake {
 public:
  explicit Handshake(HandshakeTerms terms);
  /// Appends what is sent first.
  void begin(std::vector<Word>& out);
  /// Takes the connection's first word. Throws HandshakeFailed.
  void on_preface(Word preface);
  /// Takes a frame, and appends what answers it. Throws HandshakeFailed and ProtocolError.
  void on_frame(const Frame& frame, std::vector<Word>& out);
  /// Set once both have proven themselves and the listener has admitted the dialer.
  [[nodiscard]] std::optional<std::uint64_t> epoch() const noexcept { return epoch_; }
  /// Who the peer says it is; to be believed once there is an epoch.
  [[nodiscard]] const NodeName& peer() const noexcept { return peer_; }
  /// It has proven to be that one, whether it wants this node or not.
  [[nodiscard]] bool is_peer_proven() const noexcept { return awaits_ == Awaits::ready || epoch_; }
  /// The version that both speak.
  [[nodiscard]] std::uint16_t version() const noexcept { return version_; }

 private:
  enum class Awaits : std::uint8_t { preface, hello, proof, ready, nothing };

  void take_hello(std::span<const Word> body, std::vector<Word>& out);
  void take_proof(std::span<const Word> body, std::vector<Word>& out);
  void check_hello(const wire::Hello& hello, std::vector<Word>& out);
  void check_identity(std::vector<Word>& out);
  void append_hello(std::vector<Word>& out);
  void append_proof(std::vector<Word>& out);
  void admit(std::vector<Word>& out);
  [[noreturn]] void refuse(RefuseReason reason, const std::string& what, std::vector<Word>& out);
  [[nodiscard]] bool is_dialer() const noexcept { return terms_.role == HandshakeRole::dialer; }
  [[nodiscard]] const ClusterKey* key() const noexcept {
    return std::get_if<ClusterKey>(&terms_.trust);
  }
  [[nodiscard]] Proof proof_of(HandshakeRole role) const;

  HandshakeTerms terms_;
  Awaits awaits_ = Awaits::preface;
  NodeName peer_;
  std::uint16_t version_ = 0;
  std::vector<Word> own_hello_;
  std::vector<Word> peer_hello_;
  std::optional<std::uint64_t> epoch_;
};

}  // namespace troupe::remoting::detail
