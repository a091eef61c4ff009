// Two libraries, built with hidden visibility, exchange messages; the System is the program's.
#include <dlfcn.h>

#include <cstdio>

#include "messages.hpp"

namespace {

template <class F>
F load(const char* library, const char* function) {
  void* handle = dlopen(library, RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) {
    std::fprintf(stderr, "%s\n", dlerror());
    return nullptr;
  }
  return reinterpret_cast<F>(dlsym(handle, function));
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) return 2;
  auto* make = load<void (*)(troupe::Factory<market::Api>*)>(argv[1], "callee_factory");
  auto* call = load<int (*)(troupe::System&, troupe::Ref<market::Api>)>(argv[2], "call");
  if (make == nullptr || call == nullptr) return 2;
  troupe::System system{{.workers = 2, .log = troupe::no_log()}};
  troupe::Factory<market::Api> factory{nullptr};
  make(&factory);
  const troupe::Ref<market::Api> quoter = system.spawn(factory, {.name = "quoter"});
  if (!system.find<market::Api>("/quoter")) return 3;
  const int cents = call(system, quoter);
  std::printf("%d cents\n", cents);
  return cents == 106 ? 0 : 1;
}
