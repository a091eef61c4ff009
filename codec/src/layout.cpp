#include <troupe/codec/layout.hpp>

#include <algorithm>

#include <capnp/serialize.h>
#include <kj/exception.h>

namespace troupe::codec {

namespace {
constexpr std::size_t words_max = std::size_t{1} << 29;  // what a pointer reaches: 4 GiB
constexpr std::size_t framing_words = 1;                 // one segment's
constexpr int nesting_max = 64;
/// Elements of lists of nothing, in a message: each is counted as a word, and takes none.
constexpr std::size_t empty_elements_max = 65'536;
}  // namespace

void throw_too_many_elements(std::size_t elements) {
  throw CodecError("a list, Text or Data of " + std::to_string(elements) +
                   " elements can't be encoded: 536870911 at most");
}
void throw_unknown_alternative(const char* of, std::uint16_t discriminant) {
  throw CodecError("the union in " + std::string{of} + " has no alternative " +
                   std::to_string(discriminant) + " here: its sender has a newer schema");
}
void throw_valueless(const char* of) {
  throw CodecError("the union in " + std::string{of} + " holds nothing: an assignment to it threw");
}

capnp::List<capnp::AnyStruct>::Reader structs_of(capnp::AnyPointer::Reader p) {
  const auto list = p.getAs<capnp::AnyList>();
  if (list.getElementSize() == capnp::ElementSize::BIT)
    throw CodecError("this is no such message: a list of bits is where others belong");
  return list.as<capnp::List<capnp::AnyStruct>>();
}

std::size_t message_words(std::size_t root_words) {
  const std::size_t words = framing_words + 1 + root_words;
  if (words > words_max)
    throw CodecError("a message of " + std::to_string(words * sizeof(Word)) +
                     " bytes can't be encoded: 4 GiB at most");
  return words;
}

Word* begin_message(std::span<Word> out, std::uint32_t data_words, std::uint32_t pointers) {
  std::fill(out.begin(), out.end(), Word{0});
  out[0] = Word{out.size() - framing_words} << 32;  // segments less one, and the segment's words
  out[1] = struct_pointer(data_words + pointers == 0 ? -1 : 0, data_words, pointers);
  return out.data() + framing_words + 1;
}

void read_message(std::span<const Word> words, troupe::detail::RefNames* refs, void* message,
                  void (*read)(void* message, const Body& root)) {
  capnp::ReaderOptions options;
  options.traversalLimitInWords = words.size() + empty_elements_max;  // each is read once
  options.nestingLimit = nesting_max;
  try {
    capnp::FlatArrayMessageReader reader{
        {reinterpret_cast<const capnp::word*>(words.data()), words.size()}, options};
    read(message, Body{reader.getRoot<capnp::AnyStruct>(), refs});
  } catch (const kj::Exception& e) {
    throw CodecError(std::string{"this is no such message: "} + e.getDescription().cStr());
  }
}

}  // namespace troupe::codec
