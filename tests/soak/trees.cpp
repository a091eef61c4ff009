#include "trees.hpp"

#include <algorithm>

namespace troupe::soak {

using namespace std::chrono_literals;

namespace {

constexpr std::size_t trees = 8;
constexpr std::size_t nurseries = 3;
constexpr std::size_t routers = 4;
constexpr std::size_t loose_ones = 10;  ///< anonymous, below nobody
constexpr std::uint32_t depth_max = 3;

SupervisorOptions any_options(Random& random) {
  SupervisorOptions options;
  const Strategy strategies[] = {one_for_one, one_for_all, rest_for_one, dynamic};
  options.strategy = strategies[random.below(4)];
  options.restarts_max = 2 + random.below(10);
  options.within = 1s;
  if (random.chance(0.3)) options.backoff = Backoff{.min = 5ms, .max = 100ms, .mail_max = 20};
  const Decision decisions[] = {Decision::restart, Decision::resume, Decision::stop,
                                Decision::escalate};
  if (random.chance(0.3)) options.decider = Decider{}.otherwise(decisions[random.below(4)]);
  if (random.chance(0.2)) options.auto_shutdown = AutoShutdown::any_significant;
  return options;
}

ChildSpec any_spec(Random& random, std::string id, const SupervisorOptions& options) {
  ChildSpec spec;
  spec.id = std::move(id);
  const Restart restarts[] = {Restart::permanent, Restart::permanent, Restart::transient,
                              Restart::temporary};
  spec.restart = restarts[random.below(4)];
  if (random.chance(0.2)) spec.shutdown = Shutdown::brutal_kill();
  if (random.chance(0.2)) spec.shutdown = 20ms;
  spec.significant = options.auto_shutdown != AutoShutdown::never &&
                     spec.restart != Restart::permanent && random.chance(0.5);
  return spec;
}

/// A supervisor that takes what all take.
class Minder : public Supervisor<Api> {
 public:
  Minder(World* world, SupervisorOptions options)
      : Supervisor(std::move(options)),
        world_(*world),
        random_(world->new_random()),
        voice_(world->books->new_voice()) {}
  ~Minder() override { world_.books->voice_ended(voice_); }
  Minder(const Minder&) = delete;
  Minder& operator=(const Minder&) = delete;

  void on_start() override { world_.peers.add(random_, self()); }
  void on_stop(StopReason) override { world_.peers.remove(self()); }
  void receive(const Work&) { world_.books->work_handled(); }
  std::uint64_t receive(const Job& m) { return m.nonce + 1; }
  std::string receive(const Fetch& m) { return text_for(m.nonce); }
  void receive(const ReadRows&, StreamTo<Row> out) { out.refuse("a supervisor has no rows"); }

 protected:
  World& world_;
  Random random_;

 private:
  const std::uint64_t voice_;
};

/// A part of a tree: some children, of which some are such parts again.
class Branch final : public Minder {
 public:
  Branch(World* world, std::uint32_t depth, SupervisorOptions options)
      : Minder(world, options), options_(std::move(options)), depth_(depth) {}
  void on_start() override {
    Minder::on_start();
    const std::uint32_t children = 1 + random_.below(4);
    for (std::uint32_t i = 0; i < children; ++i) {
      ChildSpec spec = any_spec(random_, "child-" + std::to_string(i), options_);
      if (depth_ > 1 && random_.chance(0.5)) {
        start_child<Branch>(std::move(spec), &world_, depth_ - 1, any_options(random_));
      } else {
        Role role = any_role(world_, random_, 0);
        spec.options = std::move(role.options);
        start_child(std::move(spec), role.factory);
      }
    }
  }

