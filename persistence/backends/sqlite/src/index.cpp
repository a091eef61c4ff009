#include "index.hpp"

#include <algorithm>
#include <mutex>

#include <troupe/persistence/store.hpp>

namespace troupe::persistence::sqlite {

namespace {
/// A stream's name has no newline.
std::string key_of(const std::string& stream, const std::string& command) {
  return stream + "\n" + command;
}
}  // namespace

void Index::add(Position position, const std::string& stream, Version version) {
  const std::lock_guard guard(lock_);
  if (position != last_position_ + 1)
    throw StoreCorrupt("after event " + std::to_string(last_position_) + " comes event " +
                       std::to_string(position) + ": some are missing");
  auto& positions = streams_[stream];
  if (version != positions.size() + 1)
    throw StoreCorrupt("event " + std::to_string(position) + " is version " +
                       std::to_string(version) + " of " + stream + ", whose last version is " +
                       std::to_string(positions.size()));
  positions.push_back(position);
  last_position_ = position;
}

void Index::add_command(std::int64_t row, const std::string& stream, const std::string& command) {
  const std::lock_guard guard(lock_);
  commands_[key_of(stream, command)] = row;
  last_row_ = row;
}

Position Index::last_position() const {
  const std::shared_lock guard(lock_);
  return last_position_;
}
std::int64_t Index::last_row() const {
  const std::shared_lock guard(lock_);
  return last_row_;
}

Version Index::head(const std::string& stream) const {
  const std::shared_lock guard(lock_);
  const auto found = streams_.find(stream);
  return found == streams_.end() ? 0 : found->second.size();
}

std::vector<Position> Index::positions(const std::string& stream, Version after,
                                       std::size_t max) const {
  const std::shared_lock guard(lock_);
  const auto found = streams_.find(stream);
  if (found == streams_.end()) return {};
  const auto& all = found->second;
  const std::size_t from = std::min<std::size_t>(after, all.size());
  const std::size_t count = std::min(max, all.size() - from);
  const auto first = all.begin() + static_cast<std::ptrdiff_t>(from);
  return {first, first + static_cast<std::ptrdiff_t>(count)};
}

std::optional<std::int64_t> Index::command(const std::string& stream,
                                           const std::string& command) const {
  const std::shared_lock guard(lock_);
  const auto found = commands_.find(key_of(stream, command));
  if (found == commands_.end()) return std::nullopt;
  return found->second;
}

}  // namespace troupe::persistence::sqlite
