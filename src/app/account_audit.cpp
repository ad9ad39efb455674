#include "app/account_audit.hpp"

#include <fmt/core.h>

#include "app/log.hpp"
#include "identity/organizations.hpp"
#include "storage/database.hpp"

namespace pawl::app {
namespace {

using identity::AccountEvent;

audit::Actor actor_of(const AccountEvent& event) {
  switch (event.by) {
    case AccountEvent::By::user: return event.user ? audit::Actor::of_user(*event.user) : audit::Actor::anonymous();
    case AccountEvent::By::unproven: return audit::Actor::anonymous();
    case AccountEvent::By::administrator: return audit::Actor::administrator();
  }
  return audit::Actor::anonymous();
}

audit::Resource resource_of(const AccountEvent& event) {
  if (event.api_key) return {"api_key", event.api_key->to_string()};
  return {"user", event.user ? event.user->to_string() : std::string()};
}

Result<void> record(audit::Log& log, storage::Transaction& transaction, const AccountEvent& event) {
  audit::Record record;
  record.organization = event.organization;
  if (!record.organization) {
    // Asked for nobody known, too: the time that a failed login takes does not tell whether there is such an account.
    PAWL_TRY(personal, identity::personal_organization(transaction, event.user.value_or(UserId{})));
    record.organization = personal;
  }
  record.actor = actor_of(event);
  record.action = std::string(event.action);
  record.resource = resource_of(event);
  record.outcome = event.success ? audit::Outcome::success : audit::Outcome::failure;
  record.address = event.address;
  record.details = json::Value::object();
  if (event.session) record.details.set("session", event.session->to_string());
  if (!event.reason.empty()) record.details.set("reason", std::string(event.reason));
  return log.append(transaction, std::move(record));
}

/// Ids only; addresses of e-mail stay in the database.
void report(const AccountEvent& event) {
  const auto user = event.user ? event.user->to_string() : std::string("nobody known");
  log(event.success ? Level::info : Level::warning,
      fmt::format("{} {}: user {}{}{}{}{}", event.action, event.success ? "succeeded" : "failed", user,
                  event.address.empty() ? "" : ", from ", event.address, event.reason.empty() ? "" : ", ", event.reason));
}

}  // namespace

identity::AccountWitness account_witness(audit::Log& log, std::function<void(const AccountEvent&)> count) {
  return {[&log](storage::Transaction& transaction, const AccountEvent& event) { return record(log, transaction, event); },
          [count = std::move(count)](const AccountEvent& event) {
            report(event);
            count(event);
          }};
}

}  // namespace pawl::app
