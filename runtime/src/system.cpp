#include <troupe/runtime/system.hpp>

#include <csignal>
#include <cstdio>
#include <mutex>
#include <utility>
#include <vector>

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "system_core.hpp"

namespace troupe {

namespace detail {

bool takes_all(const Address& actor, const MessageType* const* types, std::size_t count) noexcept {
  const ActorType* type =
      actor.cell->type.load(std::memory_order_relaxed);  // a type lives for ever
  if (type == nullptr) return false;
  for (std::size_t i = 0; i < count; ++i) {
    bool found = false;
    for (std::uint32_t h = 0; h < type->handler_count && !found; ++h)
      found = same_type(type->handlers[h].type, types[i]);
    if (!found) return false;
  }
  return true;
}

}  // namespace detail

System::System() : System(SystemOptions{}) {}
System::System(SystemOptions options)
    : core_(std::make_shared<detail::SystemCore>(std::move(options))) {}

System::~System() {
  const ShutdownReport report = core_->shutdown("its System is destroyed");
  if (report.complete) return;
  // Threads that are stuck still use the core: it is left to them (S77, on_stuck = leak).
  static std::mutex lock;
  static auto* left_behind =
      new std::vector<std::shared_ptr<detail::SystemCore>>();  // never destroyed
  std::lock_guard guard(lock);
  left_behind->push_back(core_);
}

std::optional<detail::Address> System::find_address(std::string_view path) {
  return core_->names().find(path);
}

Ask<void> System::stop(const Ref<>& actor, Duration deadline) {
  return detail::stop_and_wait(actor.address(), deadline);
}
Sent System::poison(const Ref<>& actor) {
  return detail::poison_actor(actor.address());
}
void System::kill(const Ref<>& actor) {
  detail::kill_actor(actor.address());
}

ShutdownTask System::at_shutdown(std::string_view phase, std::string name,
                                 std::function<void(std::stop_token)> task) {
  return core_->shutdown_tasks().add(phase, std::move(name), std::move(task));
}
ShutdownReport System::shutdown(std::string why) {
  return core_->shutdown(std::move(why));
}
void System::begin_shutdown(std::string why) {
  core_->begin_shutdown(std::move(why), false);
}

namespace {

// A signal handler can reach nothing but globals: which System listens, and what came.
std::atomic<detail::SystemCore*> signal_listener{nullptr};
std::atomic<int> signal_event{-1};
std::atomic<int> first_signal{0};

void on_signal(int number) {
  int none = 0;
  first_signal.compare_exchange_strong(none, number);
  const std::uint64_t one = 1;
  if (write(signal_event.load(), &one, sizeof one) < 0) _exit(128 + number);
}

/// Turns SIGINT and SIGTERM into bytes while it lives.
class SignalTrap {
 public:
  explicit SignalTrap(detail::SystemCore& core) {
    detail::SystemCore* nobody = nullptr;
    if (!signal_listener.compare_exchange_strong(nobody, &core)) {
      throw UsageError("another System of this process is in run_until_signal already");
    }
    // Made once and never closed: a handler may be about to write to it on any thread.
    static const int event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    event_ = event;
    std::uint64_t old = 0;
    while (read(event_, &old, sizeof old) > 0) {
    }
    first_signal = 0;
    signal_event = event_;
    struct sigaction action {};
    action.sa_handler = &on_signal;
    sigaction(SIGINT, &action, &old_int_);
    sigaction(SIGTERM, &action, &old_term_);
  }
  SignalTrap(const SignalTrap&) = delete;
  SignalTrap& operator=(const SignalTrap&) = delete;
  ~SignalTrap() {
    sigaction(SIGINT, &old_int_, nullptr);
    sigaction(SIGTERM, &old_term_, nullptr);
    signal_listener = nullptr;
  }
  /// Sleeps until a signal comes (its number) or poke() was called (0).
  int wait() const {
    pollfd waiting{event_, POLLIN, 0};
    while (poll(&waiting, 1, -1) < 1) {
    }
    return first_signal;
  }
  void poke() const {
    const std::uint64_t one = 1;
    if (write(event_, &one, sizeof one) < 0) std::perror("troupe: eventfd");
  }

 private:
  int event_ = -1;
  struct sigaction old_int_ {};
  struct sigaction old_term_ {};
};

}  // namespace

int System::run_until_signal(const std::function<void()>& start) {
  SignalTrap trap(*core_);
  if (start) start();
  std::thread waiter([&] {
    core_->wait_for_shutdown();
    trap.poke();
  });
  const int signal = trap.wait();
  const ShutdownReport report =
      core_->shutdown(signal != 0 ? "signal " + std::to_string(signal) : "");
  waiter.join();
  if (!report.complete) {
    std::fprintf(stderr, "%s\n", report.to_string().c_str());
    return 3;
  }
  if (signal != 0) return 128 + signal;
  return core_->guardian_failed() ? 1 : 0;
}

std::string System::why(const Ref<>& actor) const {
  return detail::why(actor.address());
}
std::vector<ActorInfo> System::actors() const {
  return core_->list_actors();
}
std::string System::tree() const {
  return core_->print_tree();
}
Metrics System::metrics() const {
  return core_->metrics();
}
std::uint64_t System::actor_count() const {
  return core_->actor_count();
}
TimePoint System::now() const {
  return core_->now();
}
const SystemOptions& System::options() const noexcept {
  return core_->options();
}

}  // namespace troupe
