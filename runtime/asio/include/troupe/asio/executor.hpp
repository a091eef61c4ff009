// A System on the user's own io_context.
#pragma once

#include <memory>

#include <asio/io_context.hpp>
#include <troupe/runtime/options.hpp>

namespace troupe::asio {

/// For `SystemOptions.executor`, of one System: actors, one at a time, and timers run on the
/// threads that run `io`. Blocking calls get threads of their own. `io` outlives the System.
/// Messages, timers and blocking calls under way keep `io.run()` from returning, actors that merely
/// exist do not. Shut the System down while `io` runs, in one of its handlers, or when `io.stop()`
/// was called and every run() has returned; where a shutdown waits, its thread runs what is left.
[[nodiscard]] std::shared_ptr<troupe::detail::Executor> executor_on(::asio::io_context& io);

}  // namespace troupe::asio
