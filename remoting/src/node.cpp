#include <troupe/remoting/node.hpp>

#include <utility>

#include <troupe/runtime/detail/mutant.hpp>

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

/// With them a spawn goes in one frame.
constexpr std::size_t arguments_words_max = (32 << 10) / sizeof(codec::Word);

detail::Resolved give_or_fail(const RequestPort& port,
                              bool (*give)(const RequestPort& port, const Address& actor)) {
  return [port, give](const Address& actor, const AskError* error) {
    if (error != nullptr) {
      troupe::detail::fail_reply(port, error->kind, error->what);
    } else {
      give(port, actor);
    }
  };
}

}  // namespace

Node::Node(System& system, NodeOptions options, std::unique_ptr<Transport> transport)
    : transport_(std::move(transport)),
      hub_(std::make_shared<detail::Hub>(system, std::move(options), *transport_)) {
  try {
    hub_->start();
  } catch (...) {  // goes on; the System keeps the hub
    transport_->stop();
    hub_->leave();
    throw;
  }
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

Ask<void> Node::ping(const std::string& address, Duration timeout) {
  const RequestPort port = troupe::detail::open_slot_for(hub_->system(), timeout,
                                                         troupe::detail::reply_destroyer<void>());
  const detail::Resolved done = [port](const Address&, const AskError* error) {
    if (error != nullptr && error->kind == AskErrorKind::no_connection) {
      troupe::detail::fail_reply(port, error->kind, error->what);
    } else {
      troupe::detail::answer_done(port);
    }
  };
  detail::WaitingRequest request{
      [](detail::PeerHome&, std::uint64_t number, std::vector<detail::Word>& frame) {
        const wire::Resolve nobody{number, "", {}};
        detail::append_struct(frame, detail::FrameKind::resolve, nobody);
      },
      [done](detail::Hub&) { done({}, nullptr); }, done};
  return Ask<void>{reach(address, std::move(request), port)};
}

RequestPort Node::resolve_as(std::string_view uri, std::vector<std::uint64_t> schemas,
                             Duration timeout, troupe::detail::ReplyDestroyer destroy, Give give) {
  Uri at = parse(uri);
  const RequestPort port = troupe::detail::open_slot_for(hub_->system(), timeout, destroy);
  const detail::Resolved done = give_or_fail(port, give);
  detail::WaitingRequest request{
      [path = at.path, schemas](detail::PeerHome&, std::uint64_t number,
                                std::vector<detail::Word>& frame) {
        const wire::Resolve resolve{number, path, schemas};
        detail::append_struct(frame, detail::FrameKind::resolve, resolve);
      },
      [path = at.path, schemas, done](detail::Hub& hub) {
        const auto [actor, error] = detail::look_up(hub.system(), path, schemas);
        done(actor, error ? &*error : nullptr);
      },
      done};
  return reach(std::move(at.address), std::move(request), port);
}

RequestPort Node::spawn_as(const RemoteChild& child, std::uint64_t arguments_schema,
                           const std::vector<codec::Word>& arguments,
                           std::vector<std::uint64_t> schemas, Duration timeout,
                           troupe::detail::ReplyDestroyer destroy, Give give) {
  Uri at = parse(child.node + "/a");
  if (child.parent == Ref<>{} || troupe::detail::remote_number(child.parent.address()))
    throw UsageError("a child on another node needs a parent on this one: give it self()");
  if (arguments.size() > arguments_words_max)
    throw UsageError("the arguments of a spawn are larger than 32 KiB: send the rest as messages");
  const RequestPort port = troupe::detail::open_slot_for(hub_->system(), timeout, destroy);
  wire::Spawn spawn;
  spawn.factory = child.factory;
  spawn.id = child.id;
  spawn.schemas = std::move(schemas);
  spawn.arguments_schema = arguments_schema;
  const auto bytes = std::as_bytes(std::span(arguments));
  spawn.arguments.assign(bytes.begin(), bytes.end());
  const detail::Resolved done = [&system = hub_->system(), port, give, is_kept = !child.id.empty()](
                                    const Address& actor, const AskError* error) {
    if (error != nullptr) {
      troupe::detail::fail_reply(port, error->kind, error->what);
    } else if (!give(port, actor) && !is_kept && !troupe::detail::mutant("late_child_is_kept")) {
      system.kill(Ref<>{actor});  // nobody has it
    }
  };
  const Address parent = child.parent.address();
  detail::WaitingRequest request{[spawn, parent](detail::PeerHome& home, std::uint64_t number,
                                                 std::vector<detail::Word>& frame) mutable {
                                   spawn.request = number;
                                   spawn.parent = home.number_of(parent);
                                   detail::append_struct(frame, detail::FrameKind::spawn, spawn);
                                 },
                                 [spawn, parent, done](detail::Hub& hub) mutable {
                                   spawn.parent = hub.number_of(parent);
                                   hub.spawn_here(spawn, hub.self().incarnation, parent, done);
                                 },
                                 done};
  return reach(std::move(at.address), std::move(request), port);
}

RequestPort Node::reach(std::string address, detail::WaitingRequest request,
                        const RequestPort& port) {
  const bool is_on_its_way = transport_->post(
      [hub = hub_, address = std::move(address), request] { hub->reach(address, request); });
  if (!is_on_its_way)
    troupe::detail::fail_reply(port, AskErrorKind::no_connection, "this node has ended");
  return port;
}

}  // namespace troupe::remoting
