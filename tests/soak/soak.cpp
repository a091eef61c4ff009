// The soak: mixed load and random kills on the real scheduler for a given time. Now and then it
// comes to rest, and then the books must balance; memory must stay flat. `./dev soak` runs it under
// AddressSanitizer, whose leak checker looks at what is left at the end.
#include <atomic>
#include <cinttypes>
#include <cstdio>
#include <optional>

#include <CLI/CLI.hpp>

#include "ask_slots.hpp"
#include "memory.hpp"
#include "soak/flatness.hpp"
#include "soak/load.hpp"

#if defined(__has_feature)
#if __has_feature(address_sanitizer)
// So that what is measured is the program's memory: 1 MB of freed blocks is kept from use rather
// than 256, whose mixture of sizes changes for hours; allocations are known by their caller only,
// as each new way to come to one is remembered for ever; and stack frames have no copies, as nobody
// but the fiber itself can give back its own (64 MB a minute; the tests do look for use after
// return). ASAN_OPTIONS sets them otherwise, to look for what a soak has found.
extern "C" __attribute__((visibility("default"))) const char* __asan_default_options() {
  return "quarantine_size_mb=1:thread_local_quarantine_size_kb=16:malloc_context_size=2:"
         "detect_stack_use_after_return=0";
}
#endif
#endif

namespace troupe::soak {
namespace {

using namespace std::chrono_literals;

struct Options {
  double minutes = 30;
  std::uint64_t seed = 0;
  std::uint32_t workers = 0;
};

/// Makes of each line nothing, and lets the runtime make it all the same.
class CountingLog final : public Log {
 public:
  void write(LogLevel, std::string_view, std::string_view text) override { bytes_ += text.size(); }

 private:
  std::atomic<std::uint64_t> bytes_{0};
};

class Soak {
 public:
  explicit Soak(const Options& options)
      : options_(options),
        books_(std::make_shared<Books>()),
        world_(options.seed, books_),
        system_(system_options()),
        garden_(system_, world_),
        began_(system_.now()) {}

  /// True: all was well.
  bool run();

 private:
  static constexpr Duration rest_each = 30s;
  static constexpr Duration rest_within =
      60s;  ///< stops and starts may take 5 s, one after another

  SystemOptions system_options() const;
  [[nodiscard]] double minutes() const {
    return std::chrono::duration<double, std::ratio<60>>(system_.now() - began_).count();
  }
  void wait(Duration time);
  [[nodiscard]] bool is_at_rest() const;
  std::optional<Figures> come_to_rest();
  bool check_rest();
  bool check_end();
  void print_line();
  bool report(const char* when, const std::vector<std::string>& found) const;

