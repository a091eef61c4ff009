// The seam between the protocol and who carries its bytes (DESIGN.md D6).
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <troupe/runtime/clock.hpp>

namespace troupe::remoting {

/// What happens on a wire.
/// Thread safety: called on its transport's loop, one at a time; none after `lost` or `untrusted`,
/// nor after Wire::close.
class WireUser {
 public:
  WireUser() = default;
  WireUser(const WireUser&) = delete;
  WireUser& operator=(const WireUser&) = delete;
  virtual ~WireUser() = default;
  /// Both ends are there. `uris`: what TLS has proven of the other one: the URIs of its
  /// certificate.
  virtual void opened(const std::vector<std::string>& uris) = 0;
  /// Where the next bytes go; never empty.
  [[nodiscard]] virtual std::span<std::byte> space() = 0;
  /// So many came there.
  virtual void received(std::size_t bytes) = 0;
  /// What was sent is gone; more may follow.
  virtual void sent() = 0;
  virtual void lost(const std::string& why) = 0;
  /// As `lost`: TLS has not proven who is there, or `by_peer`: not to the other end who is here.
  virtual void untrusted(const std::string& why, bool by_peer) = 0;
};

/// One stream of bytes between two nodes.
/// Thread safety: on its transport's loop.
class Wire {
 public:
  Wire() = default;
  Wire(const Wire&) = delete;
  Wire& operator=(const Wire&) = delete;
  virtual ~Wire() = default;
  /// Opens it, and tells the user what happens, from later on.
  virtual void start(WireUser& user) = 0;
  /// Sends these; they live until WireUser::sent is called, and none others are given before.
  virtual void send(std::span<const std::uint64_t> words) = 0;
  /// Has WireUser::sent called after about so long, in place of a send.
  virtual void rest(Duration time) = 0;
  /// Nothing is received any more. What was given to send before may still go.
  virtual void close() = 0;
  /// Where its other end is, for logs.
  [[nodiscard]] virtual std::string other_end() const = 0;
};

/// Carries the bytes of one node, and is its loop: runs what belongs to its connections, one thing
/// at a time, on no worker of a System. Thread safety: `post` by any thread, `listen`, `start` and
/// `stop` by the one that made it, the rest on the loop.
class Transport {
 public:
  Transport() = default;
  Transport(const Transport&) = delete;
  Transport& operator=(const Transport&) = delete;
  virtual ~Transport() = default;

  /// Binds this address ("127.0.0.1:0": any port), and returns the one it came to be. Throws
  /// std::system_error when it is taken, and UsageError when it makes no sense.
  virtual std::string listen(const std::string& address) = 0;
  /// Begins. `accepted` takes connections, and `woken` is called when a time given to wake_at has
  /// come.
  virtual void start(std::function<void(std::unique_ptr<Wire>)> accepted,
                     std::function<void()> woken) = 0;
  /// Ends the loop; nothing is called once it returns, and the wires are closed.
  virtual void stop() = 0;
  /// Has the loop call f. False: it is stopped, and does not.
  virtual bool post(std::function<void()> f) = 0;
  /// A wire to that address, yet to be started. Never fails: it is lost then.
  [[nodiscard]] virtual std::unique_ptr<Wire> dial(const std::string& address) = 0;
  /// In place of what was given before.
  virtual void wake_at(TimePoint time) = 0;
  [[nodiscard]] virtual TimePoint now() const = 0;
  /// Names one start of a node; larger than that of any earlier start.
  [[nodiscard]] virtual std::uint64_t new_incarnation() = 0;
};

}  // namespace troupe::remoting
