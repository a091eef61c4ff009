#include "read_model.hpp"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "declaration_order.hpp"
#include "names.hpp"
#include "request.hpp"
#include "values.hpp"

namespace troupe::codec {

namespace {

using capnp::schema::Value;

/// What a reply may be besides a struct.
const std::map<std::string, std::string> scalar_replies{{"Void", "void"},
                                                        {"Bool", "bool"},
                                                        {"Int8", "std::int8_t"},
                                                        {"Int16", "std::int16_t"},
                                                        {"Int32", "std::int32_t"},
                                                        {"Int64", "std::int64_t"},
                                                        {"UInt8", "std::uint8_t"},
                                                        {"UInt16", "std::uint16_t"},
                                                        {"UInt32", "std::uint32_t"},
                                                        {"UInt64", "std::uint64_t"},
                                                        {"Float32", "float"},
                                                        {"Float64", "double"},
                                                        {"Text", "std::string"},
                                                        {"Data", "std::vector<std::byte>"}};

/// "Item" of "Order.Item".
std::string last_part(const std::string& schema_name) {
  return schema_name.substr(schema_name.rfind('.') + 1);
}

class ModelReader {
 public:
  explicit ModelReader(capnp::schema::CodeGeneratorRequest::Reader request) : request_(request) {}

  Model read(capnp::schema::CodeGeneratorRequest::RequestedFile::Reader file) {
    model_.file = file.getFilename().cStr();
    model_.cpp_namespace = request_.cpp_namespace(file.getId());
    model_.doc = request_.doc(file.getId());
    for (const std::uint64_t id : request_.declared_in(file.getId())) read_declaration(id);
    while (!wanted_.empty()) read_wanted(*wanted_.begin());  // of imported files
    set_order(model_, request_.declared_in(file.getId()));
    std::set<std::uint64_t> used;
    for (const auto& s : model_.structs) used.insert(request_.file_of(s->id));
    for (const auto& e : model_.enums) used.insert(request_.file_of(e->id));
    for (auto import : file.getImports()) {
      if (used.count(import.getId()) != 0) model_.imports.emplace_back(import.getName().cStr());
    }
    return std::move(model_);
  }

 private:
  /// With all that is declared within it.
  void read_declaration(std::uint64_t id) {
    const Node& node = request_.node(id);
    wanted_.erase(id);
    if (!known_.insert(id).second) return;
    switch (node.which()) {
      case capnp::schema::Node::STRUCT: read_struct(node); break;
      case capnp::schema::Node::ENUM: read_enum(node); break;
      case capnp::schema::Node::CONST: read_constant(node); return;
      case capnp::schema::Node::INTERFACE:
        throw SchemaError(request_.schema_name(id),
                          "an interface has no counterpart: list the messages of a protocol in a "
                          "struct with $Troupe.protocol");
      default: return;
    }
    for (const std::uint64_t nested : request_.declared_in(id)) read_declaration(nested);
  }
  /// A type of another file is read with the outermost struct it lies in.
  void read_wanted(std::uint64_t id) {
    std::uint64_t outermost = id;
    while (!request_.node(request_.node(outermost).getScopeId()).isFile())
      outermost = request_.node(outermost).getScopeId();
    wanted_.erase(id);
    read_declaration(outermost);
  }
  void want(std::uint64_t id) {
    if (known_.count(id) == 0) wanted_.insert(id);
  }

  void read_enum(const Node& node) {
    auto e = std::make_unique<Enum>();
    e->id = node.getId();
    e->full_name = request_.cpp_name(e->id);
    e->name = last_part(request_.schema_name(e->id));
    e->doc = request_.doc(e->id);
    std::uint32_t at = 0;
    for (auto value : node.getEnum().getEnumerants())
      e->values.push_back({snake_case(value.getName().cStr()), request_.member_doc(e->id, at++)});
    model_.enums.push_back(std::move(e));
  }

  void read_constant(const Node& node) {
    const std::string where = request_.schema_name(node.getId());
    const Type type = read_type(node.getConst().getType(), where);
    Constant c;
    c.name = snake_case(last_part(where));
    c.doc = request_.doc(node.getId());
    c.type = type.kind == Kind::text ? "std::string_view" : type.cpp();
    c.value = expression(node.getConst().getValue(), c.type);
    if (c.value.empty())
      throw SchemaError(where, "a constant is a number, a Bool, a Text or an enumeration");
    if (!request_.node(node.getScopeId()).isFile())
      throw SchemaError(where, "a constant is declared outside of structs");
    model_.constants.push_back(std::move(c));
  }

