// How names of a schema are spelled in C++.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace troupe::codec {

/// `itemCount` as `item_count`; a keyword of C++ gets an underscore behind it.
[[nodiscard]] std::string snake_case(std::string_view name);
/// `itemCount` as `ItemCount`.
[[nodiscard]] std::string upper_camel_case(std::string_view name);
/// "Order_Item" of "::shop::Order_Item".
[[nodiscard]] std::string without_namespace(std::string_view full_name);
/// "0x00000000000000ff".
[[nodiscard]] std::string hexadecimal(std::uint64_t number);
/// A string literal with this content.
[[nodiscard]] std::string quoted(std::string_view text);

}  // namespace troupe::codec
