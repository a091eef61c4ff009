#include "trace.hpp"

#include <algorithm>
#include <cstring>

#include "system_core.hpp"

namespace troupe {

namespace {

constinit thread_local const TraceContext* scope_of_thread = nullptr;

/// The value of a lower-case hex digit, as the standard wants them; -1: it is none.
int hex(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}
template <std::size_t N>
bool read_hex(std::string_view text, std::array<std::uint8_t, N>& bytes) noexcept {
  for (std::size_t i = 0; i < N; ++i) {
    const int high = hex(text[2 * i]);
    const int low = hex(text[2 * i + 1]);
    if (high < 0 || low < 0) return false;
    bytes[i] = static_cast<std::uint8_t>(high * 16 + low);
  }
  return true;
}
template <std::size_t N>
void write_hex(std::string& text, const std::array<std::uint8_t, N>& bytes) {
  constexpr char digits[] = "0123456789abcdef";
  for (const std::uint8_t byte : bytes) {
    text += digits[byte / 16];
    text += digits[byte % 16];
  }
}
template <std::size_t N>
bool is_zero(const std::array<std::uint8_t, N>& bytes) noexcept {
  return std::all_of(bytes.begin(), bytes.end(), [](std::uint8_t b) { return b == 0; });
}

}  // namespace

std::optional<TraceContext> parse_traceparent(std::string_view header) {
  constexpr std::size_t length = 55;  // of version 00; later versions may add to it
  if (header.size() < length || header[2] != '-' || header[35] != '-' || header[52] != '-')
    return std::nullopt;
  std::array<std::uint8_t, 1> version{};
  std::array<std::uint8_t, 1> flags{};
  TraceContext context;
  const bool is_hex = read_hex(header, version) && read_hex(header.substr(3), context.trace_id) &&
                      read_hex(header.substr(36), context.span_id) &&
                      read_hex(header.substr(53), flags);
  if (!is_hex || version[0] == 0xff || is_zero(context.trace_id) || is_zero(context.span_id))
    return std::nullopt;
  const bool has_more = header.size() > length;
  if (has_more && (version[0] == 0 || header[length] != '-')) return std::nullopt;
  context.flags = flags[0];
  return context;
}

std::string format_traceparent(const TraceContext& context) {
  std::string text = "00-";
  write_hex(text, context.trace_id);
  text += '-';
  write_hex(text, context.span_id);
  text += '-';
  write_hex(text, std::array<std::uint8_t, 1>{context.flags});
  return text;
}

TraceScope::TraceScope(const TraceContext& context)
    : context_(context), outer_(std::exchange(scope_of_thread, &context_)) {
  if (detail::Worker::current() != nullptr) {
    scope_of_thread = outer_;
    throw UsageError("a TraceScope is for threads; actors pass on the trace of their message");
  }
  detail::is_tracing.store(true, std::memory_order_relaxed);  // this thread's own sends see it
}
TraceScope::~TraceScope() {
  scope_of_thread = outer_;
}

std::optional<TraceContext> current_trace() {
  const TraceContext* context = detail::trace_in_force();
  return context != nullptr ? std::optional(*context) : std::nullopt;
}

namespace detail {

const TraceContext* trace_in_force() noexcept {
  const Worker* worker = Worker::current();
  if (worker == nullptr) return scope_of_thread;
  const auto* turn = static_cast<const CellTurn*>(worker->turn);
  return turn != nullptr && turn->span != nullptr ? &turn->span->context : nullptr;
}

void put_trace(Envelope& e, const TraceContext& context) noexcept {
  e.has_trace = true;
  std::memcpy(reinterpret_cast<std::byte*>(&e) + trace_offset(*e.type, (e.flags & is_wide) != 0),
              &context, sizeof(context));
}

TraceContext trace_of(Envelope& e) noexcept {
  TraceContext context;
  std::memcpy(&context,
              reinterpret_cast<std::byte*>(&e) + trace_offset(*e.type, (e.flags & is_wide) != 0),
              sizeof(context));
  return context;
}

ActiveSpan* begin_span(Envelope& e, Worker& worker) {
  const TraceContext parent = trace_of(e);
  auto* span = new ActiveSpan{parent, parent.span_id, worker.core.now()};
  const std::uint64_t id = worker.random.next() | 1;  // never zero
  std::memcpy(span->context.span_id.data(), &id, sizeof(id));
  return span;
}

void end_span(ActiveSpan* active, Cell& cell, const MessageType& type) noexcept {
  SystemCore& core = cell.core();
  if (active->context.is_sampled() && core.options().spans != nullptr) {
    core.options().spans->ended({active->context, active->parent_id, Ref<>{cell.address()},
                                 type.text(), active->begin, core.now(), active->failed});
  }
  delete active;
}

}  // namespace detail
}  // namespace troupe
