// Frames: what a connection is cut into (docs/wire-protocol.md, sections 2 and 5).
//
// Design. A frame is decoded where it was received: its body is a view into the reader's buffer,
// which is aligned as messages are. What is left of a frame at the end of the buffer is moved to
// its front, at most once for each time it was full.
#pragma once

#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <stdexcept>
#include <string_view>
#include <vector>

#include <troupe/codec/codec.hpp>

namespace troupe::remoting::detail {

static_assert(std::endian::native == std::endian::little, "the wire's numbers are the machine's");

using codec::Word;

enum class FrameKind : std::uint8_t {
  hello = 1,
  proof = 2,
  ready = 3,
  refuse = 4,
  heartbeat = 8,
  credit = 9,
  goodbye = 10,
  tell = 16,
  ask = 17,
  answer = 18,
  cancel = 19,
  chunk = 24,
  watch = 32,
  unwatch = 33,
  down = 34,
  link = 35,
  unlink = 36,
  exit = 37,
  stop = 38,
  resolve = 48,
  spawn = 49,
};
/// Those below it belong to no pair of actors, and overtake all others.
inline constexpr auto first_kind_of_pairs = FrameKind::tell;

inline constexpr std::size_t chunk_words = 8192;          ///< of a frame, in one chunk: 64 KiB
inline constexpr std::size_t chunk_head_words = 2;        ///< before them, in its body
inline constexpr std::size_t message_head_words_max = 5;  ///< of an ask
inline constexpr std::size_t body_words_max = chunk_words + 6;

/// The peer does not speak this protocol, or exceeds its bounds: that ends the epoch. Thread
/// safety: a value.
class ProtocolError : public std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Thread safety: a value; `body` lives as long as where it was read.
struct Frame {
  FrameKind kind{};
  bool is_ignorable = false;  ///< whoever does not know its kind skips it
  std::span<const Word> body;
};

[[nodiscard]] constexpr Word frame_header(FrameKind kind, std::size_t body_words,
                                          bool is_ignorable = false) noexcept {
  return body_words | Word{static_cast<std::uint8_t>(kind)} << 32 | Word{is_ignorable} << 40;
}

/// Cuts what comes into frames.
/// Thread safety: one thread at a time.
class FrameReader {
 public:
  FrameReader();
  /// Where the next bytes go; never empty. Ends the frames that `next` returned before.
  [[nodiscard]] std::span<std::byte> space();
  /// So many bytes came there.
  void received(std::size_t bytes) noexcept { end_ += bytes; }
  /// The next frame that is complete; nothing: more has to come first. Throws ProtocolError.
  [[nodiscard]] std::optional<Frame> next();
  /// The first word of a connection, which is no frame; nothing: more has to come first.
  [[nodiscard]] std::optional<Word> preface() noexcept;

 private:
  [[nodiscard]] std::size_t waiting_words() const noexcept { return end_ / sizeof(Word) - begin_; }
  std::vector<Word> buffer_;
  std::size_t begin_ = 0;  ///< in words
  std::size_t end_ = 0;    ///< in bytes
};

/// The bounds of what one peer may have under way in chunks.
struct ChunkBounds {
  std::size_t frame_words_max = (std::size_t{64} << 20) / sizeof(Word) + message_head_words_max + 1;
  std::size_t streams_max = 64;
};

/// Puts frames together that come in chunks.
/// Thread safety: one thread at a time.
class ChunkReader {
 public:
  explicit ChunkReader(const ChunkBounds& bounds = {}) : bounds_(bounds) {}
  /// Takes the body of a chunk. The frame whose last chunk it was, which lives until the next call;
  /// nothing: more has to come first. Throws ProtocolError.
  [[nodiscard]] std::optional<Frame> add(std::span<const Word> chunk);
  /// What has come of frames that are not complete.
  [[nodiscard]] std::size_t waiting_words() const noexcept { return waiting_words_; }

 private:
  struct Stream {
    std::uint32_t number;
    std::size_t total;
    std::vector<Word> words;
  };
  Stream& stream_of(std::uint32_t number, std::size_t total);

  ChunkBounds bounds_;
  std::vector<Stream> streams_;  ///< few
  std::vector<Word> complete_;
  std::size_t waiting_words_ = 0;
};

/// A frame that is larger than one may be, on its way in chunks.
/// Thread safety: one thread at a time.
class ChunkWriter {
 public:
  /// `frame` is header and body, of more than body_words_max words.
  ChunkWriter(std::uint32_t stream, std::vector<Word> frame);
  /// Appends the next chunk, a whole frame. False: it was the last.
  bool append_next(std::vector<Word>& out);
  [[nodiscard]] std::uint32_t stream() const noexcept { return stream_; }

 private:
  std::uint32_t stream_;
  std::vector<Word> frame_;
  std::size_t sent_ = 0;
};

}  // namespace troupe::remoting::detail
