#include "net/redis.hpp"

#include <algorithm>
#include <atomic>
#include <boost/asio/io_context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <charconv>
#include <future>
#include <map>
#include <mutex>
#include <utility>

#include "async/io_threads.hpp"
#include "base/assert.hpp"
#include "base/ids.hpp"
#include "net/detail/redis_session.hpp"
#include "net/uri.hpp"

namespace pawl::net {
namespace {

using detail::RedisSession;
using std::chrono::milliseconds;

constexpr std::string_view kScheme = "redis://";
constexpr std::string_view kSecureScheme = "rediss://";
constexpr std::size_t kThread = 0;

Error unavailable(const char* sentence) { return {ErrorClass::unavailable, "redis.unavailable", sentence}; }

template <class Number>
bool read_number(std::string_view text, Number& number) {
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
  return failure == std::errc{} && end == text.data() + text.size();
}

/// When to try again: longer with every attempt, and never the same for two processes.
class Backoff {
 public:
  explicit Backoff(const RedisOptions& options) : options_(options) {}
  void reset() { attempts_ = 0; }
  milliseconds next(Random& random) {
    const auto doubled = options_.min_backoff * (std::int64_t{1} << std::min(attempts_++, 20));
    const auto most = std::max<std::int64_t>(2, std::min(options_.max_backoff, doubled).count());
    return milliseconds(most / 2 + static_cast<std::int64_t>(random.next() % static_cast<std::uint64_t>(most - most / 2)));
  }

 private:
  const RedisOptions& options_;
  int attempts_ = 0;
};

}  // namespace

Result<RedisAddress> RedisAddress::parse(std::string_view url) {
  const auto invalid = [](const char* what) {
    return Error(ErrorClass::invalid, "redis.invalid_url",
                 std::string("The Redis URL ") + what + " (redis://[:password@]host[:port][/database]).");
  };
  RedisAddress address;
  address.tls = url.starts_with(kSecureScheme);
  if (!address.tls && !url.starts_with(kScheme)) return invalid("does not begin with redis:// or rediss://");
  auto rest = url.substr(address.tls ? kSecureScheme.size() : kScheme.size());
  if (const auto at = rest.rfind('@'); at != std::string_view::npos) {
    const auto credentials = rest.substr(0, at);
    rest.remove_prefix(at + 1);
    const auto colon = credentials.find(':');
    if (colon == std::string_view::npos) return invalid("has a user without a password");
    auto user = percent_decode(credentials.substr(0, colon));
    auto password = percent_decode(credentials.substr(colon + 1));
    if (!user || !password) return invalid("has a malformed escape in its password");
    address.user = std::move(*user);
    address.password = std::move(*password);
  }
  if (const auto slash = rest.find('/'); slash != std::string_view::npos) {
    const auto database = rest.substr(slash + 1);
    if (!database.empty() && !read_number(database, address.database)) return invalid("names a database that is no number");
    rest = rest.substr(0, slash);
  }
  auto host_end = rest.rfind(':');
  if (rest.starts_with('[')) {
    const auto close = rest.find(']');
    if (close == std::string_view::npos) return invalid("has no host");
    address.host = rest.substr(1, close - 1);
    host_end = close + 1 < rest.size() ? close + 1 : std::string_view::npos;
    if (host_end != std::string_view::npos && rest[host_end] != ':') return invalid("has no host");
  } else {
    address.host = rest.substr(0, host_end);
  }
  if (host_end != std::string_view::npos && (!read_number(rest.substr(host_end + 1), address.port) || address.port == 0)) {
    return invalid("has a port that is no number");
  }
  if (address.host.empty() || address.host.find_first_of("?#@ \r\n") != std::string::npos) return invalid("has no host");
  return address;
}

std::string RedisAddress::to_string() const {
  const bool v6 = host.find(':') != std::string::npos;
  return std::string(tls ? kSecureScheme : kScheme) + (v6 ? "[" + host + "]" : host) + ":" + std::to_string(port) + "/" +
         std::to_string(database);
}

struct RedisClient::Impl {
  Impl(RedisAddress a_address, RedisOptions a_options)
      : address(std::move(a_address)),
        options(std::move(a_options)),
        command_backoff(options),
        subscription_backoff(options),
        threads(1),
        retry_commands(threads.context(kThread)),
        retry_subscriptions(threads.context(kThread)) {}

