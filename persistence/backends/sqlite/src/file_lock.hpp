// Whoever has the lock file is the only one who has the journal (F27): for liveness. That nobody
// else writes is the epoch's.
#pragma once

#include <string>

namespace troupe::persistence::sqlite {

/// A lock of the open file, which ends with its process, however that ends.
/// Thread safety: made and ended by one thread.
class FileLock {
 public:
  /// Throws StoreFailed where another one has it, with its process's number.
  explicit FileLock(const std::string& path);
  FileLock(const FileLock&) = delete;
  FileLock& operator=(const FileLock&) = delete;
  ~FileLock();

 private:
  int file_;
};

}  // namespace troupe::persistence::sqlite
