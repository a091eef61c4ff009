// One line comes: a command and what it is for. What goes back begins with "ok" or "error", and
// ends with the connection.
#include <troupe/remoting/admin.hpp>

#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>

#include <iomanip>
#include <optional>
#include <sstream>
#include <system_error>
#include <thread>
#include <utility>

#include <asio.hpp>

#include <troupe/runtime/detail/remote.hpp>
#include <troupe/runtime/introspection.hpp>

namespace troupe::remoting {

namespace {

using asio::local::stream_protocol;

constexpr std::size_t request_bytes_max = 4096;
/// Somebody who sends or takes nothing for so long is let go.
constexpr timeval client_timeout{2, 0};

/// What can't be done, in words for people.
struct Refused : std::runtime_error {
  using std::runtime_error::runtime_error;
};

double seconds(Duration d) {
  return std::chrono::duration<double>(d).count();
}

void print_peers(std::ostream& out, const NodeStatus& s) {
  out << s.name << " of cluster " << s.cluster << " at " << s.address << "\n";
  for (const PeerStatus& p : s.peers) {
    out << std::left << std::setw(20) << (p.name.empty() ? "(not met yet)" : p.name) << " "
        << std::setw(24) << p.address << " ";
    if (p.is_connected) {
      out << "connected, heard " << std::fixed << std::setprecision(1) << seconds(p.silence)
          << " s ago";
    } else {
      out << "not connected";
    }
    out << ", " << p.waiting_bytes << " bytes wait, not taken " << p.untaken_bytes_there
        << " there " << p.untaken_bytes_here << " here, asks " << p.asks_there << " there "
        << p.asks_here << " here\n";
  }
  for (const auto& [reason, count] : s.counters.refused)
    out << "refused for " << reason << ": " << count << "\n";
  for (const auto& [reason, count] : s.counters.refused_by_peers)
    out << "refused by others for " << reason << ": " << count << "\n";
}

void print_actors(std::ostream& out, const std::vector<ActorInfo>& actors) {
  for (const ActorInfo& a : actors) {
    out << a.path << "  " << a.type << "  " << to_string(a.state) << "  mailbox "
        << a.mailbox_length;
    if (!a.handling.empty()) out << "  handles " << a.handling;
    if (!a.waits_for.empty()) out << "  waits for " << a.waits_for;
    out << "\n";
  }
}

/// Nothing: none came in time. Not by Asio, which waits on when a socket's own timeout is over.
std::optional<std::string> read_line(int socket) {
  std::string line;
  constexpr int pieces_max = 16;
  for (int i = 0; i < pieces_max && line.size() < request_bytes_max; ++i) {
    char piece[256];
    const ssize_t count = ::recv(socket, piece, sizeof piece, 0);
    if (count <= 0) return std::nullopt;
    line.append(piece, static_cast<std::size_t>(count));
    if (line.back() == '\n') {
      line.pop_back();
      return line;
    }
  }
  return std::nullopt;
}

void send_all(int socket, std::string_view text) {
  while (!text.empty()) {
    const ssize_t count = ::send(socket, text.data(), text.size(), MSG_NOSIGNAL);
    if (count <= 0) return;
    text.remove_prefix(static_cast<std::size_t>(count));
  }
}

Ref<> find(System& system, const std::string& path) {
  const Ref<> found{troupe::detail::find_path(system, path)};
  if (found == Ref<>{}) throw Refused("there is no actor " + path);
  return found;
}

/// A socket that nobody listens at is a leftover, and goes.
void make_room(asio::io_context& io, const std::filesystem::path& path) {
  struct stat there {};
  if (::lstat(path.c_str(), &there) != 0) return;
  if (!S_ISSOCK(there.st_mode))
    throw UsageError(path.string() + " is there, and is no socket: take another path");
  stream_protocol::socket probe(io);
  std::error_code e;
  probe.connect(path.string(), e);
  if (!e)
    throw std::system_error(std::make_error_code(std::errc::address_in_use),
                            "another node listens at " + path.string());
  std::filesystem::remove(path);
}

}  // namespace

class AdminSocket::Server {
 public:
  Server(System& system, Node& node, std::filesystem::path path)
      : system_(system), node_(node), path_(std::move(path)), acceptor_(io_) {
    constexpr std::size_t path_bytes_max = sizeof(sockaddr_un::sun_path) - 1;
    if (path_.string().size() > path_bytes_max)
      throw UsageError(path_.string() + " is too long for a socket: " +
                       std::to_string(path_bytes_max) + " bytes at most");
    make_room(io_, path_);
    acceptor_.open();
    acceptor_.bind(path_.string());
    if (::chmod(path_.c_str(), 0600) != 0)  // nobody can connect before it listens
      throw std::system_error(errno, std::generic_category(), path_.string());
    acceptor_.listen();
    accept();
    thread_ = std::thread([this] { io_.run(); });
  }
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;
  ~Server() {
    io_.stop();
    thread_.join();
    std::error_code ignored;
    std::filesystem::remove(path_, ignored);
  }

 private:
  void accept() {
    acceptor_.async_accept([this](const std::error_code& e, stream_protocol::socket client) {
      if (e == asio::error::operation_aborted) return;
      if (!e) serve(client);
      accept();
    });
  }

  void serve(stream_protocol::socket& client) {
    for (const int what : {SO_RCVTIMEO, SO_SNDTIMEO})
      ::setsockopt(client.native_handle(), SOL_SOCKET, what, &client_timeout,
                   sizeof client_timeout);
    const auto line = read_line(client.native_handle());
    if (!line) return;
    std::ostringstream out;
    std::string head = "ok\n";
    try {
      run(*line, out);
    } catch (const std::exception& x) {
      head = "error\n";
      out.str(std::string(x.what()) + "\n");
    }
    send_all(client.native_handle(), head + out.str());
  }

  void run(const std::string& line, std::ostream& out) {
    const std::size_t space = line.find(' ');
    const std::string command = line.substr(0, space);
    const std::string what = space == line.npos ? "" : line.substr(space + 1);
    if (command == "ls") {
      print_peers(out, node_.status().await());
    } else if (command == "ps") {
      print_actors(out, system_.actors());
    } else if (command == "ping") {
      const TimePoint from = system_.now();
      node_.ping(what).await();
      out << what << " answered in " << std::fixed << std::setprecision(1)
          << seconds(system_.now() - from) * 1e6 << " us\n";
    } else if (command == "why") {
      out << system_.why(find(system_, what)) << "\n";
    } else if (command == "stop") {
      system_.stop(find(system_, what)).await();
      out << what << " has ended\n";
    } else {
      throw Refused("there is no command \"" + command + "\"");
    }
  }

  System& system_;
  Node& node_;
  const std::filesystem::path path_;
  asio::io_context io_{1};
  stream_protocol::acceptor acceptor_;
  std::thread thread_;
};

AdminSocket::AdminSocket(System& system, Node& node, const std::filesystem::path& path)
    : server_(std::make_unique<Server>(system, node, path)) {}
AdminSocket::~AdminSocket() = default;

}  // namespace troupe::remoting
