/// The real `Outbound`: libcurl on one thread of its own, with pooled handles and kept connections.
///
/// HTTP/1.1; no proxy and no netrc of the environment; only http and https. Redirects are followed here and not inside libcurl, so that
/// each hop passes the same checks. Each place (scheme, host and port) has a circuit breaker (`host_breakers.hpp`). At most `max_in_flight`
/// requests run at once, `max_queued` wait, and one more gets `net.overloaded`.
#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "net/address_policy.hpp"
#include "net/host_breakers.hpp"
#include "net/outbound.hpp"

namespace pawl::net {

struct CurlOptions {
  AddressPolicy policy{};
  std::size_t max_in_flight = 1'024;
  std::size_t max_queued = 16'384;
  std::chrono::milliseconds max_timeout{15 * 60'000};
  std::string user_agent = "pawl";
  CircuitBreakerOptions breaker{};  ///< of each place that is called
  std::string ca_file{};            ///< PEM file of trusted authorities; empty: the system's
};

class CurlOutbound final : public Outbound {
 public:
  /// Starts the thread.
  explicit CurlOutbound(CurlOptions options);
  /// Stops it.
  ~CurlOutbound() override;

  /// Ends what is left with `net.cancelled` (every `done` has run when this returns) and joins. For whoever must not be called back any
  /// more while the client itself lives on. What is started later ends with `net.cancelled` too; another `stop` waits for those answers.
  /// Not from a `done`, and from one thread at a time.
  void stop();

  RequestHandle start(OutboundRequest request, Done done) override;
  void cancel(RequestHandle handle) override;

  /// For health and metrics: what is not closed first. Any thread.
  [[nodiscard]] std::vector<HostBreakerState> breakers(std::size_t most) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace pawl::net
