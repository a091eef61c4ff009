#include "model.hpp"

namespace troupe::codec {

std::uint32_t Type::bits() const noexcept {
  switch (kind) {
    case Kind::boolean: return 1;
    case Kind::int8:
    case Kind::uint8: return 8;
    case Kind::int16:
    case Kind::uint16:
    case Kind::enumeration: return 16;
    case Kind::int32:
    case Kind::uint32:
    case Kind::float32: return 32;
    case Kind::int64:
    case Kind::uint64:
    case Kind::float64: return 64;
    default: return 0;
  }
}

std::string Type::cpp() const {
  switch (kind) {
    case Kind::nothing: return "std::monostate";
    case Kind::boolean: return "bool";
    case Kind::int8: return "std::int8_t";
    case Kind::int16: return "std::int16_t";
    case Kind::int32: return "std::int32_t";
    case Kind::int64: return "std::int64_t";
    case Kind::uint8: return "std::uint8_t";
    case Kind::uint16: return "std::uint16_t";
    case Kind::uint32: return "std::uint32_t";
    case Kind::uint64: return "std::uint64_t";
    case Kind::float32: return "float";
    case Kind::float64: return "double";
    case Kind::text: return "std::string";
    case Kind::data: return "std::vector<std::byte>";
    case Kind::list: return "std::vector<" + element->cpp() + ">";
    case Kind::enumeration:
    case Kind::structure: return name;
    case Kind::ref: return "troupe::Ref<" + name + ">";
  }
  return {};
}

Struct* Model::structure(std::uint64_t id) const noexcept {
  for (const auto& s : structs) {
    if (s->id == id) return s.get();
  }
  return nullptr;
}

const Enum* Model::enumeration(std::uint64_t id) const noexcept {
  for (const auto& e : enums) {
    if (e->id == id) return e.get();
  }
  return nullptr;
}

}  // namespace troupe::codec
