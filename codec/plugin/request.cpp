#include "request.hpp"

#include <utility>

#include "names.hpp"

namespace troupe::codec {

namespace {

std::vector<std::string> lines(capnp::Text::Reader text) {
  std::vector<std::string> result;
  std::string line;
  for (const char c : std::string_view{text.cStr(), text.size()}) {
    if (c == '\n') {
      result.push_back(std::exchange(line, {}));
    } else {
      line += c;
    }
  }
  if (!line.empty()) result.push_back(line);
  return result;
}

std::string own_name(const Node& node) {
  return std::string{node.getDisplayName().cStr() + node.getDisplayNamePrefixLength()};
}

}  // namespace

Request::Request(capnp::schema::CodeGeneratorRequest::Reader request) {
  for (auto node : request.getNodes()) {
    nodes_.emplace(node.getId(), node);
    if (node.isFile()) files_.insert(node.getId());
  }
  for (auto source : request.getSourceInfo()) sources_.emplace(source.getId(), source);
}

std::uint64_t Request::file_of(std::uint64_t id) const {
  while (!node(id).isFile()) id = node(id).getScopeId();
  return id;
}

std::vector<std::uint64_t> Request::declared_in(std::uint64_t id) const {
  std::vector<std::uint64_t> result;
  for (auto nested : node(id).getNestedNodes()) {
    if (has(nested.getId())) result.push_back(nested.getId());
  }
  return result;
}

std::string Request::schema_name(std::uint64_t id) const {
  const Node& n = node(id);
  const bool is_outermost = node(n.getScopeId()).isFile();
  return is_outermost ? own_name(n) : schema_name(n.getScopeId()) + "." + own_name(n);
}

std::string Request::cpp_namespace(std::uint64_t file) const {
  const auto given = annotation(node(file), namespace_annotation);
  if (!given)
    throw SchemaError("",
                      "the file has no C++ namespace: add `using Troupe = import "
                      "\"/troupe/troupe.capnp\"; $Troupe.namespace(\"your::own\");`");
  return given->getText().cStr();
}

std::string Request::cpp_name(std::uint64_t id) const {
  const Node& n = node(id);
  return node(n.getScopeId()).isFile() ? "::" + cpp_namespace(n.getScopeId()) + "::" + own_name(n)
                                       : cpp_name(n.getScopeId()) + "_" + own_name(n);
}

std::uint64_t Request::find_below(const std::string& name, std::uint64_t scope) const {
  const std::size_t dot = name.find('.');
  const std::string first = name.substr(0, dot);
  for (auto nested : node(scope).getNestedNodes()) {
    if (first != nested.getName().cStr() || !has(nested.getId())) continue;
    if (dot == std::string::npos) return nested.getId();
    return find_below(name.substr(dot + 1), nested.getId());
  }
  return 0;
}

std::uint64_t Request::find(const std::string& name, std::uint64_t from) const {
  for (std::uint64_t scope = from;; scope = node(scope).getScopeId()) {
    if (const std::uint64_t found = find_below(name, scope)) return found;
    if (node(scope).isFile()) break;
  }
  std::uint64_t found = 0;
  for (const std::uint64_t file : files_) {
    const std::uint64_t other = find_below(name, file);
    if (other == 0) continue;
    if (found != 0)
      throw SchemaError(schema_name(from), "`" + name + "` is in more than one imported file");
    found = other;
  }
  return found;
}

std::vector<std::string> Request::doc(std::uint64_t id) const {
  const auto source = sources_.find(id);
  if (source == sources_.end()) return {};
  return lines(source->second.getDocComment());
}

std::vector<std::string> Request::member_doc(std::uint64_t id, std::uint32_t index) const {
  const auto source = sources_.find(id);
  if (source == sources_.end() || index >= source->second.getMembers().size()) return {};
  return lines(source->second.getMembers()[index].getDocComment());
}

}  // namespace troupe::codec
