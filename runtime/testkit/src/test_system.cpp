#include <troupe/testkit/test_system.hpp>

#include <troupe/runtime/error.hpp>
#include <troupe/runtime/random.hpp>

#include "seeded_executor.hpp"
#include "stepped_executor.hpp"
#include "system_core.hpp"

namespace troupe::testkit {

namespace detail {

TestParts::TestParts(std::uint64_t s, Schedule schedule, SystemOptions given)
    : seed(s), clock(std::make_shared<ManualClock>()), options(std::move(given)) {
  options.clock = clock;
  options.seed = seed == 0 ? 1 : seed;
  if (options.log == nullptr) options.log = no_log();
  if (schedule == Schedule::seeded) {
    Random random(options.seed);
    const auto world = std::make_shared<SeededWorld>(random.next());
    clock = world->clock();
    options.clock = clock;
    run_in(world, random);
  } else {
    options.executor = std::make_shared<SteppedExecutor>(clock);
    if (options.workers == 0) options.workers = 2;
  }
}

TestParts::TestParts(std::shared_ptr<SeededWorld> world, SystemOptions given)
    : seed(world->random().next() | 1), clock(world->clock()), options(std::move(given)) {
  options.clock = clock;
  options.seed = seed;
  if (options.log == nullptr) options.log = no_log();
  run_in(world, world->random());
}

void TestParts::run_in(const std::shared_ptr<SeededWorld>& world, Random& random) {
  const auto executor = std::make_shared<SeededExecutor>(world);
  options.executor = executor;
  options.observers.push_back(executor);  // ends belong to the trace
  options.messages_per_turn_max =
      1 + random.below(8);  // short turns, so that more schedules are seen
}

}  // namespace detail

TestSystem::TestSystem(std::shared_ptr<SeededWorld> world, SystemOptions options)
    : TestParts(std::move(world), std::move(options)), System(TestParts::options) {}

TestSystem::TestSystem(std::uint64_t seed, Schedule schedule, SystemOptions options)
    : TestParts(seed, schedule, std::move(options)), System(TestParts::options) {}

void TestSystem::settle() {
  run_until([] { return false; }, Duration::zero());
}

void TestSystem::advance(Duration d) {
  run_until([] { return false; }, d);
}

bool TestSystem::run_until(const std::function<bool()>& over, Duration limit) {
  const std::atomic<std::uint32_t> nothing{0};
  core().executor().wait_outside(over, nothing, clock->now() + limit);
  return over();
}

std::uint64_t TestSystem::trace_hash() const {
  const auto* seeded = dynamic_cast<const detail::SeededExecutor*>(&core().executor());
  return seeded == nullptr ? 0 : seeded->trace_hash();
}

void TestSystem::on_send(
    std::function<void(const troupe::detail::Address& to, troupe::detail::Envelope&)> see) {
  auto* seeded = dynamic_cast<detail::SeededExecutor*>(&core().executor());
  if (seeded == nullptr) throw UsageError("on_send needs a seeded schedule");
  seeded->see_with(std::move(see));
}

}  // namespace troupe::testkit
