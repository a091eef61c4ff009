// Constants and default values, as C++ expressions.
#pragma once

#include <cstdint>
#include <string>

#include "model.hpp"

namespace troupe::codec {

/// An expression of that type. `type_name` is the C++ name of an enumeration. Empty for values that
/// are no scalar, enumeration or text.
[[nodiscard]] std::string expression(capnp::schema::Value::Reader value,
                                     const std::string& type_name);
/// The bits that a scalar or an enumeration is stored as; 0 for others.
[[nodiscard]] std::uint64_t stored_bits(capnp::schema::Value::Reader value);

}  // namespace troupe::codec
