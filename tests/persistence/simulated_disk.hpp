// A machine's disk, as a layer of files for SQLite (F18): it loses what was not synced, tears, and
// fails where a test says.
//
// Each file is what was synced, and the changes since. What processes share and lose when they end
// (locks, SQLite's shared memory) is here, too. A write of a crashed machine tears at 512 bytes.
#pragma once

#include <sqlite3.h>

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include <troupe/runtime/random.hpp>

namespace troupe::test {

/// Thread safety: any thread; what goes wrong is set while nobody uses it.
class SimulatedDisk {
 public:
  enum class Operation : std::uint8_t { read, write, truncate, sync, remove };
  /// What of the changes that were not synced a loss of power leaves.
  enum class Left : std::uint8_t { nothing, the_first, some };

  explicit SimulatedDisk(std::uint64_t seed);
  SimulatedDisk(const SimulatedDisk&) = delete;
  SimulatedDisk& operator=(const SimulatedDisk&) = delete;
  ~SimulatedDisk();

  /// SQLite's name of this disk.
  [[nodiscard]] const std::string& layer() const noexcept { return layer_; }

  /// How many there were so far.
  [[nodiscard]] std::uint64_t count(Operation operation) const;
  /// Of all that change something.
  [[nodiscard]] std::uint64_t changes() const;

  /// The nth from now fails once with a code of SQLite's. A write that fails short has written
  /// half.
  void fail(Operation operation, std::uint64_t nth, int code, bool is_short = false);
  /// The nth change from now, or whatever comes next, is not made, nor anything after it: its
  /// process is dead. A write may be made in part.
  void crash_at_change(std::uint64_t nth);
  void crash();
  [[nodiscard]] bool has_crashed() const;
  [[nodiscard]] bool has_failed() const;

  /// The process starts again: nobody has a lock, and the files are as they were written.
  void restart();
  /// The machine starts again after a loss of power.
  void restart_without_power(Left left);

 private:
  struct Change {
    std::size_t at = 0;
    std::vector<unsigned char> bytes;
    bool is_end = false;  ///< the file ends there
  };
  struct Shared {
    std::vector<std::unique_ptr<std::array<char, 32768>>> regions;
    std::array<int, SQLITE_SHM_NLOCK> locks{};  ///< -1: one has it alone; else so many share it
  };
  struct File {
    std::vector<unsigned char> written;
    std::vector<unsigned char> synced;
    std::vector<Change> unsynced;
    std::shared_ptr<Shared> shared;
    int readers = 0;
    const void* reserved = nullptr;  ///< the handle that has that lock
    const void* pending = nullptr;
    const void* exclusive = nullptr;
  };
  using Names = std::map<std::string, std::shared_ptr<File>>;
  struct Handle;
  struct Calls;

  [[nodiscard]] int before(Operation operation);
  void change(File& file, Change change);
  static void apply(std::vector<unsigned char>& to, const Change& change);
  void tear(File& file, Change change);
  void lose(File& file, Left left);

  mutable std::mutex lock_;
  Random random_;
  const std::string layer_;
  std::unique_ptr<sqlite3_vfs> vfs_;
  Names names_;
  Names synced_names_;
  std::uint64_t life_ = 1;
  bool has_crashed_ = false;

  std::array<std::uint64_t, 5> counts_{};
  Operation failing_ = Operation::read;
  std::uint64_t fails_at_ = 0;  ///< of counts_; 0: never
  int fails_with_ = SQLITE_OK;
  bool fails_short_ = false;
  bool has_failed_ = false;
  std::uint64_t crashes_at_ = 0;  ///< of changes; 0: never
};

}  // namespace troupe::test
