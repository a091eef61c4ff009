// Seeded faults. In the build with TROUPE_MUTANTS, which `./dev mutants` makes, the environment
// switches on one of those that tests/mutants/mutants.toml lists, to prove that a test catches it.
// In every other build there are none, and nothing is left of the question.
#pragma once

#include <string_view>

namespace troupe::detail {

#if defined(TROUPE_MUTANTS)
/// Whether this fault is on (the environment's TROUPE_MUTANT). Any thread.
[[nodiscard]] bool mutant(std::string_view name) noexcept;
#else
[[nodiscard]] consteval bool mutant(std::string_view) noexcept {
  return false;
}
#endif

}  // namespace troupe::detail
