// EventSourced<State, Commands...>: an actor whose state is what its events add up to.
#pragma once

#include <exception>
#include <memory>
#include <span>
#include <tuple>
#include <utility>
#include <vector>

#include <troupe/persistence/event_table.hpp>
#include <troupe/persistence/journal.hpp>
#include <troupe/runtime/task.hpp>

namespace troupe {

/// What a handler returns that ends with persist_then: a Task, which keeps no stack while the
/// journal writes.
template <class R>
using Persisted = Task<R>;

/// An event could not be stored, and was not; nothing has changed. Uncaught it ends the request,
/// not the actor. Thread safety: as a plain value.
class PersistRejected : public AskFailed {
 public:
  explicit PersistRejected(std::string what)
      : AskFailed({AskErrorKind::refused, std::move(what)}) {}
};
/// Nobody knows whether an event was stored, or another activation of this id writes: this actor
/// ends, and the next incarnation reads what is there. Thread safety: as a plain value.
class JournalFailed : public std::runtime_error {
  using std::runtime_error::runtime_error;
};
/// The events of an actor could not be read. Thread safety: as a plain value.
class RecoveryFailed : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

namespace persistence::detail {

/// What does not depend on the state's type. Thread safety: on its actor.
class Entity {
 public:
  Entity(StreamId stream, SnapshotPolicy policy) : stream_(std::move(stream)), policy_(policy) {}
  Entity(const Entity&) = delete;
  Entity& operator=(const Entity&) = delete;
  virtual ~Entity() = default;

  /// Reads and applies all there is: the newest snapshot that can be used, and the events behind
  /// it. What is wrong with the others is for the log. Throws RecoveryFailed, UsageError,
  /// Cancelled.
  [[nodiscard]] std::vector<std::string> recover();
  /// Appends behind what there is, and waits. Throws PersistRejected, JournalFailed, Cancelled.
  void append(std::vector<EventData> events);
  /// The same in two parts.
  [[nodiscard]] Ask<AppendResult> begin_append(std::vector<EventData> events);
  void end_append(const Result<AppendResult, AskError>& result);

  [[nodiscard]] const StreamId& stream() const noexcept { return stream_; }
  [[nodiscard]] Version version() const noexcept { return version_; }
  /// Throws JournalFailed where it failed before: this incarnation may not go on.
  void check() const;
  /// What was stored is applied: it may be time for a snapshot.
  void applied() {
    if (is_time_for_snapshot()) take_snapshot();
  }

 protected:
  virtual void apply(const EventData& event) = 0;
  [[nodiscard]] virtual bool has_snapshots() const noexcept = 0;
  /// Throws codec::CodecError; empty where it did, else why it can't be used.
  [[nodiscard]] virtual std::string restore(const StoredSnapshot& snapshot) = 0;
  /// A copy of the state and how to encode it; without one where the last one still waits.
  [[nodiscard]] virtual TakeSnapshot copy() = 0;

 private:
  [[noreturn]] void fail(const std::string& why);
  void read_snapshot(Version head, std::vector<std::string>& doubts);
  [[nodiscard]] std::string why_doubtful(const StoredSnapshot& snapshot, Version head);
  void read_to(Version head, const std::vector<std::string>& doubts);
  void read(const StoredEvent& event, const std::vector<std::string>& doubts);
  [[noreturn]] void fail_for_deleted(Version first, const std::vector<std::string>& doubts);
  void note_size(const EventData& event) noexcept;
  [[nodiscard]] bool is_time_for_snapshot() const noexcept;
  void take_snapshot();

  const StreamId stream_;
  const SnapshotPolicy policy_;
  Version snapshot_version_ = 0;
  std::uint64_t bytes_since_snapshot_ = 0;
  const Journal* journal_ = nullptr;
  Version version_ = 0;
  bool is_persisting_ = false;
  std::string failed_;
};

/// Encodes events. Throws PersistRejected where one can't be encoded.
template <class Encode>
std::vector<EventData> encoded(const Encode& encode_all) {
  try {
    return encode_all();
  } catch (const codec::CodecError& e) {
    throw PersistRejected(e.what());
  }
}

/// The state and its events. Thread safety: on its actor.
template <class State>
class EntityOf final : public Entity {
 public:
  using Entity::Entity;
  using Any = typename State::Events::Any;

  [[nodiscard]] const State& state() const {
    check();
    return state_;
  }

