#include "schema_check.hpp"

#include <fstream>
#include <iterator>
#include <map>
#include <optional>
#include <set>
#include <utility>

#include <troupe/codec/capnp_in_cpp20.hpp>

#include <capnp/schema-parser.h>
#include <kj/filesystem.h>
#include <kj/vector.h>

#include "request.hpp"
#include "source_line.hpp"

namespace troupe::tools {

namespace {

using capnp::schema::Value;
using Type = capnp::schema::Type;

/// A file and what it imports.
class ParsedFile {
 public:
  ParsedFile(const std::string& path, const std::vector<std::string>& imports)
      : files_(kj::newDiskFilesystem()) {
    const auto here = files_->getCurrentPath().clone();
    for (const std::string& folder : imports) {
      KJ_IF_MAYBE (opened, files_->getRoot().tryOpenSubdir(here.evalNative(folder))) {
        folders_.add(opened->get());
        kept_.add(kj::mv(*opened));
      }
    }
    try {
      file_ = parser_.parseFromDirectory(files_->getRoot(), here.evalNative(path), folders_);
    } catch (const kj::Exception& e) {
      throw BadSchema(e.getLine() > 0 ? path + ":" + std::to_string(e.getLine() + 1) + ": " +
                                            e.getDescription().cStr()
                                      : path + ": " + e.getDescription().cStr());
    }
  }
  [[nodiscard]] const capnp::ParsedSchema& file() const { return file_; }

 private:
  kj::Own<kj::Filesystem> files_;
  kj::Vector<const kj::ReadableDirectory*> folders_;
  kj::Vector<kj::Own<const kj::ReadableDirectory>> kept_;
  capnp::SchemaParser parser_;
  capnp::ParsedSchema file_;
};

/// "Order.Item" of "orders.capnp:Order.Item".
std::string name_of(const capnp::Schema& schema) {
  const std::string full = schema.getProto().getDisplayName().cStr();
  return full.substr(full.rfind(':') + 1);
}
std::string hexadecimal(std::uint64_t id) {
  char text[20];
  std::snprintf(text, sizeof text, "@0x%016llx", static_cast<unsigned long long>(id));
  return text;
}

std::string in_words(const capnp::Type& type) {
  switch (type.which()) {
    case Type::VOID: return "Void";
    case Type::BOOL: return "Bool";
    case Type::INT8: return "Int8";
    case Type::INT16: return "Int16";
    case Type::INT32: return "Int32";
    case Type::INT64: return "Int64";
    case Type::UINT8: return "UInt8";
    case Type::UINT16: return "UInt16";
    case Type::UINT32: return "UInt32";
    case Type::UINT64: return "UInt64";
    case Type::FLOAT32: return "Float32";
    case Type::FLOAT64: return "Float64";
    case Type::TEXT: return "Text";
    case Type::DATA: return "Data";
    case Type::LIST: return "List(" + in_words(type.asList().getElementType()) + ")";
    case Type::ENUM: return name_of(type.asEnum());
    case Type::STRUCT: return name_of(type.asStruct());
    case Type::INTERFACE: return name_of(type.asInterface());
    case Type::ANY_POINTER: return "AnyPointer";
  }
  return "?";
}

std::string in_words(Value::Reader value) {
  switch (value.which()) {
    case Value::BOOL: return value.getBool() ? "true" : "false";
    case Value::INT8: return std::to_string(value.getInt8());
    case Value::INT16: return std::to_string(value.getInt16());
    case Value::INT32: return std::to_string(value.getInt32());
    case Value::INT64: return std::to_string(value.getInt64());
    case Value::UINT8: return std::to_string(value.getUint8());
    case Value::UINT16: return std::to_string(value.getUint16());
    case Value::UINT32: return std::to_string(value.getUint32());
    case Value::UINT64: return std::to_string(value.getUint64());
    case Value::FLOAT32: return std::to_string(value.getFloat32());
    case Value::FLOAT64: return std::to_string(value.getFloat64());
    case Value::ENUM: return std::to_string(value.getEnum());
    case Value::TEXT: return "\"" + std::string{value.getText().cStr()} + "\"";
    default: return "none";
  }
}

/// A field that holds something, wherever in its struct it stands.
struct Slot {
  std::string name;  ///< "payment.card"
  capnp::Type type;
  std::string default_value;
  std::uint32_t offset = 0;
  /// The unions that it is an alternative of, outermost first: where each keeps which it is, and
  /// the number of this one.
  std::vector<std::pair<std::uint32_t, std::uint16_t>> alternatives;
};
using Slots = std::map<std::uint16_t, Slot>;  ///< by number

void add_slots(const capnp::StructSchema& s, const std::string& prefix,
               const std::vector<std::pair<std::uint32_t, std::uint16_t>>& outer, Slots& slots) {
  for (const capnp::StructSchema::Field field : s.getFields()) {
    const auto proto = field.getProto();
    auto alternatives = outer;
    if (proto.getDiscriminantValue() != capnp::schema::Field::NO_DISCRIMINANT)
      alternatives.emplace_back(s.getProto().getStruct().getDiscriminantOffset(),
                                proto.getDiscriminantValue());
    const std::string name = prefix + proto.getName().cStr();
    if (proto.isGroup()) {
      add_slots(field.getType().asStruct(), name + ".", alternatives, slots);
    } else if (proto.getOrdinal().isExplicit()) {
      slots[proto.getOrdinal().getExplicit()] = {name, field.getType(),
                                                 in_words(proto.getSlot().getDefaultValue()),
                                                 proto.getSlot().getOffset(), alternatives};
    }
  }
}

class Comparison {
 public:
  explicit Comparison(const std::string& new_file) {
    std::ifstream in{new_file};
    source_.assign(std::istreambuf_iterator<char>(in), {});
  }

