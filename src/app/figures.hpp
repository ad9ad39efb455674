/// What `/metrics` tells: which figures there are and where each comes from.
#pragma once

#include "async/blocking_pool.hpp"
#include "base/time.hpp"
#include "engine/engine.hpp"
#include "engine/function.hpp"
#include "http/server.hpp"
#include "live/hub.hpp"
#include "models/client.hpp"
#include "net/curl_outbound.hpp"
#include "net/redis.hpp"
#include "observe/metrics.hpp"
#include "storage/database.hpp"

namespace pawl::app {

/// Parts that are asked when the figures are read, and not any more once they are gone.
struct FigureSources {
  storage::Database& database;
  engine::Engine& engine;
  async::BlockingPool& pool;
  const Clock& clock;
  TimePoint started_at;
  const net::CurlOutbound& outbound;
  const net::RedisClient* redis;  ///< null where none is configured
  const live::Hub& live;
};

class Figures {
 public:
  Figures();
  /// Once, before `text`.
  void ask(FigureSources sources);

  /// Of the server's `on_complete`.
  void request(const http::Completed& completed);
  /// A run has ended.
  void run(engine::Phase phase, Millis age);
  /// A model has answered, or has not.
  void model(const models::Measured& measured);
  /// A function has answered.
  void function(std::string_view name, const engine::Outcome& outcome, double seconds);
  /// Something has happened to an account.
  void account(std::string_view action, bool success);
  /// The audit trail was looked at: `ok`, `broken` or `failed`.
  void trail(std::string_view outcome);

  [[nodiscard]] std::string text() const { return metrics_.text(); }
  /// For parts that have figures of their own.
  [[nodiscard]] observe::Metrics& metrics() { return metrics_; }

 private:
  observe::Metrics metrics_;
  observe::Family<observe::Counter>& requests_;
  observe::Family<observe::Histogram>& request_seconds_;
  observe::Family<observe::Counter>& bytes_;
  observe::Family<observe::Counter>& functions_;
  observe::Family<observe::Histogram>& function_seconds_;
  observe::Family<observe::Histogram>& run_seconds_;
  observe::Family<observe::Histogram>& model_seconds_;
  observe::Family<observe::Counter>& model_tokens_;
  observe::Family<observe::Counter>& model_cost_;
  observe::Family<observe::Counter>& accounts_;
  observe::Family<observe::Counter>& trail_;
};

}  // namespace pawl::app
