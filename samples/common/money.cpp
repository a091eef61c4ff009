#include "common/money.hpp"

#include <algorithm>

namespace samples {

std::optional<Cents> parse_money(std::string_view text, std::string& why) {
  const std::string_view given = text;
  const bool negative = !text.empty() && text.front() == '-';
  if (negative) text.remove_prefix(1);
  const std::size_t point = std::min(text.find('.'), text.size());
  const std::string_view whole = text.substr(0, point);
  const std::string_view decimals =
      point < text.size() ? text.substr(point + 1) : std::string_view();
  const auto all_digits = [](std::string_view s) {
    return std::all_of(s.begin(), s.end(), [](char c) { return c >= '0' && c <= '9'; });
  };
  if (whole.empty() || !all_digits(whole) || !all_digits(decimals) || (point + 1 == text.size())) {
    why = "\"" + std::string(given) + "\" is not a plain decimal number";
    return std::nullopt;
  }
  if (decimals.size() > 2) {
    why = std::string(given) + " has more than two decimals";
    return std::nullopt;
  }
  Cents cents = 0;
  const auto add_digit = [&](char c) {
    cents = std::min<Cents>(cents, total_max) * 10 + (c - '0');
  };
  for (const char c : whole) add_digit(c);
  for (std::size_t i = 0; i < 2; ++i) add_digit(i < decimals.size() ? decimals[i] : '0');
  if (cents > total_max) {
    why = std::string(given) + " is out of range";
    return std::nullopt;
  }
  return negative ? -cents : cents;
}

std::string format_money(Cents cents) {
  const Cents absolute = cents < 0 ? -cents : cents;
  std::string text = std::to_string(absolute / 100) + ".";
  const Cents rest = absolute % 100;
  return (cents < 0 ? "-" : "") + text + (rest < 10 ? "0" : "") + std::to_string(rest);
}

}  // namespace samples
