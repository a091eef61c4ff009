#include "fingerprint.hpp"

#include <set>

namespace troupe::codec {

namespace {

class Fingerprint {
 public:
  explicit Fingerprint(const Model& model) : model_(model) {}

  void add(const Struct& s) {
    if (!seen_.insert(s.id).second) return;
    add(s.id);
    add(s.body);
  }
  [[nodiscard]] std::uint64_t value() const noexcept { return hash_; }

 private:
  void byte(unsigned char b) noexcept { hash_ = (hash_ ^ b) * 1099511628211ull; }
  void add(std::uint64_t n) noexcept {
    for (int shift = 0; shift < 64; shift += 8) byte(static_cast<unsigned char>(n >> shift));
  }
  void add(const std::string& text) noexcept {
    add(text.size());
    for (const char c : text) byte(static_cast<unsigned char>(c));
  }
  void add(const Group& group) {
    add(group.fields.size());
    for (const Field& f : group.fields) add(f);
    add(group.alternatives.size());
    add(group.discriminant_offset);
    for (const Alternative& a : group.alternatives) {
      add(a.discriminant);
      add(a.field);
    }
  }
  void add(const Field& f) {
    add(f.schema_name);
    add(f.offset);
    add(f.is_optional ? 1u : 0u);
    add(f.default_bits);
    add(f.default_text);
    if (f.group != nullptr) {
      add(*f.group);
    } else {
      add(f.type);
    }
  }
  void add(const Type& type) {
    add(static_cast<std::uint64_t>(type.kind));
    if (type.element != nullptr) add(*type.element);
    if (const Struct* s = type.kind == Kind::structure ? model_.structure(type.id) : nullptr)
      add(*s);
    const Enum* e = type.kind == Kind::enumeration ? model_.enumeration(type.id) : nullptr;
    if (e == nullptr || !seen_.insert(e->id).second) return;
    for (const Enum::Value& v : e->values) add(v.name);
  }

  const Model& model_;
  std::set<std::uint64_t> seen_;
  std::uint64_t hash_ = 14695981039346656037ull;
};

}  // namespace

std::uint64_t fingerprint_of(const Model& model, const Struct& structure) {
  Fingerprint fingerprint(model);
  fingerprint.add(structure);
  return fingerprint.value();
}

}  // namespace troupe::codec
