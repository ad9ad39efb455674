#include "api/detail/wait_list.hpp"

#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <map>
#include <unordered_map>

namespace pawl::api::detail {

struct WaitList::Impl : std::enable_shared_from_this<WaitList::Impl> {
  using Time = std::chrono::steady_clock::time_point;
  struct Entry {
    Token token;
    async::UniqueFunction<void()> on_timeout;
  };

  explicit Impl(boost::asio::io_context& context) : timer(context) {}

  boost::asio::steady_timer timer;
  std::multimap<Time, Entry> by_time;
  std::unordered_map<Token, std::multimap<Time, Entry>::iterator> by_token;
  Token last = 0;
  Time armed = Time::max();
  bool released = false;

  // The timer is set earlier when needed but never later: a wait that was removed costs at most one idle wake-up.
  void arm() {
    if (by_time.empty() || by_time.begin()->first >= armed) return;
    armed = by_time.begin()->first;
    timer.expires_at(armed);
    timer.async_wait([self = shared_from_this()](const boost::system::error_code& error) {
      if (!error) self->fire();
    });
  }

  void fire() {
    armed = Time::max();
    const auto now = released ? Time::max() : std::chrono::steady_clock::now();
    while (!by_time.empty() && by_time.begin()->first <= now) {
      auto entry = std::move(by_time.begin()->second);
      by_token.erase(entry.token);
      by_time.erase(by_time.begin());
      entry.on_timeout();
    }
    arm();
  }
};

WaitList::WaitList(boost::asio::io_context& context) : impl_(std::make_shared<Impl>(context)) {}
WaitList::~WaitList() { impl_->timer.cancel(); }

WaitList::Token WaitList::add(Millis wait, async::UniqueFunction<void()> on_timeout) {
  auto& impl = *impl_;
  if (impl.released) wait = Millis(0);
  const auto token = ++impl.last;
  const auto at = impl.by_time.emplace(std::chrono::steady_clock::now() + wait, Impl::Entry{token, std::move(on_timeout)});
  impl.by_token.emplace(token, at);
  impl.arm();
  return token;
}

void WaitList::remove(Token token) {
  const auto it = impl_->by_token.find(token);
  if (it == impl_->by_token.end()) return;
  impl_->by_time.erase(it->second);
  impl_->by_token.erase(it);
}

void WaitList::release() {
  impl_->released = true;
  impl_->fire();
}

bool WaitList::is_released() const { return impl_->released; }

void WaitLists::release(async::IoThreads& threads) {
  for (std::size_t shard = 0; shard < lists_.size(); ++shard) {
    threads.post(shard, [list = lists_[shard].get()] { list->release(); });
  }
}

WaitLists::WaitLists(async::IoThreads& threads) {
  for (std::size_t shard = 0; shard < threads.size(); ++shard) lists_.push_back(std::make_unique<WaitList>(threads.context(shard)));
}

}  // namespace pawl::api::detail