  std::vector<SchemaChange> compare(const capnp::ParsedSchema& before,
                                    const capnp::ParsedSchema& after) {
    std::map<std::uint64_t, capnp::ParsedSchema> known;
    std::map<std::string, std::uint64_t> ids;
    collect(after, known, ids);
    compare_declared(before, known, ids);
    return std::move(changes_);
  }

 private:
  static void collect(const capnp::ParsedSchema& scope,
                      std::map<std::uint64_t, capnp::ParsedSchema>& known,
                      std::map<std::string, std::uint64_t>& ids) {
    for (const capnp::ParsedSchema nested : scope.getAllNested()) {
      known.emplace(nested.getProto().getId(), nested);
      ids.emplace(name_of(nested), nested.getProto().getId());
      collect(nested, known, ids);
    }
  }

  void compare_declared(const capnp::ParsedSchema& scope,
                        const std::map<std::uint64_t, capnp::ParsedSchema>& known,
                        const std::map<std::string, std::uint64_t>& ids) {
    for (const capnp::ParsedSchema old : scope.getAllNested()) {
      const auto proto = old.getProto();
      if (!proto.isStruct() && !proto.isEnum()) continue;
      const auto found = known.find(proto.getId());
      if (found != known.end()) {
        compare_types(old, found->second);
      } else {
        report_missing(old, ids);
      }
      compare_declared(old, known, ids);
    }
  }

  void report_missing(const capnp::ParsedSchema& old,
                      const std::map<std::string, std::uint64_t>& ids) {
    const std::string name = name_of(old);
    const std::uint64_t id = old.getProto().getId();
    const auto same_name = ids.find(name);
    if (same_name == ids.end()) {
      add(name,
          "is gone: what was written of it can't be read. If it was renamed, give the new name its "
          "id, " +
              hexadecimal(id));
    } else {
      add(name, "has another id, " + hexadecimal(same_name->second) + ": keep it by writing " +
                    hexadecimal(id) + " behind its name");
    }
  }

