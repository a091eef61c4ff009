#include "world.hpp"

#include <algorithm>

#include "soak/flatness.hpp"

namespace troupe::soak {

using namespace std::chrono_literals;

std::string text_for(std::uint64_t nonce) {
  constexpr std::size_t lengths[] = {0, 60, 180};  // few: each size has free lists of its own
  return std::string(lengths[nonce % 3], 'x') + std::to_string(nonce);
}

void World::warm_up(Random& random) {
  if (is_warming_up && random.chance(0.001)) fill_caches_of_this_thread();
}

void Peers::add(Random& random, const Peer& peer) {
  std::lock_guard guard(mutex_);
  peers_[random.below(static_cast<std::uint32_t>(peers_.size()))] = peer;
}
void Peers::remove(const Ref<>& peer) {
  std::lock_guard guard(mutex_);
  std::replace(peers_.begin(), peers_.end(), Peer{peer.address()}, Peer{});
}
Peer Peers::any(Random& random) const {
  std::lock_guard guard(mutex_);
  Peer peer;
  for (int looks = 0; looks < 10 && !peer; ++looks)
    peer = peers_[random.below(static_cast<std::uint32_t>(peers_.size()))];
  return peer;
}

Duration any_timeout(Random& random, bool may_be_for_ever) {
  if (may_be_for_ever && random.chance(0.3)) return no_timeout;
  if (random.chance(0.1)) return Duration(1us) * random.below(500);
  return Duration(1ms) * (20 + random.below(300));
}

void ask_any(World& world, Random& random, std::uint32_t depth, bool may_be_for_ever) {
  const Peer peer = world.peers.any(random);
  const std::uint64_t nonce = random.next();
  AskCount count{*world.books};
  auto ask = peer.ask(Job{nonce, depth, text_for(nonce)}, any_timeout(random, may_be_for_ever));
  const auto answer = ask.try_await();
  count.over(answer);
  if (answer && *answer != nonce + 1) world.books->wrong("the answer to another ask (S12)");
}

void fetch_any(World& world, Random& random) {
  const std::uint64_t nonce = random.next();
  const Peer peer = world.peers.any(random);
  AskCount count{*world.books};
  const auto answer = peer.ask(Fetch{nonce}, any_timeout(random, false)).try_await();
  count.over(answer);
  if (answer && *answer != text_for(nonce)) world.books->wrong("the text for another ask (S12)");
}

void read_any(World& world, Random& random) {
  const Peer peer = world.peers.any(random);
  AskCount count{*world.books};
  auto stream = peer.ask(ReadRows{random.below(100)}, any_timeout(random, false)).try_await();
  count.over(stream);
  if (!stream) return;
  stream->set_credit(random.below(20));
  for (std::uint64_t number = 0; !random.chance(0.01); ++number) {
    AskCount next{*world.books};
    const auto row = stream->next(200ms).try_await();
    next.over(row);
    if (!row || !*row) return;
    if ((*row)->number != number) world.books->wrong("a row that is not the next");
  }
}

void tell_any(World& world, Random& random, const Work& work) {
  const Peer peer = world.peers.any(random);
  if (!peer) return;
  world.books->work_told();
  peer.tell(work);
}

}  // namespace troupe::soak
