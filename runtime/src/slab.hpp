// Slabs: the memory of cells, envelopes and ask slots, 2 MiB each, never given back.
#pragma once

#include <cstddef>
#include <utility>

namespace troupe::detail {

inline constexpr std::size_t slab_bytes = std::size_t{2} << 20;

/// What a slab lies on. A huge page costs one fault where small ones cost 512, and is resident as a
/// whole from its first byte on: for who has filled a slab already.
enum class PageSize : unsigned char { small, huge };

/// A fresh slab, zeroed, aligned to its size. Where the system has no huge pages it lies on small
/// ones. Any thread. Throws std::bad_alloc.
[[nodiscard]] std::byte* map_slab(PageSize pages);

/// Pieces of slabs, one after the other. Thread safety: one thread at a time.
class SlabCarver {
 public:
  /// At most a slab's size. Throws std::bad_alloc.
  [[nodiscard]] std::byte* take(std::size_t bytes) {
    if (static_cast<std::size_t>(end_ - at_) < bytes) {
      at_ = map_slab(std::exchange(has_mapped_, true) ? PageSize::huge : PageSize::small);
      end_ = at_ + slab_bytes;
    }
    return std::exchange(at_, at_ + bytes);
  }

 private:
  std::byte* at_ = nullptr;
  std::byte* end_ = nullptr;
  bool has_mapped_ = false;
};

}  // namespace troupe::detail
