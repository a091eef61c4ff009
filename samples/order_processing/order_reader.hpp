// Reads orders from JSON lines: what is wrong is reported by line, and never stops the run.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "early_end.hpp"
#include "id_set.hpp"
#include "order.hpp"

namespace orders {

/// The order of one line, or none and `why`.
std::optional<Order> parse_order(std::string_view line, std::string& why);

/// Lines of a file or of standard input, in pieces of bounded memory.
/// Thread safety: one thread.
class LineReader {
 public:
  static constexpr std::size_t line_bytes_max = 1 << 20;

  /// Throws std::runtime_error when the file can't be opened for reading.
  explicit LineReader(const std::string& path);
  LineReader(const LineReader&) = delete;
  LineReader& operator=(const LineReader&) = delete;
  ~LineReader();
  /// The next line without its end; false at the end of the input, or when `early_end` was set. A
  /// line beyond line_bytes_max is cut, and `too_long` set. The view is valid until the next call.
  /// Throws std::runtime_error when the input can't be read on.
  bool next(std::string_view& line, bool& too_long, const EarlyEnd& early_end);
  /// Bytes handed out as lines so far.
  std::uint64_t bytes_read() const { return bytes_filled_ - (end_ - begin_); }
  /// Size of the file when it was opened; none for a pipe or a terminal.
  std::optional<std::uint64_t> bytes_total() const { return bytes_total_; }

 private:
  bool fill(const EarlyEnd& early_end);
  std::string path_;
  int file_ = -1;
  bool owned_ = false;
  std::vector<char> buffer_;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  std::uint64_t bytes_filled_ = 0;
  std::optional<std::uint64_t> bytes_total_;
};

}  // namespace orders
