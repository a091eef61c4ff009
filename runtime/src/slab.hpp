// Slabs: the memory of cells, envelopes and ask slots, 2 MiB each, never given back.
#pragma once

#include <cstddef>

namespace troupe::detail {

inline constexpr std::size_t slab_bytes = std::size_t{2} << 20;

/// What a slab lies on. A huge page costs one fault where small ones cost 512, and is resident as a
/// whole from its first byte on: for who has filled a slab already.
enum class PageSize : unsigned char { small, huge };

/// A fresh slab, zeroed, aligned to its size. Where the system has no huge pages it lies on small
/// ones. Any thread. Throws std::bad_alloc.
[[nodiscard]] std::byte* map_slab(PageSize pages);

}  // namespace troupe::detail
