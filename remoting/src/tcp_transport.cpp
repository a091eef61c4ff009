// Sockets on a thread of their own.
//
// Design. A session waits until its socket is ready, and then reads straight into where frames are
// decoded, and writes straight from where they were put together: no operation is under way that
// could touch memory whose user is gone. Sessions belong to the operations that wait for them; who
// closes his wire hears nothing more.
#include <csignal>
#include <ctime>
#include <deque>
#include <mutex>
#include <system_error>
#include <thread>
#include <utility>
#include <variant>

#include <netinet/tcp.h>
#include <openssl/rand.h>
#include <asio.hpp>

#include <troupe/remoting/tcp.hpp>
#include <troupe/runtime/error.hpp>
#include <troupe/runtime/options.hpp>

#include "tls_stream.hpp"

namespace troupe::remoting {

namespace detail {

namespace {

using asio::ip::tcp;
using Kind = StreamResult::Kind;

/// The kernel keeps so much that is not sent yet: heartbeats wait behind no more (S86).
constexpr int not_sent_max = 128 << 10;
/// A session goes on so often before others have their turn.
constexpr int reads_at_once = 8;
/// How long a closed connection is read, so that the peer gets what was sent to it last.
constexpr std::chrono::seconds linger_max{1};

/// After a connection could not be taken.
constexpr std::chrono::milliseconds accept_again{50};

struct HostAndPort {
  std::string host;
  std::string port;
};
/// "host:port", "[::1]:port". Throws UsageError.
HostAndPort split(const std::string& address) {
  const std::size_t colon = address.rfind(':');
  if (colon == std::string::npos || colon == 0 || colon + 1 == address.size())
    throw UsageError("\"" + address + "\" is no address: write host:port");
  std::string host = address.substr(0, colon);
  if (host.front() == '[' && host.back() == ']') host = host.substr(1, host.size() - 2);
  return {std::move(host), address.substr(colon + 1)};
}

/// The certificates of today. Thread safety: any thread.
class Certificates {
 public:
  /// Null: there is no TLS.
  [[nodiscard]] std::shared_ptr<const TlsContext> now() const {
    const std::lock_guard guard(lock_);
    return context_;
  }
  void replace(std::shared_ptr<const TlsContext> context) {
    const std::lock_guard guard(lock_);
    context_ = std::move(context);
  }

 private:
  mutable std::mutex lock_;
  std::shared_ptr<const TlsContext> context_;
};

class Session final : public std::enable_shared_from_this<Session> {
 public:
  using Stream = std::variant<std::monostate, PlainStream, TlsStream>;

  Session(asio::io_context& io, std::shared_ptr<const Certificates> certificates)
      : socket_(io), rest_(io), linger_(io), certificates_(std::move(certificates)) {}
  [[nodiscard]] tcp::socket& socket() noexcept { return socket_; }
  [[nodiscard]] const std::string& other_end() const noexcept { return other_end_; }

  void dial(WireUser& user, const std::string& address) {
    user_ = &user;
    HostAndPort to;
    try {
      to = split(address);
    } catch (const UsageError& e) {
      fail_later(e.what());
      return;
    }
    auto resolver = std::make_shared<tcp::resolver>(socket_.get_executor());
    resolver->async_resolve(
        to.host, to.port,
        [self = shared_from_this(), resolver](const std::error_code& e,
                                              const tcp::resolver::results_type& found) {
          if (self->is_over(e)) return;
          asio::async_connect(self->socket_, found,
                              [self](const std::error_code& failed, const tcp::endpoint&) {
                                if (!self->is_over(failed)) self->begin(true);
                              });
        });
  }
  void accept(WireUser& user) {
    user_ = &user;
    asio::post(socket_.get_executor(), [self = shared_from_this()] {
      if (self->user_ != nullptr) self->begin(false);
    });
  }

  void send(std::span<const std::uint64_t> words) {
    to_write_ = std::as_bytes(words);
    write();
  }

  void rest(Duration time) {
    rest_.expires_after(time);
    rest_.async_wait([self = shared_from_this()](const std::error_code& e) {
      if (!e && self->user_ != nullptr) self->user_->sent();
    });
  }

  void close() {
    user_ = nullptr;
    rest_.cancel();
    if (std::exchange(is_closed_, true)) return;
    if (to_write_.empty()) {
      shut_down();
    } else {  // goes on until the kernel has it; the words are the caller's, and may go
      kept_.assign(to_write_.begin(), to_write_.end());
      to_write_ = kept_;
      linger();
    }
  }
  void abort() {
    user_ = nullptr;
    is_closed_ = true;
    to_write_ = {};
    std::error_code ignored;
    socket_.close(ignored);
    linger_.cancel();
  }

