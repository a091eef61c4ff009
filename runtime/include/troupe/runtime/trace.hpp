// Trace context: which request of the outside world a message belongs to (W3C Trace Context).
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include <troupe/runtime/clock.hpp>
#include <troupe/runtime/ref.hpp>

namespace troupe {

/// What the header `traceparent` says (W3C Trace Context, level 1). Thread safety: a plain value.
struct TraceContext {
  std::array<std::uint8_t, 16> trace_id{};
  std::array<std::uint8_t, 8> span_id{};  ///< the span that messages sent now are children of
  std::uint8_t flags = 1;                 ///< bit 0: sampled; spans of others are not exported

  [[nodiscard]] bool is_sampled() const noexcept { return (flags & 1) != 0; }
  friend bool operator==(const TraceContext&, const TraceContext&) = default;
};
/// Of "00-<32 hex digits>-<16 hex digits>-<2 hex digits>", or a later version that begins so;
/// nullopt for anything else, and for ids of zero.
[[nodiscard]] std::optional<TraceContext> parse_traceparent(std::string_view header);
[[nodiscard]] std::string format_traceparent(const TraceContext& context);

/// One handler's work on a message of a trace.
struct Span {
  TraceContext context;                     ///< its own id
  std::array<std::uint8_t, 8> parent_id{};  ///< whose message it handled
  Ref<> actor;
  std::string_view message_type;
  TimePoint begin;
  TimePoint end;
  bool failed = false;  ///< an exception left the handler
};
/// Takes spans that have ended. Thread safety: called on any thread, several at a time; must not
/// wait and must not throw.
class SpanExporter {
 public:
  SpanExporter() = default;
  SpanExporter(const SpanExporter&) = delete;
  SpanExporter& operator=(const SpanExporter&) = delete;
  virtual ~SpanExporter() = default;
  virtual void ended(const Span& span) = 0;
};

/// What this thread sends while this lives belongs to a trace; actors pass it on by themselves: a
/// message of a trace is handled in a span of its own, and what its handler tells, asks, forwards
/// or sends later is a child of it. Throws UsageError in an actor. Thread safety: one thread.
class TraceScope {
 public:
  explicit TraceScope(const TraceContext& context);
  TraceScope(const TraceScope&) = delete;
  TraceScope& operator=(const TraceScope&) = delete;
  ~TraceScope();

 private:
  TraceContext context_;
  const TraceContext* outer_;
};
/// The context of what is sent now: in a handler its span, on a thread its TraceScope.
[[nodiscard]] std::optional<TraceContext> current_trace();

}  // namespace troupe
