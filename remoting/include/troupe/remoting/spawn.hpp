// Actors that other nodes may have made here, and how one is asked for.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <utility>

#include <troupe/codec/codec.hpp>
#include <troupe/runtime/factory.hpp>

namespace troupe::remoting {

/// Makes actors of a message that another node sends: see spawn_factory. Thread safety: a value.
struct SpawnFactory {
  using Make = std::function<std::shared_ptr<const troupe::detail::Maker>(
      std::span<const codec::Word> arguments, System& system)>;
  std::uint64_t arguments_schema = 0;
  Make make;
};

/// `f` makes a Factory of Arguments, a message of a schema. It is called on a worker, in a turn of
/// an actor; what it throws is told to whoever asked (`refused`).
template <codec::HasCodec Arguments, class F>
requires requires(const F& f, const Arguments& a) {
  f(a).maker();
}
SpawnFactory spawn_factory(F f) {
  return {Arguments::troupe_schema.value,
          [f = std::move(f)](std::span<const codec::Word> words, System& system) {
            return f(codec::decode<Arguments>(words, system)).maker();
          }};
}

/// A child on another node. Thread safety: a value.
struct RemoteChild {
  std::string node;     ///< "troupe://host:port"
  std::string factory;  ///< one that is among that node's NodeOptions::factories
  Ref<> parent;         ///< the child ends when this actor does, or the connection between the two
  /// Of several asked for by one parent with the same id the first is made, and answers all: so
  /// one that was not answered in time can be asked for again. Empty: each is made.
  std::string id = {};
};

}  // namespace troupe::remoting
