/// What kind of failure an error is, so that two of the same kind are recognized. Pure.
#pragma once

#include <string>

#include "json/value.hpp"

namespace pawl::agents {

inline constexpr std::size_t kMaxErrorKind = 200;

/// `/do/0/fetch communication 503: Service unavailable`: the place, the end of the type, the status, and the sentence without what differs
/// from time to time (numbers, ids, long runs of hexadecimal digits become `#`). Empty for null.
[[nodiscard]] std::string error_kind(const json::Value& error);

}  // namespace pawl::agents
