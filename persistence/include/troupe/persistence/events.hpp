// Events<Es...>: what a state lists as its events, and how they become bytes and come back.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <type_traits>
#include <variant>
#include <vector>

#include <troupe/persistence/event.hpp>
#include <troupe/runtime/ref.hpp>
#include <troupe/runtime/why.hpp>

namespace troupe {

/// The events of a state: `using Events = troupe::Events<Funded, MoneyWithdrawn>;` in its class,
/// which has an `apply(const E&)` for each. Each is a struct of a schema.
template <class... Es>
struct Events {
  /// Any of them, for what is decided at run time.
  using Any = std::variant<Es...>;
};

/// Events that are stored no more, but were: `using OldEvents = troupe::OldEvents<FundedV1>;` in
/// the state's class, which has a `static upcast(const FundedV1&)` that makes of each what it means
/// today: an event, an older one that is upcast in turn, or a `std::vector<Events::Any>` of any
/// number. An event whose schema says a later `version` than it was stored with goes through a
/// `static upcast(const E&, std::uint32_t version)` that makes an E, or such a list, of it.
template <class... Es>
struct OldEvents {};

namespace persistence::detail {

template <class State, class E>
concept Applies = requires(State& state, const E& event) {
  state.apply(event);
};
template <class State, class E>
inline constexpr bool applies_safely =
    noexcept(std::declval<State&>().apply(std::declval<const E&>()));

template <class E, class List>
inline constexpr bool is_event_of = false;
template <class E, class... Es>
inline constexpr bool is_event_of<E, Events<Es...>> = (std::is_same_v<E, Es> || ...);

template <class State, class E>
consteval auto why_no_event() {
  if constexpr (!troupe::detail::HasCodec<E>) {
    return static_cast<why::an_event_needs_a_schema<E>*>(nullptr);
  } else if constexpr (!Applies<State, E>) {
    return static_cast<why::the_state_has_no_apply_for_this_event<E>*>(nullptr);
  } else if constexpr (!applies_safely<State, E> && !std::is_copy_constructible_v<State>) {
    return static_cast<why::the_state_must_be_copyable_unless_its_apply_is_noexcept<State>*>(
        nullptr);
  }
}
/// Why a State does not take a `Given`; void when it does.
template <class State, class Given>
consteval auto why_not_persist() {
  using E = std::remove_cvref_t<Given>;
  if constexpr (!is_event_of<E, typename State::Events>) {
    return static_cast<why::this_event_is_not_listed_in_the_states_Events<E>*>(nullptr);
  } else {
    return why_no_event<State, E>();
  }
}

/// The first reason of several events; void: there is none.
template <class State, class... Givens>
struct FirstReason {
  using type = void;
};
template <class State, class Given, class... Givens>
struct FirstReason<State, Given, Givens...> {
  using Own = decltype(why_not_persist<State, Given>());
  using type = typename std::conditional_t<std::is_void_v<Own>, FirstReason<State, Givens...>,
                                           std::type_identity<Own>>::type;
};
template <class State, class List>
struct WhyNotState;
template <class State, class... Es>
struct WhyNotState<State, Events<Es...>> : FirstReason<State, Es...> {};

/// The version of an event's meaning, where its type says one: `troupe_version`.
template <class E>
consteval std::uint32_t version_of() {
  if constexpr (requires { E::troupe_version; }) {
    return E::troupe_version;
  } else {
    return 1;
  }
}

/// Throws codec::CodecError where it can't be encoded.
template <class E>
EventData encode(const E& event) {
  return {E::troupe_schema, version_of<E>(), E::troupe_codec.name, codec::encode(event), {}};
}
/// With the tags that the state gives it: `static std::vector<std::string> tags(const E&)`.
template <class State, class E>
EventData encode_for(const E& event) {
  EventData data = encode(event);
  if constexpr (requires { State::tags(event); }) data.tags = State::tags(event);
  return data;
}

}  // namespace persistence::detail
}  // namespace troupe
