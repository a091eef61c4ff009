// Metrics as Prometheus reads them (text exposition format, version 0.0.4).
#include <troupe/runtime/system.hpp>

#include "system_core.hpp"

namespace troupe {

namespace {

void head(std::string& text, std::string_view name, std::string_view type, std::string_view help) {
  text += "# HELP " + std::string(name) + " " + std::string(help) + "\n";
  text += "# TYPE " + std::string(name) + " " + std::string(type) + "\n";
}
void counter(std::string& text, std::string_view name, std::string_view help, std::uint64_t value) {
  head(text, name, "counter", help);
  text += std::string(name) + " " + std::to_string(value) + "\n";
}

}  // namespace

std::string System::prometheus() const {
  const Metrics m = metrics();
  std::string text;
  counter(text, "troupe_messages_handled_total", "Turns: messages, signals, starts, stops.",
          m.messages_handled);
  counter(text, "troupe_actors_spawned_total", "Actors spawned.", m.actors_spawned);
  counter(text, "troupe_actors_ended_total", "Actors that have ended.", m.actors_ended);
  counter(text, "troupe_actors_restarted_total", "Incarnations after the first.",
          m.actors_restarted);
  counter(text, "troupe_handler_failures_total", "Exceptions that ended an incarnation.",
          m.handler_failures);
  counter(text, "troupe_actors_abandoned_total", "Actors killed whose handler did not return.",
          m.actors_abandoned);
  counter(text, "troupe_requests_refused_total", "Requests refused, or failed with an ask.",
          m.requests_refused);
  counter(text, "troupe_senders_slowed_total", "Times an actor waited since it flooded another.",
          m.senders_slowed);
  counter(text, "troupe_steals_total", "Actors a worker took from another.", m.steals);
  counter(text, "troupe_parks_total", "Times a worker found nothing to do.", m.parks);
  head(text, "troupe_actors", "gauge", "Actors alive.");
  text += "troupe_actors " + std::to_string(actor_count()) + "\n";
  const detail::WaitingMail mail = core_->waiting_mail();
  head(text, "troupe_messages_waiting", "gauge", "Messages in all mailboxes.");
  text += "troupe_messages_waiting " + std::to_string(mail.messages) + "\n";
  head(text, "troupe_longest_mailbox", "gauge", "Messages in the longest mailbox.");
  text += "troupe_longest_mailbox " + std::to_string(mail.longest) + "\n";
  head(text, "troupe_messages_dropped_total", "counter", "Messages that were not handled.");
  for (std::size_t i = 0; i < drop_reasons; ++i) {
    const auto reason = static_cast<DropReason>(i);
    text += "troupe_messages_dropped_total{reason=\"" + std::string(label_of(reason)) + "\"} " +
            std::to_string(m.dropped_for(reason)) + "\n";
  }
  return text;
}

}  // namespace troupe
