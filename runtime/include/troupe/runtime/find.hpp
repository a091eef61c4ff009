// Looking an actor up by its name, as a ref to what it takes.
#pragma once

#include <optional>

#include <troupe/runtime/message.hpp>
#include <troupe/runtime/ref.hpp>
#include <troupe/runtime/result.hpp>

namespace troupe {

/// What went wrong when a name was looked up.
enum class FindError : unsigned char { not_found, wrong_protocol };

namespace detail {

/// Does the actor take all of these?
bool takes_all(const Address& actor, const MessageType* const* types, std::size_t count) noexcept;
template <class List>
struct TypeTable;
template <class... Ms>
struct TypeTable<TypeList<Ms...>> {
  static constexpr const MessageType* entries[sizeof...(Ms) + 1] = {&message_type<Ms>..., nullptr};
  static constexpr std::size_t count = sizeof...(Ms);
};

/// What was found, if it takes all messages of P.
template <class P>
Result<Ref<P>, FindError> ref_to_found(const std::optional<Address>& found) {
  using Table = TypeTable<PublicMessages<P>>;
  if (!found) return Unexpected{FindError::not_found};
  if (!takes_all(*found, Table::entries, Table::count))
    return Unexpected{FindError::wrong_protocol};
  return Ref<P>{*found};
}

}  // namespace detail
}  // namespace troupe
