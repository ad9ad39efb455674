// Where the tokens of webhooks lead, in memory: whoever calls a webhook has shown nothing yet, and is to cost no query.
//
// Thread-safe; `find` never blocks, but for the moment in which a new table takes the place of the old one.
#pragma once

#include <mutex>
#include <optional>
#include <shared_mutex>
#include <string>
#include <string_view>
#include <unordered_map>

#include "base/error.hpp"
#include "catalog/catalog.hpp"
#include "storage/database.hpp"

namespace pawl::catalog::detail {

class HookTable {
 public:
  /// Reads the webhooks of all active workflows, or of one that has changed. Blocks. Where it fails, what was known stays, but for those of
  /// that one: its tokens may be worth nothing any more. The next one reads all then.
  [[nodiscard]] Result<void> load(storage::Database& database, const std::optional<WorkflowId>& of = {});
  [[nodiscard]] std::optional<Hook> find(std::string_view token) const;

 private:
  std::mutex loading_;
  bool is_incomplete_ = false;  // guarded by loading_: a reading has failed since all were read
  mutable std::shared_mutex mutex_;
  std::unordered_map<std::string, Hook> by_digest_;
};

}  // namespace pawl::catalog::detail
