// Memory for envelopes: blocks of 64, 128 and 256 bytes from per-thread caches, the rest from the
// heap.
//
// Design. A thread takes and gives blocks at its own cache without a lock. A cache that runs empty
// or over exchanges a batch with the process-wide depot, so the drift of fan-in (allocated here,
// freed there) costs one lock per batch. Blocks are never returned to the system. Under sanitizers
// every block comes from the heap, to be checked.
#pragma once

#include <cstddef>
#include <cstdint>

namespace troupe::detail {

/// The size class of a block of at least this many bytes.
std::uint16_t size_class_of(std::size_t bytes) noexcept;
/// Any thread. Throws std::bad_alloc.
void* allocate_block(std::uint16_t size_class, std::size_t bytes);
void free_block(std::uint16_t size_class, void* block) noexcept;
/// Gives this thread's cache back to the depot: before a thread of ours ends.
void flush_block_cache() noexcept;

}  // namespace troupe::detail
