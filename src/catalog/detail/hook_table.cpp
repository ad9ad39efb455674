#include "catalog/detail/hook_table.hpp"

#include <mutex>
#include <utility>

#include "catalog/detail/triggers.hpp"

namespace pawl::catalog::detail {

Result<void> HookTable::load(storage::Database& database, const std::optional<WorkflowId>& of) {
  constexpr std::string_view kAll =
      "select h.token_hash, h.organization_id, h.workflow_id from webhooks h join workflows w on w.id = h.workflow_id "
      "where w.deleted_at is null and w.is_active = 1";
  constexpr std::string_view kOne =
      "select h.token_hash, h.organization_id, h.workflow_id from webhooks h join workflows w on w.id = h.workflow_id "
      "where w.deleted_at is null and w.is_active = 1 and h.workflow_id = $1";
  // Of two changes of one workflow at once, what was read first may not be kept last.
  const std::lock_guard loading(loading_);
  const bool one = of && !is_incomplete_;
  std::unordered_map<std::string, Hook> loaded;
  const auto take = [&](const storage::Row& row) {
    loaded.emplace(std::string(row.blob(0)), Hook{row.id<OrganizationId>(1), row.id<WorkflowId>(2)});
  };
  auto read =
      database.read([&](storage::Session& session) { return one ? session.query(kOne, {*of}, take) : session.query(kAll, {}, take); });
  is_incomplete_ = read.has_error();
  const std::unique_lock lock(mutex_);
  if (read.has_error()) {
    // The change is in the database all the same: what it took away is to open nothing.
    std::erase_if(by_digest_, [&](const auto& known) { return of && known.second.workflow == *of; });
    return read;
  }
  std::erase_if(by_digest_, [&](const auto& known) { return !one || known.second.workflow == *of; });
  by_digest_.merge(loaded);
  return {};
}

std::optional<Hook> HookTable::find(std::string_view token) const {
  const auto digest = token_digest(token);  // the lookup's time then says nothing about the token
  const std::shared_lock lock(mutex_);
  const auto it = by_digest_.find(digest);
  if (it == by_digest_.end()) return std::nullopt;
  return it->second;
}

}  // namespace pawl::catalog::detail
