#include "arena.hpp"

#include <array>
#include <mutex>
#include <utility>

#include "cell.hpp"
#include "spin_lock.hpp"

namespace troupe::detail {

namespace {

struct FreeChunks {
  SpinLock lock;
  std::array<std::vector<Chunk>*, cell_classes> chunks{};
  std::array<bool, cell_classes> has_mapped{};
};
constinit FreeChunks free_chunks;  // never destroyed: stale refs may outlive main

}  // namespace

std::size_t cell_class_of(std::size_t object_bytes, std::size_t object_align) noexcept {
  if (!object_is_inline(object_bytes, object_align)) return 0;
  std::size_t c = 0;
  while (object_bytes > cell_class_bytes[c] - cell_header_bytes) ++c;
  return c;
}

Chunk Arena::take(std::size_t cell_class) {
  bool is_first = false;
  {
    std::lock_guard guard(free_chunks.lock);
    is_first = !std::exchange(free_chunks.has_mapped[cell_class], true);
    auto* chunks = free_chunks.chunks[cell_class];
    if (chunks != nullptr && !chunks->empty()) {
      const Chunk chunk = chunks->back();
      chunks->pop_back();
      return chunk;
    }
  }
  std::byte* const slab = map_slab(is_first ? PageSize::small : PageSize::huge);
  return {slab, cell_class, static_cast<std::uint32_t>(slab_bytes / cell_class_bytes[cell_class])};
}

void Arena::give(Chunk chunk) {
  std::lock_guard guard(free_chunks.lock);
  auto*& chunks = free_chunks.chunks[chunk.cell_class];
  if (chunks == nullptr) chunks = new std::vector<Chunk>();
  chunk.used = 0;  // its cells stay cells, with their generations
  chunks->push_back(chunk);
}

}  // namespace troupe::detail
