// The schema compiler's request, to be looked up in.
#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include "model.hpp"

namespace troupe::codec {

using Node = capnp::schema::Node::Reader;

/// What of troupe.capnp is no type of the user's: its annotations, and its struct Ref.
inline constexpr std::uint64_t namespace_annotation = 0x92c2ded3aa43a7e0;
inline constexpr std::uint64_t reply_annotation = 0xff4158de35cce80d;
inline constexpr std::uint64_t protocol_annotation = 0xbc636b2fb64d1bad;
inline constexpr std::uint64_t optional_annotation = 0x9e49eabe41922159;
inline constexpr std::uint64_t version_annotation = 0xb9c0a51f3d7e6e42;
inline constexpr std::uint64_t shared_annotation = 0xa6d1c5f7e2b94c37;
inline constexpr std::uint64_t ref_struct = 0xd1b8b3f6a57c20e9;

class Request {
 public:
  explicit Request(capnp::schema::CodeGeneratorRequest::Reader request);

  [[nodiscard]] const Node& node(std::uint64_t id) const { return nodes_.at(id); }
  [[nodiscard]] bool has(std::uint64_t id) const { return nodes_.count(id) != 0; }
  /// The file that a declaration is in.
  [[nodiscard]] std::uint64_t file_of(std::uint64_t id) const;
  /// What was declared within it: groups are not.
  [[nodiscard]] std::vector<std::uint64_t> declared_in(std::uint64_t id) const;
  /// "Order.Item": without the file.
  [[nodiscard]] std::string schema_name(std::uint64_t id) const;
  /// "::shop::Order_Item", which is Order::Item too. Throws SchemaError.
  [[nodiscard]] std::string cpp_name(std::uint64_t id) const;
  [[nodiscard]] std::string cpp_namespace(std::uint64_t file) const;
  /// The struct or enum called that, as seen from a declaration; 0: there is none. Throws
  /// SchemaError when there are several.
  [[nodiscard]] std::uint64_t find(const std::string& name, std::uint64_t from) const;
  [[nodiscard]] std::vector<std::string> doc(std::uint64_t id) const;
  [[nodiscard]] std::vector<std::string> member_doc(std::uint64_t id, std::uint32_t index) const;

 private:
  [[nodiscard]] std::uint64_t find_below(const std::string& name, std::uint64_t scope) const;

  std::map<std::uint64_t, Node> nodes_;
  std::map<std::uint64_t, capnp::schema::Node::SourceInfo::Reader> sources_;
  std::set<std::uint64_t> files_;
};

/// The annotation's value, or null where it is not there.
template <class Annotated>
[[nodiscard]] std::optional<capnp::schema::Value::Reader> annotation(const Annotated& of,
                                                                     std::uint64_t id) {
  for (auto a : of.getAnnotations()) {
    if (a.getId() == id) return a.getValue();
  }
  return std::nullopt;
}

}  // namespace troupe::codec
