// Two nodes come to know each other, or are told why not. Section 3 of the wire's specification.
#include <cstring>

#include <catch2/catch.hpp>

#include "handshake.hpp"

using namespace troupe::remoting::detail;

namespace {

ClusterKey key_of(char letter) {
  return ClusterKey{std::vector<std::byte>(32, static_cast<std::byte>(letter))};
}

struct Terms {
  HandshakeTerms dialer{.role = HandshakeRole::dialer,
                        .self = {"shop", "a", "127.0.0.1:7001", 10},
                        .meant_node = "b",
                        .meant_address = "127.0.0.1:7002",
                        .trust = key_of('k'),
                        .nonce = {std::byte{1}},
                        .admit = {}};
  HandshakeTerms listener{.role = HandshakeRole::listener,
                          .self = {"shop", "b", "127.0.0.1:7002", 20},
                          .meant_node = {},
                          .meant_address = {},
                          .trust = key_of('k'),
                          .nonce = {std::byte{2}},
                          .admit = [](const NodeName&) { return std::uint64_t{77}; }};
  Terms& with_tls(const std::string& of_dialer, const std::string& of_listener) {
    dialer.trust = ProvenByTls{{"spiffe://other", of_listener}};
    listener.trust = ProvenByTls{{of_dialer}};
    return *this;
  }
};

/// One end of a connection, and what became of its handshake.
class End {
 public:
  explicit End(HandshakeTerms terms) : handshake(std::move(terms)) {
    std::vector<Word> first;
    handshake.begin(first);
    send(first);
  }
  /// Takes what the other has sent; `change` sees its words before.
  template <class Change>
  void take_from(End& other, const Change& change) {
    std::vector<Word> words = std::exchange(other.sent, {});
    change(words);
    if (problem.empty()) receive(words);
  }
  Handshake handshake;
  std::vector<Word> sent;
  std::string problem;
  std::optional<RefuseReason> reason;
  bool refused_by_peer = false;

 private:
  void send(const std::vector<Word>& words) { sent.insert(sent.end(), words.begin(), words.end()); }
  void receive(const std::vector<Word>& words) {
    if (words.empty()) return;
    std::memcpy(reader_.space().data(), words.data(), words.size() * sizeof(Word));
    reader_.received(words.size() * sizeof(Word));
    std::vector<Word> out;
    try {
      if (!std::exchange(has_preface_, true)) handshake.on_preface(*reader_.preface());
      while (const auto frame = reader_.next()) handshake.on_frame(*frame, out);
    } catch (const HandshakeFailed& e) {
      problem = e.what();
      reason = e.reason();
      refused_by_peer = e.by_peer();
    } catch (const ProtocolError& e) {
      problem = std::string("protocol error: ") + e.what();
    }
    send(out);
  }
  FrameReader reader_;
  bool has_preface_ = false;
};

struct Meeting {
  explicit Meeting(Terms terms)
      : dialer(std::move(terms.dialer)), listener(std::move(terms.listener)) {}
  template <class Change>
  Meeting& run(const Change& change) {
    for (int i = 0; i < 6; ++i) {
      listener.take_from(dialer, [&](auto& words) { change(words, true); });
      dialer.take_from(listener, [&](auto& words) { change(words, false); });
    }
    return *this;
  }
  Meeting& run() {
    return run([](auto&, bool) {});
  }
  End dialer;
  End listener;
};

/// Who refuses whom, and for what. Both know the reason.
void require_refused(Meeting& meeting, bool by_dialer, RefuseReason reason,
                     const std::string& what) {
  End& who = by_dialer ? meeting.dialer : meeting.listener;
  End& whom = by_dialer ? meeting.listener : meeting.dialer;
  REQUIRE(who.problem == what);
  REQUIRE(who.reason == reason);
  REQUIRE_FALSE(who.refused_by_peer);
  REQUIRE(whom.reason == reason);
  REQUIRE(whom.refused_by_peer);
  REQUIRE_FALSE(who.handshake.epoch());
  if (!by_dialer) REQUIRE_FALSE(whom.handshake.epoch());  // else it may be ready before it hears
}

const std::string uri_a = "troupe://shop/a";
const std::string uri_b = "troupe://shop/b";

}  // namespace

