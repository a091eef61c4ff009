// The three files that are printed for a schema file.
#pragma once

#include <string>

#include "model.hpp"

namespace troupe::codec {

/// "shop/orders.capnp.hpp": the structs, for users.
[[nodiscard]] std::string emit_types(const Model& model);
/// "shop/orders.capnp.codec.hpp": what the codecs of other files need of these.
[[nodiscard]] std::string emit_codec_header(const Model& model);
/// "shop/orders.capnp.cpp": codecs and printing.
[[nodiscard]] std::string emit_codec(const Model& model);

/// The include of an imported schema file, with this suffix.
[[nodiscard]] std::string import_path(const Model& model, const std::string& import,
                                      const std::string& suffix);

}  // namespace troupe::codec
