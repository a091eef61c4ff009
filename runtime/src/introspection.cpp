// Looks at actors from outside. Everything read here may change meanwhile: it is for people.
#include <troupe/runtime/introspection.hpp>

#include <algorithm>
#include <map>

#include "cell.hpp"
#include "system_core.hpp"

namespace troupe {

std::string_view to_string(ActorState state) noexcept {
  switch (state) {
    case ActorState::starting: return "starting";
    case ActorState::running: return "running";
    case ActorState::failing: return "failing";
    case ActorState::held: return "held";
    case ActorState::ending: return "ending";
    case ActorState::abandoned: return "abandoned";
  }
  return "unknown";
}

namespace detail {

namespace {

ActorState state_of(Phase phase) noexcept {
  switch (phase) {
    case Phase::starting: return ActorState::starting;
    case Phase::failing: return ActorState::failing;
    case Phase::held: return ActorState::held;
    case Phase::ending: return ActorState::ending;
    default: return ActorState::running;
  }
}

// All loads are relaxed: a look, which decides nothing.
Address look_at(const Cell& cell) noexcept {
  return {const_cast<Cell*>(&cell), cell.generation.load(std::memory_order_relaxed), cell.serial};
}

}  // namespace

std::uint32_t mailbox_length(const Address& actor) noexcept {
  constexpr auto ended = ~std::uint32_t{0};
  if (actor.cell == nullptr) return ended;
  // Relaxed: for a figure.
  const bool is_it = actor.cell->generation.load(std::memory_order_relaxed) == actor.generation;
  return is_it ? mailbox_length(*actor.cell) : ended;
}

std::uint32_t mailbox_length(const Cell& cell) noexcept {
  const std::uint32_t taken = cell.taken.load(std::memory_order_relaxed);  // a figure
  const auto length = static_cast<std::int32_t>(messages_came(cell) - taken);
  return length > 0 ? static_cast<std::uint32_t>(length) : 0;  // a message taken, not counted yet
}

namespace {

struct Handling {
  std::string message;
  Duration at_least{};
};

/// For how long a worker has been in its handler, as the service thread saw it.
Duration running_for(const Worker& worker, const Cell* cell, TimePoint now) noexcept {
  if (worker.seen_running.load(std::memory_order_acquire) != cell)
    return {};  // partner: StallWatch
  const std::uint64_t seen = worker.seen_handled.load(std::memory_order_relaxed);       // a figure
  if (worker.counters.handled.load(std::memory_order_relaxed) != seen) return {};       // as well
  return now - TimePoint{Duration{worker.seen_since.load(std::memory_order_relaxed)}};  // as well
}

std::map<const Cell*, Handling> running_handlers(const SystemCore& core, TimePoint now) {
  std::map<const Cell*, Handling> all;
  for (const Worker* w = core.workers_seen(); w != nullptr; w = w->next_worker) {
    const Cell* cell = w->running.load(std::memory_order_relaxed);          // as above
    const MessageType* type = w->handling.load(std::memory_order_relaxed);  // as above
    if (cell == nullptr) continue;
    all[cell] = {type != nullptr ? std::string(type->text()) : "on_start",
                 running_for(*w, cell, now)};
  }
  return all;
}

std::string in_words(Duration at_least) {
  if (at_least <= Duration::zero()) return {};
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(at_least).count();
  return " for " + std::to_string(ms) + " ms or more";
}

}  // namespace

std::string SystemCore::handler_of(const Cell& cell) const {
  const std::map<const Cell*, Handling> all = running_handlers(*this, now());
  const auto found = all.find(&cell);
  return found != all.end() ? found->second.message : std::string();
}

std::vector<ActorInfo> SystemCore::list_actors() {
  const TimePoint at = now();
  const std::map<const Cell*, Handling> handled = running_handlers(*this, at);
  const std::map<const Cell*, std::string> abandoned = reaper_.abandoned();
  std::vector<ActorInfo> actors;
  for_each_cell([&](Cell& cell) {
    const Phase phase = cell.phase.load(std::memory_order_acquire);  // partner: Cell::set
    if (phase == Phase::free) return;
    ActorInfo info;
    info.ref = Ref<>{look_at(cell)};
    if (const Cell* parent = cell.parent.load(std::memory_order_relaxed))  // as above
      info.parent = Ref<>{look_at(*parent)};
    info.path = print(info.ref.address());
    info.type = cell.type.load(std::memory_order_relaxed)->text();  // came with the phase
    info.state = abandoned.contains(&cell) ? ActorState::abandoned : state_of(phase);
    info.mailbox_length = mailbox_length(cell);
    const auto found = handled.find(&cell);
    if (found != handled.end()) {
      info.handling = found->second.message;
      info.at_least = found->second.at_least;
    }
    if (cell.waits_for.load(std::memory_order_relaxed) != 0) {  // as above
      info.waits_for = why(info.ref.address());
      if (const auto since = waits_since(cell))
        info.at_least = std::max(at - *since, Duration::zero());
    }
    actors.push_back(std::move(info));
  });
  std::sort(actors.begin(), actors.end(),
            [](const ActorInfo& a, const ActorInfo& b) { return a.ref < b.ref; });
  return actors;
}

namespace {

void print_below(std::string& text, const std::multimap<std::uint32_t, const ActorInfo*>& children,
                 std::uint32_t parent, std::size_t depth) {
  const auto [begin, end] = children.equal_range(parent);
  for (auto child = begin; child != end; ++child) {
    const ActorInfo& a = *child->second;
    text += std::string(2 * depth, ' ') + a.path + " (" + a.type + ") " +
            std::string(to_string(a.state));
    if (a.mailbox_length > 0) text += ", " + std::to_string(a.mailbox_length) + " messages wait";
    if (!a.handling.empty()) text += ", handles " + a.handling;
    if (!a.waits_for.empty()) text += ", " + a.waits_for.substr(a.path.size() + 1);
    text += in_words(a.at_least);
    text += "\n";
    print_below(text, children, a.ref.address().serial, depth + 1);
  }
}

}  // namespace

WaitingMail SystemCore::waiting_mail() {
  WaitingMail all;
  for_each_cell([&](Cell& cell) {
    if (cell.phase.load(std::memory_order_relaxed) == Phase::free) return;  // a figure
    const std::uint32_t length = mailbox_length(cell);
    all.messages += length;
    all.longest = std::max(all.longest, length);
  });
  return all;
}

std::string SystemCore::print_tree() {
  const std::vector<ActorInfo> actors = list_actors();
  std::multimap<std::uint32_t, const ActorInfo*> children;
  for (const ActorInfo& a : actors) children.emplace(a.parent.address().serial, &a);
  std::string text;
  print_below(text, children, 0, 0);
  return text;
}

}  // namespace detail
}  // namespace troupe
