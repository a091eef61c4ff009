// How a trace travels: behind the message, in envelopes that belong to one.
#pragma once

#include <atomic>

#include <troupe/runtime/trace.hpp>

#include "cell.hpp"

namespace troupe::detail {

/// Some message of this process belongs to a trace: until then nobody looks for one.
inline std::atomic<bool> is_tracing{false};

/// The trace of what is sent now; null: none.
const TraceContext* trace_in_force() noexcept;

[[nodiscard]] inline std::size_t trace_offset(const MessageType& type, bool wide) noexcept {
  return payload_offset(type.align, wide) + type.size;
}
/// Copies the context behind the message of an envelope with room for it.
void put_trace(Envelope& e, const TraceContext& context) noexcept;
TraceContext trace_of(Envelope& e) noexcept;

/// The span of a handler at work.
struct ActiveSpan {
  TraceContext context;
  std::array<std::uint8_t, 8> parent_id;
  TimePoint begin;
  bool failed = false;
};
ActiveSpan* begin_span(Envelope& e, Worker& worker);
void end_span(ActiveSpan* span, Cell& cell, const MessageType& type) noexcept;

}  // namespace troupe::detail
