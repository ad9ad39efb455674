#include "privacy/personal_data.hpp"

#include <optional>
#include <span>

#include "audit/query.hpp"
#include "json/parse.hpp"
#include "json/value.hpp"
#include "json/write.hpp"
#include "privacy/memory_words.hpp"

namespace pawl::privacy {
namespace {

using storage::Row;
using storage::Session;
using storage::Transaction;

enum class Kind : std::uint8_t { text, integer, boolean, time, id, json };
struct Column {
  std::string_view name;
  Kind kind = Kind::text;
};
/// A member of the export. $1: the person.
struct Section {
  std::string_view name;
  std::string_view sql;
  std::vector<Column> columns;
  /// What of an item is the person's.
  void (*refine)(json::Value& item, const UserId& person) = nullptr;
};

/// A memory that others have written, too: the person's own messages, and how many are not.
void keep_own_words(json::Value& item, const UserId& person) {
  const auto alone = item.get("people") == json::Value(1);
  auto own = own_messages(item.get("messages"), item.get("authors"), person, alone);
  const auto all = item.get("messages").is_array() ? item.get("messages").size() : 0;
  item.set("messages_of_others", static_cast<std::int64_t>(all - own.size()));
  item.set("messages", std::move(own));
  if (!alone) item.set("run_id", json::Value());  // perhaps somebody else's
  item.erase("authors");
  item.erase("people");
}

const std::vector<Section>& sections() {
  static const std::vector<Section> all = {
      {"account",
       "select id, email, name, is_active, is_superuser, email_verified_at, totp_enabled_at, preferences, last_login_at, created_at, "
       "updated_at from users where id = $1",
       {{"id", Kind::id},
        {"email"},
        {"name"},
        {"is_active", Kind::boolean},
        {"is_superuser", Kind::boolean},
        {"email_verified_at", Kind::time},
        {"totp_enabled_at", Kind::time},
        {"preferences", Kind::json},
        {"last_login_at", Kind::time},
        {"created_at", Kind::time},
        {"updated_at", Kind::time}}},
      {"sessions",
       "select id, user_agent, address, created_at, last_used_at, expires_at, revoked_at, revoked_because from sessions where user_id = $1 "
       "order by id",
       {{"id", Kind::id},
        {"user_agent"},
        {"address"},
        {"created_at", Kind::time},
        {"last_used_at", Kind::time},
        {"expires_at", Kind::time},
        {"revoked_at", Kind::time},
        {"revoked_because"}}},
      {"links",
       "select purpose, email_key, created_at, expires_at, used_at from one_time_tokens where user_id = $1 order by created_at",
       {{"purpose"}, {"sent_to"}, {"created_at", Kind::time}, {"expires_at", Kind::time}, {"used_at", Kind::time}}},
      {"api_keys",
       "select id, name, prefix, organization_id, created_at, expires_at, last_used_at, revoked_at from api_keys where user_id = $1 order "
       "by id",
       {{"id", Kind::id},
        {"name"},
        {"prefix"},
        {"organization_id", Kind::id},
        {"created_at", Kind::time},
        {"expires_at", Kind::time},
        {"last_used_at", Kind::time},
        {"revoked_at", Kind::time}}},
      {"memberships",
       "select m.organization_id, o.name, m.role, m.joined_at from organization_members m join organizations o on o.id = m.organization_id "
       "where m.user_id = $1 order by m.joined_at",
       {{"organization_id", Kind::id}, {"organization"}, {"role"}, {"joined_at", Kind::time}}},
      {"invitations_received",
       "select i.id, i.organization_id, i.email, i.role, i.created_at, i.expires_at, i.accepted_at, i.revoked_at from invitations i "
       "join users u on u.email_key = i.email where u.id = $1 order by i.id",
       {{"id", Kind::id},
        {"organization_id", Kind::id},
        {"email"},
        {"role"},
        {"created_at", Kind::time},
        {"expires_at", Kind::time},
        {"accepted_at", Kind::time},
        {"revoked_at", Kind::time}}},
      {"invitations_sent",
       "select id, organization_id, role, created_at, expires_at from invitations where invited_by = $1 and organization_id in "
       "(select organization_id from organization_members where user_id = $1) order by id",
       {{"id", Kind::id}, {"organization_id", Kind::id}, {"role"}, {"created_at", Kind::time}, {"expires_at", Kind::time}}},
      {"workflows",
       "select w.id, w.organization_id, w.name, w.description, w.current_version, v.definition, w.created_at, w.updated_at from workflows "
       "w "
       "join workflow_versions v on v.workflow_id = w.id and v.version = w.current_version "
       "where w.created_by = $1 and w.deleted_at is null and w.organization_id in (select organization_id from organization_members where "
       "user_id = $1) order by w.id",
       {{"id", Kind::id},
        {"organization_id", Kind::id},
        {"name"},
        {"description"},
        {"version", Kind::integer},
        {"definition"},
        {"created_at", Kind::time},
        {"updated_at", Kind::time}}},
      {"integrations",
       "select id, organization_id, connector, name, is_active, created_at, updated_at from integrations where created_by = $1 and "
       "organization_id in (select organization_id from organization_members where user_id = $1) order by id",
       {{"id", Kind::id},
        {"organization_id", Kind::id},
        {"connector"},
        {"name"},
        {"is_active", Kind::boolean},
        {"created_at", Kind::time},
        {"updated_at", Kind::time}}},
      {"mails",
       "select o.id, o.kind, o.recipient, o.subject, o.state, o.created_at, o.ended_at from outbox o join users u on "
       "u.email_key = lower(o.recipient) where u.id = $1 order by o.id",
       {{"id", Kind::id}, {"kind"}, {"recipient"}, {"subject"}, {"state"}, {"created_at", Kind::time}, {"ended_at", Kind::time}}},
      {"approvals",
       "select id, organization_id, title, status, comment, decided_at from approvals where decided_by = $1 and organization_id in "
       "(select organization_id from organization_members where user_id = $1) order by decided_at",
       {{"id", Kind::id}, {"organization_id", Kind::id}, {"title"}, {"status"}, {"comment"}, {"decided_at", Kind::time}}},
      {"agent_memories",
       "select id, organization_id, scope, key, messages, untrusted, run_id, created_at, updated_at, expires_at, authors, (select count(*) "
       "from agent_memory_people p where p.memory_id = agent_memories.id) from agent_memories where "
       "id in (select memory_id from agent_memory_people where user_id = $1) and organization_id in (select organization_id from "
       "organization_members where user_id = $1) order by id",
       {{"id", Kind::id},
        {"organization_id", Kind::id},
        {"scope"},
        {"key"},
        {"messages", Kind::json},
        {"untrusted", Kind::json},
        {"run_id", Kind::id},
        {"created_at", Kind::time},
        {"updated_at", Kind::time},
        {"expires_at", Kind::time},
        {"authors", Kind::json},
        {"people", Kind::integer}},
       keep_own_words},
      {"other_logins",
       "select provider, subject, email, created_at, last_used_at from oauth_identities where user_id = $1 order by provider, subject",
       {{"provider"}, {"subject"}, {"email"}, {"created_at", Kind::time}, {"last_used_at", Kind::time}}},
  };
  return all;
}

json::Value value_of(const Row& row, int column, Kind kind) {
  if (row.is_null(column)) return {};
  switch (kind) {
    case Kind::text: return row.text(column);
    case Kind::integer: return row.integer(column);
    case Kind::boolean: return row.boolean(column);
    case Kind::time: return to_rfc3339(row.time(column));
    case Kind::id: return row.uuid(column).to_string();
    case Kind::json: {
      auto parsed = json::parse(row.text(column));
      return parsed.has_error() ? json::Value() : std::move(*parsed);
    }
  }
  return {};
}

Error no_user() { return {ErrorClass::not_found, "user.not_found", "There is no user of this id."}; }

Result<std::string> section_text(storage::Database& database, const Section& section, const UserId& user) {
  auto items = json::Value::array();
  PAWL_TRY_VOID(database.read([&](Session& session) {
    return session.query(section.sql, {user}, [&](const Row& row) {
      auto item = json::Value::object();
      for (std::size_t i = 0; i < section.columns.size(); ++i) {
        item.set(section.columns[i].name, value_of(row, static_cast<int>(i), section.columns[i].kind));
      }
      if (section.refine != nullptr) section.refine(item, user);
      items.push_back(std::move(item));
    });
  }));
  return json::to_text(items);
}

}  // namespace

Result<void> export_person(storage::Database& database, const UserId& user, const std::function<bool(std::string_view piece)>& write) {
  bool known = false;
  PAWL_TRY_VOID(database.read(
      [&](Session& session) { return session.query("select 1 from users where id = $1", {user}, [&](const Row&) { known = true; }); }));
  if (!known) return no_user();
  for (bool first = true; const auto& section : sections()) {
    PAWL_TRY(text, section_text(database, section, user));
    std::string piece = std::exchange(first, false) ? "{" : ",\n";
    json::append_quoted(piece, section.name);
    piece += ":" + text;
    if (!write(piece)) return {};
  }
  if (!write(",\n\"audit\":")) return {};
  bool wanted = true;
  PAWL_TRY_VOID(audit::export_all(database, audit::Scope::installation(), {.actor = user}, audit::ExportFormat::json,
                                  [&](std::string_view piece) { return wanted = write(piece); }));
  if (wanted) static_cast<void>(write("}\n"));
  return {};
}

// ---- erasure ----------------------------------------------------------------------------------------------------------------------

namespace {

/// An organization that stands or falls with the person.
struct Sole {
  OrganizationId organization;
  std::string name;
};

/// Organizations of which the person is an owner, and how many others there are in them, and how many of those are owners.
Result<std::vector<Sole>> sole_organizations(Session& session, const UserId& user) {
  std::vector<Sole> alone;
  std::string left_without;
  PAWL_TRY_VOID(session.query(
      "select o.id, o.name, m.role, "
      "(select count(*) from organization_members a where a.organization_id = o.id and a.user_id <> $1), "
      "(select count(*) from organization_members b where b.organization_id = o.id and b.user_id <> $1 and b.role = 'owner') "
      "from organization_members m join organizations o on o.id = m.organization_id where m.user_id = $1 and o.deleted_at is null",
      {user}, [&](const Row& row) {
        if (row.integer(3) == 0) {
          alone.push_back({row.id<OrganizationId>(0), std::string(row.text(1))});
        } else if (row.text(2) == "owner" && row.integer(4) == 0) {
          if (!left_without.empty()) left_without += ", ";
          left_without += "`" + std::string(row.text(1)) + "`";
        }
      }));
  if (left_without.empty()) return alone;
  return Error(ErrorClass::conflict, "data.last_owner",
               "You are the last owner of " + left_without + ", which has other members: make one of them an owner, or delete it, first.");
}

// $1: the organization.
constexpr std::string_view kOfOrganization[] = {
    "delete from runs where workflow in (select ref from run_workflows where organization_id = $1)",
    "delete from run_workflows where organization_id = $1",
    "delete from idempotency_keys where organization_id = $1",
    "delete from dead_letters where organization_id = $1",
    "delete from remedies where organization_id = $1",
    "delete from agent_memories where organization_id = $1",
    "delete from model_reservations where organization_id = $1",
    "delete from model_usage where organization_id = $1",
    "delete from model_budgets where organization_id = $1",
    "delete from approval_users where organization_id = $1",
    "delete from approvals where organization_id = $1",
    "delete from listeners where organization_id = $1",
    "delete from lifecycle_events where organization_id = $1",
    "delete from run_places where organization_id = $1",
    "delete from schedules where organization_id = $1",
    "delete from webhooks where organization_id = $1",
    "delete from workflow_versions where workflow_id in (select id from workflows where organization_id = $1)",
    "delete from workflows where organization_id = $1",
    "delete from invitations where organization_id = $1",
    "delete from integrations where organization_id = $1",
    "delete from api_keys where organization_id = $1",
    "delete from organization_members where organization_id = $1",
    "delete from organizations where id = $1",
};

// Not null, which is the installation's own key: what somebody approved who is there no more is done with nobody's right.
constexpr std::string_view kForgetDecider = "update approvals set decided_by = $2, comment = '', answer = '' where decided_by = $1";
// $1: the person. In an order that no reference forbids; what names the address by its text goes before the person's row.
constexpr std::string_view kOfPerson[] = {
    "delete from audit_addresses where seq in (select seq from audit_records where actor_user = $1)",
    "delete from sessions where user_id = $1",
    "delete from one_time_tokens where user_id = $1 or email_key in (select email_key from users where id = $1)",
    "delete from backup_codes where user_id = $1",
    "delete from api_keys where user_id = $1",
    "delete from invitations where email in (select email_key from users where id = $1)",
    "delete from invitations where invited_by = $1 and accepted_at is null",
    "update invitations set invited_by = null where invited_by = $1",
    "update invitations set accepted_by = null where accepted_by = $1",
    "delete from organization_members where user_id = $1",
    "update organizations set personal_of = null where personal_of = $1",
    "delete from outbox where lower(recipient) in (select email_key from users where id = $1)",
    "delete from oauth_identities where user_id = $1",
    "delete from approval_users where name in (select email_key from users where id = $1)",
    "update approvals set starter = null where starter = $1",
    "update workflows set created_by = null where created_by = $1",
    "update workflows set updated_by = null where updated_by = $1",
    "update workflow_versions set created_by = null where created_by = $1",
    "update integrations set created_by = null where created_by = $1",
    "update model_budgets set updated_by = null where updated_by = $1",
};

Result<void> refuse_open_runs(Session& session, const Sole& sole) {
  std::int64_t open = 0;
  PAWL_TRY_VOID(session.query("select count(*) from open_runs r join run_workflows w on w.ref = r.workflow where w.organization_id = $1",
                              {sole.organization}, [&](const Row& row) { open = row.integer(0); }));
  if (open == 0) return {};
  return Error(ErrorClass::conflict, "data.runs_open",
               "`" + sole.name + "` goes with you and has " + std::to_string(open) + " runs that have not ended: cancel them first.");
}

/// Nobody takes the rights of another administrator, and nobody joins the person's organizations, until the transaction ends.
Result<void> lock(Transaction& transaction, const UserId& user) {
  PAWL_TRY_VOID(transaction.execute("update users set is_superuser = 1 where is_superuser = 1"));
  PAWL_TRY_VOID(transaction.execute(
      "update organizations set updated_at = updated_at where id in (select organization_id from organization_members where user_id = $1)",
      {user}));
  return {};
}

Result<void> keep_a_superuser(Session& session, const UserId& user) {
  bool administers = false;
  std::int64_t others = 0;
  PAWL_TRY_VOID(
      session.query("select id from users where is_superuser = 1 and is_active = 1 and deleted_at is null", {}, [&](const Row& row) {
        if (row.id<UserId>(0) == user) {
          administers = true;
        } else {
          ++others;
        }
      }));
  if (!administers || others > 0) return {};
  return Error(ErrorClass::conflict, "user.last_superuser", "The installation needs an administrator: make somebody else one first.");
}

Result<void> erase_organization(Transaction& transaction, const Sole& sole, Erased& erased) {
  PAWL_TRY_VOID(refuse_open_runs(transaction, sole));
  PAWL_TRY_VOID(transaction.query("select id from workflows where organization_id = $1", {sole.organization},
                                  [&](const Row& row) { erased.workflows.push_back(row.id<WorkflowId>(0)); }));
  for (const auto sql : kOfOrganization) PAWL_TRY_VOID(transaction.execute(sql, {sole.organization}));
  erased.organizations.push_back(sole.organization);
  return {};
}

/// `remembering`: organizations whose agents remembered the person.
Result<void> erase(Transaction& transaction, audit::Log& log, const Erasure& erasure, const audit::Record& request, TimePoint now,
                   Erased& erased, std::vector<OrganizationId>& remembering) {
  const auto& user = erasure.user;
  erased = {};
  PAWL_TRY_VOID(lock(transaction, user));
  PAWL_TRY_VOID(keep_a_superuser(transaction, user));
  PAWL_TRY(alone, sole_organizations(transaction, user));
  for (const auto& sole : alone) {
    if (sole.organization == erasure.installation) {
      return Error(ErrorClass::conflict, "data.installation",
                   "`" + sole.name + "` is the installation's own and has nobody else: make somebody else an owner of it first.");
    }
    PAWL_TRY_VOID(erase_organization(transaction, sole, erased));
  }
  PAWL_TRY_VOID(transaction.execute(kForgetDecider, {user, UserId{}}));
  for (const auto sql : kOfPerson) PAWL_TRY_VOID(transaction.execute(sql, {user}));
  PAWL_TRY(organizations, erase_from_memories(transaction, user, now));
  remembering = std::move(organizations);
  PAWL_TRY(gone, transaction.execute("delete from users where id = $1", {user}));
  if (gone == 0) return no_user();
  auto record = request;
  record.action = "data.erased";
  record.resource = {"user", user.to_string()};
  record.outcome = audit::Outcome::success;
  record.address.clear();
  record.details = json::Value::object({{"organizations", static_cast<std::int64_t>(alone.size())}});
  return log.append(transaction, std::move(record));
}

}  // namespace

Result<Erased> erase_person(storage::Database& database, audit::Log& log, const Clock& clock, const Erasure& erasure,
                            const audit::Record& request) {
  Erased erased;
  std::vector<OrganizationId> remembering;
  PAWL_TRY_VOID(database.write_and_wait(
      [&](Transaction& transaction) { return erase(transaction, log, erasure, request, clock.now(), erased, remembering); }));
  PAWL_TRY_VOID(memories_are_erased(database, clock, remembering));
  return erased;
}

}  // namespace pawl::privacy
