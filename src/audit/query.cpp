#include "audit/query.hpp"

#include <algorithm>
#include <functional>
#include <map>

#include "audit/detail/chain.hpp"
#include "audit/detail/packed.hpp"
#include "json/write.hpp"

namespace pawl::audit {

using storage::Row;
using storage::Session;

namespace {

constexpr std::uint32_t kMaxLimit = 200;
constexpr std::size_t kExportPiece = 500;
/// Rows of one statement; each is let go before the next is read.
constexpr std::int64_t kPage = 200;
/// Records that one page may look at: a filter that means few of them must not hold a reader for as long as the whole trail takes.
constexpr std::size_t kMaxLookedAt = 20'000;

// What rows alone can tell: $2 organization, $3 since, $4 until, $5/$6 actor (any: 1). `at` is that of a row's latest record.
#define PAWL_AUDIT_ROWS "and r.at >= $3 and coalesce(r.earliest, r.at) < $4 and ($5 = 1 or r.actor_user = $6) "
constexpr std::string_view kNewestOfOne =
    PAWL_AUDIT_SELECT "where r.organization_id = $2 and r.seq < $1 " PAWL_AUDIT_ROWS "order by r.seq desc limit $7";
constexpr std::string_view kNewestOfAll =
    PAWL_AUDIT_SELECT "where $2 is null and r.seq < $1 " PAWL_AUDIT_ROWS "order by r.seq desc limit $7";
constexpr std::string_view kOldestOfOne =
    PAWL_AUDIT_SELECT "where r.organization_id = $2 and r.seq > $1 " PAWL_AUDIT_ROWS "order by r.seq limit $7";
constexpr std::string_view kOldestOfAll = PAWL_AUDIT_SELECT "where $2 is null and r.seq > $1 " PAWL_AUDIT_ROWS "order by r.seq limit $7";
#undef PAWL_AUDIT_ROWS

bool is_at_or_below(std::string_view action, std::string_view prefix) {
  return action.starts_with(prefix) && (action.size() == prefix.size() || action[prefix.size()] == '.');
}

/// `part` is in lower case; other letters than a to z are compared as they are.
bool contains(std::string_view text, std::string_view part) {
  const auto alike = [](char one, char other) { return (one >= 'A' && one <= 'Z' ? static_cast<char>(one + ('a' - 'A')) : one) == other; };
  return std::search(text.begin(), text.end(), part.begin(), part.end(), alike) != text.end();
}

/// The records that a filter means, row by row: what a row holds besides its columns only its records tell.
class Search {
 public:
  Search(const Scope& scope, const Filter& filter) : scope_(scope), filter_(filter), text_(filter.text) {
    for (auto& c : text_) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
  }

  /// Those below `before`, the newest first, until `each` answers false or enough were looked at: then the answer is the first record of
  /// the last row, from which to go on.
  template <class Each>
  Result<std::optional<std::uint64_t>> newest(Session& session, std::int64_t before, Each&& each) const {
    // A row is found by its last record, and some before it may lie below.
    constexpr auto kReach = static_cast<std::int64_t>(detail::kMaxPackedRecords);
    const auto sql = scope_.organization() ? kNewestOfOne : kNewestOfAll;
    std::size_t looked_at = 0;
    std::optional<std::uint64_t> stopped;
    PAWL_TRY_VOID(walk(session, sql, before > INT64_MAX - kReach ? INT64_MAX : before + kReach, [&](const Row& row) {
      looked_at += count_of(row);
      if (may_match(row)) {
        const auto read = detail::read_row(row);
        for (auto stored = read.records.rbegin(); stored != read.records.rend(); ++stored) {
          if (static_cast<std::int64_t>(stored->entry.sequence) < before && matches(stored->entry) && !each(*stored)) return false;
        }
      }
      if (looked_at < kMaxLookedAt) return true;
      stopped = static_cast<std::uint64_t>(row.integer(0)) - count_of(row) + 1;
      return false;
    }));
    return stopped;
  }
  /// Those above `after`, the oldest first, until `each` answers false.
  template <class Each>
  Result<void> oldest(Session& session, std::int64_t after, Each&& each) const {
    return walk(session, scope_.organization() ? kOldestOfOne : kOldestOfAll, after, [&](const Row& row) {
      if (!may_match(row)) return true;
      const auto read = detail::read_row(row);
      return std::all_of(read.records.begin(), read.records.end(), [&](const detail::Stored& stored) {
        return static_cast<std::int64_t>(stored.entry.sequence) <= after || !matches(stored.entry) || each(stored);
      });
    });
  }

