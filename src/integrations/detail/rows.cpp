#include "integrations/detail/rows.hpp"

#include "json/parse.hpp"
#include "json/write.hpp"

namespace pawl::integrations::detail {
namespace {

StoredIntegration read_row(const storage::Row& row) {
  StoredIntegration out;
  out.shown.id = row.id<IntegrationId>(0);
  out.organization = row.id<OrganizationId>(1);
  out.shown.connector = row.text(2);
  out.shown.name = row.text(3);
  auto config = json::parse(row.text(4));
  out.shown.config = config.has_value() ? std::move(*config) : json::Value::object();
  out.sealed = row.blob(5);
  out.shown.is_active = row.boolean(6);
  out.shown.created_by = row.id<UserId>(7);
  out.shown.last_tested_at = row.optional_time(8);
  out.shown.last_error = row.text(9);
  out.shown.created_at = row.time(10);
  out.shown.updated_at = row.time(11);
  return out;
}

/// A nil creator is none.
storage::Parameter creator_of(const StoredIntegration& row) {
  return row.shown.created_by.is_nil() ? storage::Parameter(nullptr) : storage::Parameter(row.shown.created_by);
}

}  // namespace

Result<std::vector<StoredIntegration>> load_all(storage::Session& session) {
  std::vector<StoredIntegration> rows;
  PAWL_TRY_VOID(
      session.query("select id, organization_id, connector, name, public_config, sealed_config, is_active, created_by, "
                    "last_tested_at, last_error, created_at, updated_at from integrations order by id",
                    {}, [&](const storage::Row& row) { rows.push_back(read_row(row)); }));
  return rows;
}

Result<std::vector<StoredIntegration>> load_of(storage::Session& session, const OrganizationId& organization) {
  std::vector<StoredIntegration> rows;
  PAWL_TRY_VOID(
      session.query("select id, organization_id, connector, name, public_config, sealed_config, is_active, created_by, "
                    "last_tested_at, last_error, created_at, updated_at from integrations where organization_id = $1 order by name",
                    {organization}, [&](const storage::Row& row) { rows.push_back(read_row(row)); }));
  return rows;
}

Result<std::optional<StoredIntegration>> load_one(storage::Session& session, const OrganizationId& organization, const IntegrationId& id) {
  std::optional<StoredIntegration> found;
  PAWL_TRY_VOID(
      session.query("select id, organization_id, connector, name, public_config, sealed_config, is_active, created_by, "
                    "last_tested_at, last_error, created_at, updated_at from integrations where organization_id = $1 and id = $2",
                    {organization, id}, [&](const storage::Row& row) { found = read_row(row); }));
  return found;
}

Result<std::optional<OrganizationId>> owner_of(storage::Session& session, const IntegrationId& id) {
  std::optional<OrganizationId> found;
  PAWL_TRY_VOID(session.query("select organization_id from integrations where id = $1", {id},
                              [&](const storage::Row& row) { found = row.id<OrganizationId>(0); }));
  return found;
}

Result<bool> name_is_taken(storage::Session& session, const OrganizationId& organization, std::string_view name,
                           const IntegrationId& except) {
  bool taken = false;
  PAWL_TRY_VOID(session.query("select 1 from integrations where organization_id = $1 and name = $2 and id <> $3",
                              {organization, name, except}, [&](const storage::Row&) { taken = true; }));
  return taken;
}

Result<std::int64_t> count_of(storage::Session& session, const OrganizationId& organization) {
  std::int64_t count = 0;
  PAWL_TRY_VOID(session.query("select count(*) from integrations where organization_id = $1", {organization},
                              [&](const storage::Row& row) { count = row.integer(0); }));
  return count;
}

Result<void> insert_row(storage::Transaction& transaction, const StoredIntegration& row) {
  const auto config = json::to_text(row.shown.config);
  PAWL_TRY_VOID(transaction.execute(
      "insert into integrations (id, organization_id, connector, name, public_config, sealed_config, is_active, "
      "created_by, created_at, updated_at) values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
      {row.shown.id, row.organization, row.shown.connector, row.shown.name, config, storage::Parameter::blob(row.sealed),
       row.shown.is_active ? 1 : 0, creator_of(row), row.shown.created_at, row.shown.updated_at}));
  return {};
}

Result<void> update_row(storage::Transaction& transaction, const StoredIntegration& row) {
  const auto config = json::to_text(row.shown.config);
  PAWL_TRY_VOID(
      transaction.execute("update integrations set name = $3, public_config = $4, sealed_config = $5, is_active = $6, updated_at = $7 "
                          "where organization_id = $1 and id = $2",
                          {row.organization, row.shown.id, row.shown.name, config, storage::Parameter::blob(row.sealed),
                           row.shown.is_active ? 1 : 0, row.shown.updated_at}));
  return {};
}

Result<bool> delete_row(storage::Transaction& transaction, const OrganizationId& organization, const IntegrationId& id) {
  PAWL_TRY(deleted, transaction.execute("delete from integrations where organization_id = $1 and id = $2", {organization, id}));
  return deleted > 0;
}

Result<void> keep_test(storage::Transaction& transaction, const OrganizationId& organization, const IntegrationId& id, TimePoint now,
                       const std::string& error) {
  PAWL_TRY_VOID(transaction.execute("update integrations set last_tested_at = $3, last_error = $4 where organization_id = $1 and id = $2",
                                    {organization, id, now, error.empty() ? storage::Parameter(nullptr) : storage::Parameter(error)}));
  return {};
}

Result<std::string> version_of(storage::Session& session) {
  std::string version;
  PAWL_TRY_VOID(session.query("select value from settings where key = 'integrations_version'", {},
                              [&](const storage::Row& row) { version = std::string(row.text(0)); }));
  return version;
}

Result<void> set_version(storage::Transaction& transaction, std::string_view version) {
  PAWL_TRY_VOID(transaction.execute(
      "insert into settings (key, value) values ('integrations_version', $1) on conflict (key) do update set value = excluded.value",
      {version}));
  return {};
}

}  // namespace pawl::integrations::detail