  template <class... Es>
  void persist(const Es&... events) {
    std::vector<EventData> data =
        encoded([&] { return std::vector{encode_for<State>(events)...}; });
    store<(applies_safely<State, Es> && ...)>(std::move(data),
                                              [&](State& s) { (s.apply(events), ...); });
  }
  void persist(const std::vector<Any>& events) {
    if (events.empty()) return;
    std::vector<EventData> data = encode_all(events);
    store<false>(std::move(data), [&](State& s) { apply_all(s, events); });
  }
  template <class E, class F, class R = std::invoke_result_t<F&>>
  Task<R> persist_then(E event, F then) {
    std::vector<EventData> data = encoded([&] { return std::vector{encode_for<State>(event)}; });
    if constexpr (applies_safely<State, E>) {
      Ask<AppendResult> ask = begin_append(std::move(data));
      end_append(co_await as_result(std::move(ask)));
      state_.apply(event);
      applied();
    } else {
      State next = state();
      next.apply(event);  // what it throws is thrown before anything is stored
      Ask<AppendResult> ask = begin_append(std::move(data));
      end_append(co_await as_result(std::move(ask)));
      state_ = std::move(next);
      applied();
    }
    co_return then();
  }
  template <class F, class R = std::invoke_result_t<F&>>
  Task<R> persist_all_then(std::vector<Any> events, F then) {
    if (!events.empty()) {
      std::vector<EventData> data = encode_all(events);
      State next = state();
      apply_all(next, events);
      Ask<AppendResult> ask = begin_append(std::move(data));
      end_append(co_await as_result(std::move(ask)));
      state_ = std::move(next);
      applied();
    }
    co_return then();
  }

 private:
  static std::vector<EventData> encode_all(const std::vector<Any>& events) {
    return encoded([&] {
      std::vector<EventData> data;
      for (const Any& any : events)
        data.push_back(std::visit([](const auto& e) { return encode_for<State>(e); }, any));
      return data;
    });
  }
  static void apply_all(State& state, const std::vector<Any>& events) {
    for (const Any& any : events) std::visit([&](const auto& e) { state.apply(e); }, any);
  }
  void apply(const EventData& event) override { apply_stored(state_, event); }
  [[nodiscard]] bool has_snapshots() const noexcept override {
    return detail::has_snapshots<State>;
  }
  [[nodiscard]] std::string restore([[maybe_unused]] const StoredSnapshot& snapshot) override {
    if constexpr (detail::has_snapshots<State>) {
      using Snapshot = typename State::Snapshot;
      if (snapshot.type != Snapshot::troupe_schema) return "it is a " + snapshot.type_name;
      if (snapshot.fingerprint != fingerprint_of<State>())
        return "it was written by a release whose state had another schema or fold_version";
      detail::restore(state_, codec::decode<Snapshot>(snapshot.data));
    }
    return {};
  }
  [[nodiscard]] TakeSnapshot copy() override {
    if constexpr (detail::has_snapshots<State>) {
      if (last_copy_.expired()) {
        using Snapshot = typename State::Snapshot;
        const auto copied = std::make_shared<const Snapshot>(snapshot_of(state_));
        last_copy_ = copied;
        return {{stream(),
                 version(),
                 Snapshot::troupe_schema,
                 fingerprint_of<State>(),
                 Snapshot::troupe_codec.name,
                 {},
                 {}},
                [copied] { return codec::encode(*copied); },
                {}};
      }
    }
    return {};
  }
  /// An event that can't be applied is not stored: so it is applied to a copy first, unless it
  /// can't throw. The copy is the state once the events are durable.
  template <bool IsSafe, class Apply>
  void store(std::vector<EventData> data, const Apply& apply_to) {
    if constexpr (IsSafe) {
      append(std::move(data));
      apply_to(state_);
      applied();
    } else {
      State next = state();
      apply_to(next);
      append(std::move(data));
      state_ = std::move(next);
      applied();
    }
  }

  State state_{};
  std::weak_ptr<const void> last_copy_;  ///< until it is encoded
};

template <class State>
concept ListsEvents = requires {
  typename State::Events::Any;
};
}  // namespace persistence::detail

/// Base of event-sourced actors: `class BankAccount : public EventSourced<AccountState, Deposit,
/// Withdraw>`. Its state changes by events only, which its handlers `persist`; a new incarnation
/// reads them again. It needs the System's Journal. While an event is stored no other command is
/// handled (S115); commands that come before the events are read wait in the mailbox. The class has
/// a `receive` for each command, and may not be reentrant: of two
/// persists at once the second throws UsageError. Thread safety: as ActorBase.
template <class State, class... Commands>
class EventSourced : public Actor<Commands...> {
  static_assert(persistence::detail::ListsEvents<State>,
                "the state of an event-sourced actor lists its events: "
                "using Events = troupe::Events<...>;");

