// Names: paths to actors, in shards so that spawning threads don't meet.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include <troupe/runtime/detail/envelope.hpp>

namespace troupe::detail {

/// Who has a path, and the path of whom. A path is stored once, where it leads to its actor; the
/// table by serial points there.
/// Thread safety: any thread.
class Names {
 public:
  /// False: the path is taken.
  bool add(const std::string& path, const Address& actor);
  /// The path it had; empty: none.
  std::string remove(std::uint32_t serial);
  /// Others may take this actor's path and those below it, whose actors may still be alive. Does
  /// nothing if another has its path already.
  void free_from(const std::string& path, std::uint32_t serial);
  /// The path of a named actor, by its serial; empty when it has none or has ended.
  [[nodiscard]] std::string path_of(std::uint32_t serial) const;
  [[nodiscard]] std::optional<Address> find(std::string_view path) const;

 private:
  struct Hash {  // not std::hash, whose results would be kept beside each path
    using is_transparent = void;
    std::size_t operator()(std::string_view path) const noexcept {
      return std::hash<std::string_view>{}(path);
    }
  };
  using Table = std::unordered_map<std::string, Address, Hash, std::equal_to<>>;
  struct Paths {
    mutable std::mutex lock;
    Table actors;
  };
  struct Serials {
    mutable std::mutex lock;
    std::unordered_map<std::uint32_t, const std::string*> paths;
  };
  static constexpr std::size_t shards = 16;
  [[nodiscard]] std::size_t shard_of(std::string_view path) const noexcept {
    return Hash{}(path) / 64 % shards;  // the table itself uses the lowest bits
  }
  std::array<Paths, shards> by_path_;
  std::array<Serials, shards> by_serial_;
  std::mutex former_lock_;
  std::unordered_map<std::uint32_t, Table::node_type> former_;  ///< paths of those freed, by serial
};

/// Throws UsageError with the reason when `name` can't be an actor's name.
void check_name(std::string_view name);

}  // namespace troupe::detail
