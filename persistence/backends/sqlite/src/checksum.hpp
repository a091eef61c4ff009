// What rows are checked by: XXH3, 64 bits, over numbers and texts with their lengths.
#pragma once

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include <troupe/persistence/event.hpp>

namespace troupe::persistence::sqlite {

/// Begins with the journal's history: a row of another journal has another one. Thread safety: a
/// plain value.
class Checksum {
 public:
  explicit Checksum(const HistoryId& history) { add(history.high).add(history.low); }
  Checksum& add(std::uint64_t number) { return append(&number, sizeof(number)); }
  Checksum& add(std::string_view text) { return add(text.size()).append(text.data(), text.size()); }
  Checksum& add(std::span<const std::byte> bytes) {
    return add(bytes.size()).append(bytes.data(), bytes.size());
  }
  [[nodiscard]] std::uint64_t value() const noexcept {
    return XXH3_64bits(bytes_.data(), bytes_.size());
  }
  /// With bytes behind all else, which are not copied.
  [[nodiscard]] std::uint64_t value_with(std::span<const std::byte> bytes) const noexcept {
    return XXH3_64bits_withSeed(bytes.data(), bytes.size(), value());
  }

 private:
  Checksum& append(const void* data, std::size_t size) {
    bytes_.append(static_cast<const char*>(data), size);
    return *this;
  }
  std::string bytes_;
};

[[nodiscard]] constexpr std::int64_t as_stored(std::uint64_t value) noexcept {
  return static_cast<std::int64_t>(value);
}
[[nodiscard]] constexpr std::uint64_t as_read(std::int64_t value) noexcept {
  return static_cast<std::uint64_t>(value);
}

}  // namespace troupe::persistence::sqlite
