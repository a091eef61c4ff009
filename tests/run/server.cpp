// A program made of troupe::run, for run_test.py.
#include <cstdio>
#include <stdexcept>

#include <troupe/run/run.hpp>
#include <troupe/runtime/runtime.hpp>

namespace {
struct Nothing {};
class Idle : public troupe::Actor<Nothing> {
 public:
  void receive(const Nothing&) {}
  void on_stop(troupe::StopReason) override { std::puts("stopped"); }
};
}  // namespace

int main(int argc, char** argv) {
  return troupe::run(argc, argv, [](troupe::System& system, const troupe::Arguments& arguments) {
    for (const std::string& argument : arguments) {
      if (argument == "fail") throw std::runtime_error("no such database");
      std::printf("argument %s\n", argument.c_str());
    }
    system.spawn<Idle>();
    std::printf("workers %u\n", system.options().workers);
    std::fflush(stdout);
  });
}
