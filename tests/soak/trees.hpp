// The supervisors of a soak, and what stands at the top of its System.
#pragma once

#include <vector>

#include <troupe/supervision/supervision.hpp>

#include "soak/players.hpp"

namespace troupe::soak {

/// Keeps the top of the System as it should be: named trees, nurseries, routers and a few others.
/// Who has ended is spawned again under its name. Thread safety: one thread at a time, `any_router`
/// any.
class Garden {
 public:
  Garden(System& system, World& world);
  /// Spawns what is missing.
  void tend();
  [[nodiscard]] bool is_whole() const;
  [[nodiscard]] Ref<JobApi> any_router(Random& random) const;
  /// The path of any tree's child, which may be there.
  [[nodiscard]] static std::string any_path(Random& random);

 private:
  struct Bed {
    std::string name;
    Ref<> root;
  };
  void plant(Bed& bed, std::size_t number);
  Ref<> plant_router(std::size_t kind, const SpawnOptions& options);

  System& system_;
  World& world_;
  Random random_;
  std::vector<Bed> beds_;
  mutable std::mutex mutex_;
  std::vector<Ref<JobApi>> routers_;
};

/// What of the supervisors' own view differs from the list of actors. At rest.
[[nodiscard]] std::vector<std::string> check_supervisors(const System& system);

}  // namespace troupe::soak
