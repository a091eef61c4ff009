// Harness<T>: one actor alone, and what its handlers did.
#pragma once

#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <troupe/testkit/expectation.hpp>
#include <troupe/testkit/test_system.hpp>
#include <troupe/testkit/unavailable.hpp>

namespace troupe::testkit {

/// A timer of the actor under test.
struct TimerSeen {
  Duration due_in{};
  std::optional<Duration> period;  ///< none: it fires once
};
/// A message sent with `tell_after`.
template <class M>
struct ToldLater {
  M message;
  Duration delay{};
};

namespace detail {

/// What does not depend on the actor's class.
class HarnessBase {
 public:
  HarnessBase(const HarnessBase&) = delete;
  HarnessBase& operator=(const HarnessBase&) = delete;

  /// The System everything runs in: to advance time, to stop a stand-in, to look inside.
  [[nodiscard]] TestSystem& system() noexcept { return system_; }
  /// Lets time pass: timers that are due fire, asks time out.
  void advance(Duration d) { system_.advance(d); }
  /// Why the actor has ended; none: it lives.
  [[nodiscard]] std::optional<ExitReason> ended() const;
  /// Throws unless everything the actor told, asked and spawned was taken from the harness.
  void expect_nothing_else() const;

 protected:
  enum class Kind : unsigned char { told, asked, told_later };
  struct Effect {
    Kind kind{};
    Ref<> to;
    troupe::detail::Envelope* envelope = nullptr;
    Duration delay{};
  };
  class Eyes;

  HarnessBase(std::uint64_t seed, SystemOptions options);
  ~HarnessBase();
  void watch_over(const troupe::detail::Address& subject);
  /// The first effect of this kind, type and (unless empty) receiver.
  Effect take(Kind kind, const troupe::detail::MessageType& type, const Ref<>& to);
  static void done_with(const Effect& effect) noexcept;
  [[nodiscard]] troupe::detail::Address take_child(const troupe::detail::ActorType& type,
                                                   std::string_view name);
  [[nodiscard]] std::optional<TimerSeen> timer(const troupe::detail::MessageType& type,
                                               const TimerKey& key) const;
  [[noreturn]] void fail(const std::string& what) const;

  std::shared_ptr<Eyes> eyes_;
  TestSystem system_;
};

template <class Public, class Private>
struct RefToOwn;
template <class... As, class... Bs>
struct RefToOwn<troupe::detail::TypeList<As...>, troupe::detail::TypeList<Bs...>> {
  using type = Ref<As..., Bs...>;
};

}  // namespace detail

/// Runs the handlers of one actor and of nobody it sends to: what it tells and asks is kept, and
/// taken from the harness by the test, which also gives the answers. Children it spawns are
/// constructed and started, and get no mail from it. Failed expectations throw ExpectationFailed.
/// Thread safety: the test's thread only.
template <class T>
class Harness : public detail::HarnessBase {
  using Own = typename detail::RefToOwn<typename T::troupe_public_messages,
                                        typename T::troupe_private_messages>::type;

 public:
  explicit Harness(std::uint64_t seed = 1, SystemOptions options = {})
      : HarnessBase(seed, std::move(options)) {}

  /// A ref of P to give to the actor: what it sends there is kept by the harness.
  template <class P>
  Ref<P> stand_in(std::string name = {}) {
    return system_.spawn<Unavailable<P>>({.name = std::move(name)});
  }
  /// Constructs the actor and runs its on_start, up to its end or its first wait.
  template <class... Args>
  Ref<T> start(Args&&... args) {
    return start_as({}, std::forward<Args>(args)...);
  }
  template <class... Args>
  Ref<T> start_as(const SpawnOptions& options, Args&&... args) {
    self_ = system_.spawn<T>(options, std::forward<Args>(args)...);
    watch_over(self_.address());
    system_.settle();
    return self_;
  }
  [[nodiscard]] Ref<T> ref() const noexcept { return self_; }

  /// Sends m, which may be one of its private messages, and runs the handler, up to its end or its
  /// first wait.
  template <class M>
  Sent tell(M&& m) {
    const Sent sent = Own{self_.address()}.tell(std::forward<M>(m));
    system_.settle();
    return sent;
  }
  /// The same with a request. Awaiting the answer lets time pass until it is there.
  template <class M>
  AskFor<M> ask(M&& m, Duration timeout = default_timeout) {
    auto answer = Own{self_.address()}.ask(std::forward<M>(m), timeout);
    system_.settle();
    return answer;
  }

  /// Takes the first M it told (to `to`, unless that is empty) that was not taken yet.
  template <class M>
  M told(const Ref<>& to = {}) {
    return moved_from<M>(take(Kind::told, troupe::detail::message_type<M>, to));
  }
  /// The same for a message sent with tell_after. It is not delivered.
  template <class M>
  ToldLater<M> told_later(const Ref<>& to = {}) {
    const Effect effect = take(Kind::told_later, troupe::detail::message_type<M>, to);
    return {moved_from<M>(effect), effect.delay};
  }
  /// The same for a request it asked or forwarded. `reply` and `refuse` answer it; taking the next
  /// request of this type gives it up, and the asker gets `no_reply`.
  template <class M>
  M asked(const Ref<>& to = {}) {
    const Effect effect = take(Kind::asked, troupe::detail::message_type<M>, to);
    auto& request = static_cast<troupe::detail::RequestEnvelope&>(*effect.envelope);
    reply_to_ = std::make_shared<ReplyTo<ReplyOf<M>>>(std::exchange(request.port, {}));
    reply_type_ = &troupe::detail::message_type<M>;
    return moved_from<M>(effect);
  }
  /// Answers the request taken last, and runs the actor.
  template <class M>
  void reply(ReplyOf<M> value) requires(!std::is_void_v<ReplyOf<M>>) {
    open_request<M>()(std::move(value));
    system_.settle();
  }
  template <class M>
  void reply() requires std::is_void_v<ReplyOf<M>> {
    open_request<M>()();
    system_.settle();
  }
  template <class M>
  void refuse(std::string_view why) {
    open_request<M>().refuse(why);
    system_.settle();
  }

  /// Takes the first child of class C (and this name, unless it is empty) that it spawned.
  template <class C>
  Ref<C> spawned(std::string_view name = {}) {
    return Ref<C>{take_child(troupe::detail::actor_type<C>, name)};
  }
  /// The timer of this key, which sends an M; none: it does not run.
  template <class M>
  [[nodiscard]] std::optional<TimerSeen> timed(const TimerKey& key) const {
    return timer(troupe::detail::message_type<M>, key);
  }

 private:
  template <class M>
  static M moved_from(const Effect& effect) {
    struct Done {
      const Effect& effect;
      ~Done() { done_with(effect); }
    } done{effect};
    return std::move(troupe::detail::payload_as<M>(*effect.envelope));
  }
  template <class M>
  ReplyTo<ReplyOf<M>>& open_request() {
    if (reply_to_ == nullptr || reply_type_ != &troupe::detail::message_type<M>)
      fail("no request of this type was taken last; take it with asked<M>() first");
    return *std::static_pointer_cast<ReplyTo<ReplyOf<M>>>(reply_to_);
  }

  Ref<T> self_;
  std::shared_ptr<void> reply_to_;
  const troupe::detail::MessageType* reply_type_ = nullptr;
};

}  // namespace troupe::testkit
