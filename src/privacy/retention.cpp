#include "privacy/retention.hpp"

#include <algorithm>
#include <array>

#include "audit/query.hpp"
#include "json/value.hpp"

namespace pawl::privacy {
namespace {

constexpr std::int64_t kBatch = 500;
constexpr Millis kDay = std::chrono::hours(24);
constexpr std::string_view kAudit = "audit_records";

/// One kind of row. $1: older than this; $2: at most so many.
struct Rule {
  std::string_view type;
  std::string_view setting;
  std::string_view from;
  std::uint32_t RetentionOptions::*days;  ///< null: one day
  std::string_view count;
  std::string_view remove;
  std::string_view before{};  ///< removes first what belongs to the same rows, in the same transaction
};

// A document that is listed nowhere was removed when it was made (catalog: `keep_unlisted`). Its age counts from when it was last wanted;
// while there is a run of it, it stays: a run cannot be read without its document.
#define PAWL_UNLISTED "f.deleted_at = f.created_at and f.is_active = 0"
#define PAWL_DRAFTS                                                                                                   \
  "from workflows f where " PAWL_UNLISTED                                                                             \
  " and f.created_at < $1 and not exists (select 1 from run_workflows w where w.organization_id = f.organization_id " \
  "and w.workflow_id = f.id and (exists (select 1 from runs r where r.workflow = w.ref) "                             \
  "or exists (select 1 from open_runs o where o.workflow = w.ref))) "                                                 \
  "and not exists (select 1 from webhooks h where h.workflow_id = f.id) "                                             \
  "and not exists (select 1 from schedules s where s.workflow_id = f.id) "
#define PAWL_DRAFT_RUNS                                                                                                           \
  "from runs r where r.workflow in (select w.ref from workflows f join run_workflows w on w.organization_id = f.organization_id " \
  "and w.workflow_id = f.id where " PAWL_UNLISTED ") and r.flags % 2 = 1 and r.created_at + r.ended_after < $1 "

constexpr Rule kRules[] = {
    {"runs", "RETENTION_WORKFLOW_EXECUTIONS_DAYS", "the end of the run", &RetentionOptions::runs,
     // A run's key begins with the time that its id was made at (engine/records.hpp): no run made later, but for a minute of grace, is
     // looked at.
     "select count(*) from runs where key < ($1 - 1577836740000) * 4194304 and created_at + ended_after < $1",
     "delete from runs where key in (select key from runs where key < ($1 - 1577836740000) * 4194304 and created_at + ended_after < $1 "
     "order by key limit $2)"},
    {"sessions", "RETENTION_SESSIONS_DAYS", "the end of the sign-in", &RetentionOptions::sessions,
     "select count(*) from sessions where expires_at < $1 or revoked_at < $1",
     "delete from sessions where id in (select id from sessions where expires_at < $1 or revoked_at < $1 limit $2)"},
    {"api_keys", "RETENTION_SESSIONS_DAYS", "its revocation or expiry", &RetentionOptions::sessions,
     "select count(*) from api_keys where expires_at < $1 or revoked_at < $1",
     "delete from api_keys where id in (select id from api_keys where expires_at < $1 or revoked_at < $1 limit $2)"},
    {"one_time_tokens", "RETENTION_ONE_TIME_TOKENS_DAYS", "its use or expiry", &RetentionOptions::one_time_tokens,
     "select count(*) from one_time_tokens where expires_at < $1 or used_at < $1",
     "delete from one_time_tokens where token_hash in "
     "(select token_hash from one_time_tokens where expires_at < $1 or used_at < $1 limit $2)"},
    {"login_failures", "RETENTION_ONE_TIME_TOKENS_DAYS", "the last failure", &RetentionOptions::one_time_tokens,
     "select count(*) from login_failures where last_at < $1",
     "delete from login_failures where subject in (select subject from login_failures where last_at < $1 limit $2)"},
    {"invitations", "RETENTION_INVITATIONS_DAYS", "its acceptance, withdrawal or expiry", &RetentionOptions::invitations,
     "select count(*) from invitations where expires_at < $1 or accepted_at < $1 or revoked_at < $1",
     "delete from invitations where id in "
     "(select id from invitations where expires_at < $1 or accepted_at < $1 or revoked_at < $1 limit $2)"},
    {"mails", "RETENTION_ONE_TIME_TOKENS_DAYS", "its sending, or when it was given up", &RetentionOptions::one_time_tokens,
     "select count(*) from outbox where ended_at < $1",
     "delete from outbox where id in (select id from outbox where ended_at < $1 limit $2)"},
    {"oauth_used_states", "", "its expiry", nullptr, "select count(*) from oauth_used_states where expires_at < $1",
     "delete from oauth_used_states where state_hash in (select state_hash from oauth_used_states where expires_at < $1 limit $2)"},
    {"draft_runs", "RETENTION_DRAFTS_DAYS", "the end of the dry run", &RetentionOptions::drafts, "select count(*) " PAWL_DRAFT_RUNS,
     "delete from runs where key in (select r.key " PAWL_DRAFT_RUNS "limit $2)"},
    {"drafts", "RETENTION_DRAFTS_DAYS", "its last use", &RetentionOptions::drafts, "select count(*) " PAWL_DRAFTS,
     "delete from workflows where id in (select f.id " PAWL_DRAFTS "order by f.id limit $2)",
     "delete from workflow_versions where workflow_id in (select f.id " PAWL_DRAFTS "order by f.id limit $2)"},
    {"dead_letters", "RETENTION_WORKFLOW_EXECUTIONS_DAYS", "the failed start", &RetentionOptions::runs,
     "select count(*) from dead_letters where created_at < $1",
     "delete from dead_letters where id in (select id from dead_letters where created_at < $1 limit $2)"},
    {"approvals", "RETENTION_WORKFLOW_EXECUTIONS_DAYS", "the decision", &RetentionOptions::runs,
     "select count(*) from approvals where decided_at < $1",
     "delete from approvals where id in (select id from approvals where decided_at < $1 limit $2)"},
    {"remedies", "RETENTION_WORKFLOW_EXECUTIONS_DAYS", "the proposal", &RetentionOptions::runs,
     "select count(*) from remedies where created_at < $1",
     "delete from remedies where id in (select id from remedies where created_at < $1 limit $2)"},
    {"agent_memories", "", "the end of the time that they are kept for", nullptr,
     "select count(*) from agent_memories where expires_at < $1",
     "delete from agent_memories where id in (select id from agent_memories where expires_at < $1 limit $2)"},
    {"webhook_deliveries", "", "the end of their time window", nullptr, "select count(*) from webhook_deliveries where expires_at < $1",
     "delete from webhook_deliveries where digest in (select digest from webhook_deliveries where expires_at < $1 limit $2)"},
    {"idempotency_keys", "", "the request", nullptr, "select count(*) from idempotency_keys where created_at < $1",
     "delete from idempotency_keys where (organization_id, key) in "
     "(select organization_id, key from idempotency_keys where created_at < $1 limit $2)"},
};
#undef PAWL_DRAFT_RUNS
#undef PAWL_DRAFTS
#undef PAWL_UNLISTED

}  // namespace

std::optional<TimePoint> Retention::before(std::optional<Millis> keep) const {
  if (!keep) return std::nullopt;
  return clock_.now() - *keep;
}

std::vector<Policy> Retention::policy() const {
  std::vector<Policy> all;
  const auto days = [](std::uint32_t number) { return number == 0 ? std::nullopt : std::optional<Millis>(number * kDay); };
  for (const auto& rule : kRules) {
    all.push_back({std::string(rule.type), std::string(rule.setting), std::string(rule.from),
                   rule.days == nullptr ? std::optional(kDay) : days(options_.*rule.days)});
  }
  all.push_back({std::string(kAudit), "AUDIT_RETENTION_DAYS", "the record", days(options_.audit)});
  return all;
}

Result<std::vector<Purged>> Retention::count() const {
  std::vector<Purged> counts;
  const auto policies = policy();
  for (std::size_t i = 0; i < policies.size(); ++i) {
    Purged each{policies[i].type, before(policies[i].keep), 0};
    if (each.before && each.type == kAudit) {
      PAWL_TRY(old, audit::count_older(database_, *each.before));
      each.count = old;
    } else if (each.before) {
      PAWL_TRY_VOID(database_.read([&](storage::Session& session) {
        return session.query(kRules[i].count, {*each.before},
                             [&](const storage::Row& row) { each.count = static_cast<std::uint64_t>(row.integer(0)); });
      }));
    }
    counts.push_back(std::move(each));
  }
  return counts;
}

Result<std::vector<Purged>> Retention::purge(const audit::Actor& actor, const std::function<bool()>& go_on) {
  const std::lock_guard lock(purging_);
  std::vector<Purged> purged;
  auto details = json::Value::object();
  const auto policies = policy();
  const auto wanted = [&] { return !go_on || go_on(); };
  for (std::size_t i = 0; i < policies.size(); ++i) {
    Purged each{policies[i].type, before(policies[i].keep), 0};
    for (std::int64_t gone = kBatch; each.before && gone >= kBatch && wanted();) {
      if (each.type == kAudit) {
        PAWL_TRY(removed, audit::remove_older(database_, log_, *each.before, kBatch));
        gone = static_cast<std::int64_t>(removed);
      } else {
        const auto remove = [&](storage::Transaction& transaction) -> Result<void> {
          if (!kRules[i].before.empty()) {
            PAWL_TRY(parts, transaction.execute(kRules[i].before, {*each.before, kBatch}));
            static_cast<void>(parts);
          }
          PAWL_TRY(rows, transaction.execute(kRules[i].remove, {*each.before, kBatch}));
          gone = rows;
          return {};
        };
        PAWL_TRY_VOID(database_.write_and_wait(remove));
      }
      each.count += static_cast<std::uint64_t>(gone);
    }
    if (each.count > 0) details.set(each.type, each.count);
    purged.push_back(std::move(each));
  }
  if (!details.empty()) {
    audit::Record record;
    record.actor = actor;
    record.action = "retention.purged";
    record.resource = {"retention", ""};
    record.details = std::move(details);
    PAWL_TRY_VOID(log_.append(std::move(record)));
  }
  return purged;
}

// ---- the schedule ---------------------------------------------------------------------------------------------------------------

RetentionSchedule::RetentionSchedule(Retention& retention, std::function<void(const Error&)> report, const RetentionTimes& times)
    : retention_(retention), report_(std::move(report)), times_(times), thread_([this] { run(); }) {}

RetentionSchedule::~RetentionSchedule() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

bool RetentionSchedule::stopping() {
  const std::lock_guard lock(mutex_);
  return stop_;
}

void RetentionSchedule::run() {
  auto wait = times_.first;
  for (;;) {
    {
      std::unique_lock lock(mutex_);
      if (changed_.wait_for(lock, wait, [this] { return stop_; })) return;
    }
    const auto purged = retention_.purge(audit::Actor{}, [this] { return !stopping(); });
    if (purged.has_error() && report_) report_(purged.error());
    wait = times_.period;
  }
}

}  // namespace pawl::privacy
