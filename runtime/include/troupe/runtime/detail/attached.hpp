// What other modules keep with a System, for its actors to find.
#pragma once

#include <memory>

namespace troupe {

class System;

namespace detail {

/// The key of what is kept: one of each type.
template <class T>
inline constexpr char attachment_key = 0;

void attach(System& system, const void* key, std::shared_ptr<void> kept);
[[nodiscard]] void* attached(System& system, const void* key) noexcept;
[[nodiscard]] void* attached_here(const void* key) noexcept;

/// Keeps `kept` until the System ends. Throws UsageError when it keeps a T already. Any thread.
template <class T>
void attach(System& system, std::shared_ptr<T> kept) {
  attach(system, &attachment_key<T>, std::move(kept));
}
/// Null: it keeps none. Any thread.
template <class T>
[[nodiscard]] T* attached(System& system) noexcept {
  return static_cast<T*>(attached(system, &attachment_key<T>));
}
/// That of the running actor's System; null also outside of actors.
template <class T>
[[nodiscard]] T* attached_here() noexcept {
  return static_cast<T*>(attached_here(&attachment_key<T>));
}

}  // namespace detail
}  // namespace troupe
