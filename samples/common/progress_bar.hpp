// How far a run has come, on one line of a terminal.
#pragma once

#include <cstdint>
#include <cstdio>
#include <optional>
#include <string>

namespace samples {

/// How much of an input was read.
struct Progress {
  std::uint64_t lines = 0;
  std::uint64_t bytes = 0;
  std::optional<std::uint64_t> bytes_total;  ///< none when the input is no regular file
};

/// The line without its place on the screen: a bar and a percentage where the input's size is
/// known, what was read where it is not.
std::string progress_line(const Progress& progress);

/// Draws progress_line over itself, and again only when it changed. Where the stream is no
/// terminal it draws nothing.
/// Thread safety: one thread.
class ProgressBar {
 public:
  explicit ProgressBar(std::FILE* stream);
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;
  ~ProgressBar() { clear(); }
  void show(const Progress& progress);
  /// Takes the bar away, so that something else can be printed in its place.
  void clear();

 private:
  std::FILE* stream_;
  bool on_terminal_;
  std::string shown_;
};

}  // namespace samples
