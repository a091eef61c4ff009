// A consumer of the installed library: a supervised actor that answers.
#include <troupe/supervision/supervision.hpp>

struct Ping {
  using Reply = int;
};
class Ponger : public troupe::Actor<Ping> {
 public:
  int receive(const Ping&) { return 42; }
};
class Top : public troupe::Supervisor<Ping> {
 public:
  void on_start() override { child_ = start_child<Ponger>({.id = "ponger"}); }
  troupe::Forwarded<int> receive(const Ping& m) { return forward(child_, m); }

 private:
  troupe::Ref<Ponger> child_;
};

int main() {
  troupe::System system;
  return system.spawn<Top>().ask(Ping{}).await() == 42 ? 0 : 1;
}
