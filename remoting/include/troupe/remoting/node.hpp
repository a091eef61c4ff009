// Node: makes a System part of a cluster, whose actors refs of other nodes lead to.
#pragma once

#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include <troupe/codec/remotable.hpp>
#include <troupe/remoting/failure_detector.hpp>
#include <troupe/remoting/spawn.hpp>
#include <troupe/remoting/transport.hpp>
#include <troupe/runtime/find.hpp>
#include <troupe/runtime/system.hpp>

namespace troupe::remoting {

/// How a node takes part. The defaults' reasons are docs/wire-protocol.md's.
struct NodeOptions {
  std::string cluster = "troupe";       ///< nodes of others are refused
  std::string name;                     ///< unique in its cluster
  std::string address = "127.0.0.1:0";  ///< where it listens, host:port; port 0: any
  /// What others dial and know it by, where that is not `address`: behind a translation of
  /// addresses, or where it listens at all of them. Port 0: the one it listens at.
  std::string advertised_address;
  std::filesystem::path key_file;  ///< what nodes on loopback without TLS have in common
  std::vector<std::byte> key;      ///< the same, where it is no file; 32 bytes or more
  Duration handshake_max = std::chrono::seconds(5);
  Duration connect_max = std::chrono::seconds(5);  ///< how long what is sent waits for its node
  Duration backoff_min =
      std::chrono::milliseconds(100);  ///< between dials; doubled each time, and half of it random
  Duration backoff_max = std::chrono::seconds(10);
  Duration heartbeat_interval = std::chrono::seconds(1);
  Duration leave_max = std::chrono::seconds(5);  ///< how long its end waits for what is queued
  FailureDetectorOptions detector;
  std::size_t waiting_messages_max = 3072;                ///< for one peer
  std::size_t waiting_bytes_max = std::size_t{16} << 20;  ///< the same
  std::size_t message_bytes_max = std::size_t{64} << 20;  ///< of one message
  /// What other nodes may have made here, by name (S92): see spawn_factory.
  std::map<std::string, SpawnFactory> factories;
  std::size_t unanswered_max = 100'000;  ///< asks of one peer; further ones fail: mailbox_full
};

/// What a node has met. Counts only grow. Thread safety: a value.
struct NodeCounters {
  std::uint64_t connected = 0;        ///< epochs that began
  std::uint64_t lost = 0;             ///< those that ended without a goodbye
  std::uint64_t protocol_errors = 0;  ///< connections whose peer broke the rules
  std::uint64_t strangers = 0;        ///< that came, and went before they had proven anything
  /// Connections that this node refused, by reason (docs/wire-protocol.md, section 3); `tls`:
  /// because the certificate is not valid.
  std::map<std::string, std::uint64_t> refused;
  std::map<std::string, std::uint64_t> refused_by_peers;  ///< and those that others did
};

/// Another node, as this one knows it. Thread safety: a value.
struct PeerStatus {
  std::string name;  ///< empty: it was heard of, and not met yet
  std::string address;
  std::uint64_t incarnation = 0;  ///< 0: the same
  bool is_connected = false;
  Duration silence{};  ///< since its last heartbeat, where it is connected
  std::size_t waiting_bytes = 0;
  std::size_t untaken_bytes_there = 0;  ///< sent, and not known to be taken by its actors
  std::size_t untaken_bytes_here = 0;   ///< the same, in the other direction
  std::size_t asks_there = 0;           ///< not answered yet: of this node's actors
  std::size_t asks_here = 0;            ///< and of theirs
};

/// Thread safety: a value.
struct NodeStatus {
  std::string cluster;
  std::string name;
  std::string address;
  std::uint64_t incarnation = 0;
  std::vector<PeerStatus> peers;  ///< by address
  NodeCounters counters;
};

namespace detail {
class Hub;
struct WaitingRequest;
std::vector<std::uint64_t> schemas_of(const troupe::detail::MessageType* const* types,
                                      std::size_t count);
}  // namespace detail

/// A System's part in a cluster. One for each System, and it ends before the System does. From its
/// construction on refs to the System's actors may travel in messages. Its end says goodbye: what
/// was sent before still goes. Thread safety: any thread, except construction and destruction.
class Node {
 public:
  /// Listens, and runs its connections on `transport`. Throws UsageError on options that make no
  /// sense, and what Transport::start throws.
  Node(System& system, NodeOptions options, std::unique_ptr<Transport> transport);
  Node(const Node&) = delete;
  Node& operator=(const Node&) = delete;
  ~Node();

