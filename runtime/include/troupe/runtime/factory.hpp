// Factory<P>: builds actors that take P, without naming their class.
#pragma once

#include <memory>
#include <tuple>

#include <troupe/runtime/actor.hpp>

namespace troupe {

namespace detail {

template <class T, class... Args>
class MakerOf final : public Maker {
 public:
  template <class... Given>
  explicit MakerOf(std::in_place_t, Given&&... args)
      : Maker(actor_type<T>), args_(std::forward<Given>(args)...) {}
  void construct(void* where) const override {
    std::apply([&](const Args&... args) { ::new (where) T(args...); }, args_);
  }

 private:
  std::tuple<Args...> args_;
};

template <class T, class... Args>
std::shared_ptr<const Maker> make_maker(Args&&... args) {
  return std::make_shared<MakerOf<T, std::decay_t<Args>...>>(std::in_place,
                                                             std::forward<Args>(args)...);
}

/// Why T can't be built from copies of these arguments behind P; void when it can.
template <class P, class T, class... Args>
consteval auto why_not_factory_of() {
  using Why = decltype(why_not_factory<T, Args...>());
  if constexpr (!std::is_void_v<Why>) {
    return Why{};
  } else if constexpr (!covers_all<PublicMessages<P>, T>) {
    return static_cast<why::this_class_does_not_take_every_message_of_the_protocol<T, P>*>(nullptr);
  }
}

}  // namespace detail

/// Builds actors that take the messages of `Ps`; made by `troupe::factory<P, T>(args...)`, which
/// keeps copies of the arguments. Cheap to copy. Thread safety: a plain value.
template <class... Ps>
class Factory {
 public:
  explicit Factory(std::shared_ptr<const detail::Maker> maker) noexcept
      : maker_(std::move(maker)) {}
  /// Narrows, as refs do.
  template <class... Qs>
  requires(!std::is_same_v<Factory<Qs...>, Factory<Ps...>> &&
           detail::covers_all<detail::PublicMessages<Ps...>, Qs...>)
      Factory(const Factory<Qs...>& other)
  noexcept : maker_(other.maker()) {}  // NOLINT
  [[nodiscard]] const std::shared_ptr<const detail::Maker>& maker() const noexcept {
    return maker_;
  }

 private:
  std::shared_ptr<const detail::Maker> maker_;
};

/// A factory of T that shows only P. Throws what copying the arguments throws.
template <class P, class T = P, class... Args,
          class Why = decltype(detail::why_not_factory_of<P, T, Args...>())>
requires detail::fine<Why> Factory<P> factory(Args&&... args) {
  return Factory<P>{detail::make_maker<T>(std::forward<Args>(args)...)};
}
template <class P, class T = P, class... Args,
          class Why = decltype(detail::why_not_factory_of<P, T, Args...>())>
requires(!detail::fine<Why>) Factory<P> factory(Args&&... args)
= delete;  // `Why` says what is wrong

}  // namespace troupe
