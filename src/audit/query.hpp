/// Reading the audit trail: pages, one record, counts, and whole exports.
///
/// What may be seen is the first argument everywhere: `Scope::of(organization)` sees the records of that organization and no others,
/// `Scope::installation()` all of them, for the installation's administrators. There is no default. All functions block: worker threads.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "audit/audit.hpp"
#include "base/error.hpp"
#include "storage/database.hpp"

namespace pawl::audit {

class Scope {
 public:
  [[nodiscard]] static Scope of(const OrganizationId& organization) { return Scope(organization); }
  [[nodiscard]] static Scope installation() { return Scope(std::nullopt); }
  [[nodiscard]] const std::optional<OrganizationId>& organization() const { return organization_; }

 private:
  explicit Scope(std::optional<OrganizationId> organization) : organization_(organization) {}
  std::optional<OrganizationId> organization_;
};

struct Filter {
  std::optional<UserId> actor{};
  std::string action{};         ///< this one, or all below it: `auth` also means `auth.login`
  std::string resource_type{};  ///< empty: any
  std::string resource_id{};
  std::optional<Outcome> outcome{};
  std::optional<RunId> run{};
  std::optional<TimePoint> since{};       ///< at or after
  std::optional<TimePoint> until{};       ///< before
  std::string text{};                     ///< part of action, resource, task or details, without case
  std::uint32_t limit = 50;               ///< <= 200
  std::optional<std::uint64_t> before{};  ///< cursor: only records with a lower sequence; newest first
};
/// One page looks at a bounded number of records: it may hold fewer than `limit`, or none, and yet have a next one.
struct Page {
  std::vector<Entry> entries;
  std::optional<std::uint64_t> next;  ///< `before` of the next page
};
[[nodiscard]] Result<Page> list(storage::Database& database, const Scope& scope, const Filter& filter);

/// Error `audit.not_found`, also for a record outside of the scope.
[[nodiscard]] Result<Entry> get(storage::Database& database, const Scope& scope, const AuditId& id);

struct Stats {
  std::uint64_t total = 0;
  std::vector<std::pair<std::string, std::uint64_t>> by_action;  ///< the most frequent 100
  std::vector<std::pair<std::string, std::uint64_t>> by_outcome;
  std::vector<std::pair<std::string, std::uint64_t>> by_resource_type;
  std::vector<std::pair<std::string, std::uint64_t>> by_day;  ///< `2026-11-25` (UTC), newest first, 366 at most
};
[[nodiscard]] Result<Stats> stats(storage::Database& database, const Scope& scope, std::optional<TimePoint> since,
                                  std::optional<TimePoint> until);

enum class ExportFormat : std::uint8_t { csv, json };
/// Records in the form of an export, oldest first, without the document around them.
struct ExportPiece {
  std::string text;
  std::uint64_t last = 0;  ///< sequence of the last one
  bool more = false;       ///< there may be more: go on after `last`
};
/// At most 500 of the records that `filter` means (its `limit` and `before` do not matter) with a sequence above `after`. Records of JSON
/// are separated by commas; no cell of CSV is taken for a formula by a spreadsheet.
[[nodiscard]] Result<ExportPiece> export_piece(storage::Database& database, const Scope& scope, const Filter& filter, ExportFormat format,
                                               std::uint64_t after);
/// What stands before and behind the pieces.
[[nodiscard]] std::string_view export_begin(ExportFormat format);
[[nodiscard]] std::string_view export_end(ExportFormat format);
/// The whole document, piece by piece; memory does not grow with it. `write` answers false to stop.
[[nodiscard]] Result<void> export_all(storage::Database& database, const Scope& scope, const Filter& filter, ExportFormat format,
                                      const std::function<bool(std::string_view piece)>& write);

/// One cell of CSV: quoted where needed; text that begins with `= + - @`, a tab or a carriage return gets an apostrophe in front.
[[nodiscard]] std::string csv_cell(std::string_view text);

/// Removes what is older than `before`, from the oldest on and without leaving a gap, at most `limit` rows of one or more records, and
/// leaves a signed checkpoint, so that the rest still verifies. Answers how many records went: fewer than `limit` only where no older row
/// is left. One write.
[[nodiscard]] Result<std::uint64_t> remove_older(storage::Database& database, Log& log, TimePoint before, std::uint64_t limit);
/// How many `remove_older` would remove.
[[nodiscard]] Result<std::uint64_t> count_older(storage::Database& database, TimePoint before);

}  // namespace pawl::audit
