// S90: who sends to an actor of another node is only so far ahead of what that one has taken.
#include "credit.hpp"

#include <algorithm>

#include "stuck.hpp"

using namespace stuck_test;
using troupe::remoting::detail::pair_credit_bytes;
using troupe::remoting::detail::pair_owed_bytes_max;

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
