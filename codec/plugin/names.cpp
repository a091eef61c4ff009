#include "names.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdio>

namespace troupe::codec {

namespace {

// C++20, [lex.key] and the alternative tokens; and the names that generated structs use themselves.
constexpr std::array<std::string_view, 100> taken{"alignas",
                                                  "alignof",
                                                  "and",
                                                  "and_eq",
                                                  "asm",
                                                  "auto",
                                                  "bitand",
                                                  "bitor",
                                                  "bool",
                                                  "break",
                                                  "case",
                                                  "catch",
                                                  "char",
                                                  "char8_t",
                                                  "char16_t",
                                                  "char32_t",
                                                  "class",
                                                  "co_await",
                                                  "co_return",
                                                  "co_yield",
                                                  "compl",
                                                  "concept",
                                                  "const",
                                                  "const_cast",
                                                  "consteval",
                                                  "constexpr",
                                                  "constinit",
                                                  "continue",
                                                  "decltype",
                                                  "default",
                                                  "delete",
                                                  "do",
                                                  "double",
                                                  "dynamic_cast",
                                                  "else",
                                                  "enum",
                                                  "explicit",
                                                  "export",
                                                  "extern",
                                                  "false",
                                                  "float",
                                                  "for",
                                                  "friend",
                                                  "goto",
                                                  "if",
                                                  "inline",
                                                  "int",
                                                  "long",
                                                  "mutable",
                                                  "namespace",
                                                  "new",
                                                  "noexcept",
                                                  "not",
                                                  "not_eq",
                                                  "nullptr",
                                                  "operator",
                                                  "or",
                                                  "or_eq",
                                                  "private",
                                                  "protected",
                                                  "public",
                                                  "register",
                                                  "reinterpret_cast",
                                                  "requires",
                                                  "return",
                                                  "short",
                                                  "signed",
                                                  "sizeof",
                                                  "static",
                                                  "static_assert",
                                                  "static_cast",
                                                  "struct",
                                                  "switch",
                                                  "template",
                                                  "this",
                                                  "thread_local",
                                                  "throw",
                                                  "true",
                                                  "try",
                                                  "typedef",
                                                  "typeid",
                                                  "typename",
                                                  "union",
                                                  "unsigned",
                                                  "using",
                                                  "virtual",
                                                  "void",
                                                  "volatile",
                                                  "wchar_t",
                                                  "while",
                                                  "xor",
                                                  "xor_eq",
                                                  "std",
                                                  "troupe",
                                                  "troupe_schema",
                                                  "troupe_codec",
                                                  "troupe_version",
                                                  "linux",
                                                  "unix",
                                                  "errno"};

bool is_upper(char c) noexcept {
  return std::isupper(static_cast<unsigned char>(c)) != 0;
}

}  // namespace

std::string snake_case(std::string_view name) {
  std::string result;
  for (std::size_t i = 0; i < name.size(); ++i) {
    const bool follows_lower = i > 0 && !is_upper(name[i - 1]);
    const bool begins_word =  // the last capital of `HTTPServer` belongs to what follows
        i > 0 && i + 1 < name.size() && is_upper(name[i - 1]) && !is_upper(name[i + 1]);
    if (is_upper(name[i]) && (follows_lower || begins_word)) result += '_';
    result += static_cast<char>(std::tolower(static_cast<unsigned char>(name[i])));
  }
  if (std::find(taken.begin(), taken.end(), result) != taken.end()) result += '_';
  return result;
}

std::string upper_camel_case(std::string_view name) {
  std::string result{name};
  if (!result.empty())
    result[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(result[0])));
  return result;
}

std::string without_namespace(std::string_view full_name) {
  return std::string{full_name.substr(full_name.rfind(':') + 1)};
}

std::string quoted(std::string_view text) {
  std::string result = "\"";
  for (const char c : text) {
    const auto code = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      result += '\\';
      result += c;
    } else if (c == '\n') {
      result += "\\n";
    } else if (code < 0x20 || code >= 0x7f) {
      char octal[8];
      std::snprintf(octal, sizeof octal, "\\%03o", code);
      result += octal;
    } else {
      result += c;
    }
  }
  return result + '"';
}

std::string hexadecimal(std::uint64_t number) {
  char text[20];
  std::snprintf(text, sizeof text, "0x%016llx", static_cast<unsigned long long>(number));
  return text;
}

}  // namespace troupe::codec
