#include "memory.hpp"

#include <atomic>
#include <mutex>
#include <new>
#include <utility>

#include <troupe/runtime/message.hpp>

#include "slab.hpp"
#include "spin_lock.hpp"

namespace troupe::detail {

[[gnu::tls_model("initial-exec")]] constinit thread_local BlockCache block_cache{};

namespace {

constexpr std::align_val_t large_block_align{message_align_max};
constexpr std::uint32_t batch_blocks = 64;
constexpr std::uint32_t cached_blocks_max = 4 * batch_blocks;

/// Batches of free blocks, shared by all threads.
class Depot {
 public:
  Block* take(std::uint16_t size_class) {
    {
      std::lock_guard guard(lock_);
      if (Block* batch = batches_[size_class]) {
        batches_[size_class] = batch->next_batch;
        free_bytes_.fetch_sub(bytes_of(size_class, *batch), std::memory_order_relaxed);  // a figure
        return batch;
      }
    }
    return carve(block_bytes[size_class]);
  }
  void give(std::uint16_t size_class, Block* batch) noexcept {
    std::lock_guard guard(lock_);
    batch->next_batch = std::exchange(batches_[size_class], batch);
    free_bytes_.fetch_add(bytes_of(size_class, *batch), std::memory_order_relaxed);  // a figure
  }
  [[nodiscard]] std::uint64_t free_bytes() const noexcept {
    return free_bytes_.load(std::memory_order_relaxed);  // as said above
  }
  [[nodiscard]] std::uint64_t bytes_out() {
    std::scoped_lock guard(slab_lock_);
    return carved_bytes_ - free_bytes();
  }

 private:
  static std::uint64_t bytes_of(std::uint16_t size_class, const Block& batch) noexcept {
    return std::uint64_t{batch.blocks} * block_bytes[size_class];
  }
  /// A batch of a slab.
  Block* carve(std::size_t bytes) {
    std::lock_guard guard(slab_lock_);
    std::byte* const memory = slabs_.take(bytes * batch_blocks);
    carved_bytes_ += bytes * batch_blocks;
    Block* first = nullptr;
    for (std::uint32_t i = batch_blocks; i-- > 0;) {
      first = ::new (memory + i * bytes) Block{first, nullptr, batch_blocks};
    }
    return first;
  }
  std::mutex slab_lock_;
  SlabCarver slabs_;
  std::uint64_t carved_bytes_ = 0;
  std::atomic<std::uint64_t> free_bytes_{0};
  SpinLock lock_;
  Block* batches_[block_classes] = {};
};

constinit Depot depot;  // process-wide, as the arena of cells is: blocks outlive every System

// free_large_block and give_overflow are calls of their own, so that the usual way needs no stack
// frame.
[[gnu::noinline]] void free_large_block(void* block) noexcept {
  ::operator delete(block, large_block_align);
}
/// Cuts the newest blocks off the cache and gives them to the depot.
void give_batch(BlockCache& c, std::uint16_t size_class, std::uint32_t blocks) noexcept {
  Block* first = c.free[size_class];
  Block* last = first;
  for (std::uint32_t i = 1; i < blocks; ++i) last = last->next;
  c.free[size_class] = std::exchange(last->next, nullptr);
  c.count[size_class] -= blocks;
  first->blocks = blocks;
  depot.give(size_class, first);
}

[[gnu::noinline]] void give_overflow(BlockCache& c, std::uint16_t size_class) noexcept {
  flush_when_thread_ends();
  give_batch(c, size_class, batch_blocks);
}
constinit thread_local bool thread_has_ended = false;  // what still runs is destructors

}  // namespace

void* allocate_slowly(std::uint16_t size_class, std::size_t bytes) {
  if (size_class == block_classes) return ::operator new(bytes, large_block_align);
  Block* const batch = depot.take(size_class);
  if (thread_has_ended) {  // nobody would give the rest back
    if (Block* const rest = batch->next) {
      rest->blocks = batch->blocks - 1;
      depot.give(size_class, rest);
    }
    return batch;
  }
  flush_when_thread_ends();
  BlockCache& c = block_cache;
  c.free[size_class] = batch->next;
  c.count[size_class] = batch->blocks - 1;
  return batch;
}
void free_block(std::uint16_t size_class, void* block) noexcept {
  if (size_class == block_classes) return free_large_block(block);
  BlockCache& c = block_cache;
  auto* freed = ::new (block) Block;  // the rest is for those who make it a batch's first
  freed->next = c.free[size_class];
  c.free[size_class] = freed;
  if (++c.count[size_class] >= cached_blocks_max) [[unlikely]]
    give_overflow(c, size_class);
}

std::uint64_t free_block_bytes() noexcept {
  return depot.free_bytes();
}

std::uint64_t block_bytes_in_use() {
  std::uint64_t cached = 0;
  for (std::uint16_t i = 0; i < block_classes; ++i)
    cached += std::uint64_t{block_cache.count[i]} * block_bytes[i];
  return depot.bytes_out() - cached;
}

void flush_block_cache() noexcept {
  BlockCache& c = block_cache;
  for (std::uint16_t i = 0; i < block_classes; ++i) {
    if (c.count[i] > 0) give_batch(c, i, c.count[i]);
  }
}

void flush_when_thread_ends() {
  struct Flusher {
    bool is_made = false;
    ~Flusher() {
      flush_block_cache();
      thread_has_ended = true;
    }
  };
  thread_local Flusher flusher;
  if (!thread_has_ended) flusher.is_made = true;
}

}  // namespace troupe::detail
