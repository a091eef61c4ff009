#include "file_lock.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cerrno>
#include <cstring>

#include <troupe/persistence/store.hpp>

namespace troupe::persistence::sqlite {

namespace {
std::string who_has(int file) {
  char text[32] = {};
  const ssize_t read = pread(file, text, sizeof(text) - 1, 0);
  return read > 0 ? "process " + std::string(text, static_cast<std::size_t>(read))
                  : "another process";
}
}  // namespace

FileLock::FileLock(const std::string& path)
    : file_(open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600)) {
  if (file_ < 0) throw StoreFailed(path + " can't be opened: " + std::strerror(errno));
  struct flock lock {};
  lock.l_type = F_WRLCK;
  if (fcntl(file_, F_OFD_SETLK, &lock) != 0) {
    const int error = errno;
    const std::string who = who_has(file_);
    close(file_);
    if (error != EAGAIN && error != EACCES)
      throw StoreFailed(path + " can't be locked: " + std::strerror(error));
    throw StoreFailed(who + " has the journal of " + path +
                      ": end it first, or take it over (take_over)");
  }
  const std::string own = std::to_string(getpid());
  if (ftruncate(file_, 0) != 0 || pwrite(file_, own.data(), own.size(), 0) < 0) {
    // only who is turned down would have read it
  }
}

FileLock::~FileLock() {
  close(file_);
}

}  // namespace troupe::persistence::sqlite