  /// Where it is reached.
  [[nodiscard]] const std::string& address() const noexcept;
  [[nodiscard]] const std::string& name() const noexcept;

  /// Whom it knows, and what it has counted.
  [[nodiscard]] Ask<NodeStatus> status(Duration timeout = std::chrono::seconds(10));

  /// Asks the node at that address ("host:port") for an answer. Fails with `no_connection`.
  [[nodiscard]] Ask<void> ping(const std::string& address,
                               Duration timeout = std::chrono::seconds(10));

  /// The actor of that name on another node ("troupe://host:port/path"), if it takes all messages
  /// of P: the answer fails with `wrong_protocol` else, with `receiver_down` where there is no such
  /// actor, and with `no_connection` where there is no such node. Throws UsageError when `uri` is
  /// no such name.
  template <class P, class Why = codec::WhyNotRemote<P>>
  requires troupe::detail::fine<Why> Ask<Ref<P>> resolve(
      std::string_view uri, Duration timeout = std::chrono::seconds(10)) {
    using Table = troupe::detail::TypeTable<troupe::detail::PublicMessages<P>>;
    return Ask<Ref<P>>{resolve_as(uri, detail::schemas_of(Table::entries, Table::count), timeout,
                                  troupe::detail::reply_destroyer<Ref<P>>(), &give_ref<P>)};
  }
  template <class P, class Why = codec::WhyNotRemote<P>>
  requires(!troupe::detail::fine<Why>) Ask<Ref<P>> resolve(
      std::string_view uri, Duration timeout = std::chrono::seconds(10))
  = delete;  // `Why` says what is wrong

  /// Has another node make an actor of one of its factories. The answer comes when it is there, and
  /// fails with `refused` where that node has no such factory, or the factory throws; with
  /// `unknown_type` where it takes other arguments, with `wrong_protocol` where the actor does not
  /// take all messages of P, and with `no_connection`. An answer that comes too late ends the
  /// actor, unless it has an id. Throws UsageError when `child` makes no sense.
  template <class P, codec::HasCodec Arguments, class Why = codec::WhyNotRemote<P>>
  requires troupe::detail::fine<Why> Ask<Ref<P>> spawn_on(
      const RemoteChild& child, const Arguments& arguments,
      Duration timeout = std::chrono::seconds(10)) {
    using Table = troupe::detail::TypeTable<troupe::detail::PublicMessages<P>>;
    return Ask<Ref<P>>{spawn_as(child, Arguments::troupe_schema.value, codec::encode(arguments),
                                detail::schemas_of(Table::entries, Table::count), timeout,
                                troupe::detail::reply_destroyer<Ref<P>>(), &give_ref<P>)};
  }
  template <class P, codec::HasCodec Arguments, class Why = codec::WhyNotRemote<P>>
  requires(!troupe::detail::fine<Why>) Ask<Ref<P>> spawn_on(
      const RemoteChild& child, const Arguments& arguments,
      Duration timeout = std::chrono::seconds(10))
  = delete;  // `Why` says what is wrong

 private:
  /// False: too late.
  using Give = bool (*)(const troupe::detail::RequestPort& port,
                        const troupe::detail::Address& actor);
  troupe::detail::RequestPort resolve_as(std::string_view uri, std::vector<std::uint64_t> schemas,
                                         Duration timeout, troupe::detail::ReplyDestroyer destroy,
                                         Give give);
  troupe::detail::RequestPort spawn_as(const RemoteChild& child, std::uint64_t arguments_schema,
                                       const std::vector<codec::Word>& arguments,
                                       std::vector<std::uint64_t> schemas, Duration timeout,
                                       troupe::detail::ReplyDestroyer destroy, Give give);
  template <class P>
  static bool give_ref(const troupe::detail::RequestPort& port,
                       const troupe::detail::Address& actor) {
    return troupe::detail::answer<Ref<P>>(port, Ref<P>{actor});
  }
  troupe::detail::RequestPort reach(std::string address, detail::WaitingRequest request,
                                    const troupe::detail::RequestPort& port);
  std::unique_ptr<Transport> transport_;
  std::shared_ptr<detail::Hub> hub_;
};

}  // namespace troupe::remoting
