#include "load.hpp"

namespace troupe::soak {

using namespace std::chrono_literals;

// ---- Crew

void Crew::add(Random random, Duration rest_max, std::function<void(Random&)> act) {
  std::lock_guard guard(mutex_);
  ++busy_;
  threads_.emplace_back(
      [this, random, rest_max, what = std::move(act)] { work(random, rest_max, what); });
}

void Crew::work(Random random, Duration rest_max, const std::function<void(Random&)>& act) {
  const auto rest_us = static_cast<std::uint32_t>(rest_max / 1us) + 1;
  std::unique_lock lock(mutex_);
  for (;;) {
    --busy_;
    changed_.notify_all();
    if (rest_us > 1)
      changed_.wait_for(lock, Duration(1us) * random.below(rest_us), [&] { return is_over_; });
    changed_.wait(lock, [&] { return is_over_ || !is_held_; });
    if (is_over_) return;
    ++busy_;
    lock.unlock();
    act(random);
    lock.lock();
  }
}

void Crew::hold() {
  std::unique_lock lock(mutex_);
  is_held_ = true;
  changed_.wait(lock, [&] { return busy_ == 0; });
}
void Crew::go_on() {
  std::lock_guard guard(mutex_);
  is_held_ = false;
  changed_.notify_all();
}
void Crew::end() {
  {
    std::lock_guard guard(mutex_);
    is_over_ = true;
    changed_.notify_all();
  }
  for (std::thread& thread : threads_) thread.join();
  threads_.clear();
}

// ---- what they do

namespace {

void ask_router(World& world, const Garden& garden, Random& random) {
  const std::uint64_t nonce = random.next();
  AskCount count{*world.books};
  const auto answer = garden.any_router(random)
                          .ask(Job{nonce, 1, text_for(nonce)}, any_timeout(random, true))
                          .try_await();
  count.over(answer);
  if (answer && *answer != nonce + 1) world.books->wrong("the answer to another ask (S12)");
}

void ask_by_name(System& system, World& world, Random& random) {
  const auto found = system.find<Api>(Garden::any_path(random));
  if (!found) return;
  AskCount count{*world.books};
  try {
    static_cast<void>(found->ask(Job{1, 1, text_for(1)}, any_timeout(random, true)).await());
    count.over(Outcome::answered);
  } catch (const AskFailed& failed) {
    count.over(outcome_of(failed.kind()));
  }
}

template <class R>
Result<R, AskError> counted(World& world, Ask<R> ask) {
  AskCount count{*world.books};
  auto result = ask.try_await();
  count.over(result);
  return result;
}

/// A child is terminated by hand, and started again or forgotten.
void administer(World& world, Random& random) {
  const Ref<> supervisor = world.books->any_living(random);
  const auto children = counted(world, which_children(supervisor));
  if (!children || children->empty()) return;
  const ChildInfo& child = (*children)[random.below(static_cast<std::uint32_t>(children->size()))];
  if (child.id.empty()) {
    counted(world, terminate_child(supervisor, child.ref));
    return;
  }
  counted(world, terminate_child(supervisor, child.id));
  if (random.chance(0.9)) {
    counted(world, restart_child(supervisor, child.id));
  } else {
    counted(world, delete_child(supervisor, child.id));
  }
}

}  // namespace

void load_once(System& system, World& world, const Garden& garden, Random& random) {
  world.warm_up(random);
  switch (random.below(8)) {
    case 0: ask_any(world, random, 3, true); break;
    case 1: fetch_any(world, random); break;
    case 2: read_any(world, random); break;
    case 3: ask_router(world, garden, random); break;
    case 4: ask_by_name(system, world, random); break;
    default:
      if (!world.is_ending && world.books->figures().in_flight() < World::in_flight_max)
        tell_any(world, random, {0, 0, 4 + random.below(3)});
  }
}

void disturb_once(System& system, World& world, Random& random) {
  world.warm_up(random);
  const Ref<> victim = world.books->any_living(random);
  switch (random.below(10)) {
    case 0:
    case 1:
    case 2:
      world.books->stop_sent();
      counted(world, system.stop(victim, Duration(1ms) * random.below(100)));
      break;
    case 3: administer(world, random); break;
    default: world.books->kill_sent(); system.kill(victim);
  }
}

}  // namespace troupe::soak