  const Options options_;
  const std::shared_ptr<Books> books_;
  World world_;
  System system_;
  Garden garden_;
  const TimePoint began_;
  Crew crew_;
  std::vector<MemorySample> samples_;
  int minutes_printed_ = 0;
};

SystemOptions Soak::system_options() const {
  SystemOptions options;
  options.workers = options_.workers;
  options.seed = options_.seed;
  options.log = std::make_shared<CountingLog>();
  options.observers = {books_};
  options.slow_senders_above = 20;
  options.stack_bytes = 64 * 1024;
  return options;
}

void Soak::wait(Duration time) {
  std::mutex mutex;
  std::unique_lock lock(mutex);
  std::condition_variable never;
  never.wait_for(lock, time, [] { return false; });
}

bool Soak::is_at_rest() const {
  const Figures f = books_->figures();
  if (f.asks != f.asks_ended() || f.in_flight() != 0 || !garden_.is_whole()) return false;
  for (const ActorInfo& a : system_.actors()) {
    const bool is_process = a.type.find("ProcessOf") != std::string::npos;  // it always waits
    if (a.state != ActorState::running || a.mailbox_length != 0 || !a.handling.empty() ||
        (!is_process && !a.waits_for.empty()))
      return false;
  }
  return true;
}

/// Nothing goes on, and the same nothing a while later. None: it does not come to rest.
std::optional<Figures> Soak::come_to_rest() {
  const TimePoint deadline = system_.now() + rest_within;
  std::optional<std::string> before;
  while (system_.now() < deadline) {
    garden_.tend();
    wait(50ms);
    if (!is_at_rest()) {
      before.reset();
      continue;
    }
    const Figures now = books_->figures();
    if (before == now.to_string()) return now;
    before = now.to_string();
  }
  return std::nullopt;
}

bool Soak::report(const char* when, const std::vector<std::string>& found) const {
  for (const std::string& text : found) std::printf("WRONG %s: %s\n", when, text.c_str());
  return found.empty();
}

bool Soak::check_rest() {
  crew_.hold();
  world_.is_calm = true;
  const bool rests = come_to_rest().has_value();
  auto found = books_->check_at_rest(system_);
  for (auto& text : check_supervisors(system_)) found.push_back(std::move(text));
  if (!rests) found.push_back("it does not come to rest");
  if (!found.empty()) found.push_back("the actors:\n" + system_.tree());
  give_back_free_memory();
  samples_.push_back({minutes(), resident_bytes(), allocated_bytes()});
  world_.is_calm = false;
  return report("at rest", found);
}

void Soak::print_line() {
  const double now = minutes();
  if (options_.minutes >= 3 && now < minutes_printed_ + 1) return;
  minutes_printed_ = static_cast<int>(now);
  std::printf("%5.1f min  %zu actors, %.2f of %.1f MB: %s\n", now, books_->living(),
              samples_.back().allocated / 1e6, samples_.back().bytes / 1e6,
              books_->figures().to_string().c_str());
  std::fflush(stdout);
}

/// The System is shut down under load.
bool Soak::check_end() {
  world_.is_ending = true;
  crew_.go_on();
  wait(200ms);
  const ShutdownReport shutdown = system_.shutdown("the soak is over");
  crew_.end();
  auto found = books_->check_at_end(system_);
  if (!shutdown.complete) found.push_back(shutdown.to_string());
  bool is_fine = report("at the end", found);
  const Flatness flatness = judge(samples_, options_.minutes);
  std::printf("\n%s", print_table(samples_, options_.minutes).c_str());
  if (flatness.was_judged) {
    std::printf("resident memory: %+.3f %% at most in %.1f minutes (until minute %.1f): %s\n",
                100 * flatness.worst, flatness.window_minutes, flatness.worst_until,
                flatness.is_flat() ? "flat" : "NOT FLAT, at most 1 % is");
    is_fine = is_fine && flatness.is_flat();
  } else {
    std::printf("resident memory: not judged, a run of less than %.0f minutes says nothing\n",
                Flatness::run_minutes_min);
  }
  const Figures f = books_->figures();
  std::printf("all in all: %s; told %" PRIu64 " = handled %" PRIu64 " and dead letters %" PRIu64
              "; %" PRIu64 " stalls\n",
              f.to_string().c_str(), f.told, f.handled, f.lost, f.stalled);
  return is_fine;
}

bool Soak::run() {
  std::printf("soak: %.2f minutes, seed %" PRIu64 "\n", options_.minutes, options_.seed);
  std::fflush(stdout);
  garden_.tend();
  for (int i = 0; i < 4; ++i)
    crew_.add(world_.new_random(), 0us,
              [&](Random& random) { load_once(system_, world_, garden_, random); });
  crew_.add(world_.new_random(), 20ms, [&](Random& random) {
    disturb_once(system_, world_, random);
    if (!world_.is_ending) garden_.tend();
  });
  const auto whole = std::chrono::duration_cast<Duration>(
      std::chrono::duration<double, std::ratio<60>>(options_.minutes));
  const Duration between = std::min(rest_each, whole / 5);
  bool is_fine = true;
  while (is_fine && system_.now() - began_ < whole) {
    world_.is_warming_up = minutes() < options_.minutes * Flatness::warm_up;
    crew_.go_on();
    wait(between);
    is_fine = check_rest();
    print_line();
  }
  return check_end() && is_fine;
}

/// Slabs are no heap: whether all that lies in them has come back no leak checker says.
bool slabs_are_whole() {
  const std::uint64_t slots = detail::ask_slots_in_use();
  const std::uint64_t bytes = detail::block_bytes_in_use();
  std::printf("still in use in slabs: %" PRIu64 " ask slots, %" PRIu64 " bytes of blocks\n", slots,
              bytes);
  return slots == 0 && bytes == 0;
}

int main(int argc, char** argv) {
  Options options;
  CLI::App app{"Mixed load with random kills; the books must balance and memory stay flat"};
  app.add_option("--minutes", options.minutes, "how long")->check(CLI::PositiveNumber);
  app.add_option("--seed", options.seed, "of all that is random; 0: any");
  app.add_option("--workers", options.workers, "worker threads; 0: one per core, two at least");
  CLI11_PARSE(app, argc, argv);
  if (options.seed == 0) options.seed = random_seed();
  if (options.workers == 0) options.workers = std::max(2u, std::thread::hardware_concurrency());
  bool is_fine = false;
  {
    Soak soak{options};
    is_fine = soak.run();
  }
  is_fine = slabs_are_whole() && is_fine;
  std::printf("%s\n", is_fine ? "the soak is passed" : "THE SOAK FAILED");
  return is_fine ? 0 : 1;
}

}  // namespace
}  // namespace troupe::soak

int main(int argc, char** argv) {
  return troupe::soak::main(argc, argv);
}
