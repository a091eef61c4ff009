// What is stored becomes what a state applies: decoded, and where it is old, upcast.
#pragma once

#include <cstdint>
#include <string>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include <troupe/persistence/events.hpp>

namespace troupe::persistence::detail {

template <class State>
struct OldEventsOf {
  using type = OldEvents<>;
};
template <class State>
requires requires {
  typename State::OldEvents;
}
struct OldEventsOf<State> {
  using type = typename State::OldEvents;
};
template <class E, class List>
inline constexpr bool is_old_event_of = false;
template <class E, class... Es>
inline constexpr bool is_old_event_of<E, OldEvents<Es...>> = (std::is_same_v<E, Es> || ...);

template <class State, class E>
concept Upcasts = requires(const E& event) {
  State::upcast(event);
};
template <class State, class E>
concept UpcastsVersions = requires(const E& event) {
  State::upcast(event, std::uint32_t{});
};
template <class State, class T>
inline constexpr bool is_list_of_events =
    std::is_same_v<T, std::vector<typename State::Events::Any>>;

inline constexpr std::size_t old_steps_max = 32;
/// Why an old event has no way to what the state applies; void: it has. `Left`: so many steps.
template <class State, class Old, std::size_t Left>
consteval auto why_no_way() {
  if constexpr (!troupe::detail::HasCodec<Old>) {
    return static_cast<why::an_old_event_needs_a_schema<Old>*>(nullptr);
  } else if constexpr (!Upcasts<State, Old>) {
    return static_cast<why::the_state_has_no_upcast_for_this_old_event<Old>*>(nullptr);
  } else {
    using Next = std::remove_cvref_t<decltype(State::upcast(std::declval<const Old&>()))>;
    if constexpr (is_old_event_of<Next, typename OldEventsOf<State>::type> && Left > 0) {
      return why_no_way<State, Next, Left - 1>();
    } else if constexpr (!is_event_of<Next, typename State::Events> &&
                         !is_list_of_events<State, Next>) {
      return static_cast<why::an_upcast_returns_an_event_an_old_event_or_a_list_of_events<Old>*>(
          nullptr);
    }
  }
}
template <class State, class List>
struct WhyNotOld {
  using type = void;
};
template <class State, class Old, class... Olds>
struct WhyNotOld<State, OldEvents<Old, Olds...>> {
  using Own = decltype(why_no_way<State, Old, old_steps_max>());
  using type =
      typename std::conditional_t<std::is_void_v<Own>, WhyNotOld<State, OldEvents<Olds...>>,
                                  std::type_identity<Own>>::type;
};

/// What is wrong with a state's events, or with its old ones.
template <class State>
struct WhyNotEvents {
  using Today = typename WhyNotState<State, typename State::Events>::type;
  using type = typename std::conditional_t<std::is_void_v<Today>,
                                           WhyNotOld<State, typename OldEventsOf<State>::type>,
                                           std::type_identity<Today>>::type;
};

template <class State, class E>
consteval auto why_not_read() {
  if constexpr (is_event_of<E, typename State::Events>) {
    return why_no_event<State, E>();
  } else {
    return why_no_way<State, E, old_steps_max>();
  }
}

/// An event of today, an old one, or a list.
template <class State, class T, class Take>
void with_each(const T& value, const Take& take) {
  if constexpr (is_list_of_events<State, T>) {
    for (const auto& any : value) std::visit(take, any);
  } else if constexpr (is_event_of<T, typename State::Events>) {
    take(value);
  } else {
    with_each<State>(State::upcast(value), take);
  }
}

/// Of a stored event: which types there are, and how they come to `take`.
template <class State, class E, class Take>
void decode_and_take(const EventData& event, const Take& take) {
  E decoded = codec::decode<E>(event.data);
  constexpr std::uint32_t today = version_of<E>();
  if (event.type_version > today)
    throw codec::CodecError("version " + std::to_string(event.type_version) + " of " +
                            event.type_name + " was written by a later release: this one knows " +
                            std::to_string(today));
  if (event.type_version == today) return with_each<State>(decoded, take);
  if constexpr (UpcastsVersions<State, E>) {
    with_each<State>(State::upcast(decoded, event.type_version), take);
  } else {
    throw codec::CodecError("the state has no upcast(const E&, std::uint32_t) for version " +
                            std::to_string(event.type_version) + " of " + event.type_name);
  }
}

/// Decodes a stored event of a state, and calls `take` with each event of today that it is: one, or
/// by upcasting any number. False: the state does not know its type. Throws codec::CodecError.
template <class State, class Take, class... Es, class... Olds>
bool take_stored(const EventData& event, const Take& take, std::type_identity<Events<Es...>>,
                 std::type_identity<OldEvents<Olds...>>) {
  const auto try_one = [&]<class E>(std::type_identity<E>) {
    if constexpr (!std::is_void_v<decltype(why_not_read<State, E>())>) {
      return false;  // the constructor has said why
    } else {
      if (E::troupe_schema != event.type) return false;
      decode_and_take<State, E>(event, take);
      return true;
    }
  };
  return (try_one(std::type_identity<Es>{}) || ...) || (try_one(std::type_identity<Olds>{}) || ...);
}
template <class State, class Take>
bool take_stored(const EventData& event, const Take& take) {
  return take_stored<State>(event, take, std::type_identity<typename State::Events>{},
                            std::type_identity<typename OldEventsOf<State>::type>{});
}

/// Where the state has none, the constructor has said so.
template <class State, class E>
void apply_one(State& state, const E& event) {
  if constexpr (Applies<State, E>) state.apply(event);
}

/// Throws codec::CodecError, also for a type that the state does not know: unless it has an
/// `apply_unknown(const EventData&)`, which is called then.
template <class State>
void apply_stored(State& state, const EventData& event) {
  const auto apply = [&](const auto& e) { apply_one(state, e); };
  if (take_stored<State>(event, apply)) return;
  if constexpr (requires { state.apply_unknown(event); }) {
    state.apply_unknown(event);
  } else {
    throw codec::CodecError("the state lists no event or old event of the type " + event.type_name);
  }
}

}  // namespace troupe::persistence::detail
