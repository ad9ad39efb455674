#include "limits/headers.hpp"

#include <algorithm>

namespace pawl::limits {

std::int64_t retry_after_seconds(const Decision& decision) {
  return std::max<std::int64_t>(1, std::chrono::ceil<std::chrono::seconds>(decision.retry_after).count());
}

std::vector<HeaderField> header_fields(const Decision& decision, TimePoint now) {
  if (decision.limit == 0) return {};
  const auto reset = std::chrono::ceil<std::chrono::seconds>(now + decision.reset_after);
  std::vector<HeaderField> fields{{"X-RateLimit-Limit", std::to_string(decision.limit)},
                                  {"X-RateLimit-Remaining", std::to_string(decision.remaining)},
                                  {"X-RateLimit-Reset", std::to_string(reset.time_since_epoch().count())}};
  if (!decision.allowed) fields.push_back({"Retry-After", std::to_string(retry_after_seconds(decision))});
  return fields;
}

}  // namespace pawl::limits
