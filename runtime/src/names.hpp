// Names: paths to actors, in shards so that spawning threads don't meet.
#pragma once

#include <array>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include <troupe/runtime/detail/envelope.hpp>

namespace troupe::detail {

/// Thread safety: any thread.
class Names {
 public:
  /// False: the path is taken.
  bool add(const std::string& path, const Address& actor);
  void remove(const std::string& path, const Address& actor);
  /// The path of a named actor, by its serial; empty when it has none or has ended.
  [[nodiscard]] std::string path_of(std::uint32_t serial) const;
  [[nodiscard]] std::optional<Address> find(std::string_view path) const;

 private:
  struct Shard {
    mutable std::mutex lock;
    std::unordered_map<std::string, Address> actors;
    std::unordered_map<std::uint32_t, std::string> paths;
  };
  Shard& shard(std::string_view path) {
    return shards_[std::hash<std::string_view>{}(path) % shards_.size()];
  }
  std::array<Shard, 16> shards_;
};

/// Throws UsageError with the reason when `name` can't be an actor's name.
void check_name(std::string_view name);

}  // namespace troupe::detail