 private:
  void begin(bool is_dialer) {
    std::error_code e;
    const tcp::endpoint there = socket_.remote_endpoint(e);
    if (!e) other_end_ = there.address().to_string() + ":" + std::to_string(there.port());
    tls_ = certificates_->now();
    if (tls_ == nullptr && (e || !there.address().is_loopback())) {
      fail("without TLS a node talks on loopback only");
      return;
    }
    socket_.non_blocking(true, e);
    socket_.set_option(tcp::no_delay(true), e);
    const int fd = socket_.native_handle();
    ::setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &not_sent_max, sizeof not_sent_max);
    try {
      if (tls_ != nullptr) {
        stream_.emplace<TlsStream>(*tls_, fd, is_dialer);
      } else {
        stream_.emplace<PlainStream>(fd);
      }
    } catch (const std::exception& failed) {  // OpenSSL had no memory
      fail(failed.what());
      return;
    }
    shake_hands();
  }

  template <class F>
  StreamResult on_stream(F f) {
    if (auto* tls = std::get_if<TlsStream>(&stream_)) return f(*tls);
    return f(std::get<PlainStream>(stream_));
  }

  void shake_hands() {
    const StreamResult r = on_stream([](auto& s) { return s.handshake(); });
    if (r.kind == Kind::wants_read || r.kind == Kind::wants_write) {
      when_ready(r.kind, [](Session& s) { s.shake_hands(); });
    } else if (r.kind != Kind::done) {
      fail(r);
    } else {
      const auto* tls = std::get_if<TlsStream>(&stream_);
      const auto uris = tls != nullptr ? tls->peer_uris() : std::vector<std::string>{};
      if (tls != nullptr && uris.empty()) {  // a key is no proof where there is TLS
        fail({.kind = Kind::untrusted, .why = "its certificate names no node"});
        return;
      }
      user_->opened(uris);
      if (user_ != nullptr) read();
    }
  }

  void read() {
    for (int i = 0; i < reads_at_once; ++i) {
      const StreamResult r = on_stream([&](auto& s) { return s.read(user_->space()); });
      if (r.kind == Kind::wants_read || r.kind == Kind::wants_write) {
        when_ready(r.kind, [](Session& s) { s.read(); });
        return;
      }
      if (r.kind != Kind::done) {
        fail(r);
        return;
      }
      user_->received(r.bytes);
      if (user_ == nullptr) return;
    }
    asio::post(socket_.get_executor(), [self = shared_from_this()] {
      if (self->user_ != nullptr) self->read();
    });
  }

  void write() {
    while (!to_write_.empty()) {
      const StreamResult r = on_stream([&](auto& s) { return s.write(to_write_); });
      if (r.kind == Kind::wants_read || r.kind == Kind::wants_write) {
        when_ready(
            r.kind, [](Session& s) { s.write(); }, true);
        return;
      }
      if (r.kind != Kind::done) {
        to_write_ = {};
        asio::post(socket_.get_executor(), [self = shared_from_this(), r] { self->fail(r); });
        return;
      }
      to_write_ = to_write_.subspan(r.bytes);
    }
    asio::post(socket_.get_executor(), [self = shared_from_this()] {  // not from within send
      if (self->user_ != nullptr) {
        self->user_->sent();
      } else {
        self->shut_down();
      }
    });
  }

  /// `for_nobody`: also when the user is gone.
  template <class F>
  void when_ready(Kind kind, F f, bool for_nobody = false) {
    const auto how = kind == Kind::wants_read ? tcp::socket::wait_read : tcp::socket::wait_write;
    socket_.async_wait(how, [self = shared_from_this(), f, for_nobody](const std::error_code& e) {
      if (self->user_ == nullptr && !for_nobody) return;
      if (e) {
        self->to_write_ = {};
        self->fail(e.message());
      } else {
        f(*self);
      }
    });
  }

