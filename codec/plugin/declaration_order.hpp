// In which order declarations are printed: C++ wants a type complete where it is a member.
#pragma once

#include <vector>

#include "model.hpp"

namespace troupe::codec {

/// Orders what the file declares, with all that is nested in it, and names the structs that are
/// mentioned before. Throws SchemaError where a struct would hold itself.
void set_order(Model& model, const std::vector<std::uint64_t>& declared);

}  // namespace troupe::codec
