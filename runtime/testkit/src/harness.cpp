#include <troupe/testkit/harness.hpp>

#include <algorithm>

#include "seeded_executor.hpp"
#include "system_core.hpp"

namespace troupe::testkit::detail {

using troupe::detail::Address;
using troupe::detail::Cell;
using troupe::detail::Envelope;

/// Sees what the actor under test sends and spawns.
class HarnessBase::Eyes final : public Observer {
 public:
  [[nodiscard]] bool takes(const Address& to, Envelope* e, std::optional<Duration> delay) {
    const troupe::detail::Worker* worker = troupe::detail::Worker::current();
    if (worker == nullptr || worker->cell == nullptr || Ref<>{worker->cell->address()} != subject)
      return false;
    if (Ref<>{to} == subject) return false;
    Kind kind = delay ? Kind::told_later : Kind::told;
    if ((e->flags & troupe::detail::is_request) != 0) kind = Kind::asked;
    effects.push_back({kind, Ref<>{to}, e, delay.value_or(Duration::zero())});
    return true;
  }
  void spawned(const Ref<>& actor) override {
    const Cell* parent =
        actor.address().cell->parent.load(std::memory_order_relaxed);  // on this thread
    if (parent != nullptr && parent == subject.address().cell) children.push_back(actor);
  }
  void ended(const Ref<>& actor, const ExitReason& why) override {
    if (actor == subject) end = why;
  }

  Ref<> subject;
  std::deque<Effect> effects;
  std::deque<Ref<>> children;
  std::optional<ExitReason> end;
};

namespace {

SystemOptions observed(SystemOptions options, std::shared_ptr<Observer> eyes) {
  options.observers.push_back(std::move(eyes));
  return options;
}
SeededExecutor& executor_of(TestSystem& system) {
  return static_cast<SeededExecutor&>(system.core().executor());
}
std::string_view type_of(const Ref<>& actor) {
  return actor.address().cell->type.load(std::memory_order_relaxed)->text();  // on this thread
}

}  // namespace

HarnessBase::HarnessBase(std::uint64_t seed, SystemOptions options)
    : eyes_(std::make_shared<Eyes>()),
      system_(seed, Schedule::seeded, observed(std::move(options), eyes_)) {
  executor_of(system_).take_with(
      [eyes = eyes_](const Address& to, Envelope* e, std::optional<Duration> delay) {
        return eyes->takes(to, e, delay);
      });
}

HarnessBase::~HarnessBase() {
  executor_of(system_).take_with({});  // what it sends while it ends goes the usual way
  for (const Effect& effect : eyes_->effects) done_with(effect);
}

void HarnessBase::watch_over(const Address& subject) {
  if (eyes_->subject) fail("a harness starts one actor; make another harness for the next");
  eyes_->subject = Ref<>{subject};
}

std::optional<ExitReason> HarnessBase::ended() const {
  return eyes_->end;
}

HarnessBase::Effect HarnessBase::take(Kind kind, const troupe::detail::MessageType& type,
                                      const Ref<>& to) {
  auto& effects = eyes_->effects;
  const auto found = std::find_if(effects.begin(), effects.end(), [&](const Effect& e) {
    return e.kind == kind && same_type(e.envelope->type, &type) && (!to || e.to == to);
  });
  if (found == effects.end()) {
    static constexpr const char* did[] = {"told", "asked", "told later"};
    fail("the actor has not " + std::string(did[static_cast<std::size_t>(kind)]) + " " +
         std::string(type.text()) + (to ? " to " + to.to_string() : ""));
  }
  const Effect effect = *found;
  effects.erase(found);
  return effect;
}

void HarnessBase::done_with(const Effect& effect) noexcept {
  destroy_envelope(effect.envelope);
}

Address HarnessBase::take_child(const troupe::detail::ActorType& type, std::string_view name) {
  auto& children = eyes_->children;
  const std::string ending = "/" + std::string(name);
  const auto found = std::find_if(children.begin(), children.end(), [&](const Ref<>& child) {
    return type_of(child) == type.text() && (name.empty() || child.to_string().ends_with(ending));
  });
  if (found == children.end()) {
    fail("the actor has spawned no " + std::string(type.text()) +
         (name.empty() ? "" : " named " + std::string(name)));
  }
  const Address child = found->address();
  children.erase(found);
  return child;
}

std::optional<TimerSeen> HarnessBase::timer(const troupe::detail::MessageType& type,
                                            const TimerKey& key) const {
  if (!eyes_->subject || eyes_->end) return std::nullopt;
  const Cell& cell = *eyes_->subject.address().cell;
  if (cell.extension == nullptr) return std::nullopt;
  for (const auto* t = cell.extension->timers; t != nullptr; t = t->following_timer) {
    if (t->purpose != troupe::detail::TimerPurpose::tick || !(t->key == key)) continue;
    if (!t->armed || !same_type(t->message->type, &type)) return std::nullopt;
    TimerSeen seen{t->due - system_.now(), std::nullopt};
    if (t->copy != nullptr) seen.period = t->period;
    return seen;
  }
  return std::nullopt;
}

void HarnessBase::expect_nothing_else() const {
  if (!eyes_->effects.empty() || !eyes_->children.empty()) fail("expected nothing else");
}

void HarnessBase::fail(const std::string& what) const {
  std::string text = what + " (seed " + std::to_string(system_.seed()) + ")";
  static constexpr const char* did[] = {"told", "asked", "told later"};
  for (const Effect& e : eyes_->effects) {
    text += std::string("\n  ") + did[static_cast<std::size_t>(e.kind)] + " " +
            std::string(e.envelope->type->text()) + " to " + e.to.to_string();
  }
  for (const Ref<>& child : eyes_->children) {
    text += "\n  spawned " + std::string(type_of(child)) + " " + child.to_string();
  }
  if (eyes_->end) text += "\n  ended: " + eyes_->end->to_string();
  throw ExpectationFailed(text);
}

}  // namespace troupe::testkit::detail
