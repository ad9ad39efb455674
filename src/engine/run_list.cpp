// Lists of runs: finished and open ones are two tables with two narrow queries each, merged newest first.
#include <algorithm>
#include <string>

#include "engine/store.hpp"

namespace pawl::engine {
namespace {

using storage::Row;
using storage::Session;

constexpr std::uint32_t kMaxLimit = 200;
constexpr std::int64_t kMaxKey = INT64_MAX;

// $1 workflow, $2 upper key or id, $3 organization, $4 phases (bits), $5 since, $6 until, $7 name pattern, $8 id pattern, $9 limit
#define PAWL_RUN_FILTER(HEX)                                                                                       \
  " and ($3 is null or w.organization_id = $3) and (($4 >> cast(r.phase as int)) & 1) = 1 and r.created_at >= $5 " \
  "and r.created_at < $6 and ($7 is null or lower(w.name) like lower($7) escape '\\' or " HEX " like $8 escape '\\') "
#define PAWL_FINISHED_RUN                                                                                                                 \
  "select r.id, r.version, r.phase, r.flags, r.created_at, w.organization_id, w.workflow_id, w.name, r.started_after, r.ended_after, '' " \
  "from "
#define PAWL_OPEN_RUN                                                                                                       \
  "select r.id, r.version, r.phase, r.flags, r.created_at, w.organization_id, w.workflow_id, w.name, null, null, r.reason " \
  "from "
#define PAWL_STATEMENTS(HEX)                                                                                                    \
  {                                                                                                                             \
    PAWL_FINISHED_RUN "runs r join run_workflows w on w.ref = r.workflow where $1 is null and r.key < $2" PAWL_RUN_FILTER(      \
        HEX) "order by r.key desc limit $9",                                                                                    \
        PAWL_FINISHED_RUN                                                                                                       \
        "run_workflows w cross join runs r where w.workflow_id = $1 and r.workflow = w.ref and r.key < $2" PAWL_RUN_FILTER(     \
            HEX) "order by r.key desc limit $9",                                                                                \
        PAWL_OPEN_RUN "open_runs r join run_workflows w on w.ref = r.workflow where $1 is null and r.id < $2" PAWL_RUN_FILTER(  \
            HEX) "order by r.id desc limit $9",                                                                                 \
        PAWL_OPEN_RUN                                                                                                           \
        "run_workflows w cross join open_runs r where w.workflow_id = $1 and r.workflow = w.ref and r.id < $2" PAWL_RUN_FILTER( \
            HEX) "order by r.id desc limit $9"                                                                                  \
  }
struct Statements {
  std::string_view finished;
  std::string_view finished_of_workflow;
  std::string_view open;
  std::string_view open_of_workflow;
};
// The two write an id in hexadecimal differently.
constexpr Statements kSqlite = PAWL_STATEMENTS("lower(hex(r.id))");
constexpr Statements kPostgresql = PAWL_STATEMENTS("encode(r.id, 'hex')");
#undef PAWL_STATEMENTS
#undef PAWL_OPEN_RUN
#undef PAWL_FINISHED_RUN
#undef PAWL_RUN_FILTER

const Statements& statements_of(const Session& session) { return session.dialect() == storage::Dialect::sqlite ? kSqlite : kPostgresql; }

RunView view_of(const Row& row) {
  RunView view;
  view.id = row.id<RunId>(0);
  view.version = static_cast<std::uint32_t>(row.integer(1));
  view.phase = static_cast<Phase>(std::clamp<std::int64_t>(row.integer(2), 0, static_cast<std::int64_t>(Phase::completed)));
  view.dry_run = (row.integer(3) & 1) != 0;
  view.created_at = row.time(4);
  view.organization = row.id<OrganizationId>(5);
  view.workflow = row.id<WorkflowId>(6);
  view.workflow_name = row.text(7);
  if (!row.is_null(8)) view.started_at = view.created_at + Millis(row.integer(8));
  if (!row.is_null(9)) view.ended_at = view.created_at + Millis(row.integer(9));
  view.waiting_reason = row.text(10);
  return view;
}

/// `%text%` with the wildcards of `text` taken literally.
std::string pattern_of(std::string_view text) {
  std::string pattern = "%";
  for (const char c : text) {
    if (c == '%' || c == '_' || c == '\\') pattern.push_back('\\');
    pattern.push_back(c);
  }
  pattern.push_back('%');
  return pattern;
}

std::int64_t bits_of(const std::vector<Phase>& phases) {
  if (phases.empty()) return ~std::int64_t{0};
  std::int64_t bits = 0;
  for (const auto phase : phases) bits |= std::int64_t{1} << static_cast<unsigned>(phase);
  return bits;
}

struct Query {
  std::optional<WorkflowId> workflow;
  std::int64_t before_key = kMaxKey;
  RunId before_id;
  std::optional<OrganizationId> organization;
  std::int64_t phases = 0;
  TimePoint since{};
  TimePoint until{};
  std::optional<std::string> name_pattern;
  std::optional<std::string> id_pattern;
  std::int64_t limit = 0;
};

Query query_of(const RunFilter& filter) {
  Query query;
  query.workflow = filter.workflow;
  query.before_id.uuid.bytes.fill(0xff);
  if (filter.before) {
    query.before_key = run_key(*filter.before);
    query.before_id = *filter.before;
  }
  query.organization = filter.organization;
  query.phases = bits_of(filter.phases);
  query.since = filter.since.value_or(TimePoint(Millis(INT64_MIN)));
  query.until = filter.until.value_or(TimePoint(Millis(INT64_MAX)));
  if (!filter.text.empty()) {
    query.name_pattern = pattern_of(filter.text);
    std::string hex;
    for (const char c : filter.text) {
      if (c != '-') hex.push_back(c >= 'A' && c <= 'F' ? static_cast<char>(c - 'A' + 'a') : c);
    }
    query.id_pattern = pattern_of(hex);
  }
  query.limit = static_cast<std::int64_t>(std::clamp(filter.limit, 1U, kMaxLimit)) + 1;
  return query;
}

Result<void> finished_runs(Session& session, const Query& q, std::vector<RunView>& out) {
  const auto& statements = statements_of(session);
  return session.query(q.workflow ? statements.finished_of_workflow : statements.finished,
                       {q.workflow, q.before_key, q.organization, q.phases, q.since, q.until, q.name_pattern, q.id_pattern, q.limit},
                       [&out](const Row& row) { out.push_back(view_of(row)); });
}

Result<void> open_runs(Session& session, const Query& q, std::vector<RunView>& out) {
  const auto& statements = statements_of(session);
  return session.query(q.workflow ? statements.open_of_workflow : statements.open,
                       {q.workflow, q.before_id, q.organization, q.phases, q.since, q.until, q.name_pattern, q.id_pattern, q.limit},
                       [&out](const Row& row) { out.push_back(view_of(row)); });
}

/// The newest first, one more than the limit of each kind.
Result<std::vector<RunView>> all_runs(Session& session, const Query& query) {
  std::vector<RunView> runs;
  PAWL_TRY_VOID(finished_runs(session, query, runs));
  PAWL_TRY_VOID(open_runs(session, query, runs));
  std::sort(runs.begin(), runs.end(), [](const RunView& a, const RunView& b) { return a.id > b.id; });
  return runs;
}

}  // namespace

Result<RunPage> RunStore::list(const RunFilter& filter) {
  const auto query = query_of(filter);
  RunPage page;
  PAWL_TRY(runs, database_.read([&](Session& session) { return all_runs(session, query); }));
  page.runs = std::move(runs);
  const auto limit = static_cast<std::size_t>(query.limit - 1);
  if (page.runs.size() > limit) {
    page.runs.resize(limit);
    page.next = page.runs.back().id;
  }
  return page;
}

// A statement for each of them: neither dialect has one that finds the newest of each by the index alone.
Result<std::vector<std::vector<RunView>>> RunStore::newest(const OrganizationId& organization, const std::vector<WorkflowId>& workflows,
                                                           std::uint32_t each) {
  using All = std::vector<std::vector<RunView>>;
  return database_.read([&](Session& session) -> Result<All> {
    All all;
    for (const auto& workflow : workflows) {
      PAWL_TRY(runs, all_runs(session, query_of({.organization = organization, .workflow = workflow, .limit = each})));
      if (runs.size() > each) runs.resize(each);
      all.push_back(std::move(runs));
    }
    return all;
  });
}

}  // namespace pawl::engine
