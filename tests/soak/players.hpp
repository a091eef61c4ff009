// The actors of a soak: each handles the same messages in another form of handler.
#pragma once

#include <troupe/runtime/runtime.hpp>

#include "soak/world.hpp"

namespace troupe::soak {

/// How to build an actor of some kind, and how it is spawned.
struct Role {
  Factory<Api> factory;
  SpawnOptions options;
};
/// Any kind, with options that suit it: bounds, priorities, trapped exits.
/// `level`: how deep below a supervisor; the third spawns no children.
[[nodiscard]] Role any_role(World& world, Random& random, std::uint32_t level);
/// One whose handlers wait, for routers.
[[nodiscard]] Factory<Api> routee(World& world);

}  // namespace troupe::soak
