// For generated code: where Cap'n Proto puts what (https://capnproto.org/encoding.html).
//
// Design. Encoding is a direct one: the size is worked out first, then structs, lists and texts are
// laid one behind the other into one zeroed segment, without a builder. Decoding is Cap'n Proto's
// own reader, which checks what strangers send: bounds, kinds, depth and traversal.
#pragma once

#include <bit>
#include <concepts>
#include <cstring>
#include <optional>
#include <type_traits>

#include <troupe/codec/capnp_in_cpp20.hpp>

#include <capnp/any.h>  // lint:allow(foreign_type) generated sources include this, users do not
#include <troupe/codec/codec.hpp>
#include <troupe/codec/shared.hpp>

namespace troupe::codec {

static_assert(std::endian::native == std::endian::little, "Cap'n Proto is little-endian");

class Body;

/// The layout of a struct: specialised by generated code.
template <class S>
struct Layout;
template <class S>
concept Laid = requires {
  { Layout<S>::data_words } -> std::convertible_to<std::uint32_t>;
};

[[noreturn]] void throw_too_many_elements(std::size_t elements);
[[noreturn]] void throw_unknown_alternative(const char* of, std::uint16_t discriminant);
[[noreturn]] void throw_valueless(const char* of);

// ---- scalars

template <class T>
concept Scalar = std::is_arithmetic_v<T> || std::is_enum_v<T>;

template <Scalar T>
auto to_bits(T value) noexcept {
  if constexpr (std::is_enum_v<T>) {
    return static_cast<std::uint16_t>(value);
  } else if constexpr (std::is_same_v<T, float>) {
    return std::bit_cast<std::uint32_t>(value);
  } else if constexpr (std::is_same_v<T, double>) {
    return std::bit_cast<std::uint64_t>(value);
  } else {
    return static_cast<std::make_unsigned_t<T>>(value);
  }
}
template <class T>
using Bits = decltype(to_bits(T{}));
template <Scalar T>
T from_bits(Bits<T> bits) noexcept {
  if constexpr (std::is_floating_point_v<T>) {
    return std::bit_cast<T>(bits);
  } else {
    return static_cast<T>(bits);
  }
}

/// At `offset` in units of its own size. What is stored is the value xor its default.
template <Scalar T>
void put(Word* at, std::uint32_t offset, T value, std::uint64_t default_bits = 0) noexcept {
  const auto bits = static_cast<Bits<T>>(to_bits(value) ^ static_cast<Bits<T>>(default_bits));
  std::memcpy(reinterpret_cast<std::byte*>(at) + offset * sizeof bits, &bits, sizeof bits);
}
inline void put_bit(Word* at, std::uint32_t offset, bool value,
                    std::uint64_t default_bit = 0) noexcept {
  at[offset / 64] |= (Word{value} ^ default_bit) << (offset % 64);
}

// ---- how many words a pointer's target takes

constexpr std::size_t words_of_bytes(std::size_t bytes) noexcept {
  return (bytes + sizeof(Word) - 1) / sizeof(Word);
}
/// In a list a struct takes one word at least: a reader would take a long list of nothing for an
/// attack.
template <Laid S>
inline constexpr std::uint32_t data_words_in_list =
    Layout<S>::data_words + Layout<S>::pointers == 0 ? 1 : Layout<S>::data_words;

inline std::size_t words_of(const std::string& text) noexcept {
  return words_of_bytes(text.size() + 1);
}
inline std::size_t words_of(const std::vector<std::byte>& data) noexcept {
  return words_of_bytes(data.size());
}
template <Laid S>
std::size_t words_of(const S& s) {
  return Layout<S>::data_words + Layout<S>::pointers + Layout<S>::extra_words(s);
}
template <Laid S>
std::size_t words_of(const Shared<S>& shared) {
  return words_of(*shared);
}
template <class T>
std::size_t words_of(const std::vector<T>& list) {
  if constexpr (std::is_same_v<T, bool>) {
    return words_of_bytes((list.size() + 7) / 8);
  } else if constexpr (Scalar<T>) {
    return words_of_bytes(list.size() * sizeof(Bits<T>));
  } else if constexpr (Laid<T>) {
    std::size_t words = 1 + list.size() * (data_words_in_list<T> + Layout<T>::pointers);
    for (const T& s : list) words += Layout<T>::extra_words(s);
    return words;
  } else {
    std::size_t words = list.size();
    for (const T& e : list) words += words_of(e);
    return words;
  }
}

// ---- pointers and what they point to

enum class ElementSize : std::uint8_t { none, bit, byte, two, four, eight, pointer, structure };

inline Word struct_pointer(std::ptrdiff_t offset, std::uint32_t data, std::uint32_t pointers) {
  return static_cast<std::uint32_t>(offset) << 2 | Word{data} << 32 | Word{pointers} << 48;
}
inline Word list_pointer(std::ptrdiff_t offset, ElementSize size, std::size_t elements) {
  constexpr std::size_t elements_max = (std::size_t{1} << 29) - 1;
  if (elements > elements_max) throw_too_many_elements(elements);
  return static_cast<std::uint32_t>(offset) << 2 | 1u | static_cast<Word>(size) << 32 |
         Word{elements} << 35;
}

/// Each lays its value at `free`, makes `pointer` point there, and returns what is free then.
inline Word* put_bytes(Word* pointer, Word* free, const void* bytes, std::size_t size,
                       std::size_t elements) {
  *pointer = list_pointer(free - pointer - 1, ElementSize::byte, elements);
  if (size != 0) std::memcpy(free, bytes, size);
  return free + words_of_bytes(elements);
}
inline Word* put_pointer(Word* pointer, Word* free, const std::string& text) {
  return put_bytes(pointer, free, text.data(), text.size(), text.size() + 1);
}
inline Word* put_pointer(Word* pointer, Word* free, const std::vector<std::byte>& data) {
  return put_bytes(pointer, free, data.data(), data.size(), data.size());
}
template <Laid S>
Word* put_pointer(Word* pointer, Word* free, const S& s) {
  using L = Layout<S>;
  const bool is_empty = L::data_words + L::pointers == 0;  // -1 tells it from a null pointer
  *pointer = struct_pointer(is_empty ? -1 : free - pointer - 1, L::data_words, L::pointers);
  return L::write(s, free, free + L::data_words + L::pointers);
}
template <Laid S>
Word* put_pointer(Word* pointer, Word* free, const Shared<S>& shared) {
  return put_pointer(pointer, free, *shared);
}
template <class T>
Word* put_pointer(Word* pointer, Word* free, const std::vector<T>& list) {
  const std::ptrdiff_t offset = free - pointer - 1;
  if constexpr (std::is_same_v<T, bool>) {
    *pointer = list_pointer(offset, ElementSize::bit, list.size());
    for (std::uint32_t i = 0; i < list.size(); ++i) put_bit(free, i, list[i]);
    return free + words_of(list);
  } else if constexpr (Scalar<T>) {
    constexpr ElementSize sizes[] = {ElementSize::byte, ElementSize::two, ElementSize::four,
                                     ElementSize::eight};
    *pointer = list_pointer(offset, sizes[std::bit_width(sizeof(Bits<T>)) - 1], list.size());
    if (!list.empty()) std::memcpy(free, list.data(), list.size() * sizeof(T));
    return free + words_of(list);
  } else if constexpr (Laid<T>) {
    constexpr std::size_t step = data_words_in_list<T> + Layout<T>::pointers;
    *pointer = list_pointer(offset, ElementSize::structure, list.size() * step);
    *free = struct_pointer(static_cast<std::ptrdiff_t>(list.size()), data_words_in_list<T>,
                           Layout<T>::pointers);
    Word* at = free + 1;
    free = at + list.size() * step;
    for (const T& s : list) {
      free = Layout<T>::write(s, at, free);
      at += step;
    }
    return free;
  } else {
    *pointer = list_pointer(offset, ElementSize::pointer, list.size());
    Word* at = free;
    free += list.size();
    for (const T& e : list) free = put_pointer(at++, free, e);
    return free;
  }
}

// ---- reading

/// A pointer that came.
struct Pointer {
  capnp::AnyPointer::Reader to;
  troupe::detail::RefNames* refs = nullptr;  ///< finds the actors that the message names
};

/// A struct that came: what its sender did not have reads as zero. Thread safety: one thread at a
/// time, as its message.
class Body {
 public:
  Body(capnp::AnyStruct::Reader s, troupe::detail::RefNames* refs)
      : data_(s.getDataSection()), pointers_(s.getPointerSection()), refs_(refs) {}

