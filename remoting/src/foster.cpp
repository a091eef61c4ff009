#include "foster.hpp"

#include <exception>

#include <troupe/runtime/detail/remote.hpp>

namespace troupe::remoting::detail {

namespace {

bool takes_all(const Address& actor, const std::vector<std::uint64_t>& schemas) {
  for (const std::uint64_t schema : schemas)
    if (troupe::detail::type_of_schema(actor, schema) == nullptr) return false;
  return true;
}

}  // namespace

void Foster::receive(const Down& m) {
  if (m.who != parent_) {
    std::erase(children_, m.who);
    std::erase_if(by_id_, [&](const auto& entry) { return entry.second == m.who; });
  } else if (m.restarted) {
    for (const Ref<>& child : children_)
      if (!troupe::detail::mutant("remote_child_outlives_its_parents_restart")) stop(child);
    by_id_.clear();
  } else if (!troupe::detail::mutant("remote_child_outlives_its_parent")) {
    stop();
  }
}

void Foster::receive(const SpawnChild& m) {
  const auto known = by_id_.find(m.id);
  if (known != by_id_.end()) {
    m.answer->give(known->second.address());
    return;
  }
  Ref<> child;
  try {
    child = spawn(Factory<>{m.make()});
  } catch (const codec::CodecError& e) {
    m.answer->fail(AskErrorKind::unknown_type, e.what());
    return;
  } catch (const std::exception& e) {
    m.answer->fail(AskErrorKind::refused, std::string("the factory has failed: ") + e.what());
    return;
  }
  if (!takes_all(child.address(), m.schemas)) {
    stop(child);
    m.answer->fail(AskErrorKind::wrong_protocol,
                   "the factory's actors do not take all messages of the ref");
    return;
  }
  monitor(child);
  children_.push_back(child);
  if (!m.id.empty()) by_id_.emplace(m.id, child);
  m.answer->give(child.address());
}

}  // namespace troupe::remoting::detail