  struct Outgoing {
    std::vector<std::string> arguments{};
    Done done{};
    bool overload = false;
    std::optional<RedisScript> script{};  ///< then `arguments` are those of EVALSHA from the count of keys on
  };
  struct Script {
    std::string text;
    std::string hash;  ///< as the server said; empty: not known
  };

  const RedisAddress address;
  const RedisOptions options;
  SystemRandom random;
  Backoff command_backoff;
  Backoff subscription_backoff;
  std::atomic<bool> connected{false};
  std::atomic<std::size_t> pending{0};
  std::atomic<std::uint64_t> commands{0};
  std::atomic<std::uint64_t> failures{0};
  std::atomic<std::uint64_t> messages{0};

  // Between threads.
  mutable std::mutex mutex;
  std::vector<Outgoing> outbox;
  std::vector<std::string> script_texts;
  bool posted = false;
  bool stopped = false;
  std::string problem = "no connection yet";
  bool subscribed = true;
  std::uint64_t reconnects = 0;

  // The client's thread only.
  std::map<std::size_t, Script> scripts;
  std::map<std::string, std::vector<OnMessage>, std::less<>> listeners;
  std::function<void()> resubscribed;
  std::size_t unconfirmed = 0;
  bool ever_connected = false;
  bool reported_loss = false;
  bool stopping = false;
  async::IoThreads threads;
  std::shared_ptr<RedisSession> command_session;
  std::shared_ptr<RedisSession> subscription_session;
  boost::asio::steady_timer retry_commands;
  boost::asio::steady_timer retry_subscriptions;

  // ---- commands ----

  void enqueue(Outgoing outgoing) {
    // Counted here and given back when `done` has run: the bound holds for everything that is under way.
    outgoing.overload = pending.fetch_add(1) >= options.max_pending;
    {
      const std::lock_guard lock(mutex);
      if (!stopped) {
        outbox.push_back(std::move(outgoing));
        if (!std::exchange(posted, true)) threads.post(kThread, [this] { send_outbox(); });
        return;
      }
    }
    finish(outgoing.done, unavailable("The Redis client has ended."));
  }

  void finish(Done& done, Result<RedisReply> reply) {
    pending.fetch_sub(1);
    if (reply.has_error() && reply.error().code != "redis.refused") failures.fetch_add(1);
    done(std::move(reply));
  }

  void send_outbox() {
    std::vector<Outgoing> batch;
    {
      const std::lock_guard lock(mutex);
      batch.swap(outbox);
      posted = false;
    }
    for (auto& outgoing : batch) {
      // Looked at each time: an answer may have ended the session.
      if (outgoing.overload) {
        finish(outgoing.done, Error(ErrorClass::unavailable, "redis.overloaded", "Too many Redis commands wait already."));
      } else if (!command_session || !command_session->ready()) {
        finish(outgoing.done, unavailable("Redis is not available."));
      } else if (outgoing.script) {
        send_script(std::move(outgoing));
      } else {
        send(outgoing.arguments, std::move(outgoing.done));
      }
    }
  }

  void send(const std::vector<std::string>& arguments, Done done) {
    commands.fetch_add(1);
    command_session->command(arguments,
                             [this, done = std::move(done)](Result<RedisReply> reply) mutable { finish(done, std::move(reply)); });
  }

  [[nodiscard]] static std::vector<std::string> with(std::string verb, std::string what, const std::vector<std::string>& arguments) {
    std::vector<std::string> all{std::move(verb), std::move(what)};
    all.insert(all.end(), arguments.begin(), arguments.end());
    return all;
  }