 private:
  template <class Each>
  Result<void> walk(Session& session, std::string_view sql, std::int64_t from, Each&& each) const {
    const auto& f = filter_;
    bool wanted = true;
    for (auto count = kPage; wanted && count == kPage;) {
      count = 0;
      PAWL_TRY_VOID(session.query(sql,
                                  {from, scope_.organization(), f.since.value_or(TimePoint(Millis(INT64_MIN))),
                                   f.until.value_or(TimePoint(Millis(INT64_MAX))), f.actor ? 0 : 1, f.actor.value_or(UserId{}), kPage},
                                  [&](const Row& row) {
                                    ++count;
                                    from = row.integer(0);
                                    if (wanted) wanted = each(row);
                                  }));
    }
    return {};
  }

  static std::size_t count_of(const Row& row) { return static_cast<std::size_t>(std::max<std::int64_t>(row.integer(22), 1)); }

  /// Asked before the chain of a packed row is computed, which costs more than reading it.
  [[nodiscard]] bool may_match(const Row& row) const {
    if (row.is_null(25)) return true;
    const auto entries = detail::unpack(row.blob(25), count_of(row));
    return !entries || std::any_of(entries->begin(), entries->end(), [&](const Entry& entry) { return says(entry); });
  }

  [[nodiscard]] bool matches(const Entry& entry) const { return (!filter_.actor || entry.actor.user == *filter_.actor) && says(entry); }

  /// What does not stand in the columns of a row.
  [[nodiscard]] bool says(const Entry& entry) const {
    const auto& f = filter_;
    return (f.action.empty() || is_at_or_below(entry.action, f.action)) &&
           (f.resource_type.empty() || entry.resource.type == f.resource_type) &&
           (f.resource_id.empty() || entry.resource.id == f.resource_id) && (!f.outcome || entry.outcome == *f.outcome) &&
           (!f.run || entry.run == f.run) && (!f.since || entry.at >= *f.since) && (!f.until || entry.at < *f.until) &&
           (text_.empty() || contains(entry.action, text_) || contains(entry.resource.id, text_) || contains(entry.task, text_) ||
            contains(entry.details, text_));
  }

  const Scope& scope_;
  const Filter& filter_;
  std::string text_;  // in lower case
};

}  // namespace

Result<Page> list(storage::Database& database, const Scope& scope, const Filter& filter) {
  const Search search(scope, filter);
  const auto limit = std::clamp(filter.limit, 1U, kMaxLimit);
  const auto before = static_cast<std::int64_t>(std::min<std::uint64_t>(filter.before.value_or(INT64_MAX), INT64_MAX));
  Page page;
  PAWL_TRY(stopped, database.read([&](Session& session) {
    return search.newest(session, before, [&](const detail::Stored& stored) {
      page.entries.push_back(stored.entry);
      return page.entries.size() <= limit;
    });
  }));
  if (page.entries.size() > limit) {
    page.entries.pop_back();
    page.next = page.entries.back().sequence;
  } else {
    page.next = stopped;
  }
  return page;
}

Result<Entry> get(storage::Database& database, const Scope& scope, const AuditId& id) {
  const Error missing(ErrorClass::not_found, "audit.not_found", "There is no audit record with this id.");
  const auto sequence = sequence_of(id);
  if (!sequence) return missing;
  std::optional<Entry> found;
  PAWL_TRY_VOID(database.read([&](Session& session) {
    return session.query(PAWL_AUDIT_SELECT "where r.seq >= $1 order by r.seq limit 1", {static_cast<std::int64_t>(*sequence)},
                         [&](const Row& row) {
                           for (auto& stored : detail::read_row(row).records) {
                             if (stored.entry.sequence == *sequence) found = std::move(stored.entry);
                           }
                         });
  }));
  if (!found || found->id() != id) return missing;
  if (scope.organization() && found->organization != scope.organization()) return missing;
  return *std::move(found);
}

// ---- counts -------------------------------------------------------------------------------------------------------------------

namespace {

/// How often each word came.
class Tally {
 public:
  void count(std::string_view word) {
    const auto found = counts_.find(word);
    if (found != counts_.end()) {
      ++found->second;
    } else {
      counts_.emplace(word, 1);
    }
  }
  /// The most frequent, those that came equally often by name.
  [[nodiscard]] std::vector<std::pair<std::string, std::uint64_t>> most(std::size_t limit) const {
    std::vector<std::pair<std::string, std::uint64_t>> all(counts_.begin(), counts_.end());
    std::stable_sort(all.begin(), all.end(), [](const auto& one, const auto& other) { return one.second > other.second; });
    if (all.size() > limit) all.resize(limit);
    return all;
  }

 private:
  std::map<std::string, std::uint64_t, std::less<>> counts_;
};

struct Tallies {
  std::uint64_t total = 0;
  Tally actions, outcomes, types;
  std::map<std::int64_t, std::uint64_t> days;

