#include "source_line.hpp"

#include <unistd.h>
#include <cctype>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

namespace troupe::codec {

namespace {

/// A word of a schema, or one character.
struct Token {
  std::string_view text;
  int line;
};

bool is_word(char c) noexcept {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_';
}

/// Without comments and the contents of strings.
std::vector<Token> tokens(std::string_view schema) {
  std::vector<Token> result;
  int line = 1;
  for (std::size_t i = 0; i < schema.size(); ++i) {
    const char c = schema[i];
    if (c == '\n') {
      ++line;
    } else if (c == '#') {
      while (i + 1 < schema.size() && schema[i + 1] != '\n') ++i;
    } else if (c == '"') {
      while (++i < schema.size() && schema[i] != '"') i += schema[i] == '\\' ? 1 : 0;
    } else if (is_word(c)) {
      const std::size_t first = i;
      while (i + 1 < schema.size() && is_word(schema[i + 1])) ++i;
      result.push_back({schema.substr(first, i + 1 - first), line});
    } else if (std::isspace(static_cast<unsigned char>(c)) == 0) {
      result.push_back({schema.substr(i, 1), line});
    }
  }
  return result;
}

std::vector<std::string_view> parts(std::string_view declaration) {
  std::vector<std::string_view> result;
  while (!declaration.empty()) {
    const std::size_t dot = declaration.find('.');
    result.push_back(declaration.substr(0, dot));
    declaration = dot == declaration.npos ? "" : declaration.substr(dot + 1);
  }
  return result;
}

/// Whether a type's name stands here, which has a block of its own.
bool is_type(const std::vector<Token>& all, std::size_t at) {
  const std::string_view before = at > 0 ? all[at - 1].text : "";
  return before == "struct" || before == "enum" || before == "interface";
}
/// Whether a name that is declared stands here: `struct Name`, `name @3`, `name :group`.
bool is_declaration(const std::vector<Token>& all, std::size_t at) {
  const std::string_view before = at > 0 ? all[at - 1].text : "";
  const std::string_view after = at + 1 < all.size() ? all[at + 1].text : "";
  return is_type(all, at) || before == "const" || after == "@" || after == ":";
}

/// Whether a group's name stands here, or a union's: what is in it is of a path of its own.
bool is_group(const std::vector<Token>& all, std::size_t at) {
  if (at + 2 >= all.size()) return false;
  const std::string_view kind = all[at + 2].text;
  return all[at + 1].text == ":" && (kind == "group" || kind == "union");
}

/// The end of the block that begins behind here.
std::size_t skip_block(const std::vector<Token>& all, std::size_t at) {
  int depth = 0;
  for (; at < all.size(); ++at) {
    if (all[at].text == "{") ++depth;
    if (all[at].text == "}" && --depth == 0) break;
  }
  return at;
}

}  // namespace

int find_line(std::string_view schema, std::string_view declaration) {
  const std::vector<std::string_view> path = parts(declaration);
  if (path.empty()) return 0;
  const std::vector<Token> all = tokens(schema);
  std::size_t found = 0;  // parts of the path
  for (std::size_t i = 0; i < all.size(); ++i) {
    if (!is_declaration(all, i)) continue;
    if (all[i].text == path[found]) {
      if (++found == path.size()) return all[i].line;
    } else if (is_type(all, i) || is_group(all, i)) {
      i = skip_block(all, i);
    }
  }
  return 0;
}

std::string line_of(const std::string& file, const std::string& declaration) {
  std::vector<std::filesystem::path> folders;
  if (const char* root = std::getenv("TROUPE_SCHEMA_ROOT")) folders.emplace_back(root);
  folders.emplace_back("/proc/" + std::to_string(getppid()) + "/cwd");
  for (const auto& folder : folders) {
    std::ifstream in{folder / file};
    if (!in) continue;
    const std::string schema{std::istreambuf_iterator<char>(in), {}};
    const int line = find_line(schema, declaration);
    return line == 0 ? "" : ":" + std::to_string(line);
  }
  return "";
}

}  // namespace troupe::codec
