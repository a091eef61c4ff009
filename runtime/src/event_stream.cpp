#include <troupe/runtime/event_stream.hpp>

#include <algorithm>

namespace troupe {

void EventStream::State::add(const detail::MessageType* type, const detail::Address& who) {
  std::lock_guard guard(mutex_);
  const auto found = std::find_if(entries_.begin(), entries_.end(),
                                  [&](const Entry& e) { return same_type(e.first, type); });
  if (found == entries_.end()) {
    entries_.emplace_back(type, std::make_shared<const Subscribers>(Subscribers{who}));
    return;
  }
  const Subscribers& now = *found->second;
  const bool is_known = std::any_of(
      now.begin(), now.end(), [&](const detail::Address& a) { return Ref<>{a} == Ref<>{who}; });
  if (is_known) return;
  auto next = std::make_shared<Subscribers>(now);
  next->push_back(who);
  found->second = std::move(next);
}

void EventStream::State::remove(const detail::MessageType* type, const detail::Address& who) {
  std::lock_guard guard(mutex_);
  for (auto& [of, subscribers] : entries_) {
    if (type != nullptr && !same_type(of, type)) continue;
    auto next = std::make_shared<Subscribers>(*subscribers);
    std::erase_if(*next, [&](const detail::Address& a) { return Ref<>{a} == Ref<>{who}; });
    subscribers = std::move(next);
  }
}

std::shared_ptr<const EventStream::Subscribers> EventStream::State::of(
    const detail::MessageType* type) const {
  std::lock_guard guard(mutex_);
  for (const auto& [of, subscribers] : entries_) {
    if (same_type(of, type)) return subscribers;
  }
  return nullptr;
}

}  // namespace troupe
