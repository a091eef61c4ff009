// Probe: an actor that writes down what it gets, for a test to look at.
#pragma once

#include <deque>
#include <memory>
#include <mutex>
#include <string>
#include <variant>

#include <troupe/testkit/expectation.hpp>
#include <troupe/testkit/test_system.hpp>

namespace troupe::testkit {

namespace detail {

template <class... Ms>
struct ProbeItem {
  std::variant<Ms...> message;
  std::shared_ptr<void> reply;  ///< a ReplyTo of the message's reply
};

template <class... Ms>
struct ProbeLog {
  std::mutex mutex;
  std::deque<ProbeItem<Ms...>> items;
  void add(ProbeItem<Ms...> item) {
    std::lock_guard guard(mutex);
    items.push_back(std::move(item));
  }
  bool empty() {
    std::lock_guard guard(mutex);
    return items.empty();
  }
};

template <class Log, class M>
class ProbeHandler {
 public:
  explicit ProbeHandler(Log& log) : log_(&log) {}
  void receive(M&& m) requires(!Request<M>) { log_->add({std::move(m), nullptr}); }
  void receive(M&& m, ReplyTo<ReplyOf<M>> reply) requires Request<M> {
    log_->add({std::move(m), std::make_shared<ReplyTo<ReplyOf<M>>>(std::move(reply))});
  }

 private:
  Log* log_;
};

struct ProbeOrder {
  std::function<void()> run;
};

template <class List, class... Ms>
class ProbeActor;
template <class... Taken, class... Ms>
class ProbeActor<troupe::detail::TypeList<Taken...>, Ms...>
    : public Actor<Taken..., Private<ProbeOrder>>, public ProbeHandler<ProbeLog<Ms...>, Ms>... {
 public:
  explicit ProbeActor(std::shared_ptr<ProbeLog<Ms...>> log)
      : ProbeHandler<ProbeLog<Ms...>, Ms>(*log)..., log_(log) {}
  using ProbeHandler<ProbeLog<Ms...>, Ms>::receive...;
  void receive(const ProbeOrder& order) { order.run(); }
  void on_start() override {}
  [[nodiscard]] auto self_ref() const { return this->self(); }
  void do_watch(const Ref<>& who) { this->watch(who); }
  void do_unwatch(const Ref<>& who) { this->unwatch(who); }
  void do_link(const Ref<>& who) { this->link(who); }
  void do_unlink(const Ref<>& who) { this->unlink(who); }
  MonitorToken do_monitor(const Ref<>& who) { return this->monitor(who); }
  MonitorToken do_monitor(const Ref<>& who, EachIncarnation e) { return this->monitor(who, e); }
  void do_demonitor(MonitorToken token) { this->demonitor(token); }
  void do_exit(const Ref<>& who, ExitReason why) { this->exit(who, std::move(why)); }

 private:
  std::shared_ptr<ProbeLog<Ms...>> log_;
};

}  // namespace detail

/// An actor on the test's side. `Ms` are the messages (and signals) it takes. Failed expectations
/// throw ExpectationFailed with the seed. Thread safety: the test's thread only.
template <class... Ms>
class Probe {
  using TheActor = detail::ProbeActor<troupe::detail::NoSignals<Ms...>, Ms...>;

 public:
  explicit Probe(TestSystem& system, SpawnOptions options = {}) : system_(system) {
    options.trap_exit = (std::is_same_v<Ms, Exit> || ...);
    ref_ = make(options);
    system_.settle();
  }

  /// To send to, and to hand out.
  [[nodiscard]] auto ref() const { return Ref<TheActor>{ref_}; }

