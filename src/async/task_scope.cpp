#include "async/task_scope.hpp"

#include <boost/asio/bind_cancellation_slot.hpp>
#include <boost/asio/cancellation_signal.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/system/system_error.hpp>
#include <list>
#include <utility>

#include "base/assert.hpp"

namespace pawl::async {
namespace asio = boost::asio;

struct TaskScope::Impl {
  Impl(asio::io_context& io_context, OnError error_handler)
      : context(io_context), on_error(std::move(error_handler)), empty_signal(io_context, asio::steady_timer::time_point::max()) {}

  asio::io_context& context;
  OnError on_error;
  std::list<asio::cancellation_signal> tasks;  ///< nodes never move: slots point into them
  asio::steady_timer empty_signal;             ///< never fires; cancelled when the last task ends
  bool cancelled = false;

  void ended(std::list<asio::cancellation_signal>::iterator node, std::string_view name, const std::exception_ptr& error) {
    tasks.erase(node);
    if (tasks.empty()) empty_signal.cancel();
    if (!error) return;
    try {
      std::rethrow_exception(error);
    } catch (const boost::system::system_error& failure) {
      if (cancelled && failure.code() == asio::error::operation_aborted) return;
    } catch (...) {
      // Reported below like any other.
    }
    if (on_error) on_error(name, error);
  }
};

TaskScope::TaskScope(asio::io_context& context, OnError on_error) : impl_(std::make_shared<Impl>(context, std::move(on_error))) {}

TaskScope::~TaskScope() { PAWL_ASSERT(impl_->tasks.empty() || impl_->context.stopped(), "a task scope is destroyed after its tasks"); }

void TaskScope::spawn(std::string_view name, asio::awaitable<void> task) {
  impl_->tasks.emplace_back();
  const auto node = std::prev(impl_->tasks.end());
  auto on_end = [impl = impl_, node, name](const std::exception_ptr& error) { impl->ended(node, name, error); };
  asio::co_spawn(impl_->context, std::move(task), asio::bind_cancellation_slot(node->slot(), std::move(on_end)));
  if (!impl_->cancelled) return;
  // The task's first wait must see the cancellation, and it has not begun yet: ask behind its start in the loop's queue.
  asio::post(impl_->context, [impl = impl_] {
    if (impl->cancelled) {
      for (auto task_node = impl->tasks.begin(); task_node != impl->tasks.end();) (task_node++)->emit(asio::cancellation_type::terminal);
    }
  });
}

void TaskScope::cancel() {
  impl_->cancelled = true;
  // A completion never runs inside emit() (Asio posts it), so the list does not change under the loop.
  for (auto& task : impl_->tasks) task.emit(asio::cancellation_type::terminal);
}

asio::awaitable<void> TaskScope::wait() {
  const auto impl = impl_;
  while (!impl->tasks.empty()) {
    boost::system::error_code ignored;
    co_await impl->empty_signal.async_wait(asio::redirect_error(asio::use_awaitable, ignored));
  }
}

std::size_t TaskScope::size() const noexcept { return impl_->tasks.size(); }

}  // namespace pawl::async
