/// What the catalog keeps for an organization, and how it goes when the organization goes.
///
/// Every function names the organization; the removal runs in the transaction that deletes it. Afterwards `Catalog::forget` drops what is
/// in memory.
#pragma once

#include <cstdint>

#include "base/error.hpp"
#include "base/ids.hpp"
#include "base/time.hpp"

namespace pawl::storage {
class Session;
class Transaction;
}  // namespace pawl::storage

namespace pawl::catalog {

/// Those that are not deleted.
[[nodiscard]] Result<std::int64_t> count_workflows(storage::Session& session, const OrganizationId& organization);
[[nodiscard]] Result<std::int64_t> count_schedules(storage::Session& session, const OrganizationId& organization);
[[nodiscard]] Result<std::int64_t> count_webhooks(storage::Session& session, const OrganizationId& organization);

/// Workflows are marked as deleted, because runs speak of them; schedules, webhooks, idempotency keys and dead letters are
/// gone.
[[nodiscard]] Result<void> remove_organization(storage::Transaction& transaction, const OrganizationId& organization, TimePoint now);

}  // namespace pawl::catalog
