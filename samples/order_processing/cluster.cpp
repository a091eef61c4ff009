#include "cluster.hpp"

#include <cstdio>

#include <troupe/remoting/tcp.hpp>

#include "placed_processor.hpp"

namespace orders {

using troupe::remoting::NodeOptions;
using troupe::remoting::TcpTransport;
using troupe::remoting::TlsFiles;

namespace {

NodeOptions node_options(const ClusterOptions& options, bool makes_processors) {
  if (options.tls.empty() && options.key_file.empty())
    throw troupe::UsageError(
        "nodes must prove who they are: give --tls a folder of certificates (`troupe cert`), or "
        "--key-file what the nodes of this machine have in common");
  NodeOptions node;
  node.cluster = options.cluster;
  node.name = options.name;
  node.address = options.listen;
  node.advertised_address = options.advertise;
  node.key_file = options.key_file;
  if (makes_processors)
    node.factories["processor"] = troupe::remoting::spawn_factory<PlaceProcessor>(
        [](const PlaceProcessor& m) { return troupe::factory<Processing, PlacedProcessor>(m); });
  return node;
}

std::unique_ptr<TcpTransport> transport(const ClusterOptions& options) {
  if (options.tls.empty()) return TcpTransport::create();
  return TcpTransport::create({.tls = TlsFiles::in(options.tls, options.name)});
}

class Warnings final : public troupe::Log {
 public:
  void write(troupe::LogLevel level, std::string_view who, std::string_view text) override {
    if (text.find("injected crash") == text.npos) all_->write(level, who, text);
  }

 private:
  std::shared_ptr<troupe::Log> all_ = troupe::stderr_log(troupe::LogLevel::warning);
};

}  // namespace

std::shared_ptr<troupe::Log> warnings() {
  return std::make_shared<Warnings>();
}

ClusterNode::ClusterNode(troupe::System& system, const ClusterOptions& options,
                         bool makes_processors)
    : node_(system, node_options(options, makes_processors), transport(options)) {
  if (!options.admin.empty()) admin_.emplace(system, node_, options.admin);
}

int run_node(const ClusterOptions& options) {
  troupe::SystemOptions system_options;
  system_options.log = warnings();
  troupe::System system{std::move(system_options)};
  ClusterNode node(system, options, true);
  return system.run_until_signal([&] {
    std::printf("%s listens at %s\n", node.node().name().c_str(), node.node().address().c_str());
    std::fflush(stdout);
  });
}

}  // namespace orders
