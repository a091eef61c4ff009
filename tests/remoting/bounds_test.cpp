// What a node takes of others, and no more: section 7 of the wire's specification.
#include <array>

#include "cluster.hpp"
#include "hub.hpp"

using namespace std::chrono_literals;
using namespace cluster_test;
using namespace troupe::test;
using troupe::Actor;
using troupe::Ask;
using troupe::AskErrorKind;
using troupe::remoting::NodeOptions;
using troupe::remoting::detail::Hub;

namespace {

/// Takes questions, and answers none before it is let go.
class Silent : public Actor<Add, Note> {
 public:
  void receive(const Add&, troupe::ReplyTo<Sum> reply) { kept_.push_back(std::move(reply)); }
  void receive(const Note&) {
    for (auto& reply : std::exchange(kept_, {})) reply(Sum{7});
  }

 private:
  std::vector<troupe::ReplyTo<Sum>> kept_;
};

/// Says that it is whatever incarnation its node is to claim.
class Claiming final : public troupe::remoting::Transport {
 public:
  Claiming(std::unique_ptr<Transport> inner, std::uint64_t incarnation)
      : inner_(std::move(inner)), incarnation_(incarnation) {}
  std::string listen(const std::string& address) override { return inner_->listen(address); }
  void start(std::function<void(std::unique_ptr<troupe::remoting::Wire>)> accepted,
             std::function<void()> woken) override {
    inner_->start(std::move(accepted), std::move(woken));
  }
  void stop() override { inner_->stop(); }
  bool post(std::function<void()> f) override { return inner_->post(std::move(f)); }
  std::unique_ptr<troupe::remoting::Wire> dial(const std::string& address) override {
    return inner_->dial(address);
  }
  void wake_at(troupe::TimePoint time) override { inner_->wake_at(time); }
  [[nodiscard]] troupe::TimePoint now() const override { return inner_->now(); }
  std::uint64_t new_incarnation() override { return incarnation_; }

 private:
  std::unique_ptr<Transport> inner_;
  std::uint64_t incarnation_;
};

/// A node that claims an incarnation.
struct Claimant {
  Claimant(Cluster& c, const std::string& name, std::uint64_t incarnation)
      : Claimant(c, Cluster::options(name), incarnation) {}
  Claimant(Cluster& c, const NodeOptions& options, std::uint64_t incarnation)
      : system(c.world, {}),
        node(system, options, std::make_unique<Claiming>(c.network.transport(), incarnation)) {
    system.spawn<Silent>({.name = "silent"});
  }
  troupe::testkit::TestSystem system;
  troupe::remoting::Node node;
};

std::uint64_t refused(Member& member, const std::string& reason) {
  return member.node.status().await().counters.refused[reason];
}

}  // namespace

TEST_CASE("section 7: a peer's asks beyond those that wait for an answer fail at once",
          "[remoting]") {
  on_clusters([](Cluster& cluster) {
    NodeOptions few = Cluster::options("b");
    few.unanswered_max = 3;
    auto& a = cluster.start("a");
    auto& b = cluster.start(few);
    b.system.spawn<Silent>({.name = "silent"});
    const auto silent = a.node.resolve<Silent>("troupe://b:1/silent").await();
    std::vector<Ask<Sum>> asks;
    for (int i = 0; i < 5; ++i) asks.push_back(silent.ask(Add{1}, 1h));
    for (int i = 3; i < 5; ++i) {
      const auto result = asks[static_cast<std::size_t>(i)].try_await();
      REQUIRE(result.error().kind == AskErrorKind::mailbox_full);
    }
    REQUIRE(a.node.status().await().peers.at(0).asks_there == 3);
    REQUIRE(b.node.status().await().peers.at(0).asks_here == 3);
    silent.tell(Note{});
    for (std::size_t i = 0; i < 3; ++i) REQUIRE(asks[i].await() == Sum{7});
    auto again = silent.ask(Add{1}, 1h);
    silent.tell(Note{});
    REQUIRE(again.await() == Sum{7});  // there is room again
  });
}

