// use_await: the completion token with which an actor waits for an Asio operation.
#pragma once

#include <exception>
#include <memory>
#include <optional>
#include <stop_token>
#include <system_error>
#include <tuple>
#include <utility>

#include <asio.hpp>
#include <troupe/runtime/actor.hpp>

namespace troupe::asio {

struct UseAwait {};
/// `std::size_t n = socket.async_read_some(buffer, troupe::asio::use_await);` in an actor's handler
/// suspends the actor, never a thread, until the operation is done, and returns its result; several
/// values as a tuple. An error code is thrown as std::system_error, an exception as it is. The
/// operation may use `this` and locals: even kill waits for it, and cancels it where Asio can; then
/// Cancelled is thrown. Throws UsageError outside of an actor.
inline constexpr UseAwait use_await;

namespace detail {

/// An operation an actor waits for. Shared, as a cancellation may come when it is over.
template <class... Values>
struct Operation {
  std::optional<std::tuple<Values...>> values;
  ::asio::cancellation_signal cancellation;
};

template <class... Values>
class OperationHandler {
 public:
  using cancellation_slot_type = ::asio::cancellation_slot;

  OperationHandler(std::shared_ptr<Operation<Values...>> operation,
                   troupe::detail::RequestPort port)
      : operation_(std::move(operation)), port_(port) {}
  OperationHandler(OperationHandler&& other) noexcept
      : operation_(std::move(other.operation_)), port_(std::exchange(other.port_, {})) {}
  OperationHandler& operator=(OperationHandler&&) = delete;
  /// Never called: its io_context is gone. The actor hears of it as of an aborted operation.
  ~OperationHandler() {
    if (port_.slot == nullptr) return;
    operation_->cancellation.slot().clear();
    troupe::detail::answer_done(port_);
  }
  template <class... Given>
  void operator()(Given&&... given) {
    operation_->values.emplace(std::forward<Given>(given)...);
    operation_->cancellation.slot()
        .clear();  // a cancellation under way must not reach what is over
    const auto port = std::exchange(port_, {});
    troupe::detail::answer_done(port);
  }
  [[nodiscard]] cancellation_slot_type get_cancellation_slot() const noexcept {
    return operation_->cancellation.slot();
  }

 private:
  std::shared_ptr<Operation<Values...>> operation_;
  troupe::detail::RequestPort port_;
};

inline void throw_if(const std::error_code& error) {
  if (error) throw std::system_error(error);
}
inline void throw_if(const std::exception_ptr& error) {
  if (error) std::rethrow_exception(error);
}
template <class... Vs>
auto only_values(std::tuple<Vs...>&& values) {
  if constexpr (sizeof...(Vs) == 1) {
    return std::get<0>(std::move(values));
  } else if constexpr (sizeof...(Vs) > 1) {
    return std::move(values);
  }
}
/// What the caller gets: the values without a leading error, which is thrown.
template <class First, class... Rest>
auto result_of(std::tuple<First, Rest...>&& values) {
  if constexpr (requires { throw_if(std::get<0>(values)); }) {
    throw_if(std::get<0>(values));
    return std::apply(
        [](auto&&, auto&&... rest) { return only_values(std::tuple<Rest...>(std::move(rest)...)); },
        std::move(values));
  } else {
    return only_values(std::move(values));
  }
}
inline void result_of(std::tuple<>&&) {}

template <class... Values, class Initiation, class... Args>
auto run_operation(Initiation&& initiation, Args&&... args) {
  const auto operation = std::make_shared<Operation<Values...>>();
  std::stop_source stop;
  std::optional<std::stop_callback<std::function<void()>>> cancel;
  if constexpr (requires { initiation.get_executor(); }) {
    cancel.emplace(stop.get_token(), [operation, executor = initiation.get_executor()] {
      ::asio::post(executor, [operation] {
        operation->cancellation.emit(::asio::cancellation_type::terminal);
      });
    });
  }
  troupe::detail::wait_external(stop, [&](troupe::detail::RequestPort port) {
    std::forward<Initiation>(initiation)(OperationHandler<Values...>{operation, port},
                                         std::forward<Args>(args)...);
  });
  if (!operation->values) throw std::system_error(::asio::error::operation_aborted);
  return result_of(std::move(*operation->values));
}

}  // namespace detail
}  // namespace troupe::asio

/// How Asio starts an operation with use_await. Thread safety: no state.
template <class... Args>
class asio::async_result<troupe::asio::UseAwait, void(Args...)> {
 public:
  template <class Initiation, class... InitArgs>
  static auto initiate(Initiation&& initiation, troupe::asio::UseAwait, InitArgs&&... args) {
    return troupe::asio::detail::run_operation<std::decay_t<Args>...>(
        std::forward<Initiation>(initiation), std::forward<InitArgs>(args)...);
  }
};
