#include "http/detail/server_state.hpp"

#include <algorithm>
#include <utility>

#include "http/detail/connection.hpp"
#include "http/detail/serializer.hpp"

namespace pawl::http::detail {
namespace {

/// Often enough that a deadline is missed by a quarter at most, seldom enough to cost nothing.
std::chrono::milliseconds sweep_interval_of(const ServerOptions& options) {
  const auto shortest =
      std::min({options.header_timeout, options.body_timeout, options.idle_timeout, options.write_timeout, options.heartbeat});
  return std::clamp(shortest / 4, std::chrono::milliseconds(5), std::chrono::milliseconds(500));
}

}  // namespace

ServerState::ServerState(async::IoThreads& io_threads, Router server_router, ServerOptions server_options)
    : threads(io_threads),
      router(std::move(server_router)),
      options(std::move(server_options)),
      sweep_interval(sweep_interval_of(options)) {
  SystemRandom seeds;
  for (std::size_t i = 0; i < threads.size(); ++i) shards.push_back(std::make_unique<Shard>(i, threads.context(i), seeds.next()));
}

void ServerState::connection_closed() {
  if (open_connections.fetch_sub(1) != 1) return;
  const std::lock_guard lock(mutex);
  changed.notify_all();
}

void Shard::open(std::shared_ptr<ServerState> state, Socket socket) {
  auto connection = std::make_shared<Connection>(state, *this, std::move(socket));
  connections.push_front(connection);
  connection->start(connections.begin());
  arm_sweep(state);
}

std::string_view Shard::date(SteadyTime now) {
  if (now >= date_until_) {
    const auto time = clock_.now();
    date_text_ = http_date(std::chrono::floor<std::chrono::seconds>(time));
    date_until_ = now + std::chrono::seconds(1) - (time - std::chrono::floor<std::chrono::seconds>(time));
  }
  return date_text_;
}

void Shard::new_request_id(std::string& id) { id = make_uuid_v7(clock_.now(), random_).to_string(); }

void Shard::arm_sweep(const std::shared_ptr<ServerState>& state) {
  if (sweep_armed_ || !sweep_timer_ || connections.empty()) return;
  sweep_armed_ = true;
  sweep_timer_->expires_after(state->sweep_interval);
  sweep_timer_->async_wait([this, state](boost::system::error_code failure) {
    sweep_armed_ = false;
    if (failure) return;
    sweep(std::chrono::steady_clock::now());
    arm_sweep(state);
  });
}

void Shard::sweep(SteadyTime now) {
  for (auto next = connections.begin(); next != connections.end();) {
    const auto connection = *next++;  // it may take itself off the list, and only itself
    connection->check_deadline(now);
  }
}

}  // namespace pawl::http::detail
