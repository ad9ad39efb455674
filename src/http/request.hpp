/// One request as handlers see it: checked, decoded, complete with its body.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "http/headers.hpp"

namespace pawl::http {

enum class Method : std::uint8_t { get, head, post, put, patch, delete_, options };

/// `GET`, `HEAD`, ...
[[nodiscard]] std::string_view to_string(Method method) noexcept;

/// What the client came by, as far as a trusted proxy in front says.
enum class Scheme : std::uint8_t {
  unknown,  ///< nobody says: a direct connection
  http,
  https,
};

using NameValues = std::vector<std::pair<std::string, std::string>>;

/// Owns everything in it, except `route`: may be moved to another thread and kept as long as needed.
struct Request {
  Method method = Method::get;
  int version = 11;    ///< 10 or 11
  std::string target;  ///< as received: path and query, still encoded
  std::string path;    ///< percent-decoded once; starts with '/', has no empty, `.` or `..` segment, no NUL, no ';'
  NameValues query;    ///< decoded (`+` is a space), in order, duplicates kept
  NameValues params;   ///< what the route's `{name}` segments matched, decoded
  Headers headers;
  std::string body;
  std::string host;            ///< the Host header, checked; empty for HTTP/1.0 without one
  std::string remote_address;  ///< of the client, without port: the peer's, or what `ServerOptions::identify` made of it
  Scheme scheme = Scheme::unknown;
  std::string request_id;  ///< the client's X-Request-Id where it is sane (1-64 of [A-Za-z0-9._-]), else a new UUIDv7
  std::string_view route;  ///< the route's name; valid while the server lives
  std::size_t shard = 0;   ///< index of the io thread that the connection lives on; handlers are called there

  /// Value of a path parameter; empty if the route has no such parameter.
  [[nodiscard]] std::string_view param(std::string_view name) const noexcept;
  /// First value of a query parameter.
  [[nodiscard]] std::optional<std::string_view> query_value(std::string_view name) const noexcept;
  /// First value of a header, or empty.
  [[nodiscard]] std::string_view header(std::string_view name) const noexcept { return headers.get(name); }
  /// Media type of the body without parameters, as sent (compare with `equals_ignoring_case`); empty without a Content-Type.
  [[nodiscard]] std::string_view content_type() const noexcept;
};

}  // namespace pawl::http
