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

/// What cannot be read permits the least.
Role destroy_role_in(std::string_view text) { return parse_role(text).value_or(Role::owner); }

Organization to_organization(const storage::Row& row) {
  Organization organization;
  organization.id = row.id<OrganizationId>(0);
  organization.name = std::string(row.text(1));
  organization.slug = std::string(row.text(2));
  organization.description = std::string(row.text(3));
  if (!row.is_null(4)) organization.personal_of = row.id<UserId>(4);
  organization.created_at = row.time(5);
  organization.updated_at = row.time(6);
  organization.destroy_role = destroy_role_in(row.text(7));
  return organization;
}

Member to_member(const storage::Row& row) {
  Member member;
  member.user = row.id<UserId>(0);
  member.email = std::string(row.text(1));
  member.name = std::string(row.text(2));
  member.role = parse_role(row.text(3)).value_or(Role::viewer);
  member.joined_at = row.time(4);
  return member;
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
      "select id, name, slug, description, personal_of, created_at, updated_at, destroy_role from organizations where id = $1 and "
      "deleted_at is null",
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

Result<void> check_slug(std::string_view slug) {
  if (!slug.empty() && slug_of(slug) == slug) return {};
  auto finding = problem("slug", "Lower-case letters, digits and single hyphens between them, at most 48.");
  finding.rule = "format";
  return Error(ErrorClass::unprocessable, "organization.invalid", "The organization cannot be described like this.", {std::move(finding)});
}

Result<void> lock_organization(storage::Transaction& transaction, const OrganizationId& id) {
  // An update locks the row on every database; SQLite has no `select ... for update`.
  PAWL_TRY(rows, transaction.execute("update organizations set updated_at = updated_at where id = $1 and deleted_at is null", {id}));
  if (rows == 1) return {};
  return Error(ErrorClass::not_found, "organization.not_found", "There is no such organization.");
}

Result<void> update_organization(storage::Transaction& transaction, const Organization& organization) {
  PAWL_TRY_VOID(transaction.execute(
      "update organizations set name = $1, slug = $2, description = $3, updated_at = $4, destroy_role = $5 where id = $6",
      {organization.name, organization.slug, organization.description, organization.updated_at, to_text(organization.destroy_role),
       organization.id}));
  return {};
}

Result<void> delete_organization(storage::Transaction& transaction, const OrganizationId& id, TimePoint now) {
  PAWL_TRY_VOID(transaction.execute("delete from invitations where organization_id = $1", {id}));
  PAWL_TRY_VOID(transaction.execute("delete from organization_members where organization_id = $1", {id}));
  PAWL_TRY_VOID(transaction.execute("delete from api_keys where organization_id = $1", {id}));
  PAWL_TRY_VOID(transaction.execute("delete from integrations where organization_id = $1", {id}));
  PAWL_TRY_VOID(transaction.execute("update organizations set deleted_at = $1, personal_of = null where id = $2", {now, id}));
  return {};
}

Result<std::optional<Role>> find_role(storage::Session& session, const OrganizationId& organization, const UserId& user) {
  std::optional<Role> role;
  PAWL_TRY_VOID(session.query("select role from organization_members where organization_id = $1 and user_id = $2", {organization, user},
                              [&](const storage::Row& row) { role = parse_role(row.text(0)); }));
  return role;
}

Result<void> set_role(storage::Transaction& transaction, const OrganizationId& organization, const UserId& user, Role role) {
  PAWL_TRY_VOID(transaction.execute("update organization_members set role = $1 where organization_id = $2 and user_id = $3",
                                    {to_text(role), organization, user}));
  return {};
}

Result<void> delete_member(storage::Transaction& transaction, const OrganizationId& organization, const UserId& user) {
  PAWL_TRY_VOID(transaction.execute("delete from organization_members where organization_id = $1 and user_id = $2", {organization, user}));
  return {};
}

Result<std::optional<Member>> find_member(storage::Session& session, const OrganizationId& organization, const UserId& user) {
  std::optional<Member> found;
  PAWL_TRY_VOID(
      session.query("select m.user_id, u.email, u.name, m.role, m.joined_at from organization_members m join users u on u.id = m.user_id "
                    "where m.organization_id = $1 and m.user_id = $2",
                    {organization, user}, [&](const storage::Row& row) { found = to_member(row); }));
  return found;
}

Result<std::vector<Member>> load_members(storage::Session& session, const OrganizationId& organization, std::uint32_t limit,
                                         const UserId& after) {
  std::vector<Member> members;
  PAWL_TRY_VOID(
      session.query("select m.user_id, u.email, u.name, m.role, m.joined_at from organization_members m join users u on u.id = m.user_id "
                    "where m.organization_id = $1 and m.user_id > $2 order by m.user_id limit $3",
                    {organization, after, limit}, [&](const storage::Row& row) { members.push_back(to_member(row)); }));
  return members;
}

Result<std::vector<UserId>> load_member_ids(storage::Session& session, const OrganizationId& organization) {
  std::vector<UserId> ids;
  PAWL_TRY_VOID(session.query("select user_id from organization_members where organization_id = $1", {organization},
                              [&](const storage::Row& row) { ids.push_back(row.id<UserId>(0)); }));
  return ids;
}

Result<std::vector<OrganizationId>> load_organization_ids(storage::Session& session, const UserId& user, std::uint32_t limit,
                                                          const OrganizationId& after) {
  std::vector<OrganizationId> ids;
  PAWL_TRY_VOID(
      session.query("select m.organization_id from organization_members m join organizations o on o.id = m.organization_id "
                    "where m.user_id = $1 and m.organization_id > $2 and o.deleted_at is null order by m.organization_id limit $3",
                    {user, after, limit}, [&](const storage::Row& row) { ids.push_back(row.id<OrganizationId>(0)); }));
  return ids;
}

Result<std::int64_t> count_owners(storage::Session& session, const OrganizationId& organization) {
  std::int64_t count = 0;
  PAWL_TRY_VOID(session.query("select count(*) from organization_members where organization_id = $1 and role = 'owner'", {organization},
                              [&](const storage::Row& row) { count = row.integer(0); }));
  return count;
}

Result<std::int64_t> count_members(storage::Session& session, const OrganizationId& organization) {
  std::int64_t count = 0;
  PAWL_TRY_VOID(session.query("select count(*) from organization_members where organization_id = $1", {organization},
                              [&](const storage::Row& row) { count = row.integer(0); }));
  return count;
}

Result<std::int64_t> count_integrations(storage::Session& session, const OrganizationId& organization) {
  std::int64_t count = 0;
  PAWL_TRY_VOID(session.query("select count(*) from integrations where organization_id = $1", {organization},
                              [&](const storage::Row& row) { count = row.integer(0); }));
  return count;
}

Result<std::int64_t> count_api_keys(storage::Session& session, const OrganizationId& organization) {
  std::int64_t count = 0;
  PAWL_TRY_VOID(session.query("select count(*) from api_keys where organization_id = $1 and revoked_at is null", {organization},
                              [&](const storage::Row& row) { count = row.integer(0); }));
  return count;
}

Result<std::int64_t> count_memberships(storage::Session& session, const UserId& user) {
  std::int64_t count = 0;
  PAWL_TRY_VOID(session.query("select count(*) from organization_members where user_id = $1", {user},
                              [&](const storage::Row& row) { count = row.integer(0); }));
  return count;
}

}  // namespace pawl::identity::detail

namespace pawl::identity {

Result<std::vector<Membership>> load_memberships(storage::Session& session, const UserId& user) {
  std::vector<Membership> memberships;
  PAWL_TRY_VOID(session.query(
      "select m.organization_id, m.role, o.destroy_role from organization_members m join organizations o on o.id = m.organization_id "
      "where m.user_id = $1 and o.deleted_at is null order by m.joined_at, m.organization_id",
      {user}, [&](const storage::Row& row) {
        const auto role = parse_role(row.text(1));
        if (role) memberships.push_back({row.id<OrganizationId>(0), *role, detail::destroy_role_in(row.text(2))});
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
