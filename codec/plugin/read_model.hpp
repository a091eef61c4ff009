// From the schema compiler's request to the model of one file.
#pragma once

#include <memory>

#include "model.hpp"

namespace troupe::codec {

/// Throws SchemaError.
[[nodiscard]] Model read_model(capnp::schema::CodeGeneratorRequest::Reader request,
                               capnp::schema::CodeGeneratorRequest::RequestedFile::Reader file);

}  // namespace troupe::codec
