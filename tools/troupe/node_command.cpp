#include "node_command.hpp"

#include <iostream>
#include <memory>
#include <string>

#include <asio.hpp>

namespace troupe::tools {

namespace {

struct Arguments {
  std::string socket;
  std::string what;
};

/// Exit codes as main's.
int call(const std::string& socket, const std::string& request) {
  asio::io_context io;
  asio::local::stream_protocol::socket node(io);
  asio::error_code e;
  node.connect(socket, e);
  if (e) {
    std::cerr << "troupe: no node listens at " << socket << ": " << e.message() << "\n";
    return 2;
  }
  asio::write(node, asio::buffer(request + "\n"), e);
  std::string answer;
  asio::error_code end;
  if (!e) asio::read(node, asio::dynamic_buffer(answer), end);
  const std::size_t head = answer.find('\n');
  if (e || head == std::string::npos) {
    std::cerr << "troupe: the node at " << socket << " gave no answer\n";
    return 2;
  }
  const bool is_ok = answer.substr(0, head) == "ok";
  (is_ok ? std::cout : std::cerr << "troupe: ") << answer.substr(head + 1);
  return is_ok ? 0 : 1;
}

}  // namespace

void add_node_command(CLI::App& app, std::function<int()>& run) {
  auto* node = app.add_subcommand("node", "a look at a running node");
  node->require_subcommand(1);
  const auto arguments = std::make_shared<Arguments>();
  node->add_option("--socket", arguments->socket, "where its AdminSocket is")
      ->envname("TROUPE_ADMIN_SOCKET")
      ->required();
  const auto add = [&](const char* name, const char* what, const char* argument) {
    auto* added = node->add_subcommand(name, what);
    if (argument != nullptr) added->add_option(argument, arguments->what)->required();
    added->callback([&run, arguments, name] {
      run = [arguments, name] {
        const std::string space = arguments->what.empty() ? "" : " ";
        return call(arguments->socket, name + space + arguments->what);
      };
    });
  };
  add("ls", "the nodes it knows", nullptr);
  add("ping", "asks another node for an answer, by way of this one", "ADDRESS");
  add("ps", "its actors", nullptr);
  add("why", "what an actor waits for", "PATH");
  add("stop", "ends an actor", "PATH");
}

}  // namespace troupe::tools
