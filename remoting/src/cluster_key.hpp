// The key that the nodes of a cluster share where there is no TLS: on loopback only.
#pragma once

#include <array>
#include <cstddef>
#include <filesystem>
#include <span>
#include <vector>

#include "frame.hpp"

namespace troupe::remoting::detail {

/// Who proves something: part of what is proven, so that nobody can send a proof back to its maker.
enum class HandshakeRole : std::uint8_t { dialer = 'D', listener = 'L' };

using Proof = std::array<Word, 4>;  ///< 32 bytes

/// Thread safety: a value.
class ClusterKey {
 public:
  /// Reads a key file: 32 bytes or more, readable by its owner only. Throws UsageError that says
  /// what is wrong with it, and never what is in it.
  static ClusterKey read(const std::filesystem::path& file);
  /// Throws UsageError when it is shorter than 32 bytes.
  explicit ClusterKey(std::vector<std::byte> key);

  /// HMAC-SHA-256 over the role and both hellos (docs/wire-protocol.md, section 3).
  [[nodiscard]] Proof proof(HandshakeRole role, std::span<const Word> hello_of_dialer,
                            std::span<const Word> hello_of_listener) const;

 private:
  std::vector<std::byte> key_;
};

/// 32 bytes from the operating system, by OpenSSL's generator. Throws std::runtime_error when it
/// has none.
[[nodiscard]] std::array<std::byte, 32> new_nonce();

/// In a time that does not depend on where they differ.
[[nodiscard]] bool is_same_proof(const Proof& proof, std::span<const Word> other) noexcept;

}  // namespace troupe::remoting::detail
