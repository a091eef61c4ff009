// Result<T, E>: a value or an error, with std::expected's names (which C++20 lacks).
#pragma once

#include <memory>
#include <type_traits>
#include <utility>

#include <troupe/runtime/detail/check.hpp>

namespace troupe {

/// Wraps an error so that it is told from a value: `return troupe::Unexpected{error};`
template <class E>
struct Unexpected {
  E error;
};
template <class E>
Unexpected(E) -> Unexpected<E>;

/// A value of T or an error of E. Dereferencing an error stops the process (a broken invariant of
/// the caller). Thread safety: as a plain value: one thread at a time.
template <class T, class E>
class Result {
 public:
  using value_type = T;
  using error_type = E;

  Result(T value) : has_value_(true) { std::construct_at(&value_, std::move(value)); }  // NOLINT
  Result(Unexpected<E> e) : has_value_(false) {
    std::construct_at(&error_, std::move(e.error));
  }  // NOLINT
  Result(Result&& other) noexcept : has_value_(other.has_value_) { take(std::move(other)); }
  Result(const Result& other) : has_value_(other.has_value_) { take(other); }
  Result& operator=(Result other) noexcept {
    clear();
    has_value_ = other.has_value_;
    take(std::move(other));
    return *this;
  }
  ~Result() { clear(); }

  [[nodiscard]] bool has_value() const noexcept { return has_value_; }
  explicit operator bool() const noexcept { return has_value_; }
  [[nodiscard]] T& operator*() & { return checked(); }
  [[nodiscard]] const T& operator*() const& { return const_cast<Result*>(this)->checked(); }
  [[nodiscard]] T&& operator*() && { return std::move(checked()); }
  T* operator->() { return &checked(); }
  const T* operator->() const { return &const_cast<Result*>(this)->checked(); }
  [[nodiscard]] T value_or(T other) const& { return has_value_ ? value_ : std::move(other); }
  [[nodiscard]] const E& error() const {
    TROUPE_CHECK(!has_value_, "Result::error() of a result that holds a value");
    return error_;
  }
  [[nodiscard]] E& error() {
    TROUPE_CHECK(!has_value_, "Result::error() of a result that holds a value");
    return error_;
  }

 private:
  T& checked() {
    TROUPE_CHECK(has_value_, "Result: the value of a result that holds an error");
    return value_;
  }
  template <class R>
  void take(R&& other) {
    if (has_value_) {
      std::construct_at(&value_, std::forward<R>(other).value_);
    } else {
      std::construct_at(&error_, std::forward<R>(other).error_);
    }
  }
  void clear() {
    if (has_value_) {
      std::destroy_at(&value_);
    } else {
      std::destroy_at(&error_);
    }
  }
  union {
    T value_;
    E error_;
  };
  bool has_value_;
};

/// Nothing or an error.
/// Thread safety: as a plain value: one thread at a time.
template <class E>
class Result<void, E> {
 public:
  using value_type = void;
  using error_type = E;

  Result() = default;
  Result(Unexpected<E> e) : error_(std::make_unique<E>(std::move(e.error))) {}  // NOLINT

  [[nodiscard]] bool has_value() const noexcept { return error_ == nullptr; }
  explicit operator bool() const noexcept { return has_value(); }
  [[nodiscard]] const E& error() const {
    TROUPE_CHECK(error_ != nullptr, "Result::error() of a result without an error");
    return *error_;
  }

 private:
  std::unique_ptr<E> error_;
};

}  // namespace troupe
