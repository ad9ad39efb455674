#include "storage/detail/sqlite_committer.hpp"

#include "storage/detail/transactions.hpp"

namespace pawl::storage::detail {
namespace {

// The log is moved into the file when it has grown to this many pages, sooner when the writer has nothing else to do. A large log costs
// readers time and disk; moving it costs two fsyncs.
constexpr int kBusyLogPages = 4000;
constexpr int kIdleLogPages = 1000;

}  // namespace

Result<void> SqliteCommitter::commit(std::vector<Item>& batch, Writer& writer) {
  commits_ = writer.statistics().commits;
  auto committed = run(batch);
  if (committed.has_error()) {
    connection_->rollback();
    return committed;
  }
  writer.count_commit(batch.size());
  return {};
}

/// An error here is one that poisons; those of single writes are in the items.
Result<void> SqliteCommitter::run(std::vector<Item>& batch) {
  PAWL_TRY_VOID(connection_->begin(Connection::Access::writing));
  for (auto& item : batch) {
    if (item.poisons) {
      auto transaction = Transactions::on(*connection_, commits_);
      PAWL_TRY_VOID(item.work(transaction));
    } else {
      item.result = run_alone(item.work);
      if (item.result.has_error() && (is_fatal(item.result.error()) || !connection_->in_transaction())) return item.result.error();
    }
  }
  return connection_->commit();
}

Result<void> SqliteCommitter::run_alone(const Database::Work& work) {
  PAWL_TRY_VOID(connection_->run("savepoint work", {}, nullptr, nullptr));
  auto transaction = Transactions::on(*connection_, commits_);
  auto result = work(transaction);
  if (!connection_->in_transaction()) return result;
  if (result.has_error()) PAWL_TRY_VOID(connection_->run("rollback to work", {}, nullptr, nullptr));
  PAWL_TRY_VOID(connection_->run("release work", {}, nullptr, nullptr));
  return result;
}

Result<void> SqliteCommitter::tend(bool idle) {
  if (connection_->log_pages() >= (idle ? kIdleLogPages : kBusyLogPages)) connection_->checkpoint(false);
  return {};
}

void SqliteCommitter::close(bool poisoned) {
  if (!poisoned) connection_->checkpoint(true);
}

}  // namespace pawl::storage::detail
