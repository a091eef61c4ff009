// EventStream: tells what happened to whoever subscribed.
#pragma once

#include <memory>
#include <mutex>
#include <vector>

#include <troupe/runtime/ref.hpp>

namespace troupe {

/// Subscribers by type of event. An event is told to each subscriber of its exact type, from the
/// publisher, so what one publisher publishes comes in its order (S2). An actor that has ended is
/// left out from the next event on. Copies share their subscribers: hand copies to those who
/// publish. Thread safety: any thread.
class EventStream {
 public:
  /// From now on `subscriber` is told each event of type E; once, however often this is called.
  template <class E>
  void subscribe(const Ref<E>& subscriber) {
    state_->add(&detail::message_type<E>, subscriber.address());
  }
  /// No event that is published from now on is told to it.
  template <class E>
  void unsubscribe(const Ref<>& subscriber) {
    state_->remove(&detail::message_type<E>, subscriber.address());
  }
  /// The same for all types.
  void unsubscribe_all(const Ref<>& subscriber) { state_->remove(nullptr, subscriber.address()); }

  /// Tells each subscriber a copy of e; returns how many took it. A full mailbox costs its own
  /// subscriber this event only. Throws what copying throws.
  template <class E>
  std::size_t publish(const E& e) const {
    const auto subscribers = state_->of(&detail::message_type<E>);
    if (subscribers == nullptr) return 0;
    std::size_t told = 0;
    for (const detail::Address& to : *subscribers) {
      const Sent sent = Ref<E>{to}.tell(e);
      told += sent == Sent::ok ? 1 : 0;
      if (sent == Sent::dead) state_->remove(&detail::message_type<E>, to);
    }
    return told;
  }

 private:
  using Subscribers = std::vector<detail::Address>;
  /// Lists are replaced and never changed, so that telling takes no lock.
  class State {
   public:
    void add(const detail::MessageType* type, const detail::Address& who);
    void remove(const detail::MessageType* type, const detail::Address& who);
    [[nodiscard]] std::shared_ptr<const Subscribers> of(const detail::MessageType* type) const;

   private:
    using Entry = std::pair<const detail::MessageType*, std::shared_ptr<const Subscribers>>;
    mutable std::mutex mutex_;
    std::vector<Entry> entries_;
  };
  std::shared_ptr<State> state_ = std::make_shared<State>();
};

}  // namespace troupe
