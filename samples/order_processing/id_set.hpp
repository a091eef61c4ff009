// The ids seen so far, in 16 bytes each: all that grows with the input.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>
#include <vector>

namespace orders {

/// Remembers strings by a 128-bit fingerprint (XXH3). Two different ids among a billion share one
/// with a probability below 10^-20. Tables of 64 shards grow one at a time, so that growing costs
/// little memory on top. Thread safety: one thread.
class IdSet {
 public:
  /// False: it was there already.
  bool insert(std::string_view id);
  [[nodiscard]] std::size_t size() const noexcept { return size_; }

 private:
  struct Print {
    std::uint64_t low = 0;
    std::uint64_t high = 0;
    bool operator==(const Print&) const = default;
  };
  struct Shard {
    std::vector<Print> table;
    std::size_t used = 0;
  };
  static bool place(std::vector<Print>& table, const Print& print);
  std::array<Shard, 64> shards_;
  std::size_t size_ = 0;
};

}  // namespace orders
