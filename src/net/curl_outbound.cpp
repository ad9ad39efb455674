#include "net/curl_outbound.hpp"

#include <curl/curl.h>
#include <pthread.h>

#include <algorithm>
#include <atomic>
#include <deque>
#include <mutex>
#include <thread>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/assert.hpp"
#include "net/detail/transfer.hpp"

namespace pawl::net {
namespace {

using detail::EasyHandle;
using detail::Transfer;

constexpr std::size_t kPooledHandles = 256;
constexpr std::size_t kMaxOrigins = 1'024;
constexpr int kPollAtMostMs = 60'000;
constexpr int kPollWhileQueuedMs = 50;  // requests that wait for a place have deadlines too

Error cancelled_error() { return {ErrorClass::unavailable, "net.cancelled", "The request was cancelled."}; }

}  // namespace

struct CurlOutbound::Impl {
  explicit Impl(CurlOptions curl_options) : options(std::move(curl_options)), host_breakers(options.breaker, kMaxOrigins) {
    PAWL_ASSERT(curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK, "libcurl does not start");
    multi = curl_multi_init();
    PAWL_ASSERT(multi != nullptr, "libcurl does not start");
    curl_multi_setopt(multi, CURLMOPT_MAXCONNECTS, 256L);
    curl_multi_setopt(multi, CURLMOPT_PIPELINING, static_cast<long>(CURLPIPE_NOTHING));
  }
  ~Impl() {
    pool.clear();
    curl_multi_cleanup(multi);
    curl_global_cleanup();
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  const CurlOptions options;
  HostBreakers host_breakers;
  CURLM* multi = nullptr;
  std::atomic<RequestHandle> next_handle{1};
  std::thread thread;

  // Between threads.
  std::mutex mutex;
  std::vector<std::unique_ptr<Transfer>> inbox;
  std::vector<RequestHandle> cancels;
  bool polling = false;  ///< asleep in curl_multi_poll: needs a wake-up
  bool stopping = false;
  bool ended = false;             ///< the thread takes no messages any more
  std::vector<std::thread> late;  ///< answer what was started after that

  // Curl's thread only.
  std::deque<std::unique_ptr<Transfer>> queue;
  std::unordered_map<RequestHandle, std::unique_ptr<Transfer>> running;
  std::vector<RequestHandle> watched;            ///< of `running`: those that may not be silent for long
  std::optional<detail::SteadyTime> next_quiet;  ///< when the first of them has been
  std::vector<EasyHandle> pool;
  detail::KeptSockets kept;
  std::vector<std::pair<std::unique_ptr<Transfer>, Result<OutboundResponse>>> finished;

  /// After the thread's end a thread of its own says so: callers rely on an answer that comes, and not inside `start`. Needs the mutex.
  void answer_late(Done done) {
    late.emplace_back([done = std::move(done)]() noexcept { done(cancelled_error()); });
  }

  /// Joins the late answers too, and those to what their callbacks start.
  void join() {
    if (thread.joinable()) thread.join();
    for (;;) {
      std::vector<std::thread> left;
      {
        const std::lock_guard lock(mutex);
        left.swap(late);
      }
      if (left.empty()) return;
      for (auto& answer : left) answer.join();
    }
  }

  template <class Change>
  void tell(const Change& change) {
    bool asleep = false;
    {
      const std::lock_guard lock(mutex);
      change();
      asleep = std::exchange(polling, false);
    }
    if (asleep) curl_multi_wakeup(multi);
  }

  void run() noexcept {
    ::pthread_setname_np(::pthread_self(), "pawl-curl");
    while (take_messages()) {
      begin_queued();
      int active = 0;
      curl_multi_perform(multi, &active);
      collect();
      give_up_quiet();
      deliver();
      sleep();
    }
  }

  /// False when it is time to end.
  bool take_messages() {
    for (;;) {
      if (!take_messages_once()) return true;
      // The end: everybody is told. What the callbacks start now is told too.
      while (!running.empty()) cancel(running.begin()->first);
      for (auto& transfer : queue) finish(std::move(transfer), cancelled_error());
      queue.clear();
      deliver();
      const std::lock_guard lock(mutex);
      ended = inbox.empty();
      if (ended) return false;
    }
  }

  /// True when the client is being stopped.
  bool take_messages_once() {
    std::vector<std::unique_ptr<Transfer>> arrived;
    std::vector<RequestHandle> to_cancel;
    bool end = false;
    {
      const std::lock_guard lock(mutex);
      polling = false;
      arrived.swap(inbox);
      to_cancel.swap(cancels);
      end = stopping;
    }
    for (auto& transfer : arrived) {
      if (queue.size() < options.max_queued) {
        queue.push_back(std::move(transfer));
      } else {
        finish(std::move(transfer), Error(ErrorClass::limited, "net.overloaded", "Too many outbound requests wait already."));
      }
    }
    for (const auto handle : to_cancel) cancel(handle);
    return end;
  }

  void cancel(RequestHandle handle) {
    if (const auto found = running.find(handle); found != running.end()) {
      auto transfer = std::move(found->second);
      running.erase(found);
      curl_multi_remove_handle(multi, transfer->easy());
      return finish(std::move(transfer), cancelled_error());
    }
    for (auto waiting = queue.begin(); waiting != queue.end(); ++waiting) {
      if ((*waiting)->handle != handle) continue;
      finish(std::move(*waiting), cancelled_error());
      queue.erase(waiting);
      return;
    }
  }

  void begin_queued() {
    if (queue.empty()) return;
    while (!queue.empty() && running.size() < options.max_in_flight) {
      auto transfer = std::move(queue.front());
      queue.pop_front();
      EasyHandle easy(pool.empty() ? curl_easy_init() : pool.back().release());
      if (!pool.empty()) pool.pop_back();
      PAWL_ASSERT(easy != nullptr, "no memory for a libcurl handle");
      if (auto ready = transfer->prepare(std::move(easy)); ready.has_error()) {
        finish(std::move(transfer), std::move(ready).error());
        continue;
      }
      curl_multi_add_handle(multi, transfer->easy());
      const auto handle = transfer->handle;
      if (transfer->limits_silence()) watched.push_back(handle);
      running.emplace(handle, std::move(transfer));
    }
    const auto now = std::chrono::steady_clock::now();
    for (auto waiting = queue.begin(); waiting != queue.end();) {
      if ((*waiting)->deadline() > now) {
        ++waiting;
        continue;
      }
      finish(std::move(*waiting), Error(ErrorClass::timeout, "net.timeout", "The request waited for its turn until its time was up."));
      waiting = queue.erase(waiting);
    }
  }

  /// All that libcurl has finished, in one go: the callbacks run afterwards, as a batch.
  void collect() {
    int left = 0;
    while (const CURLMsg* const message = curl_multi_info_read(multi, &left)) {
      if (message->msg != CURLMSG_DONE) continue;
      CURL* const easy = message->easy_handle;
      const CURLcode code = message->data.result;  // the message dies with the next libcurl call
      void* pointer = nullptr;
      curl_easy_getinfo(easy, CURLINFO_PRIVATE, &pointer);
      auto& transfer = *static_cast<Transfer*>(pointer);
      curl_multi_remove_handle(multi, easy);
      auto answer = transfer.hop_ended(code);
      if (!answer) {
        curl_multi_add_handle(multi, easy);
        continue;
      }
      const auto found = running.find(transfer.handle);
      auto owned = std::move(found->second);
      running.erase(found);
      finish(std::move(owned), std::move(*answer));
    }
  }

  /// Ends what has been silent for too long, and finds out when to look again.
  void give_up_quiet() {
    next_quiet.reset();
    if (watched.empty()) return;
    const auto now = std::chrono::steady_clock::now();
    std::erase_if(watched, [&](RequestHandle handle) {
      const auto found = running.find(handle);
      if (found == running.end()) return true;
      const auto until = found->second->quiet_until();
      if (!until) return false;  // there is a limit for another part of the answer only
      if (*until > now) {
        next_quiet = next_quiet ? std::min(*next_quiet, *until) : *until;
        return false;
      }
      auto transfer = std::move(found->second);
      running.erase(found);
      curl_multi_remove_handle(multi, transfer->easy());
      auto error = transfer->gone_quiet();
      finish(std::move(transfer), std::move(error));
      return true;
    });
  }

  /// How long nothing needs to be done unless something happens.
  [[nodiscard]] int rest() const {
    const int most = queue.empty() ? kPollAtMostMs : kPollWhileQueuedMs;
    if (!next_quiet) return most;
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(*next_quiet - std::chrono::steady_clock::now()).count();
    return static_cast<int>(std::clamp<std::int64_t>(left, 0, most));
  }

  void finish(std::unique_ptr<Transfer> transfer, Result<OutboundResponse> result) {
    if (auto easy = transfer->release(); easy && pool.size() < kPooledHandles) pool.push_back(std::move(easy));
    finished.emplace_back(std::move(transfer), std::move(result));
  }

  void deliver() {
    for (auto& [transfer, result] : finished) transfer->done(std::move(result));
    finished.clear();
  }

  void sleep() {
    {
      const std::lock_guard lock(mutex);
      if (stopping || !inbox.empty() || !cancels.empty()) return;
      polling = true;
    }
    curl_multi_poll(multi, nullptr, 0, rest(), nullptr);
  }
};

CurlOutbound::CurlOutbound(CurlOptions options) : impl_(std::make_unique<Impl>(std::move(options))) {
  impl_->thread = std::thread([impl = impl_.get()]() noexcept { impl->run(); });
}

CurlOutbound::~CurlOutbound() { stop(); }

void CurlOutbound::stop() {
  impl_->tell([this] { impl_->stopping = true; });
  impl_->join();
}

RequestHandle CurlOutbound::start(OutboundRequest request, Done done) {
  const auto handle = impl_->next_handle.fetch_add(1);
  auto transfer =
      std::make_unique<Transfer>(handle, std::move(request), std::move(done), impl_->options, impl_->host_breakers, impl_->kept);
  impl_->tell([&] {
    if (impl_->ended) return impl_->answer_late(std::move(transfer->done));
    impl_->inbox.push_back(std::move(transfer));
  });
  return handle;
}

void CurlOutbound::cancel(RequestHandle handle) {
  impl_->tell([&] { impl_->cancels.push_back(handle); });
}

std::vector<HostBreakerState> CurlOutbound::breakers(std::size_t most) const {
  return impl_->host_breakers.snapshot(std::chrono::steady_clock::now(), most);
}

}  // namespace pawl::net
