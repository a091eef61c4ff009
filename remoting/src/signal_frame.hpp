// Frames that say what one actor does to the life of another, and the other frames whose body is a
// struct of wire.capnp (docs/wire-protocol.md, section 2).
#pragma once

#include <vector>

#include <troupe/runtime/detail/remote.hpp>

#include "frame.hpp"
#include "send_queue.hpp"

namespace troupe::remoting::detail {

/// A signal between two actors that are named by their numbers, whose addresses it leaves out.
/// Thread safety: a value.
struct NumberedSignal {
  std::uint64_t from = 0;
  std::uint64_t to = 0;
  troupe::detail::RemoteSignal signal;
};

/// Appends a whole frame.
void append_signal(std::vector<Word>& out, const NumberedSignal& numbered);
[[nodiscard]] bool is_signal(FrameKind kind) noexcept;
/// Of a frame of such a kind. Throws ProtocolError when its body is none.
[[nodiscard]] NumberedSignal read_signal(const Frame& frame);

/// Appends a frame whose body is a struct.
template <class T>
void append_struct(std::vector<Word>& out, FrameKind kind, const T& body) {
  const std::size_t words = T::troupe_codec.words(&body);
  const std::size_t begin = out.size();
  out.resize(begin + 1 + words);
  out[begin] = frame_header(kind, words);
  T::troupe_codec.write(&body, std::span(out).subspan(begin + 1));
}
/// Throws ProtocolError.
template <class T>
T read_struct(std::span<const Word> words) {
  try {
    return codec::decode<T>(words);
  } catch (const codec::CodecError& e) {
    throw ProtocolError(std::string("a frame's body can't be read: ") + e.what());
  }
}

}  // namespace troupe::remoting::detail
