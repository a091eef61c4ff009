// A cluster of one test: nodes of one seeded world over a simulated network.
#pragma once

#include <map>
#include <memory>
#include <string>

#include <catch2/catch.hpp>
#include <troupe/remoting/node.hpp>
#include <troupe/remoting_testkit/simulated_network.hpp>
#include <troupe/testkit/testkit.hpp>

#include "support/schedules.hpp"

namespace troupe::test {

/// One node and its System.
struct Member {
  Member(const std::shared_ptr<testkit::SeededWorld>& world, testkit::SimulatedNetwork& network,
         remoting::NodeOptions options)
      : system(world, observed_by(recorder)),
        node(system, std::move(options), network.transport()) {}
  Member(const Member&) = delete;
  Member& operator=(const Member&) = delete;
  ~Member() { *is_up = false; }
  std::shared_ptr<bool> is_up = std::make_shared<bool>(true);  ///< `node` may be used
  std::shared_ptr<Recorder> recorder = std::make_shared<Recorder>();
  testkit::TestSystem system;
  remoting::Node node;
};

class Cluster {
 public:
  explicit Cluster(std::uint64_t of)
      : seed(of), world(std::make_shared<testkit::SeededWorld>(seed)), network(world) {}

  static remoting::NodeOptions options(const std::string& name) {
    remoting::NodeOptions o;
    o.name = name;
    o.address = name + ":1";
    o.key = std::vector<std::byte>(32, std::byte{'k'});
    return o;
  }
  Member& start(const std::string& name) { return start(options(name)); }
  Member& start(const remoting::NodeOptions& o) {
    auto& member = members[o.name];
    REQUIRE(member == nullptr);
    member = std::make_unique<Member>(world, network, o);
    return *member;
  }
  /// Gone at once, with all that it would have sent.
  void crash(const std::string& name, bool is_heard = true) {
    network.crash(name + ":1", is_heard);
    members.erase(name);
  }
  void advance(Duration d) {
    world->run([] { return false; }, world->clock()->now() + d);
  }
  bool run_until(const std::function<bool()>& over, Duration limit = std::chrono::seconds(60)) {
    world->run(over, world->clock()->now() + limit);
    return over();
  }

  const std::uint64_t seed;
  std::shared_ptr<testkit::SeededWorld> world;
  testkit::SimulatedNetwork network;
  std::map<std::string, std::unique_ptr<Member>> members;
};

template <class Story>
void on_clusters(Story story) {
  const std::uint64_t only = from_environment("TROUPE_SEED", 0);
  const std::uint64_t first = only != 0 ? only : 1;
  const std::uint64_t last = only != 0 ? only : from_environment("TROUPE_SEEDS", 25);
  for (std::uint64_t seed = first; seed <= last; ++seed) {
    INFO("seeded cluster, TROUPE_SEED=" << seed);
    Cluster cluster{seed};
    story(cluster);
  }
}

}  // namespace troupe::test
