// What a statement's count of changed rows means.
#pragma once

#include <cstdint>

#include "base/error.hpp"

namespace pawl::identity::detail {

/// However many there were.
inline Result<void> done(const Result<std::int64_t>& changed) {
  if (changed.has_error()) return changed.error();
  return {};
}

/// Whether there was the one that was meant.
inline Result<bool> changed_one(const Result<std::int64_t>& changed) {
  if (changed.has_error()) return changed.error();
  return *changed == 1;
}

}  // namespace pawl::identity::detail
