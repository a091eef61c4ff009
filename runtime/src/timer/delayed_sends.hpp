// Messages to be sent later, as a slot of the timing wheel holds them.
//
// Design. There may be a million, and nobody cancels one: they lie side by side, in order, and not
// each in memory of its own.
#pragma once

#include <cstdint>
#include <memory>
#include <utility>

#include <troupe/runtime/clock.hpp>

#include "../memory.hpp"

namespace troupe::detail {

struct Cell;
struct Envelope;

struct DelayedSend {
  TimePoint due;
  Envelope* message = nullptr;
  Cell* to = nullptr;  ///< in the generation that the message names
  std::uint32_t serial = 0;
  std::uint32_t sequence = 0;  ///< order among equal due times
};

/// First in, first out. Thread safety: one thread at a time.
class DelayedSends {
 public:
  DelayedSends() = default;
  DelayedSends(DelayedSends&& other) noexcept
      : first_(std::exchange(other.first_, nullptr)), last_(std::exchange(other.last_, nullptr)) {}
  DelayedSends& operator=(DelayedSends&&) = delete;
  ~DelayedSends() {
    while (first_ != nullptr) free_first();
  }

  [[nodiscard]] bool empty() const noexcept { return first_ == nullptr; }

  void push(const DelayedSend& send) {
    if (last_ == nullptr || last_->count == chunk_sends) {
      auto* chunk = ::new (allocate_block(chunk_class(), sizeof(Chunk))) Chunk;
      (last_ != nullptr ? last_->next : first_) = chunk;
      last_ = chunk;
    }
    last_->sends[last_->count++] = send;
  }
  template <class F>
  void for_each(F f) const {
    for (const Chunk* chunk = first_; chunk != nullptr; chunk = chunk->next) {
      for (std::uint32_t i = 0; i < chunk->count; ++i) f(chunk->sends[i]);
    }
  }
  /// Gives all of them to f and keeps those for which it says false.
  template <class F>
  void take_if(F f) {
    DelayedSends all(std::move(*this));
    while (Chunk* chunk = all.first_) {
      for (std::uint32_t i = 0; i < chunk->count; ++i) {
        if (!f(chunk->sends[i])) push(chunk->sends[i]);
      }
      all.free_first();
    }
  }

 private:
  static constexpr std::uint32_t chunk_sends = 7;
  struct Chunk {
    Chunk* next = nullptr;
    std::uint32_t count = 0;
    DelayedSend sends[chunk_sends];
  };
  static_assert(sizeof(Chunk) <= 256, "a block's size");
  static std::uint16_t chunk_class() noexcept { return size_class_of(sizeof(Chunk)); }
  void free_first() noexcept {
    Chunk* chunk = std::exchange(first_, first_->next);
    if (first_ == nullptr) last_ = nullptr;
    free_block(chunk_class(), chunk);
  }

  Chunk* first_ = nullptr;
  Chunk* last_ = nullptr;
};

}  // namespace troupe::detail
