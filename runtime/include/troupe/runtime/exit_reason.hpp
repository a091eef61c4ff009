// Why an actor ended.
#pragma once

#include <exception>
#include <memory>
#include <string>
#include <string_view>

namespace troupe {

/// Why an actor ended: a kind, a text, and for a failure the exception. Cheap to copy.
/// Thread safety: as a plain value.
class ExitReason {
 public:
  enum class Kind : unsigned char {
    normal,         ///< it was done; links are not disturbed
    shutdown,       ///< an orderly end asked for from outside, or a supervisor that gave up
    killed,         ///< `kill`, or a stop deadline that expired
    failure,        ///< an exception left a handler, a hook or the constructor
    no_actor,       ///< there was no such actor (any more) when it was linked or watched
    no_connection,  ///< the node it lives on can't be reached; it may still be alive
  };

  ExitReason() = default;
  ExitReason(Kind kind, std::string text, std::exception_ptr error = {});

  [[nodiscard]] static ExitReason normal() { return {}; }
  [[nodiscard]] static ExitReason shutdown(std::string text = {});
  [[nodiscard]] static ExitReason killed(std::string text = {});
  [[nodiscard]] static ExitReason failure(std::string text, std::exception_ptr error = {});
  [[nodiscard]] static ExitReason no_actor();

  [[nodiscard]] Kind kind() const noexcept { return kind_; }
  /// normal and shutdown are orderly ends: a transient child isn't restarted after them (S62).
  [[nodiscard]] bool is_abnormal() const noexcept {
    return kind_ != Kind::normal && kind_ != Kind::shutdown;
  }
  /// What happened, in words; empty when there is nothing to add to the kind.
  [[nodiscard]] std::string_view text() const noexcept;
  /// The exception of a failure, or null.
  [[nodiscard]] std::exception_ptr exception() const noexcept;
  /// True when the failure is an exception of type E (or derived from it).
  template <class E>
  [[nodiscard]] bool is_a() const {
    try {
      if (auto e = exception()) std::rethrow_exception(e);
    } catch (const E&) {
      return true;
    } catch (...) {  // any other type: the answer is no
    }
    return false;
  }
  /// Kind and text in one line, for logs.
  [[nodiscard]] std::string to_string() const;

 private:
  struct Detail {
    std::string text;
    std::exception_ptr error;
  };
  Kind kind_ = Kind::normal;
  std::shared_ptr<const Detail> detail_;
};

[[nodiscard]] std::string_view to_string(ExitReason::Kind kind) noexcept;

/// Why `on_stop` runs.
enum class StopReason : unsigned char { restart, stop, failure, kill };

}  // namespace troupe
