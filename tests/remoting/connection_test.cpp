// One connection from its first word to its end, over a wire of the test's and in its time.
#include <algorithm>
#include <array>
#include <cstring>
#include <deque>

#include <catch2/catch.hpp>

#include "connection.hpp"

using namespace std::chrono_literals;
using namespace troupe::remoting::detail;
using troupe::Duration;
using troupe::TimePoint;

namespace {

/// Two connections and what is between them, which can be cut, one way or both.
class World {
 public:
  class Side final : public troupe::remoting::Wire {
   public:
    Side(World& world, HandshakeRole role) {
      const bool dials = role == HandshakeRole::dialer;
      HandshakeTerms terms{.role = role,
                           .self = {dials ? world.dialers_cluster : "shop", dials ? "a" : "b",
                                    dials ? "here:1" : "here:2", dials ? 10u : 20u},
                           .meant_node = dials ? "b" : "",
                           .meant_address = {},
                           .trust = ClusterKey{std::vector<std::byte>(32, std::byte{'k'})},
                           .nonce = {std::byte{static_cast<unsigned char>(role)}},
                           .admit = [](const NodeName&) { return std::uint64_t{5}; }};
      connection.emplace(
          std::move(terms), world.options, *this,
          ConnectionEvents{
              .ready = [this](const NodeName&, std::uint64_t) { events.emplace_back("ready"); },
              .frame =
                  [this](const Frame& frame) {
                    events.push_back("frame " + std::to_string(frame.body.back()));
                  },
              .over =
                  [this](ConnectionEnd e, const std::string& why) {
                    end = e;
                    what = why;
                    events.emplace_back("over");
                  }},
          world.now);
    }
    void start(troupe::remoting::WireUser&) override {}
    void send(std::span<const Word> words) override {
      REQUIRE_FALSE(is_sending);
      REQUIRE_FALSE(words.empty());
      is_sending = true;
      out.insert(out.end(), words.begin(), words.end());
    }
    void rest(troupe::Duration) override {
      REQUIRE_FALSE(is_sending);
      is_sending = true;
    }
    void close() override { is_closed = true; }
    [[nodiscard]] std::string other_end() const override { return "the other side"; }
    /// Tells a number to actor 1.
    void tell(Word number, std::size_t words = 4) {
      std::vector<Word> frame(words, number);
      frame[0] = frame_header(FrameKind::tell, words - 1);
      const auto pushed = connection->queue().push({number, 1}, frame, Carries::message);
      if (pushed == SendQueue::Pushed::first) connection->flush();
    }
    std::optional<Connection> connection;
    std::deque<Word> out;
    bool is_sending = false;
    bool is_closed = false;
    bool is_cut = false;  ///< what it sends gets lost
    std::vector<std::string> events;
    std::optional<ConnectionEnd> end;
    std::string what;
  };

  explicit World(const ConnectionOptions& o = {}, std::string of_dialer = "shop")
      : options(o), dialers_cluster(std::move(of_dialer)) {}
  /// All that is on its way arrives, and what is sent over it.
  void settle() {
    for (bool moved = true; moved;) {
      const bool there = carry(dialer, listener);
      moved = carry(listener, dialer) || there;
    }
  }
  void advance(Duration d) {
    const TimePoint end = now + d;
    for (;;) {
      settle();
      const TimePoint next =
          std::min(dialer.connection->next_wake(), listener.connection->next_wake());
      if (next > end) break;
      now = std::max(next, now);
      for (Side* side : {&dialer, &listener})
        if (side->connection->next_wake() <= now) side->connection->wake(now);
    }
    now = end;
  }
  ConnectionOptions options;
  std::string dialers_cluster;
  TimePoint now{1h};
  Side dialer{*this, HandshakeRole::dialer};
  Side listener{*this, HandshakeRole::listener};

 private:
  bool carry(Side& from, Side& to) {
    bool moved = false;
    if (!from.out.empty() && (from.is_cut || to.is_closed)) {
      from.out.clear();
      moved = true;
    }
    if (!from.out.empty()) {
      const auto space = to.connection->space();
      const std::size_t words = std::min(from.out.size(), space.size() / sizeof(Word));
      for (std::size_t i = 0; i < words; ++i) {
        std::memcpy(space.data() + i * sizeof(Word), &from.out.front(), sizeof(Word));
        from.out.pop_front();
      }
      to.connection->received(words * sizeof(Word), now);
      moved = true;
    }
    if (from.out.empty() && std::exchange(from.is_sending, false)) {
      if (!from.is_closed) from.connection->sent(now);
      moved = true;
    }
    if (from.is_closed && from.out.empty() && !to.is_closed) {
      to.connection->lost("the peer closed it");
      moved = true;
    }
    return moved;
  }
};
using Events = std::vector<std::string>;

}  // namespace

TEST_CASE("S84 nothing passes before both are ready, then everything in its order", "[remoting]") {
  World w;
  for (Word n = 1; n <= 3; ++n) w.dialer.tell(n);
  w.settle();
  REQUIRE(w.listener.events == Events{"ready", "frame 1", "frame 2", "frame 3"});
  w.listener.tell(4);
  w.settle();
  REQUIRE(w.dialer.events == Events{"ready", "frame 4"});
  w.advance(1h);
  REQUIRE_FALSE(w.dialer.end);
  REQUIRE_FALSE(w.listener.end);
}

