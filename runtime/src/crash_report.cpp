#include <troupe/runtime/crash_report.hpp>

#include <algorithm>
#include <exception>

#include "cell.hpp"
#include "system_core.hpp"

namespace troupe {

std::string CrashReport::to_string() const {
  std::string text = (while_starting ? "failed to start: " : "failed: ") + why;
  if (!message_type.empty()) text += "; handling " + message_type;
  if (!message.empty()) text += " " + message;
  if (!state.empty()) text += "; state: " + state;
  if (waiting_messages > 0) text += "; " + std::to_string(waiting_messages) + " messages wait";
  return text;
}

namespace detail {

namespace {

/// Cuts a text that would take a report over its size, and says by how much.
void cut(std::string& text, std::size_t& left) {
  if (text.size() > left) {
    const std::size_t lost = text.size() - left;
    text.resize(left);
    text += "... (" + std::to_string(lost) + " bytes more)";
    left = 0;
  } else {
    left -= text.size();
  }
}

/// User code, on an actor that has just failed: what it throws is shown in place of its text.
template <class F>
std::string safely(F f) {
  try {
    return f();
  } catch (const std::exception& e) {
    return std::string("(describing it threw: ") + e.what() + ")";
  } catch (...) {  // nothing is known of it
    return "(describing it threw)";
  }
}

}  // namespace

CrashReport make_crash_report(Cell& cell, const ExitReason& why, bool starting,
                              const CellTurn* turn) {
  CrashReport report;
  report.actor = Ref<>{cell.address()};
  report.path = print(cell.address());
  report.type = cell.own_type().text();
  report.incarnation = cell.incarnation;
  report.why = why.text();
  report.while_starting = starting;
  report.waiting_messages = mailbox_length(cell);
  if (turn != nullptr && turn->envelope != nullptr) {
    Envelope& e = *turn->envelope;
    report.sender = Ref<>{e.from};
    report.message_type = e.type->text();
    if (e.type->print != nullptr) {  // what was moved away can't be shown, or even looked at
      report.message = turn->is_given_away ? "(moved into its handler)"
                                           : safely([&] { return e.type->print(payload(e)); });
    }
  }
  if (cell.extension == nullptr || cell.extension->has_object)
    report.state = safely([&] { return cell.actor().describe_state(); });
  const SystemOptions& options = cell.core().options();
  if (options.redact_crash_report) {
    try {
      options.redact_crash_report(report);
    } catch (...) {  // user code; what it was to hide is not shown then
      report.why = report.message = report.state = "(redact_crash_report threw)";
    }
  }
  std::size_t left = options.crash_report_bytes_max;
  for (std::string* text : {&report.why, &report.message, &report.state}) cut(*text, left);
  return report;
}

}  // namespace detail

}  // namespace troupe
