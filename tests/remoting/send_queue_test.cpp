// What waits for a peer: in order for each pair, large messages beside small ones, heartbeats
// first, and never more than its bounds.
#include <algorithm>
#include <array>
#include <atomic>
#include <deque>
#include <map>
#include <set>
#include <thread>
#include <unordered_map>

#include <catch2/catch.hpp>
#include <troupe/runtime/random.hpp>

#include "send_queue.hpp"

using troupe::Random;
using namespace troupe::remoting::detail;
using Pushed = SendQueue::Pushed;

namespace {

constexpr std::size_t batch_words_max = (256 << 10) / sizeof(Word) + chunk_words + 3;

/// A tell of so many words in all; its receiver, sender and number are its first.
std::vector<Word> tell(const Pair& pair, Word number, std::size_t words = 8) {
  std::vector<Word> frame(words, number);
  frame[0] = frame_header(FrameKind::tell, words - 1);
  frame[1] = pair.receiver;
  frame[2] = pair.sender;
  return frame;
}
std::vector<Word> heartbeat(Word number) {
  return {frame_header(FrameKind::heartbeat, 1), number};
}

/// The other end: what has come, in order.
class Peer {
 public:
  struct Seen {
    FrameKind kind;
    Pair pair;
    Word number;
    std::size_t words;
  };
  void take(std::span<const Word> batch) {
    while (!batch.empty()) {
      const std::size_t words = batch[0] & 0xffff'ffff;
      REQUIRE(words <= body_words_max);
      const Frame frame{static_cast<FrameKind>(batch[0] >> 32 & 0xff), false,
                        batch.subspan(1, words)};
      batch = batch.subspan(1 + words);
      if (frame.kind != FrameKind::chunk) {
        see(frame);
      } else if (const auto whole = chunks_.add(frame.body)) {
        see(*whole);
      }
    }
  }
  std::vector<Seen> seen;

 private:
  void see(const Frame& frame) {
    if (frame.kind == FrameKind::heartbeat) {
      seen.push_back({frame.kind, {}, frame.body[0], 2});
    } else {
      seen.push_back(
          {frame.kind, {frame.body[1], frame.body[0]}, frame.body[2], 1 + frame.body.size()});
    }
  }
  ChunkReader chunks_;
};

/// Takes all there is. In how many batches.
std::size_t drain(SendQueue& queue, Peer& peer) {
  std::size_t batches = 0;
  for (auto batch = queue.next_batch(); !batch.empty(); batch = queue.next_batch()) {
    REQUIRE(batch.size() <= batch_words_max);
    peer.take(batch);
    ++batches;
  }
  return batches;
}

}  // namespace

TEST_CASE("a lone message goes at once, many go together", "[remoting]") {
  SendQueue queue;
  Peer peer;
  REQUIRE(queue.next_batch().empty());
  REQUIRE(queue.push({1, 2}, tell({1, 2}, 1), Carries::answer) == Pushed::first);
  REQUIRE(queue.push({1, 2}, tell({1, 2}, 2), Carries::answer) == Pushed::behind);
  REQUIRE(drain(queue, peer) == 1);
  REQUIRE(queue.push({1, 2}, tell({1, 2}, 3), Carries::answer) == Pushed::first);
  for (Word n = 4; n <= 1000; ++n)
    REQUIRE(queue.push({n, 2}, tell({n, 2}, n), Carries::answer) == Pushed::behind);
  REQUIRE(queue.messages() == 998);
  REQUIRE(queue.bytes() == 998 * 64);
  REQUIRE(drain(queue, peer) == 1);
  REQUIRE(peer.seen.size() == 1000);
  for (Word n = 1; n <= 1000; ++n) REQUIRE(peer.seen[n - 1].number == n);
  REQUIRE(queue.messages() == 0);
  REQUIRE(queue.bytes() == 0);
}

