#include "app/announcements.hpp"

#include "base/time.hpp"

namespace pawl::app {

bool is_news(const audit::Entry& entry) { return entry.action != "function.executed" || entry.outcome != audit::Outcome::success; }

live::Announcement announcement_of(const audit::Entry& entry) {
  live::Announcement announcement;
  announcement.organization = *entry.organization;
  announcement.type = "audit.recorded";
  announcement.topics = {"audit"};
  announcement.data = json::Value::object({{"id", entry.id().to_string()},
                                           {"action", entry.action},
                                           {"outcome", audit::to_text(entry.outcome)},
                                           {"actor", audit::to_text(entry.actor.kind)},
                                           {"resource_type", entry.resource.type},
                                           {"resource_id", entry.resource.id}});
  return announcement;
}

live::Announcement announcement_of(const OrganizationId& organization, const notify::NotificationId& id, std::string_view kind,
                                   int least_role) {
  live::Announcement announcement;
  announcement.organization = organization;
  announcement.type = "notification.created";
  announcement.topics = {"notifications"};
  announcement.data = json::Value::object();
  if (least_role > 1) return announcement;
  announcement.data.set("id", id.to_string());
  announcement.data.set("kind", std::string(kind));
  return announcement;
}

live::Announcement announcement_of(const identity::Invited& invited) {
  live::Announcement announcement;
  announcement.organization = invited.home;
  announcement.type = "notification.invitation";
  announcement.topics = {"notifications"};
  announcement.data = json::Value::object({{"invitation_id", invited.invitation.id.to_string()},
                                           {"organization_id", invited.invitation.organization.to_string()},
                                           {"organization", invited.organization},
                                           {"role", identity::to_text(invited.invitation.role)},
                                           {"expires_at", to_rfc3339(invited.invitation.expires_at)}});
  announcement.only_for = invited.user;
  return announcement;
}

}  // namespace pawl::app
