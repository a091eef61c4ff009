// What is told when an actor fails: by whom, handling what, in which state.
#pragma once

#include <cstdint>
#include <string>

#include <troupe/runtime/ref.hpp>

namespace troupe {

/// One failure of one actor. Each failure makes exactly one; an orderly end (`stop`, normal,
/// shutdown) makes none (S43). Secrets don't get in by themselves: a message shows itself only
/// where there is a `std::string to_string(const M&)` beside its type, an actor only where it
/// overrides `describe_state`.
struct CrashReport {
  Ref<> actor;
  std::string path;
  std::string type;
  std::uint32_t incarnation = 0;
  std::string why;  ///< what the exception said
  bool while_starting = false;
  Ref<> sender;              ///< of the message; empty: not from an actor
  std::string message_type;  ///< that was handled; empty: none was
  std::string message;       ///< as its to_string says
  std::string state;         ///< as describe_state says
  std::uint32_t waiting_messages = 0;

  /// In one line, as it is logged.
  [[nodiscard]] std::string to_string() const;
};

}  // namespace troupe
