#include "api/detail/deprecation.hpp"

#include <fmt/chrono.h>
#include <fmt/core.h>

#include <algorithm>
#include <chrono>
#include <iterator>

namespace pawl::api::detail {
namespace {

using namespace std::chrono_literals;

struct Deprecation {
  std::string_view path;  ///< as the route's row has it
  std::chrono::sys_days since;
  std::chrono::sys_days sunset;  ///< when it may be gone: at least half a year later
  std::string_view successor;
};

constexpr Deprecation kDeprecations[] = {
    // The earlier product's names; every orchestrator knows the others.
    {"/api/live", 2026y / 11 / 26, 2027y / 11 / 26, "/health/liveness"},
    {"/api/ready", 2026y / 11 / 26, 2027y / 11 / 26, "/health/readiness"},
};

const Deprecation* find(std::string_view path) {
  const auto* found = std::find_if(std::begin(kDeprecations), std::end(kDeprecations), [&](const auto& each) { return each.path == path; });
  return found == std::end(kDeprecations) ? nullptr : found;
}

}  // namespace

bool is_deprecated(std::string_view path) { return find(path) != nullptr; }

http::Headers deprecation_fields(std::string_view path) {
  http::Headers fields;
  const auto* deprecation = find(path);
  if (deprecation == nullptr) return fields;
  const std::chrono::sys_seconds since = deprecation->since;
  const std::chrono::sys_seconds sunset = deprecation->sunset;
  fields.add("Deprecation", fmt::format("@{}", since.time_since_epoch().count()));
  fields.add("Sunset", fmt::format("{:%a, %d %b %Y %H:%M:%S} GMT", sunset));
  fields.add("Link", fmt::format("<{}>; rel=\"successor-version\"", deprecation->successor));
  return fields;
}

}  // namespace pawl::api::detail