  void count(TimePoint at, std::string_view action, std::string_view outcome, std::string_view type) {
    constexpr std::int64_t kDay = 86'400'000;
    ++total;
    actions.count(action);
    outcomes.count(outcome);
    types.count(type);
    ++days[at.time_since_epoch().count() / kDay * kDay];
  }
};

// $1 organization (null: all), $2 all: 1, $3 since, $4 until
constexpr std::string_view kCounted =
    "select at, action, outcome, resource_type, records, body from audit_records "
    "where ($2 = 1 or organization_id = $1) and at >= $3 and coalesce(earliest, at) < $4";

}  // namespace

Result<Stats> stats(storage::Database& database, const Scope& scope, std::optional<TimePoint> since, std::optional<TimePoint> until) {
  constexpr std::size_t kMostFrequent = 100;
  constexpr std::size_t kMostDays = 366;
  const auto organization = scope.organization();
  const auto from = since.value_or(TimePoint(Millis(INT64_MIN)));
  const auto to = until.value_or(TimePoint(Millis(INT64_MAX)));
  Tallies tallies;
  const auto read = [&](Session& session) {
    tallies = {};
    return session.query(kCounted, {organization, organization ? 0 : 1, from, to}, [&](const Row& row) {
      if (row.is_null(5)) return tallies.count(row.time(0), row.text(1), row.text(2), row.text(3));
      const auto entries = detail::unpack(row.blob(5), static_cast<std::size_t>(row.integer(4)));
      for (const auto& entry : entries.value_or(std::vector<Entry>{})) {
        if (entry.at >= from && entry.at < to) tallies.count(entry.at, entry.action, to_text(entry.outcome), entry.resource.type);
      }
    });
  };
  PAWL_TRY_VOID(database.read(read));
  Stats stats{.total = tallies.total,
              .by_action = tallies.actions.most(kMostFrequent),
              .by_outcome = tallies.outcomes.most(kMostFrequent),
              .by_resource_type = tallies.types.most(kMostFrequent),
              .by_day = {}};
  for (auto day = tallies.days.rbegin(); day != tallies.days.rend() && stats.by_day.size() < kMostDays; ++day) {
    stats.by_day.emplace_back(to_rfc3339(TimePoint(Millis(day->first))).substr(0, 10), day->second);
  }
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
  const Search search(scope, filter);
  ExportPiece piece;
  std::size_t count = 0;
  PAWL_TRY_VOID(database.read([&](Session& session) {
    return search.oldest(session, static_cast<std::int64_t>(after), [&](const detail::Stored& stored) {
      ++count;
      piece.last = stored.entry.sequence;
      if (format == ExportFormat::csv) {
        append_csv(piece.text, stored.entry);
      } else {
        if (!piece.text.empty()) piece.text += ",\n";
        piece.text += to_line(stored.entry);
      }
      return count < kExportPiece;
    });
  }));
  piece.more = count == kExportPiece;
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

/// The last row of the prefix that is older; 0 where there is none.
Result<std::int64_t> end_of_older(Session& session, TimePoint before) {
  std::optional<std::int64_t> first_kept;
  std::int64_t last = 0;
  PAWL_TRY_VOID(session.query("select seq - records from audit_records where at >= $1 order by seq limit 1", {before},
                              [&](const Row& row) { first_kept = row.integer(0) + 1; }));
  PAWL_TRY_VOID(session.query("select max(seq) from audit_records", {}, [&](const Row& row) { last = row.integer(0); }));
  return first_kept ? *first_kept - 1 : last;
}

/// The last of the first `limit` rows that are all older; 0: the first one is not. Looks at no more than these: the one thread that
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

/// The first record; 0: there is none.
Result<std::int64_t> first_sequence(Session& session) {
  std::int64_t first = 0;
  PAWL_TRY_VOID(session.query("select seq - records + 1 from audit_records order by seq limit 1", {},
                              [&](const Row& row) { first = row.integer(0); }));
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
      const auto& entry = stored.records.back().entry;
      checkpoint.removed_up_to = {entry.sequence, entry.hash};
      checkpoint.at = entry.at;
    }));
    checkpoint.mac = detail::checkpoint_mac(log.keys().front(), checkpoint.removed_up_to, checkpoint.at);
    PAWL_TRY_VOID(detail::write_checkpoint(transaction, checkpoint));
    PAWL_TRY_VOID(transaction.execute("delete from audit_addresses where seq <= $1", {up_to}));
    PAWL_TRY_VOID(transaction.execute("delete from audit_records where seq <= $1", {up_to}));
    Record record;
    record.action = "audit.purged";
    record.resource = {"audit", std::to_string(up_to)};
    record.details = json::Value::object({{"from", first}, {"to", up_to}, {"hash", detail::to_hex(checkpoint.removed_up_to.hash)}});
    PAWL_TRY_VOID(log.append(transaction, std::move(record)));
    removed = static_cast<std::uint64_t>(up_to - first + 1);
    last = static_cast<std::uint64_t>(up_to);
    return {};
  };
  PAWL_TRY_VOID(database.write_and_wait(remove));
  if (last > 0) log.forget_files(last);
  return removed;
}

}  // namespace pawl::audit
