#include "audit/query.hpp"

#include <algorithm>

#include "audit/detail/chain.hpp"
#include "json/write.hpp"

namespace pawl::audit {

using storage::Parameter;
using storage::Row;
using storage::Session;

namespace {

constexpr std::uint32_t kMaxLimit = 200;
constexpr std::int64_t kExportPage = 500;

// $1 sequence, $2 organization, $3/$4 actor (any: 1), $5 action, $6 action's pattern, $7 resource type, $8 resource id, $9 outcome,
// $10/$11 run (any: 1), $12 since, $13 until, $14 text (any: empty), $15 text's pattern, $16 limit
#define PAWL_AUDIT_FILTER                                                                                             \
  "and ($3 = 1 or r.actor_user = $4) and ($5 = '' or r.action = $5 or r.action like $6 escape '\\') "                 \
  "and ($7 = '' or r.resource_type = $7) and ($8 = '' or r.resource_id = $8) and ($9 = '' or r.outcome = $9) "        \
  "and ($10 = 1 or r.run_id = $11) and r.at >= $12 and r.at < $13 "                                                   \
  "and ($14 = '' or lower(r.action) like lower($15) escape '\\' or lower(r.resource_id) like lower($15) escape '\\' " \
  "or lower(r.task) like lower($15) escape '\\' or lower(r.details) like lower($15) escape '\\') "
constexpr std::string_view kNewestOfOne =
    PAWL_AUDIT_SELECT "where r.organization_id = $2 and r.seq < $1 " PAWL_AUDIT_FILTER "order by r.seq desc limit $16";
constexpr std::string_view kNewestOfAll =
    PAWL_AUDIT_SELECT "where $2 is null and r.seq < $1 " PAWL_AUDIT_FILTER "order by r.seq desc limit $16";
constexpr std::string_view kOldestOfOne =
    PAWL_AUDIT_SELECT "where r.organization_id = $2 and r.seq > $1 " PAWL_AUDIT_FILTER "order by r.seq limit $16";
constexpr std::string_view kOldestOfAll = PAWL_AUDIT_SELECT "where $2 is null and r.seq > $1 " PAWL_AUDIT_FILTER "order by r.seq limit $16";
#undef PAWL_AUDIT_FILTER

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '%' || c == '_' || c == '\\') out.push_back('\\');
    out.push_back(c);
  }
  return out;
}

/// A filter with everything that its statement's parameters refer to.
class Bound {
 public:
  Bound(const Scope& scope, const Filter& filter)
      : scope_(scope),
        filter_(filter),
        below_(escaped(filter.action) + ".%"),
        text_("%" + escaped(filter.text) + "%"),
        outcome_(filter.outcome ? to_text(*filter.outcome) : std::string_view()) {}

  template <class Each>
  Result<void> newest(Session& session, std::int64_t before, std::int64_t limit, Each&& each) const {
    return run(session, scope_.organization() ? kNewestOfOne : kNewestOfAll, before, limit, each);
  }
  template <class Each>
  Result<void> oldest(Session& session, std::int64_t after, std::int64_t limit, Each&& each) const {
    return run(session, scope_.organization() ? kOldestOfOne : kOldestOfAll, after, limit, each);
  }

 private:
  template <class Each>
  Result<void> run(Session& session, std::string_view sql, std::int64_t sequence, std::int64_t limit, Each& each) const {
    const auto& f = filter_;
    return session.query(sql,
                         {sequence, scope_.organization(), f.actor ? 0 : 1, f.actor.value_or(UserId{}), f.action, below_, f.resource_type,
                          f.resource_id, outcome_, f.run ? 0 : 1, f.run.value_or(RunId{}), f.since.value_or(TimePoint(Millis(INT64_MIN))),
                          f.until.value_or(TimePoint(Millis(INT64_MAX))), f.text, text_, limit},
                         [&](const Row& row) { each(detail::read_row(row)); });
  }