TEST_CASE("who pushes while a batch is being sent wakes nobody", "[remoting]") {
  SendQueue queue;
  REQUIRE(queue.push({1, 2}, tell({1, 2}, 1), Carries::answer) == Pushed::first);
  REQUIRE_FALSE(queue.next_batch().empty());
  REQUIRE(queue.push({1, 2}, tell({1, 2}, 2), Carries::answer) == Pushed::behind);
  REQUIRE_FALSE(queue.next_batch().empty());
  REQUIRE(queue.next_batch().empty());
  REQUIRE(queue.push_control(heartbeat(1)) == Pushed::first);
}

TEST_CASE("S88 a large message delays later ones of its own pair, and those only", "[remoting]") {
  SendQueue queue;
  Peer peer;
  REQUIRE(queue.push({1, 2}, tell({1, 2}, 1, 100 * chunk_words), Carries::answer) == Pushed::first);
  REQUIRE(queue.push({1, 2}, tell({1, 2}, 2), Carries::answer) == Pushed::behind);
  REQUIRE(queue.push({3, 2}, tell({3, 2}, 1), Carries::answer) == Pushed::behind);
  REQUIRE(queue.push({1, 4}, tell({1, 4}, 1), Carries::answer) == Pushed::behind);
  peer.take(queue.next_batch());
  REQUIRE(peer.seen.size() == 2);  // the two others
  REQUIRE(queue.push({5, 6}, tell({5, 6}, 1), Carries::answer) == Pushed::behind);
  REQUIRE(queue.push({1, 2}, tell({1, 2}, 3), Carries::answer) == Pushed::behind);
  peer.take(queue.next_batch());
  REQUIRE(peer.seen.back().pair == Pair{5, 6});
  drain(queue, peer);
  REQUIRE(peer.seen.size() == 6);
  for (Word n = 1; n <= 3; ++n) {
    REQUIRE(peer.seen[2 + n].pair == Pair{1, 2});
    REQUIRE(peer.seen[2 + n].number == n);
  }
}

TEST_CASE("S88 large messages of several pairs share the way", "[remoting]") {
  SendQueue queue;
  Peer peer;
  REQUIRE(queue.push({1, 0}, tell({1, 0}, 1, 90 * chunk_words), Carries::answer) == Pushed::first);
  for (Word n = 2; n <= 4; ++n)
    REQUIRE(queue.push({n, 0}, tell({n, 0}, n, 10 * chunk_words), Carries::answer) ==
            Pushed::behind);
  drain(queue, peer);
  REQUIRE(peer.seen.size() == 4);
  REQUIRE(peer.seen.back().number == 1);  // the longest ends last, though it came first
}

TEST_CASE("S86 a heartbeat goes before all that waits, however much that is", "[remoting]") {
  SendQueue queue;
  Peer peer;
  REQUIRE(queue.push({1, 2}, tell({1, 2}, 1, 50 * chunk_words), Carries::answer) == Pushed::first);
  for (Word n = 1; n <= 300; ++n)
    REQUIRE(queue.push({n, 9}, tell({n, 9}, n, 1000), Carries::answer) == Pushed::behind);
  peer.take(queue.next_batch());
  const std::size_t before = peer.seen.size();
  REQUIRE(before < 300);
  REQUIRE(queue.push_control(heartbeat(7)) == Pushed::behind);
  peer.take(queue.next_batch());
  REQUIRE(peer.seen.at(before).kind == FrameKind::heartbeat);
}

