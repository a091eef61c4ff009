// Frames: their bytes are those of the specification, and what breaks its rules is refused.
#include <cstring>
#include <fstream>
#include <numeric>
#include <random>
#include <sstream>

#include <catch2/catch.hpp>

#include "frame.hpp"
#include "message_frame.hpp"
#include "remoting/ping.capnp.hpp"

using namespace troupe::remoting::detail;
using wire_test::Load;
using wire_test::Ping;

namespace {

/// The bytes of an example of the specification, by its heading.
std::vector<std::byte> example(const std::string& heading) {
  std::ifstream file{WIRE_PROTOCOL};
  std::vector<std::byte> bytes;
  bool is_it = false;
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("#")) is_it = line == "### Example: " + heading;
    if (!is_it || !line.starts_with("    ")) continue;
    std::istringstream in{line};
    for (int i = 0; i < 8; ++i) {
      unsigned value = 0;
      in >> std::hex >> value;
      bytes.push_back(static_cast<std::byte>(value));
    }
  }
  return bytes;
}

std::vector<std::byte> bytes_of(std::span<const Word> words) {
  const auto bytes = std::as_bytes(words);
  return {bytes.begin(), bytes.end()};
}

/// Gives a reader bytes, as many at a time as `piece` says.
template <class Take>
void feed(FrameReader& reader, std::span<const std::byte> bytes, std::size_t piece,
          const Take& take) {
  while (!bytes.empty()) {
    const auto space = reader.space();
    REQUIRE_FALSE(space.empty());
    const std::size_t count = std::min({piece, space.size(), bytes.size()});
    std::memcpy(space.data(), bytes.data(), count);
    reader.received(count);
    bytes = bytes.subspan(count);
    while (const auto frame = reader.next()) take(*frame);
  }
}

std::vector<Word> counted(std::size_t words, Word first = 0) {
  std::vector<Word> body(words);
  std::iota(body.begin(), body.end(), first);
  return body;
}
void append_frame(std::vector<Word>& out, FrameKind kind, const std::vector<Word>& body,
                  bool is_ignorable = false) {
  out.push_back(frame_header(kind, body.size(), is_ignorable));
  out.insert(out.end(), body.begin(), body.end());
}

std::string problem_of(const std::vector<Word>& words) {
  FrameReader reader;
  try {
    feed(reader, std::as_bytes(std::span(words)), 1 << 20, [](const Frame&) {});
  } catch (const ProtocolError& e) {
    return e.what();
  }
  return "";
}

/// All the chunks of a frame of so many words.
std::vector<std::vector<Word>> chunks_of(std::uint32_t stream, std::size_t words) {
  std::vector<Word> frame = counted(words, stream * 1'000'000);
  frame[0] = frame_header(FrameKind::tell, words - 1);
  ChunkWriter writer{stream, frame};
  std::vector<std::vector<Word>> chunks;
  for (bool more = true; more;) {
    more = writer.append_next(chunks.emplace_back());
    chunks.back().erase(chunks.back().begin());  // the header: what is left is the chunk's body
  }
  return chunks;
}

std::string problem_of_chunks(const std::vector<std::vector<Word>>& chunks,
                              const ChunkBounds& bounds = {}) {
  ChunkReader reader{bounds};
  try {
    for (const auto& chunk : chunks) static_cast<void>(reader.add(chunk));
  } catch (const ProtocolError& e) {
    return e.what();
  }
  return "";
}

}  // namespace

TEST_CASE("section 2: a tell has the bytes of the example, and is read from them", "[remoting]") {
  std::vector<Word> out;
  const Ping ping{7};
  append_tell(out, {.receiver = 5, .sender = 9, .schema = 0x8f4c2c1d5a3b7e61}, Ping::troupe_codec,
              &ping);
  REQUIRE(bytes_of(out) == example("a tell"));
  REQUIRE(Ping::troupe_codec.schema.value == 0x8f4c2c1d5a3b7e61);

  int frames = 0;
  FrameReader reader;
  feed(reader, example("a tell"), 1, [&](const Frame& frame) {
    ++frames;
    REQUIRE(frame.kind == FrameKind::tell);
    const auto [head, message] = read_message(frame);
    REQUIRE(head == MessageHead{5, 9, 0x8f4c2c1d5a3b7e61});
    REQUIRE(troupe::codec::decode<Ping>(message) == ping);
  });
  REQUIRE(frames == 1);
}

TEST_CASE("section 2: a heartbeat has the bytes of the example", "[remoting]") {
  std::vector<Word> out;
  append_frame(out, FrameKind::heartbeat, {42});
  REQUIRE(bytes_of(out) == example("a heartbeat"));
}

