// A running node, looked at from a shell: what `troupe node` talks to.
#pragma once

#include <filesystem>
#include <memory>

#include <troupe/remoting/node.hpp>

namespace troupe::remoting {

/// Answers `troupe node ls|ping|ps|why|stop` on a Unix socket of mode 0600: its owner can see the
/// node's peers and actors, and stop actors. Ends before its node does. Runs on a thread of its
/// own. Thread safety: one thread at a time.
class AdminSocket {
 public:
  /// Makes the socket, in place of one that nobody listens at. Throws UsageError when the path is
  /// too long or is something else, and std::system_error.
  AdminSocket(System& system, Node& node, const std::filesystem::path& path);
  AdminSocket(const AdminSocket&) = delete;
  AdminSocket& operator=(const AdminSocket&) = delete;
  ~AdminSocket();

 private:
  class Server;
  std::unique_ptr<Server> server_;
};

}  // namespace troupe::remoting
