#include "message_frame.hpp"

#include <algorithm>
#include <array>
#include <string>

namespace troupe::remoting::detail {

namespace {

constexpr std::size_t tell_head_words = 3;
constexpr std::size_t ask_head_words = 5;
constexpr std::size_t answer_head_words = 3;
static_assert(ask_head_words == message_head_words_max);

template <std::size_t N>
void append(std::vector<Word>& out, FrameKind kind, const std::array<Word, N>& head,
            const codec::Codec& codec, const void* message) {
  const std::size_t words = codec.words(message);
  const std::size_t begin = out.size();
  out.resize(begin + 1 + N + words);
  try {
    codec.write(message, std::span(out).subspan(begin + 1 + N));
  } catch (...) {  // what can't be encoded: its sender's to hear
    out.resize(begin);
    throw;
  }
  out[begin] = frame_header(kind, N + words);
  std::copy(head.begin(), head.end(), out.begin() + static_cast<std::ptrdiff_t>(begin + 1));
}

void check_length(const Frame& frame, std::size_t head_words) {
  if (frame.body.size() > head_words) return;
  throw ProtocolError("a frame of kind " + std::to_string(static_cast<int>(frame.kind)) + " of " +
                      std::to_string(frame.body.size()) + " words has no room for its message");
}

}  // namespace

void append_tell(std::vector<Word>& out, const MessageHead& head, const codec::Codec& codec,
                 const void* message) {
  append(out, FrameKind::tell, std::array{head.receiver, head.sender, head.schema}, codec, message);
}

void append_ask(std::vector<Word>& out, const MessageHead& head, const codec::Codec& codec,
                const void* message) {
  append(out, FrameKind::ask,
         std::array{head.receiver, head.sender, head.schema, head.request,
                    static_cast<Word>(head.timeout.count())},
         codec, message);
}

void append_answer(std::vector<Word>& out, const AnswerHead& head, const codec::Codec& codec,
                   const void* message) {
  append(out, FrameKind::answer, std::array{head.request, head.schema, head.status}, codec,
         message);
}

MessageFrame<MessageHead> read_message(const Frame& frame) {
  const std::size_t head_words = frame.kind == FrameKind::ask ? ask_head_words : tell_head_words;
  check_length(frame, head_words);
  MessageHead head{frame.body[0], frame.body[1], frame.body[2]};
  if (frame.kind == FrameKind::ask) {
    head.request = frame.body[3];
    head.timeout = std::chrono::nanoseconds{static_cast<std::int64_t>(frame.body[4])};
  }
  return {head, frame.body.subspan(head_words)};
}

MessageFrame<AnswerHead> read_answer(const Frame& frame) {
  check_length(frame, answer_head_words);
  return {{frame.body[0], frame.body[1], frame.body[2]}, frame.body.subspan(answer_head_words)};
}

}  // namespace troupe::remoting::detail
