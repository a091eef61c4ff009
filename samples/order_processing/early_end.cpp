#include "early_end.hpp"

#include <array>
#include <cerrno>
#include <system_error>

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

namespace orders {

EarlyEnd::EarlyEnd() : event_(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK)) {
  if (event_ < 0) throw std::system_error(errno, std::generic_category(), "no eventfd");
}

EarlyEnd::~EarlyEnd() {
  close(event_);
}

void EarlyEnd::set(Why why) noexcept {
  const int error = errno;
  Why none = Why::none;
  why_.compare_exchange_strong(none, why);
  const std::uint64_t one = 1;
  [[maybe_unused]] const auto written = write(event_, &one, sizeof one);  // fails where it is set
  errno = error;
}

bool EarlyEnd::await_input(int file) const noexcept {
  std::array<pollfd, 2> waited{pollfd{file, POLLIN, 0}, pollfd{event_, POLLIN, 0}};
  while (!is_set()) {
    if (poll(waited.data(), waited.size(), -1) > 0 && waited[0].revents != 0) return !is_set();
  }
  return false;
}

}  // namespace orders
