#include "names.hpp"

#include <algorithm>
#include <utility>

#include <troupe/runtime/detail/mutant.hpp>
#include <troupe/runtime/error.hpp>

namespace troupe::detail {

bool Names::add(const std::string& path, const Address& actor) {
  const std::string* stored = nullptr;  // stays where it is, whatever else is added
  {
    Paths& s = by_path_[shard_of(path)];
    std::lock_guard guard(s.lock);
    const auto [at, is_new] = s.actors.emplace(path, actor);
    if (!is_new) return false;
    stored = &at->first;
  }
  Serials& s = by_serial_[actor.serial % shards];
  std::lock_guard guard(s.lock);
  s.paths.emplace(actor.serial, stored);
  return true;
}

std::string Names::remove(std::uint32_t serial) {
  const std::string* stored = nullptr;
  {
    Serials& s = by_serial_[serial % shards];
    std::lock_guard guard(s.lock);
    const auto found = s.paths.find(serial);
    if (found == s.paths.end()) return {};
    stored = found->second;
    s.paths.erase(found);
  }
  {
    Paths& s = by_path_[shard_of(*stored)];  // only who ends the actor removes it
    std::lock_guard guard(s.lock);
    const auto found = s.actors.find(*stored);
    if (found != s.actors.end() && found->second.serial == serial)
      return std::move(s.actors.extract(found).key());
  }
  std::lock_guard guard(former_lock_);
  return std::move(former_.extract(serial).mapped().key());
}

void Names::free_from(const std::string& path, std::uint32_t serial) {
  {
    const Paths& s = by_path_[shard_of(path)];
    std::lock_guard guard(s.lock);
    const auto found = s.actors.find(path);
    if (found == s.actors.end() || (found->second.serial != serial && !mutant("frees_any_name")))
      return;
  }
  const std::string below = path + "/";
  for (Paths& s : by_path_) {
    std::lock_guard guard(s.lock);
    for (auto at = s.actors.begin(); at != s.actors.end();) {
      const auto entry = at++;
      if (entry->first != path && !entry->first.starts_with(below)) continue;
      auto node = s.actors.extract(entry);  // the table by serial points into it
      std::lock_guard former_guard(former_lock_);
      const std::uint32_t owner = node.mapped().serial;
      former_.emplace(owner, std::move(node));
    }
  }
}

std::string Names::path_of(std::uint32_t serial) const {
  const Serials& s = by_serial_[serial % shards];
  std::lock_guard guard(s.lock);  // as long as it is in here the path is there
  const auto found = s.paths.find(serial);
  return found == s.paths.end() ? std::string() : *found->second;
}

std::optional<Address> Names::find(std::string_view path) const {
  const Paths& s = by_path_[shard_of(path)];
  std::lock_guard guard(s.lock);
  const auto found = s.actors.find(path);
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