TEST_CASE("S90 a queue takes no more than its bounds, and says so", "[remoting]") {
  SendQueue by_number{{.messages_max = 3}};
  for (Word n = 0; n < 3; ++n)
    REQUIRE(by_number.push({1, 2}, tell({1, 2}, n), Carries::message) != Pushed::full);
  REQUIRE(by_number.push({1, 2}, tell({1, 2}, 4), Carries::message) == Pushed::full);
  REQUIRE(by_number.push({1, 2}, tell({1, 2}, 5), Carries::signal) ==
          Pushed::behind);  // has room of its own
  REQUIRE(by_number.push_control(heartbeat(1)) == Pushed::behind);
  Peer peer;
  drain(by_number, peer);
  REQUIRE(by_number.push({1, 2}, tell({1, 2}, 6), Carries::message) == Pushed::first);
  SendQueue by_bytes{{.bytes_max = 1000}};
  const auto push = [&](std::size_t words) {
    return by_bytes.push({1, 2}, tell({1, 2}, 1, words), Carries::answer);
  };
  REQUIRE(push(5000) == Pushed::first);  // larger than all that may wait, but the only such
  REQUIRE(push(5000) == Pushed::full);
  REQUIRE(push(100) == Pushed::behind);  // and in nobody's way
  REQUIRE(push(20) == Pushed::behind);
  REQUIRE(push(20) == Pushed::full);
  drain(by_bytes, peer);
  REQUIRE(push(5000) == Pushed::first);
  SendQueue of_signals{{.signal_bytes_max = 100}};
  REQUIRE(of_signals.push({1, 2}, tell({1, 2}, 1), Carries::signal) == Pushed::first);
  REQUIRE(of_signals.push({1, 2}, tell({1, 2}, 2), Carries::signal) == Pushed::full);
}

TEST_CASE("S90 what has no credit waits in its order, and other pairs pass it", "[remoting]") {
  SendQueue queue;
  Peer peer;
  constexpr std::size_t words = pair_credit_bytes / sizeof(Word) / 4;
  for (Word n = 1; n <= 6; ++n)
    REQUIRE(queue.push({1, 2}, tell({1, 2}, n, words), Carries::message) != Pushed::full);
  REQUIRE(queue.push({3, 2}, tell({3, 2}, 1), Carries::message) != Pushed::full);
  drain(queue, peer);
  REQUIRE(peer.seen.size() == 5);
  REQUIRE(queue.untaken_bytes() == pair_credit_bytes + 8 * sizeof(Word));
  queue.give_back({1, 2}, words * sizeof(Word));
  drain(queue, peer);
  REQUIRE(peer.seen.size() == 6);
  REQUIRE(peer.seen.back().number == 5);
  REQUIRE_THROWS_AS(queue.give_back({1, 2}, pair_credit_bytes + 8), ProtocolError);
  REQUIRE_THROWS_AS(queue.give_back({4, 2}, 8), ProtocolError);
}

TEST_CASE("S90 what waits for credit leaves room for others", "[remoting]") {
  SendQueue queue{{.messages_max = 80}};
  Peer peer;
  REQUIRE(queue.push({1, 2}, tell({1, 2}, 0, pair_credit_bytes / sizeof(Word)), Carries::message) ==
          Pushed::first);
  drain(queue, peer);
  Word waiting = 0;
  while (queue.push({1, 2}, tell({1, 2}, waiting), Carries::message) != Pushed::full) ++waiting;
  REQUIRE(waiting == 80 / share_without_credit);
  drain(queue, peer);
  REQUIRE(peer.seen.size() == 1);
  for (Word n = waiting; n < 80; ++n)
    REQUIRE(queue.push({n, 2}, tell({n, 2}, n), Carries::message) != Pushed::full);
  REQUIRE(queue.push({99, 2}, tell({99, 2}, 1), Carries::message) == Pushed::full);
}

TEST_CASE("S90 who is to leave room sees what will be without credit", "[remoting]") {
  SendQueue queue;
  const Pair pair{1, 2};
  constexpr std::size_t words = 64;
  const auto push = [&](SendQueue::Room room) {
    return queue.push(pair, std::span<const Word>(tell(pair, 1, words)), Carries::message, room);
  };
  std::size_t many = 0;
  while (push(SendQueue::Room::some_left) != Pushed::full) ++many;
  REQUIRE(many * words * sizeof(Word) >= pair_credit_bytes);  // all of that goes
  // What is told behind it has room, whenever the credit ends.
  for (int n = 0; n < 150; ++n) REQUIRE(push(SendQueue::Room::all) != Pushed::full);
  Peer peer;
  peer.take(queue.next_batch());
  for (int n = 0; n < 40; ++n) REQUIRE(push(SendQueue::Room::all) != Pushed::full);
}

