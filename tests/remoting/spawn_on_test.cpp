// Children on other nodes: who may be made, whom they belong to, and when they end.
#include <troupe/supervision/supervisor.hpp>

#include "cluster.hpp"

using namespace std::chrono_literals;
using namespace cluster_test;
using namespace troupe::test;
using troupe::Actor;
using troupe::Ask;
using troupe::AskErrorKind;
using troupe::Ref;
using troupe::remoting::NodeOptions;
using troupe::remoting::RemoteChild;

namespace {

/// Tells of its end.
class Counter : public Actor<Add, Spoil> {
 public:
  explicit Counter(const MakeCounter& m) : sum_(m.start), news_(m.news) {}
  Sum receive(const Add& m) { return {sum_ += m.n}; }
  void receive(const Spoil&) { throw std::runtime_error("spoilt"); }
  void on_stop(troupe::StopReason) override { news_.tell(Note{sum_}); }

 private:
  std::uint64_t sum_;
  Ref<Notes> news_;
};

/// Takes notes from itself only.
class Discreet : public Actor<End, troupe::Private<Note>> {
 public:
  void receive(const End&) {}
  void receive(const Note&) {}
};

class Parent : public Actor<End, Note, Spoil> {
 public:
  explicit Parent(std::shared_ptr<std::vector<std::uint64_t>> news) : news_(std::move(news)) {}
  void receive(const End&) { stop(); }
  void receive(const Note& m) { news_->push_back(m.n); }
  void receive(const Spoil&) { throw std::runtime_error("spoilt"); }

 private:
  std::shared_ptr<std::vector<std::uint64_t>> news_;
};

/// Two nodes; the second makes counters for others.
struct World {
  explicit World(Cluster& c) : cluster(c), a(c.start("a")), b(c.start(with_counters())) {}
  static NodeOptions with_counters() {
    NodeOptions o = Cluster::options("b");
    o.factories["counter"] = troupe::remoting::spawn_factory<MakeCounter>([](const MakeCounter& m) {
      if (m.start == 13) throw std::runtime_error("13 is no number");
      return troupe::factory<Counter>(m);
    });
    return o;
  }
  [[nodiscard]] RemoteChild child(const std::string& id = {}) const {
    return {"troupe://b:1", "counter", parent, id};
  }
  auto spawn(const RemoteChild& where, std::uint64_t start = 1) {
    return a.node.spawn_on<Counter>(where, MakeCounter{start, keeper}, 1h);
  }
  std::size_t counters() const {
    std::size_t count = 0;
    for (const auto& actor : b.system.actors())
      if (actor.type.find("Counter") != actor.type.npos) ++count;
    return count;
  }
  Cluster& cluster;
  Member& a;
  Member& b;
  std::shared_ptr<std::vector<std::uint64_t>> news = std::make_shared<std::vector<std::uint64_t>>();
  Ref<Parent> parent = a.system.spawn<Parent>(news);
  Ref<Parent> keeper = b.system.spawn<Parent>(news);  ///< whom the counters tell of their end
};

template <class Story>
void on_worlds(Story story) {
  on_clusters([&](Cluster& cluster) {
    World world(cluster);
    story(world);
  });
}

}  // namespace

TEST_CASE("S92 an actor is made on another node by a factory that it allows", "[remoting]") {
  on_worlds([](World& w) {
    const auto counter = w.spawn(w.child(), 5).await();
    REQUIRE(counter.ask(Add{2}).await() == Sum{7});
    REQUIRE(w.counters() == 1);
    const auto another = w.spawn(w.child(), 50).await();
    REQUIRE(another.ask(Add{2}).await() == Sum{52});
    w.a.system.stop(counter).await();
    REQUIRE(w.cluster.run_until([&] { return *w.news == std::vector<std::uint64_t>{7}; }));
    REQUIRE(another.ask(Add{1}).await() == Sum{53});
  });
}

