// The network of the operating system.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include <troupe/remoting/transport.hpp>

namespace troupe::remoting {

/// What proves who a node is: PEM files. The certificate's subject alternative names hold the URI
/// `troupe://<cluster>/<node>`, and it is for servers and for clients.
struct TlsFiles {
  std::filesystem::path authority;    ///< of all nodes: their certificates are checked against it
  std::filesystem::path certificate;  ///< this node's, and those between it and the authority's
  std::filesystem::path key;          ///< this node's; readable by its owner only
  /// Those that `troupe cert` made there for this node.
  [[nodiscard]] static TlsFiles in(const std::filesystem::path& directory,
                                   const std::string& node) {
    return {directory / "authority.pem", directory / (node + ".pem"), directory / (node + ".key")};
  }
};

struct TcpOptions {
  std::optional<TlsFiles> tls = {};  ///< without: on loopback addresses only
  /// The loop looks so long for more before it sleeps, while it lets other threads go first. An
  /// answer then waits for fewer threads to be woken, and a node with nothing to do is as idle as
  /// with 0.
  Duration stays_awake = std::chrono::microseconds(50);
};

/// TCP, or with certificates TLS 1.3 that both sides prove themselves in. Runs on a thread of its
/// own. Thread safety: as Transport says.
class TcpTransport : public Transport {
 public:
  /// Throws UsageError that says which file of the certificates is wrong, and how.
  [[nodiscard]] static std::unique_ptr<TcpTransport> create(TcpOptions options = {});
  /// Reads the certificates again, for connections that begin from here on. Throws UsageError, and
  /// goes on with the old ones then. Any thread.
  virtual void reload_certificates() = 0;
};

}  // namespace troupe::remoting
