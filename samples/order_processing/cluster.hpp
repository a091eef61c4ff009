// How a process of the sample takes part in a cluster.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include <troupe/remoting/admin.hpp>
#include <troupe/remoting/node.hpp>

namespace orders {

struct ClusterOptions {
  std::string cluster = "orders";
  std::string name;
  std::string listen = "127.0.0.1:0";
  std::string advertise;           ///< what others dial, where that is not `listen`
  std::filesystem::path tls;       ///< a folder that `troupe cert` made; empty: the key file
  std::filesystem::path key_file;  ///< what the nodes of one machine have in common
  std::filesystem::path admin;     ///< a socket for `troupe node`; empty: none
};

/// A node, and its socket for `troupe node`. Ends before its System does.
/// Thread safety: construction and destruction by one thread.
class ClusterNode {
 public:
  /// With `makes_processors` others may have processors made here. Throws troupe::UsageError and
  /// std::system_error.
  ClusterNode(troupe::System& system, const ClusterOptions& options, bool makes_processors);
  ClusterNode(const ClusterNode&) = delete;
  ClusterNode& operator=(const ClusterNode&) = delete;

  [[nodiscard]] troupe::remoting::Node& node() noexcept { return node_; }

 private:
  troupe::remoting::Node node_;
  std::optional<troupe::remoting::AdminSocket> admin_;
};

/// Warnings to standard error, but for crashes that were injected: the summary counts them.
std::shared_ptr<troupe::Log> warnings();

/// A node that makes processors for coordinators, until SIGINT or SIGTERM. Returns the exit code.
/// Throws what ClusterNode does.
int run_node(const ClusterOptions& options);

}  // namespace orders
