// SQL of lists of workflows: a page, and what belongs to its workflows, each in one query whatever the page holds.
#include <algorithm>
#include <string>

#include "catalog/detail/rows.hpp"
#include "catalog/detail/triggers.hpp"

namespace pawl::catalog::detail {
namespace {

// $1 organization, $2 cursor, $3 pattern, $4 active (-1: either), $5 limit. The cursor's place is that of its workflow now; a removed one
// keeps its row.
#define PAWL_PAGE_FILTER                                                                                                    \
  "w.organization_id = $1 and w.deleted_at is null and (lower(w.name) like $3 escape '\\' or lower(w.description) like $3 " \
  "escape '\\') and ($4 < 0 or w.is_active = $4) "
#define PAWL_BY_CREATION PAWL_PAGE_FILTER "and ($2 is null or w.id < $2) order by w.id desc limit $5"
#define PAWL_BY_CHANGE                                                                                                                  \
  PAWL_PAGE_FILTER                                                                                                                      \
  "and ($2 is null or (w.updated_at, w.id) < (select c.updated_at, c.id from workflows c where c.id = $2 and c.organization_id = $1)) " \
  "order by w.updated_at desc, w.id desc limit $5"
#define PAWL_BY_NAME                                                                                                                      \
  PAWL_PAGE_FILTER                                                                                                                        \
  "and ($2 is null or (lower(w.name), w.id) > (select lower(c.name), c.id from workflows c where c.id = $2 and c.organization_id = $1)) " \
  "order by lower(w.name), w.id limit $5"

struct PageQueries {
  std::string_view workflows;
  std::string_view schedules;
  std::string_view webhooks;
  std::string_view last_runs;
};
#define PAWL_PAGE_QUERIES(page)                                                                                                          \
  {                                                                                                                                      \
    "select w.id, w.organization_id, w.name, w.description, w.is_active, w.current_version, w.created_at, w.updated_at, w.created_by, "  \
    "w.updated_by, v.definition, v.source_format, v.functions from workflows w join workflow_versions v on v.workflow_id = w.id and "    \
    "v.version = "                                                                                                                       \
    "w.current_version where " page,                                                                                                     \
        "select s.workflow_id, s.id, s.kind, s.spec, s.next_due, s.last_fired, s.enabled from schedules s where s.workflow_id in "       \
        "(select w.id from workflows w where " page ") order by s.id",                                                                   \
        "select h.workflow_id, h.sealed_token from webhooks h where h.workflow_id in (select w.id from workflows w where " page ")",     \
        "select x.workflow_id, r.id, r.phase, r.created_at, r.ended_after from run_workflows x join runs r on r.workflow = x.ref where " \
        "x.organization_id = $1 and x.workflow_id in (select w.id from workflows w where " page                                          \
        ") and r.key = (select max(m.key) from runs m where m.workflow = x.ref)"                                                         \
  }
constexpr PageQueries kByCreation PAWL_PAGE_QUERIES(PAWL_BY_CREATION);
constexpr PageQueries kByChange PAWL_PAGE_QUERIES(PAWL_BY_CHANGE);
constexpr PageQueries kByName PAWL_PAGE_QUERIES(PAWL_BY_NAME);
#undef PAWL_PAGE_QUERIES
#undef PAWL_BY_NAME
#undef PAWL_BY_CHANGE
#undef PAWL_BY_CREATION
#undef PAWL_PAGE_FILTER

const PageQueries& queries_of(const WorkflowFilter& filter) {
  switch (filter.sort) {
    case WorkflowFilter::Sort::created: return kByCreation;
    case WorkflowFilter::Sort::updated: return kByChange;
    case WorkflowFilter::Sort::name: return kByName;
  }
  return kByCreation;
}

/// `%text%` in lower case, with the wildcards of `text` taken literally. Letters beyond ASCII are compared as they are.
std::string pattern_of(std::string_view text) {
  std::string pattern = "%";
  for (const char c : text) {
    if (c == '%' || c == '_' || c == '\\') pattern.push_back('\\');
    pattern.push_back(c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c);
  }
  pattern.push_back('%');
  return pattern;
}

template <class Each>
Result<void> query_page(storage::Session& session, std::string_view sql, const OrganizationId& organization, const WorkflowFilter& filter,
                        Each each) {
  const auto pattern = pattern_of(filter.text);
  const int active = filter.active ? (*filter.active ? 1 : 0) : -1;
  return session.query(sql, {organization, filter.before, pattern, active, filter.limit + 1}, each);
}

Workflow* find(std::vector<Workflow>& page, const WorkflowId& id) {
  const auto found = std::find_if(page.begin(), page.end(), [&](const Workflow& workflow) { return workflow.id == id; });
  return found == page.end() ? nullptr : &*found;
}

}  // namespace

Result<std::vector<Workflow>> load_workflows(storage::Session& session, const OrganizationId& organization, const WorkflowFilter& filter) {
  std::vector<Workflow> page;
  PAWL_TRY_VOID(query_page(session, queries_of(filter).workflows, organization, filter,
                           [&](const storage::Row& row) { page.push_back(workflow_of(row)); }));
  return page;
}

Result<void> load_page_triggers(storage::Session& session, const OrganizationId& organization, const WorkflowFilter& filter,
                                const crypto::KeyRing& seals, std::vector<Workflow>& page) {
  if (page.empty()) return {};
  const auto& queries = queries_of(filter);
  PAWL_TRY_VOID(query_page(session, queries.schedules, organization, filter, [&](const storage::Row& row) {
    if (auto* workflow = find(page, row.id<WorkflowId>(0))) workflow->triggers.push_back(schedule_trigger(row, 1));
  }));
  return query_page(session, queries.webhooks, organization, filter, [&](const storage::Row& row) {
    auto* workflow = find(page, row.id<WorkflowId>(0));
    if (workflow != nullptr) workflow->triggers.push_back(webhook_trigger(row.blob(1), *workflow, seals));
  });
}

Result<void> load_last_runs(storage::Session& session, const OrganizationId& organization, const WorkflowFilter& filter,
                            std::vector<Workflow>& page) {
  if (page.empty()) return {};
  return query_page(session, queries_of(filter).last_runs, organization, filter, [&](const storage::Row& row) {
    auto* workflow = find(page, row.id<WorkflowId>(0));
    if (workflow == nullptr) return;
    const auto phase = std::clamp<std::int64_t>(row.integer(2), 0, static_cast<std::int64_t>(engine::Phase::completed));
    workflow->last_run = LastRun{row.id<RunId>(1), static_cast<engine::Phase>(phase), row.time(3), row.time(3) + Millis(row.integer(4))};
  });
}

}  // namespace pawl::catalog::detail