TEST_CASE("N6 a peer that falls silent is given up in seconds, and only then", "[remoting]") {
  World w;
  w.advance(1min);
  w.listener.is_cut = true;  // one way: the dialer's words still arrive
  w.advance(3s);
  REQUIRE_FALSE(w.dialer.end);
  w.listener.is_cut = false;
  w.advance(1min);
  REQUIRE_FALSE(w.dialer.end);
  w.listener.is_cut = true;
  w.advance(10s);
  REQUIRE(w.dialer.end == ConnectionEnd::unreachable);
  REQUIRE(w.dialer.what == "no heartbeat came for too long");
  REQUIRE(w.listener.end == ConnectionEnd::lost);
}

TEST_CASE("C89 a connection that dies before its first heartbeat is found as well", "[remoting]") {
  World w;
  w.dialer.is_cut = w.listener.is_cut = false;
  while (!w.dialer.connection->is_ready() || !w.listener.connection->is_ready()) w.settle();
  w.dialer.is_cut = w.listener.is_cut = true;
  w.advance(10s);
  REQUIRE(w.dialer.end == ConnectionEnd::unreachable);
  REQUIRE(w.listener.end == ConnectionEnd::unreachable);
}

TEST_CASE("section 3: a handshake that takes too long ends the connection", "[remoting]") {
  World w;
  w.listener.is_cut = true;
  w.advance(4900ms);
  REQUIRE_FALSE(w.dialer.end);
  w.advance(200ms);
  REQUIRE(w.dialer.end == ConnectionEnd::unreachable);
  REQUIRE(w.dialer.what == "no handshake in time");
  REQUIRE(w.dialer.events == Events{"over"});
}

TEST_CASE("section 3: who is refused hears why, also while the listener is still sending",
          "[remoting]") {
  World w{{}, "bank"};
  w.settle();  // the dialer's hello comes before the listener's first word has gone
  REQUIRE(w.listener.end == ConnectionEnd::refused);
  REQUIRE(w.listener.what == "it belongs to cluster \"bank\"");
  REQUIRE(w.dialer.end == ConnectionEnd::refused);
  REQUIRE(w.dialer.what == "it refuses this node: wrong_cluster");
  REQUIRE(w.dialer.events == Events{"over"});
}

TEST_CASE("C177 a goodbye comes behind all that was to be sent, large messages too", "[remoting]") {
  World w;
  w.settle();
  w.dialer.tell(1, 40 * chunk_words);
  w.dialer.tell(2);
  w.dialer.connection->say_goodbye();
  w.listener.tell(3);
  w.settle();
  REQUIRE(w.listener.events == Events{"ready", "frame 2", "frame 1", "over"});
  REQUIRE(w.dialer.events == Events{"ready", "frame 3", "over"});
  REQUIRE(w.dialer.end == ConnectionEnd::goodbye);
  REQUIRE(w.listener.end == ConnectionEnd::goodbye);
}

TEST_CASE("a goodbye that is not answered is waited for so long, and no longer", "[remoting]") {
  World w;
  w.settle();
  w.listener.is_cut = true;
  w.dialer.connection->say_goodbye();
  w.advance(6s);
  REQUIRE(w.dialer.end.has_value());
  REQUIRE(w.dialer.events == Events{"ready", "over"});
}

TEST_CASE("what breaks the rules ends the connection, with what was wrong", "[remoting]") {
  const auto problem_of = [](const std::vector<Word>& words) {
    World w;
    w.settle();
    w.dialer.out.insert(w.dialer.out.end(), words.begin(), words.end());
    w.settle();
    REQUIRE(w.listener.end == ConnectionEnd::protocol_error);
    REQUIRE(w.listener.events.back() == "over");
    REQUIRE(w.dialer.end);
    return w.listener.what;
  };
  const auto header = [](int kind, std::size_t words) {
    return frame_header(static_cast<FrameKind>(kind), words);
  };
  REQUIRE(problem_of({header(200, 0)}) == "a frame of kind 200, which this version does not know");
  REQUIRE(problem_of({header(8, 0)}) == "a heartbeat without a number");
  REQUIRE(problem_of({header(10, 0), header(16, 1), 1}) == "a frame behind its goodbye");
  REQUIRE(problem_of({header(16, 100'000)}) == "a frame of 100000 words: at most 8198 are allowed");
  REQUIRE(problem_of({header(24, 1), 0}) == "an empty chunk");
  REQUIRE(problem_of({header(1, 1), 0}) == "a frame of kind 1, which this version does not know");
}

TEST_CASE("a frame of a newer version that may be ignored is", "[remoting]") {
  World w;
  w.settle();
  w.dialer.out.push_back(frame_header(static_cast<FrameKind>(200), 1, true));
  w.dialer.out.push_back(7);
  w.dialer.tell(1);
  w.settle();
  REQUIRE(w.listener.events == Events{"ready", "frame 1"});
}

TEST_CASE("nothing is told after the end", "[remoting]") {
  World w;
  w.settle();
  for (Word n = 1; n <= 5; ++n) w.dialer.tell(n);
  w.listener.connection->end(ConnectionEnd::given_up, "enough");
  w.settle();
  w.listener.connection->end(ConnectionEnd::given_up, "again");
  w.listener.connection->wake(w.now + 1h);
  REQUIRE(w.listener.events == Events{"ready", "over"});
  REQUIRE(w.dialer.end == ConnectionEnd::lost);
}
