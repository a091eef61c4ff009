// Memory for envelopes: blocks of a few sizes from per-thread caches, the rest from the heap.
//
// Design. A thread takes and gives blocks at its own cache without a lock. A cache that runs empty
// or over exchanges a batch with the process-wide depot, so the drift of fan-in (allocated here,
// freed there) costs one lock per batch. Blocks are never returned to the system. Under sanitizers
// every block comes from the heap, to be checked.
#pragma once

#include <cstddef>
#include <cstdint>
#include <iterator>
#include <new>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define TROUPE_PLAIN_HEAP 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define TROUPE_PLAIN_HEAP 1
#endif
#endif
#ifndef TROUPE_PLAIN_HEAP
#define TROUPE_PLAIN_HEAP 0
#endif

namespace troupe::detail {

struct Block {
  Block* next;
  Block* next_batch;     ///< of a batch's first
  std::uint32_t blocks;  ///< in the batch; of its first, where the depot has it
};
/// Bytes by class. A told message of up to 8 bytes takes 48: who is flooded waits for memory more
/// than for instructions, so a quarter of it is worth the lines that two blocks share.
inline constexpr std::uint16_t block_bytes[] = {48, 64, 128, 256};
inline constexpr std::uint16_t block_classes = std::size(block_bytes);
struct BlockCache {
  Block* free[block_classes];
  std::uint32_t count[block_classes];
};
/// Its place is fixed when the program is loaded: else each use would be a call.
[[gnu::tls_model("initial-exec")]] extern constinit thread_local BlockCache block_cache;
/// The same as allocate_block, with what it seldom needs.
[[gnu::noinline]] void* allocate_slowly(std::uint16_t size_class, std::size_t bytes);

/// The size class of a block of at least this many bytes. It is aligned to 64 but in the first
/// class, where it is to 16.
inline std::uint16_t size_class_of(std::size_t bytes) noexcept {
  if (TROUPE_PLAIN_HEAP) return block_classes;
  std::uint16_t size_class = 0;
  while (size_class < block_classes && bytes > block_bytes[size_class]) ++size_class;
  return size_class;
}
/// A block that waits in this thread's cache; null: allocate_slowly has to see to it.
inline void* take_cached_block(std::uint16_t size_class) noexcept {
  if (size_class == block_classes) return nullptr;
  BlockCache& c = block_cache;
  Block* const block = c.free[size_class];
  if (block == nullptr) return nullptr;
  c.free[size_class] = block->next;
  --c.count[size_class];
  return block;
}
/// Any thread. Throws std::bad_alloc.
inline void* allocate_block(std::uint16_t size_class, std::size_t bytes) {
  void* const block = take_cached_block(size_class);
  return block != nullptr ? block : allocate_slowly(size_class, bytes);
}
/// Not inlined: after a handler the thread may be another, and a compiler that sees two uses of
/// block_cache in one function may keep its address from the first.
[[gnu::noinline]] void free_block(std::uint16_t size_class, void* block) noexcept;
/// Bytes of blocks that nobody uses: they are kept, and still the process's.
std::uint64_t free_block_bytes() noexcept;
/// Bytes of blocks that are in use, or in the cache of another thread. For tests: they lie in
/// slabs, where no leak checker sees them.
std::uint64_t block_bytes_in_use();
/// Gives this thread's cache back to the depot: before a thread of ours ends.
void flush_block_cache() noexcept;
/// The same for a thread that is not ours. Whoever takes a block has it done; a thread that only
/// frees is to call it. The usual way needs no destructor of the cache itself.
void flush_when_thread_ends();

}  // namespace troupe::detail
