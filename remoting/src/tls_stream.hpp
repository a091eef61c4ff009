// TLS 1.3 over a socket that does not block, by OpenSSL.
#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <troupe/remoting/tcp.hpp>

struct ssl_ctx_st;
struct ssl_st;

namespace troupe::remoting::detail {

/// What came of trying something on a stream that does not block.
struct StreamResult {
  enum class Kind : std::uint8_t { done, wants_read, wants_write, ended, failed, untrusted };
  Kind kind = Kind::done;
  std::size_t bytes = 0;
  std::string why;       ///< failed, untrusted
  bool by_peer = false;  ///< untrusted: it says so
};

/// A TCP socket as it is. Thread safety: one thread at a time.
class PlainStream {
 public:
  explicit PlainStream(int socket) noexcept : socket_(socket) {}
  static StreamResult handshake() { return {}; }
  StreamResult read(std::span<std::byte> into) const;
  StreamResult write(std::span<const std::byte> bytes) const;
  [[nodiscard]] static std::vector<std::string> peer_uris() { return {}; }

 private:
  int socket_;
};

/// The certificates, and what they are used for. Thread safety: any thread.
class TlsContext {
 public:
  /// Throws UsageError that names the file.
  explicit TlsContext(const TlsFiles& files);
  [[nodiscard]] ssl_ctx_st* get() const noexcept { return context_.get(); }

 private:
  std::shared_ptr<ssl_ctx_st> context_;
};

/// Thread safety: one thread at a time.
class TlsStream {
 public:
  TlsStream(const TlsContext& context, int socket, bool is_dialer);
  StreamResult handshake();
  StreamResult read(std::span<std::byte> into);
  StreamResult write(std::span<const std::byte> bytes);
  /// Of the peer's certificate, once the handshake is done.
  [[nodiscard]] std::vector<std::string> peer_uris() const;

 private:
  [[nodiscard]] StreamResult result_of(int code, const char* what) const;
  std::shared_ptr<ssl_st> ssl_;
};

}  // namespace troupe::remoting::detail
