// The codec of a message: what wire and journal know of its bytes, which are Cap'n Proto's.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <new>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include <troupe/runtime/detail/ref_names.hpp>
#include <troupe/runtime/message.hpp>

namespace troupe::codec {

/// What messages are made of: 8 bytes, aligned to as many.
using Word = std::uint64_t;

/// Bytes that are no such message, or a message that is too large to be encoded. Thread safety: a
/// value.
class CodecError : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// How a type is encoded: in Cap'n Proto's standard encoding with its stream framing, one segment.
/// Generated as a member of each struct of a schema. Thread safety: any thread.
struct Codec {
  SchemaId schema{};
  const char* name = nullptr;  ///< for people: "shop::Order.Item"
  /// Another one where any of its fields differs, or of what they are made of; 0: nobody has said.
  std::uint64_t fingerprint = 0;
  /// The size of its encoding. Throws CodecError when that is larger than 4 GiB, or a union holds
  /// nothing; UsageError for a ref to an actor of a System that is no node.
  std::size_t (*words)(const void* message) = nullptr;
  /// Encodes into exactly so many words. Throws CodecError when a list has 2^29 elements or more.
  void (*write)(const void* message, std::span<Word> out) = nullptr;
  /// Constructs a message there.
  void (*construct)(void* where) = nullptr;
  /// Decodes into a message that was constructed; `refs` finds the actors it names, where it has
  /// refs. Throws CodecError.
  void (*read)(void* message, std::span<const Word> words,
               troupe::detail::RefNames* refs) = nullptr;
};

template <class M>
concept HasCodec = troupe::detail::HasCodec<M>;

/// Throws CodecError where it can't be encoded: see Codec.
template <HasCodec M>
std::vector<Word> encode(const M& message) {
  std::vector<Word> words(M::troupe_codec.words(&message));
  M::troupe_codec.write(&message, words);
  return words;
}
/// Throws CodecError; also where it has a ref, which is read for a System.
template <HasCodec M>
M decode(std::span<const Word> words) {
  M message;
  M::troupe_codec.read(&message, words, nullptr);
  return message;
}
/// Decodes for a System that is a node. Throws CodecError.
template <HasCodec M>
M decode(std::span<const Word> words, System& system) {
  M message;
  M::troupe_codec.read(&message, words, troupe::detail::ref_names(system));
  return message;
}

}  // namespace troupe::codec
