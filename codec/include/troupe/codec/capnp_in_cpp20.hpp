// To be included before Cap'n Proto's headers: those before 1.0 compare `const char*` with a
// StringPtr by a reversed operator that C++20 has no longer (P2468), as newer compilers know.
#pragma once

#include <capnp/common.h>  // lint:allow(foreign_type) generated sources include this, users do not
#include <kj/string.h>     // lint:allow(foreign_type) the same

#if CAPNP_VERSION < 1000000
namespace kj {
inline bool operator==(const char* a, const StringPtr& b) {
  return b == StringPtr{a};
}
inline bool operator!=(const char* a, const StringPtr& b) {
  return !(b == StringPtr{a});
}
}  // namespace kj
#endif