  const Scope& scope_;
  const Filter& filter_;
  std::string below_;
  std::string text_;
  std::string_view outcome_;
};

}  // namespace

Result<Page> list(storage::Database& database, const Scope& scope, const Filter& filter) {
  const Bound bound(scope, filter);
  const auto limit = std::clamp(filter.limit, 1U, kMaxLimit);
  const auto before = static_cast<std::int64_t>(std::min<std::uint64_t>(filter.before.value_or(INT64_MAX), INT64_MAX));
  Page page;
  PAWL_TRY_VOID(database.read([&](Session& session) {
    return bound.newest(session, before, std::int64_t{limit} + 1,
                        [&](detail::Stored stored) { page.entries.push_back(std::move(stored.entry)); });
  }));
  if (page.entries.size() > limit) {
    page.entries.pop_back();
    page.next = page.entries.back().sequence;
  }
  return page;
}

Result<Entry> get(storage::Database& database, const Scope& scope, const AuditId& id) {
  const Error missing(ErrorClass::not_found, "audit.not_found", "There is no audit record with this id.");
  const auto sequence = sequence_of(id);
  if (!sequence) return missing;
  std::optional<Entry> found;
  PAWL_TRY_VOID(database.read([&](Session& session) {
    return session.query(PAWL_AUDIT_SELECT "where r.seq = $1", {static_cast<std::int64_t>(*sequence)},
                         [&](const Row& row) { found = detail::read_row(row).entry; });
  }));
  if (!found || found->id() != id) return missing;
  if (scope.organization() && found->organization != scope.organization()) return missing;
  return *std::move(found);
}

// ---- counts -------------------------------------------------------------------------------------------------------------------

namespace {

using Counts = std::vector<std::pair<std::string, std::uint64_t>>;

// $1 organization (null: all), $2 all: 1, $3 since, $4 until
#define PAWL_AUDIT_COUNTED "from audit_records where ($2 = 1 or organization_id = $1) and at >= $3 and at < $4 "
constexpr std::string_view kByAction =
    "select action, count(*) " PAWL_AUDIT_COUNTED "group by action order by count(*) desc, action limit 100";
constexpr std::string_view kByOutcome = "select outcome, count(*) " PAWL_AUDIT_COUNTED "group by outcome order by count(*) desc, outcome";
constexpr std::string_view kByResource =
    "select resource_type, count(*) " PAWL_AUDIT_COUNTED "group by resource_type order by count(*) desc, resource_type limit 100";
constexpr std::string_view kByDay =
    "select at / 86400000, count(*) " PAWL_AUDIT_COUNTED "group by at / 86400000 order by at / 86400000 desc limit 366";
constexpr std::string_view kTotal = "select count(*) " PAWL_AUDIT_COUNTED;
#undef PAWL_AUDIT_COUNTED

}  // namespace

Result<Stats> stats(storage::Database& database, const Scope& scope, std::optional<TimePoint> since, std::optional<TimePoint> until) {
  Stats stats;
  const auto organization = scope.organization();
  const auto all = organization ? 0 : 1;
  const auto from = since.value_or(TimePoint(Millis(INT64_MIN)));
  const auto to = until.value_or(TimePoint(Millis(INT64_MAX)));
  const auto read = [&](Session& session) -> Result<void> {
    const auto count = [&](std::string_view sql, Counts& out) {
      return session.query(sql, {organization, all, from, to},
                           [&](const Row& row) { out.emplace_back(std::string(row.text(0)), static_cast<std::uint64_t>(row.integer(1))); });
    };
    PAWL_TRY_VOID(session.query(kTotal, {organization, all, from, to},
                                [&](const Row& row) { stats.total = static_cast<std::uint64_t>(row.integer(0)); }));
    PAWL_TRY_VOID(count(kByAction, stats.by_action));
    PAWL_TRY_VOID(count(kByOutcome, stats.by_outcome));
    PAWL_TRY_VOID(count(kByResource, stats.by_resource_type));
    return session.query(kByDay, {organization, all, from, to}, [&](const Row& row) {
      const auto day = to_rfc3339(TimePoint(Millis(row.integer(0) * 86'400'000)));
      stats.by_day.emplace_back(day.substr(0, 10), static_cast<std::uint64_t>(row.integer(1)));
    });
  };
  PAWL_TRY_VOID(database.read(read));
  return stats;
}