  void compare_types(const capnp::Schema& old, const capnp::Schema& now) {
    if (!seen_.insert(old.getProto().getId()).second) return;
    if (old.getProto().which() != now.getProto().which()) {
      add(name_of(now), old.getProto().isEnum() ? "was an enumeration" : "was a struct");
    } else if (old.getProto().isEnum()) {
      compare_enums(old.asEnum(), now.asEnum());
    } else if (old.getProto().isStruct()) {
      compare_structs(old.asStruct(), now.asStruct());
    }
  }

  void compare_enums(const capnp::EnumSchema& old, const capnp::EnumSchema& now) {
    const std::string name = name_of(now);
    std::vector<std::string> before;
    std::vector<std::string> after;
    for (const auto e : old.getEnumerants()) before.emplace_back(e.getProto().getName().cStr());
    for (const auto e : now.getEnumerants()) after.emplace_back(e.getProto().getName().cStr());
    for (std::size_t i = 0; i < before.size(); ++i) {
      const std::string number = "@" + std::to_string(i);
      if (i >= after.size()) {
        add(name + "." + before[i], number + " is gone: old messages have it still");
      } else if (before[i] != after[i]) {
        remark(name + "." + after[i], number + " was called " + before[i]);
      }
    }
    for (std::size_t i = before.size(); i < after.size(); ++i)
      remark(name + "." + after[i], "is new: old readers see the number " + std::to_string(i));
  }

  void compare_structs(const capnp::StructSchema& old, const capnp::StructSchema& now) {
    const std::string name = name_of(now);
    Slots before;
    Slots after;
    add_slots(old, "", {}, before);
    add_slots(now, "", {}, after);
    for (const auto& [number, slot] : before) {
      const auto found = after.find(number);
      if (found == after.end()) {
        add(name + "." + slot.name, "@" + std::to_string(number) +
                                        " is gone: its number would be used again. Keep the field, "
                                        "under another name if you like");
      } else {
        compare_slots(name, number, slot, found->second);
      }
    }
    for (const auto& [number, slot] : after) {
      if (before.count(number) == 0 && !slot.alternatives.empty())
        remark(name + "." + slot.name,
               "is a new alternative: a reader that does not know it refuses the message. Update "
               "readers first");
    }
    compare_annotations(name, old.getProto(), now.getProto());
  }

  void compare_slots(const std::string& in, std::uint16_t number, const Slot& old,
                     const Slot& now) {
    const std::string where = in + "." + now.name;
    if (const auto problem = type_problem(old.type, now.type)) {
      add(where, "@" + std::to_string(number) + " was " + *problem);
      return;
    }
    if (old.default_value != now.default_value)
      add(where, "its default was " + old.default_value + ", and is " + now.default_value +
                     ": old messages would mean something else");
    if (old.offset != now.offset) add(where, "lies elsewhere in the bytes");
    if (old.alternatives == now.alternatives) return;
    const bool joins_union =
        now.alternatives.size() == old.alternatives.size() + 1 &&
        std::equal(old.alternatives.begin(), old.alternatives.end(), now.alternatives.begin());
    if (joins_union && now.alternatives.back().second == 0) {
      remark(where, "is in a union now: old messages have this alternative");
    } else {
      add(where, "is another alternative, or in another union");
    }
  }

  /// "Int32, and is Int64"; nothing where old bytes are read as what they were.
  std::optional<std::string> type_problem(const capnp::Type& old, const capnp::Type& now) {
    const std::string both = in_words(old) + ", and is " + in_words(now);
    if (old.which() != now.which()) return both;
    switch (old.which()) {
      case Type::LIST: {
        const capnp::Type before = old.asList().getElementType();
        const capnp::Type after = now.asList().getElementType();
        if (is_wrapped(before, after)) return std::nullopt;
        return type_problem(before, after) ? std::optional(both) : std::nullopt;
      }
      case Type::STRUCT:
        if (old.asStruct().getProto().getId() != now.asStruct().getProto().getId()) return both;
        if (old.asStruct().getProto().getId() == codec::ref_struct) return ref_problem(old, now);
        compare_types(old.asStruct(), now.asStruct());
        return std::nullopt;
      case Type::ENUM:
        if (old.asEnum().getProto().getId() != now.asEnum().getProto().getId()) return both;
        compare_types(old.asEnum(), now.asEnum());
        return std::nullopt;
      default: return std::nullopt;
    }
  }

