/// One connection to Redis from name resolution to its loss: a line, hiredis to format commands and to parse replies.
///
/// hiredis' own asynchronous context is not used: version 0.14 looks names up while everything waits, has no timers, frees itself while
/// its callbacks still run, and ends the process by an assertion when a server sends a reply that nobody asked for. Its parser has
/// none of that.
#pragma once

#include <array>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <deque>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "net/detail/redis_line.hpp"
#include "net/redis.hpp"

struct redisReader;
struct redisReply;

namespace pawl::net::detail {

/// Everything on the client's thread. Its handlers keep it alive; `close` before letting go of it.
class RedisSession : public std::enable_shared_from_this<RedisSession> {
 public:
  struct Events {
    std::function<void()> ready;             ///< the server has answered the greeting
    std::function<void(const Error&)> lost;  ///< once, also before `ready`; commands are answered after it
    /// What a subscription brings: `subscribe` (confirmation, no payload) and `message`.
    std::function<void(std::string_view kind, std::string_view channel, std::string_view payload)> push;
  };

  /// `address` and `options` outlive the session.
  RedisSession(boost::asio::io_context& context, const RedisAddress& address, const RedisOptions& options, Events events);
  ~RedisSession();
  RedisSession(const RedisSession&) = delete;
  RedisSession& operator=(const RedisSession&) = delete;

  /// Begins; called once.
  void open();
  [[nodiscard]] bool ready() const { return state_ == State::ready; }
  [[nodiscard]] std::size_t pending() const { return pending_.size(); }

  /// Only when ready.
  void command(const std::vector<std::string>& arguments, RedisClient::Done done);
  /// From now on every reply is a push, and no command may follow. Only when ready.
  void subscribe(const std::vector<std::string>& channels);
  /// Ends the connection; `lost` is not told.
  void close();

 private:
  enum class State : std::uint8_t { fresh, connecting, ready, closed };
  using Clock = std::chrono::steady_clock;
  struct Pending {
    RedisClient::Done done;
    Clock::time_point deadline;
  };
  struct FreeReader {
    void operator()(redisReader* reader) const;
  };

  void resolve();
  void connect(const boost::asio::ip::tcp::resolver::results_type& endpoints);
  void greet();
  void greeted();
  void fail(Error why);
  void end();
  void answer_all(const Error& why);
  void send(const std::vector<std::string>& arguments);
  void watch_deadlines();
  void write();
  void read();
  void take(std::size_t bytes);
  void handle(const redisReply& reply);

  const RedisAddress& address_;
  const RedisOptions& options_;
  Events events_;
  State state_ = State::fresh;
  boost::asio::ip::tcp::resolver resolver_;
  RedisLine line_;
  boost::asio::steady_timer connect_timer_;
  boost::asio::steady_timer deadline_timer_;
  bool watching_ = false;
  bool subscribed_ = false;
  std::unique_ptr<redisReader, FreeReader> reader_;
  std::array<char, 16UL * 1024> in_{};
  std::size_t incomplete_ = 0;  ///< bytes received since the last complete reply
  std::string to_write_;
  std::string being_written_;
  std::deque<Pending> pending_;         ///< in the order in which Redis answers
  std::optional<std::string> refusal_;  ///< of the greeting
};

}  // namespace pawl::net::detail
