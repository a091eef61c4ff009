// The index's file: a cache of where events lie, which is folded from the journal in sorted runs.
//
// One table of runs: of a kind and a key, the positions of some events that follow each other, and
// the number of the last. The sum of all rows' checksums stands beside how far the journal is
// folded: a row that is damaged, or missing, makes the file one that is built anew. It is written
// in WAL mode and synced at checkpoints (synchronous=NORMAL): after a loss of power it may be
// behind, and is whole.
#pragma once

#include <atomic>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include <troupe/persistence/event.hpp>

#include "database.hpp"

namespace troupe::persistence::sqlite {

/// What runs are of. Stored: the numbers stay.
enum class RunKind : std::uint8_t { stream = 0, category = 1, tag = 2, type = 3, command = 4 };

/// Some of the events of a key, in order. `last` is the version of the last one in a stream's run,
/// its position in those of categories, tags and types; a command's is the number of its row, and
/// it has no positions.
struct Run {
  RunKind kind{};
  std::string key;
  std::uint64_t last = 0;
  std::vector<Position> positions;
};

/// How far the journal is folded.
struct Folded {
  Position position = 0;
  std::int64_t row = 0;  ///< of commands
};

/// Thread safety: any thread reads; one at a time writes.
class IndexFile {
 public:
  /// Opens the file, and makes it anew where it is of another journal, or not what was written.
  IndexFile(const FileName& name, const HistoryId& history, const Folded& journal_has);

  IndexFile(const IndexFile&) = delete;
  IndexFile& operator=(const IndexFile&) = delete;
  ~IndexFile();

  [[nodiscard]] const Folded& folded() const noexcept { return folded_; }

  /// The number of the last event of a key; 0: there is none.
  [[nodiscard]] std::uint64_t last(RunKind kind, const std::string& key);
  /// Positions of the events that have a larger number than `after`, `max` at most.
  [[nodiscard]] std::vector<Position> positions(RunKind kind, const std::string& key,
                                                std::uint64_t after, std::size_t max);
  /// In order of kind and key, all or none.
  void write(const std::vector<Run>& runs, const Folded& to);

 private:
  [[nodiscard]] bool is_of_journal(const Folded& journal_has);
  void open();
  void make();
  void copy_log();
  void check() const;

  const FileName name_;
  const HistoryId history_;
  Folded folded_;
  std::uint64_t sum_ = 0;  ///< of the rows' checksums

  std::atomic<int> log_pages_ = 0;
  std::atomic<bool> has_failed_ = false;
  std::optional<Database> writer_;
  std::optional<Statement> insert_;
  std::optional<Statement> update_;

  std::mutex reading_;
  std::optional<Database> reader_;
  std::optional<Statement> last_;
  std::optional<Statement> runs_after_;
};

}  // namespace troupe::persistence::sqlite