TEST_CASE("section 7: refs that name actors and nodes beyond all measure are no refs",
          "[remoting]") {
  Cluster cluster{1};
  troupe::testkit::TestSystem system(cluster.world, {});
  const auto transport = cluster.network.transport();
  const auto hub = std::make_shared<Hub>(system, Cluster::options("a"), *transport);
  hub->start();
  using troupe::codec::CodecError;
  REQUIRE_NOTHROW(hub->find({5, std::uint64_t{1} << 40, "b:1"}));
  REQUIRE_THROWS_AS(hub->find({5, (std::uint64_t{1} << 40) + 1, "b:1"}), CodecError);
  for (std::uint64_t high = 0; high < 64; ++high) {  // an ask slot keeps flags in the lower bits
    const auto actor = hub->find({5, high << 32 | 1, "b:1"});
    REQUIRE(reinterpret_cast<std::uintptr_t>(actor.cell) % 64 == 0);
  }
  constexpr std::uint64_t peers_max = 10'000;
  for (std::uint64_t node = 1'001; node < 1'000 + peers_max; ++node)
    static_cast<void>(hub->find({node, 1, "b:1"}));
  REQUIRE_THROWS_AS(hub->find({1'000 + peers_max, 1, "b:1"}), CodecError);
  REQUIRE_NOTHROW(hub->find({1'001, 2, "b:1"}));  // that one is known
  REQUIRE_THROWS_AS(hub->find({1'001, 2, std::string(261, 'b')}), CodecError);
  transport->stop();
  hub->leave();
}

TEST_CASE("section 3: an earlier start of a name is stale, also when the later one has gone",
          "[remoting]") {
  on_clusters([](Cluster& cluster) {
    NodeOptions earlier = Cluster::options("b");
    earlier.address = "old:1";
    auto& a = cluster.start("a");
    a.system.spawn<Silent>({.name = "silent"});
    cluster.start(earlier);
    auto old = std::move(cluster.members["b"]);
    auto& b = cluster.start("b");
    REQUIRE(b.node.resolve<Silent>("troupe://a:1/silent").try_await());
    cluster.members.erase("b");
    REQUIRE_FALSE(old->node.resolve<Silent>("troupe://a:1/silent").try_await());
    REQUIRE(refused(a, "stale") >= 1);
  });
}

TEST_CASE("section 3: a node does not take the address of another one that is heard",
          "[remoting]") {
  on_clusters([](Cluster& cluster) {
    auto& a = cluster.start("a");
    auto& b = cluster.start("b");
    b.system.spawn<Silent>({.name = "silent"});
    a.system.spawn<Silent>({.name = "silent"});
    const auto silent = a.node.resolve<Silent>("troupe://b:1/silent").await();
    NodeOptions claims = Cluster::options("c");
    claims.advertised_address = "b:1";
    auto& c = cluster.start(claims);
    REQUIRE_FALSE(c.node.resolve<Silent>("troupe://a:1/silent").try_await());
    REQUIRE(refused(a, "wrong_node") >= 1);
    auto ask = silent.ask(Add{1}, 1h);
    silent.tell(Note{});
    REQUIRE(ask.await() == Sum{7});
    REQUIRE(a.node.status().await().counters.lost == 0);
  });
}

TEST_CASE("SEC6 a node that said it was at another one's address does not make that one stale",
          "[remoting]") {
  on_clusters([](Cluster& cluster) {
    auto& a = cluster.start("a");
    a.system.spawn<Silent>({.name = "silent"});
    NodeOptions options = Cluster::options("liar");
    options.advertised_address = "b:1";
    auto liar = std::make_unique<Claimant>(cluster, options, std::uint64_t{0} - 2);
    REQUIRE(liar->node.resolve<Silent>("troupe://a:1/silent").try_await());
    liar.reset();
    auto& b = cluster.start("b");
    b.system.spawn<Silent>({.name = "silent"});
    REQUIRE(b.node.resolve<Silent>("troupe://a:1/silent").try_await());
    REQUIRE(a.node.resolve<Silent>("troupe://b:1/silent").try_await());
    REQUIRE(refused(a, "stale") == 0);
  });
}

TEST_CASE("SEC6 a node can't be the incarnation that another one is", "[remoting]") {
  on_clusters([](Cluster& cluster) {
    auto& a = cluster.start("a");
    auto& b = cluster.start("b");
    a.system.spawn<Silent>({.name = "silent"});
    b.system.spawn<Silent>({.name = "silent"});
    const auto silent = a.node.resolve<Silent>("troupe://b:1/silent").await();
    auto ask = silent.ask(Add{1}, 1h);
    for (const auto incarnation :
         {b.node.status().await().incarnation, a.node.status().await().incarnation}) {
      Claimant c{cluster, "c", incarnation};
      REQUIRE_FALSE(c.node.resolve<Silent>("troupe://a:1/silent").try_await());
      REQUIRE_FALSE(a.node.resolve<Silent>("troupe://c:1/silent").try_await());
    }
    REQUIRE(refused(a, "identity") >= 2);
    silent.tell(Note{});
    REQUIRE(ask.await() == Sum{7});
    REQUIRE(a.node.status().await().counters.lost == 0);
  });
}

TEST_CASE("SEC6 what a ref says of a node does not count once that node is met", "[remoting]") {
  on_clusters([](Cluster& cluster) {
    constexpr std::uint64_t incarnation = 1'000;
    auto& a = cluster.start("a");
    const troupe::Ref<Silent> forged{
        troupe::detail::ref_names(a.system)->find({incarnation, 1, "elsewhere:1"})};
    forged.tell(Note{});
    Claimant v{cluster, "v", incarnation};
    const auto silent = a.node.resolve<Silent>("troupe://v:1/silent").await();
    for (int i = 0; i < 3; ++i) {
      auto ask = silent.ask(Add{1}, 1h);
      silent.tell(Note{});
      REQUIRE(ask.await() == Sum{7});
      cluster.advance(3s);  // by then the forged ref's address is given up
    }
    REQUIRE(a.node.status().await().counters.lost == 0);
  });
}

TEST_CASE("a node that listens at all addresses needs one that leads to it", "[remoting]") {
  Cluster cluster{1};
  for (const char* address : {"0.0.0.0:7001", "[::]:0"}) {
    NodeOptions o = Cluster::options("a");
    o.address = address;
    REQUIRE_THROWS_WITH(cluster.start(o),
                        "nobody can dial " + std::string(address) +
                            ": give the node an advertised_address that leads to it");
    cluster.members.clear();
  }
}

TEST_CASE("a node is reached at the address that it advertises", "[remoting]") {
  on_clusters([](Cluster& cluster) {
    NodeOptions o = Cluster::options("b");
    o.advertised_address = "b.example:1";
    auto& a = cluster.start("a");
    auto& b = cluster.start(o);
    REQUIRE(b.node.address() == "b.example:1");
    a.system.spawn<Silent>({.name = "silent"});
    REQUIRE(b.node.resolve<Silent>("troupe://a:1/silent").try_await());
    REQUIRE(a.node.status().await().peers.at(0).address == "b.example:1");
  });
}
