/// Request bodies: parsed only by the declared type, read strictly, with every problem reported at once.
///
/// A body is an object whose members are all known: an unknown or server-owned member (`id`, `created_by`) is a finding, never ignored.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "http/request.hpp"
#include "json/value.hpp"

namespace pawl::api {

/// Deepest JSON that a body may hold.
inline constexpr std::size_t kMaxBodyDepth = 200;

/// The body as JSON. Errors: `request.media_type` (415), `request.malformed` (400, with line and column). An empty body is an empty
/// object where `may_be_empty`.
[[nodiscard]] Result<json::Value> parse_body(const http::Request& request, bool may_be_empty = false);

/// The members of an object, read by name (names are literals). Whatever was not asked for when `finish` is called is an unknown member.
class Fields {
 public:
  /// `body` need not be an object: that is the first finding.
  explicit Fields(json::Value body);

  [[nodiscard]] std::optional<std::string> text(std::string_view name, std::size_t max_bytes = 200);
  [[nodiscard]] std::optional<bool> boolean(std::string_view name);
  [[nodiscard]] std::optional<std::int64_t> integer(std::string_view name, std::int64_t min, std::int64_t max);
  /// Any value; nothing where the member is missing.
  [[nodiscard]] std::optional<json::Value> value(std::string_view name);
  [[nodiscard]] bool has(std::string_view name) const { return body_.find(name) != nullptr; }
  /// The member exists, but this build cannot do what it asks for.
  void unsupported(std::string_view name, std::string_view why);
  void problem(std::string_view name, std::string message, std::string rule = "invalid");
  void require(std::string_view name);

  /// Adds a finding for each unknown member. Error `request.invalid` (422) with all findings, or nothing.
  [[nodiscard]] std::optional<Error> finish();

 private:
  const json::Value* take(std::string_view name);

  json::Value body_;
  std::vector<std::string_view> known_;
  Findings findings_;
};

/// Query parameters, with the same strictness: unknown ones and duplicates are findings.
class Query {
 public:
  explicit Query(const http::Request& request) : request_(request) {}
  [[nodiscard]] std::optional<std::string_view> text(std::string_view name);
  [[nodiscard]] std::uint32_t limit();  ///< `limit`, 1 to 200, default 50
  void problem(std::string_view name, std::string message);
  [[nodiscard]] std::optional<Error> finish();

 private:
  const http::Request& request_;
  std::vector<std::string_view> known_;
  Findings findings_;
};

}  // namespace pawl::api
