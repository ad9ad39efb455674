/// Commits batches to PostgreSQL, and outlives the loss of its connection.
///
/// A batch goes out in one pipeline: begin, the works, a mark, commit. Where a guess was wrong (see `PostgresConnection`) or a work failed,
/// it is rolled back and run again without guessing, each work behind a savepoint of its own.
///
/// When the connection dies, a new one is made, with growing random pauses for as long as it takes. If the commit had not been sent, the
/// batch is run again. If it had, its outcome is decided by the mark: a row of `commit_marks` that the same transaction wrote. Once the
/// breaker has opened, works that may fail are answered `storage.unavailable`; those that may not are kept.
///
/// The connection holds an advisory lock, so that one engine writes to the database (or schema). A new connection gets it only once the old
/// server process is gone, and with it whatever it was about to commit: so the mark that is read then is final.
///
/// Who opens the database removes the marks of all others. An engine that comes back and does not find its own was not alone in the
/// meantime: what it knows is of no use any more, and nothing of it is written (`storage.superseded`). The server ends a session that has
/// been silent for long, so that a process that is frozen does not hold the lock for ever; one that is well says something in between.
#pragma once

#include <chrono>
#include <optional>
#include <random>
#include <string>

#include "base/circuit_breaker.hpp"
#include "storage/detail/postgres_connection.hpp"
#include "storage/detail/writer.hpp"

namespace pawl::storage::detail {

class PostgresCommitter final : public Committer {
 public:
  PostgresCommitter(PostgresOptions options, CircuitBreaker& breaker);

  /// Errors: `storage.unavailable`, `storage.pooler`, `storage.locked` (another engine works on this database). Waits for the other one's
  /// end for a moment.
  [[nodiscard]] Result<void> open();

  [[nodiscard]] Result<void> commit(std::vector<Item>& batch, Writer& writer) override;
  [[nodiscard]] Result<void> tend(bool idle) override;
  [[nodiscard]] Millis rest() const override { return Millis(1'000); }
  void close(bool poisoned) override;

 private:
  enum class Way : std::uint8_t { guessing, careful };
  struct Outage;
  [[nodiscard]] Result<void> connect();
  [[nodiscard]] Result<void> take_lock();
  [[nodiscard]] Result<void> claim();
  [[nodiscard]] Result<void> check_claim();
  [[nodiscard]] Result<std::optional<std::int64_t>> read_mark();
  [[nodiscard]] Result<void> try_batch(std::vector<Item>& batch, Way way);
  [[nodiscard]] Result<void> run_alone(Item& item, Way way);
  [[nodiscard]] Result<void> look_for_marks();
  [[nodiscard]] Result<bool> was_committed();
  [[nodiscard]] bool is_broken() const;
  void refuse(std::vector<Item>& batch, Writer& writer, const Error& error);
  [[nodiscard]] bool sit_out(std::vector<Item>& batch, Writer& writer, Outage& outage, const Error& error);
  void report(bool worked);

  const PostgresOptions options_;
  CircuitBreaker& breaker_;
  std::unique_ptr<PostgresConnection> connection_;
  int server_process_ = 0;
  Uuid node_;                   ///< names this process's mark
  std::int64_t batch_ = 0;      ///< number of the latest batch
  std::int64_t committed_ = 0;  ///< number of the latest one of which the mark is there
  std::uint64_t commits_ = 0;
  bool has_marks_ = false;                ///< the table exists: migration 11 is applied
  bool claimed_ = false;                  ///< our mark is there for as long as nobody else has opened the database
  std::optional<std::uint64_t> scripts_;  ///< of the connection, when it was looked for
  std::chrono::steady_clock::time_point probed_{};
  std::chrono::steady_clock::time_point heard_{};  ///< when the server last answered
  std::mt19937_64 jitter_{std::random_device{}()};
};

}  // namespace pawl::storage::detail
