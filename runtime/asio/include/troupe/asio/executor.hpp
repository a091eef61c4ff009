// A System on the user's own io_context.
#pragma once

#include <memory>

#include <asio/io_context.hpp>
#include <troupe/runtime/options.hpp>

namespace troupe::asio {

/// For `SystemOptions.executor`: actors, one at a time, and timers run on the threads that run
/// `io`. Blocking calls get threads of their own. `io` outlives the System. Messages and timers
/// under way keep `io.run()` from returning, actors that merely exist do not. Shut the System down
/// while `io` still runs, or after its run() has returned; where it waits for actors on a thread
/// that is not in `io`, that thread runs them too.
[[nodiscard]] std::shared_ptr<troupe::detail::Executor> executor_on(::asio::io_context& io);

}  // namespace troupe::asio
