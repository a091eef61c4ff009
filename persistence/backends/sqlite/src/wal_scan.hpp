// Looks at SQLite's log before SQLite opens it (F4).
//
// SQLite takes the first frame with a bad checksum for the end of the log, and cuts away what
// follows, commits that were acknowledged too. But each frame's stored checksum begins the next
// one's: so it can be seen whether what follows a bad frame is good.
#pragma once

#include <cstdint>

#include "database.hpp"

namespace troupe::persistence::sqlite {

/// What a log has.
struct WalScan {
  std::uint64_t frames = 0;  ///< up to its last commit
  std::uint64_t commits = 0;
  std::uint64_t torn = 0;  ///< frames behind that: never committed, or of an earlier round
};

/// Reads a log (`-wal`), which may be missing or empty. Throws StoreCorrupt where a frame
/// is bad and a later transaction is whole: then the log was damaged, and not torn at its end. A
/// damage of the last transaction can't be told from a torn one: that counts as torn.
[[nodiscard]] WalScan scan_wal(const FileName& log);

}  // namespace troupe::persistence::sqlite
