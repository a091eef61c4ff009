// TLS between nodes: who is let in, who is not, and what both are told. Real sockets and threads.
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cstdlib>
#include <ctime>
#include <functional>
#include <mutex>
#include <utility>

#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <catch2/catch.hpp>
#include <troupe/remoting/node.hpp>
#include <troupe/remoting/tcp.hpp>

#include "certificates.hpp"
#include "remoting/cluster.capnp.hpp"

using namespace std::chrono_literals;
using namespace cluster_test;
using troupe::Actor;
using troupe::AskErrorKind;
using troupe::System;
using troupe::remoting::Node;
using troupe::remoting::NodeOptions;
using troupe::remoting::NodeStatus;
using troupe::remoting::TcpOptions;
using troupe::remoting::TcpTransport;
using troupe::remoting::TlsFiles;
using troupe::tools::Authority;
using troupe::tools::NodeTerms;
using troupe::tools::Validity;

namespace {

Validity valid(std::chrono::hours from, std::chrono::hours until) {
  const auto now = std::chrono::system_clock::from_time_t(std::time(nullptr));
  return {now + from, now + until};
}
NodeTerms terms(const std::string& node) {
  return {"shop", node, valid(-1h, 24h)};
}

/// The certificates of one test.
class Pki {
 public:
  Pki() {
    char name[] = "/tmp/troupe-pki-XXXXXX";
    directory = ::mkdtemp(name);
    shop.write(directory);
  }
  Pki(const Pki&) = delete;
  Pki& operator=(const Pki&) = delete;
  ~Pki() { std::filesystem::remove_all(directory); }

  /// Files named after `file`, which say this.
  TlsFiles files(const std::string& file, const NodeTerms& of, const Authority& by) const {
    troupe::tools::write_credentials(by.issue(of), directory, file);
    return TlsFiles::in(directory, file);
  }
  TlsFiles files(const std::string& node) const { return files(node, terms(node), shop); }

  std::filesystem::path directory;
  Authority shop{"shop", valid(-1h, 24h)};
};

class Lines final : public troupe::Log {
 public:
  void write(troupe::LogLevel, std::string_view, std::string_view text) override {
    const std::lock_guard guard(lock_);
    lines_.emplace_back(text);
  }
  bool have(const std::string& part) {
    const std::lock_guard guard(lock_);
    return std::any_of(lines_.begin(), lines_.end(),
                       [&](const auto& line) { return line.find(part) != line.npos; });
  }

 private:
  std::mutex lock_;
  std::vector<std::string> lines_;
};

class Adder : public Actor<Add, Note, WhoAreYou, Payload> {
 public:
  Sum receive(const Add& m) { return {sum_ += m.n}; }
  void receive(const Note& m) { sum_ += m.n; }
  IAm receive(const WhoAreYou&) { return {}; }
  void receive(const Payload& m) { sum_ += m.bytes.size(); }

