// Library two: asks and tells by its own types, and fails by its own exceptions.
#include "messages.hpp"

namespace {

struct Local {};

class Caller : public troupe::Actor<market::GetQuote, troupe::Private<Local>> {
 public:
  explicit Caller(troupe::Ref<market::Api> quoter) : quoter_(quoter) {}
  market::Quote receive(const market::GetQuote& m) {
    self().tell(Local{});
    quoter_.tell(market::Note{100});
    return quoter_.ask(m).await();
  }
  void receive(const Local&) {}

 private:
  troupe::Ref<market::Api> quoter_;
};

}  // namespace

extern "C" [[gnu::visibility("default")]] int call(troupe::System& system,
                                                   troupe::Ref<market::Api> quoter) {
  auto caller = system.spawn<Caller>(quoter);
  const market::Quote quote = caller.ask(market::GetQuote{"widget"}).await();
  if (quote.from != "callee") return -1;
  system.stop(quoter).await();
  try {
    caller.ask(market::GetQuote{"late"}).await();
    return -2;
  } catch (const troupe::AskFailed&) {  // thrown by the runtime's library, caught in this one
    return quote.cents;
  }
}
