/// Sends HTTP calls through `net::Outbound`: gets tokens first where the policy asks for them, keeps them until they expire.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>

#include "base/error.hpp"
#include "engine/function.hpp"
#include "functions/detail/authentication.hpp"
#include "functions/detail/http_call.hpp"
#include "net/outbound.hpp"

namespace pawl::functions {

class HttpExchanger : public std::enable_shared_from_this<HttpExchanger> {
 public:
  explicit HttpExchanger(net::Outbound& outbound) : outbound_(outbound) {}

  /// Any status is a response. `done` comes on the client's thread, or at once where the request cannot be made.
  using Received = std::function<void(Result<net::OutboundResponse>)>;
  [[nodiscard]] engine::Cancel send(HttpCall call, const json::Value& secrets, Received done);

  /// The same, answered as the task's outcome.
  [[nodiscard]] engine::Cancel perform(HttpCall call, json::Value secrets, engine::Done done);

 private:
  class Exchange;
  using SteadyTime = std::chrono::steady_clock::time_point;
  struct KeptToken {
    std::string value;
    SteadyTime good_until{};
  };

  [[nodiscard]] std::optional<std::string> kept(const std::string& key);
  void keep(const std::string& key, const Token& token);
  void forget(const std::string& key);

  net::Outbound& outbound_;
  std::mutex mutex_;
  std::unordered_map<std::string, KeptToken> tokens_;
};

/// The call without its body: what answers and errors tell of it.
[[nodiscard]] HttpCall shown_part(HttpCall& call);

/// The task's error for a request that got no response.
[[nodiscard]] engine::Outcome unanswered(const HttpCall& call, const Error& error, const json::Value& secrets);

}  // namespace pawl::functions
