/// What open pages of an organization are told of audit records, notifications and invitations.
///
/// Pure functions; any thread.
#pragma once

#include <string_view>

#include "audit/audit.hpp"
#include "base/ids.hpp"
#include "identity/organization_service.hpp"
#include "live/hub.hpp"
#include "notify/notice.hpp"

namespace pawl::app {

/// What managers follow: not every step of every run.
[[nodiscard]] bool is_news(const audit::Entry& entry);
/// `entry` has an organization.
[[nodiscard]] live::Announcement announcement_of(const audit::Entry& entry);

/// Everybody of the organization hears that there is something; what it is, whoever may read it asks for.
[[nodiscard]] live::Announcement announcement_of(const OrganizationId& organization, const notify::NotificationId& id,
                                                 std::string_view kind, int least_role);

[[nodiscard]] live::Announcement announcement_of(const identity::Invited& invited);

}  // namespace pawl::app
