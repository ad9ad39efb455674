/// The tables of runs: writes of the shards' batches on the committer's thread, blocking reads for everybody else.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "engine/concurrency.hpp"
#include "engine/engine.hpp"
#include "engine/records.hpp"
#include "storage/database.hpp"

namespace pawl::engine {

class RunStore {
 public:
  explicit RunStore(storage::Database& database) : database_(database) {}

  /// Reads the numbers of workflows. Call once, before anything else.
  [[nodiscard]] Result<void> open();

  /// Writes one batch. On the committer's thread; can be run again for a commit that was undone.
  [[nodiscard]] Result<void> apply(storage::Transaction& transaction, const Batch& batch);

  // Blocking reads, any worker thread.
  [[nodiscard]] Result<StoredRun> load(const RunId& run);
  /// Whose run it is; nothing where there is none.
  [[nodiscard]] Result<std::optional<OrganizationId>> owner(const RunId& run);
  /// Every run that was in memory, in order of id.
  [[nodiscard]] Result<void> recover(const std::function<void(OpenRun)>& each);
  struct Wake {
    RunId run;
    TimePoint due{};
  };
  [[nodiscard]] Result<std::vector<Wake>> wakes(TimePoint until, std::uint32_t limit);
  /// Every row of the table of places.
  struct StoredPlace {
    RunId run;
    Seat seat;
    bool admitted = false;
  };
  [[nodiscard]] Result<void> places(const std::function<void(const StoredPlace&)>& each);
  /// Lifecycle events that were not delivered, oldest first.
  [[nodiscard]] Result<std::vector<std::pair<OrganizationId, json::Value>>> lifecycle_events();
  /// Organizations with sleeping runs that listen for some.
  [[nodiscard]] Result<std::vector<OrganizationId>> lifecycle_listeners();
  /// Sleeping runs that listen for this type.
  [[nodiscard]] Result<std::vector<RunId>> listeners(const OrganizationId& organization, std::string_view type);
  [[nodiscard]] Result<bool> has_listeners();
  [[nodiscard]] Result<RunPage> list(const RunFilter& filter);
  [[nodiscard]] Result<std::vector<std::vector<RunView>>> newest(const OrganizationId& organization,
                                                                 const std::vector<WorkflowId>& workflows, std::uint32_t each);

 private:
  struct Reference {
    std::int64_t number = 0;
    std::string name;
    std::uint64_t stored_after = 0;  ///< stored once there are so many commits
  };
  using Owner = std::pair<OrganizationId, WorkflowId>;
  [[nodiscard]] Result<std::int64_t> reference(storage::Transaction& transaction, const RunIdentity& identity);
  [[nodiscard]] Result<void> write(storage::Transaction& transaction, const RunWrite& write);
  [[nodiscard]] Result<void> begin(storage::Transaction& transaction, const RunWrite& write, std::int64_t workflow);
  [[nodiscard]] Result<void> sleep(storage::Transaction& transaction, const RunWrite& write);
  [[nodiscard]] Result<void> finish(storage::Transaction& transaction, const RunWrite& write, std::int64_t workflow);

  storage::Database& database_;
  std::map<Owner, Reference> references_;  // on the committer's thread after `open`
  std::int64_t last_reference_ = 0;
};

}  // namespace pawl::engine