  void read_struct(const Node& node) {
    auto s = std::make_unique<Struct>();
    s->id = node.getId();
    s->schema_name = request_.schema_name(s->id);
    s->full_name = request_.cpp_name(s->id);
    s->name = last_part(s->schema_name);
    for (const std::uint64_t nested : request_.declared_in(s->id)) {
      if (!request_.node(nested).isConst()) s->declared.push_back(nested);
    }
    s->doc = request_.doc(s->id);
    s->data_words = node.getStruct().getDataWordCount();
    s->pointers = node.getStruct().getPointerCount();
    if (node.getIsGeneric())
      throw SchemaError(s->schema_name,
                        "a generic struct has no counterpart: write one for each "
                        "of its parameters");
    s->body = read_group(node, s->schema_name);
    read_annotations(*s, node);
    model_.structs.push_back(std::move(s));
  }

  void read_annotations(Struct& s, const Node& node) {
    if (const auto version = annotation(node, version_annotation)) s.version = version->getUint32();
    if (s.version == 0) throw SchemaError(s.schema_name, "versions count from 1");
    if (const auto reply = annotation(node, reply_annotation))
      s.reply = reply_type(reply->getText().cStr(), s);
    const auto protocol = annotation(node, protocol_annotation);
    if (!protocol) return;
    s.is_protocol = true;
    if (!s.body.fields.empty() || !s.body.alternatives.empty())
      throw SchemaError(s.schema_name, "a protocol has no fields");
    for (auto message : protocol->getList().getAs<capnp::List<capnp::Text>>()) {
      const std::uint64_t id = request_.find(message.cStr(), s.id);
      if (id == 0 || !request_.node(id).isStruct())
        throw SchemaError(s.schema_name, "there is no message `" + std::string{message.cStr()} +
                                             "` to list in this protocol");
      want(id);
      s.protocol.push_back(request_.cpp_name(id));
      s.mentioned.push_back(id);
    }
  }

  std::string reply_type(const std::string& name, Struct& s) {
    const auto scalar = scalar_replies.find(name);
    if (scalar != scalar_replies.end()) {
      s.has_plain_reply = scalar->second != "void";
      return scalar->second;
    }
    const std::uint64_t id = request_.find(name, s.id);
    if (id == 0 || request_.node(id).isConst())
      throw SchemaError(s.schema_name, "there is no type `" + name + "` to reply with");
    s.has_plain_reply = request_.node(id).isEnum();
    want(id);
    s.mentioned.push_back(id);
    return request_.cpp_name(id);
  }

  Group read_group(const Node& node, const std::string& where) {
    Group group;
    group.discriminant_offset = node.getStruct().getDiscriminantOffset();
    std::uint32_t at = 0;
    for (auto f : node.getStruct().getFields()) {
      Field field = read_field(f, where + "." + f.getName().cStr());
      field.doc = request_.member_doc(node.getId(), at++);
      if (f.getDiscriminantValue() == capnp::schema::Field::NO_DISCRIMINANT) {
        group.fields.push_back(std::move(field));
        continue;
      }
      Alternative alternative;
      alternative.type_name = upper_camel_case(field.schema_name);
      alternative.discriminant = f.getDiscriminantValue();
      alternative.field = std::move(field);
      group.alternatives.push_back(std::move(alternative));
    }
    std::sort(group.alternatives.begin(), group.alternatives.end(),
              [](const auto& a, const auto& b) { return a.discriminant < b.discriminant; });
    check_names(group, node, where);
    return group;
  }

  /// The names a group has in C++ are all different.
  void check_names(const Group& group, const Node& node, const std::string& where) const {
    std::set<std::string> names;
    if (!group.alternatives.empty()) names.insert("which");
    const auto add = [&](const std::string& name, const std::string& schema_name) {
      if (!names.insert(name).second)
        throw SchemaError(where + "." + schema_name, "`" + name + "` is twice in C++: rename one");
    };
    for (const std::uint64_t id : request_.declared_in(node.getId())) {
      const std::string name = last_part(request_.schema_name(id));
      add(name, name);
    }
    for (const Field& f : group.fields) {
      add(f.name, f.schema_name);
      if (f.group != nullptr) add(f.group->type_name, f.schema_name);
    }
    for (const Alternative& a : group.alternatives) add(a.type_name, a.field.schema_name);
  }

