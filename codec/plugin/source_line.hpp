// Where in a schema file something is declared: the compiler's request does not say.
#pragma once

#include <string>
#include <string_view>

namespace troupe::codec {

/// The line that a declaration ("Order.items") begins in, counted from 1; 0: not found.
[[nodiscard]] int find_line(std::string_view schema, std::string_view declaration);
/// ":12", or nothing where the file or the declaration can't be found. The file is looked for in
/// the folder of TROUPE_SCHEMA_ROOT, then in that of the process that started this one.
[[nodiscard]] std::string line_of(const std::string& file, const std::string& declaration);

}  // namespace troupe::codec