 private:
  std::uint64_t sum_ = 0;
};

struct Member {
  Member(const std::string& name, std::optional<TlsFiles> tls, const std::string& cluster = "shop")
      : Member(name, cluster, TcpTransport::create({std::move(tls)})) {}
  Member(const std::string& name, const std::string& cluster, std::unique_ptr<TcpTransport> t)
      : transport(*t), node(system, options(name, cluster), std::move(t)) {
    system.spawn<Adder>({.name = "adder"});
  }
  static NodeOptions options(const std::string& name, const std::string& cluster) {
    NodeOptions o;
    o.name = name;
    o.cluster = cluster;
    o.key = std::vector<std::byte>(32, std::byte{'k'});
    o.connect_max = 300ms;
    return o;
  }
  static troupe::SystemOptions logged(std::shared_ptr<Lines> lines) {
    troupe::SystemOptions o;
    o.log = std::move(lines);
    return o;
  }
  /// Asks the other's adder for its sum.
  auto reach(const Member& other) {
    return node.resolve<Adder>("troupe://" + other.node.address() + "/adder", 20s).try_await();
  }
  /// The same, and goes on until it succeeds: its node may still wait before it dials again.
  auto reach_in_the_end(const Member& other) {
    auto reached = reach(other);
    while (!reached) reached = reach(other);
    return *reached;
  }
  std::uint64_t refused(const std::string& reason) {
    return count(node.status().await().counters.refused, reason);
  }
  /// By this node, or by the other: whoever hears the hello first.
  std::uint64_t refused_by_any(const std::string& reason) {
    return refused(reason) + count(node.status().await().counters.refused_by_peers, reason);
  }
  static std::uint64_t count(const std::map<std::string, std::uint64_t>& counts,
                             const std::string& reason) {
    const auto found = counts.find(reason);
    return found == counts.end() ? 0 : found->second;
  }
  std::shared_ptr<Lines> lines = std::make_shared<Lines>();
  System system{logged(lines)};
  TcpTransport& transport;
  Node node;
};

/// What somebody has in place of what he should have, and how `a` calls that.
struct Wrong {
  const char* what;
  const char* reason;
  const char* logged;
  std::function<TlsFiles(const Pki&)> files;
  const char* cluster = "shop";
};

NodeTerms with(NodeTerms t, const std::function<void(NodeTerms&)>& change) {
  change(t);
  return t;
}

const Authority& elsewhere() {
  static const Authority other{"shop", valid(-1h, 24h)};
  return other;
}

std::vector<Wrong> wrong_certificates() {
  const auto of_b = [](std::function<void(NodeTerms&)> change) {
    return
        [change](const Pki& pki) { return pki.files("wrong", with(terms("b"), change), pki.shop); };
  };
  return {
      {"another authority of the same name", "tls", "certificate",
       [](const Pki& pki) { return pki.files("wrong", terms("b"), elsewhere()); }},
      {"expired", "tls", "expired", of_b([](NodeTerms& t) { t.validity = valid(-48h, -24h); })},
      {"not valid yet", "tls", "not yet valid",
       of_b([](NodeTerms& t) { t.validity = valid(24h, 48h); })},
      {"another cluster's", "identity", "is not for troupe://shop/b",
       of_b([](NodeTerms& t) { t.cluster = "other"; })},
      {"another cluster's, which says so", "wrong_cluster", "belongs to cluster \"other\"",
       of_b([](NodeTerms& t) { t.cluster = "other"; }), "other"},
      {"nobody's", "tls", "names no node", of_b([](NodeTerms& t) { t.names_it = false; })},
      {"another node's", "identity", "is not for troupe://shop/b",
       of_b([](NodeTerms& t) { t.node = "c"; })},
  };
}

Wrong only_for(bool servers) {
  return {servers ? "for servers only" : "for clients only", "tls",
          "unsuitable certificate purpose", [servers](const Pki& pki) {
            return pki.files("wrong",
                             with(terms("b"),
                                  [&](NodeTerms& t) {
                                    t.is_for_servers = servers;
                                    t.is_for_clients = !servers;
                                  }),
                             pki.shop);
          }};
}

void require_refused(Member& a, Member& b, bool b_dials, const Wrong& wrong) {
  const auto reached = b_dials ? b.reach(a) : a.reach(b);
  REQUIRE_FALSE(reached);
  REQUIRE(reached.error().kind == AskErrorKind::no_connection);
  const bool is_mutual = wrong.cluster != std::string("shop");
  REQUIRE((is_mutual ? a.refused_by_any(wrong.reason) : a.refused(wrong.reason)) >= 1);
  REQUIRE(a.lines->have(is_mutual && !b_dials ? "wrong_cluster" : wrong.logged));
  const auto counters = a.node.status().await().counters;
  REQUIRE(counters.strangers == 0);
}

}  // namespace

TEST_CASE("S93 F19 with certificates nodes reach each other, and either may dial", "[remoting]") {
  const Pki pki;
  Member a{"a", pki.files("a")};
  Member b{"b", pki.files("b")};
  const bool a_dials = GENERATE(true, false);
  const auto reached = a_dials ? a.reach(b) : b.reach(a);
  REQUIRE(reached->ask(Add{5}).await().value == 5);
  reached->tell(Payload{std::vector<std::byte>(std::size_t{3} << 20)});
  REQUIRE(reached->ask(Add{0}).await().value == 5 + (std::size_t{3} << 20));
  REQUIRE(a.node.status().await().peers.at(0).name == "b");
  REQUIRE(a.node.status().await().counters.connected == 1);
  REQUIRE(a.node.status().await().counters.refused.empty());
}

TEST_CASE("C186 SEC2 who dials with a wrong certificate is refused, logged and counted",
          "[remoting]") {
  auto all = wrong_certificates();
  all.push_back(only_for(true));
  for (const Wrong& wrong : all) {
    INFO(wrong.what);
    const Pki pki;
    Member a{"a", pki.files("a")};
    Member b{"b", wrong.files(pki), wrong.cluster};
    require_refused(a, b, true, wrong);
  }
}

TEST_CASE("C186 SEC2 who is dialed and has a wrong certificate is refused, logged and counted",
          "[remoting]") {
  auto all = wrong_certificates();
  all.push_back(only_for(false));
  for (const Wrong& wrong : all) {
    INFO(wrong.what);
    const Pki pki;
    Member a{"a", pki.files("a")};
    Member b{"b", wrong.files(pki), wrong.cluster};
    require_refused(a, b, false, wrong);
  }
}

TEST_CASE("S85 C186 a node without TLS and one with it do not talk", "[remoting]") {
  const Pki pki;
  const bool b_dials = GENERATE(true, false);
  Member a{"a", pki.files("a")};
  Member b{"b", std::nullopt};
  require_refused(a, b, b_dials, {"plain", "tls", "TLS handshake", {}});
}

