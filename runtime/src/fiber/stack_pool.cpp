#include "stack_pool.hpp"

#include <mutex>
#include <new>

#include <sys/mman.h>
#include <troupe/runtime/error.hpp>

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102  // Linux 6.13: a guard without a map entry of its own
#endif

namespace troupe::detail {

namespace {
constexpr std::size_t page_bytes = 4096;
constexpr std::size_t stacks_per_mapping = 64;

bool guard(void* page) noexcept {
  return madvise(page, page_bytes, MADV_GUARD_INSTALL) == 0 ||
         mprotect(page, page_bytes, PROT_NONE) == 0;
}
[[noreturn]] void throw_stack_limit() {
  throw StackLimit(
      "no further stack for a handler that waits: too many wait at once for vm.max_map_count or "
      "for "
      "the memory; raise it, lower SystemOptions::stack_bytes, or let fewer wait");
}
}  // namespace

StackPool::StackPool(std::size_t stack_bytes)
    : stack_bytes_((stack_bytes + page_bytes - 1) / page_bytes * page_bytes + page_bytes) {}

StackPool::~StackPool() {
  for (void* mapping : mappings_) munmap(mapping, stack_bytes_ * stacks_per_mapping);
}

Stack StackPool::take() {
  std::lock_guard held(lock_);
  if (free_.empty()) map_more();
  const Stack stack = free_.back();
  free_.pop_back();
  return stack;
}

void StackPool::give(Stack stack) noexcept {
  // What deep use dirtied goes back; the top page is touched again at once.
  madvise(stack.low, stack.bytes - page_bytes, MADV_DONTNEED);
  std::lock_guard held(lock_);
  free_.push_back(stack);
}

void StackPool::map_more() {
  void* memory = mmap(nullptr, stack_bytes_ * stacks_per_mapping, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_STACK, -1, 0);
  if (memory == MAP_FAILED) throw_stack_limit();
  mappings_.push_back(memory);
  free_.reserve(mappings_.size() * stacks_per_mapping);
  for (std::size_t i = stacks_per_mapping; i-- > 0;) {
    auto* low = static_cast<std::byte*>(memory) + i * stack_bytes_;
    if (!guard(low)) {  // mprotect: each guard is a map entry, and those are limited
      if (free_.empty()) throw_stack_limit();
      return;
    }
    free_.push_back({low + page_bytes, stack_bytes_ - page_bytes});
  }
}

}  // namespace troupe::detail
