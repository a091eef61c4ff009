// Generated text, line by line.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace troupe::codec {

class Text {
 public:
  /// A line at the present depth; an empty one has no blanks.
  void line(std::string_view text = {}) {
    if (!text.empty()) text_.append(depth_ * 2, ' ').append(text);
    text_ += '\n';
  }
  void open(std::string_view text) {
    line(text);
    ++depth_;
  }
  void close(std::string_view text) {
    --depth_;
    line(text);
  }
  void doc(const std::vector<std::string>& lines) {
    for (const std::string& l : lines) line(l.empty() ? "///" : "/// " + l);
  }
  [[nodiscard]] const std::string& str() const noexcept { return text_; }

 private:
  std::string text_;
  std::size_t depth_ = 0;
};

}  // namespace troupe::codec