 public:
  using troupe_state = State;
  using AnyEvent = typename State::Events::Any;

  [[nodiscard]] const persistence::StreamId& stream() const noexcept { return entity_.stream(); }

  /// Reads the events, and calls on_recovered.
  void on_start() final {
    for (const std::string& doubt : entity_.recover()) this->log().warning(doubt);
    on_recovered();
  }

 protected:
  /// Throws UsageError unless it names a stream.
  template <class Why = typename persistence::detail::WhyNotEvents<State>::type>
  requires std::is_void_v<Why>
  explicit EventSourced(persistence::StreamId stream) : entity_(std::move(stream), {}) {
    persistence::check_stream(entity_.stream());
  }
  /// With snapshots: the state has a `Snapshot`, a struct of a schema, which it derives from with
  /// no members more, or which `State::snapshot()` makes and `State(const Snapshot&)` is made of.
  /// Where State has a `static constexpr std::uint32_t fold_version`, snapshots of another one are
  /// not used.
  template <class Why = typename persistence::detail::WhyNotEvents<State>::type,
            class WhyNoSnapshot = decltype(persistence::detail::why_no_snapshot<State>())>
  requires(std::is_void_v<Why>&& std::is_void_v<WhyNoSnapshot>)
      EventSourced(persistence::StreamId stream, SnapshotPolicy policy)
      : entity_(std::move(stream), policy) {
    persistence::check_stream(entity_.stream());
  }
  template <class Why = decltype(persistence::detail::why_no_snapshot<State>())>
  requires(!std::is_void_v<Why>) EventSourced(persistence::StreamId stream, SnapshotPolicy policy)
  = delete;
  template <class Why = typename persistence::detail::WhyNotEvents<State>::type>
  requires(!std::is_void_v<Why>) explicit EventSourced(persistence::StreamId stream) = delete;

  /// The first thing of each incarnation, once all events have been applied, also when there are
  /// none (S119). May await, and persist.
  virtual void on_recovered() {}

  /// What the events add up to. Throws JournalFailed in an incarnation whose journal failed.
  [[nodiscard]] const State& state() const { return entity_.state(); }
  /// How many events that are.
  [[nodiscard]] persistence::Version version() const noexcept { return entity_.version(); }
  /// Stores events, all or none, and applies them; returns when they are durable and applied. An
  /// event that `apply` throws for is not stored. Throws what apply throws, PersistRejected
  /// (nothing was stored), JournalFailed, Cancelled, and UsageError where this actor persists
  /// already.
  template <class... Es, class Why = typename persistence::detail::FirstReason<State, Es...>::type>
  requires(sizeof...(Es) > 0 && std::is_void_v<Why>) void persist(const Es&... events) {
    entity_.persist(events...);
  }
  template <class... Es, class Why = typename persistence::detail::FirstReason<State, Es...>::type>
  requires(sizeof...(Es) > 0 && !std::is_void_v<Why>) void persist(const Es&... events) = delete;
  /// The same with events that are chosen at run time. None: nothing is stored.
  void persist(const std::vector<AnyEvent>& events) { entity_.persist(events); }

  /// As the last act of a handler: `return persist_then(event, [this] { return reply; });`. Stores
  /// and applies the event, and then answers with what `then` returns. Keeps no stack meanwhile.
  /// Throws nothing: what persist would throw is the Task's.
  template <class E, class F,
            class Why = decltype(persistence::detail::why_not_persist<State, E>())>
  requires std::is_void_v<Why> Persisted<std::invoke_result_t<F&>> persist_then(E event, F then) {
    return entity_.persist_then(std::move(event), std::move(then));
  }
  template <class E, class F,
            class Why = decltype(persistence::detail::why_not_persist<State, E>())>
  requires(!std::is_void_v<Why>) Persisted<std::invoke_result_t<F&>> persist_then(E event, F then)
  = delete;
  template <class F>
  Persisted<std::invoke_result_t<F&>> persist_then(std::vector<AnyEvent> events, F then) {
    return entity_.persist_all_then(std::move(events), std::move(then));
  }

 private:
  persistence::detail::EntityOf<State> entity_;
};

}  // namespace troupe
