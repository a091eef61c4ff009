// stop_children = false: what a restart leaves alive, and what ends it after all.
#include "supervision/support.hpp"

using namespace std::chrono_literals;
using namespace troupe::test;
using troupe::ChildSpec;
using troupe::Ref;
using troupe::Restart;
using troupe::Terminated;
using troupe::testkit::Probe;
using troupe::testkit::TestSystem;

namespace {

struct Kid : troupe::Actor<Ping> {
  int receive(const Ping&) { return ++pings; }
  int pings = 0;
};

struct TheKid {
  using Reply = Ref<Kid>;
};
struct Item {};
struct Open {};

struct Counts {
  std::atomic<int> built{0};
  std::atomic<int> bad_builds{0};
  std::atomic<int> bad_starts{0};
};
using CountsPtr = std::shared_ptr<Counts>;

/// Spawns a kid unless an earlier incarnation has. Fails when told, as often as it is to when it is
/// built or starts, and over stashed items.
class Family : public troupe::Actor<Fail, End, Ping, TheKid, Item, Open> {
 public:
  explicit Family(CountsPtr counts) : counts_(std::move(counts)) {
    ++counts_->built;
    if (counts_->bad_builds > 0) {
      --counts_->bad_builds;
      throw std::runtime_error("can't be built");
    }
  }
  void on_start() override {
    const auto found = find_child<Kid>("kid");
    kid_ = found ? *found : spawn<Kid>({.name = "kid"});
    if (counts_->bad_starts == 0) return;
    --counts_->bad_starts;
    throw std::runtime_error("a bad start");
  }
  void receive(const Fail& m) { throw std::runtime_error(m.what); }
  void receive(const End& m) { stop(m.why); }
  int receive(const Ping&) { return ++pings_; }
  Ref<Kid> receive(const TheKid&) { return kid_; }
  void receive(const Item& m) {
    if (open_) throw std::runtime_error("an item");
    stash(m);
  }
  void receive(const Open&) {
    open_ = true;
    unstash_all();
  }

 private:
  CountsPtr counts_;
  Ref<Kid> kid_;
  int pings_ = 0;
  bool open_ = false;
};

/// A supervisor of two families; both keep their kids, unless told otherwise.
struct Household {
  explicit Household(TestSystem& system, troupe::SupervisorOptions options = {.restarts_max = 100},
                     bool stop_children = false, Restart restart = Restart::permanent)
      : f(system, std::move(options), {}), counts(std::make_shared<Counts>()) {
    for (const char* id : {"family", "neighbours"}) {
      ChildSpec spec{.id = id, .restart = restart, .options = {.stop_children = stop_children}};
      const auto child =
          troupe::start_child(f.supervisor, std::move(spec), troupe::factory<Family>(counts))
              .await();
      REQUIRE(child.has_value());
      (family ? neighbours : family) = Ref<Family>{child->address()};
    }
    kid = family.ask(TheKid{}).await();
    REQUIRE(kid.ask(Ping{}).await() == 1);
  }
  /// The family is a new incarnation, with the kid of the one before.
  void expect_same_kid(int pings) {
    REQUIRE(family.ask(Ping{}).await() == 1);
    REQUIRE(family.ask(TheKid{}).await() == kid);
    REQUIRE(kid.ask(Ping{}).await() == pings);
  }
  Fixture f;
  CountsPtr counts;
  Ref<Family> family, neighbours;
  Ref<Kid> kid;
};

}  // namespace

TEST_CASE("S44 C65 with stop_children = false a restart leaves the children as they are",
          "[supervision]") {
  on_every_schedule([](TestSystem& system) {
    Household h{system};
    Probe<Terminated> probe{system};
    probe.watch(h.kid);
    h.family.tell(Fail{});
    const auto queued = h.kid.ask(Ping{});
    h.expect_same_kid(3);
    REQUIRE(probe.waiting() == 0);
    for (const troupe::ActorInfo& a : system.actors()) {
      if (a.ref == h.kid) REQUIRE(a.parent == h.family);
    }
  });
}