TEST_CASE("section 2: asks and answers are read as they were written", "[remoting]") {
  using namespace std::chrono_literals;
  const Ping ping{3};
  std::vector<Word> out;
  append_ask(out, {1, 2, 3, 4, 1500ms}, Ping::troupe_codec, &ping);
  append_answer(out, {4, 5, 6}, Ping::troupe_codec, &ping);
  FrameReader reader;
  std::vector<FrameKind> kinds;
  feed(reader, std::as_bytes(std::span(out)), 5, [&](const Frame& frame) {
    kinds.push_back(frame.kind);
    if (frame.kind == FrameKind::ask) {
      REQUIRE(read_message(frame).head == MessageHead{1, 2, 3, 4, 1500ms});
    } else {
      REQUIRE(read_answer(frame).head == AnswerHead{4, 5, 6});
      REQUIRE(troupe::codec::decode<Ping>(read_answer(frame).message) == ping);
    }
  });
  REQUIRE(kinds == std::vector{FrameKind::ask, FrameKind::answer});
}

TEST_CASE("a message that can't be encoded leaves nothing behind", "[remoting]") {
  static constexpr troupe::codec::Codec bad{
      .words = [](const void*) -> std::size_t { return 3; },
      .write = [](const void*, std::span<Word>) { throw troupe::codec::CodecError("bad"); }};
  std::vector<Word> out{1, 2};
  const Ping ping{};
  REQUIRE_THROWS_AS(append_tell(out, {}, bad, &ping), troupe::codec::CodecError);
  REQUIRE(out == std::vector<Word>{1, 2});
}

