// `troupe schema check OLD NEW`: can what was written by the one schema be read by the other?
#pragma once

#include <stdexcept>
#include <string>
#include <vector>

namespace troupe::tools {

/// One change between two releases of a schema.
struct SchemaChange {
  std::string where;  ///< "Order.items"
  std::string what;
  int line = 0;                ///< in the new file, or 0
  bool is_compatible = false;  ///< a remark: old and new can live together
  [[nodiscard]] bool operator==(const SchemaChange&) const = default;
};

/// A file that is no schema: what() is "file:line: problem".
class BadSchema : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// The changes that matter to messages on the wire or in a journal, in the order of the old file:
/// of structs, enumerations, reply types and protocols, imported types that are used included.
/// `imports`: folders for imports that begin with a slash. Throws BadSchema.
[[nodiscard]] std::vector<SchemaChange> check_schema(const std::string& old_file,
                                                     const std::string& new_file,
                                                     const std::vector<std::string>& imports);

}  // namespace troupe::tools
