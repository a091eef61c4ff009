// In which order declarations are printed: C++ wants a type complete where it is a member.
#pragma once

#include <vector>

#include "model.hpp"
#include "request.hpp"

namespace troupe::codec {

/// Orders what the file declares, and within each struct what that declares; names the structs that
/// are mentioned before. Throws SchemaError where a struct would hold itself, or where a list holds
/// a nested struct that comes later.
void set_order(Model& model, const std::vector<std::uint64_t>& declared, const Request& request);

}  // namespace troupe::codec
