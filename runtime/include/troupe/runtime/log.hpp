// Where log lines go: an interface, with spdlog behind the default.
#pragma once

#include <memory>
#include <string_view>

namespace troupe {

enum class LogLevel : unsigned char { debug, info, warning, error };

/// Takes log lines. Thread safety: `write` is called from any thread.
class Log {
 public:
  Log() = default;
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;
  virtual ~Log() = default;
  /// `who` is the path of the actor, or "system".
  virtual void write(LogLevel level, std::string_view who, std::string_view text) = 0;
  /// Nothing is made of what is written: the runtime spares itself the text.
  [[nodiscard]] virtual bool is_silent() const noexcept { return false; }
};

/// Lines of at least `level` to standard error.
[[nodiscard]] std::shared_ptr<Log> stderr_log(LogLevel level = LogLevel::info);
/// Nowhere.
[[nodiscard]] std::shared_ptr<Log> no_log();

}  // namespace troupe
