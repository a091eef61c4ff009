#include <troupe/codec_testkit/serialized_sends.hpp>

#include <map>
#include <new>

#include <troupe/codec/codec.hpp>
#include <troupe/runtime/ref.hpp>

namespace troupe::testkit {

namespace {

using troupe::detail::Address;
using troupe::detail::Envelope;

/// Names for the actors of a System that is alone.
class OwnNames final : public troupe::detail::RefNames {
 public:
  troupe::detail::WireRef name(const Address& actor) override {
    return {node, numbers_.of(actor), "troupe://here"};
  }
  Address find(const troupe::detail::WireRef& name) override {
    return name.node == node ? numbers_.find(name.actor) : Address{};
  }

 private:
  static constexpr std::uint64_t node = 1;
  troupe::detail::ActorNumbers numbers_;
};

/// Memory for a message, and the message in it.
class Decoded {
 public:
  Decoded(const troupe::detail::MessageType& type, std::span<const codec::Word> words,
          troupe::detail::RefNames* refs)
      : type_(type), where_(::operator new (type.size, std::align_val_t{type.align})) {
    type.codec->construct(where_);
    try {
      type.codec->read(where_, words, refs);
    } catch (const codec::CodecError&) {
      this->~Decoded();
      throw;
    }
  }
  Decoded(const Decoded&) = delete;
  Decoded& operator=(const Decoded&) = delete;
  ~Decoded() {
    if (type_.destroy != nullptr) type_.destroy(where_);
    ::operator delete (where_, std::align_val_t{type_.align});
  }

 private:
  const troupe::detail::MessageType& type_;
  void* where_;
};

}  // namespace

class SerializedSends::Sends {
 public:
  explicit Sends(troupe::detail::RefNames* refs) : refs_(refs) {}

  void see(const Address& to, Envelope& e) {
    if (Ref<>{e.from} == Ref<>{to}) return;  // what it sends itself stays at home
    try {
      if (e.type->codec == nullptr) throw codec::CodecError("has no schema");
      send_through(*e.type, troupe::detail::payload(e));
      ++count_;
    } catch (const codec::CodecError& loss) {
      losses_.try_emplace(std::string{e.type->text()}, loss.what());
    }
  }

  void send_through(const troupe::detail::MessageType& type, void* message) {
    std::vector<codec::Word> words(type.codec->words(message));
    type.codec->write(message, words);
    const Decoded trial{type, words, refs_};  // what can't be read stays as it was
    if (type.destroy != nullptr) type.destroy(message);
    type.codec->construct(message);
    type.codec->read(message, words, refs_);
  }

  [[nodiscard]] std::uint64_t count() const noexcept { return count_; }
  [[nodiscard]] const std::map<std::string, std::string>& losses() const noexcept {
    return losses_;
  }

 private:
  troupe::detail::RefNames* refs_;
  std::uint64_t count_ = 0;
  std::map<std::string, std::string> losses_;
};

SerializedSends::SerializedSends(TestSystem& system) : system_(system) {
  if (troupe::detail::ref_names(system) == nullptr)
    troupe::detail::set_ref_names(system, std::make_shared<OwnNames>());
  sends_ = std::make_shared<Sends>(troupe::detail::ref_names(system));
  system.on_send([sends = sends_](const Address& to, Envelope& e) { sends->see(to, e); });
}

SerializedSends::~SerializedSends() {
  system_.on_send({});
}

std::uint64_t SerializedSends::count() const noexcept {
  return sends_->count();
}

std::vector<std::string> SerializedSends::losses() const {
  std::vector<std::string> lines;
  for (const auto& [type, why] : sends_->losses())
    lines.emplace_back(type).append(": ").append(why);
  return lines;
}

}  // namespace troupe::testkit
