/// Something that somebody should hear of, written down in the transaction of its cause: nothing is told that did not happen, and nothing
/// that happened is lost.
///
///     PAWL_TRY_VOID(notify::store(transaction, {.organization = organization, .kind = "run.failed", .subject = workflow.to_string(),
///                                               .title = "The workflow nightly has failed", .data = data, .at = now}));
///
/// Notices of one kind and subject within an hour are one notification, which counts them: a storm is one line.
#pragma once

#include <array>
#include <string>
#include <string_view>

#include "base/error.hpp"
#include "base/ids.hpp"
#include "base/time.hpp"
#include "json/value.hpp"

namespace pawl::storage {
class Transaction;
}

namespace pawl::notify {

using NotificationId = Id<struct NotificationTag>;
using ChannelId = Id<struct NotificationChannelTag>;

/// | kind | says |
/// | --- | --- |
/// | `run.failed` | a run has faulted |
/// | `approval.waiting` | a run asks people |
/// | `dead_letter` | a schedule or event could not start its run |
/// | `schedule.misfired` | a schedule's time was missed by so much that its policy left it out |
/// | `workflow.disabled` | somebody has switched a workflow off |
/// | `member.changed` | somebody joined, left, or has another role; for admins and owners |
inline constexpr std::array<std::string_view, 6> kKinds{"run.failed",        "approval.waiting",  "dead_letter",
                                                        "schedule.misfired", "workflow.disabled", "member.changed"};

struct Notice {
  OrganizationId organization;
  std::string_view kind;  ///< one of `kKinds`
  std::string subject;    ///< what it is about; an id
  std::string title;      ///< one sentence; cut where it is long
  json::Value data{};     ///< an object of ids and names, for links; no inputs and outputs
  int least_role = 0;     ///< who is told: 0 viewers too, 1 members, 2 admins, 3 owners
  TimePoint at{};
};

/// On the writer thread.
[[nodiscard]] Result<void> store(storage::Transaction& transaction, const Notice& notice);

/// Removes everything of an organization.
[[nodiscard]] Result<void> remove_organization(storage::Transaction& transaction, const OrganizationId& organization);

}  // namespace pawl::notify
