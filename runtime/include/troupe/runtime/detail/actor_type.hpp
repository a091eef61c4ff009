// What the runtime knows of an actor's class: one constant per class, built by `spawn<T>`.
#pragma once

#include <troupe/runtime/children.hpp>
#include <troupe/runtime/detail/handler.hpp>
#include <troupe/runtime/signals.hpp>

namespace troupe::detail {

/// What may go on while a handler waits. A process takes messages while it waits for one.
enum class TurnsKind : std::uint8_t { exclusive, reentrant, readers_together, process };

struct ActorType {
  const char* name;
  std::uint32_t name_size;
  std::uint32_t size;
  std::uint32_t align;
  std::uint32_t handler_count;
  std::uint32_t public_count;  ///< of the handlers, those come first
  const HandlerEntry* handlers;
  ActorBase* (*base)(void* object) noexcept;
  void (*destroy)(void* object) noexcept;
  ChildObserver* (*child_observer)(
      ActorBase&) noexcept;  ///< null: the runtime looks after the children
  bool has_on_start;
  bool has_on_stop;
  TurnsKind turns;

  /// Null when the class has none.
  [[nodiscard]] const HandlerEntry* find(const MessageType* message) const noexcept;

  [[nodiscard]] std::string_view text() const noexcept { return {name, name_size}; }
};

template <class T>
concept DeclaresTurns = requires {
  T::turns;
};
template <class T>
consteval TurnsKind turns_of() {
  if constexpr (DeclaresTurns<T>) {
    return T::turns.kind;
  } else {
    return TurnsKind::exclusive;
  }
}

template <class T>
concept InheritsOnStart = requires {
  { &T::on_start } -> std::same_as<void (ActorBase::*)()>;
};

template <class T>
concept InheritsOnStop = requires {
  { &T::on_stop } -> std::same_as<void (ActorBase::*)(StopReason)>;
};

// Signals a class has handlers for.
template <class T, class... Ss>
using HandledSignals =
    typename Concat<std::conditional_t<HasOneHandler<T, Ss>, TypeList<Ss>, TypeList<>>...>::type;

template <class T, class List>
struct HandlerTable;
template <class T, class... Ms>
struct HandlerTable<T, TypeList<Ms...>> {
  static constexpr HandlerEntry entries[sizeof...(Ms) + 1] = {
      {&message_type<Ms>, &handle<T, Ms>, HandlerShape<T, Ms>::reads_only}...,
      {nullptr, nullptr, false}};
  static constexpr std::uint32_t count = sizeof...(Ms);
};

template <class T>
using AllHandled =
    typename Concat<typename T::troupe_public_messages, typename T::troupe_private_messages,
                    HandledSignals<T, Terminated, Down, Exit, ReceiveTimeout>>::type;

template <class T>
ActorBase* base_of(void* object) noexcept {
  return static_cast<T*>(object);
}
template <class T>
void destroy_object(void* object) noexcept {
  static_cast<T*>(object)->~T();
}
template <class T>
ChildObserver* observer_of(ActorBase& actor) noexcept {
  return static_cast<T*>(&actor);
}
template <class T>
consteval auto find_observer() -> ChildObserver* (*)(ActorBase&) noexcept {
  if constexpr (std::is_base_of_v<ChildObserver, T>) {
    return &observer_of<T>;
  } else {
    return nullptr;
  }
}

template <class List>
inline constexpr std::uint32_t list_size = 0;
template <class... Ms>
inline constexpr std::uint32_t list_size<TypeList<Ms...>> = sizeof...(Ms);

template <class T>
consteval ActorType describe_actor() {
  using Table = HandlerTable<T, AllHandled<T>>;
  constexpr std::string_view name = type_name<T>();
  return {name.data(),         static_cast<std::uint32_t>(name.size()),
          sizeof(T),           alignof(T),
          Table::count,        list_size<typename T::troupe_public_messages>,
          Table::entries,      &base_of<T>,
          &destroy_object<T>,  find_observer<T>(),
          !InheritsOnStart<T>, !InheritsOnStop<T>,
          turns_of<T>()};
}
template <class T>
inline constexpr ActorType actor_type = describe_actor<T>();

// ---- is T an actor, and if not, why

template <class T>
concept NamesOneList = requires {
  typename T::troupe_public_messages;
};

template <class... Ms>
consteval bool ids_differ(TypeList<Ms...>) {
  constexpr std::size_t count = sizeof...(Ms);
  const std::uint64_t ids[count + 1] = {message_type<Ms>.id...};
  for (std::size_t i = 0; i < count; ++i) {
    for (std::size_t j = i + 1; j < count; ++j) {
      if (ids[i] != 0 && ids[i] == ids[j]) return false;
    }
  }
  return true;
}

template <class T, class List>
struct FirstBadHandler;
template <class T>
struct FirstBadHandler<T, TypeList<>> {
  using type = void;
};
template <class T, class M, class... Ms>
struct FirstBadHandler<T, TypeList<M, Ms...>> {
  using Why = decltype(why_no_handler<T, M>());
  using type = typename std::conditional_t<std::is_void_v<Why>, FirstBadHandler<T, TypeList<Ms...>>,
                                           std::type_identity<Why>>::type;
};

/// Why T is no valid actor; void when it is.
template <class T>
consteval auto why_not_actor() {
  if constexpr (!Complete<T>) {
    return static_cast<why::include_the_definition_of_this_incomplete_type<T>*>(nullptr);
  } else if constexpr (!std::is_base_of_v<ActorBase, T>) {
    return static_cast<why::this_class_is_not_an_actor_derive_from_troupe_Actor<T>*>(nullptr);
  } else if constexpr (!NamesOneList<T>) {
    return static_cast<why::an_actor_class_has_one_message_list_this_one_has_two<T>*>(nullptr);
  } else {
    using Messages = typename Concat<typename T::troupe_public_messages,
                                     typename T::troupe_private_messages>::type;
    using Bad = typename FirstBadHandler<T, Messages>::type;
    if constexpr (!std::is_void_v<Bad>) {
      return Bad{};
    } else if constexpr (!ids_differ(Messages{})) {
      return static_cast<why::two_messages_have_the_same_type_id_rename_one<T, Messages>*>(nullptr);
    }
  }
}
template <class T, class... Args>
consteval auto why_not_spawn() {
  using Why = decltype(why_not_actor<T>());
  if constexpr (!std::is_void_v<Why>) {
    return Why{};
  } else if constexpr (!std::is_constructible_v<T, Args...>) {
    return static_cast<why::no_constructor_takes<Args...>*>(nullptr);
  }
}
template <class T, class... Args>
consteval auto why_not_factory() {
  using Why = decltype(why_not_actor<T>());
  if constexpr (!std::is_void_v<Why>) {
    return Why{};
  } else if constexpr (!(std::is_copy_constructible_v<std::decay_t<Args>> && ...)) {
    return static_cast<why::child_arguments_must_be_copyable_to_build_the_next_incarnation<T>*>(
        nullptr);
  } else if constexpr (!std::is_constructible_v<T, const std::decay_t<Args>&...>) {
    return static_cast<why::no_constructor_takes<Args...>*>(nullptr);
  }
}

}  // namespace troupe::detail