TEST_CASE("S92 what a node does not allow is refused, and says why", "[remoting]") {
  on_worlds([](World& w) {
    RemoteChild unknown = w.child();
    unknown.factory = "shell";
    const auto refused = w.spawn(unknown).try_await();
    REQUIRE(refused.error().kind == AskErrorKind::refused);
    REQUIRE(refused.error().what == "that node has no factory \"shell\"");

    const auto other = w.a.node.spawn_on<Counter>(w.child(), MakeNothing{}, 1h).try_await();
    REQUIRE(other.error().kind == AskErrorKind::unknown_type);
    const auto wrong =
        w.a.node.spawn_on<Parent>(w.child(), MakeCounter{1, w.keeper}, 1h).try_await();
    REQUIRE(wrong.error().kind == AskErrorKind::wrong_protocol);
    const auto thrown = w.spawn(w.child(), 13).try_await();
    REQUIRE(thrown.error().kind == AskErrorKind::refused);
    REQUIRE(thrown.error().what == "the factory has failed: 13 is no number");
    w.cluster.advance(1s);
    REQUIRE(w.counters() == 0);
    RemoteChild nowhere = w.child();
    nowhere.node = "troupe://c:1";
    REQUIRE(w.spawn(nowhere).try_await().error().kind == AskErrorKind::no_connection);
  });
}

TEST_CASE("S45 a child on another node ends with its parent", "[remoting]") {
  on_worlds([](World& w) {
    const auto counter = w.spawn(w.child()).await();
    const auto second = w.spawn(w.child(), 20).await();
    w.parent.tell(End{});
    REQUIRE(w.cluster.run_until([&] { return w.news->size() == 2; }));
    REQUIRE(counter.ask(Add{1}).try_await().error().kind == AskErrorKind::receiver_down);
    REQUIRE(second.ask(Add{1}).try_await().error().kind == AskErrorKind::receiver_down);
    REQUIRE(w.counters() == 0);
    const auto late = w.spawn(w.child()).try_await();  // of a parent that is gone
    w.cluster.advance(1s);
    REQUIRE(w.counters() == 0);
  });
}

TEST_CASE("S45 F12 a child ends when the connection with its parent's node does", "[remoting]") {
  on_worlds([](World& w) {
    const auto counter = w.spawn(w.child()).await();
    REQUIRE(counter.ask(Add{1}).await() == Sum{2});
    w.cluster.network.cut_both("a:1", "b:1");
    REQUIRE(w.cluster.run_until([&] { return w.counters() == 0; }));
    REQUIRE(w.cluster.run_until([&] { return *w.news == std::vector<std::uint64_t>{2}; }));
    w.cluster.network.heal_all();
    auto result = w.spawn(w.child(), 9).try_await();
    while (!result) {
      REQUIRE(result.error().kind == AskErrorKind::no_connection);
      result = w.spawn(w.child(), 9).try_await();
    }
    REQUIRE(result->ask(Add{1}).await() == Sum{10});
  });
}

TEST_CASE("F12 a child of the next epoch does not end with those of the last", "[remoting]") {
  on_worlds([](World& w) {
    static_cast<void>(w.spawn(w.child(), 1).await());
    w.cluster.network.reset("a:1", "b:1");
    auto result = w.spawn(w.child(), 9).try_await();
    while (!result) {
      REQUIRE(result.error().kind == AskErrorKind::no_connection);
      result = w.spawn(w.child(), 9).try_await();
    }
    w.cluster.advance(10s);
    REQUIRE(result->ask(Add{1}).await() == Sum{10});
    REQUIRE(w.counters() == 1);
  });
}

TEST_CASE("S44 children on another node end when their parent restarts", "[remoting]") {
  on_worlds([](World& w) {
    class Restarting : public troupe::Supervisor<> {
     public:
      explicit Restarting(std::shared_ptr<std::vector<std::uint64_t>> news)
          : news_(std::move(news)) {}
      void on_start() override { start_child<Parent>({.id = "parent"}, news_); }

     private:
      std::shared_ptr<std::vector<std::uint64_t>> news_;
    };
    w.a.system.spawn<Restarting>({.name = "restarting"}, w.news);
    w.a.system.settle();
    const auto parent = *w.a.system.find<Parent>("/restarting/parent");
    RemoteChild child = w.child("one");
    child.parent = parent;
    const auto counter = w.spawn(child, 5).await();
    parent.tell(Spoil{});
    REQUIRE(w.cluster.run_until([&] { return w.counters() == 0; }));
    const auto next = w.spawn(child, 6).await();
    w.cluster.advance(10s);
    REQUIRE(next.ask(Add{0}).await() == Sum{6});
    REQUIRE(counter.ask(Add{0}).try_await().error().kind == AskErrorKind::receiver_down);
  });
}

