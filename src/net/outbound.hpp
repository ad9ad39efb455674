/// HTTP requests to the outside, as an interface: `CurlOutbound` is the real one, `ScriptedOutbound` the one of tests and simulations.
///
/// Error codes that `done` may bring:
///
/// | code                     | class       | meaning |
/// | ---                      | ---         | --- |
/// | `net.invalid_request`    | invalid     | not an http(s) URL, a line break in a field, a method that is no token |
/// | `net.refused_address`    | denied      | the guard: the name leads (now) to an address that may not be called |
/// | `net.dns`                | unavailable | the name does not resolve |
/// | `net.connect`            | unavailable | no connection |
/// | `net.tls`                | unavailable | handshake or certificate |
/// | `net.timeout`            | timeout     | not finished in time |
/// | `net.too_large`          | too_large   | the (decoded) body is larger than `max_response_bytes` |
/// | `net.too_many_redirects` | unavailable | more than ten |
/// | `net.protocol`           | unavailable | the peer broke off or does not speak HTTP |
/// | `net.circuit_open`       | unavailable | the place has failed several times in a row and is not called for a while |
/// | `net.overloaded`         | limited     | too many requests wait already |
/// | `net.cancelled`          | unavailable | `cancel` was called, or the client is shutting down |
///
/// Any HTTP status, 500 too, is a response and not an error.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/error.hpp"

namespace pawl::net {

using HeaderList = std::vector<std::pair<std::string, std::string>>;

/// First field of that name, without regard to case; nothing where there is none.
[[nodiscard]] std::optional<std::string_view> find_header(const HeaderList& headers, std::string_view name) noexcept;

struct BasicCredentials {
  std::string user;
  std::string password;
};
struct DigestCredentials {
  std::string user;
  std::string password;
};
struct BearerToken {
  std::string token;
};
/// Signature Version 4 of Amazon's services and of those that took it over.
struct AwsSignature {
  std::string access_key_id;
  std::string secret_access_key;
  std::string region;
  std::string service;  ///< `s3`
};
using Credentials = std::variant<std::monostate, BasicCredentials, DigestCredentials, BearerToken, AwsSignature>;

struct OutboundRequest {
  std::string method = "GET";
  std::string url{};  ///< http or https; user and password in it count as BasicCredentials
  HeaderList headers{};
  std::string body{};
  std::chrono::milliseconds timeout{30'000};  ///< for everything, redirects included; capped by the client's `max_timeout`
  std::chrono::milliseconds connect_timeout{10'000};
  bool follow_redirects =
      true;  ///< at most ten; 303, and 301/302 after POST, become GET without body; credentials, Authorization and Cookie
             ///< fields do not go to another origin
  std::size_t max_response_bytes = 16U * 1024 * 1024;  ///< after decompression
  /// libcurl repeats a request, POST too, when a kept connection breaks before the answer begins: the peer may then see it twice. True:
  /// this request gets a connection of its own and is never repeated (effects of class `once`); costs a connect.
  bool at_most_once = false;
  Credentials credentials{};
  bool verify_tls = true;  ///< only an administrator's integration may turn this off
  /// Takes the (decoded) body of a 2xx answer piece by piece as it arrives, and `OutboundResponse::body` stays empty: on the client's
  /// thread, before `done` and never after it. Must not block or throw. Other answers are collected as ever.
  std::function<void(std::string_view piece)> on_body{};
  std::chrono::milliseconds first_byte_timeout{0};  ///< until the answer begins; 0: as long as `timeout` allows
  std::chrono::milliseconds idle_timeout{0};        ///< between two arrivals of bytes after that; 0 likewise
};

struct OutboundResponse {
  int status = 0;
  HeaderList headers{};  ///< of the final answer, names as received
  std::string body{};
  std::string effective_url{};  ///< after redirects, as the caller would write it (host maps do not show)
  std::chrono::milliseconds elapsed{};
};

/// Identifies a request for `cancel`. Never reused, never 0.
using RequestHandle = std::uint64_t;

class Outbound {
 public:
  /// Runs exactly once per `start`, never inside `start` or `cancel`, on a thread of the client (post to your own). Must not block or
  /// throw.
  using Done = std::function<void(Result<OutboundResponse>)>;

  Outbound() = default;
  Outbound(const Outbound&) = delete;
  Outbound& operator=(const Outbound&) = delete;
  virtual ~Outbound() = default;

  /// Begins the request. Any thread.
  virtual RequestHandle start(OutboundRequest request, Done done) = 0;
  /// Ends it with `net.cancelled`, unless it has ended meanwhile. Any thread; unknown handles are ignored.
  virtual void cancel(RequestHandle handle) = 0;
};

}  // namespace pawl::net
