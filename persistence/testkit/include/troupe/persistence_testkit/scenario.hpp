// Scenario<T>: what an event-sourced actor stores and replies, command by command.
#pragma once

#include <functional>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <troupe/persistence/event_sourced.hpp>
#include <troupe/persistence/memory_store.hpp>
#include <troupe/testkit/expectation.hpp>
#include <troupe/testkit/test_system.hpp>

namespace troupe::testkit {

namespace detail {

/// What does not depend on the actor's class. Thread safety: the test's thread only.
class ScenarioBase {
 public:
  ScenarioBase(const ScenarioBase&) = delete;
  ScenarioBase& operator=(const ScenarioBase&) = delete;

  /// Throws unless the last command stored exactly these events.
  void expect_stored(const std::vector<persistence::EventData>& wanted);

 protected:
  explicit ScenarioBase(persistence::StreamId stream);
  void store(std::vector<persistence::EventData> events);
  /// What is stored from here on is the next command's.
  void begin_command();

  TestSystem system_{1};

 private:
  [[nodiscard]] std::vector<persistence::StoredEvent> stored_after(persistence::Version version);

  const persistence::StreamId stream_;
  const persistence::Journal journal_;
  persistence::Version before_ = 0;
};

}  // namespace detail

/// Tells the story of one event-sourced actor: what has happened before, a command, and what comes
/// of it. It runs the real thing, on a journal in memory and virtual time. Failed expectations
/// throw ExpectationFailed. Thread safety: the test's thread only.
template <class T>
class Scenario : public detail::ScenarioBase {
 public:
  /// What came of a command whose reply is an R.
  template <class R>
  class Outcome {
   public:
    Outcome(Scenario& scenario, Result<R, AskError> result)
        : scenario_(scenario), result_(std::move(result)) {}

    /// Exactly these events, in this order.
    template <class... Es>
    Outcome& stores(const Es&... events) {
      scenario_.expect_stored({Scenario::encoded(events)...});
      return *this;
    }
    Outcome& stores_nothing() { return stores(); }
    template <class V>
    requires(!std::is_void_v<R>) Outcome& replies(const V& wanted) {
      expect(result_.has_value(), "there is no reply: " + why());
      expect(*result_ == wanted, "the reply is another one");
      return *this;
    }
    /// Turned down with a text that has `text` in it; nothing stored.
    Outcome& refuses(const std::string& text) {
      expect(!result_ && result_.error().kind == AskErrorKind::refused,
             "it was not refused, but " + why());
      expect(result_.error().what.find(text) != std::string::npos,
             "it was refused for another reason: " + result_.error().what);
      return stores_nothing();
    }
    /// Without a reply for this reason.
    Outcome& fails(AskErrorKind kind) {
      expect(!result_ && result_.error().kind == kind, "it did not fail so, but " + why());
      return *this;
    }
    /// The next command.
    template <class M>
    auto when(M command) {
      return scenario_.when(std::move(command));
    }

   private:
    static void expect(bool met, const std::string& text) {
      if (!met) throw ExpectationFailed(text);
    }
    /// In words.
    [[nodiscard]] std::string why() const {
      if (result_) return "there was a reply";
      return std::string(to_string(result_.error().kind)) + ": " + result_.error().what;
    }
    Scenario& scenario_;
    Result<R, AskError> result_;
  };

  /// Of an actor that is constructed with these arguments.
  template <class... Args>
  explicit Scenario(Args... args)
      : ScenarioBase(T(args...).stream()),
        spawn_([args = std::tuple<Args...>(args...)](TestSystem& system) {
          return std::apply([&](const auto&... a) { return system.spawn<T>(a...); }, args);
        }) {}

  /// What was stored before the actor is started.
  template <class... Es>
  Scenario& given(const Es&... events) {
    store({Scenario::encoded(events)...});
    return *this;
  }
  /// Gives it a command: asks it where that has a reply, and else tells it.
  template <class M>
  auto when(M command) {
    if (!ref_) ref_ = spawn_(system_);
    begin_command();
    using R = ReplyOf<M>;
    if constexpr (Request<M>) {
      auto ask = ref_.ask(std::move(command), std::chrono::minutes(1));
      return Outcome<R>{*this, ask.try_await()};
    } else {
      ref_.tell(std::move(command));
      system_.settle();
      return Outcome<void>{*this, Result<void, AskError>{}};
    }
  }

 private:
  template <class E>
  static persistence::EventData encoded(const E& event) {
    return persistence::detail::encode_for<typename T::troupe_state>(event);
  }
  std::function<Ref<T>(TestSystem&)> spawn_;
  Ref<T> ref_;
};

}  // namespace troupe::testkit
