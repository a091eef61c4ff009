// Library one: an actor, behind a factory.
#include "messages.hpp"

namespace {

struct Local {};  // another type than the Local of the other library, of the same name

class Quoter : public troupe::Actor<market::Api, troupe::Private<Local>> {
 public:
  market::Quote receive(const market::GetQuote& m) {
    self().tell(Local{});
    return {static_cast<int>(m.item.size()) + notes_, "callee"};
  }
  void receive(const market::Note& m) { notes_ += m.number; }
  void receive(const Local&) {}

 private:
  int notes_ = 0;
};

}  // namespace

extern "C" [[gnu::visibility("default")]] void callee_factory(troupe::Factory<market::Api>* into) {
  *into = troupe::factory<market::Api, Quoter>();
}
