#include <troupe/codec/ref.hpp>

namespace troupe::codec {

namespace {

// As the struct Ref of troupe.capnp has them.
constexpr std::uint32_t node_at = 0;
constexpr std::uint32_t actor_at = 1;
constexpr std::uint32_t address_at = 0;

std::size_t words_of_text(std::string_view text) {
  return text.empty() ? 0 : words_of_bytes(text.size() + 1);
}

}  // namespace

std::size_t extra_words_of_ref(const troupe::detail::Address& actor) {
  return words_of_text(troupe::detail::wire_name(actor).address);
}

Word* write_ref(const troupe::detail::Address& actor, Word* at, Word* free) {
  const troupe::detail::WireRef name = troupe::detail::wire_name(actor);
  put(at, node_at, name.node);
  put(at, actor_at, name.actor);
  if (name.address.empty()) return free;
  Word* const pointers = at + Layout<Ref<>>::data_words;
  return put_bytes(pointers + address_at, free, name.address.data(), name.address.size(),
                   name.address.size() + 1);
}

troupe::detail::Address read_ref(const Body& body) {
  troupe::detail::WireRef name{
      body.get<std::uint64_t>(node_at), body.get<std::uint64_t>(actor_at), {}};
  if (name.node == 0) return {};
  if (body.refs() == nullptr)
    throw CodecError(
        "this message names an actor: it can be read only for a System that is a node");
  const Pointer address = body.pointer(address_at);
  if (!address.to.isNull()) {
    const auto text = address.to.getAs<capnp::Text>();
    name.address = {text.begin(), text.size()};
  }
  return body.refs()->find(name);
}

}  // namespace troupe::codec
