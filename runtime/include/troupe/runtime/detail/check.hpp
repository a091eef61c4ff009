// Invariants of Troupe's own: checked in every build, and a broken one stops the process (DESIGN.md
// D11).
#pragma once

namespace troupe::detail {
[[noreturn]] void check_failed(const char* condition, const char* what, const char* file,
                               int line) noexcept;
}

/// Stops the process with a message when `condition` is false. `what` says what that means.
#define TROUPE_CHECK(condition, what)                \
  (__builtin_expect(static_cast<bool>(condition), 1) \
       ? static_cast<void>(0)                        \
       : ::troupe::detail::check_failed(#condition, what, __FILE__, __LINE__))
