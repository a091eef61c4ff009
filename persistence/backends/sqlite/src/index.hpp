// Where the events of each stream and the records of commands lie.
//
// In memory, and built anew each time the journal is opened. It is a cache: whatever is in the
// file and not in here has been appended since.
#pragma once

#include <cstdint>
#include <optional>
#include <shared_mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include <troupe/persistence/event.hpp>

namespace troupe::persistence::sqlite {

/// Thread safety: any thread.
class Index {
 public:
  /// The next event. Throws StoreCorrupt where it does not follow the last of its stream.
  void add(Position position, const std::string& stream, Version version);
  void add_command(std::int64_t row, const std::string& stream, const std::string& command);

  [[nodiscard]] Position last_position() const;
  [[nodiscard]] std::int64_t last_row() const;
  [[nodiscard]] Version head(const std::string& stream) const;
  /// The positions of versions after `after`, `max` at most.
  [[nodiscard]] std::vector<Position> positions(const std::string& stream, Version after,
                                                std::size_t max) const;
  [[nodiscard]] std::optional<std::int64_t> command(const std::string& stream,
                                                    const std::string& command) const;

 private:
  mutable std::shared_mutex lock_;
  std::unordered_map<std::string, std::vector<Position>> streams_;
  std::unordered_map<std::string, std::int64_t> commands_;  ///< by stream, newline, command
  Position last_position_ = 0;
  std::int64_t last_row_ = 0;
};

}  // namespace troupe::persistence::sqlite
