// What an actor does with its messages after `become`: lambdas in place of its class's handlers.
#pragma once

#include <memory>
#include <tuple>

#include <troupe/runtime/detail/handler.hpp>
#include <troupe/runtime/signals.hpp>

namespace troupe {

namespace detail {
enum class Otherwise : std::uint8_t { none, stash, drop, receive };
template <Otherwise O>
struct OtherwiseTag {
  static constexpr Otherwise value = O;
};
}  // namespace detail

/// Last argument of `become`: what happens to messages that none of its lambdas takes.
inline constexpr detail::OtherwiseTag<detail::Otherwise::stash> otherwise_stash;
/// They become dead letters, reason `unhandled`.
inline constexpr detail::OtherwiseTag<detail::Otherwise::drop> otherwise_drop;
/// The class's own `receive` takes them.
inline constexpr detail::OtherwiseTag<detail::Otherwise::receive> otherwise_receive;

namespace detail {

struct Behavior;
struct BehaviorEntry {
  const MessageType* type;
  void (*call)(Behavior&, Envelope&, Turn&);
};

/// A set of lambdas, and what becomes of other messages.
struct Behavior {
  const BehaviorEntry* entries = nullptr;
  std::uint32_t count = 0;
  Otherwise otherwise = Otherwise::none;

  Behavior() = default;
  Behavior(const Behavior&) = delete;
  Behavior& operator=(const Behavior&) = delete;
  virtual ~Behavior() = default;
  /// A message came that none of the entries takes.
  virtual void not_handled() {}
};

template <class M, class R, class Answers>
struct LambdaShape {  // Answers: what its ReplyTo takes; NoReply when it has none
  using Message = M;
  using Result = R;
  using Deferred = Answers;
  static constexpr bool deferred = !std::is_same_v<Answers, NoReply>;
};
struct NoLambdaShape {
  using Message = void;
};
template <class C, class R, class A>
LambdaShape<std::remove_cvref_t<A>, R, NoReply> shape_of_lambda(R (C::*)(A));
template <class C, class R, class A>
LambdaShape<std::remove_cvref_t<A>, R, NoReply> shape_of_lambda(R (C::*)(A) const);
template <class C, class R, class A, class B>
LambdaShape<std::remove_cvref_t<A>, R, B> shape_of_lambda(R (C::*)(A, ReplyTo<B>));
template <class C, class R, class A, class B>
LambdaShape<std::remove_cvref_t<A>, R, B> shape_of_lambda(R (C::*)(A, ReplyTo<B>) const);
template <class F>
consteval auto find_shape_of_lambda() {
  if constexpr (requires { shape_of_lambda(&F::operator()); }) {
    return decltype(shape_of_lambda(&F::operator())){};
  } else {
    return NoLambdaShape{};
  }
}
template <class F>
using ShapeOfLambda = decltype(find_shape_of_lambda<F>());
template <class F>
using MessageOfLambda = typename ShapeOfLambda<F>::Message;

template <class... Fs>
class BehaviorOf final : public Behavior {
 public:
  BehaviorOf(Otherwise o, Fs... fs) : functions_(std::move(fs)...) {
    entries = table(std::index_sequence_for<Fs...>{});
    count = sizeof...(Fs);
    otherwise = o;
  }

 private:
  template <std::size_t... Is>
  static const BehaviorEntry* table(std::index_sequence<Is...>) {
    static constexpr BehaviorEntry entries[sizeof...(Fs) + 1] = {
        {&message_type<MessageOfLambda<Fs>>, &call<Is>}..., {nullptr, nullptr}};
    return entries;
  }
  template <std::size_t I>
  static void call(Behavior& behavior, Envelope& envelope, Turn& turn) {
    auto& function = std::get<I>(static_cast<BehaviorOf&>(behavior).functions_);
    using Shape = ShapeOfLambda<std::remove_cvref_t<decltype(function)>>;
    using M = typename Shape::Message;
    M& message = payload_as<M>(envelope);
    run_handler<M, Shape::deferred>(turn, [&](auto&&... more) -> typename Shape::Result {
      if constexpr (std::is_invocable_v<decltype(function), const M&, decltype(more)...>) {
        return function(static_cast<const M&>(message), std::forward<decltype(more)>(more)...);
      } else {
        turn.is_given_away = true;
        return function(std::move(message), std::forward<decltype(more)>(more)...);
      }
    });
  }

