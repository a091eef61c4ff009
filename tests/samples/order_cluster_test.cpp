// Order processing on several nodes: what is lost with a node, and what never is.
#include "placed_processor.hpp"
#include "run.hpp"

#include "support/cluster.hpp"

using namespace std::chrono_literals;
using namespace troupe::test;
using orders::Outcome;
using troupe::Ref;
using troupe::remoting::NodeOptions;

namespace {

NodeOptions with_processors(const std::string& name) {
  NodeOptions o = Cluster::options(name);
  o.factories["processor"] =
      troupe::remoting::spawn_factory<orders::PlaceProcessor>([](const orders::PlaceProcessor& m) {
        return troupe::factory<orders::Processing, orders::PlacedProcessor>(m);
      });
  return o;
}

/// A coordinator's node, and three others.
struct World {
  explicit World(Cluster& c, orders::Settings settings = {}, double decline_rate = 0)
      : cluster(c), home(c.start("home")) {
    if (settings.nodes.empty()) settings.nodes = {"p1:1", "p2:1", "p3:1"};
    payments = home.system.spawn<orders::PaymentGateway>(decline_rate, settings.seed);
    inventory = home.system.spawn<orders::Inventory>(orders::Stock{{"widget", 250}});
    coordinator = home.system.spawn<orders::Coordinator>({.name = "orders"}, settings, payments,
                                                         inventory, &home.node);
  }
  ~World() { home.system.stop(coordinator).await(); }  // it uses the node
  World(const World&) = delete;
  World& operator=(const World&) = delete;

  void start_processors() {
    for (const char* name : {"p1", "p2", "p3"}) cluster.start(with_processors(name));
  }
  static orders::OrderPtr order(int number) {
    return orders::OrderPtr(orders::Order{.id = "o-" + std::to_string(number),
                                          .user_id = {},
                                          .items = {{"widget", 1}},
                                          .total = 9999,
                                          .timestamp = {}});
  }
  auto submit(int count) {
    std::vector<orders::OrderPtr> batch;
    for (int i = 0; i < count; ++i) batch.push_back(order(++ids));
    return coordinator.ask(
        orders::Batch{std::make_shared<const std::vector<orders::OrderPtr>>(std::move(batch))},
        troupe::no_timeout);
  }
  orders::Summary summary() {
    orders::Summary s;
    s.statistics = coordinator.ask(orders::GetStatistics{}).await();
    s.payments = payments.ask(orders::GetPaymentTotals{}).await();
    s.stock = inventory.ask(orders::GetStockTotals{}).await();
    return s;
  }
  [[nodiscard]] std::size_t processors_on(const std::string& name) const {
    std::size_t count = 0;
    for (const auto& actor : cluster.members.at(name)->system.actors())
      if (actor.type.find("OrderProcessor") != actor.type.npos) ++count;
    return count;
  }
  [[nodiscard]] std::size_t processors() const {
    return processors_on("p1") + processors_on("p2") + processors_on("p3");
  }

  Cluster& cluster;
  Member& home;
  Ref<orders::PaymentApi> payments;
  Ref<orders::InventoryApi> inventory;
  Ref<orders::CoordinatorApi> coordinator;
  int ids = 0;
};

std::uint64_t count(const orders::Summary& s, Outcome outcome) {
  return s.statistics.outcomes[static_cast<std::size_t>(outcome)];
}

/// Something that happens to a cluster, or something that happened is over.
void disturb(World& w, troupe::Random& random) {
  auto& network = w.cluster.network;
  const std::string name = "p" + std::to_string(1 + random.below(3));
  const auto found = w.cluster.members.find(name);
  if (found == w.cluster.members.end()) {
    w.cluster.start(with_processors(name));
    return;
  }
  switch (random.below(6)) {
    case 0: w.cluster.crash(name, random.below(2) == 0); break;
    case 1: network.cut("home:1", name + ":1"); break;
    case 2: network.cut(name + ":1", "home:1"); break;
    case 3: network.reset("home:1", name + ":1"); break;
    case 4: w.cluster.members.erase(found); break;  // it says goodbye
    case 5: network.heal_all(); break;
  }
}

}  // namespace

TEST_CASE("F12 whatever happens to processors' nodes, every order ends in exactly one outcome",
          "[samples]") {
  on_clusters([](Cluster& cluster) {
    troupe::Random random{cluster.seed};
    orders::Settings settings;
    settings.crash_rate = 0.03;
    settings.seed = cluster.seed;
    settings.patience = 1h;
    World w(cluster, settings, 0.1);
    w.start_processors();
    cluster.network.delay(1ms, 10ms);
    std::vector<troupe::Ask<void>> batches;
    for (int i = 0; i < 20; ++i) {
      batches.push_back(w.submit(15));
      cluster.advance(std::chrono::milliseconds(random.below(3000)));
      disturb(w, random);
    }
    cluster.network.heal_all();
    for (const char* name : {"p1", "p2", "p3"})
      if (!cluster.members.contains(name)) cluster.start(with_processors(name));
    for (auto& batch : batches) batch.await();

    const orders::Summary s = w.summary();
    CHECK(orders::violations_of(s).empty());
    CHECK(s.statistics.submitted == 300);
    CHECK(count(s, Outcome::error) == 0);
    CHECK(count(s, Outcome::success) > 150);
    CHECK(count(s, Outcome::payment_failed) > 5);
    // What went on in vain on nodes that were cut off changes nothing afterwards.
    cluster.advance(60s);
    const orders::Summary later = w.summary();
    CHECK(orders::violations_of(later).empty());
    CHECK(later.payments.charged == s.payments.charged);
  });
}

