#include <troupe/remoting/node.hpp>

#include <utility>

#include "hub.hpp"

namespace troupe::remoting {

using troupe::detail::Address;
using troupe::detail::RequestPort;

namespace detail {

std::vector<std::uint64_t> schemas_of(const troupe::detail::MessageType* const* types,
                                      std::size_t count) {
  std::vector<std::uint64_t> schemas;
  for (std::size_t i = 0; i < count; ++i) schemas.push_back(types[i]->id);
  return schemas;
}

}  // namespace detail

namespace {

struct Uri {
  std::string address;
  std::string path;
};
/// "troupe://host:port/path". Throws UsageError.
Uri parse(std::string_view uri) {
  constexpr std::string_view scheme = "troupe://";
  const std::size_t slash = uri.find('/', scheme.size());
  if (!uri.starts_with(scheme) || slash == uri.npos || slash == scheme.size() ||
      slash + 1 == uri.size())
    throw UsageError("\"" + std::string(uri) +
                     "\" names no actor: write troupe://host:port/path-of-the-actor");
  return {std::string(uri.substr(scheme.size(), slash - scheme.size())),
          std::string(uri.substr(slash))};
}

}  // namespace

Node::Node(System& system, NodeOptions options, std::unique_ptr<Transport> transport)
    : transport_(std::move(transport)),
      hub_(std::make_shared<detail::Hub>(system, std::move(options), *transport_)) {
  hub_->start();
}

Node::~Node() {
  Ask<void> left{troupe::detail::open_slot_for(hub_->system(), hub_->leave_max(), nullptr)};
  if (transport_->post([hub = hub_, port = left.port()] { hub->say_goodbye(port); }))
    static_cast<void>(left.try_await());
  transport_->stop();
  hub_->leave();
}

const std::string& Node::address() const noexcept {
  return hub_->self().address;
}
const std::string& Node::name() const noexcept {
  return hub_->self().node;
}

Ask<NodeStatus> Node::status(Duration timeout) {
  const RequestPort port = troupe::detail::open_slot_for(
      hub_->system(), timeout, troupe::detail::reply_destroyer<NodeStatus>());
  const bool is_on_its_way = transport_->post(
      [hub = hub_, port] { troupe::detail::answer<NodeStatus>(port, hub->status()); });
  if (!is_on_its_way)
    troupe::detail::fail_reply(port, AskErrorKind::no_connection, "this node has ended");
  return Ask<NodeStatus>{port};
}

RequestPort Node::resolve_as(std::string_view uri, std::vector<std::uint64_t> schemas,
                             Duration timeout, troupe::detail::ReplyDestroyer destroy, Give give) {
  Uri parsed = parse(uri);
  const RequestPort port = troupe::detail::open_slot_for(hub_->system(), timeout, destroy);
  detail::WaitingResolve resolve{std::move(parsed.path), std::move(schemas),
                                 [port, give](const Address& actor, const AskError* error) {
                                   if (error != nullptr) {
                                     troupe::detail::fail_reply(port, error->kind, error->what);
                                   } else {
                                     give(port, actor);
                                   }
                                 }};
  const bool is_on_its_way = transport_->post([hub = hub_, address = std::move(parsed.address),
                                               resolve] { hub->resolve(address, resolve); });
  if (!is_on_its_way)
    troupe::detail::fail_reply(port, AskErrorKind::no_connection, "this node has ended");
  return port;
}

}  // namespace troupe::remoting
