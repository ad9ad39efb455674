/// Commits batches to SQLite. After a failed commit, or a full or failing disk, memory and disk may disagree: that poisons.
#pragma once

#include "storage/detail/sqlite_connection.hpp"
#include "storage/detail/writer.hpp"

namespace pawl::storage::detail {

class SqliteCommitter final : public Committer {
 public:
  explicit SqliteCommitter(std::unique_ptr<SqliteConnection> connection) : connection_(std::move(connection)) {}

  [[nodiscard]] Result<void> commit(std::vector<Item>& batch, Writer& writer) override;
  [[nodiscard]] Result<void> tend(bool idle) override;
  void close(bool poisoned) override;

 private:
  [[nodiscard]] Result<void> run(std::vector<Item>& batch);
  [[nodiscard]] Result<void> run_alone(const Database::Work& work);

  std::unique_ptr<SqliteConnection> connection_;
  std::uint64_t commits_ = 0;
};

}  // namespace pawl::storage::detail
