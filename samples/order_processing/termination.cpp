#include "termination.hpp"

#include <csignal>
#include <utility>

namespace orders {

namespace {

sigset_t termination() {
  sigset_t signals;
  sigemptyset(&signals);
  sigaddset(&signals, SIGTERM);
  return signals;
}

}  // namespace

void block_termination() {
  const sigset_t signals = termination();
  pthread_sigmask(SIG_BLOCK, &signals, nullptr);
}

OnTermination::OnTermination(std::function<void()> f)
    : thread_([this, f = std::move(f)] {
        const sigset_t signals = termination();
        int signal = 0;
        sigwait(&signals, &signal);
        if (!is_over_) f();
      }) {}

OnTermination::~OnTermination() {
  is_over_ = true;
  pthread_kill(thread_.native_handle(), SIGTERM);  // it waits for that
  thread_.join();
}

}  // namespace orders
