#include "common/progress_bar.hpp"

#include <algorithm>

#include <unistd.h>

namespace samples {

namespace {
constexpr std::uint64_t bar_columns = 40;
constexpr std::uint64_t lines_between_drawings = 16384;  // where there is no percentage to change
}  // namespace

std::string progress_line(const Progress& progress) {
  if (!progress.bytes_total || *progress.bytes_total == 0) {
    const std::uint64_t lines = progress.lines - progress.lines % lines_between_drawings;
    return std::to_string(lines) + " lines read";
  }
  const std::uint64_t total = *progress.bytes_total;
  const std::uint64_t read = std::min(progress.bytes, total);  // the file may have grown
  const auto filled = static_cast<std::size_t>(read * bar_columns / total);
  std::string percent = std::to_string(read * 100 / total);
  percent.insert(0, 3 - percent.size(), ' ');
  return "[" + std::string(filled, '#') + std::string(bar_columns - filled, '.') + "] " + percent +
         " %";
}

ProgressBar::ProgressBar(std::FILE* stream)
    : stream_(stream), on_terminal_(isatty(fileno(stream)) == 1) {}

void ProgressBar::show(const Progress& progress) {
  if (!on_terminal_) return;
  std::string line = progress_line(progress);
  if (line == shown_) return;
  shown_ = std::move(line);
  std::fprintf(stream_, "\r%s", shown_.c_str());
  std::fflush(stream_);
}

void ProgressBar::clear() {
  if (shown_.empty()) return;
  std::fprintf(stream_, "\r%*s\r", static_cast<int>(shown_.size()), "");
  std::fflush(stream_);
  shown_.clear();
}

}  // namespace samples