// ---- export ---------------------------------------------------------------------------------------------------------------------

std::string csv_cell(std::string_view text) {
  std::string out;
  constexpr std::string_view kFormula = "=+-@\t\r";
  const bool formula = !text.empty() && kFormula.find(text.front()) != std::string_view::npos;
  const bool quote = text.find_first_of(",\"\n\r") != std::string_view::npos;
  if (quote) out.push_back('"');
  if (formula) out.push_back('\'');
  for (const char c : text) {
    if (c == '"') out.push_back('"');
    out.push_back(c);
  }
  if (quote) out.push_back('"');
  return out;
}

namespace {

constexpr std::string_view kHeading =
    "id,time,sequence,action,outcome,organization_id,actor,user_id,api_key_id,resource_type,resource_id,address,request_id,run_id,task,"
    "duration_ms,details,hash\r\n";

void append_csv(std::string& out, const Entry& entry) {
  const auto id = [](const auto& value, bool present) { return present ? value.to_string() : std::string(); };
  const std::string cells[] = {entry.id().to_string(),
                               to_rfc3339(entry.at),
                               std::to_string(entry.sequence),
                               entry.action,
                               std::string(to_text(entry.outcome)),
                               id(entry.organization.value_or(OrganizationId{}), entry.organization.has_value()),
                               std::string(to_text(entry.actor.kind)),
                               id(entry.actor.user, !entry.actor.user.is_nil()),
                               id(entry.actor.api_key, !entry.actor.api_key.is_nil()),
                               entry.resource.type,
                               entry.resource.id,
                               entry.address,
                               entry.request_id,
                               id(entry.run.value_or(RunId{}), entry.run.has_value()),
                               entry.task,
                               entry.duration ? std::to_string(entry.duration->count()) : std::string(),
                               entry.details,
                               detail::to_hex(entry.hash)};
  bool first = true;
  for (const auto& cell : cells) {
    if (!std::exchange(first, false)) out.push_back(',');
    out += csv_cell(cell);
  }
  out += "\r\n";
}

}  // namespace

std::string_view export_begin(ExportFormat format) { return format == ExportFormat::csv ? kHeading : std::string_view("["); }
std::string_view export_end(ExportFormat format) { return format == ExportFormat::csv ? std::string_view() : std::string_view("]\n"); }

Result<ExportPiece> export_piece(storage::Database& database, const Scope& scope, const Filter& filter, ExportFormat format,
                                 std::uint64_t after) {
  const Bound bound(scope, filter);
  ExportPiece piece;
  std::int64_t count = 0;
  PAWL_TRY_VOID(database.read([&](Session& session) {
    return bound.oldest(session, static_cast<std::int64_t>(after), kExportPage, [&](const detail::Stored& stored) {
      ++count;
      piece.last = stored.entry.sequence;
      if (format == ExportFormat::csv) return append_csv(piece.text, stored.entry);
      if (!piece.text.empty()) piece.text += ",\n";
      piece.text += to_line(stored.entry);
    });
  }));
  piece.more = count == kExportPage;
  return piece;
}

Result<void> export_all(storage::Database& database, const Scope& scope, const Filter& filter, ExportFormat format,
                        const std::function<bool(std::string_view piece)>& write) {
  if (!write(export_begin(format))) return {};
  std::uint64_t after = 0;
  for (bool more = true; more;) {
    PAWL_TRY(piece, export_piece(database, scope, filter, format, after));
    if (format == ExportFormat::json && after > 0 && !piece.text.empty()) piece.text.insert(0, ",\n");
    after = piece.last;
    more = piece.more;
    if (!piece.text.empty() && !write(piece.text)) return {};
  }
  static_cast<void>(write(export_end(format)));
  return {};
}