  void send_script(Outgoing outgoing) {
    const auto& script = scripts.at(outgoing.script->index);
    if (script.hash.empty()) return send(with("EVAL", script.text, outgoing.arguments), std::move(outgoing.done));
    commands.fetch_add(1);
    auto by_hash = with("EVALSHA", script.hash, outgoing.arguments);
    command_session->command(by_hash, [this, outgoing = std::make_unique<Outgoing>(std::move(outgoing))](Result<RedisReply> reply) mutable {
      const bool forgotten = reply.has_error() && reply.error().message.starts_with("NOSCRIPT");
      if (!forgotten) return finish(outgoing->done, std::move(reply));
      // EVAL also loads it: the next one by hash works again.
      if (!command_session->ready()) return finish(outgoing->done, unavailable("Redis is not available."));
      send(with("EVAL", scripts.at(outgoing->script->index).text, outgoing->arguments), std::move(outgoing->done));
    });
  }

  void load_scripts() {
    {
      const std::lock_guard lock(mutex);
      for (std::size_t i = 0; i < script_texts.size(); ++i) scripts[i].text = script_texts[i];
    }
    for (auto& [index, script] : scripts) load(index);
  }

  void load(std::size_t index) {
    pending.fetch_add(1);
    send({"SCRIPT", "LOAD", scripts.at(index).text}, [this, index](const Result<RedisReply>& reply) {
      if (reply.has_value()) scripts.at(index).hash = reply->text;
    });
  }

  // ---- connections ----

  void open_commands() {
    if (stopping) return;
    RedisSession::Events events;
    events.ready = [this] { commands_ready(); };
    events.lost = [this](const Error& why) { commands_lost(why); };
    command_session = std::make_shared<RedisSession>(threads.context(kThread), address, options, std::move(events));
    command_session->open();
  }

  void commands_ready() {
    command_backoff.reset();
    {
      const std::lock_guard lock(mutex);
      problem.clear();
      if (ever_connected) ++reconnects;
    }
    ever_connected = true;
    load_scripts();
    connected.store(true);
    if (std::exchange(reported_loss, false) && options.report) options.report(true, "Redis at " + address.to_string() + " is back.");
  }

  void commands_lost(const Error& why) {
    connected.store(false);
    {
      const std::lock_guard lock(mutex);
      problem = why.message;
    }
    if (stopping) return;
    failures.fetch_add(1);  // who asks whether Redis is there before a command sends none
    if (!std::exchange(reported_loss, true) && options.report) {
      options.report(false, "Redis at " + address.to_string() + " is not available: " + why.message + ".");
    }
    retry_commands.expires_after(command_backoff.next(random));
    retry_commands.async_wait([this](boost::system::error_code error) {
      if (!error) open_commands();
    });
  }

  void open_subscriptions() {
    if (stopping) return;
    set_subscribed(false);
    RedisSession::Events events;
    events.ready = [this] { subscribe_all(); };
    events.lost = [this](const Error&) { subscriptions_lost(); };
    events.push = [this](std::string_view kind, std::string_view channel, std::string_view payload) { pushed(kind, channel, payload); };
    subscription_session = std::make_shared<RedisSession>(threads.context(kThread), address, options, std::move(events));
    subscription_session->open();
  }

  void subscribe_all() {
    subscription_backoff.reset();
    std::vector<std::string> channels;
    channels.reserve(listeners.size());
    for (const auto& [channel, list] : listeners) channels.push_back(channel);
    unconfirmed = channels.size();
    subscription_session->subscribe(channels);
  }

  void subscriptions_lost() {
    set_subscribed(false);
    if (stopping) return;
    retry_subscriptions.expires_after(subscription_backoff.next(random));
    retry_subscriptions.async_wait([this](boost::system::error_code error) {
      if (!error) open_subscriptions();
    });
  }

  void set_subscribed(bool value) {
    const std::lock_guard lock(mutex);
    subscribed = value;
  }

  void add_listener(std::string channel, OnMessage on_message) {
    auto& list = listeners[channel];
    list.push_back(std::move(on_message));
    if (!subscription_session) return open_subscriptions();
    if (list.size() > 1 || !subscription_session->ready()) return;
    set_subscribed(false);
    ++unconfirmed;
    subscription_session->subscribe({std::move(channel)});
  }

