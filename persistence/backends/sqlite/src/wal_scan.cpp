#include "wal_scan.hpp"

#include <algorithm>
#include <array>
#include <bit>
#include <optional>
#include <vector>

#include <troupe/persistence/store.hpp>

namespace troupe::persistence::sqlite {

namespace {

// https://www.sqlite.org/fileformat2.html, section 4.1
constexpr std::uint32_t magic_little = 0x377f0682;
constexpr std::uint32_t magic_big = 0x377f0683;
constexpr std::size_t header_bytes = 32;
constexpr std::size_t frame_header_bytes = 24;

using Bytes = std::vector<unsigned char>;

std::uint32_t big_endian(const unsigned char* at) noexcept {
  return std::uint32_t{at[0]} << 24 | std::uint32_t{at[1]} << 16 | std::uint32_t{at[2]} << 8 |
         std::uint32_t{at[3]};
}
std::uint32_t little_endian(const unsigned char* at) noexcept {
  return std::uint32_t{at[3]} << 24 | std::uint32_t{at[2]} << 16 | std::uint32_t{at[1]} << 8 |
         std::uint32_t{at[0]};
}

/// SQLite's checksum, section 4.2: each part goes on from the last.
struct Sum {
  std::uint32_t first = 0;
  std::uint32_t second = 0;
  bool operator==(const Sum&) const = default;

  void add(const unsigned char* data, std::size_t bytes, bool is_big) noexcept {
    const auto word = is_big ? &big_endian : &little_endian;
    for (std::size_t i = 0; i + 8 <= bytes; i += 8) {
      first += word(data + i) + second;
      second += word(data + i + 4) + first;
    }
  }
};
Sum stored_sum(const unsigned char* at) noexcept {
  return {big_endian(at), big_endian(at + 4)};
}

struct Header {
  bool is_big = false;
  std::size_t page_bytes = 0;
  std::array<unsigned char, 8> salts{};
  Sum sum;
};

/// Nothing: SQLite would take the log for empty.
std::optional<Header> header_of(const Bytes& bytes) {
  if (bytes.size() < header_bytes) return std::nullopt;
  const std::uint32_t magic = big_endian(bytes.data());
  if (magic != magic_little && magic != magic_big) return std::nullopt;
  Header h;
  h.is_big = magic == magic_big;
  h.page_bytes = big_endian(&bytes[8]);
  std::copy_n(&bytes[16], h.salts.size(), h.salts.begin());
  h.sum.add(bytes.data(), header_bytes - 8, h.is_big);
  const bool is_page = h.page_bytes >= 512 && (h.page_bytes & (h.page_bytes - 1)) == 0;
  if (!is_page || h.sum != stored_sum(&bytes[24])) return std::nullopt;
  return h;
}

[[noreturn]] void damaged(const std::string& path, const std::string& what) {
  throw StoreCorrupt(path + ": " + what +
                     ": SQLite would cut acknowledged transactions away. Keep a copy of all files, "
                     "and restore a backup");
}

/// One frame, as the log says it follows the one before: by the checksum that is stored there, or,
/// where that is what was damaged, by the one that should be.
class Frame {
 public:
  Frame(const unsigned char* at, const Header& header, const Sum& stored_before,
        const Sum& right_before) noexcept
      : at_(at), header_(header), before_(stored_before) {
    for (std::size_t i = 0; i < header.salts.size(); ++i)
      salt_bits_ += std::popcount(static_cast<unsigned>(header.salts[i] ^ at[8 + i]));
    is_good_ = salt_bits_ == 0 && right_sum() == sum();
    if (is_good_ || salt_bits_ != 0 || stored_before == right_before) return;
    before_ = right_before;
    is_good_ = right_sum() == sum();
    if (!is_good_) before_ = stored_before;
  }
  [[nodiscard]] Sum sum() const noexcept { return stored_sum(at_ + 16); }
  [[nodiscard]] Sum right_sum() const noexcept { return sum_of(at_); }
  [[nodiscard]] bool is_good() const noexcept { return is_good_; }
  /// Whether it ends a transaction of this round of the log: frames of an earlier round have other
  /// salts. Of one with a bit that has flipped: whether it did.
  [[nodiscard]] bool is_commit() const {
    if (salt_bits_ > 1) return false;
    return big_endian(at_ + 4) != 0 || (!is_good_ && was_commit());
  }

 private:
  [[nodiscard]] Sum sum_of(const unsigned char* head) const noexcept {
    Sum sum = before_;
    sum.add(head, 8, header_.is_big);
    sum.add(at_ + frame_header_bytes, header_.page_bytes, header_.is_big);
    return sum;
  }
  /// A bit of what says so has flipped.
  [[nodiscard]] bool was_commit() const {
    for (int bit = 0; bit < 32; ++bit) {
      std::array<unsigned char, 8> head{};
      std::copy_n(at_, head.size(), head.begin());
      head[static_cast<std::size_t>(4 + bit / 8)] ^= static_cast<unsigned char>(1 << bit % 8);
      if (sum_of(head.data()) == sum()) return true;
    }
    return false;
  }

  const unsigned char* at_;
  const Header& header_;
  Sum before_;
  int salt_bits_ = 0;
  bool is_good_ = false;
};

}  // namespace

WalScan scan_wal(const FileName& log) {
  const std::string& path = log.path;
  const Bytes bytes = contents_of(log);
  WalScan scan;
  const auto header = header_of(bytes);
  if (!header) {
    // It is synced before the first frame is written.
    if (bytes.size() > header_bytes + frame_header_bytes) damaged(path, "its header is damaged");
    return scan;
  }
  const std::size_t frame_bytes = frame_header_bytes + header->page_bytes;
  Sum before = header->sum;
  Sum right_before = before;
  std::uint64_t number = 1;
  std::uint64_t bad = 0;  // the first
  bool is_later = false;  // what comes is of a later transaction than that
  for (std::size_t at = header_bytes; at + frame_bytes <= bytes.size(); at += frame_bytes) {
    const Frame frame(&bytes[at], *header, before, right_before);
    before = frame.sum();
    right_before = frame.right_sum();
    if (!frame.is_good() && bad == 0) bad = number;
    const bool is_commit = frame.is_commit();
    if (frame.is_good() && is_commit && is_later)
      damaged(path, "frame " + std::to_string(bad) + ", at byte " +
                        std::to_string(header_bytes + (bad - 1) * frame_bytes) +
                        ", is damaged, and a later transaction is whole");
    if (is_commit && bad != 0) is_later = true;
    if (is_commit && bad == 0) {
      scan.frames = number;
      ++scan.commits;
    }
    ++number;
  }
  scan.torn = number - 1 - scan.frames;
  return scan;
}

}  // namespace troupe::persistence::sqlite
