// For generated code: `Order{.id = "a-1", .items = {...}}`.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <variant>
#include <vector>

#include <troupe/codec/shared.hpp>

namespace troupe::codec {

/// In quotes, with escapes.
void print_value(std::string& out, std::string_view text);
/// As hexadecimal digits.
void print_value(std::string& out, const std::vector<std::byte>& data);
void print_value(std::string& out, double number);
inline void print_value(std::string& out, std::monostate) {
  out += "{}";
}
template <class T>
void print_value(std::string& out, const std::optional<T>& value);
template <class T>
void print_value(std::string& out, const std::vector<T>& list);
template <class T>
void print_value(std::string& out, const Shared<T>& value) {
  out += to_string(*value);
}
/// Numbers, and what has a to_string beside it.
template <class T>
requires std::is_arithmetic_v<T> || std::is_enum_v<T> || std::is_class_v<T>
void print_value(std::string& out, const T& value) {
  if constexpr (std::is_same_v<T, bool>) {
    out += value ? "true" : "false";
  } else if constexpr (std::is_floating_point_v<T>) {
    print_value(out, double{value});
  } else if constexpr (std::is_arithmetic_v<T>) {
    out += std::to_string(value);
  } else if constexpr (std::is_convertible_v<const T&, std::string_view>) {
    print_value(out, std::string_view{value});
  } else if constexpr (requires { value.to_string(); }) {  // a ref
    out += value.to_string();
  } else {
    out += to_string(value);
  }
}
template <class T>
void print_value(std::string& out, const std::optional<T>& value) {
  if (value) {
    print_value(out, *value);
  } else {
    out += "none";
  }
}
template <class T>
void print_value(std::string& out, const std::vector<T>& list) {
  out += '{';
  for (std::size_t i = 0; i < list.size(); ++i) {
    if (i != 0) out += ", ";
    if constexpr (std::is_same_v<T, bool>) {
      out += list[i] ? "true" : "false";
    } else {
      print_value(out, list[i]);
    }
  }
  out += '}';
}

/// Collects a struct's fields. Thread safety: one thread.
class Print {
 public:
  explicit Print(std::string_view type) : text_(type) { text_ += '{'; }
  template <class T>
  void field(std::string_view name, const T& value) {
    begin(name);
    print_value(text_, value);
  }
  /// A name, which is printed as it is.
  void field(std::string_view name, const char* value) {
    begin(name);
    text_ += value;
  }
  void open(std::string_view name, std::string_view type) {
    begin(name);
    text_ += type;
    text_ += '{';
  }
  void close() { text_ += '}'; }
  [[nodiscard]] std::string end() {
    close();
    return std::move(text_);
  }

 private:
  void begin(std::string_view name) {
    if (text_.back() != '{') text_ += ", ";
    text_ += '.';
    text_ += name;
    text_ += " = ";
  }
  std::string text_;
};

}  // namespace troupe::codec
