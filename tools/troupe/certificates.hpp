// An authority of a cluster, and certificates of its nodes: for tests, for trying things out, and
// for those who have no public key infrastructure of their own.
#pragma once

#include <chrono>
#include <filesystem>
#include <memory>
#include <stdexcept>
#include <string>

struct evp_pkey_st;
struct x509_st;

namespace troupe::tools {

/// Says what is wrong, and with which file. Thread safety: as std::runtime_error.
class BadCertificates : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// A certificate and its key (ECDSA on P-256). Thread safety: a value.
struct Credentials {
  std::shared_ptr<x509_st> certificate;
  std::shared_ptr<evp_pkey_st> key;
};

struct Validity {
  std::chrono::system_clock::time_point from;
  std::chrono::system_clock::time_point until;
};

/// What a node's certificate says of it.
struct NodeTerms {
  std::string cluster;
  std::string node;
  Validity validity;
  bool is_for_servers = true;
  bool is_for_clients = true;
  bool names_it = true;  ///< false: as the certificates of others are, which no node takes
};

/// Who vouches for the nodes of one cluster. Thread safety: a value.
class Authority {
 public:
  /// Throws BadCertificates when the cluster's name is none.
  Authority(const std::string& cluster, const Validity& validity);
  /// The one that `write` left there. Throws BadCertificates.
  static Authority read(const std::filesystem::path& directory);
  /// Makes authority.pem, and authority.key that only its owner can read. Throws BadCertificates,
  /// also where there is one already.
  void write(const std::filesystem::path& directory) const;

  [[nodiscard]] const std::string& cluster() const noexcept { return cluster_; }
  /// Throws BadCertificates when a name is none.
  [[nodiscard]] Credentials issue(const NodeTerms& terms) const;

 private:
  Authority(std::string cluster, Credentials own)
      : cluster_(std::move(cluster)), own_(std::move(own)) {}
  std::string cluster_;
  Credentials own_;
};

/// Makes NAME.pem and NAME.key, or replaces them. Throws BadCertificates.
void write_credentials(const Credentials& credentials, const std::filesystem::path& directory,
                       const std::string& name);

}  // namespace troupe::tools
