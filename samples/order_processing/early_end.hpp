// That a run is to end before its input does: told by whoever knows it, heard by whoever waits for
// input.
#pragma once

#include <atomic>
#include <cstdint>

namespace orders {

/// Thread safety: any thread, and a signal's handler, except construction and destruction.
class EarlyEnd {
 public:
  enum class Why : std::uint8_t { none, interrupted, terminated, coordinator_ended };

  /// Throws std::system_error.
  EarlyEnd();
  EarlyEnd(const EarlyEnd&) = delete;
  EarlyEnd& operator=(const EarlyEnd&) = delete;
  ~EarlyEnd();

  /// The first reason stays.
  void set(Why why) noexcept;
  [[nodiscard]] Why why() const noexcept { return why_.load(); }
  [[nodiscard]] bool is_set() const noexcept { return why() != Why::none; }
  /// Waits until `file` has something to read, has ended or failed: true; false: this is set.
  [[nodiscard]] bool await_input(int file) const noexcept;

 private:
  std::atomic<Why> why_{Why::none};
  int event_;  ///< can be read from once this is set
};

}  // namespace orders