TEST_CASE("S90 a peer that takes nothing at all gets 16 MiB at most", "[remoting]") {
  SendQueue queue{{.bytes_max = std::size_t{64} << 20}};
  Peer peer;
  constexpr std::size_t words = pair_credit_bytes / sizeof(Word);
  for (Word n = 1; n <= 80; ++n)
    REQUIRE(queue.push({n, 2}, tell({n, 2}, 1, words), Carries::message) != Pushed::full);
  drain(queue, peer);
  REQUIRE(peer.seen.size() == peer_credit_bytes / pair_credit_bytes);
  queue.give_back(peer.seen.front().pair, pair_credit_bytes);
  drain(queue, peer);
  REQUIRE(peer.seen.size() == peer_credit_bytes / pair_credit_bytes + 1);
}

TEST_CASE("S90 a message larger than all credit goes, and leaves credit to others", "[remoting]") {
  SendQueue queue;
  Peer peer;
  constexpr std::size_t words = (std::size_t{40} << 20) / sizeof(Word);
  REQUIRE(queue.push({1, 2}, tell({1, 2}, 1, words), Carries::message) == Pushed::first);
  REQUIRE(queue.push({1, 2}, tell({1, 2}, 2), Carries::message) == Pushed::behind);
  REQUIRE(queue.push({3, 2}, tell({3, 2}, 1), Carries::message) == Pushed::behind);
  drain(queue, peer);
  REQUIRE(peer.seen.size() == 2);
  REQUIRE(peer.seen.front().pair == Pair{3, 2});
  queue.give_back({1, 2}, credit_of(words * sizeof(Word)));
  drain(queue, peer);
  REQUIRE(peer.seen.size() == 3);
}

TEST_CASE("S90 answers and signals need no credit, and take along what comes before them",
          "[remoting]") {
  SendQueue queue;
  Peer peer;
  const Pair stuck{1, 2};
  REQUIRE(queue.push(stuck, tell(stuck, 1, pair_credit_bytes / sizeof(Word)), Carries::message) ==
          Pushed::first);
  drain(queue, peer);
  REQUIRE(queue.push(stuck, tell(stuck, 2), Carries::message) != Pushed::full);
  REQUIRE(queue.push(stuck, tell(stuck, 3), Carries::cancel) != Pushed::full);
  drain(queue, peer);
  REQUIRE(peer.seen.size() == 1);
  REQUIRE(queue.push(stuck, tell(stuck, 4), Carries::signal) != Pushed::full);
  REQUIRE(queue.push(stuck, tell(stuck, 5), Carries::message) != Pushed::full);
  drain(queue, peer);
  REQUIRE(peer.seen.size() == 4);
  for (Word n = 1; n <= 4; ++n) REQUIRE(peer.seen[n - 1].number == n);
}