// ---- retention ------------------------------------------------------------------------------------------------------------------

namespace {

/// The last record of the prefix that is older; 0 where there is none.
Result<std::int64_t> end_of_older(Session& session, TimePoint before) {
  std::optional<std::int64_t> first_kept;
  std::int64_t last = 0;
  PAWL_TRY_VOID(session.query("select seq from audit_records where at >= $1 order by seq limit 1", {before},
                              [&](const Row& row) { first_kept = row.integer(0); }));
  PAWL_TRY_VOID(session.query("select max(seq) from audit_records", {}, [&](const Row& row) { last = row.integer(0); }));
  return first_kept ? *first_kept - 1 : last;
}

/// The last of the first `limit` records that are all older; 0: the first one is not. Looks at no more than these: the one thread that
/// writes does it.
Result<std::int64_t> end_of_first(Session& session, TimePoint before, std::uint64_t limit) {
  std::int64_t last = 0;
  bool older = true;
  PAWL_TRY_VOID(
      session.query("select seq, at from audit_records order by seq limit $1", {static_cast<std::int64_t>(limit)}, [&](const Row& row) {
        older = older && row.time(1) < before;
        if (older) last = row.integer(0);
      }));
  return last;
}

Result<std::int64_t> first_sequence(Session& session) {
  std::int64_t first = 0;
  PAWL_TRY_VOID(session.query("select min(seq) from audit_records", {}, [&](const Row& row) { first = row.integer(0); }));
  return first;
}

}  // namespace

Result<std::uint64_t> count_older(storage::Database& database, TimePoint before) {
  return database.read([&](Session& session) -> Result<std::uint64_t> {
    PAWL_TRY(first, first_sequence(session));
    PAWL_TRY(end, end_of_older(session, before));
    return first == 0 || end < first ? 0 : static_cast<std::uint64_t>(end - first + 1);
  });
}

Result<std::uint64_t> remove_older(storage::Database& database, Log& log, TimePoint before, std::uint64_t limit) {
  std::uint64_t removed = 0;
  std::uint64_t last = 0;
  const auto remove = [&](storage::Transaction& transaction) -> Result<void> {
    removed = last = 0;
    PAWL_TRY(up_to, end_of_first(transaction, before, limit));
    PAWL_TRY(first, first_sequence(transaction));
    if (up_to == 0) return {};
    detail::Checkpoint checkpoint;
    PAWL_TRY_VOID(transaction.query(PAWL_AUDIT_SELECT "where r.seq = $1", {up_to}, [&](const Row& row) {
      const auto stored = detail::read_row(row);
      checkpoint.removed_up_to = {stored.entry.sequence, stored.entry.hash};
      checkpoint.at = stored.entry.at;
    }));
    checkpoint.mac = detail::checkpoint_mac(log.keys().front(), checkpoint.removed_up_to, checkpoint.at);
    PAWL_TRY_VOID(detail::write_checkpoint(transaction, checkpoint));
    PAWL_TRY_VOID(transaction.execute("delete from audit_addresses where seq <= $1", {up_to}));
    PAWL_TRY(gone, transaction.execute("delete from audit_records where seq <= $1", {up_to}));
    Record record;
    record.action = "audit.purged";
    record.resource = {"audit", std::to_string(up_to)};
    record.details = json::Value::object({{"from", first}, {"to", up_to}, {"hash", detail::to_hex(checkpoint.removed_up_to.hash)}});
    PAWL_TRY_VOID(log.append(transaction, std::move(record)));
    removed = static_cast<std::uint64_t>(gone);
    last = static_cast<std::uint64_t>(up_to);
    return {};
  };
  PAWL_TRY_VOID(database.write_and_wait(remove));
  if (last > 0) log.forget_files(last);
  return removed;
}

}  // namespace pawl::audit