TEST_CASE("an id is free again when its child has ended", "[remoting]") {
  on_worlds([](World& w) {
    const auto first = w.spawn(w.child("one"), 5).await();
    w.a.system.stop(first).await();
    w.cluster.advance(1s);
    const auto second = w.spawn(w.child("one"), 6).await();
    REQUIRE(second.ask(Add{0}).await() == Sum{6});
  });
}

TEST_CASE("S146 a private message can't come from another node", "[remoting]") {
  on_worlds([](World& w) {
    w.b.system.spawn<Discreet>({.name = "discreet"});
    const auto open = w.a.node.resolve<Discreet>("troupe://b:1/discreet").try_await();
    REQUIRE(open.has_value());
    const auto sly = w.a.node.resolve<Notes>("troupe://b:1/discreet").try_await();
    REQUIRE(sly.error().kind == AskErrorKind::wrong_protocol);
  });
}

TEST_CASE("F12 one that is asked for again by its id is made once", "[remoting]") {
  on_worlds([](World& w) {
    auto first = w.spawn(w.child("one"), 5);
    auto again = w.spawn(w.child("one"), 6);
    auto another = w.spawn(w.child("two"), 7);
    const auto counter = first.await();
    REQUIRE(again.await() == counter);
    REQUIRE_FALSE(another.await() == counter);
    REQUIRE(counter.ask(Add{0}).await() == Sum{5});
    REQUIRE(w.counters() == 2);
  });
}

TEST_CASE("F12 an actor whose asker gave up does not stay behind", "[remoting]") {
  on_worlds([](World& w) {
    static_cast<void>(w.spawn(w.child()).await());
    w.cluster.network.delay(2s, 2s);
    auto late = w.a.node.spawn_on<Counter>(w.child(), MakeCounter{2, w.keeper}, 1s);
    auto kept = w.a.node.spawn_on<Counter>(w.child("kept"), MakeCounter{3, w.keeper}, 1s);
    REQUIRE(late.try_await().error().kind == AskErrorKind::timeout);
    REQUIRE(kept.try_await().error().kind == AskErrorKind::timeout);
    w.cluster.advance(15s);
    REQUIRE(w.counters() == 2);  // the first, and the one with an id
    w.cluster.network.delay(0s, 0s);
    REQUIRE(w.spawn(w.child("kept")).await().ask(Add{0}).await() == Sum{3});
  });
}

TEST_CASE("a child that fails has ended, and who watches it is told", "[remoting]") {
  on_worlds([](World& w) {
    const auto counter = w.spawn(w.child()).await();
    troupe::testkit::Probe<troupe::Down> probe{w.a.system};
    probe.monitor(counter);
    counter.tell(Spoil{});
    REQUIRE(probe.expect<troupe::Down>(1min).why.kind() == troupe::ExitReason::Kind::failure);
  });
}

TEST_CASE("an actor may be made on its own node by the same name", "[remoting]") {
  on_worlds([](World& w) {
    const Ref<Parent> parent = w.b.system.spawn<Parent>(w.news);
    const RemoteChild here{"troupe://b:1", "counter", parent};
    const auto counter = w.b.node.spawn_on<Counter>(here, MakeCounter{4, w.keeper}, 1h).await();
    REQUIRE(counter.ask(Add{1}).await() == Sum{5});
    parent.tell(End{});
    REQUIRE(w.cluster.run_until([&] { return w.counters() == 0; }));
  });
}

TEST_CASE("a child on another node needs a parent on this one, and small arguments", "[remoting]") {
  Cluster cluster{1};
  World w(cluster);
  RemoteChild orphan = w.child();
  orphan.parent = {};
  REQUIRE_THROWS_AS(w.spawn(orphan), troupe::UsageError);
  orphan.parent = w.spawn(w.child()).await();
  REQUIRE_THROWS_AS(w.spawn(orphan), troupe::UsageError);
  const Payload large{std::vector<std::byte>(40'000)};
  REQUIRE_THROWS_AS(w.a.node.spawn_on<Counter>(w.child(), large), troupe::UsageError);
}
