#include "books.hpp"

#include <algorithm>
#include <utility>

namespace troupe::soak {

namespace {

constexpr std::size_t wrongs_kept = 20;

std::string compare(std::string_view what, std::uint64_t system, std::uint64_t books) {
  return std::string(what) + ": the System says " + std::to_string(system) + ", the books say " +
         std::to_string(books);
}
std::uint64_t read(const std::atomic<std::uint64_t>& count) {
  return count.load();
}

}  // namespace

std::string_view to_string(Outcome outcome) noexcept {
  static constexpr std::string_view names[outcomes] = {
      "answered",     "timeout",     "receiver_down", "refused",        "no_reply",
      "mailbox_full", "cancelled",   "cycle",         "wrong_protocol", "system_stopped",
      "elsewhere",    "asker_ended", "given_up"};
  return names[static_cast<std::size_t>(outcome)];
}

Outcome outcome_of(AskErrorKind kind) noexcept {
  switch (kind) {
    case AskErrorKind::timeout: return Outcome::timeout;
    case AskErrorKind::receiver_down: return Outcome::receiver_down;
    case AskErrorKind::refused: return Outcome::refused;
    case AskErrorKind::no_reply: return Outcome::no_reply;
    case AskErrorKind::mailbox_full: return Outcome::mailbox_full;
    case AskErrorKind::cancelled: return Outcome::cancelled;
    case AskErrorKind::cycle: return Outcome::cycle;
    case AskErrorKind::wrong_protocol: return Outcome::wrong_protocol;
    case AskErrorKind::system_stopped: return Outcome::system_stopped;
    case AskErrorKind::no_connection:
    case AskErrorKind::unknown_type:
    case AskErrorKind::too_large: return Outcome::elsewhere;
  }
  return Outcome::cancelled;
}

std::uint64_t Figures::asks_ended() const noexcept {
  std::uint64_t sum = 0;
  for (const std::uint64_t n : ended_in) sum += n;
  return sum;
}

std::string Figures::to_string() const {
  std::string text = "asks " + std::to_string(asks) + " =";
  for (std::size_t i = 0; i < outcomes; ++i) {
    if (ended_in[i] == 0) continue;
    text += " " + std::string(soak::to_string(static_cast<Outcome>(i))) + " " +
            std::to_string(ended_in[i]);
  }
  const auto add = [&](const char* name, std::uint64_t n) {
    text += std::string("; ") + name + " " + std::to_string(n);
  };
  add("told", told);
  add("kills", kills);
  add("stops", stops);
  add("spawned", spawned);
  add("ended", ended);
  add("restarts", restarted);
  add("failures", failed);
  add("gave up", escalated);
  return text;
}

// ---- Observer

void Books::dead_letter(const DeadLetter& letter) {
  ++letters_[static_cast<std::size_t>(letter.reason)];
  if (letter.message_type == "troupe::soak::Work") ++lost_;
}
void Books::spawned(const Ref<>& who) {
  ++spawned_;
  std::lock_guard guard(mutex_);
  place_[who] = living_.size();
  living_.push_back(who);
}
void Books::failed(const Ref<>&, const ExitReason&) {
  ++failed_;
}
void Books::restarted(const Ref<>&, std::uint32_t) {
  ++restarted_;
}
void Books::ended(const Ref<>& who, const ExitReason&) {
  ++ended_;
  {
    std::lock_guard guard(mutex_);
    if (const auto found = place_.find(who); found != place_.end()) {
      place_[living_.back()] = found->second;
      living_[found->second] = living_.back();
      living_.pop_back();
      place_.erase(who);
      return;
    }
  }
  wrong(who.to_string() + " ended twice, or was never spawned");
}
void Books::escalated(const Ref<>&, const ExitReason&) {
  ++escalated_;
}
void Books::stalled(const Stall&) {
  ++stalled_;
}

// ---- what the load does

std::uint64_t Books::new_voice() {
  const std::uint64_t voice = ++voice_numbers_;
  std::lock_guard guard(mutex_);
  voices_.insert(voice);
  return voice;
}
void Books::voice_ended(std::uint64_t voice) {
  std::lock_guard guard(mutex_);
  voices_.erase(voice);
  const auto first = due_.lower_bound(Notice{voice, Notice::Kind::terminated, 0, {}});
  auto last = first;
  while (last != due_.end() && last->voice == voice) ++last;
  due_.erase(first, last);
}
void Books::notice_due(const Notice& notice) {
  std::lock_guard guard(mutex_);
  due_.insert(notice);
}
void Books::notice_off(const Notice& notice) {
  std::lock_guard guard(mutex_);
  due_.erase(notice);
}
void Books::notice_came(const Notice& notice) {
  {
    std::lock_guard guard(mutex_);
    if (due_.erase(notice) == 1) return;
  }
  if (notice.kind == Notice::Kind::exit) return;  // a link that another has made
  wrong("kind " + std::to_string(static_cast<int>(notice.kind)) + " voice " +
        std::to_string(notice.voice) + " " + notice.target.to_string() +
        "'s end was told to one who does not wait for it (S50 S52)");
}
void Books::wrong(std::string what) {
  ++wrongs_;
  std::lock_guard guard(mutex_);
  if (wrong_.size() < wrongs_kept) wrong_.push_back(std::move(what));
}

Figures Books::figures() const {
  Figures f;
  // What ends before what begins: no sum of a moment has more ends than beginnings.
  for (std::size_t i = 0; i < outcomes; ++i) f.ended_in[i] = read(ended_in_[i]);
  f.asks = read(asks_);
  f.handled = read(handled_);
  f.lost = read(lost_);
  f.told = read(told_);
  f.kills = read(kills_);
  f.stops = read(stops_);
  f.ended = read(ended_);
  f.spawned = read(spawned_);
  f.restarted = read(restarted_);
  f.failed = read(failed_);
  f.escalated = read(escalated_);
  f.stalled = read(stalled_);
  return f;
}
bool Books::lives(const Ref<>& who) const {
  std::lock_guard guard(mutex_);
  return place_.contains(who);
}
std::size_t Books::living() const {
  std::lock_guard guard(mutex_);
  return living_.size();
}
Ref<> Books::any_living(Random& random) const {
  std::lock_guard guard(mutex_);
  if (living_.empty()) return {};
  return living_[random.below(static_cast<std::uint32_t>(living_.size()))];
}

// ---- the checks

void Books::check_sums(std::vector<std::string>& found) const {
  const Figures f = figures();
  if (f.asks != f.asks_ended())
    found.push_back(std::to_string(f.asks) + " asks, but " + std::to_string(f.asks_ended()) +
                    " outcomes (S12)");
  if (f.told != f.handled + f.lost)
    found.push_back(std::to_string(f.told) + " told, but " + std::to_string(f.handled) +
                    " handled and " + std::to_string(f.lost) + " dead letters (S8)");
  std::lock_guard guard(mutex_);
  found.insert(found.end(), wrong_.begin(), wrong_.end());
  if (wrongs_ > wrong_.size())
    found.push_back("and " + std::to_string(wrongs_ - wrong_.size()) + " more");
}

void Books::check_metrics(std::vector<std::string>& found, const Metrics& metrics) const {
  const auto same = [&](std::string_view what, std::uint64_t system, std::uint64_t books) {
    if (system != books) found.push_back(compare(what, system, books));
  };
  same("spawned", metrics.actors_spawned, spawned_);
  same("ended", metrics.actors_ended, ended_);
  same("restarted", metrics.actors_restarted, restarted_);
  same("failures", metrics.handler_failures, failed_);
  for (std::size_t i = 0; i < drop_reasons; ++i) {
    const auto reason = static_cast<DropReason>(i);
    if (reason == DropReason::late_reply || reason == DropReason::cancelled_tick) continue;
    const std::uint64_t silent = reason == DropReason::mailbox_full ? read(transformed_) : 0;
    same("dropped, " + std::string(to_string(reason)), metrics.dropped[i],
         read(letters_[i]) + silent);
  }
}

std::vector<std::string> Books::check_at_rest(const System& system) const {
  std::vector<std::string> found;
  check_sums(found);
  check_metrics(found, system.metrics());
  const std::vector<ActorInfo> actors = system.actors();
  // Classes of the library's own are no objects of ours.
  const auto ours = std::count_if(actors.begin(), actors.end(), [](const ActorInfo& a) {
    return a.type.starts_with("troupe::soak::");
  });
  std::lock_guard guard(mutex_);
  const auto same = [&](std::string_view what, std::uint64_t is, std::uint64_t books) {
    if (is != books) found.push_back(compare(what, is, books));
  };
  same("actors", system.actor_count(), living_.size());
  same("listed actors", actors.size(), living_.size());
  same("objects", static_cast<std::uint64_t>(ours), voices_.size());
  for (const ActorInfo& a : actors) {
    if (!place_.contains(a.ref)) found.push_back(a.path + " is listed, and has ended");
  }
  for (const Notice& notice : due_) {
    if (!place_.contains(notice.target))
      found.push_back("a watch, monitor or link of " + notice.target.to_string() +
                      " that heard nothing of its end (S50)");
  }
  return found;
}

std::vector<std::string> Books::check_at_end(const System& system) const {
  std::vector<std::string> found;
  check_sums(found);
  check_metrics(found, system.metrics());
  std::lock_guard guard(mutex_);
  if (!living_.empty()) found.push_back(std::to_string(living_.size()) + " actors have not ended");
  if (!voices_.empty())
    found.push_back(std::to_string(voices_.size()) + " objects of actors outlived the System");
  return found;
}

}  // namespace troupe::soak
