#include <troupe/runtime/detail/ref_names.hpp>

#include <algorithm>
#include <functional>
#include <mutex>
#include <set>
#include <string>

#include <troupe/runtime/detail/remote.hpp>
#include <troupe/runtime/error.hpp>

#include "cell.hpp"
#include "system_core.hpp"

namespace troupe::detail {

bool has_ended(const Address& actor) noexcept {
  return actor.cell->generation.load(std::memory_order_relaxed) !=
         actor.generation;  // it only grows: seen soon enough
}

std::uint64_t ActorNumbers::of(const Address& actor) {
  const std::lock_guard guard(lock_);
  const auto [at, is_new] = numbers_.try_emplace(Life(actor), last_ + 1);
  if (!is_new) return at->second;
  if (static_cast<std::uint32_t>(++last_) == 0) ++last_;  // see RemoteActors
  at->second = last_;
  actors_.emplace(last_, actor);
  if (actors_.size() >= look_at_) forget_ended();
  return last_;
}

Address ActorNumbers::find(std::uint64_t number) {
  const std::lock_guard guard(lock_);
  const auto found = actors_.find(number);
  return found != actors_.end() && !has_ended(found->second) ? found->second : Address{};
}

std::size_t ActorNumbers::size() const {
  const std::lock_guard guard(lock_);
  return actors_.size();
}

/// Looks at all when there are twice as many as lived the last time.
void ActorNumbers::forget_ended() {
  for (auto at = actors_.begin(); at != actors_.end();) {
    const Address actor = at->second;
    if (!has_ended(actor)) {
      ++at;
      continue;
    }
    numbers_.erase(Life(actor));
    at = actors_.erase(at);
  }
  look_at_ = std::max<std::size_t>(1024, 2 * actors_.size());
}

void set_ref_names(System& system, std::shared_ptr<RefNames> names) {
  system.core().set_ref_names(std::move(names));
}
RefNames* ref_names(System& system) noexcept {
  return system.core().ref_names();
}

WireRef wire_name(const Address& actor) {
  WireRef name;
  with_system_of(actor, [&](SystemCore& core) {
    if (const auto remote = remote_name(actor)) {
      name = *remote;
      return;
    }
    RefNames* names = core.ref_names();
    if (names == nullptr) {
      throw UsageError(
          "a ref to an actor of a System that is no node can't leave the process: make a Node of "
          "it first");
    }
    name = names->name(actor);
  });
  return name;
}

std::string_view kept_for_ever(std::string_view text) {
  struct Kept {
    std::mutex lock;
    std::set<std::string, std::less<>> texts;
  };
  static auto* kept = new Kept;  // never destroyed: names outlive every System
  const std::lock_guard guard(kept->lock);
  const auto found = kept->texts.find(text);
  return found != kept->texts.end() ? *found : *kept->texts.emplace(text).first;
}

}  // namespace troupe::detail
