#include "handshake.hpp"

#include <algorithm>
#include <utility>

#include <troupe/runtime/detail/mutant.hpp>

namespace troupe::remoting::detail {

using troupe::detail::mutant;

namespace {

constexpr std::size_t hello_words_max = 2048 / sizeof(Word);

template <class M>
void append_struct(std::vector<Word>& out, FrameKind kind, const M& m) {
  const std::vector<Word> body = codec::encode(m);
  out.push_back(frame_header(kind, body.size()));
  out.insert(out.end(), body.begin(), body.end());
}

template <class M>
M read_struct(std::span<const Word> body, const char* what) {
  if (body.size() > hello_words_max) throw ProtocolError(std::string(what) + " of more than 2 KiB");
  try {
    return codec::decode<M>(body);
  } catch (const codec::CodecError& e) {
    throw ProtocolError(std::string("no ") + what + ": " + e.what());
  }
}

}  // namespace

std::string_view name_of(RefuseReason reason) noexcept {
  switch (reason) {
    case RefuseReason::version: return "version";
    case RefuseReason::wrong_cluster: return "wrong_cluster";
    case RefuseReason::wrong_node: return "wrong_node";
    case RefuseReason::identity: return "identity";
    case RefuseReason::proof: return "proof";
    case RefuseReason::stale: return "stale";
    case RefuseReason::duplicate: return "duplicate";
    case RefuseReason::shutting_down: return "shutting_down";
  }
  return "a reason of a newer version";
}

Handshake::Handshake(HandshakeTerms terms) : terms_(std::move(terms)) {}

void Handshake::begin(std::vector<Word>& out) {
  out.push_back(preface_word);
  if (is_dialer()) append_hello(out);
}

void Handshake::on_preface(Word preface) {
  if (preface != preface_word)
    throw HandshakeFailed(std::nullopt, false, "it does not speak this protocol");
  awaits_ = Awaits::hello;
}

void Handshake::on_frame(const Frame& frame, std::vector<Word>& out) {
  if (frame.kind == FrameKind::refuse && awaits_ != Awaits::preface) {
    const auto reason = read_struct<wire::Refuse>(frame.body, "refusal").reason;
    throw HandshakeFailed(reason, true, "it refuses this node: " + std::string(name_of(reason)));
  }
  if (frame.kind == FrameKind::hello && awaits_ == Awaits::hello) {
    take_hello(frame.body, out);
  } else if (frame.kind == FrameKind::proof && awaits_ == Awaits::proof) {
    take_proof(frame.body, out);
  } else if (frame.kind == FrameKind::ready && awaits_ == Awaits::ready && frame.body.size() == 1) {
    epoch_ = frame.body[0];
    awaits_ = Awaits::nothing;
  } else {
    throw ProtocolError("a frame of kind " + std::to_string(static_cast<int>(frame.kind)) +
                        " has no place in this handshake");
  }
}

void Handshake::append_hello(std::vector<Word>& out) {
  wire::Hello hello;
  hello.version_lowest = hello.version_highest = protocol_version;
  hello.cluster = terms_.self.cluster;
  hello.node = terms_.self.node;
  hello.incarnation = terms_.self.incarnation;
  hello.address = terms_.self.address;
  hello.meant_node = terms_.meant_node;
  hello.meant_address = terms_.meant_address;
  hello.nonce.assign(terms_.nonce.begin(), terms_.nonce.end());
  own_hello_ = codec::encode(hello);
  out.push_back(frame_header(FrameKind::hello, own_hello_.size()));
  out.insert(out.end(), own_hello_.begin(), own_hello_.end());
}

void Handshake::refuse(RefuseReason reason, const std::string& what, std::vector<Word>& out) {
  append_struct(out, FrameKind::refuse, wire::Refuse{reason});
  throw HandshakeFailed(reason, false, what);
}

void Handshake::take_hello(std::span<const Word> body, std::vector<Word>& out) {
  const auto hello = read_struct<wire::Hello>(body, "hello");
  peer_hello_.assign(body.begin(), body.end());
  peer_ = {hello.cluster, hello.node, hello.address, hello.incarnation};
  check_hello(hello, out);
  check_identity(out);
  if (is_dialer()) {
    awaits_ = key() != nullptr ? Awaits::proof : Awaits::ready;
    return;
  }
  append_hello(out);
  if (key() == nullptr) {
    admit(out);
  } else {
    append_proof(out);
    awaits_ = Awaits::proof;
  }
}

void Handshake::check_hello(const wire::Hello& hello, std::vector<Word>& out) {
  if (hello.version_lowest > protocol_version || hello.version_highest < protocol_version) {
    refuse(RefuseReason::version,
           "it speaks versions " + std::to_string(hello.version_lowest) + " to " +
               std::to_string(hello.version_highest) + ", this node " +
               std::to_string(protocol_version),
           out);
  }
  version_ = protocol_version;
  if (hello.cluster != terms_.self.cluster)
    refuse(RefuseReason::wrong_cluster, "it belongs to cluster \"" + hello.cluster + "\"", out);
  if (hello.nonce.size() != terms_.nonce.size() || hello.node.empty())
    throw ProtocolError("a hello without a name, or a nonce of 32 bytes");
  const bool means_another =
      is_dialer() ? !terms_.meant_node.empty() && terms_.meant_node != hello.node
                  : !hello.meant_node.empty() && hello.meant_node != terms_.self.node;
  if (means_another)
    refuse(RefuseReason::wrong_node,
           is_dialer()
               ? "node \"" + hello.node + "\" is there, and not \"" + terms_.meant_node + "\""
               : "it means node \"" + hello.meant_node + "\"",
           out);
  if (hello.node == terms_.self.node && hello.incarnation == terms_.self.incarnation)
    refuse(RefuseReason::wrong_node, "it is this node itself", out);
}

void Handshake::check_identity(std::vector<Word>& out) {
  const auto* tls = std::get_if<ProvenByTls>(&terms_.trust);
  if (tls == nullptr) return;
  const std::string due = "troupe://" + peer_.cluster + "/" + peer_.node;
  const bool is_proven = std::find(tls->uris.begin(), tls->uris.end(), due) != tls->uris.end();
  if (!is_proven && !mutant("any_certificate_will_do"))
    refuse(RefuseReason::identity, "its certificate is not for " + due, out);
}

Proof Handshake::proof_of(HandshakeRole role) const {
  return is_dialer() ? key()->proof(role, own_hello_, peer_hello_)
                     : key()->proof(role, peer_hello_, own_hello_);
}

void Handshake::append_proof(std::vector<Word>& out) {
  const Proof proof = proof_of(terms_.role);
  out.push_back(frame_header(FrameKind::proof, proof.size()));
  out.insert(out.end(), proof.begin(), proof.end());
}

void Handshake::take_proof(std::span<const Word> body, std::vector<Word>& out) {
  const auto peers_role = is_dialer() ? HandshakeRole::listener : HandshakeRole::dialer;
  if (!is_same_proof(proof_of(peers_role), body) && !mutant("any_proof_will_do"))
    refuse(RefuseReason::proof, "it does not know the cluster's key", out);
  if (is_dialer()) {
    append_proof(out);
    awaits_ = Awaits::ready;
  } else {
    admit(out);
  }
}

void Handshake::admit(std::vector<Word>& out) {
  const auto verdict = terms_.admit(peer_);
  if (const auto* reason = std::get_if<RefuseReason>(&verdict))
    refuse(*reason, "refused: " + std::string(name_of(*reason)), out);
  epoch_ = std::get<std::uint64_t>(verdict);
  out.push_back(frame_header(FrameKind::ready, 1));
  out.push_back(*epoch_);
  awaits_ = Awaits::nothing;
}

}  // namespace troupe::remoting::detail
