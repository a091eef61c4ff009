#include "frame.hpp"

#include <algorithm>
#include <cstring>
#include <string>
#include <utility>

#include <troupe/runtime/detail/mutant.hpp>

namespace troupe::remoting::detail {

namespace {

constexpr std::size_t buffer_words = 2 * (1 + body_words_max);
constexpr Word ignorable_bit = Word{1} << 40;
constexpr Word known_bits = Word{0x1ff} << 32 | 0xffff'ffff;

std::size_t body_words_of(Word header) {
  if ((header & ~known_bits) != 0)
    throw ProtocolError("a frame's header has bits that mean nothing in this version");
  return header & 0xffff'ffff;
}

Frame frame_of(Word header, std::span<const Word> body) noexcept {
  return {static_cast<FrameKind>(header >> 32 & 0xff), (header & ignorable_bit) != 0, body};
}

}  // namespace

FrameReader::FrameReader() : buffer_(buffer_words) {}

std::span<std::byte> FrameReader::space() {
  const std::size_t bytes = buffer_.size() * sizeof(Word);
  const bool is_half_full = end_ > bytes / 2;
  if (begin_ * sizeof(Word) == end_) {
    begin_ = end_ = 0;
  } else if (is_half_full && begin_ > 0) {  // so the rest of any frame has room
    std::memmove(buffer_.data(), buffer_.data() + begin_, end_ - begin_ * sizeof(Word));
    end_ -= begin_ * sizeof(Word);
    begin_ = 0;
  }
  return std::as_writable_bytes(std::span(buffer_)).subspan(end_);
}

std::optional<Word> FrameReader::preface() noexcept {
  if (waiting_words() == 0) return std::nullopt;
  return buffer_[begin_++];
}

std::optional<Frame> FrameReader::next() {
  if (waiting_words() == 0) return std::nullopt;
  const Word header = buffer_[begin_];
  const std::size_t words = body_words_of(header);
  if (words > body_words_max) {
    throw ProtocolError("a frame of " + std::to_string(words) + " words: at most " +
                        std::to_string(body_words_max) + " are allowed");
  }
  if (waiting_words() < 1 + words) return std::nullopt;
  const Frame frame = frame_of(header, std::span(buffer_).subspan(begin_ + 1, words));
  begin_ += 1 + words;
  return frame;
}

ChunkReader::Stream& ChunkReader::stream_of(std::uint32_t number, std::size_t total) {
  const auto known = std::find_if(streams_.begin(), streams_.end(),
                                  [&](const Stream& s) { return s.number == number; });
  if (known != streams_.end()) {
    if (known->total != total) throw ProtocolError("a chunk gives its frame another length");
    return *known;
  }
  if (total <= 1 + body_words_max) throw ProtocolError("a frame in chunks that needs none");
  if (total > bounds_.frame_words_max) {
    throw ProtocolError("a frame of " + std::to_string(total) + " words in chunks: at most " +
                        std::to_string(bounds_.frame_words_max) + " are allowed");
  }
  if (streams_.size() >= bounds_.streams_max)
    throw ProtocolError("more than " + std::to_string(bounds_.streams_max) +
                        " frames in chunks at a time");
  Stream& fresh = streams_.emplace_back(Stream{number, total, {}});
  fresh.words.reserve(total);  // of address space: what nobody writes to costs nothing
  return fresh;
}

std::optional<Frame> ChunkReader::add(std::span<const Word> chunk) {
  complete_ = {};
  if (chunk.size() <= chunk_head_words) throw ProtocolError("an empty chunk");
  const auto number = static_cast<std::uint32_t>(chunk[0]);
  if (chunk[0] >> 32 != 0)
    throw ProtocolError("a chunk's header has bits that mean nothing in this version");
  Stream& stream = stream_of(number, chunk[1]);
  const std::span<const Word> words = chunk.subspan(chunk_head_words);
  const std::size_t left = stream.total - stream.words.size();
  if (words.size() != std::min(left, chunk_words))
    throw ProtocolError("a chunk of " + std::to_string(words.size()) + " words where " +
                        std::to_string(std::min(left, chunk_words)) + " were due");
  if (waiting_words_ + words.size() > 2 * bounds_.frame_words_max)
    throw ProtocolError("more than two messages' length waits in chunks");
  const bool is_in_order = !troupe::detail::mutant("chunks_are_reordered");
  stream.words.insert(is_in_order ? stream.words.end() : stream.words.begin(), words.begin(),
                      words.end());
  waiting_words_ += words.size();
  if (words.size() < left) return std::nullopt;

  waiting_words_ -= stream.total;
  complete_ = std::move(stream.words);
  streams_.erase(streams_.begin() + (&stream - streams_.data()));
  const Word header = complete_[0];
  const Frame frame = frame_of(header, std::span(complete_).subspan(1));
  if (body_words_of(header) != frame.body.size())
    throw ProtocolError("a frame in chunks is not as long as its header says");
  if (frame.kind < first_kind_of_pairs || frame.kind == FrameKind::chunk)
    throw ProtocolError("a frame of this kind can't come in chunks");
  return frame;
}

ChunkWriter::ChunkWriter(std::uint32_t stream, std::vector<Word> frame)
    : stream_(stream), frame_(std::move(frame)) {}

bool ChunkWriter::append_next(std::vector<Word>& out) {
  const std::size_t words = std::min(frame_.size() - sent_, chunk_words);
  out.push_back(frame_header(FrameKind::chunk, chunk_head_words + words));
  out.push_back(stream_);
  out.push_back(frame_.size());
  const auto begin = frame_.begin() + static_cast<std::ptrdiff_t>(sent_);
  out.insert(out.end(), begin, begin + static_cast<std::ptrdiff_t>(words));
  sent_ += words;
  return sent_ < frame_.size();
}

}  // namespace troupe::remoting::detail