  void pushed(std::string_view kind, std::string_view channel, std::string_view payload) {
    if (kind == "subscribe") {
      if (unconfirmed == 0 || --unconfirmed > 0) return;
      set_subscribed(true);
      if (resubscribed) resubscribed();
      return;
    }
    const auto found = listeners.find(channel);
    if (kind != "message" || found == listeners.end()) return;
    messages.fetch_add(1);
    for (const auto& listener : found->second) listener(payload);
  }

  /// On the client's thread.
  void end() {
    stopping = true;
    connected.store(false);
    retry_commands.cancel();
    retry_subscriptions.cancel();
    if (command_session) command_session->close();
    if (subscription_session) subscription_session->close();
    command_session.reset();
    subscription_session.reset();
  }
};

RedisClient::RedisClient(RedisAddress address, RedisOptions options)
    : impl_(std::make_unique<Impl>(std::move(address), std::move(options))) {
  impl_->threads.start();
  impl_->threads.post(kThread, [impl = impl_.get()] { impl->open_commands(); });
}

RedisClient::~RedisClient() { stop(); }

void RedisClient::stop() {
  {
    const std::lock_guard lock(impl_->mutex);
    if (std::exchange(impl_->stopped, true)) return;
  }
  std::promise<void> ended;
  impl_->threads.post(kThread, [&] {
    impl_->end();
    ended.set_value();
  });
  ended.get_future().wait();
  impl_->threads.stop();
  impl_->send_outbox();  // nobody else is left
}

void RedisClient::command(std::vector<std::string> arguments, Done done) {
  PAWL_ASSERT(!arguments.empty(), "a command has a name");
  impl_->enqueue({.arguments = std::move(arguments), .done = std::move(done)});
}

RedisScript RedisClient::add_script(std::string text) {
  RedisScript script;
  {
    const std::lock_guard lock(impl_->mutex);
    script.index = impl_->script_texts.size();
    impl_->script_texts.push_back(text);
  }
  impl_->threads.post(kThread, [impl = impl_.get(), index = script.index, text = std::move(text)]() mutable {
    impl->scripts[index].text = std::move(text);
    if (impl->command_session && impl->command_session->ready()) impl->load(index);
  });
  return script;
}

void RedisClient::eval(RedisScript script, std::vector<std::string> keys, std::vector<std::string> arguments, Done done) {
  std::vector<std::string> all{std::to_string(keys.size())};
  std::move(keys.begin(), keys.end(), std::back_inserter(all));
  std::move(arguments.begin(), arguments.end(), std::back_inserter(all));
  impl_->enqueue({.arguments = std::move(all), .done = std::move(done), .script = script});
}

void RedisClient::subscribe(std::string channel, OnMessage on_message) {
  impl_->threads.post(kThread, [impl = impl_.get(), channel = std::move(channel), on_message = std::move(on_message)]() mutable {
    impl->add_listener(std::move(channel), std::move(on_message));
  });
}

void RedisClient::on_resubscribed(std::function<void()> tell) {
  impl_->threads.post(kThread, [impl = impl_.get(), tell = std::move(tell)]() mutable { impl->resubscribed = std::move(tell); });
}

bool RedisClient::connected() const noexcept { return impl_->connected.load(std::memory_order_relaxed); }

RedisClient::Snapshot RedisClient::snapshot() const {
  Snapshot snapshot;
  snapshot.connected = connected();
  snapshot.pending = impl_->pending.load();
  snapshot.commands = impl_->commands.load();
  snapshot.failures = impl_->failures.load();
  snapshot.messages = impl_->messages.load();
  const std::lock_guard lock(impl_->mutex);
  snapshot.subscribed = impl_->subscribed;
  snapshot.problem = impl_->problem;
  snapshot.reconnects = impl_->reconnects;
  return snapshot;
}

}  // namespace pawl::net