  [[nodiscard]] bool is_over(const std::error_code& e) {
    if (user_ == nullptr) return true;
    if (e) fail(e.message());
    return static_cast<bool>(e);
  }
  void fail(const StreamResult& r) {
    WireUser* user = std::exchange(user_, nullptr);
    if (user != nullptr && r.kind == Kind::untrusted) {
      user->untrusted(r.why, r.by_peer);
    } else if (user != nullptr) {
      user->lost(r.kind == Kind::ended ? "closed by the peer" : r.why);
    }
    std::error_code ignored;
    if (to_write_.empty()) socket_.close(ignored);
  }
  void fail(const std::string& why) { fail({.kind = Kind::failed, .why = why}); }
  void fail_later(const std::string& why) {
    asio::post(socket_.get_executor(), [self = shared_from_this(), why] { self->fail(why); });
  }

  /// Says that nothing more comes, and waits a while for the peer to say the same: what it has not
  /// read yet would be lost otherwise, if there was something that this side has not read.
  void shut_down() {
    std::error_code e;
    if (std::exchange(is_shut_down_, true) || !socket_.is_open()) return;
    socket_.shutdown(tcp::socket::shutdown_send, e);
    if (e) {
      socket_.close(e);
      return;
    }
    linger();
    drain();
  }
  void linger() {
    linger_.expires_after(linger_max);
    linger_.async_wait([self = shared_from_this()](const std::error_code& e) {
      if (!e) self->abort();
    });
  }
  void drain() {
    socket_.async_wait(
        tcp::socket::wait_read, [self = shared_from_this()](const std::error_code& e) {
          std::array<std::byte, 4096> nowhere;
          std::error_code failed = e;
          const std::size_t got = e ? 0 : self->socket_.read_some(asio::buffer(nowhere), failed);
          if (failed == asio::error::would_block || (!failed && got > 0)) {
            self->drain();
          } else {
            self->abort();
          }
        });
  }

  tcp::socket socket_;
  asio::steady_timer rest_;
  asio::steady_timer linger_;
  const std::shared_ptr<const Certificates> certificates_;
  std::shared_ptr<const TlsContext> tls_;  ///< those that it began with
  Stream stream_;
  WireUser* user_ = nullptr;
  std::string other_end_ = "where nobody is any more";
  std::span<const std::byte> to_write_;
  std::vector<std::byte> kept_;
  bool is_closed_ = false;  ///< its user has let go of it
  bool is_shut_down_ = false;
};

class TcpWire final : public Wire {
 public:
  /// `address`: where to dial; empty: it was accepted.
  TcpWire(std::shared_ptr<Session> session, std::string address)
      : session_(std::move(session)), address_(std::move(address)) {}
  ~TcpWire() override { session_->close(); }
  void start(WireUser& user) override {
    address_.empty() ? session_->accept(user) : session_->dial(user, address_);
  }
  void send(std::span<const std::uint64_t> words) override { session_->send(words); }
  void rest(Duration time) override { session_->rest(time); }
  void close() override { session_->close(); }
  [[nodiscard]] std::string other_end() const override {
    return address_.empty() ? session_->other_end() : address_;
  }

 private:
  std::shared_ptr<Session> session_;
  std::string address_;
};

class Tcp final : public TcpTransport {
 public:
  explicit Tcp(TcpOptions options)
      : options_(std::move(options)),
        acceptor_(io_),
        timer_(io_),
        retry_(io_),
        clock_(system_clock()) {
    if (options_.tls) load_certificates();
  }
  ~Tcp() override { stop(); }

  std::string listen(const std::string& address) override {
    const HostAndPort at = split(address);
    std::error_code e;
    tcp::resolver resolver(io_);
    const auto found = resolver.resolve(at.host, at.port, tcp::resolver::passive, e);
    if (e || found.empty()) throw UsageError("can't listen at \"" + address + "\": " + e.message());
    const tcp::endpoint endpoint = *found.begin();
    if (!options_.tls && !endpoint.address().is_loopback())
      throw UsageError("without TLS a node listens on loopback only, and " + address +
                       " is none: give it certificates, or 127.0.0.1");
    acceptor_.open(endpoint.protocol());
    acceptor_.set_option(tcp::acceptor::reuse_address(true));
    acceptor_.bind(endpoint, e);
    if (!e) acceptor_.listen(tcp::acceptor::max_listen_connections, e);
    if (e) throw std::system_error(e, "can't listen at " + address);
    if (endpoint.port() != 0) return address;
    return address.substr(0, address.rfind(':') + 1) +
           std::to_string(acceptor_.local_endpoint().port());
  }

  void start(std::function<void(std::unique_ptr<Wire>)> accepted,
             std::function<void()> woken) override {
    accepted_ = std::move(accepted);
    woken_ = std::move(woken);
    accept();
    thread_ = std::thread([this] {
      sigset_t broken_pipe;  // OpenSSL writes as if to a file
      sigemptyset(&broken_pipe);
      sigaddset(&broken_pipe, SIGPIPE);
      pthread_sigmask(SIG_BLOCK, &broken_pipe, nullptr);
      run();
    });
  }

