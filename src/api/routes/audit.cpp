// The audit trail: lists, one record, counts, export, verification.
#include "audit/audit.hpp"
#include "api/body.hpp"
#include "api/detail/context.hpp"
#include "api/json_writer.hpp"
#include "api/routes/theme.hpp"
#include "audit/query.hpp"
#include "audit/verify.hpp"

namespace pawl::api::detail {
namespace {

/// One reply of an export ends beyond this; the rest follows from a cursor.
constexpr std::size_t kMaxExport = 8U << 20U;

/// The records of the organization, or where an administrator of the installation asks for it, of all.
std::optional<audit::Scope> scope_of(Query& query, const Call& call) {
  const auto all = query.text("all").value_or("false");
  if (all != "true" && all != "false") {
    query.problem("all", "must be true or false");
    return std::nullopt;
  }
  if (all == "true" && call.principal.permits(Permission::administer, {})) return audit::Scope::installation();
  if (all == "true") query.problem("all", "is for administrators of the installation");
  return audit::Scope::of(call.organization);
}

std::optional<TimePoint> read_time(Query& query, std::string_view name) {
  const auto text = query.text(name);
  if (!text) return std::nullopt;
  const auto time = parse_rfc3339(*text);
  if (!time) query.problem(name, "must be an RFC 3339 time such as 2026-01-31T12:00:00Z");
  return time;
}

std::optional<std::uint64_t> read_cursor(Query& query) {
  const auto text = query.text("cursor");
  if (!text) return std::nullopt;
  const auto id = AuditId::parse(*text);
  const auto sequence = id ? audit::sequence_of(*id) : std::nullopt;
  if (!sequence) query.problem("cursor", "is not a cursor of this list");
  return sequence;
}

audit::Filter read_filter(Query& query) {
  audit::Filter filter;
  if (const auto text = query.text("actor")) {
    filter.actor = UserId::parse(*text);
    if (!filter.actor) query.problem("actor", "must be a user's id");
  }
  filter.action = query.text("action").value_or("");
  filter.resource_type = query.text("resource_type").value_or("");
  filter.resource_id = query.text("resource_id").value_or("");
  if (const auto text = query.text("outcome")) {
    filter.outcome = audit::parse_outcome(*text);
    if (!filter.outcome) query.problem("outcome", "must be success, failure, dry_run or refused");
  }
  if (const auto text = query.text("run_id")) {
    filter.run = RunId::parse(*text);
    if (!filter.run) query.problem("run_id", "must be an id");
  }
  filter.since = read_time(query, "since");
  filter.until = read_time(query, "until");
  filter.text = query.text("q").value_or("");
  return filter;
}

void append_entry(std::string& out, const audit::Entry& entry) {
  ObjectWriter object(out);
  const auto id = [&](std::string_view name, const auto& value, bool present) {
    object.text_or_null(name, present ? value.to_string() : "");
  };
  object.text("id", entry.id().to_string());
  object.time("time", entry.at);
  object.integer("sequence", static_cast<std::int64_t>(entry.sequence));
  object.text("action", entry.action);
  object.text("outcome", audit::to_text(entry.outcome));
  id("organization_id", entry.organization.value_or(OrganizationId{}), entry.organization.has_value());
  object.text("actor", audit::to_text(entry.actor.kind));
  id("user_id", entry.actor.user, !entry.actor.user.is_nil());
  id("api_key_id", entry.actor.api_key, !entry.actor.api_key.is_nil());
  object.text("resource_type", entry.resource.type);
  object.text("resource_id", entry.resource.id);
  object.text_or_null("address", entry.address);
  object.text_or_null("network", entry.network);
  object.text_or_null("request_id", entry.request_id);
  id("run_id", entry.run.value_or(RunId{}), entry.run.has_value());
  object.text_or_null("task", entry.task);
  if (entry.duration) {
    object.integer("duration_ms", entry.duration->count());
  } else {
    object.null("duration_ms");
  }
  object.raw("details") += entry.details;
}

void list_records(Context& context, Call call) {
  Query query(call.request);
  const auto scope = scope_of(query, call);
  auto filter = read_filter(query);
  filter.limit = query.limit();
  filter.before = read_cursor(query);
  PAWL_API_CHECK(query.finish());
  PAWL_API_TRY(page, audit::list(context.d.database, *scope, filter));
  std::string out;
  {
    ObjectWriter object(out);
    append_array(object.raw("items"), page.entries, [&](const audit::Entry& entry) { append_entry(out, entry); });
    // Of a cursor only the number counts, and the page may have ended at a record that it does not show.
    audit::Entry last;
    last.sequence = page.next.value_or(0);
    object.text_or_null("next_cursor", page.next ? last.id().to_string() : "");
  }
  call.reply(200, std::move(out));
}

void get_record(Context& context, Call call) {
  PAWL_API_TRY(id, path_id<AuditId>(call.request, "audit_id", "audit.not_found", "audit record"));
  const auto scope =
      call.principal.permits(Permission::administer, {}) ? audit::Scope::installation() : audit::Scope::of(call.organization);
  PAWL_API_TRY(entry, audit::get(context.d.database, scope, id));
  std::string out;
  append_entry(out, entry);
  call.reply(200, std::move(out));
}

void append_counts(std::string& out, const std::vector<std::pair<std::string, std::uint64_t>>& counts) {
  auto object = json::Value::object();
  for (const auto& [name, count] : counts) object.set(name, count);
  json::append_text(out, object);
}

void count_records(Context& context, Call call) {
  Query query(call.request);
  const auto scope = scope_of(query, call);
  const auto since = read_time(query, "since");
  const auto until = read_time(query, "until");
  PAWL_API_CHECK(query.finish());
  PAWL_API_TRY(stats, audit::stats(context.d.database, *scope, since, until));
  std::string out;
  {
    ObjectWriter object(out);
    object.integer("total", static_cast<std::int64_t>(stats.total));
    append_counts(object.raw("by_action"), stats.by_action);
    append_counts(object.raw("by_outcome"), stats.by_outcome);
    append_counts(object.raw("by_resource_type"), stats.by_resource_type);
    append_counts(object.raw("by_day"), stats.by_day);
  }
  call.reply(200, std::move(out));
}

void export_records(Context& context, Call call) {
  Query query(call.request);
  const auto scope = scope_of(query, call);
  const auto filter = read_filter(query);
  const auto format = query.text("format").value_or("json");
  if (format != "json" && format != "csv") query.problem("format", "must be csv or json");
  auto after = read_cursor(query).value_or(0);
  PAWL_API_CHECK(query.finish());
  const auto as = format == "csv" ? audit::ExportFormat::csv : audit::ExportFormat::json;
  const bool begins = after == 0;
  std::string out(begins || as == audit::ExportFormat::json ? audit::export_begin(as) : std::string_view());
  bool more = true;
  for (bool first = true; more && out.size() < kMaxExport;) {
    PAWL_API_TRY(piece, audit::export_piece(context.d.database, *scope, filter, as, after));
    more = piece.more;
    if (piece.text.empty()) break;
    if (as == audit::ExportFormat::json && !std::exchange(first, false)) out += ",\n";
    out += piece.text;
    after = piece.last;
  }
  out += audit::export_end(as);
  auto response = http::Response(
      200, as == audit::ExportFormat::csv ? http::Literal("text/csv; charset=utf-8") : http::Literal("application/json"), std::move(out));
  response.headers.add("Content-Disposition",
                       as == audit::ExportFormat::csv ? "attachment; filename=\"audit.csv\"" : "attachment; filename=\"audit.json\"");
  if (more) {
    audit::Entry last;
    last.sequence = after;
    response.headers.add("X-Next-Cursor", last.id().to_string());
  }
  call.reply(std::move(response));
}

void verify_records(Context& context, Call call) {
  PAWL_API_CHECK(Query(call.request).finish());
  if (context.d.audit == nullptr) return call.fail(Error(ErrorClass::unavailable, "audit.unavailable", "There is no audit trail here."));
  auto& log = *context.d.audit;
  log.flush_file();
  audit::VerifyOptions wish;
  wish.keys = log.keys();
  wish.file = log.file();
  PAWL_API_TRY(report, audit::verify(context.d.database, wish));
  std::string out;
  {
    ObjectWriter object(out);
    object.boolean("valid", report.ok);
    object.integer("records", static_cast<std::int64_t>(report.records));
    object.integer("first", static_cast<std::int64_t>(report.first));
    object.integer("last", static_cast<std::int64_t>(report.last));
    object.integer("removed", static_cast<std::int64_t>(report.removed));
    object.integer("file_lines", static_cast<std::int64_t>(report.file_lines));
    object.text("head", report.head);
    if (report.problem) {
      auto& inner = object.raw("problem");
      ObjectWriter problem(inner);
      problem.integer("sequence", static_cast<std::int64_t>(report.problem->sequence));
      problem.text("kind", report.problem->kind);
      problem.text("detail", report.problem->detail);
    } else {
      object.null("problem");
    }
  }
  call.reply(200, std::move(out));
}

// ---- rows -----------------------------------------------------------------------------------------------------------------------

constexpr std::string_view kExampleHash = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

std::vector<Shape::Member> record_members() {
  return {{"id", Shape::id()},
          {"time", Shape::time()},
          {"sequence", Shape::integer(17, 1)},
          {"action", Shape::text("function.executed", 300)},
          {"outcome", Shape::choice({"success", "failure", "dry_run", "refused"})},
          {"organization_id", Shape::id().or_null()},
          {"actor", Shape::choice({"system", "anonymous", "user", "api_key", "administrator"})},
          {"user_id", Shape::id().or_null()},
          {"api_key_id", Shape::id().or_null()},
          {"resource_type", Shape::text("function", 300)},
          {"resource_id", Shape::text("http", 300)},
          {"network", Shape::text("192.0.2.0/24").or_null()},
          {"request_id", Shape::text("0198c5f2-7a10-7c3e-9d4b-2f6a8e1b3c5d", 300).or_null()},
          {"run_id", Shape::id().or_null()},
          {"task", Shape::text("/do/0/get", 300).or_null()},
          {"duration_ms", Shape::integer(12).or_null()},
          {"details", Shape::any(json::Value::object({{"params", json::Value::object()}}))}};
}

Shape record_shape() {
  auto members = record_members();
  members.push_back({"address", Shape::text("192.0.2.7").or_null()});
  return Shape::object("AuditRecord", std::move(members));
}

/// As in the file: with the links of the chain, and without what the chain does not cover.
Shape exported_shape() {
  auto members = record_members();
  members.push_back({"previous_hash", Shape::text(kExampleHash, 64)});
  members.push_back({"hash", Shape::text(kExampleHash, 64)});
  return Shape::object("ExportedAuditRecord", std::move(members));
}

Shape stats_shape() {
  const auto counts = [](std::string_view example) { return Shape::map(example, Shape::integer(3)); };
  return Shape::object("AuditStats", {{"total", Shape::integer(3)},
                                      {"by_action", counts("auth.login")},
                                      {"by_outcome", counts("success")},
                                      {"by_resource_type", counts("user")},
                                      {"by_day", counts("2026-11-25")}});
}

Shape verification_shape() {
  return Shape::object(
      "AuditVerification",
      {{"valid", Shape::boolean(true).described("Whether every record is as it was written.")},
       {"records", Shape::integer(17)},
       {"first", Shape::integer(1)},
       {"last", Shape::integer(17)},
       {"removed", Shape::integer(0).described("Sequence up to which retention has removed records.")},
       {"file_lines", Shape::integer(17).described("Lines of the file that were compared.")},
       {"head",
        Shape::text(kExampleHash).described("Hash of the newest record: note it elsewhere, and give it to `pawl audit verify --expect`.")},
       {"problem", Shape::object("AuditProblem",
                                 {{"sequence", Shape::integer(7)}, {"kind", Shape::text("altered")}, {"detail", Shape::text("...", 1000)}})
                       .or_null()}});
}

std::vector<Parameter> filters() {
  return {{"actor", Shape::id(), "Of this user."},
          {"action", Shape::text("auth"), "This action, or all below it: `auth` also means `auth.login`."},
          {"resource_type", Shape::text("function")},
          {"resource_id", Shape::text("http")},
          {"outcome", Shape::choice({"success", "failure", "dry_run", "refused"})},
          {"run_id", Shape::id()},
          {"since", Shape::time(), "At this time or later."},
          {"until", Shape::time(), "Before this time."},
          {"q", Shape::text("http"), "Part of action, resource, task or details."},
          {"all", Shape::choice({"true", "false"}), "Of all organizations and of the installation; for its administrators."},
          cursor_parameter()};
}

std::vector<Parameter> list_parameters() {
  auto all = filters();
  all.push_back(limit_parameter());
  return all;
}

std::vector<Parameter> export_parameters() {
  auto all = filters();
  all.push_back({"format", Shape::choice({"json", "csv"})});
  return all;
}

std::vector<Parameter> stats_parameters() {
  return {{"since", Shape::time()}, {"until", Shape::time()}, {"all", Shape::choice({"true", "false"})}};
}

/// The same rows under `/api/audit` and under the older name `/api/audit/logs`.
void add_rows(std::vector<Route>& rows, std::string_view list_path, std::string_view list_id, std::string_view item_path,
              std::string_view item_id) {
  using http::Method;
  rows.push_back({.method = Method::get,
                  .path = list_path,
                  .id = list_id,
                  .tag = "audit",
                  .summary = "List audit records, newest first",
                  .permission = Permission::manage,
                  .handler = list_records,
                  .runs = Runs::pool,
                  .query = list_parameters(),
                  .reply = Shape::page("AuditPage", record_shape())});
  rows.push_back({.method = Method::get,
                  .path = item_path,
                  .id = item_id,
                  .tag = "audit",
                  .summary = "Read an audit record",
                  .permission = Permission::manage,
                  .handler = get_record,
                  .runs = Runs::pool,
                  .reply = record_shape()});
}

}  // namespace

std::vector<Route> audit_routes() {
  using http::Method;
  std::vector<Route> rows{
      {.method = Method::get,
       .path = "/api/audit/verify",
       .id = "verifyAudit",
       .tag = "audit",
       .summary = "Check that no audit record was changed, removed or moved",
       .permission = Permission::administer,
       .handler = verify_records,
       .runs = Runs::pool,
       .reply = verification_shape()},
      {.method = Method::get,
       .path = "/api/audit/stats",
       .id = "auditStats",
       .tag = "audit",
       .summary = "Count audit records by action, outcome, resource and day",
       .permission = Permission::manage,
       .handler = count_records,
       .runs = Runs::pool,
       .query = stats_parameters(),
       .reply = stats_shape()},
      {.method = Method::get,
       .path = "/api/audit/export",
       .id = "exportAudit",
       .tag = "audit",
       .summary = "Export audit records, oldest first",
       .permission = Permission::manage,
       .handler = export_records,
       .runs = Runs::pool,
       .query = export_parameters(),
       .reply = Shape::array(exported_shape(), 0),
       .other_replies = {{200, "With `format=csv`.", "text/csv"}},
       .description = "A reply ends after about 8 MiB; then `X-Next-Cursor` is the `cursor` that goes on."},
  };
  add_rows(rows, "/api/audit", "listAudit", "/api/audit/{audit_id}", "getAuditRecord");
  add_rows(rows, "/api/audit/logs", "listAuditLogs", "/api/audit/logs/{audit_id}", "getAuditLog");
  return rows;
}

}  // namespace pawl::api::detail
