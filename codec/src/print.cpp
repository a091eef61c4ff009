#include <troupe/codec/print.hpp>

#include <charconv>
#include <utility>

namespace troupe::codec {

namespace {
constexpr char digits[] = "0123456789abcdef";
}

void print_value(std::string& out, std::string_view text) {
  out += '"';
  for (const char c : text) {
    const auto code = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (c == '\n') {
      out += "\\n";
    } else if (code < 0x20 || code == 0x7f) {
      out += "\\x";
      out += digits[code >> 4];
      out += digits[code & 15];
    } else {
      out += c;
    }
  }
  out += '"';
}

void print_value(std::string& out, const std::vector<std::byte>& data) {
  out += "0x";
  for (const std::byte b : data) {
    out += digits[std::to_integer<unsigned>(b) >> 4];
    out += digits[std::to_integer<unsigned>(b) & 15];
  }
}

void print_value(std::string& out, double number) {
  char text[32];
  const auto end = std::to_chars(text, text + sizeof text, number).ptr;
  out.append(text, end);
}

}  // namespace troupe::codec