  template <Scalar T>
  [[nodiscard]] T get(std::uint32_t offset, std::uint64_t default_bits = 0) const noexcept {
    Bits<T> bits{};
    if ((std::size_t{offset} + 1) * sizeof bits <= data_.size())
      std::memcpy(&bits, data_.begin() + offset * sizeof bits, sizeof bits);
    return from_bits<T>(static_cast<Bits<T>>(bits ^ static_cast<Bits<T>>(default_bits)));
  }
  [[nodiscard]] bool get_bit(std::uint32_t offset, std::uint64_t default_bit = 0) const noexcept {
    const bool is_there = offset / 8 < data_.size();
    const unsigned bit = is_there ? (data_.begin()[offset / 8] >> (offset % 8)) & 1u : 0u;
    return (bit ^ default_bit) != 0;
  }
  [[nodiscard]] Pointer pointer(std::uint32_t index) const {
    return {index < pointers_.size() ? pointers_[index] : capnp::AnyPointer::Reader{}, refs_};
  }
  [[nodiscard]] troupe::detail::RefNames* refs() const noexcept { return refs_; }

 private:
  capnp::Data::Reader data_;
  capnp::List<capnp::AnyPointer>::Reader pointers_;
  troupe::detail::RefNames* refs_;
};

/// The elements of a list as structs, which each list but one of bits can be read as: a pointer is
/// one with a pointer. Throws CodecError for bits, kj::Exception for what is no list.
capnp::List<capnp::AnyStruct>::Reader structs_of(capnp::AnyPointer::Reader p);

// Each leaves the value as it is where the pointer is null: it is the default then.
inline void read_pointer(const Pointer& p, std::string& text) {
  if (p.to.isNull()) return;
  const auto t = p.to.getAs<capnp::Text>();
  text.assign(t.begin(), t.size());
}
inline void read_pointer(const Pointer& p, std::vector<std::byte>& data) {
  if (p.to.isNull()) return;
  const auto d = p.to.getAs<capnp::Data>();
  const auto* first = reinterpret_cast<const std::byte*>(d.begin());
  data.assign(first, first + d.size());
}
template <Laid S>
void read_pointer(const Pointer& p, S& s) {
  if (!p.to.isNull()) Layout<S>::read(s, Body{p.to.getAs<capnp::AnyStruct>(), p.refs});
}
template <Laid S>
void read_pointer(const Pointer& p, Shared<S>& shared) {
  if (p.to.isNull()) return;
  S value;
  read_pointer(p, value);
  shared = Shared<S>(std::move(value));
}
template <class T>
void read_pointer(const Pointer& p, std::vector<T>& list) {
  if (p.to.isNull()) return;
  list.clear();
  if constexpr (Scalar<T>) {
    using Stored = std::conditional_t<std::is_enum_v<T>, std::uint16_t, T>;
    const auto items = p.to.getAs<capnp::List<Stored>>();
    list.reserve(items.size());
    for (const Stored e : items) list.push_back(static_cast<T>(e));
  } else {
    const auto items = structs_of(p.to);
    list.reserve(items.size());
    for (const capnp::AnyStruct::Reader e : items) {
      if constexpr (Laid<T>) {
        Layout<T>::read(list.emplace_back(), Body{e, p.refs});
      } else {
        read_pointer(Body{e, p.refs}.pointer(0), list.emplace_back());
      }
    }
  }
}
template <class T>
void read_pointer(const Pointer& p, std::optional<T>& value) {
  if (!p.to.isNull()) read_pointer(p, value.emplace());
}

// ---- messages

/// The words of a message whose root struct takes so many.
std::size_t message_words(std::size_t root_words);
/// Writes the framing and the root pointer; the root is at the result. All of `out` is zero then.
Word* begin_message(std::span<Word> out, std::uint32_t data_words, std::uint32_t pointers);
void read_message(std::span<const Word> words, troupe::detail::RefNames* refs, void* message,
                  void (*read)(void* message, const Body& root));

/// The codec of a struct with a layout.
template <Laid S>
constexpr Codec struct_codec(const char* name, std::uint64_t fingerprint) {
  using L = Layout<S>;
  return {S::troupe_schema,
          name,
          fingerprint,
          [](const void* m) { return message_words(words_of(*static_cast<const S*>(m))); },
          [](const void* m, std::span<Word> out) {
            Word* const root = begin_message(out, L::data_words, L::pointers);
            L::write(*static_cast<const S*>(m), root, root + L::data_words + L::pointers);
          },
          [](void* where) { ::new (where) S; },
          [](void* m, std::span<const Word> words, troupe::detail::RefNames* refs) {
            read_message(words, refs, m, [](void* message, const Body& root) {
              L::read(*static_cast<S*>(message), root);
            });
          }};
}

/// The codec of a reply that is no struct: as `struct Reply { value @0 :T; }`.
template <class T>
constexpr Codec reply_codec(const char* name) {
  constexpr std::uint32_t data = Scalar<T> ? 1 : 0;
  return {SchemaId{},
          name,
          0,
          []([[maybe_unused]] const void* m) {
            std::size_t words = 1;
            if constexpr (!Scalar<T>) {
              const T& value = *static_cast<const T*>(m);
              if (!value.empty()) words += words_of(value);
            }
            return message_words(words);
          },
          [](const void* m, std::span<Word> out) {
            const T& value = *static_cast<const T*>(m);
            Word* const root = begin_message(out, data, 1 - data);
            if constexpr (std::is_same_v<T, bool>) {
              put_bit(root, 0, value);
            } else if constexpr (Scalar<T>) {
              put<T>(root, 0, value);
            } else if (!value.empty()) {
              put_pointer(root, root + 1, value);
            }
          },
          [](void* where) { ::new (where) T{}; },
          [](void* m, std::span<const Word> words, troupe::detail::RefNames* refs) {
            read_message(words, refs, m, [](void* message, const Body& root) {
              T& value = *static_cast<T*>(message);
              if constexpr (std::is_same_v<T, bool>) {
                value = root.get_bit(0);
              } else if constexpr (Scalar<T>) {
                value = root.get<T>(0);
              } else {
                read_pointer(root.pointer(0), value);
              }
            });
          }};
}

}  // namespace troupe::codec
