// Middleware: code around every handler of a System.
#pragma once

#include <string_view>

#include <troupe/runtime/ref.hpp>

namespace troupe {

/// A message about to be handled.
struct Handling {
  Ref<> actor;
  Ref<> sender;  ///< empty: from outside, or from a timer
  std::string_view message_type;
  bool is_request = false;
  const detail::MessageType* type = nullptr;
  const void* message = nullptr;

  /// The message, if it is an M.
  template <class M>
  [[nodiscard]] const M* as() const noexcept {
    return detail::same_type(type, &detail::message_type<M>) ? static_cast<const M*>(message)
                                                             : nullptr;
  }
};

/// Goes on to the next middleware, and at last to the handler; throws UsageError the second time.
/// Thread safety: on the actor, in `around`.
class Next {
 public:
  Next(void (*function)(void*), void* argument) noexcept
      : function_(function), argument_(argument) {}
  void operator()() const { function_(argument_); }

 private:
  void (*function_)(void*);
  void* argument_;
};

/// Given to a System at construction; called for messages and signals, in the order of the list.
/// Runs as part of the handler's turn: what it throws is the handler's exception, and `next()`
/// returns when the handler has. A handler that is a coroutine has not begun then: it runs after
/// the middleware. Without calling `next` a message is a dead letter (`turned_away`), and a request
/// fails with `no_reply`. Thread safety: `around` is called by many actors at a time.
class Middleware {
 public:
  Middleware() = default;
  Middleware(const Middleware&) = delete;
  Middleware& operator=(const Middleware&) = delete;
  virtual ~Middleware() = default;
  virtual void around(const Handling& handling, Next next) = 0;
};

}  // namespace troupe
