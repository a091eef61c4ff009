// Whether a journal is what a journal has to be.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include <troupe/persistence/journal.hpp>

namespace troupe::persistence {

/// What a journal has, and what is wrong with it.
struct Verified {
  std::uint64_t events = 0;
  std::uint64_t deleted = 0;  ///< of those
  std::uint64_t streams = 0;
  std::vector<std::string> findings;  ///< empty: nothing; 100 at most
};

/// Reads all events there were when it began, and checks that positions have no gaps, versions of
/// each stream follow each other (S125: two of one version are two writers'), each stream lies in
/// its slice, and no head is behind the events. What can't be read is a finding, and ends its
/// slice. Repairs nothing. Waits as Ask::await does, beside all else that the journal does.
[[nodiscard]] Verified verify(const Journal& journal);

}  // namespace troupe::persistence
