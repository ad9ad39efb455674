// What the connections of one server share, and what those of one io thread share.
#pragma once

#include <atomic>
#include <boost/asio/basic_stream_socket.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <chrono>
#include <condition_variable>
#include <list>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "base/ids.hpp"
#include "base/time.hpp"
#include "http/server.hpp"

namespace pawl::http::detail {

class Connection;
struct ServerState;

/// The loop's executor by name instead of the type-erased one: measurably cheaper per operation.
using Socket = boost::asio::basic_stream_socket<boost::asio::ip::tcp, boost::asio::io_context::executor_type>;
using SteadyTime = std::chrono::steady_clock::time_point;

/// splitmix64, seeded from the system: request ids must be unique, not unguessable, and the system's generator costs a call into the
/// kernel.
class RequestIdRandom final : public Random {
 public:
  explicit RequestIdRandom(std::uint64_t seed) : state_(seed) {}
  [[nodiscard]] std::uint64_t next() override {
    state_ += 0x9E3779B97F4A7C15ULL;
    std::uint64_t mixed = state_;
    mixed = (mixed ^ (mixed >> 30U)) * 0xBF58476D1CE4E5B9ULL;
    mixed = (mixed ^ (mixed >> 27U)) * 0x94D049BB133111EBULL;
    return mixed ^ (mixed >> 31U);
  }

 private:
  std::uint64_t state_;
};

/// One io thread's part of the server. Touched by that thread only.
class Shard {
 public:
  Shard(std::size_t shard_index, boost::asio::io_context& io_context, std::uint64_t seed)
      : index(shard_index), context(io_context), random_(seed), sweep_timer_(std::in_place, io_context) {}

  const std::size_t index;
  boost::asio::io_context& context;
  std::list<std::shared_ptr<Connection>> connections;

  /// Adds the connection and starts it.
  void open(std::shared_ptr<ServerState> state, Socket socket);
  /// The Date field's value, computed once a second.
  [[nodiscard]] std::string_view date(SteadyTime now);
  void new_request_id(std::string& id);
  /// Releases the timer: nothing of this server is left on the loop afterwards.
  void retire() { sweep_timer_.reset(); }

 private:
  /// Deadlines are kept per connection and looked at every few hundred milliseconds: a timer per operation would cost more than
  /// the operation.
  void arm_sweep(const std::shared_ptr<ServerState>& state);
  void sweep(SteadyTime now);

  SystemClock clock_;
  RequestIdRandom random_;
  std::string date_text_;
  SteadyTime date_until_{};
  std::optional<boost::asio::steady_timer> sweep_timer_;
  bool sweep_armed_ = false;
};

struct ServerState {
  ServerState(async::IoThreads& io_threads, Router server_router, ServerOptions server_options);

  async::IoThreads& threads;
  const Router router;
  const ServerOptions options;
  const std::chrono::milliseconds sweep_interval;
  std::vector<std::unique_ptr<Shard>> shards;
  std::atomic<bool> stopping{false};

  // How many connections are open; `stop` waits for none.
  std::atomic<std::size_t> open_connections{0};
  std::mutex mutex;
  std::condition_variable changed;
  void connection_closed();
};

}  // namespace pawl::http::detail
