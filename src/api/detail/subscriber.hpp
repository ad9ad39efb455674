// Who listens, for the hub: whatever stays open ends with the permission it was opened with.
#pragma once

#include "api/detail/context.hpp"
#include "live/hub.hpp"

namespace pawl::api::detail {

/// The caller, in the organization that the request acts in.
[[nodiscard]] live::Subscriber subscriber_of(const Call& call);

}  // namespace pawl::api::detail
