// A number for what a struct is: another one where a field, or what it is made of, differs.
#pragma once

#include <cstdint>

#include "model.hpp"

namespace troupe::codec {

/// FNV-1a (Fowler, Noll, Vo), 64 bits, of names, places, types and defaults of its fields, and of
/// the structs and enums that they mention.
[[nodiscard]] std::uint64_t fingerprint_of(const Model& model, const Struct& structure);

}  // namespace troupe::codec