TEST_CASE("S90 whatever is taken when, all of it goes, and in order for each pair", "[remoting]") {
  constexpr std::array kinds{Carries::message, Carries::message, Carries::message, Carries::message,
                             Carries::answer,  Carries::signal,  Carries::cancel};
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    INFO("seed " << seed);
    Random random{seed};
    SendQueue queue{{.messages_max = 10'000, .bytes_max = std::size_t{1} << 30}};
    Peer peer;
    CreditOwed owed;
    std::unordered_map<Pair, std::deque<std::size_t>, HashPair> mailboxes;  // bytes not taken
    std::map<Word, std::vector<Carries>> kinds_of;
    std::map<Word, Word> told;
    std::size_t seen = 0;
    const auto hear = [&] {
      peer.take(queue.next_batch());
      for (; seen < peer.seen.size(); ++seen) {
        const auto& frame = peer.seen[seen];
        const Carries kind = kinds_of.at(frame.pair.sender).at(frame.number - 1);
        if (kind == Carries::message) mailboxes[frame.pair].push_back(frame.words * sizeof(Word));
      }
    };
    const auto take = [&](const Pair& pair) {
      auto& mail = mailboxes[pair];
      if (mail.empty()) return;
      owed.came(pair, mail.front(),
                [&](const Pair& of, std::size_t bytes) { queue.give_back(of, bytes); });
      mail.pop_front();
    };
    for (int i = 0; i < 600; ++i) {
      const Pair pair{random.below(6), 7};
      const std::size_t words =
          random.chance(0.1) ? chunk_words * (1 + random.below(8)) + 100 : 8 + random.below(2000);
      const Carries kind = kinds[random.below(kinds.size())];
      if (queue.push(pair, tell(pair, told[pair.sender] + 1, words), kind) != Pushed::full) {
        ++told[pair.sender];
        kinds_of[pair.sender].push_back(kind);
      }
      if (random.chance(0.3)) hear();
      if (random.chance(0.2)) take({random.below(6), 7});
    }
    for (int i = 0; i < 10'000 && (queue.bytes() > 0 || seen == 0); ++i) {
      hear();
      for (Word sender = 0; sender < 6; ++sender) take({sender, 7});
    }
    REQUIRE(queue.bytes() == 0);
    std::map<Word, Word> heard;
    for (const auto& frame : peer.seen) REQUIRE(frame.number == ++heard[frame.pair.sender]);
    REQUIRE(heard == told);
    for (auto& [pair, mail] : mailboxes)
      while (!mail.empty()) take(pair);
    REQUIRE(queue.untaken_bytes() < peer_owed_bytes_max);
  }
}

TEST_CASE("S88 whatever is sent by whom arrives once, and in order for each pair", "[remoting]") {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    INFO("seed " << seed);
    Random random{seed};
    SendQueue queue{{.bytes_max = std::size_t{256} << 20}};
    Peer peer;
    std::map<Word, Word> told;
    for (int i = 0; i < 300; ++i) {
      const Pair pair{random.below(6), 7};
      const std::size_t words =
          random.chance(0.05) ? chunk_words * (1 + random.below(8)) + 100 : 8 + random.below(200);
      REQUIRE(queue.push(pair, tell(pair, ++told[pair.sender], words), Carries::answer) !=
              Pushed::full);
      if (random.chance(0.1)) peer.take(queue.next_batch());
    }
    drain(queue, peer);
    std::map<Word, Word> heard;
    for (const auto& frame : peer.seen) REQUIRE(frame.number == ++heard[frame.pair.sender]);
    REQUIRE(heard == told);
    REQUIRE(queue.bytes() == 0);
  }
}

TEST_CASE("S88 several threads send while the connection takes", "[remoting]") {
  constexpr Word threads = 3;
  constexpr Word each = 20'000;
  SendQueue queue{{.messages_max = 1'000'000, .bytes_max = std::size_t{1} << 30}};
  std::atomic<int> wakes{0};
  std::atomic<Word> done{0};
  std::vector<std::thread> senders;
  for (Word t = 0; t < threads; ++t) {
    senders.emplace_back([&, t] {
      for (Word n = 1; n <= each; ++n)
        if (queue.push({t, 9}, tell({t, 9}, n), Carries::answer) == Pushed::first) ++wakes;
      ++done;
    });
  }
  // As a connection does: sleeps until it is woken, then takes until nothing is left.
  Peer peer;
  int taken_wakes = 0;
  while (done < threads || taken_wakes < wakes) {
    if (taken_wakes == wakes) {
      std::this_thread::yield();
      continue;
    }
    ++taken_wakes;
    drain(queue, peer);
  }
  for (std::thread& sender : senders) sender.join();
  REQUIRE(peer.seen.size() == threads * each);
  std::map<Word, Word> heard;
  for (const auto& frame : peer.seen) {
    if (frame.number != ++heard[frame.pair.sender]) FAIL("out of order");
  }
}