TEST_CASE("S84 two that know the cluster's key come to know each other", "[remoting]") {
  Meeting m{Terms{}};
  m.run();
  REQUIRE(m.dialer.problem == "");
  REQUIRE(m.listener.problem == "");
  REQUIRE(m.dialer.handshake.epoch() == 77);
  REQUIRE(m.listener.handshake.epoch() == 77);
  REQUIRE(m.dialer.handshake.peer().node == "b");
  REQUIRE(m.dialer.handshake.peer().incarnation == 20);
  REQUIRE(m.listener.handshake.peer().node == "a");
  REQUIRE(m.listener.handshake.peer().address == "127.0.0.1:7001");
  REQUIRE(m.listener.handshake.version() == 1);
}

TEST_CASE("F19 with TLS the certificate's names decide, and no key is needed", "[remoting]") {
  Meeting good{Terms{}.with_tls(uri_a, uri_b)};
  good.run();
  REQUIRE(good.dialer.handshake.epoch() == 77);
  REQUIRE(good.listener.handshake.epoch() == 77);
  Meeting other_node{Terms{}.with_tls("troupe://shop/c", uri_b)};
  require_refused(other_node.run(), false, RefuseReason::identity,
                  "its certificate is not for troupe://shop/a");
  Meeting other_cluster{Terms{}.with_tls(uri_a, "troupe://bank/b")};
  require_refused(other_cluster.run(), true, RefuseReason::identity,
                  "its certificate is not for troupe://shop/b");
}

TEST_CASE("F19 who does not know the key is refused, and learns nothing about it", "[remoting]") {
  Terms stranger;
  stranger.dialer.trust = key_of('x');
  Meeting knocks{stranger};
  require_refused(knocks.run(), true, RefuseReason::proof, "it does not know the cluster's key");
  // A dialer that does not look at the listener's proof gets no further.
  Terms impostor;
  impostor.listener.trust = key_of('x');
  Meeting lures{impostor};
  std::size_t proofs = 0;
  lures.run([&](const std::vector<Word>& words, bool from_dialer) {
    for (const Word word : words)
      if (from_dialer && word == frame_header(FrameKind::proof, 4)) ++proofs;
  });
  REQUIRE(lures.dialer.reason == RefuseReason::proof);
  REQUIRE(proofs == 0);
}

TEST_CASE("H13 what anybody between changes in a hello is found", "[remoting]") {
  for (const bool of_dialer : {true, false}) {
    std::size_t found = 0;
    const std::size_t words = Meeting{Terms{}}.dialer.sent.size();
    for (std::size_t at = 3; at < words; ++at) {  // behind preface, header and framing
      Meeting m{Terms{}};
      bool done = false;
      m.run([&](std::vector<Word>& sent, bool from_dialer) {
        if (from_dialer != of_dialer || done || sent.size() <= at) return;
        sent[at] ^= Word{1} << (at * 7 % 64);
        done = true;
      });
      REQUIRE_FALSE(m.dialer.handshake.epoch());
      REQUIRE_FALSE(m.listener.handshake.epoch());
      ++found;
    }
    REQUIRE(found > 10);
  }
}

TEST_CASE("a proof can't be used again, nor sent back to who made it", "[remoting]") {
  // The dialer's own proof of an earlier handshake, in which both had other nonces.
  std::vector<Word> recorded;
  Meeting first{Terms{}};
  first.run([&](const std::vector<Word>& words, bool from_dialer) {
    if (from_dialer && !words.empty() && words[0] == frame_header(FrameKind::proof, 4))
      recorded = words;
  });
  REQUIRE(recorded.size() == 5);
  Terms later;
  later.dialer.nonce = {std::byte{9}};
  later.listener.nonce = {std::byte{8}};
  Meeting again{later};
  again.run([&](std::vector<Word>& words, bool from_dialer) {
    if (from_dialer && !words.empty() && words[0] == recorded[0]) words = recorded;
  });
  REQUIRE(again.listener.reason == RefuseReason::proof);
  // The listener's proof, sent back to it.
  Meeting reflected{Terms{}};
  std::vector<Word> listeners;
  reflected.run([&](std::vector<Word>& words, bool from_dialer) {
    if (words.size() >= 5 && !from_dialer) listeners.assign(words.end() - 5, words.end());
    if (from_dialer && !words.empty() && words[0] == frame_header(FrameKind::proof, 4))
      words = listeners;
  });
  REQUIRE(reflected.listener.reason == RefuseReason::proof);
}

