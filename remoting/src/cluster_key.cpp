#include "cluster_key.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <troupe/runtime/error.hpp>

namespace troupe::remoting::detail {

namespace {

constexpr std::size_t key_bytes_min = 32;
constexpr std::size_t key_bytes_max = 4096;

struct File {
  int descriptor;
  ~File() { ::close(descriptor); }
};

[[noreturn]] void refuse(const std::filesystem::path& file, const std::string& why) {
  throw UsageError("the cluster's key file " + file.string() + " " + why);
}

}  // namespace

ClusterKey::ClusterKey(std::vector<std::byte> key) : key_(std::move(key)) {
  if (key_.size() < key_bytes_min)
    throw UsageError("a cluster's key has at least 32 bytes: head -c 32 /dev/urandom");
}

ClusterKey ClusterKey::read(const std::filesystem::path& file) {
  const File opened{::open(file.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW)};
  if (opened.descriptor < 0) refuse(file, std::string("can't be opened: ") + std::strerror(errno));
  struct stat status {};
  if (::fstat(opened.descriptor, &status) != 0 || !S_ISREG(status.st_mode))
    refuse(file, "is no file");
  if ((status.st_mode & (S_IRWXG | S_IRWXO)) != 0)
    refuse(file, "may be used by others: chmod 600 it");
  if (status.st_uid != ::geteuid()) refuse(file, "belongs to somebody else");
  std::vector<std::byte> key(key_bytes_max + 1);
  const ssize_t count = ::read(opened.descriptor, key.data(), key.size());
  if (count < 0) refuse(file, std::string("can't be read: ") + std::strerror(errno));
  if (count > static_cast<ssize_t>(key_bytes_max)) refuse(file, "is longer than 4096 bytes");
  if (count < static_cast<ssize_t>(key_bytes_min))
    refuse(file, "is shorter than 32 bytes: head -c 32 /dev/urandom");
  key.resize(static_cast<std::size_t>(count));
  return ClusterKey{std::move(key)};
}

Proof ClusterKey::proof(HandshakeRole role, std::span<const Word> hello_of_dialer,
                        std::span<const Word> hello_of_listener) const {
  std::vector<Word> proven{static_cast<Word>(role)};
  proven.insert(proven.end(), hello_of_dialer.begin(), hello_of_dialer.end());
  proven.insert(proven.end(), hello_of_listener.begin(), hello_of_listener.end());
  Proof proof{};
  unsigned length = 0;
  const unsigned char* made =
      HMAC(EVP_sha256(), key_.data(), static_cast<int>(key_.size()),
           reinterpret_cast<const unsigned char*>(proven.data()), proven.size() * sizeof(Word),
           reinterpret_cast<unsigned char*>(proof.data()), &length);
  if (made == nullptr || length != sizeof proof)
    throw std::runtime_error("HMAC-SHA-256 failed: see OpenSSL's configuration");
  return proof;
}

std::array<std::byte, 32> new_nonce() {
  std::array<std::byte, 32> nonce{};
  if (RAND_bytes(reinterpret_cast<unsigned char*>(nonce.data()), nonce.size()) != 1)
    throw std::runtime_error("OpenSSL has no random bytes: see its configuration");
  return nonce;
}

bool is_same_proof(const Proof& proof, std::span<const Word> other) noexcept {
  return other.size() == proof.size() &&
         CRYPTO_memcmp(proof.data(), other.data(), sizeof proof) == 0;
}

}  // namespace troupe::remoting::detail
