/// How far a dry run goes. Its functions only plan and it waits for nothing, so it ends soon, or it is the document that does not let it.
#pragma once

#include <chrono>
#include <cstdint>

#include "base/time.hpp"

namespace pawl::engine {

/// A dry run that has not ended by then ends as with a `timeout` of its own.
inline constexpr Millis kDryRunTime = std::chrono::seconds(20);
/// Another attempt of what only plans comes to the same: these are for policies that ask which attempt it is. None is waited for.
inline constexpr std::uint32_t kDryRunRetries = 10;

}  // namespace pawl::engine