  Field read_field(capnp::schema::Field::Reader f, const std::string& where) {
    Field field;
    field.schema_name = f.getName().cStr();
    field.name = snake_case(field.schema_name);
    field.is_optional = annotation(f, optional_annotation).has_value();
    if (f.isGroup()) {
      const Node& node = request_.node(f.getGroup().getTypeId());
      field.group = std::make_unique<Group>(read_group(node, where));
      field.group->type_name = upper_camel_case(field.schema_name);
    } else {
      field.type = read_type(f.getSlot().getType(), where);
      field.offset = f.getSlot().getOffset();
      read_default(field, f.getSlot(), where);
    }
    if (annotation(f, shared_annotation)) share(field, where);
    if (field.is_optional && (field.group != nullptr || !field.type.is_pointer()))
      throw SchemaError(where,
                        "only a Text, a Data, a list or a struct can be missing: make it a "
                        "union with a Void");
    return field;
  }

  void share(Field& field, const std::string& where) {
    if (field.type.kind != Kind::structure) throw SchemaError(where, "only a struct can be shared");
    field.type.is_shared = model_.has_shared = true;
  }

  void read_default(Field& field, capnp::schema::Field::Slot::Reader slot,
                    const std::string& where) {
    const Value::Reader value = slot.getDefaultValue();
    field.default_bits = stored_bits(value);
    if (!slot.getHadExplicitDefault()) return;
    field.default_value = value.isEnum() ? enumerant(field.type, value.getEnum())
                                         : expression(value, field.type.cpp());
    if (value.isText()) field.default_text = value.getText().cStr();
    if (field.default_value.empty())
      throw SchemaError(where, "a default is a number, a Bool, a Text or an enumerant");
    if (field.is_optional) throw SchemaError(where, "what may be missing has no default");
  }

  [[nodiscard]] std::string enumerant(const Type& type, std::uint16_t number) const {
    const auto values = request_.node(type.id).getEnum().getEnumerants();
    return type.name + "::" + snake_case(values[number].getName().cStr());
  }

  Type read_type(capnp::schema::Type::Reader t, const std::string& where) {
    using T = capnp::schema::Type;
    Type type;
    switch (t.which()) {
      case T::VOID: type.kind = Kind::nothing; break;
      case T::BOOL: type.kind = Kind::boolean; break;
      case T::INT8: type.kind = Kind::int8; break;
      case T::INT16: type.kind = Kind::int16; break;
      case T::INT32: type.kind = Kind::int32; break;
      case T::INT64: type.kind = Kind::int64; break;
      case T::UINT8: type.kind = Kind::uint8; break;
      case T::UINT16: type.kind = Kind::uint16; break;
      case T::UINT32: type.kind = Kind::uint32; break;
      case T::UINT64: type.kind = Kind::uint64; break;
      case T::FLOAT32: type.kind = Kind::float32; break;
      case T::FLOAT64: type.kind = Kind::float64; break;
      case T::TEXT: type.kind = Kind::text; break;
      case T::DATA: type.kind = Kind::data; break;
      case T::LIST:
        type.kind = Kind::list;
        type.element = std::make_unique<Type>(read_type(t.getList().getElementType(), where));
        break;
      case T::ENUM:
        type.kind = Kind::enumeration;
        name_type(type, t.getEnum().getTypeId());
        break;
      case T::STRUCT:
        if (t.getStruct().getTypeId() == ref_struct) {
          type.kind = Kind::ref;
          model_.has_refs = true;
          name_type(type, protocol_of(t.getStruct(), where));
          break;
        }
        type.kind = Kind::structure;
        name_type(type, t.getStruct().getTypeId());
        break;
      case T::INTERFACE: throw SchemaError(where, "an interface can't be in a message");
      case T::ANY_POINTER:
        throw SchemaError(where, "an AnyPointer has no type in C++: use a union, or Data");
    }
    return type;
  }

  /// Whose messages the actor takes.
  [[nodiscard]] std::uint64_t protocol_of(capnp::schema::Type::Struct::Reader ref,
                                          const std::string& where) const {
    for (auto scope : ref.getBrand().getScopes()) {
      if (scope.getScopeId() != ref_struct || !scope.isBind()) continue;
      for (auto binding : scope.getBind()) {
        if (!binding.isType() || !binding.getType().isStruct()) break;
        const std::uint64_t id = binding.getType().getStruct().getTypeId();
        if (annotation(request_.node(id), protocol_annotation)) return id;
      }
    }
    throw SchemaError(where,
                      "a Ref names a protocol: Ref(OrderDesk), a struct with $Troupe.protocol");
  }

  void name_type(Type& type, std::uint64_t id) {
    type.id = id;
    type.name = request_.cpp_name(id);
    want(id);
  }

  Request request_;
  Model model_;
  std::set<std::uint64_t> known_;
  std::set<std::uint64_t> wanted_;
};

}  // namespace

Model read_model(capnp::schema::CodeGeneratorRequest::Reader request,
                 capnp::schema::CodeGeneratorRequest::RequestedFile::Reader file) {
  return ModelReader{request}.read(file);
}

}  // namespace troupe::codec
