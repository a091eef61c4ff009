// A part of messages that is never changed, and that copies of them have in common.
#pragma once

#include <memory>
#include <utility>

namespace troupe::codec {

/// A value that can't be changed: copies cost as much as a std::shared_ptr's, however large it is.
/// Compared by value. What a field of a schema with $Troupe.shared is in C++.
/// Thread safety: as std::shared_ptr; the value may be read by any thread.
template <class T>
class Shared {
 public:
  /// A T{}.
  Shared() noexcept = default;
  explicit Shared(T value) : value_(std::make_shared<const T>(std::move(value))) {}

  [[nodiscard]] const T& operator*() const noexcept { return value_ != nullptr ? *value_ : none(); }
  [[nodiscard]] const T* operator->() const noexcept { return &**this; }
  /// It was given no value; for generated code: then nothing is written.
  [[nodiscard]] bool empty() const noexcept { return value_ == nullptr; }

  bool operator==(const Shared& other) const { return value_ == other.value_ || **this == *other; }

 private:
  static const T& none() noexcept {
    static const T value{};
    return value;
  }
  std::shared_ptr<const T> value_;
};

}  // namespace troupe::codec
