// Money: whole cents, parsed and printed exactly.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace samples {

using Cents = std::int64_t;
/// A billion units: the sum of ninety million such totals still fits.
inline constexpr Cents total_max = 100'000'000'000;

/// "99.99", "100", "-1.5". None when it is no plain decimal number, has more than two decimals, or
/// is beyond total_max; `why` then says so.
std::optional<Cents> parse_money(std::string_view text, std::string& why);
std::string format_money(Cents cents);

}  // namespace samples