  /// Waits (virtual time) for the next message and returns it; it must be an M.
  template <class M>
  M expect(Duration limit = std::chrono::seconds(3)) {
    if (!system_.run_until([&] { return !log_->empty(); }, limit)) {
      fail("expected " + name<M>() + ", but nothing came");
    }
    std::lock_guard guard(log_->mutex);
    auto item = std::move(log_->items.front());
    log_->items.pop_front();
    M* message = std::get_if<M>(&item.message);
    if (message == nullptr) fail("expected " + name<M>() + ", but got " + name_of(item.message));
    reply_ = std::move(item.reply);
    return std::move(*message);
  }
  /// Answers the request that was expected last.
  template <class M>
  void reply(ReplyOf<M> value) requires(!std::is_void_v<ReplyOf<M>>) {
    open_request<M>()(std::move(value));
  }
  template <class M>
  void reply() requires std::is_void_v<ReplyOf<M>> {
    open_request<M>()();
  }
  /// The duty to answer the request that was expected last; to be ended before the probe.
  template <class M>
  ReplyTo<ReplyOf<M>> take_reply() {
    return open_request<M>();
  }
  /// Lets `d` (virtual time) pass, in which nothing may come. Costs no time.
  void expect_no_message(Duration d = std::chrono::seconds(1)) {
    if (system_.run_until([&] { return !log_->empty(); }, d)) {
      std::lock_guard guard(log_->mutex);
      fail("expected no message, but got " + name_of(log_->items.front().message));
    }
  }
  /// What has come and was not expected yet.
  [[nodiscard]] std::size_t waiting() {
    std::lock_guard guard(log_->mutex);
    return log_->items.size();
  }

  void watch(const Ref<>& who) {
    order([who](TheActor& a) { a.do_watch(who); });
  }
  void unwatch(const Ref<>& who) {
    order([who](TheActor& a) { a.do_unwatch(who); });
  }
  void link(const Ref<>& who) {
    order([who](TheActor& a) { a.do_link(who); });
  }
  void unlink(const Ref<>& who) {
    order([who](TheActor& a) { a.do_unlink(who); });
  }
  MonitorToken monitor(const Ref<>& who) {
    MonitorToken token;
    order([&](TheActor& a) { token = a.do_monitor(who); });
    return token;
  }
  MonitorToken monitor(const Ref<>& who, EachIncarnation e) {
    MonitorToken token;
    order([&](TheActor& a) { token = a.do_monitor(who, e); });
    return token;
  }
  void demonitor(MonitorToken token) {
    order([token](TheActor& a) { a.do_demonitor(token); });
  }
  void exit(const Ref<>& who, ExitReason why) {
    order([who, why](TheActor& a) { a.do_exit(who, why); });
  }
  /// Runs `f` on the probe's actor, so that what it tells comes from there (S2).
  void run_as_actor(std::function<void()> f) {
    order([f](TheActor&) { f(); });
  }

 private:
  template <class M>
  ReplyTo<ReplyOf<M>> open_request() {
    if (reply_ == nullptr) fail("there is no request to answer");
    const auto reply = std::exchange(reply_, nullptr);
    return std::move(*std::static_pointer_cast<ReplyTo<ReplyOf<M>>>(reply));
  }
  // The actor tells where its object is, so that orders can run on it.
  class Listening : public TheActor {
   public:
    Listening(std::shared_ptr<detail::ProbeLog<Ms...>> log, std::shared_ptr<TheActor*> where)
        : TheActor(std::move(log)) {
      *where = this;
    }
  };
  troupe::detail::Address make(const SpawnOptions& options) {
    return system_.template spawn<Listening>(options, log_, object_).address();
  }
  void order(std::function<void(TheActor&)> f) {
    bool done = false;
    TheActor* object = *object_;
    Ref<detail::ProbeOrder>{ref_}.tell(detail::ProbeOrder{[&, object] {
      f(*object);
      done = true;
    }});
    if (!system_.run_until([&] { return done; }, std::chrono::seconds(1)))
      fail("the probe has ended");
    system_.settle();
  }
  template <class M>
  static std::string name() {
    return std::string(troupe::detail::type_name<M>());
  }
  static std::string name_of(const std::variant<Ms...>& message) {
    return std::visit([]<class M>(const M&) { return name<M>(); }, message);
  }
  [[noreturn]] void fail(const std::string& what) const {
    throw ExpectationFailed(what + " (seed " + std::to_string(system_.seed()) + ")");
  }

  TestSystem& system_;
  std::shared_ptr<detail::ProbeLog<Ms...>> log_ = std::make_shared<detail::ProbeLog<Ms...>>();
  std::shared_ptr<TheActor*> object_ = std::make_shared<TheActor*>(nullptr);
  troupe::detail::Address ref_;
  std::shared_ptr<void> reply_;
};

}  // namespace troupe::testkit
