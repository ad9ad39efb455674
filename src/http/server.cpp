#include "http/server.hpp"

#include <atomic>
#include <boost/asio/basic_socket_acceptor.hpp>
#include <boost/asio/basic_waitable_timer.hpp>
#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/address.hpp>
#include <boost/asio/post.hpp>
#include <latch>
#include <utility>

#include "base/assert.hpp"
#include "http/detail/connection.hpp"
#include "http/detail/server_state.hpp"

namespace pawl::http {
namespace asio = boost::asio;
using detail::ServerState;
using detail::Shard;
using detail::Socket;
using Acceptor = asio::basic_socket_acceptor<asio::ip::tcp, asio::io_context::executor_type>;

namespace {

constexpr std::chrono::milliseconds kAcceptPause{50};

/// The listening socket. Lives on io thread 0; kept alive by its own pending operation.
class Listener : public std::enable_shared_from_this<Listener> {
 public:
  Listener(std::shared_ptr<ServerState> state, Acceptor acceptor)
      : state_(std::move(state)), acceptor_(std::move(acceptor)), pause_(state_->threads.context(0)) {}

  void accept() {
    auto& shard = *state_->shards[next_shard_];
    next_shard_ = (next_shard_ + 1) % state_->shards.size();
    acceptor_->async_accept(shard.context, [self = shared_from_this(), &shard](boost::system::error_code failure, Socket socket) {
      if (!self->acceptor_) return;
      if (!failure) {
        self->hand_over(shard, std::move(socket));
      } else if (failure == asio::error::operation_aborted) {
        return;
      } else if (failure != asio::error::connection_aborted) {
        return self->accept_later();  // out of descriptors or memory: spinning would not bring them back
      }
      self->accept();
    });
  }

  void close() {
    acceptor_.reset();
    pause_.reset();
  }

 private:
  void hand_over(Shard& shard, Socket socket) {
    if (state_->open_connections.fetch_add(1) >= state_->options.max_connections) {
      constexpr std::string_view kFull =
          "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nRetry-After: 1\r\nConnection: close\r\n\r\n";
      boost::system::error_code ignored;
      socket.non_blocking(true, ignored);
      socket.write_some(asio::buffer(kFull.data(), kFull.size()), ignored);
      socket.shutdown(Socket::shutdown_send, ignored);
      return state_->connection_closed();
    }
    asio::post(shard.context, [state = state_, &shard, socket = std::move(socket)]() mutable {
      if (state->stopping) return state->connection_closed();
      shard.open(std::move(state), std::move(socket));
    });
  }

  void accept_later() {
    pause_->expires_after(kAcceptPause);
    pause_->async_wait([self = shared_from_this()](boost::system::error_code failure) {
      if (!failure && self->acceptor_) self->accept();
    });
  }

  std::shared_ptr<ServerState> state_;
  std::optional<Acceptor> acceptor_;
  std::optional<asio::steady_timer> pause_;
  std::size_t next_shard_ = 0;
};

Error listen_error(const ServerOptions& options, const boost::system::error_code& failure) {
  return {ErrorClass::unavailable, "http.listen",
          "Cannot listen on " + options.host + " port " + std::to_string(options.port) + ": " + failure.message() + "."};
}

}  // namespace

struct Server::Impl {
  std::shared_ptr<ServerState> state;
  std::shared_ptr<Listener> listener;
  std::uint16_t port = 0;
  bool stopped = false;

  /// Runs `work` once per shard on its thread and returns when all have; on this thread where the io threads do not run.
  template <class Work>
  void on_every_shard(const Work& work) {
    if (!state->threads.running()) {
      for (auto& shard : state->shards) work(*shard);
      return;
    }
    std::latch done(static_cast<std::ptrdiff_t>(state->shards.size()));
    for (auto& shard : state->shards) {
      state->threads.post(shard->index, [&work, &done, &shard] {
        work(*shard);
        done.count_down();
      });
    }
    done.wait();
  }

  template <class Each>
  void for_each_connection(const Each& each) {
    on_every_shard([&each](Shard& shard) {
      for (auto next = shard.connections.begin(); next != shard.connections.end();) {
        const auto connection = *next++;
        each(*connection);
      }
    });
  }

  bool wait_until_empty(std::chrono::milliseconds patience) {
    std::unique_lock lock(state->mutex);
    return state->changed.wait_for(lock, patience, [this] { return state->open_connections == 0; });
  }
};

Server::Server(async::IoThreads& threads, Router router, ServerOptions options) : impl_(std::make_unique<Impl>()) {
  impl_->state = std::make_shared<ServerState>(threads, std::move(router), std::move(options));
}

Server::~Server() { stop(std::chrono::milliseconds(0)); }

Result<void> Server::start() {
  PAWL_ASSERT(impl_->listener == nullptr && !impl_->stopped, "a server is started once");
  auto& state = *impl_->state;
  boost::system::error_code failure;
  const auto address = asio::ip::make_address(state.options.host, failure);
  if (failure) return Error(ErrorClass::invalid, "http.address", "\"" + state.options.host + "\" is not an IP address to listen on.");
  const asio::ip::tcp::endpoint endpoint(address, state.options.port);
  Acceptor acceptor(state.threads.context(0));
  acceptor.open(endpoint.protocol(), failure);
  if (!failure) acceptor.set_option(Acceptor::reuse_address(true), failure);
  if (!failure) acceptor.bind(endpoint, failure);
  if (!failure) acceptor.listen(state.options.backlog, failure);
  if (failure) return listen_error(state.options, failure);
  impl_->port = acceptor.local_endpoint(failure).port();
  impl_->listener = std::make_shared<Listener>(impl_->state, std::move(acceptor));
  asio::post(state.threads.context(0), [listener = impl_->listener] { listener->accept(); });
  return {};
}

std::uint16_t Server::port() const noexcept { return impl_->port; }

std::size_t Server::connections() const noexcept { return impl_->state->open_connections; }

void Server::stop(std::chrono::milliseconds patience) {
  if (std::exchange(impl_->stopped, true)) return;
  auto& state = *impl_->state;
  PAWL_ASSERT(!state.threads.current(), "a server is not stopped from an io thread");
  state.stopping = true;
  const auto listener = std::exchange(impl_->listener, nullptr);
  impl_->on_every_shard([&listener](Shard& shard) {
    if (shard.index == 0 && listener) listener->close();
  });
  if (state.threads.running()) {
    impl_->for_each_connection([](detail::Connection& connection) { connection.wind_down(); });
    impl_->wait_until_empty(patience);
  }
  impl_->for_each_connection([](detail::Connection& connection) { connection.close(); });
  impl_->on_every_shard([](Shard& shard) { shard.retire(); });
}

}  // namespace pawl::http
