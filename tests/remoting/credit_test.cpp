// S90: who sends to an actor of another node is only so far ahead of what that one has taken.
#include "credit.hpp"

#include <algorithm>

#include "cluster.hpp"

using namespace std::chrono_literals;
using namespace cluster_test;
using namespace troupe::test;
using troupe::Actor;
using troupe::Ref;
using troupe::Sent;
using troupe::remoting::PeerStatus;
using troupe::remoting::detail::pair_credit_bytes;
using troupe::remoting::detail::pair_owed_bytes_max;

namespace {

/// Takes no mail from a note on until the gate answers.
class Gate : public Actor<Question, Note> {
 public:
  void receive(const Question&, troupe::ReplyTo<Sum> reply) { kept_.push_back(std::move(reply)); }
  void receive(const Note&) {
    for (auto& reply : std::exchange(kept_, {})) reply(Sum{1});
  }

 private:
  std::vector<troupe::ReplyTo<Sum>> kept_;
};
class Slow : public Actor<Note, Payload, Done> {
 public:
  Slow(Ref<Gate> gate, std::shared_ptr<std::vector<std::size_t>> taken)
      : gate_(gate), taken_(std::move(taken)) {}
  troupe::Task<void> receive(const Note&) { co_await gate_.ask(Question{}, 1h); }
  void receive(const Payload& m) { taken_->push_back(m.bytes.size()); }
  void receive(const Done&) {}

 private:
  Ref<Gate> gate_;
  std::shared_ptr<std::vector<std::size_t>> taken_;
};

/// Two nodes, and an actor of the second that takes nothing before it is let go.
struct Stuck {
  explicit Stuck(Cluster& c) : cluster(c), a(c.start("a")), b(c.start("b")) {
    slow = b.system.spawn<Slow>({.name = "slow"}, gate = b.system.spawn<Gate>(), taken);
    b.system.spawn<Slow>({.name = "other"}, gate, taken);
    there = resolve("slow");
    slow.tell(Note{});
    b.system.settle();
  }
  Ref<Slow> resolve(const std::string& name) {
    return a.node.resolve<Slow>("troupe://b:1/" + name).await();
  }
  /// Payloads of those sizes, from 1'000 bytes on; how many of them were not refused.
  std::size_t send(std::size_t many) {
    std::size_t sent = 0;
    for (std::size_t n = 0; n < many; ++n)
      if (there.tell(Payload{std::vector<std::byte>(1'000 + n)}) == Sent::ok) ++sent;
    cluster.advance(1s);
    return sent;
  }
  static PeerStatus peer(Member& of) { return of.node.status().await().peers.at(0); }

  Cluster& cluster;
  Member& a;
  Member& b;
  std::shared_ptr<std::vector<std::size_t>> taken = std::make_shared<std::vector<std::size_t>>();
  Ref<Gate> gate;
  Ref<Slow> slow;
  Ref<Slow> there;
};

}  // namespace

TEST_CASE("S90 what an actor does not take waits at its sender, and comes when it does",
          "[remoting]") {
  on_clusters([](Cluster& c) {
    Stuck s{c};
    REQUIRE(s.send(500) == 500);
    REQUIRE(Stuck::peer(s.b).untaken_bytes_here <= pair_credit_bytes + 2'000);
    REQUIRE(Stuck::peer(s.a).untaken_bytes_there >= pair_credit_bytes);
    REQUIRE(Stuck::peer(s.a).waiting_bytes > 250'000);
    s.resolve("other").ask(Done{}).await();  // nobody else waits
    s.gate.tell(Note{});
    c.advance(1s);
    REQUIRE(s.taken->size() == 500);
    REQUIRE(std::is_sorted(s.taken->begin(), s.taken->end()));
    REQUIRE(Stuck::peer(s.a).untaken_bytes_there < 2 * pair_owed_bytes_max);
    REQUIRE(Stuck::peer(s.a).waiting_bytes == 0);
  });
}

TEST_CASE("S90 credit comes back for ever", "[remoting]") {
  on_clusters([](Cluster& c) {
    Stuck s{c};
    s.gate.tell(Note{});
    for (std::size_t round = 1; round <= 10; ++round) {
      REQUIRE(s.send(400) == 400);
      REQUIRE(s.taken->size() == 400 * round);
    }
  });
}

TEST_CASE("S90 credit comes back for what nobody takes", "[remoting]") {
  on_clusters([](Cluster& c) {
    Stuck s{c};
    REQUIRE(s.send(500) == 500);
    s.b.system.kill(s.slow);
    c.advance(1s);
    REQUIRE(s.taken->empty());
    REQUIRE(Stuck::peer(s.a).untaken_bytes_there < 2 * pair_owed_bytes_max);
    REQUIRE(s.send(1'000) == 1'000);  // dead letters there
    REQUIRE(Stuck::peer(s.a).waiting_bytes == 0);
  });
}

TEST_CASE("S90 an actor that takes no mail can be stopped from afar, and its end is heard of",
          "[remoting]") {
  on_clusters([](Cluster& c) {
    Stuck s{c};
    REQUIRE(s.send(500) == 500);
    troupe::testkit::Probe<troupe::Down> probe{s.a.system};
    probe.monitor(s.there);
    s.a.system.kill(s.there);
    c.advance(1s);
    REQUIRE(probe.expect<troupe::Down>().why.kind() == troupe::ExitReason::Kind::killed);
  });
}

TEST_CASE("S90 who stashes has taken it", "[remoting]") {
  on_clusters([](Cluster& c) {
    Stuck s{c};
    class Stashing : public Actor<Payload, Done> {
     public:
      void receive(const Payload& m) { stash(m); }
      void receive(const Done&) {}
    };
    s.b.system.spawn<Stashing>({.name = "stashing"});
    const auto stashing = s.a.node.resolve<Stashing>("troupe://b:1/stashing").await();
    for (int n = 0; n < 350; ++n)
      REQUIRE(stashing.tell(Payload{std::vector<std::byte>(1'000)}) == Sent::ok);
    stashing.ask(Done{}).await();
  });
}
