// The default log: spdlog, on standard error.
#include <troupe/runtime/log.hpp>

#include <spdlog/sinks/stdout_color_sinks.h>
#include <spdlog/spdlog.h>

namespace troupe {

namespace {

spdlog::level::level_enum level_of(LogLevel level) {
  switch (level) {
    case LogLevel::debug: return spdlog::level::debug;
    case LogLevel::info: return spdlog::level::info;
    case LogLevel::warning: return spdlog::level::warn;
    case LogLevel::error: return spdlog::level::err;
  }
  return spdlog::level::err;
}

class SpdLog final : public Log {
 public:
  explicit SpdLog(LogLevel level)
      : logger_("troupe", std::make_shared<spdlog::sinks::stderr_color_sink_mt>()) {
    logger_.set_level(level_of(level));
    logger_.set_pattern("%Y-%m-%dT%H:%M:%S.%e %^%l%$ %v");
  }
  void write(LogLevel level, std::string_view who, std::string_view text) override {
    logger_.log(level_of(level), "{}: {}", who, text);
  }

 private:
  spdlog::logger logger_;
};

class NoLog final : public Log {
 public:
  void write(LogLevel, std::string_view, std::string_view) override {}
  [[nodiscard]] bool is_silent() const noexcept override { return true; }
};

}  // namespace

std::shared_ptr<Log> stderr_log(LogLevel level) {
  return std::make_shared<SpdLog>(level);
}
std::shared_ptr<Log> no_log() {
  return std::make_shared<NoLog>();
}

}  // namespace troupe
