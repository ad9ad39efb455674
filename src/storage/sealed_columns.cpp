#include "storage/sealed_columns.hpp"

#include <fmt/core.h>

namespace pawl::storage {
namespace {

struct SealedRow {
  std::string key;
  OrganizationId organization;
  std::string sealed;
};

constexpr std::uint32_t kReadBatch = 500;

Parameter key_parameter(const SealedColumn& column, const std::string& key) {
  return column.key == SealedColumn::Key::blob ? Parameter::blob(key) : Parameter(key);
}

Result<std::vector<SealedRow>> next_rows(Session& session, const SealedColumn& column, const std::string& after, std::uint32_t limit) {
  std::vector<SealedRow> rows;
  PAWL_TRY_VOID(session.query(column.select, {key_parameter(column, after), limit}, [&](const Row& row) {
    const auto key = column.key == SealedColumn::Key::blob ? row.blob(0) : row.text(0);
    rows.push_back({std::string(key), row.id<OrganizationId>(1), std::string(row.blob(2))});
  }));
  return rows;
}

/// Calls `each(rows)` for all rows of a column, some at a time.
template <class Each>
Result<void> walk(Database& database, const SealedColumn& column, std::uint32_t batch, Each&& each) {
  std::string after;
  for (;;) {
    PAWL_TRY(rows, database.read([&](Session& session) { return next_rows(session, column, after, batch); }));
    if (rows.empty()) return {};
    after = rows.back().key;
    PAWL_TRY_VOID(each(rows));
  }
}

std::string readable_key(const SealedColumn& column, const std::string& key) {
  Uuid id{};
  if (column.key == SealedColumn::Key::text) return key;
  if (key.size() == id.bytes.size()) {
    std::copy(key.begin(), key.end(), id.bytes.begin());
    return id.to_string();
  }
  std::string text;
  for (const char byte : key) text += fmt::format("{:02x}", static_cast<unsigned char>(byte));
  return text;
}

Result<std::string> open_row(const SealedColumn& column, const SealedRow& row, const crypto::KeyRing& ring) {
  auto opened = ring.open(row.sealed, {column.name, row.key, row.organization});
  if (opened.has_error()) {
    return Error(
        ErrorClass::internal, "keys.cannot_open",
        fmt::format("{}, row {}: {} ({}).", column.name, readable_key(column, row.key), opened.error().message, opened.error().code));
  }
  return opened;
}

SealedCount count_of(const SealedColumn& column) {
  SealedCount count;
  count.column = column.name;
  return count;
}

void tell_key(SealedCount& count, const SealedRow& row) {
  const auto id = crypto::KeyRing::key_of(row.sealed);
  ++count.rows;
  ++count.by_key[id ? crypto::to_text(*id) : std::string("damaged")];
}

/// Opens all and counts.
Result<std::vector<SealedCount>> open_all(Database& database, std::span<const SealedColumn> columns, const crypto::KeyRing& ring) {
  std::vector<SealedCount> counts;
  for (const auto& column : columns) {
    auto count = count_of(column);
    const auto open_rows = [&](const std::vector<SealedRow>& rows) -> Result<void> {
      for (const auto& row : rows) {
        PAWL_TRY(plain, open_row(column, row, ring));
        tell_key(count, row);
        if (!ring.is_current(row.sealed)) ++count.resealed;
      }
      return {};
    };
    PAWL_TRY_VOID(walk(database, column, kReadBatch, open_rows));
    counts.push_back(std::move(count));
  }
  return counts;
}

Result<std::uint64_t> reseal_rows(Database& database, const SealedColumn& column, const std::vector<SealedRow>& rows,
                                  const crypto::KeyRing& ring) {
  std::uint64_t changed = 0;
  PAWL_TRY_VOID(database.write_and_wait([&](Transaction& transaction) -> Result<void> {
    changed = 0;
    for (const auto& row : rows) {
      if (ring.is_current(row.sealed)) continue;
      PAWL_TRY(plain, open_row(column, row, ring));
      const auto sealed = ring.seal(plain, {column.name, row.key, row.organization});
      PAWL_TRY(updated,
               transaction.execute(column.update, {Parameter::blob(sealed), key_parameter(column, row.key), Parameter::blob(row.sealed)}));
      changed += static_cast<std::uint64_t>(updated);
    }
    return {};
  }));
  return changed;
}

}  // namespace

Result<std::vector<SealedCount>> count_sealed(Database& database, std::span<const SealedColumn> columns) {
  std::vector<SealedCount> counts;
  for (const auto& column : columns) {
    auto count = count_of(column);
    PAWL_TRY_VOID(walk(database, column, kReadBatch, [&](const std::vector<SealedRow>& rows) -> Result<void> {
      for (const auto& row : rows) tell_key(count, row);
      return {};
    }));
    counts.push_back(std::move(count));
  }
  return counts;
}

Result<std::vector<SealedCount>> reseal(Database& database, std::span<const SealedColumn> columns, const crypto::KeyRing& ring,
                                        const ResealOptions& options) {
  PAWL_TRY(counts, open_all(database, columns, ring));
  if (options.dry_run) return counts;
  for (std::size_t i = 0; i < columns.size(); ++i) {
    counts[i].resealed = 0;
    PAWL_TRY_VOID(walk(database, columns[i], options.batch, [&](const std::vector<SealedRow>& rows) -> Result<void> {
      PAWL_TRY(changed, reseal_rows(database, columns[i], rows, ring));
      counts[i].resealed += changed;
      return {};
    }));
  }
  return counts;
}

}  // namespace pawl::storage
