// Which organization the object in a route's path belongs to.
#pragma once

#include "api/route.hpp"

namespace pawl::api::detail {

extern const Owner kWorkflowOwner;
extern const Owner kRunOwner;
extern const Owner kScheduleOwner;
extern const Owner kOrganizationOwner;  ///< the one in the path itself
extern const Owner kDeadLetterOwner;
extern const Owner kApprovalOwner;
extern const Owner kIntegrationOwner;
extern const Owner kNotificationOwner;
extern const Owner kNotificationChannelOwner;

}  // namespace pawl::api::detail
