/// A client of one Redis server: commands, scripts, publish and subscribe. Never blocks its callers.
///
///     RedisClient redis(address, {.report = log_line});
///     redis.command({"GET", "a"}, [](Result<RedisReply> reply) { ... });
///     redis.subscribe("news", [](std::string_view payload) { ... });
///
/// The client has a thread of its own with two connections, because Redis accepts no commands where somebody subscribes. Lost connections
/// are made anew, with waiting times that grow to `max_backoff` and vary, so that many processes do not come back at the same instant.
/// While there is no connection a command fails at once: nothing is queued for a server that is not there. A server that does not answer
/// a command in time is as good as gone: its connection is dropped.
///
/// Redis is shared memory here and not a record: a published message is lost where nobody listens at that moment, and a subscriber has to
/// assume after a reconnect that it missed something (`on_resubscribed`).
///
/// | code                | class       | meaning                                                                   |
/// | ---                 | ---         | ---                                                                       |
/// | `redis.unavailable` | unavailable | no connection, or it broke before the answer (which may have been carried out) |
/// | `redis.timeout`     | timeout     | no answer in time                                                         |
/// | `redis.overloaded`  | unavailable | `max_pending` commands wait already                                       |
/// | `redis.too_large`   | unavailable | an answer larger than `max_reply_bytes`; the connection is dropped        |
/// | `redis.refused`     | internal    | Redis answered with an error                                              |
/// | `redis.invalid_url` | invalid     | see `parse`                                                               |
///
/// No error, report or snapshot contains the password.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "async/unique_function.hpp"
#include "base/error.hpp"

namespace pawl::net {

struct RedisAddress {
  std::string host = "127.0.0.1";  ///< name or address
  std::uint16_t port = 6379;
  std::string user{};  ///< empty: the default user
  std::string password{};
  std::uint32_t database = 0;
  bool tls = false;

  /// `redis://[[user]:password@]host[:port][/database]`, the user and the password percent-encoded; `rediss://` with TLS.
  /// Error `redis.invalid_url`, without the text.
  [[nodiscard]] static Result<RedisAddress> parse(std::string_view url);
  /// `redis://host:port/database`, for logs.
  [[nodiscard]] std::string to_string() const;
};

struct RedisReply {
  enum class Type : std::uint8_t { nil, integer, text, array };
  Type type = Type::nil;
  std::int64_t integer = 0;
  std::string text{};  ///< bulk and status replies
  std::vector<RedisReply> elements{};
};

struct RedisOptions {
  std::chrono::milliseconds connect_timeout{2'000};  ///< until the server has answered PING, name resolution included
  std::chrono::milliseconds command_timeout{500};
  std::chrono::milliseconds min_backoff{50};
  std::chrono::milliseconds max_backoff{2'000};
  std::size_t max_pending = 10'000;  ///< commands without answer
  std::size_t max_reply_bytes = 16U * 1024 * 1024;
  std::string ca_file{};  ///< authorities whose certificates are taken; empty: the system's
  /// A sentence for the log, on the client's thread: once when Redis is lost (or not there at the start), once when it is back.
  std::function<void(bool connected, const std::string& sentence)> report{};
};

/// A Lua script that `RedisClient::eval` runs; register it once at start.
struct RedisScript {
  std::size_t index = 0;
};

class RedisClient {
 public:
  /// Runs exactly once per call, never inside it (but see `stop`), on the client's thread. Must not block or throw.
  using Done = async::UniqueFunction<void(Result<RedisReply>)>;
  using OnMessage = std::function<void(std::string_view payload)>;

  /// Starts the thread and begins to connect.
  RedisClient(RedisAddress address, RedisOptions options);
  /// Like `stop`.
  ~RedisClient();
  RedisClient(const RedisClient&) = delete;
  RedisClient& operator=(const RedisClient&) = delete;

  /// Ends what is left with `redis.unavailable` (every `done` has run when this returns) and joins; later commands are answered so before
  /// they return. Idempotent; not on the client's thread.
  void stop();

  /// Sends a command. Any thread.
  void command(std::vector<std::string> arguments, Done done);

  /// Before the first `eval`: `text` is loaded on every connection.
  [[nodiscard]] RedisScript add_script(std::string text);
  /// Runs a script by its hash (EVALSHA), or by its text where the server has forgotten it. Any thread.
  void eval(RedisScript script, std::vector<std::string> keys, std::vector<std::string> arguments, Done done);

  /// Calls `on_message` on the client's thread for every message of `channel`, from when the subscription has reached the server, over
  /// reconnects, until the client ends. A second subscription of a channel adds a listener. Any thread.
  void subscribe(std::string channel, OnMessage on_message);
  /// Told on the client's thread whenever all subscriptions are in force (again): what was published before may have been missed.
  void on_resubscribed(std::function<void()> tell);

  /// Whether commands have a connection right now. Any thread; costs an atomic read.
  [[nodiscard]] bool connected() const noexcept;

  struct Snapshot {
    bool connected = false;   ///< commands
    bool subscribed = false;  ///< there are subscriptions and all are in force, or there are none
    std::string problem{};    ///< why not connected, one sentence; empty where connected
    std::size_t pending = 0;
    std::uint64_t commands = 0;  ///< sent
    std::uint64_t failures = 0;  ///< ended with an error of this client's (not `redis.refused`)
    std::uint64_t reconnects = 0;
    std::uint64_t messages = 0;  ///< received by subscriptions
  };
  /// For health and metrics. Any thread.
  [[nodiscard]] Snapshot snapshot() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace pawl::net
