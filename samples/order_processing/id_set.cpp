#include "id_set.hpp"

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace orders {

bool IdSet::place(std::vector<Print>& table, const Print& print) {
  const std::size_t mask = table.size() - 1;
  for (std::size_t at = print.low & mask;; at = (at + 1) & mask) {
    if (table[at] == print) return false;
    if (table[at] == Print{}) {
      table[at] = print;
      return true;
    }
  }
}

bool IdSet::insert(std::string_view id) {
  const XXH128_hash_t hash = XXH3_128bits(id.data(), id.size());
  const Print print{hash.low64 | 1, hash.high64};  // never the empty one
  Shard& shard = shards_[hash.high64 >> 58];
  if (shard.used * 8 >= shard.table.size() * 7) {
    std::vector<Print> larger(shard.table.empty() ? 16 : shard.table.size() * 2);
    for (const Print& p : shard.table) {
      if (!(p == Print{})) place(larger, p);
    }
    shard.table = std::move(larger);
  }
  if (!place(shard.table, print)) return false;
  ++shard.used;
  ++size_;
  return true;
}

}  // namespace orders