  void stop() override {
    {
      const std::lock_guard guard(lock_);
      if (std::exchange(is_stopped_, true)) return;
    }
    io_.stop();
    if (thread_.joinable()) thread_.join();
    for (const auto& session : sessions_)
      if (const auto s = session.lock()) s->abort();
    std::error_code ignored;
    acceptor_.close(ignored);
  }

  bool post(std::function<void()> f) override {
    const std::lock_guard guard(lock_);
    if (!is_stopped_) asio::post(io_, std::move(f));
    return !is_stopped_;
  }
  std::unique_ptr<Wire> dial(const std::string& address) override {
    return std::make_unique<TcpWire>(new_session(), address);
  }
  void wake_at(TimePoint time) override {
    if (time == wake_at_) return;
    wake_at_ = time;
    if (time == TimePoint::max()) {
      timer_.cancel();
      return;
    }
    const TimePoint at = now();
    timer_.expires_after(time > at ? time - at : Duration::zero());
    timer_.async_wait([this](const std::error_code& e) {
      if (e) return;
      wake_at_ = TimePoint::max();
      woken_();
    });
  }
  [[nodiscard]] TimePoint now() const override { return clock_->now(); }
  std::uint64_t new_incarnation() override {
    std::uint32_t random = 0;
    if (RAND_bytes(reinterpret_cast<unsigned char*>(&random), sizeof random) != 1)
      throw std::runtime_error("OpenSSL has no random bytes: see its configuration");
    std::timespec now{};
    std::timespec_get(&now, TIME_UTC);
    const std::uint64_t us = static_cast<std::uint64_t>(now.tv_sec) * 1'000'000 +
                             static_cast<std::uint64_t>(now.tv_nsec) / 1000;
    return us << 12 | random % 4096;  // until the year 2112
  }
  void reload_certificates() override {
    if (!options_.tls) throw UsageError("this transport has no certificates");
    load_certificates();
  }

 private:
  /// Looks a while for more before it sleeps, and lets whoever has work go first: to be woken takes
  /// many times as long as most of what an answer has to wait for.
  void run() {
    const auto not_over = asio::make_work_guard(io_);
    TimePoint awake_until = TimePoint::min();
    while (!io_.stopped()) {
      const bool had_some = io_.poll() > 0;
      if (!had_some && now() < awake_until) {
        std::this_thread::yield();
        continue;
      }
      if (!had_some) io_.run_one();
      awake_until = deadline_after(now(), options_.stays_awake);
    }
  }
  void load_certificates() {
    certificates_->replace(std::make_shared<const TlsContext>(*options_.tls));
  }
  std::shared_ptr<Session> new_session() {
    auto session = std::make_shared<Session>(io_, certificates_);
    std::erase_if(sessions_, [](const auto& s) { return s.expired(); });
    sessions_.push_back(session);
    return session;
  }
  void accept() {
    auto session = new_session();
    acceptor_.async_accept(session->socket(), [this, session](const std::error_code& e) {
      if (e == asio::error::operation_aborted) return;
      if (!e) {
        accepted_(std::make_unique<TcpWire>(session, ""));
        accept();
      } else {
        retry_.expires_after(accept_again);
        retry_.async_wait([this](const std::error_code& stopped) {
          if (!stopped) accept();
        });
      }
    });
  }

  const TcpOptions options_;
  std::mutex lock_;
  bool is_stopped_ = false;  ///< guarded by it
  const std::shared_ptr<Certificates> certificates_ = std::make_shared<Certificates>();
  asio::io_context io_{1};
  tcp::acceptor acceptor_;
  asio::steady_timer timer_;
  asio::steady_timer retry_;  ///< of accepting, where there was no file descriptor left
  TimePoint wake_at_ = TimePoint::max();
  std::shared_ptr<const Clock> clock_;
  std::vector<std::weak_ptr<Session>> sessions_;
  std::function<void(std::unique_ptr<Wire>)> accepted_;
  std::function<void()> woken_;
  std::thread thread_;
};

}  // namespace

}  // namespace detail

std::unique_ptr<TcpTransport> TcpTransport::create(TcpOptions options) {
  return std::make_unique<detail::Tcp>(std::move(options));
}

}  // namespace troupe::remoting
