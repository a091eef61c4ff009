// Where the events of streams, categories, tags and types lie, and the records of commands.
//
// What was appended last, the tail, is in memory; the rest is in the index's file. `fold` moves the
// oldest of the tail there, a run at a time, beside all else.
#pragma once

#include <deque>
#include <shared_mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include <troupe/persistence/event.hpp>

#include "index_file.hpp"

namespace troupe::persistence::sqlite {

/// Thread safety: any thread.
class Index {
 public:
  /// Of a journal that ends there; so many events are folded at a time.
  Index(const FileName& name, const HistoryId& history, const Folded& journal_has,
        std::size_t run_events);

  /// The next event. Throws StoreCorrupt where it does not follow the last of its stream.
  void add(const StoredEvent& event);
  void add_command(std::int64_t row, const std::string& stream, const std::string& command);
  /// Moves a run into the file. False: there is too little for one.
  bool fold();

  [[nodiscard]] Position last_position() const;
  [[nodiscard]] std::int64_t last_row() const;
  /// There is enough for a run.
  [[nodiscard]] bool wants_folding() const;
  /// Who appends has to fold first.
  [[nodiscard]] bool is_full() const;
  [[nodiscard]] Version head(const std::string& stream) const;
  /// The positions of versions after `after`, `max` at most.
  [[nodiscard]] std::vector<Position> positions(const std::string& stream, Version after,
                                                std::size_t max) const;
  /// The positions after `after` of a category, tag or type.
  [[nodiscard]] std::vector<Position> positions_of(RunKind kind, const std::string& key,
                                                   Position after, std::size_t max) const;
  [[nodiscard]] std::optional<std::int64_t> command(const std::string& stream,
                                                    const std::string& command) const;

 private:
  /// A stream of the tail; without positions: one whose head is known.
  struct Stream {
    Version folded = 0;  ///< so many of its events are not in the tail
    std::vector<Position> positions;
    [[nodiscard]] Version head() const noexcept { return folded + positions.size(); }
  };
  using Streams = std::unordered_map<std::string, Stream>;
  /// An event of the tail.
  struct Entry {
    Streams::value_type* stream;
    std::uint64_t type;
    std::vector<std::string> tags;
  };

  [[nodiscard]] Streams::value_type& known(const std::string& stream);
  void forget_some();
  [[nodiscard]] static std::vector<Run> runs_of(const std::vector<Entry>& events, Position first);
  void drop(const std::vector<Run>& runs, const Folded& to);

  const std::size_t run_events_;
  mutable IndexFile file_;
  std::mutex folding_;

  mutable std::shared_mutex lock_;
  Streams streams_;
  std::deque<Entry> tail_;                                  ///< from position folded_ + 1
  std::unordered_map<std::string, std::int64_t> commands_;  ///< the tail's
  Position folded_;
  std::int64_t last_row_;
};

/// How a type is named in the index.
[[nodiscard]] std::string type_key(SchemaId type);

}  // namespace troupe::persistence::sqlite
