/// The owner of coroutines: nothing is spawned without one, and it does not go away before they have ended.
///
/// A scope belongs to one io thread; all its functions are called there. Declare it as the last member, so that its tasks may use
/// the members before it. Life: `spawn` as often as needed; then `cancel` and `co_await wait()`; then destroy. Destroying a scope with
/// live tasks is a broken invariant.
///
/// Includes Asio's awaitable: only `.cpp` files and private headers of modules with coroutines include this.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <exception>
#include <functional>
#include <memory>
#include <string_view>

namespace boost::asio {
class io_context;
}

namespace pawl::async {

class TaskScope {
 public:
  /// Told of an exception that ended a task, with the task's name. Cancellation (`operation_aborted` after `cancel`) is not reported.
  using OnError = std::function<void(std::string_view name, std::exception_ptr error)>;

  TaskScope(boost::asio::io_context& context, OnError on_error);
  ~TaskScope();
  TaskScope(const TaskScope&) = delete;
  TaskScope& operator=(const TaskScope&) = delete;

  /// Starts `task` at the next turn of the loop. `name` must outlive it (a literal). After `cancel` a new task starts
  /// cancelled: it ends at its first wait.
  void spawn(std::string_view name, boost::asio::awaitable<void> task);

  /// Asks every task to end: its current wait fails with `operation_aborted`.
  void cancel();

  /// Returns when no task is left.
  [[nodiscard]] boost::asio::awaitable<void> wait();

  [[nodiscard]] std::size_t size() const noexcept;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace pawl::async
