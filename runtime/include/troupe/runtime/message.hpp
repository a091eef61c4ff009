// What a message is: its reply type and its identity. Needs nothing but the language.
#pragma once

#include <concepts>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace troupe::codec {
struct Codec;
}

namespace troupe {

/// Names a message's type for other processes and for what is stored: generated from a schema, as
/// `troupe_schema` of the struct.
struct SchemaId {
  std::uint64_t value = 0;
  friend constexpr auto operator<=>(const SchemaId&, const SchemaId&) = default;
};

/// Gives a reply type to a message that can't be edited:
/// `template <> struct troupe::MessageTraits<X> { using Reply = int; };`
template <class M>
struct MessageTraits {};

namespace detail {

template <class M>
concept HasOwnReply = requires {
  typename M::Reply;
};
template <class M>
concept HasTraitReply = requires {
  typename MessageTraits<M>::Reply;
};

template <class M>
concept SaysWhetherItInfluences = requires {
  { M::influences_receive_timeout } -> std::convertible_to<bool>;
};

struct NoReply {};  // stands for "one way" where a type is needed

template <class M>
consteval auto reply_of() {
  if constexpr (HasTraitReply<M>) {
    return std::type_identity<typename MessageTraits<M>::Reply>{};
  } else if constexpr (HasOwnReply<M>) {
    return std::type_identity<typename M::Reply>{};
  } else {
    return std::type_identity<NoReply>{};
  }
}

/// The name of T as the compiler spells it.
template <class T>
consteval std::string_view type_name() {
  constexpr std::string_view text = __PRETTY_FUNCTION__;
  constexpr std::string_view key = "T = ";
  constexpr std::size_t first = text.find(key) + key.size();
  constexpr std::size_t last = text.find_first_of(";]", first);
  return text.substr(first, last - first);
}

/// A type that two files may both have under one name: in an anonymous namespace, or local to a
/// function. Clang does not say that a type is local, so there a name without any namespace counts
/// as one.
consteval bool is_local_name(std::string_view name) {
#if defined(__clang__)
  if (name.find("::") == name.npos) return true;
#endif
  return name.find("(anonymous") != name.npos || name.find("{anonymous") != name.npos ||
         name.find("<unnamed") != name.npos || name.find(")::") != name.npos;
}

/// FNV-1a, 64 bits (Fowler, Noll, Vo). Zero is kept for "compare the address".
consteval std::uint64_t hash_name(std::string_view name) {
  std::uint64_t hash = 14695981039346656037ull;
  for (char c : name) hash = (hash ^ static_cast<unsigned char>(c)) * 1099511628211ull;
  return hash == 0 ? 1 : hash;
}

/// What a message may be aligned to: as blocks of memory are that have room for it (memory.hpp).
inline constexpr std::size_t message_align_max = 64;

/// What the runtime knows of a type that requests are answered with: enough to make an answer of
/// what came from elsewhere. An answer is stored where it fits, or there lies a pointer to it.
struct ReplyType {
  const codec::Codec* codec;                  ///< null: there is no value (void)
  void* (*construct)(void* storage);          ///< returns where it lies; null for void
  const void* (*value)(const void* storage);  ///< where it lies; null for void
  void (*destroy)(void* storage) noexcept;    ///< null where there is nothing to destroy
};

/// What the runtime knows of a message type: one constant per type, no RTTI.
struct MessageType {
  /// That of its schema, or a hash of the qualified name; 0: compare the address of this constant.
  std::uint64_t id;
  const char* name;
  std::uint32_t name_size;
  std::uint32_t size;
  std::uint16_t align;
  bool influences_receive_timeout;
  void (*destroy)(void* message) noexcept;    ///< null when there is nothing to destroy
  std::string (*print)(const void* message);  ///< null where it has no to_string
  const codec::Codec* codec;                  ///< null where it has no schema
  const ReplyType* reply;                     ///< null where it can't be asked from another process

