// For generated code: refs in messages, as the struct Ref of troupe.capnp.
#pragma once

#include <troupe/codec/layout.hpp>
#include <troupe/codec/remotable.hpp>
#include <troupe/runtime/ref.hpp>

namespace troupe::codec {

std::size_t extra_words_of_ref(const troupe::detail::Address& actor);
Word* write_ref(const troupe::detail::Address& actor, Word* at, Word* free);
/// Throws CodecError where the message is read for no System.
troupe::detail::Address read_ref(const Body& body);

template <class... Ps>
struct Layout<Ref<Ps...>> {
  static_assert(Remotable<Ps...>, "a ref in a message needs a schema of all that it takes");
  static constexpr std::uint32_t data_words = 2;
  static constexpr std::uint32_t pointers = 1;
  static std::size_t extra_words(const Ref<Ps...>& ref) {
    return extra_words_of_ref(ref.address());
  }
  static Word* write(const Ref<Ps...>& ref, Word* at, Word* free) {
    return write_ref(ref.address(), at, free);
  }
  static void read(Ref<Ps...>& ref, const Body& body) { ref = Ref<Ps...>{read_ref(body)}; }
};

}  // namespace troupe::codec
