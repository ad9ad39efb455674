// The table `integrations`.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "integrations/integrations.hpp"
#include "storage/database.hpp"

namespace pawl::integrations::detail {

struct StoredIntegration {
  OrganizationId organization;
  Integration shown;   ///< `config` holds the public part
  std::string sealed;  ///< the secret part
};

[[nodiscard]] Result<std::vector<StoredIntegration>> load_all(storage::Session& session);
[[nodiscard]] Result<std::vector<StoredIntegration>> load_of(storage::Session& session, const OrganizationId& organization);
[[nodiscard]] Result<std::optional<StoredIntegration>> load_one(storage::Session& session, const OrganizationId& organization,
                                                                const IntegrationId& id);
[[nodiscard]] Result<std::optional<OrganizationId>> owner_of(storage::Session& session, const IntegrationId& id);
[[nodiscard]] Result<bool> name_is_taken(storage::Session& session, const OrganizationId& organization, std::string_view name,
                                         const IntegrationId& except);
[[nodiscard]] Result<std::int64_t> count_of(storage::Session& session, const OrganizationId& organization);
[[nodiscard]] Result<void> insert_row(storage::Transaction& transaction, const StoredIntegration& row);
[[nodiscard]] Result<void> update_row(storage::Transaction& transaction, const StoredIntegration& row);
/// False where there was none.
[[nodiscard]] Result<bool> delete_row(storage::Transaction& transaction, const OrganizationId& organization, const IntegrationId& id);
[[nodiscard]] Result<void> keep_test(storage::Transaction& transaction, const OrganizationId& organization, const IntegrationId& id,
                                     TimePoint now, const std::string& error);

/// Changes whenever an integration does: of any organization, by any process.
[[nodiscard]] Result<std::string> version_of(storage::Session& session);
[[nodiscard]] Result<void> set_version(storage::Transaction& transaction, std::string_view version);

}  // namespace pawl::integrations::detail