TEST_CASE("SEC2 who shows no certificate is refused before a byte of the protocol", "[remoting]") {
  const Pki pki;
  Member a{"a", pki.files("a")};
  const int socket = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in there{};
  there.sin_family = AF_INET;
  there.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  const std::string address = a.node.address();
  there.sin_port =
      htons(static_cast<std::uint16_t>(std::stoi(address.substr(address.find(':') + 1))));
  REQUIRE(::connect(socket, reinterpret_cast<const sockaddr*>(&there), sizeof there) == 0);
  const std::unique_ptr<SSL_CTX, decltype(&SSL_CTX_free)> context(SSL_CTX_new(TLS_client_method()),
                                                                  &SSL_CTX_free);
  const std::unique_ptr<SSL, decltype(&SSL_free)> ssl(SSL_new(context.get()), &SSL_free);
  SSL_set_fd(ssl.get(), socket);
  SSL_connect(ssl.get());  // TLS 1.3: done before the server has seen that there is none
  char byte = 0;
  REQUIRE(SSL_read(ssl.get(), &byte, 1) <= 0);
  REQUIRE(SSL_get_error(ssl.get(), -1) != SSL_ERROR_ZERO_RETURN);
  ::close(socket);
  REQUIRE(a.refused("tls") == 1);
  REQUIRE(a.lines->have("peer did not return a certificate"));
}

TEST_CASE("S93 new certificates are for connections that begin from then on", "[remoting]") {
  const Pki pki;
  Member a{"a", pki.files("a")};
  Member b{"b", pki.files("b", with(terms("b"), [](NodeTerms& t) { t.node = "c"; }), pki.shop)};
  REQUIRE_FALSE(b.reach(a));
  REQUIRE(a.refused("identity") >= 1);
  static_cast<void>(pki.files("b"));
  REQUIRE_FALSE(b.reach(a));  // it has not looked yet
  b.transport.reload_certificates();
  const auto reached = b.reach_in_the_end(a);
  REQUIRE(reached.ask(Add{1}).await().value == 1);

  std::filesystem::resize_file(TlsFiles::in(pki.directory, "b").certificate, 10);
  REQUIRE_THROWS_AS(b.transport.reload_certificates(), troupe::UsageError);
  REQUIRE(reached.ask(Add{1}).await().value == 2);  // the old ones are in use
  static_cast<void>(pki.files("a"));
  a.transport.reload_certificates();  // also where it listens already
  REQUIRE(reached.ask(Add{1}).await().value == 3);
}

TEST_CASE("S93 a listener takes the next connection with its new certificate", "[remoting]") {
  const Pki pki;
  Member a{"a", pki.files("a", with(terms("a"), [](NodeTerms& t) { t.node = "c"; }), pki.shop)};
  Member b{"b", pki.files("b")};
  static_cast<void>(pki.files("a"));
  a.transport.reload_certificates();
  REQUIRE(b.reach(a)->ask(Add{1}).await().value == 1);
}

/// Under a pass phrase, which nobody is there to type.
static void encrypt(const std::filesystem::path& key) {
  std::FILE* file = std::fopen(key.c_str(), "r+");
  REQUIRE(file != nullptr);
  EVP_PKEY* read = PEM_read_PrivateKey(file, nullptr, nullptr, nullptr);
  REQUIRE(read != nullptr);
  std::rewind(file);
  const int written =
      PEM_write_PKCS8PrivateKey(file, read, EVP_aes_256_cbc(), "secret", 6, nullptr, nullptr);
  EVP_PKEY_free(read);
  std::fclose(file);
  REQUIRE(written == 1);
}

TEST_CASE("C186 files that are no certificates are refused at the start, by name", "[remoting]") {
  const Pki pki;
  const auto refusal = [](const TlsFiles& files) -> std::string {
    try {
      static_cast<void>(TcpTransport::create({files}));
    } catch (const troupe::UsageError& e) {
      return e.what();
    }
    return "none";
  };
  const TlsFiles good = pki.files("a");
  REQUIRE(refusal(good) == "none");
  const TlsFiles of_b = pki.files("b");
  REQUIRE(refusal({good.authority, good.certificate, of_b.key}).find("b.key") != std::string::npos);
  REQUIRE(refusal({good.key, good.certificate, good.key}).find("holds no authority") !=
          std::string::npos);
  REQUIRE(refusal({good.authority, pki.directory / "none.pem", good.key}).find("none.pem") !=
          std::string::npos);
  const TlsFiles locked = pki.files("locked");
  encrypt(locked.key);
  REQUIRE(refusal(locked).find("has a pass phrase") != std::string::npos);
  std::filesystem::permissions(good.key, std::filesystem::perms::group_read,
                               std::filesystem::perm_options::add);
  REQUIRE(refusal(good).find("can be read by others") != std::string::npos);
}
