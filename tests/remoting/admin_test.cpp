// `troupe node`: the command, a running node, and what it shows.
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <fstream>

#include <asio.hpp>
#include <catch2/catch.hpp>
#include <troupe/remoting/admin.hpp>
#include <troupe/remoting/tcp.hpp>

#include "remoting/cluster.capnp.hpp"

using namespace std::chrono_literals;
using namespace cluster_test;
using Catch::Contains;
using troupe::Actor;
using troupe::System;
using troupe::remoting::AdminSocket;
using troupe::remoting::Node;
using troupe::remoting::NodeOptions;
using troupe::remoting::TcpTransport;

namespace {

/// Answers nothing before it ends.
class Keeper : public Actor<Add> {
 public:
  void receive(const Add&, troupe::ReplyTo<Sum> reply) { kept_.push_back(std::move(reply)); }

 private:
  std::vector<troupe::ReplyTo<Sum>> kept_;
};

class Waiting : public Actor<Note> {
 public:
  explicit Waiting(troupe::Ref<Keeper> keeper) : keeper_(keeper) {}
  void receive(const Note&) { static_cast<void>(keeper_.ask(Add{}, 1h).try_await()); }

 private:
  troupe::Ref<Keeper> keeper_;
};

NodeOptions options(const std::string& name) {
  NodeOptions o;
  o.name = name;
  o.key = std::vector<std::byte>(32, std::byte{'k'});
  o.connect_max = 200ms;
  return o;
}

struct Directory {
  Directory() {
    char name[] = "/tmp/troupe-admin-XXXXXX";
    path = ::mkdtemp(name);
  }
  Directory(const Directory&) = delete;
  Directory& operator=(const Directory&) = delete;
  ~Directory() { std::filesystem::remove_all(path); }
  std::filesystem::path path;
};

struct Answer {
  int code;
  std::string text;
};

struct World {
  Directory directory;
  std::filesystem::path socket = directory.path / "admin";
  System system;
  Node node{system, options("here"), TcpTransport::create()};
  System other_system;
  Node other{other_system, options("there"), TcpTransport::create()};
  std::optional<AdminSocket> admin{std::in_place, system, node, socket};

  [[nodiscard]] Answer troupe_node(const std::string& rest) const {
    const std::string line =
        TROUPE_COMMAND " node --socket " + socket.string() + " " + rest + " 2>&1";
    FILE* const pipe = ::popen(line.c_str(), "r");
    Answer answer{};
    char part[256];
    while (std::fgets(part, sizeof part, pipe) != nullptr) answer.text += part;
    answer.code = WEXITSTATUS(::pclose(pipe));
    return answer;
  }
};

}  // namespace

TEST_CASE("troupe node shows a node's peers and actors", "[remoting]") {
  World w;
  w.system.spawn<Keeper>({.name = "keeper"});
  Answer a = w.troupe_node("ls");
  REQUIRE(a.text == "here of cluster troupe at " + w.node.address() + "\n");
  a = w.troupe_node("ping " + w.other.address());
  REQUIRE_THAT(a.text, Contains(w.other.address() + " answered in "));
  REQUIRE(a.code == 0);
  a = w.troupe_node("ls");
  REQUIRE_THAT(a.text, Contains("there") && Contains(w.other.address()) && Contains("connected"));
  a = w.troupe_node("ps");
  REQUIRE_THAT(a.text, Contains("/keeper  ") && Contains("Keeper  running  mailbox 0"));
}

TEST_CASE("troupe node says what an actor waits for, and stops actors", "[remoting]") {
  World w;
  const auto keeper = w.system.spawn<Keeper>({.name = "keeper"});
  const auto waiting = w.system.spawn<Waiting>({.name = "waiting"}, keeper);
  REQUIRE(w.troupe_node("why /waiting").text == "/waiting waits for nobody\n");
  waiting.tell(Note{});
  Answer why = w.troupe_node("why /waiting");
  while (why.text.find("/keeper") == why.text.npos) why = w.troupe_node("why /waiting");
  REQUIRE(w.troupe_node("stop /keeper").code == 0);
  const Answer stopped = w.troupe_node("stop /waiting");
  REQUIRE(stopped.text == "/waiting has ended\n");
  REQUIRE(stopped.code == 0);
  REQUIRE(w.system.actors().empty());
}

TEST_CASE("troupe node says what can't be done", "[remoting]") {
  World w;
  Answer a = w.troupe_node("stop /nobody");
  REQUIRE(a.text == "troupe: there is no actor /nobody\n");
  REQUIRE(a.code == 1);
  a = w.troupe_node("ping 127.0.0.1:1");
  REQUIRE_THAT(a.text, Contains("no connection with 127.0.0.1:1"));
  REQUIRE(a.code == 1);
  REQUIRE(w.troupe_node("dance").code == 2);
  w.admin.reset();
  a = w.troupe_node("ls");
  REQUIRE_THAT(a.text, Contains("no node listens at"));
  REQUIRE(a.code == 2);
  REQUIRE_FALSE(std::filesystem::exists(w.socket));
}

TEST_CASE("somebody who says nothing does not keep a node from others, nor from its end",
          "[remoting]") {
  World w;
  asio::io_context io;
  asio::local::stream_protocol::socket silent(io);
  silent.connect(w.socket.string());
  REQUIRE(w.troupe_node("ls").code == 0);
  asio::local::stream_protocol::socket another(io);
  another.connect(w.socket.string());
  w.admin.reset();
}

TEST_CASE("an admin socket is its owner's, and takes nobody's place", "[remoting]") {
  World w;
  struct stat there {};
  REQUIRE(::stat(w.socket.c_str(), &there) == 0);
  REQUIRE((there.st_mode & 0777) == 0600);
  REQUIRE_THROWS_AS(AdminSocket(w.system, w.node, w.socket), std::system_error);
  REQUIRE(w.troupe_node("ls").code == 0);  // it was not taken

  const auto file = w.directory.path / "file";
  std::ofstream(file) << "mine";
  REQUIRE_THROWS_AS(AdminSocket(w.system, w.node, file), troupe::UsageError);
  REQUIRE(std::filesystem::file_size(file) == 4);
  REQUIRE_THROWS_AS(AdminSocket(w.system, w.node, w.directory.path / std::string(200, 'x')),
                    troupe::UsageError);

  const auto leftover = w.directory.path / "leftover";
  const int socket = ::socket(AF_UNIX, SOCK_STREAM, 0);
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  leftover.string().copy(name.sun_path, sizeof name.sun_path - 1);
  REQUIRE(::bind(socket, reinterpret_cast<const sockaddr*>(&name), sizeof name) == 0);
  ::close(socket);  // as a node that was killed leaves it
  const AdminSocket taken(w.system, w.node, leftover);
}
