#include "declaration_order.hpp"

#include <algorithm>
#include <map>
#include <set>

namespace troupe::codec {

namespace {

/// A type that a declaration needs, and the field that needs it.
struct Need {
  std::uint64_t type;
  std::string where;
};
struct Needs {
  std::vector<Need> complete;   ///< is a member
  std::vector<Need> mentioned;  ///< is in a list, replies, is a protocol's message
};

void add_group(const Group& group, const std::string& where, Needs& needs);

void add_field(const Field& field, const std::string& where, Needs& needs) {
  const std::string here = where + "." + field.schema_name;
  if (field.group != nullptr) return add_group(*field.group, here, needs);
  const Type* type = &field.type;
  while (type->kind == Kind::list) type = type->element.get();
  if (type->id == 0) return;
  const bool is_in_list = field.type.kind == Kind::list;
  (is_in_list ? needs.mentioned : needs.complete).push_back({type->id, here});
}

void add_group(const Group& group, const std::string& where, Needs& needs) {
  for (const Field& f : group.fields) add_field(f, where, needs);
  for (const Alternative& a : group.alternatives) add_field(a.field, where, needs);
}

class Order {
 public:
  Order(Model& model, const Request& request) : model_(model), request_(request) {}

  std::vector<std::uint64_t> of(const std::vector<std::uint64_t>& declared) {
    Scope scope{{declared.begin(), declared.end()}, {}, {}, {}};
    for (const std::uint64_t id : declared) {  // an enumeration needs nothing
      if (model_.enumeration(id) != nullptr) visit(scope, {id, {}});
    }
    for (const std::uint64_t id : declared) visit(scope, {id, {}});
    declare_ahead(scope);
    return scope.order;
  }

 private:
  struct Scope {
    std::set<std::uint64_t> declared;
    std::set<std::uint64_t> begun;
    std::set<std::uint64_t> done;
    std::vector<std::uint64_t> order;
  };

  void visit(Scope& scope, const Need& need) {
    const std::uint64_t id = need.type;
    if (scope.done.count(id) != 0 || !is_type(id)) return;
    if (!scope.begun.insert(id).second)
      throw SchemaError(need.where, "a struct can't hold itself: make it a List");
    for (const Need& n : needs_of(id).complete) {
      if (const std::uint64_t other = sibling(scope, n.type); other != 0 && other != id)
        visit(scope, {other, n.where});
      else if (n.type == id)
        throw SchemaError(n.where, "a struct can't hold itself: make it a List");
    }
    for (const Need& n : needs_of(id).mentioned) {  // better before, but for rings
      const std::uint64_t other = sibling(scope, n.type);
      if (other != 0 && scope.begun.count(other) == 0 && !needs_begun(scope, other))
        visit(scope, {other, n.where});
    }
    if (Struct* s = model_.structure(id)) s->order = of(request_.declared_in(id));
    scope.done.insert(id);
    scope.order.push_back(id);
  }

  /// Whether it can't be complete before one of those that are begun is.
  [[nodiscard]] bool needs_begun(const Scope& scope, std::uint64_t id,
                                 std::set<std::uint64_t> seen = {}) const {
    if (!seen.insert(id).second) return false;
    for (const Need& n : needs_of(id).complete) {
      const std::uint64_t other = sibling(scope, n.type);
      if (other == 0 || other == id || scope.done.count(other) != 0) continue;
      if (scope.begun.count(other) != 0 || needs_begun(scope, other, seen)) return true;
    }
    return false;
  }

  /// What is mentioned before it is printed.
  void declare_ahead(const Scope& scope) {
    std::set<std::uint64_t> printed;
    for (const std::uint64_t id : scope.order) {
      printed.insert(id);
      for (const Need& n : needs_of(id).mentioned) {
        const std::uint64_t other = sibling(scope, n.type);
        if (other == 0 || printed.count(other) != 0) continue;
        if (other != n.type)
          throw SchemaError(n.where, "declare `" + request_.schema_name(other) +
                                         "` before, or move `" + request_.schema_name(n.type) +
                                         "` out of it");
        if (std::find(model_.ahead.begin(), model_.ahead.end(), other) == model_.ahead.end())
          model_.ahead.push_back(other);
      }
    }
  }

  [[nodiscard]] bool is_type(std::uint64_t id) const {
    return model_.structure(id) != nullptr || model_.enumeration(id) != nullptr;
  }

  /// Of a struct and of all that is declared within it.
  [[nodiscard]] Needs needs_of(std::uint64_t id) const {
    Needs needs;
    const Struct* s = model_.structure(id);
    if (s == nullptr) return needs;
    add_group(s->body, s->schema_name, needs);
    for (const std::uint64_t m : s->mentioned) needs.mentioned.push_back({m, s->schema_name});
    for (const std::uint64_t nested : request_.declared_in(id)) {
      Needs inner = needs_of(nested);
      needs.complete.insert(needs.complete.end(), inner.complete.begin(), inner.complete.end());
      needs.mentioned.insert(needs.mentioned.end(), inner.mentioned.begin(), inner.mentioned.end());
    }
    return needs;
  }

  /// The declaration of this scope that the type is, or lies in; 0: of no such.
  [[nodiscard]] std::uint64_t sibling(const Scope& scope, std::uint64_t type) const {
    for (std::uint64_t id = type; !request_.node(id).isFile(); id = request_.node(id).getScopeId())
      if (scope.declared.count(id) != 0) return id;
    return 0;
  }

  Model& model_;
  const Request& request_;
};

}  // namespace

void set_order(Model& model, const std::vector<std::uint64_t>& declared, const Request& request) {
  model.order = Order{model, request}.of(declared);
}

}  // namespace troupe::codec