 private:
  const SupervisorOptions options_;
  const std::uint32_t depth_;
};

/// Children that come when there is work, and go when they like.
class Nursery final : public Minder {
 public:
  explicit Nursery(World* world)
      : Minder(world, {.strategy = dynamic, .restarts_max = 100, .within = 1s}) {}
  using Minder::receive;
  void receive(const Work& m) {
    Minder::receive(m);
    if (m.fuel == 0 || world_.is_calm || count_children().active >= 15) return;
    ChildSpec spec = any_spec(random_, "", {});
    if (spec.restart == Restart::permanent) spec.restart = Restart::temporary;
    Role role = any_role(world_, random_, 1);
    spec.options = std::move(role.options);
    try {
      start_child(std::move(spec), role.factory);
    } catch (const StartFailed&) {  // by chance: such children are
    }
  }
};

}  // namespace

Garden::Garden(System& system, World& world)
    : system_(system), world_(world), random_(world.new_random()), routers_(routers) {
  for (std::size_t i = 0; i < trees; ++i) beds_.push_back({"tree-" + std::to_string(i), {}});
  for (std::size_t i = 0; i < nurseries; ++i) beds_.push_back({"nursery-" + std::to_string(i), {}});
  for (std::size_t i = 0; i < routers; ++i) beds_.push_back({"router-" + std::to_string(i), {}});
  for (std::size_t i = 0; i < loose_ones; ++i) beds_.push_back({"", {}});
}

void Garden::tend() {
  for (std::size_t i = 0; i < beds_.size(); ++i) {
    if (world_.books->lives(beds_[i].root)) continue;
    try {
      plant(beds_[i], i);
    } catch (const NameTaken&) {  // by its predecessor, which is about to be gone
    }
  }
}

bool Garden::is_whole() const {
  return std::all_of(beds_.begin(), beds_.end(),
                     [&](const Bed& bed) { return world_.books->lives(bed.root); });
}

void Garden::plant(Bed& bed, std::size_t number) {
  const SpawnOptions options{.name = bed.name, .guardian = Guardian::no};
  if (number < trees) {
    bed.root = system_.spawn<Branch>(options, &world_, depth_max, any_options(random_));
  } else if (number < trees + nurseries) {
    bed.root = system_.spawn<Nursery>(options, &world_);
  } else if (number < trees + nurseries + routers) {
    const std::size_t kind = number - trees - nurseries;
    bed.root = plant_router(kind, options);
    std::lock_guard guard(mutex_);
    routers_[kind] = Ref<JobApi>{bed.root.address()};
  } else {
    Role role = any_role(world_, random_, 0);
    // One only: of each thread that ever was ASan keeps a record, some KB that would look like a
    // leak.
    role.options.pinned = number + 1 == beds_.size();
    bed.root = system_.spawn(role.factory, role.options);
  }
}

Ref<> Garden::plant_router(std::size_t kind, const SpawnOptions& options) {
  const Factory<JobApi> one = routee(world_);
  SupervisorOptions supervision{.restarts_max = 5, .within = 1s};
  switch (kind) {
    case 0: return system_.spawn(pool(3, one, round_robin, supervision), options);
    case 1: return system_.spawn(pool(3, one, least_loaded, supervision), options);
    case 2: return system_.spawn(pool(2, one, scatter_gather_first(100ms), supervision), options);
    default: {
      std::vector<Ref<JobApi>> members;
      for (int i = 0; i < 5; ++i) members.push_back(world_.peers.any(random_));
      return system_.spawn(group(std::move(members), random_routee), options);
    }
  }
}

Ref<JobApi> Garden::any_router(Random& random) const {
  std::lock_guard guard(mutex_);
  return routers_[random.below(routers)];
}

std::string Garden::any_path(Random& random) {
  return "/tree-" + std::to_string(random.below(trees)) + "/child-" +
         std::to_string(random.below(4));
}

std::vector<std::string> check_supervisors(const System& system) {
  std::vector<std::string> found;
  const std::vector<ActorInfo> actors = system.actors();
  for (const ActorInfo& a : actors) {
    const auto counts = count_children(a.ref).try_await();
    if (!counts) continue;  // no supervisor
    const auto below = std::count_if(actors.begin(), actors.end(),
                                     [&](const ActorInfo& b) { return b.parent == a.ref; });
    if (counts->active != static_cast<std::size_t>(below))
      found.push_back(a.path + " knows of " + std::to_string(counts->active) + " children, but " +
                      std::to_string(below) + " are there");
    const auto children = which_children(a.ref).try_await();
    for (const ChildInfo& child : children ? *children : std::vector<ChildInfo>{}) {
      const bool is_there = std::any_of(actors.begin(), actors.end(),
                                        [&](const ActorInfo& b) { return b.ref == child.ref; });
      if (child.is_restarting || (child.ref && !is_there))
        found.push_back(a.path + " waits for its child " + child.id + " for ever");
    }
  }
  return found;
}

}  // namespace troupe::soak