  std::tuple<Fs...> functions_;
};

template <class F>
inline constexpr bool is_otherwise = false;
template <Otherwise O>
inline constexpr bool is_otherwise<OtherwiseTag<O>> = true;

/// Why F can't be a handler of an actor that takes these messages; void when it can.
template <class List, class F>
consteval auto why_no_lambda() {
  using Shape = ShapeOfLambda<F>;
  if constexpr (is_otherwise<F>) {
  } else if constexpr (std::is_void_v<typename Shape::Message>) {
    return static_cast<why::a_handler_takes_one_message_of_a_named_type<F>*>(nullptr);
  } else {
    using M = typename Shape::Message;
    if constexpr (!contains<M, List> && !is_signal<M>) {
      return static_cast<why::the_actor_does_not_accept_this_message_add_it_to_its_list<M>*>(
          nullptr);
    } else if constexpr (Shape::deferred && !std::is_same_v<typename Shape::Deferred, ReplyOf<M>>) {
      return static_cast<why::handler_returns_the_wrong_type<
          M, why::wants<ReplyTo<ReplyOf<M>>>, why::returns<ReplyTo<typename Shape::Deferred>>>*>(
          nullptr);
    } else if constexpr (!returns_what_it_should<M, typename Shape::Result, Shape::deferred>()) {
      using Wanted = std::conditional_t<Shape::deferred || !Request<M>, void, ReplyOf<M>>;
      return static_cast<why::handler_returns_the_wrong_type<
          M, why::wants<Wanted>, why::returns<typename Shape::Result>>*>(nullptr);
    }
  }
}
template <class List, class... Fs>
struct FirstBadLambda {
  using type = void;
};
template <class List, class F, class... Fs>
struct FirstBadLambda<List, F, Fs...> {
  using Why = decltype(why_no_lambda<List, F>());
  using type = typename std::conditional_t<std::is_void_v<Why>, FirstBadLambda<List, Fs...>,
                                           std::type_identity<Why>>::type;
};
template <class Handled, class... Ms>
struct FirstLeftOut {
  using type = void;
};
template <class Handled, class M, class... Ms>
struct FirstLeftOut<Handled, M, Ms...> {
  using type = typename std::conditional_t<contains<M, Handled>, FirstLeftOut<Handled, Ms...>,
                                           std::type_identity<M>>::type;
};
template <class... Fs, class... Ms>
consteval auto why_not_become(TypeList<Ms...>) {
  using Bad = typename FirstBadLambda<TypeList<Ms...>, Fs...>::type;
  if constexpr (!std::is_void_v<Bad>) {
    return Bad{};
  } else if constexpr (!(is_otherwise<Fs> || ...)) {
    using LeftOut = typename FirstLeftOut<TypeList<MessageOfLambda<Fs>...>, Ms...>::type;
    if constexpr (!std::is_void_v<LeftOut>) {
      return static_cast<
          why::this_behavior_leaves_out_a_message_add_a_handler_or_an_otherwise<LeftOut>*>(nullptr);
    }
  }
}

/// From the arguments of become: the lambdas in front, the otherwise at the end.
template <class... Fs, std::size_t... Is>
std::shared_ptr<Behavior> make_behavior(std::tuple<Fs...> fs, Otherwise otherwise,
                                        std::index_sequence<Is...>) {
  return std::make_shared<BehaviorOf<std::tuple_element_t<Is, std::tuple<Fs...>>...>>(
      otherwise, std::get<Is>(std::move(fs))...);
}
template <class... Fs>
std::shared_ptr<Behavior> make_behavior(Fs... fs) {
  using Last = std::tuple_element_t<sizeof...(Fs) - 1, std::tuple<Fs...>>;
  constexpr bool has_otherwise = is_otherwise<Last>;
  constexpr Otherwise otherwise = [] {
    if constexpr (has_otherwise) {
      return Last::value;
    } else {
      return Otherwise::none;
    }
  }();
  return make_behavior(std::tuple<Fs...>(std::move(fs)...), otherwise,
                       std::make_index_sequence<sizeof...(Fs) - (has_otherwise ? 1 : 0)>{});
}

}  // namespace detail
}  // namespace troupe