TEST_CASE("C169 who is not who was meant is refused, by name", "[remoting]") {
  Terms wrong_cluster;
  wrong_cluster.dialer.self.cluster = "bank";
  Meeting a{wrong_cluster};
  require_refused(a.run(), false, RefuseReason::wrong_cluster, "it belongs to cluster \"bank\"");
  Terms somebody_else;
  somebody_else.dialer.meant_node = "c";
  Meeting b{somebody_else};
  require_refused(b.run(), false, RefuseReason::wrong_node, "it means node \"c\"");
  Terms itself;
  itself.dialer.meant_node = "";
  itself.dialer.self = itself.listener.self;
  Meeting c{itself};
  require_refused(c.run(), false, RefuseReason::wrong_node, "it is this node itself");
  Terms anybody;
  anybody.dialer.meant_node = "";
  Meeting d{anybody};
  REQUIRE(d.run().dialer.handshake.epoch() == 77);
}

TEST_CASE("the listener's verdict comes last, about a peer that has proven itself", "[remoting]") {
  for (const bool tls : {false, true}) {
    Terms terms;
    if (tls) terms.with_tls(uri_a, uri_b);
    int asked = 0;
    terms.listener.admit = [&](const NodeName& peer) -> std::variant<std::uint64_t, RefuseReason> {
      ++asked;
      REQUIRE(peer.node == "a");
      return RefuseReason::stale;
    };
    Meeting m{terms};
    require_refused(m.run(), false, RefuseReason::stale, "refused: stale");
    REQUIRE(asked == 1);
    Terms unproven = terms;
    unproven.dialer.trust = key_of('x');
    if (tls) unproven.with_tls("troupe://shop/x", uri_b);
    Meeting stranger{unproven};
    stranger.run();
    REQUIRE(asked == 1);
  }
}

TEST_CASE("H1 what speaks another protocol, or out of turn, ends the connection", "[remoting]") {
  Handshake listener{Terms{}.listener};
  std::vector<Word> out;
  REQUIRE_THROWS_WITH(listener.on_preface(0x2f2f'2050'5454'4820),
                      "it does not speak this protocol");
  REQUIRE_NOTHROW(listener.on_preface(preface_word));
  const std::vector<Word> body(4);
  for (const auto kind :
       {FrameKind::ready, FrameKind::proof, FrameKind::tell, FrameKind::heartbeat}) {
    REQUIRE_THROWS_AS(
        listener.on_frame({kind, false, std::span(body).first(kind == FrameKind::ready)}, out),
        ProtocolError);
  }
  REQUIRE_THROWS_AS(listener.on_frame({FrameKind::hello, false, body}, out), ProtocolError);
  const std::vector<Word> large(257);
  REQUIRE_THROWS_WITH(listener.on_frame({FrameKind::hello, false, large}, out),
                      "hello of more than 2 KiB");
  REQUIRE(out.empty());  // strangers are told nothing
}

TEST_CASE("a peer of another version is refused with the version as the reason", "[remoting]") {
  troupe::remoting::wire::Hello hello;
  hello.version_lowest = 2;
  hello.version_highest = 9;
  hello.cluster = "shop";
  hello.node = "a";
  hello.nonce.resize(32);
  const std::vector<Word> body = troupe::codec::encode(hello);
  Handshake listener{Terms{}.listener};
  listener.on_preface(preface_word);
  std::vector<Word> out;
  REQUIRE_THROWS_WITH(listener.on_frame({FrameKind::hello, false, body}, out),
                      "it speaks versions 2 to 9, this node 1");
  REQUIRE(out.size() > 1);
}
