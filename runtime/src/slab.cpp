#include "slab.hpp"

#include <cstdint>
#include <new>

#include <sys/mman.h>

namespace troupe::detail {

std::byte* map_slab(PageSize pages) {
  void* mapped =
      mmap(nullptr, 2 * slab_bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapped == MAP_FAILED) throw std::bad_alloc();
  auto* const begin = static_cast<std::byte*>(mapped);
  const std::size_t before = -reinterpret_cast<std::uintptr_t>(begin) % slab_bytes;
  std::byte* const slab = begin + before;
  if (before != 0) munmap(begin, before);
  munmap(slab + slab_bytes, slab_bytes - before);
  if (pages == PageSize::huge) madvise(slab, slab_bytes, MADV_HUGEPAGE);  // refused: small ones do
  return slab;
}

}  // namespace troupe::detail
