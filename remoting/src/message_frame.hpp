// Frames that carry a message: tell, ask and answer (docs/wire-protocol.md, section 2).
#pragma once

#include <chrono>
#include <cstdint>
#include <span>
#include <vector>

#include <troupe/codec/codec.hpp>
#include <troupe/runtime/ask.hpp>

#include "frame.hpp"

namespace troupe::remoting::detail {

/// What stands before the message of a tell or an ask.
struct MessageHead {
  std::uint64_t receiver = 0;
  std::uint64_t sender = 0;  ///< 0: nobody
  std::uint64_t schema = 0;
  std::uint64_t request = 0;                     ///< of an ask
  std::chrono::nanoseconds timeout{no_timeout};  ///< of an ask: what is left of it

  bool operator==(const MessageHead&) const = default;
};

/// The schema of an answer that is none of a schema: nothing looks for it.
inline constexpr std::uint64_t no_schema = 0;

/// What stands before the message of an answer.
struct AnswerHead {
  std::uint64_t request = 0;
  std::uint64_t schema = 0;
  std::uint64_t status = 0;  ///< 0: a value; else 1 + AskErrorKind

  bool operator==(const AnswerHead&) const = default;
};

/// A frame of one of the two, and the words of its message.
template <class Head>
struct MessageFrame {
  Head head;
  std::span<const Word> message;
};

// Appends a whole frame, however large. Throws what encoding throws, and leaves `out` as it was.
void append_tell(std::vector<Word>& out, const MessageHead& head, const codec::Codec& codec,
                 const void* message);
void append_ask(std::vector<Word>& out, const MessageHead& head, const codec::Codec& codec,
                const void* message);
void append_answer(std::vector<Word>& out, const AnswerHead& head, const codec::Codec& codec,
                   const void* message);

/// Of a tell or an ask. Throws ProtocolError when it is too short.
[[nodiscard]] MessageFrame<MessageHead> read_message(const Frame& frame);
[[nodiscard]] MessageFrame<AnswerHead> read_answer(const Frame& frame);

}  // namespace troupe::remoting::detail
