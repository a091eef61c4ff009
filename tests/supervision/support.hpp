// A scripted child and a supervisor of such children.
#pragma once

#include <atomic>
#include <map>
#include <set>

#include <catch2/catch.hpp>
#include <troupe/runtime/runtime.hpp>
#include <troupe/supervision/supervision.hpp>

#include "support/schedules.hpp"

namespace troupe::test {

/// What children do and tell, shared by all incarnations.
struct Script {
  std::mutex mutex;
  std::vector<std::string> log;
  std::map<std::string, int> failing_starts;  ///< how many further starts of an id fail
  std::map<std::string, int> starts;
  void add(std::string text) {
    std::lock_guard guard(mutex);
    log.push_back(std::move(text));
  }
  std::vector<std::string> take() {
    std::lock_guard guard(mutex);
    return std::exchange(log, {});
  }
  int starts_of(const std::string& id) {
    std::lock_guard guard(mutex);
    return starts[id];
  }
};
using ScriptPtr = std::shared_ptr<Script>;

struct Fail {
  std::string what = "boom";
};
struct FailOther {};
struct End {
  ExitReason why;
};
struct Ping {
  using Reply = int;
};
struct Never {
  using Reply = int;
};
struct Stall {};

struct OtherFailure : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Answers nothing, for as long as it lives.
class Silent : public Actor<Never> {
 public:
  void receive(const Never&, ReplyTo<int> reply) { kept_.push_back(std::move(reply)); }

 private:
  std::vector<ReplyTo<int>> kept_;
};

class Child : public Actor<Fail, FailOther, End, Ping, Stall> {
 public:
  Child(ScriptPtr script, std::string id) : script_(std::move(script)), id_(std::move(id)) {}
  void on_start() override {
    {
      std::lock_guard guard(script_->mutex);
      ++script_->starts[id_];
      int& failing = script_->failing_starts[id_];
      if (failing > 0) {
        --failing;
        throw std::runtime_error(id_ + " can't start");
      }
    }
    script_->add("start " + id_);
  }
  void on_stop(StopReason) override { script_->add("stop " + id_); }
  void receive(const Fail& m) { throw std::runtime_error(m.what); }
  void receive(const FailOther&) { throw OtherFailure("other"); }
  void receive(const End& m) { stop(m.why); }
  int receive(const Ping&) { return ++pings_; }
  void receive(const Stall&) {
    static_cast<void>(spawn<Silent>().ask(Never{}, no_timeout).try_await());
  }

 private:
  ScriptPtr script_;
  std::string id_;
  int pings_ = 0;
};

struct StartWith {
  ChildSpec spec;
};
struct FindChild {
  std::string id;
  using Reply = Ref<Child>;
};

/// Starts the children it is given, in order.
class TestSupervisor : public Supervisor<StartWith, FindChild> {
 public:
  TestSupervisor(SupervisorOptions options, ScriptPtr script, std::vector<ChildSpec> specs)
      : Supervisor(std::move(options)), script_(std::move(script)), specs_(std::move(specs)) {}
  void on_start() override {
    script_->add("supervisor starts");
    for (const ChildSpec& spec : specs_)
      refs_[spec.id] = start_child<Child>(spec, script_, spec.id);
  }
  void receive(const StartWith& m) {
    refs_[m.spec.id] = start_child<Child>(m.spec, script_, m.spec.id);
  }
  Ref<Child> receive(const FindChild& m) { return refs_[m.id]; }

 private:
  ScriptPtr script_;
  std::vector<ChildSpec> specs_;
  std::map<std::string, Ref<Child>> refs_;
};

inline std::vector<ChildSpec> three(Restart restart = Restart::permanent) {
  return {{.id = "a", .restart = restart},
          {.id = "b", .restart = restart},
          {.id = "c", .restart = restart}};
}

/// A supervisor with scripted children, at rest.
struct Fixture {
  explicit Fixture(testkit::TestSystem& s, SupervisorOptions options = {},
                   std::vector<ChildSpec> specs = three())
      : system(s) {
    supervisor = system.spawn<TestSupervisor>({.guardian = Guardian::no}, std::move(options),
                                              script, std::move(specs));
    system.settle();
  }
  Ref<Child> child(const std::string& id) { return supervisor.ask(FindChild{id}).await(); }
  /// Starts a further child from outside.
  auto start(ChildSpec spec) {
    const std::string id = spec.id;
    return start_child(supervisor, std::move(spec), factory<Child>(script, id)).await();
  }
  std::vector<std::string> take() {
    system.settle();
    return script->take();
  }
  testkit::TestSystem& system;
  ScriptPtr script = std::make_shared<Script>();
  Ref<TestSupervisor> supervisor;
};

}  // namespace troupe::test
