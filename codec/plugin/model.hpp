// What a schema file says, in the terms of C++: what the emitters print. Read from the compiler's
// request by read_model, which refuses what has no counterpart.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include <troupe/codec/capnp_in_cpp20.hpp>

#include <capnp/schema.capnp.h>

namespace troupe::codec {

struct Struct;
struct Enum;

/// A schema that has no counterpart in C++: `where` is the declaration, "Order.items".
class SchemaError : public std::runtime_error {
 public:
  SchemaError(std::string where, const std::string& problem)
      : std::runtime_error(problem), where_(std::move(where)) {}
  [[nodiscard]] const std::string& where() const noexcept { return where_; }

 private:
  std::string where_;
};

enum class Kind : std::uint8_t {
  nothing,
  boolean,
  int8,
  int16,
  int32,
  int64,
  uint8,
  uint16,
  uint32,
  uint64,
  float32,
  float64,
  enumeration,
  text,
  data,
  list,
  structure,
  ref
};

/// Of a field, or of a list's elements.
struct Type {
  Kind kind = Kind::nothing;
  std::uint64_t id = 0;           ///< of a structure, an enumeration, a ref's protocol
  std::string name;               ///< of the same, in C++
  std::unique_ptr<Type> element;  ///< of a list
  bool is_shared = false;         ///< of a structure

  [[nodiscard]] bool is_pointer() const noexcept { return kind >= Kind::text; }
  [[nodiscard]] std::uint32_t bits() const noexcept;  ///< in the data section; 0: nothing there
  [[nodiscard]] std::string cpp() const;              ///< the C++ type
};

struct Group;

/// Where a value lies, and how it is called.
struct Field {
  std::string name;  ///< in C++
  std::string schema_name;
  std::vector<std::string> doc;
  Type type;
  std::unique_ptr<Group> group;  ///< instead of a type
  std::uint32_t offset = 0;      ///< in units of its own size; of a pointer, its index
  bool is_optional = false;
  std::string default_value;       ///< a C++ expression; empty: zero
  std::uint64_t default_bits = 0;  ///< what is stored is the value xor this
  std::string default_text;        ///< of a text
};

/// One alternative of a union: a type of its own, so that each is different.
struct Alternative {
  std::string type_name;  ///< in C++: "Cash" of `cash @1 :Void`
  Field field;
  std::uint16_t discriminant = 0;
  [[nodiscard]] bool is_empty() const noexcept {
    return field.group == nullptr && field.type.kind == Kind::nothing;
  }
};

/// The fields of a struct or a group. What of them is a union is one member of variant type.
struct Group {
  std::string type_name;
  std::vector<std::string> doc;
  std::vector<Field> fields;
  std::vector<Alternative> alternatives;
  std::uint32_t discriminant_offset = 0;  ///< in units of 16 bits
};

struct Enum {
  std::uint64_t id = 0;
  std::string name;
  std::string full_name;
  std::vector<std::string> doc;
  struct Value {
    std::string name;
    std::vector<std::string> doc;
  };
  std::vector<Value> values;  ///< by number
};

struct Constant {
  std::string name;
  std::vector<std::string> doc;
  std::string type;
  std::string value;
};

struct Struct {
  std::uint64_t id = 0;
  std::string name;         ///< "Item"
  std::string full_name;    ///< "::shop::Order_Item"
  std::string schema_name;  ///< "Order.Item"
  std::vector<std::string> doc;
  Group body;
  std::uint32_t data_words = 0;
  std::uint32_t pointers = 0;
  std::uint32_t version = 1;          ///< of what it means
  std::string reply;                  ///< a C++ type; empty: one way
  std::vector<std::string> protocol;  ///< the messages of a protocol, in C++
  bool is_protocol = false;
  bool has_plain_reply = false;          ///< its reply is no struct, and has a codec of its own
  std::vector<std::uint64_t> mentioned;  ///< its reply, its messages: declared ahead of it
  std::vector<std::uint64_t> declared;   ///< structs and enums within it
};

/// One schema file.
struct Model {
  std::string file;  ///< as the compiler names it
  std::string cpp_namespace;
  std::vector<std::string> doc;
  std::vector<std::string> imports;  ///< schema files
  std::vector<std::uint64_t> order;  ///< all its structs and enums, in the order to print
  std::vector<std::uint64_t> ahead;  ///< structs that are used before they are complete
  std::vector<Constant> constants;
  bool has_refs = false;
  bool has_shared = false;
  std::vector<std::unique_ptr<Struct>> structs;  ///< of imported files too
  std::vector<std::unique_ptr<Enum>> enums;

  [[nodiscard]] Struct* structure(std::uint64_t id) const noexcept;
  [[nodiscard]] const Enum* enumeration(std::uint64_t id) const noexcept;
};

}  // namespace troupe::codec