TEST_CASE("a node that is killed: its processors go to the others, and its orders with them",
          "[samples]") {
  on_clusters([](Cluster& cluster) {
    World w(cluster);
    w.start_processors();
    cluster.network.delay(5ms, 5ms);
    auto first = w.submit(100);
    cluster.advance(200ms);
    REQUIRE(w.processors_on("p1") == 2);
    cluster.crash("p1");
    first.await();
    const orders::Summary s = w.summary();
    REQUIRE(count(s, Outcome::success) == 100);
    REQUIRE(orders::violations_of(s).empty());
    REQUIRE(w.processors_on("p2") + w.processors_on("p3") == 4);
    for (const auto& p : s.statistics.processors) REQUIRE(p.node != "p1:1");
  });
}

TEST_CASE("where no node can be reached orders wait, and end as errors when patience does",
          "[samples]") {
  on_clusters([](Cluster& cluster) {
    World w(cluster);
    auto hopeless = w.submit(10);
    cluster.advance(20s);
    auto later = w.submit(5);
    cluster.advance(9s);
    REQUIRE(w.summary().statistics.outcomes == decltype(orders::Statistics::outcomes){});
    hopeless.await();
    REQUIRE(count(w.summary(), Outcome::error) == 10);  // the later ones have their own patience
    later.await();
    REQUIRE(count(w.summary(), Outcome::error) == 15);
    REQUIRE(w.summary().statistics.given_up == 15);
    REQUIRE(w.summary().statistics.processors[0].node == "none");

    w.start_processors();
    REQUIRE(cluster.run_until([&] { return w.processors() == 4; }));
    cluster.advance(1s);  // and the coordinator has heard of it
    w.submit(10).await();
    const orders::Summary s = w.summary();
    REQUIRE(count(s, Outcome::success) == 10);
    REQUIRE(orders::violations_of(s).empty());
    REQUIRE(s.payments.charged == 10 * 9999);
  });
}

TEST_CASE("nodes that come back in time: what waited meanwhile is processed", "[samples]") {
  on_clusters([](Cluster& cluster) {
    World w(cluster);
    w.start_processors();
    w.submit(10).await();
    for (const char* name : {"p1", "p2", "p3"}) cluster.crash(name);
    cluster.advance(60s);  // longer than patience, with nothing that waits
    auto batch = w.submit(10);
    cluster.advance(10s);
    w.start_processors();
    batch.await();
    const orders::Summary s = w.summary();
    REQUIRE(count(s, Outcome::success) == 20);
    REQUIRE(s.statistics.given_up == 0);
  });
}

TEST_CASE("a coordinator that dies takes its processors on other nodes with it", "[samples]") {
  on_clusters([](Cluster& cluster) {
    World w(cluster);
    w.start_processors();
    w.submit(50).await();
    REQUIRE(w.processors_on("p1") == 2);
    auto lost = w.submit(50);
    w.home.system.kill(w.coordinator);
    REQUIRE(lost.try_await().error().kind == troupe::AskErrorKind::receiver_down);
    REQUIRE(cluster.run_until([&] { return w.processors() == 0; }));
  });
}

TEST_CASE("F12 what a processor that was given up does late changes nothing", "[samples]") {
  on_clusters([](Cluster& cluster) {
    orders::Settings settings;
    settings.processors = 1;
    settings.nodes = {"p1:1", "p2:1"};
    World w(cluster, settings);
    w.start_processors();
    REQUIRE(cluster.run_until([&] { return w.processors_on("p1") == 1; }));
    cluster.advance(1s);
    cluster.network.delay(5ms, 5ms);
    auto batch = w.submit(20);
    cluster.advance(12ms);
    cluster.network.cut_both("home:1", "p1:1");  // all that it did and will do is unknown
    batch.await();
    const orders::Summary s = w.summary();
    REQUIRE(count(s, Outcome::success) == 20);

    const Ref<orders::PaymentApi> payments = w.payments;
    for (int i = 1; i <= 20; ++i) {  // as it would
      REQUIRE(payments.ask(orders::Charge{World::order(i)}).await());
      REQUIRE(w.inventory.ask(orders::Reserve{World::order(i)}).await());
    }
    REQUIRE(orders::violations_of(w.summary()).empty());
    REQUIRE(w.summary().payments.charged == s.payments.charged);
  });
}
