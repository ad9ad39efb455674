/// What happens to accounts and API keys, into the audit trail and the operator's log.
#pragma once

#include <functional>

#include "audit/audit.hpp"
#include "identity/user.hpp"

namespace pawl::app {

/// The record is part of the transaction that changes the account: neither is durable without the other. It belongs to the organization of
/// the event (an API key has one), else to the personal organization of the user; where there is neither (a login with an unknown address)
/// it is the installation's, and only superusers see it. The log outlives what is returned.
/// `count` is told of every event, too.
[[nodiscard]] identity::AccountWitness account_witness(audit::Log& log, std::function<void(const identity::AccountEvent&)> count);

}  // namespace pawl::app