  /// A list of values may become one of structs whose first field is that value, but for Bools.
  static bool is_wrapped(const capnp::Type& old, const capnp::Type& now) {
    if (old.isStruct() || old.isBool() || !now.isStruct()) return false;
    Slots slots;
    add_slots(now.asStruct(), "", {}, slots);
    const auto first = slots.find(0);
    return first != slots.end() && first->second.type == old && first->second.alternatives.empty();
  }

  static std::optional<std::string> ref_problem(const capnp::Type& old, const capnp::Type& now) {
    const auto protocol = [](const capnp::Type& ref) {
      return ref.asStruct().getBrandArgumentsAtScope(codec::ref_struct)[0];
    };
    const capnp::Type before = protocol(old);
    const capnp::Type after = protocol(now);
    if (before == after ||
        (before.isStruct() && after.isStruct() &&
         before.asStruct().getProto().getId() == after.asStruct().getProto().getId()))
      return std::nullopt;
    return "Ref(" + in_words(before) + "), and is Ref(" + in_words(after) + ")";
  }

  void compare_annotations(const std::string& name, const capnp::schema::Node::Reader& old,
                           const capnp::schema::Node::Reader& now) {
    const auto text = [](const auto& value) {
      return value ? std::string{value->getText().cStr()} : std::string{"nothing"};
    };
    const std::string before = text(codec::annotation(old, codec::reply_annotation));
    const std::string after = text(codec::annotation(now, codec::reply_annotation));
    if (before != after) add(name, "was answered with " + before + ", and is with " + after);
    const std::set<std::string> had = messages_of(old);
    const std::set<std::string> has = messages_of(now);
    for (const std::string& message : had) {
      if (has.count(message) == 0)
        add(name, "takes " + message + " no more: who has the old schema still sends it");
    }
    for (const std::string& message : has) {
      if (had.count(message) == 0 && codec::annotation(old, codec::protocol_annotation))
        remark(name, "takes " + message + " now: an actor of the old schema refuses it");
    }
  }
  static std::set<std::string> messages_of(const capnp::schema::Node::Reader& node) {
    std::set<std::string> messages;
    if (const auto list = codec::annotation(node, codec::protocol_annotation)) {
      for (auto message : list->getList().getAs<capnp::List<capnp::Text>>())
        messages.insert(message.cStr());
    }
    return messages;
  }

  void add(const std::string& where, const std::string& what) { put(where, what, false); }
  void remark(const std::string& where, const std::string& what) { put(where, what, true); }
  void put(const std::string& where, const std::string& what, bool is_compatible) {
    changes_.push_back({where, what, codec::find_line(source_, where), is_compatible});
  }

  std::string source_;
  std::set<std::uint64_t> seen_;
  std::vector<SchemaChange> changes_;
};

}  // namespace

std::vector<SchemaChange> check_schema(const std::string& old_file, const std::string& new_file,
                                       const std::vector<std::string>& imports) {
  const ParsedFile before{old_file, imports};
  const ParsedFile after{new_file, imports};
  if (before.file().getProto().getId() != after.file().getProto().getId())
    throw BadSchema(new_file + ": the file's id, " + hexadecimal(after.file().getProto().getId()) +
                    ", was " + hexadecimal(before.file().getProto().getId()) +
                    ": all types take theirs from it, so keep it");
  return Comparison{new_file}.compare(before.file(), after.file());
}

}  // namespace troupe::tools
