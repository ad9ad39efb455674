#include "identity/detail/organization_rows.hpp"

namespace pawl::identity::detail {
namespace {

constexpr std::size_t kMaxName = 200;
constexpr std::size_t kMaxDescription = 4000;

Finding problem(std::string_view field, std::string message) {
  Finding finding;
  finding.pointer = "/" + std::string(field);
  finding.message = std::move(message);
  finding.rule = "length";
  return finding;
}

Organization to_organization(const storage::Row& row) {
  Organization organization;
  organization.id = row.id<OrganizationId>(0);
  organization.name = std::string(row.text(1));
  organization.slug = std::string(row.text(2));
  organization.description = std::string(row.text(3));
  if (!row.is_null(4)) organization.personal_of = row.id<UserId>(4);
  organization.created_at = row.time(5);
  organization.updated_at = row.time(6);
  return organization;
}

}  // namespace

Result<void> check_texts(std::string_view name, std::string_view description) {
  Findings findings;
  if (name.find_first_not_of(" \t\r\n") == std::string_view::npos) findings.push_back(problem("name", "A name is needed."));
  if (name.size() > kMaxName) findings.push_back(problem("name", "At most " + std::to_string(kMaxName) + " bytes."));
  if (description.size() > kMaxDescription) {
    findings.push_back(problem("description", "At most " + std::to_string(kMaxDescription) + " bytes."));
  }
  if (findings.empty()) return {};
  return Error(ErrorClass::unprocessable, "organization.invalid", "The organization cannot be described like this.", std::move(findings));
}

Result<bool> slug_exists(storage::Session& session, std::string_view slug) {
  bool exists = false;
  PAWL_TRY_VOID(session.query("select 1 from organizations where slug = $1 and deleted_at is null", {slug},
                              [&](const storage::Row&) { exists = true; }));
  return exists;
}

Result<std::optional<Organization>> find_organization(storage::Session& session, const OrganizationId& id) {
  std::optional<Organization> found;
  PAWL_TRY_VOID(session.query(
      "select id, name, slug, description, personal_of, created_at, updated_at from organizations where id = $1 and deleted_at is null",
      {id}, [&](const storage::Row& row) { found = to_organization(row); }));
  return found;
}

Result<void> insert_organization(storage::Transaction& transaction, const Organization& organization) {
  PAWL_TRY_VOID(transaction.execute(
      "insert into organizations (id, name, slug, description, personal_of, created_at, updated_at) values ($1, $2, $3, $4, $5, $6, $7)",
      {organization.id, organization.name, organization.slug, organization.description, organization.personal_of, organization.created_at,
       organization.updated_at}));
  return {};
}

Result<void> insert_member(storage::Transaction& transaction, const OrganizationId& organization, const UserId& user, Role role,
                           TimePoint now) {
  PAWL_TRY_VOID(transaction.execute("insert into organization_members (organization_id, user_id, role, joined_at) values ($1, $2, $3, $4)",
                                    {organization, user, to_text(role), now}));
  return {};
}

}  // namespace pawl::identity::detail

namespace pawl::identity {

Result<std::vector<Membership>> load_memberships(storage::Session& session, const UserId& user) {
  std::vector<Membership> memberships;
  PAWL_TRY_VOID(
      session.query("select m.organization_id, m.role from organization_members m join organizations o on o.id = m.organization_id "
                    "where m.user_id = $1 and o.deleted_at is null order by m.joined_at, m.organization_id",
                    {user}, [&](const storage::Row& row) {
                      const auto role = parse_role(row.text(1));
                      if (role) memberships.push_back({row.id<OrganizationId>(0), *role});
                    }));
  return memberships;
}

Result<std::optional<OrganizationId>> personal_organization(storage::Session& session, const UserId& user) {
  std::optional<OrganizationId> found;
  PAWL_TRY_VOID(session.query("select id from organizations where personal_of = $1 and deleted_at is null", {user},
                              [&](const storage::Row& row) { found = row.id<OrganizationId>(0); }));
  return found;
}

}  // namespace pawl::identity