TEST_CASE(
    "S44 C65 children are kept also when on_start, the constructor or a stashed message fails",
    "[supervision]") {
  on_every_schedule([](TestSystem& system) {
    Household h{system};
    h.counts->bad_starts = 2;
    h.family.tell(Fail{});
    h.expect_same_kid(2);
    h.counts->bad_builds = 2;
    h.family.tell(Fail{});
    h.expect_same_kid(3);
    h.family.tell(Item{});
    h.family.tell(Open{});
    h.expect_same_kid(4);
    REQUIRE(h.counts->built == 2 + 3 + 3 + 1);
  });
}

TEST_CASE("S44 a restart for a sibling's sake, after a kill or a stop keeps the children as well",
          "[supervision]") {
  on_every_schedule([](TestSystem& system) {
    Household h{system, {.strategy = troupe::one_for_all, .restarts_max = 100}};
    h.neighbours.tell(Fail{});
    h.expect_same_kid(2);
    system.kill(h.family);
    h.expect_same_kid(3);
    h.family.tell(End{troupe::ExitReason::normal()});
    h.expect_same_kid(4);
  });
}

TEST_CASE("S44 S45 children that outlived incarnations end with their parent", "[supervision]") {
  on_every_schedule([](TestSystem& system) {
    Household h{system, {.restarts_max = 100}, false, Restart::transient};
    Probe<Terminated> probe{system};
    h.family.tell(Fail{});
    h.expect_same_kid(2);
    probe.watch(h.kid);
    probe.watch(h.family);
    h.family.tell(End{troupe::ExitReason::normal()});
    const std::set ended{probe.expect<Terminated>().who, probe.expect<Terminated>().who};
    REQUIRE(ended == std::set<Ref<>>{h.kid, h.family});
    system.stop(h.f.supervisor).await();
    REQUIRE(system.actor_count() == 1);  // the probe
  });
}

TEST_CASE("S44 the children of an actor stopped or killed amid restarts all end with it",
          "[supervision]") {
  on_every_schedule([](TestSystem& system) {
    Household h{system};
    h.counts->bad_starts = 3;
    h.family.tell(Fail{});
    system.kill(h.family);
    h.neighbours.tell(Fail{});
    system.stop(h.f.supervisor).await();
    REQUIRE(system.actor_count() == 0);
  });
}

TEST_CASE("S44 stop_children = false is refused for a supervisor, whose object knows its children",
          "[supervision]") {
  on_every_schedule([](TestSystem& system) {
    const auto script = std::make_shared<Script>();
    REQUIRE_THROWS_AS(system.spawn<TestSupervisor>({.stop_children = false},
                                                   troupe::SupervisorOptions{}, script, three()),
                      troupe::UsageError);
    REQUIRE(system.actor_count() == 0);
  });
}

TEST_CASE("an actor finds its children by name and protocol, and nobody else's", "[supervision]") {
  struct Look {
    using Reply = std::string;
  };
  struct Parent : troupe::Actor<Look> {
    std::string receive(const Look&) {
      spawn<Kid>({.name = "kid"});
      const auto kid = find_child<Kid>("kid");
      const auto other = find_child<Family>("kid");
      const auto nobody = find_child<Kid>("nobody");
      return std::string(kid ? "found" : "lost") +
             (other.error() == troupe::FindError::wrong_protocol ? ", not of that protocol" : "") +
             (nobody.error() == troupe::FindError::not_found ? ", nobody" : "");
    }
  };
  on_every_schedule([](TestSystem& system) {
    const auto stranger = system.spawn<Kid>({.name = "nobody"});
    const auto parent = system.spawn<Parent>({.name = "parent"});
    REQUIRE(parent.ask(Look{}).await() == "found, not of that protocol, nobody");
    REQUIRE(stranger.ask(Ping{}).await() == 1);
  });
}
