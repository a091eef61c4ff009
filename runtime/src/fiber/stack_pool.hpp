// Stacks for fibers: guarded, carved from few mappings, reused.
#pragma once

#include <cstddef>
#include <vector>

#include "../spin_lock.hpp"

namespace troupe::detail {

struct Stack {
  void* low = nullptr;    ///< lowest usable byte; the guard lies below it
  std::size_t bytes = 0;  ///< usable
  [[nodiscard]] void* top() const noexcept { return static_cast<std::byte*>(low) + bytes; }
};

/// Thread safety: any thread.
class StackPool {
 public:
  explicit StackPool(std::size_t stack_bytes);
  StackPool(const StackPool&) = delete;
  StackPool& operator=(const StackPool&) = delete;
  ~StackPool();

  /// Throws std::bad_alloc when the kernel gives no more address space or guards
  /// (vm.max_map_count).
  Stack take();
  /// Gives a stack back; its pages below the top one return to the system.
  void give(Stack stack) noexcept;

 private:
  void map_more();
  std::size_t stack_bytes_;  ///< with its guard page
  SpinLock lock_;
  std::vector<Stack> free_;
  std::vector<void*> mappings_;
};

}  // namespace troupe::detail
