#include <troupe/persistence/event.hpp>

#include <algorithm>
#include <cstdio>

#include <troupe/persistence/store.hpp>
#include <troupe/runtime/error.hpp>

namespace troupe::persistence {

bool has_control_character(std::string_view text) noexcept {
  return std::any_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; });
}

std::string why_no_stream(const StreamId& stream) {
  if (stream.category.empty()) return "it has no category";
  if (stream.id.empty()) return "it has no id";
  if (stream.category.find('/') != std::string::npos) return "its category has a slash";
  if (has_control_character(stream.category) || has_control_character(stream.id))
    return "it has a control character";
  if (stream.category.size() + 1 + stream.id.size() > stream_name_bytes_max)
    return "it is longer than " + std::to_string(stream_name_bytes_max) + " bytes";
  return {};
}

void check_stream(const StreamId& stream) {
  if (const std::string why = why_no_stream(stream); !why.empty())
    throw UsageError("\"" + stream.name() + "\" names no stream: " + why);
}

std::string to_string(const HistoryId& id) {
  char text[34];
  std::snprintf(text, sizeof(text), "%016llx%016llx", static_cast<unsigned long long>(id.high),
                static_cast<unsigned long long>(id.low));
  return text;
}

std::string beyond_head(const StreamId& stream, Version up_to, Version head) {
  return "events of " + stream.name() + " can't be deleted up to version " + std::to_string(up_to) +
         ": its last version is " + std::to_string(head);
}

std::uint32_t slice_of(const StreamId& stream, std::uint32_t slices) noexcept {
  std::uint64_t hash = 14695981039346656037ull;
  const auto add = [&](std::string_view text) {
    for (const char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ull;
  };
  add(stream.category);
  add("/");
  add(stream.id);
  return static_cast<std::uint32_t>(hash % slices);
}

}  // namespace troupe::persistence
