// A message's encoding and decoding beside Cap'n Proto's own builder, in a scratch buffer that is
// used again, and its own reader.
#include <algorithm>
#include <array>

#include <troupe/codec/capnp_in_cpp20.hpp>

#include <capnp/message.h>
#include <capnp/serialize.h>

#include "../measure.hpp"
#include "flat.capnp.hpp"
#include "standard.capnp.h"

namespace bench {
namespace {

constexpr std::int64_t messages = 2'000'000;
constexpr std::size_t scratch_words = 256;
std::size_t made = 0;  // so that nothing is optimised away

Flat message() {
  return {.id = 7,
          .kind = 3,
          .price = 1.5,
          .count = 9,
          .is_gift = true,
          .name = "a name of a thing",
          .note = "a note of forty characters, more or less",
          .codes = {1, 2, 3, 4, 5, 6}};
}

kj::StringPtr text(const std::string& s) {
  return {s.c_str(), s.size()};
}
void build(const Flat& m, kj::ArrayPtr<capnp::word> scratch) {
  capnp::MallocMessageBuilder builder{scratch};
  auto f = builder.initRoot<standard::Flat>();
  f.setId(m.id);
  f.setKind(m.kind);
  f.setPrice(m.price);
  f.setCount(m.count);
  f.setIsGift(m.is_gift);
  f.setName(text(m.name));
  f.setNote(text(m.note));
  auto codes = f.initCodes(static_cast<unsigned>(m.codes.size()));
  for (unsigned i = 0; i < m.codes.size(); ++i) codes.set(i, m.codes[i]);
  made += builder.getSegmentsForOutput()[0].size();
}
void read(kj::ArrayPtr<const capnp::word> words, Flat& m) {
  capnp::FlatArrayMessageReader reader{words};
  const auto f = reader.getRoot<standard::Flat>();
  m.id = f.getId();
  m.kind = f.getKind();
  m.price = f.getPrice();
  m.count = f.getCount();
  m.is_gift = f.getIsGift();
  m.name.assign(f.getName().begin(), f.getName().size());
  m.note.assign(f.getNote().begin(), f.getNote().size());
  const auto codes = f.getCodes();
  m.codes.reserve(codes.size());
  for (const std::uint32_t code : codes) m.codes.push_back(code);
  made += m.codes.size();
}

template <class F>
double each(F f) {
  return timed(
      [&](std::int64_t n) {
        for (std::int64_t i = 0; i < n; ++i) f();
      },
      messages, messages);
}

void run() {
  Flat m = message();
  static std::array<capnp::word, scratch_words> scratch{};
  static std::array<troupe::codec::Word, scratch_words> out{};
  const std::vector<troupe::codec::Word> words = troupe::codec::encode(m);
  result("encode_builder", each([&] { build(m, {scratch.data(), scratch.size()}); }));
  result("encode", each([&] {
           const std::size_t n = Flat::troupe_codec.words(&m);
           Flat::troupe_codec.write(&m, {out.data(), n});
           made += n;
         }));
  result("decode_reader", each([&] {
           Flat came;
           read({reinterpret_cast<const capnp::word*>(words.data()), words.size()}, came);
         }));
  result("decode", each([&] {
           Flat came;
           Flat::troupe_codec.read(&came, words, nullptr);
           made += came.codes.size();
         }));
  require(made != 0, "nothing was made");
}

}  // namespace
}  // namespace bench

int main() {
  bench::run();
}
