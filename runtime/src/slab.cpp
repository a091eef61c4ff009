#include "slab.hpp"

#include <cstdint>
#include <new>

#include <sys/mman.h>

#if defined(__SANITIZE_ADDRESS__)
#define TROUPE_LEAK_CHECKER 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define TROUPE_LEAK_CHECKER 1
#endif
#endif
#if defined(TROUPE_LEAK_CHECKER)
#include <sanitizer/lsan_interface.h>
#endif

namespace troupe::detail {

namespace {

/// What lies there may point to anything: said to LeakSanitizer, which does not look into mappings.
void tell_leak_checker([[maybe_unused]] void* slab) {
#if defined(TROUPE_LEAK_CHECKER)
  __lsan_register_root_region(slab, slab_bytes);
#endif
}

}  // namespace

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
  tell_leak_checker(slab);
  return slab;
}

}  // namespace troupe::detail
