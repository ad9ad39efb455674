/// How a client learns of its limit: `X-RateLimit-Limit`, `-Remaining`, `-Reset` (seconds since the Unix epoch, as GitHub has it) on
/// every answer that was counted, and `Retry-After` (seconds) on a refusal.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/time.hpp"
#include "limits/rate_limiter.hpp"

namespace pawl::limits {

struct HeaderField {
  std::string_view name;  ///< a literal
  std::string value;
};

/// Empty for a decision that counted nothing. Times are rounded up: who comes back then is not too early.
[[nodiscard]] std::vector<HeaderField> header_fields(const Decision& decision, TimePoint now);

/// Seconds to wait after a refusal, at least 1.
[[nodiscard]] std::int64_t retry_after_seconds(const Decision& decision);

}  // namespace pawl::limits
