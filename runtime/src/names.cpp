#include "names.hpp"

#include <algorithm>

#include <troupe/runtime/error.hpp>

namespace troupe::detail {

bool Names::add(const std::string& path, const Address& actor) {
  {
    Shard& s = shard(path);
    std::lock_guard guard(s.lock);
    if (!s.actors.emplace(path, actor).second) return false;
  }
  Shard& s = shards_[actor.serial % shards_.size()];
  std::lock_guard guard(s.lock);
  s.paths.emplace(actor.serial, path);
  return true;
}

void Names::remove(const std::string& path, const Address& actor) {
  {
    Shard& s = shard(path);
    std::lock_guard guard(s.lock);
    s.actors.erase(path);
  }
  Shard& s = shards_[actor.serial % shards_.size()];
  std::lock_guard guard(s.lock);
  s.paths.erase(actor.serial);
}

std::string Names::path_of(std::uint32_t serial) const {
  const Shard& s = shards_[serial % shards_.size()];
  std::lock_guard guard(s.lock);
  const auto found = s.paths.find(serial);
  return found == s.paths.end() ? std::string() : found->second;
}

std::optional<Address> Names::find(std::string_view path) const {
  const Shard& s = const_cast<Names*>(this)->shard(path);
  std::lock_guard guard(s.lock);
  const auto found = s.actors.find(std::string(path));
  if (found == s.actors.end()) return std::nullopt;
  return found->second;
}

void check_name(std::string_view name) {
  const auto allowed = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '_' || c == '.' || c == ':';
  };
  const auto bad = std::find_if_not(name.begin(), name.end(), allowed);
  if (bad == name.end()) return;
  throw UsageError("the actor name \"" + std::string(name) + "\" has a '" + std::string(1, *bad) +
                   "'; letters, digits and - _ . : are allowed");
}

}  // namespace troupe::detail