TEST_CASE("frames come out as they went in, however the connection cuts them", "[remoting]") {
  std::mt19937 random{7};  // lint:allow(random) a fixed seed
  std::vector<Word> out;
  std::vector<std::vector<Word>> bodies;
  for (int i = 0; i < 300; ++i) {
    const std::size_t words = i % 50 == 0 ? body_words_max : random() % (i % 7 == 0 ? 3000 : 20);
    append_frame(out, FrameKind::tell, bodies.emplace_back(counted(words, random())), i % 2 == 0);
  }
  for (const std::size_t piece : {1, 7, 8, 1000, 65'536, 1 << 20}) {
    FrameReader reader;
    std::size_t at = 0;
    feed(reader, std::as_bytes(std::span(out)), piece, [&](const Frame& frame) {
      const bool is_aligned = reinterpret_cast<std::uintptr_t>(frame.body.data()) % 8 == 0;
      const bool is_it = std::equal(frame.body.begin(), frame.body.end(), bodies.at(at).begin(),
                                    bodies.at(at).end());
      if (!is_aligned || !is_it || frame.is_ignorable != (at % 2 == 0)) FAIL("frame " << at);
      ++at;
    });
    REQUIRE(at == bodies.size());
  }
}

TEST_CASE("section 3: the preface is the connection's first word", "[remoting]") {
  FrameReader reader;
  REQUIRE_FALSE(reader.preface());
  const std::vector<Word> words{0x0100'4550'554f'5254, frame_header(FrameKind::heartbeat, 1), 1};
  std::memcpy(reader.space().data(), words.data(), 24);
  reader.received(24);
  REQUIRE(reader.preface() == 0x0100'4550'554f'5254);
  REQUIRE(reader.next()->kind == FrameKind::heartbeat);
}

TEST_CASE("section 2: a frame that is too large is refused before it has come", "[remoting]") {
  REQUIRE(problem_of({frame_header(FrameKind::tell, body_words_max)}) == "");
  REQUIRE(problem_of({frame_header(FrameKind::tell, body_words_max + 1)}) ==
          "a frame of 8199 words: at most 8198 are allowed");
  REQUIRE(problem_of({frame_header(FrameKind::tell, 0xffff'ffff)}) ==
          "a frame of 4294967295 words: at most 8198 are allowed");
}

TEST_CASE("section 2: bits that mean nothing are zero", "[remoting]") {
  for (int bit = 41; bit < 64; ++bit) {
    INFO("bit " << bit);
    REQUIRE(problem_of({frame_header(FrameKind::tell, 0) | Word{1} << bit}) ==
            "a frame's header has bits that mean nothing in this version");
  }
}

TEST_CASE("section 2: a message frame without a message is refused", "[remoting]") {
  const std::vector<Word> body = counted(5);
  const auto first = [&](std::size_t words) { return std::span(body).first(words); };
  REQUIRE_THROWS_AS(read_message({FrameKind::tell, false, first(3)}), ProtocolError);
  REQUIRE_THROWS_AS(read_message({FrameKind::ask, false, first(5)}), ProtocolError);
  REQUIRE_THROWS_AS(read_answer({FrameKind::answer, false, first(3)}), ProtocolError);
  REQUIRE_NOTHROW(read_message({FrameKind::tell, false, first(4)}));
}

TEST_CASE("S88 section 5: a large frame goes in chunks, and comes together among others",
          "[remoting]") {
  const std::size_t sizes[] = {body_words_max + 2, 2 * chunk_words, 5 * chunk_words + 1};
  std::vector<std::vector<std::vector<Word>>> streams;
  for (std::uint32_t i = 0; i < 3; ++i) streams.push_back(chunks_of(i, sizes[i]));
  REQUIRE(streams[1].size() == 2);
  REQUIRE(streams[2].size() == 6);
  ChunkReader reader;
  std::vector<std::size_t> complete;
  for (std::size_t round = 0; round < 6; ++round) {
    for (std::size_t i = 0; i < 3; ++i) {
      if (round >= streams[i].size()) continue;
      REQUIRE(streams[i][round].size() <= body_words_max);
      const auto frame = reader.add(streams[i][round]);
      if (!frame) continue;
      complete.push_back(i);
      REQUIRE(frame->kind == FrameKind::tell);
      REQUIRE(frame->body.size() == sizes[i] - 1);
      REQUIRE(frame->body.back() == i * 1'000'000 + sizes[i] - 1);
    }
  }
  REQUIRE(complete == std::vector<std::size_t>{0, 1, 2});
  REQUIRE(reader.waiting_words() == 0);
  REQUIRE(problem_of_chunks({streams[0][0], streams[0][1], streams[0][0]}) == "");  // free again
}

TEST_CASE("section 5: chunks that break the rules are refused", "[remoting]") {
  const auto whole = chunks_of(1, 2 * chunk_words + 5);
  const auto with = [&](std::size_t word, Word value) {
    auto chunk = whole[0];
    chunk[word] = value;
    return chunk;
  };
  auto short_one = whole[0];
  short_one.pop_back();
  REQUIRE(problem_of_chunks({{1, 20'000}}) == "an empty chunk");
  REQUIRE(problem_of_chunks({short_one}) == "a chunk of 8191 words where 8192 were due");
  REQUIRE(problem_of_chunks({with(1, body_words_max)}) == "a frame in chunks that needs none");
  REQUIRE(problem_of_chunks({with(1, Word{1} << 40)}) ==
          "a frame of 1099511627776 words in chunks: at most 8388614 are allowed");
  REQUIRE(problem_of_chunks({whole[0], with(1, 2 * chunk_words + 6)}) ==
          "a chunk gives its frame another length");
  REQUIRE(problem_of_chunks({with(0, Word{1} << 32)}) ==
          "a chunk's header has bits that mean nothing in this version");
  REQUIRE(problem_of_chunks({with(2, frame_header(FrameKind::tell, 5)), whole[1], whole[2]}) ==
          "a frame in chunks is not as long as its header says");
  for (const auto kind : {FrameKind::heartbeat, FrameKind::chunk}) {
    const Word header = frame_header(kind, 2 * chunk_words + 4);
    REQUIRE(problem_of_chunks({with(2, header), whole[1], whole[2]}) ==
            "a frame of this kind can't come in chunks");
  }
}

TEST_CASE("section 5: what a peer may have under way in chunks is bounded", "[remoting]") {
  std::vector<std::vector<Word>> firsts;
  for (std::uint32_t i = 0; i < 65; ++i) firsts.push_back(chunks_of(i, 3 * chunk_words)[0]);
  REQUIRE(problem_of_chunks(firsts) == "more than 64 frames in chunks at a time");
  firsts.resize(5);
  REQUIRE(problem_of_chunks(firsts, {.frame_words_max = 3 * chunk_words}) == "");
  REQUIRE(problem_of_chunks(firsts, {.frame_words_max = 2 * chunk_words + 1}) != "");
  firsts.push_back(chunks_of(5, 3 * chunk_words)[0]);
  firsts.push_back(chunks_of(6, 3 * chunk_words)[0]);
  REQUIRE(problem_of_chunks(firsts, {.frame_words_max = 3 * chunk_words}) ==
          "more than two messages' length waits in chunks");
}

TEST_CASE("S89 a message as large as one may be goes in chunks and is read", "[remoting]") {
  Load load;
  load.bytes.assign((std::size_t{64} << 20) - 64, std::byte{0x5a});
  std::vector<Word> frame;
  append_tell(frame, {.receiver = 1}, Load::troupe_codec, &load);
  REQUIRE(frame.size() <= ChunkBounds{}.frame_words_max);
  ChunkWriter writer{1, frame};
  ChunkReader reader;
  std::vector<Word> chunk;
  for (bool more = true; more;) {
    chunk.clear();
    more = writer.append_next(chunk);
    const auto complete = reader.add(std::span(chunk).subspan(1));
    REQUIRE(complete.has_value() == !more);
    if (complete) REQUIRE(troupe::codec::decode<Load>(read_message(*complete).message) == load);
  }
}
