#include "memory.hpp"

#include <mutex>
#include <new>
#include <utility>

#include "spin_lock.hpp"

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

namespace {

constexpr std::size_t class_bytes[] = {64, 128, 256};
constexpr std::uint16_t class_count = 3;
constexpr std::uint32_t batch_blocks = 64;
constexpr std::uint32_t cache_blocks_max = 4 * batch_blocks;

struct Block {
  Block* next;
  Block* next_batch;
};

/// Batches of free blocks, shared by all threads.
class Depot {
 public:
  Block* take(std::uint16_t size_class) {
    {
      std::lock_guard guard(lock_);
      if (Block* batch = batches_[size_class]) {
        batches_[size_class] = batch->next_batch;
        return batch;
      }
    }
    return carve(class_bytes[size_class]);
  }
  void give(std::uint16_t size_class, Block* batch) noexcept {
    std::lock_guard guard(lock_);
    batch->next_batch = std::exchange(batches_[size_class], batch);
  }

 private:
  static Block* carve(std::size_t bytes) {
    auto* memory =
        static_cast<std::byte*>(::operator new (bytes* batch_blocks, std::align_val_t{64}));
    Block* first = nullptr;
    for (std::uint32_t i = batch_blocks; i-- > 0;) {
      first = ::new (memory + i * bytes) Block{first, nullptr};
    }
    return first;
  }
  SpinLock lock_;
  Block* batches_[class_count] = {};
};

constinit Depot depot;  // process-wide, as the arena of cells is: blocks outlive every System

struct Cache {
  Block* free[class_count];
  std::uint32_t count[class_count];
};
constinit thread_local Cache cache{};

/// Cuts the newest blocks off the cache and gives them to the depot.
[[gnu::noinline]] void give_batch(Cache& c, std::uint16_t size_class,
                                  std::uint32_t blocks) noexcept {
  Block* first = c.free[size_class];
  Block* last = first;
  for (std::uint32_t i = 1; i < blocks; ++i) last = last->next;
  c.free[size_class] = std::exchange(last->next, nullptr);
  c.count[size_class] -= blocks;
  depot.give(size_class, first);
}

[[gnu::noinline]] void refill(Cache& c, std::uint16_t size_class) {
  Block* batch = depot.take(size_class);
  c.free[size_class] = batch;
  std::uint32_t blocks = 0;
  for (Block* b = batch; b != nullptr; b = b->next) ++blocks;
  c.count[size_class] = blocks;
}

}  // namespace

std::uint16_t size_class_of(std::size_t bytes) noexcept {
  if (TROUPE_PLAIN_HEAP) return class_count;
  if (bytes <= 64) return 0;
  if (bytes <= 128) return 1;
  return bytes <= 256 ? 2 : class_count;
}

void* allocate_block(std::uint16_t size_class, std::size_t bytes) {
  if (size_class == class_count) return ::operator new (bytes, std::align_val_t{64});
  Cache& c = cache;
  if (c.free[size_class] == nullptr) refill(c, size_class);
  Block* block = c.free[size_class];
  c.free[size_class] = block->next;
  --c.count[size_class];
  return block;
}

void free_block(std::uint16_t size_class, void* block) noexcept {
  if (size_class == class_count) {
    ::operator delete (block, std::align_val_t{64});
    return;
  }
  Cache& c = cache;
  c.free[size_class] = ::new (block) Block{c.free[size_class], nullptr};
  if (++c.count[size_class] >= cache_blocks_max) give_batch(c, size_class, batch_blocks);
}

void flush_block_cache() noexcept {
  Cache& c = cache;
  for (std::uint16_t i = 0; i < class_count; ++i) {
    if (c.count[i] > 0) give_batch(c, i, c.count[i]);
  }
}

}  // namespace troupe::detail
