#include "declaration_order.hpp"

#include <algorithm>
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
  std::vector<Need> mentioned;  ///< is in a list, a ref, a reply, a protocol's message, nested
};

void add_group(const Group& group, const std::string& where, Needs& needs);

void add_field(const Field& field, const std::string& where, Needs& needs) {
  const std::string here = where + "." + field.schema_name;
  if (field.group != nullptr) return add_group(*field.group, here, needs);
  const Type* type = &field.type;
  while (type->kind == Kind::list) type = type->element.get();
  if (type->id == 0) return;
  const bool is_mentioned = field.type.kind == Kind::list || type->kind == Kind::ref;
  (is_mentioned ? needs.mentioned : needs.complete).push_back({type->id, here});
}

void add_group(const Group& group, const std::string& where, Needs& needs) {
  for (const Field& f : group.fields) add_field(f, where, needs);
  for (const Alternative& a : group.alternatives) add_field(a.field, where, needs);
}

Needs needs_of(const Struct& s) {
  Needs needs;
  add_group(s.body, s.schema_name, needs);
  for (const std::uint64_t id : s.mentioned) needs.mentioned.push_back({id, s.schema_name});
  for (const std::uint64_t id : s.declared) needs.mentioned.push_back({id, s.schema_name});
  return needs;
}

class Order {
 public:
  explicit Order(Model& model) : model_(model) {}

  void set(const std::vector<std::uint64_t>& declared) {
    add(declared);
    for (const std::uint64_t id : own_) {  // an enumeration needs nothing
      if (model_.enumeration(id) != nullptr) visit({id, {}});
    }
    for (const std::uint64_t id : own_) visit({id, {}});
    declare_ahead();
  }

 private:
  void add(const std::vector<std::uint64_t>& declared) {
    for (const std::uint64_t id : declared) {
      const Struct* s = model_.structure(id);
      if (s == nullptr && model_.enumeration(id) == nullptr) continue;  // a constant
      own_.push_back(id);
      if (s != nullptr) add(s->declared);
    }
  }
  [[nodiscard]] bool is_own(std::uint64_t id) const {
    return std::find(own_.begin(), own_.end(), id) != own_.end();
  }

  void visit(const Need& need) {
    if (done_.count(need.type) != 0) return;
    if (!begun_.insert(need.type).second)
      throw SchemaError(need.where, "a struct can't hold itself: make it a List");
    if (const Struct* s = model_.structure(need.type)) {
      const Needs needs = needs_of(*s);
      for (const Need& n : needs.complete) {
        if (is_own(n.type)) visit(n);
      }
      for (const Need& n : needs.mentioned) {  // better before, but for rings
        if (is_own(n.type) && begun_.count(n.type) == 0 && !needs_begun(n.type)) visit(n);
      }
    }
    done_.insert(need.type);
    model_.order.push_back(need.type);
  }

  /// Whether it can't be complete before one of those that are begun is.
  [[nodiscard]] bool needs_begun(std::uint64_t id, std::set<std::uint64_t> seen = {}) const {
    const Struct* s = model_.structure(id);
    if (s == nullptr || !seen.insert(id).second) return false;
    for (const Need& n : needs_of(*s).complete) {
      if (!is_own(n.type) || done_.count(n.type) != 0) continue;
      if (begun_.count(n.type) != 0 || needs_begun(n.type, seen)) return true;
    }
    return false;
  }

  /// What is mentioned before it is printed.
  void declare_ahead() {
    std::set<std::uint64_t> printed;
    for (const std::uint64_t id : model_.order) {
      printed.insert(id);
      const Struct* s = model_.structure(id);
      if (s == nullptr) continue;
      for (const Need& n : needs_of(*s).mentioned) {
        if (is_own(n.type) && printed.count(n.type) == 0 &&
            std::find(model_.ahead.begin(), model_.ahead.end(), n.type) == model_.ahead.end())
          model_.ahead.push_back(n.type);
      }
    }
  }

  Model& model_;
  std::vector<std::uint64_t> own_;
  std::set<std::uint64_t> begun_;
  std::set<std::uint64_t> done_;
};

}  // namespace

void set_order(Model& model, const std::vector<std::uint64_t>& declared) {
  Order{model}.set(declared);
}

}  // namespace troupe::codec
