// Memory for cells: one process-wide arena that is never unmapped.
//
// Design. Chunks, a slab each, belong to one size class and, while it lives, to one System. A slot
// is a cell for ever: a push into a dead or free one is memory-safe, so refs need no count
// (DESIGN.md D1). Generations only grow; a slot whose generation would wrap is retired. The arena
// is the one exception to "no singletons".
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "scheduler/worker.hpp"
#include "slab.hpp"

namespace troupe::detail {

inline constexpr std::size_t cell_header_bytes = 128;
inline constexpr std::size_t cell_class_bytes[cell_classes] = {192, 256, 384, 512};

/// The class for an object of this size; objects that fit none live on the heap, in a cell of class
/// 0.
std::size_t cell_class_of(std::size_t object_bytes, std::size_t object_align) noexcept;
inline bool object_is_inline(std::size_t object_bytes, std::size_t object_align) noexcept {
  return object_bytes <= cell_class_bytes[cell_classes - 1] - cell_header_bytes &&
         object_align <= 64;
}

struct Chunk {
  std::byte* cells;
  std::size_t cell_class;
  std::uint32_t count;
  std::uint32_t used = 0;  ///< cells its System has handed out so far, from the front
  std::uint32_t made = 0;  ///< cells that exist, from the front; they exist for ever
};

/// Chunks nobody uses. Process-wide. Thread safety: any thread.
class Arena {
 public:
  static Chunk take(std::size_t cell_class);
  /// All its cells are free and asleep, and no thread of their System is left.
  static void give(Chunk chunk);
};

}  // namespace troupe::detail