  [[nodiscard]] std::string_view text() const noexcept { return {name, name_size}; }
};

/// M has a `std::string to_string(const M&)` beside it: crash reports show it.
template <class M>
concept PrintsItself = std::is_class_v<M> && requires(const M& m) {
  { to_string(m) } -> std::same_as<std::string>;
};
template <class M>
std::string print_message(const void* message) {
  return to_string(*static_cast<const M*>(message));
}
template <class M>
consteval auto printer_of() -> std::string (*)(const void*) {
  if constexpr (PrintsItself<M>) {
    return &print_message<M>;
  } else {
    return nullptr;
  }
}

template <class M>
void destroy_message(void* message) noexcept {
  static_cast<M*>(message)->~M();
}

/// A message with `static constexpr bool influences_receive_timeout = false;` starts no new receive
/// timeout (S36).
template <class M>
consteval bool influences_receive_timeout() {
  if constexpr (SaysWhetherItInfluences<M>) {
    return M::influences_receive_timeout;
  } else {
    return true;
  }
}

template <class M>
concept HasSchema = requires {
  { M::troupe_schema } -> std::convertible_to<SchemaId>;
};
template <class M>
concept HasCodec = HasSchema<M> && requires {
  { M::troupe_codec } -> std::convertible_to<const codec::Codec&>;
};
template <class M>
consteval std::uint64_t message_id() {
  if constexpr (HasSchema<M>) {
    return M::troupe_schema.value;
  } else {
    constexpr std::string_view name = type_name<M>();
    return is_local_name(name) ? 0 : hash_name(name);
  }
}
template <class M>
consteval const codec::Codec* codec_of() {
  if constexpr (HasCodec<M>) {
    return &M::troupe_codec;
  } else {
    return nullptr;
  }
}

inline constexpr std::size_t reply_inline_bytes = 24;
template <class R>
inline constexpr bool reply_is_inline = sizeof(R) <= reply_inline_bytes &&
                                        alignof(R) <= 8 && std::is_nothrow_move_constructible_v<R>;

template <class R>
R& stored_reply(void* storage) noexcept {
  if constexpr (reply_is_inline<R>) {
    return *std::launder(static_cast<R*>(storage));
  } else {
    return **static_cast<R**>(storage);
  }
}
using ReplyDestroyer = void (*)(void* storage) noexcept;
/// Null where there is nothing to destroy.
template <class R>
consteval ReplyDestroyer reply_destroyer() {
  if constexpr (std::is_void_v<R>) {
    return nullptr;
  } else if constexpr (!reply_is_inline<R>) {
    return [](void* storage) noexcept { delete *static_cast<R**>(storage); };
  } else if constexpr (std::is_trivially_destructible_v<R>) {
    return nullptr;
  } else {
    return [](void* storage) noexcept { std::destroy_at(&stored_reply<R>(storage)); };
  }
}

template <class R>
void* construct_reply(void* storage) {
  if constexpr (reply_is_inline<R>) {
    return ::new (storage) R();
  } else {
    return *static_cast<R**>(storage) = new R();
  }
}
template <class R>
const void* reply_value(const void* storage) {
  return &stored_reply<R>(const_cast<void*>(storage));
}
template <class R, const codec::Codec* Codec>
inline constexpr ReplyType reply_type{Codec, &construct_reply<R>, &reply_value<R>,
                                      reply_destroyer<R>()};
inline constexpr ReplyType void_reply{nullptr, nullptr, nullptr, nullptr};

/// A message of a schema says what encodes its reply, where that is no struct of a schema itself.
template <class M>
concept HasReplyCodec = requires {
  { M::troupe_reply_codec } -> std::convertible_to<const codec::Codec&>;
};

template <class M>
consteval const ReplyType* reply_type_of() {
  if constexpr (HasCodec<M>) {
    using R = typename decltype(reply_of<M>())::type;
    if constexpr (std::is_void_v<R>) {
      return &void_reply;
    } else if constexpr (HasReplyCodec<M>) {
      return &reply_type<R, &M::troupe_reply_codec>;
    } else if constexpr (HasCodec<R>) {
      return &reply_type<R, &R::troupe_codec>;
    }
  }
  return nullptr;
}

template <class M>
consteval MessageType describe_message() {
  constexpr std::string_view name = type_name<M>();
  return {message_id<M>(),
          name.data(),
          static_cast<std::uint32_t>(name.size()),
          sizeof(M),
          alignof(M),
          influences_receive_timeout<M>(),
          std::is_trivially_destructible_v<M> ? nullptr : &destroy_message<M>,
          printer_of<M>(),
          codec_of<M>(),
          reply_type_of<M>()};
}

template <class M>
inline constexpr MessageType message_type = describe_message<M>();

inline bool same_type(const MessageType* a, const MessageType* b) noexcept {
  return a == b || (a->id != 0 && a->id == b->id);
}

}  // namespace detail

/// The type a request of type M is answered with; `detail::NoReply` for a one-way message.
template <class M>
using ReplyOf = typename decltype(detail::reply_of<M>())::type;

/// M can be asked: it has a `Reply` (which may be void: an acknowledged message).
template <class M>
concept Request = !std::is_same_v<ReplyOf<M>, detail::NoReply>;

}  // namespace troupe
