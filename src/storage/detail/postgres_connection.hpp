/// One PostgreSQL connection in libpq's pipeline mode, with its cache of prepared statements. Blocking; belongs to one thread at a time.
///
/// Everything is sent in order, and answers are taken in order: `queue` only sends, `run` sends and waits for its own answer and all before
/// it, `commit` sends and waits for everything. While *guessing*, `queue` and `try_insert` assume that their statement works and that the
/// row is new; a wrong guess fails the transaction, whose work then has to be done again without guessing.
#pragma once

#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "storage/detail/connection.hpp"

struct pg_conn;
struct pg_result;

namespace pawl::storage::detail {

struct PostgresOptions {
  std::string url;
  bool synchronous = true;  ///< false: a commit does not wait for the disk
  Millis connect_timeout{5'000};
  Millis statement_timeout{60'000};
  Millis lock_timeout{10'000};
  Millis answer_timeout{65'000};  ///< a server that says nothing for so long is given up; longer than a statement may take; 0: never
  Millis silence_ends{0};  ///< the server ends a session that has said nothing, or whose line has been dead, for so long; 0: as it likes
};

class PostgresConnection final : public Connection {
 public:
  /// Error `storage.unavailable`.
  [[nodiscard]] static Result<std::unique_ptr<PostgresConnection>> open(const PostgresOptions& options);
  /// Whether a connection keeps its session at the server, as locks and prepared statements need it. Asks on two connections of its own,
  /// which change nothing. Errors `storage.pooler` (something in between lends sessions by the transaction), `storage.unavailable`.
  [[nodiscard]] static Result<void> check_sessions(const PostgresOptions& options);
  ~PostgresConnection() override;

  [[nodiscard]] Result<std::int64_t> run(std::string_view sql, Parameters parameters, const void* context, Visit visit) override;
  [[nodiscard]] Result<void> queue(std::string_view sql, Parameters parameters) override;
  [[nodiscard]] Result<bool> try_insert(std::string_view sql, Parameters parameters) override;
  [[nodiscard]] Result<void> script(std::string_view sql) override;
  [[nodiscard]] Dialect dialect() const override { return Dialect::postgresql; }
  [[nodiscard]] Result<void> begin(Access access) override;
  [[nodiscard]] Result<void> commit() override;
  void rollback() override;
  [[nodiscard]] bool in_transaction() const override { return in_transaction_ && !lost_; }
  [[nodiscard]] bool is_lost() const override { return lost_; }
  [[nodiscard]] bool has_shown_rows() const override { return shown_rows_; }
  [[nodiscard]] bool is_alive() override;

  void guess(bool on) { guessing_ = on; }
  /// A statement such as `savepoint work`, sent only.
  [[nodiscard]] Result<void> queue_control(const char* sql);
  /// Since `begin` or the last `rollback to`: a statement failed, so that the transaction refuses all others.
  [[nodiscard]] const std::optional<Error>& failure() const { return failure_; }
  /// Undoes what came after `savepoint work`.
  [[nodiscard]] Result<void> rollback_to_savepoint();
  /// The commit was sent: where its answer is missing, its outcome is not known.
  [[nodiscard]] bool commit_sent() const { return commit_sent_; }
  /// Looks, without asking, whether the server has hung up.
  void notice_hangup();
  /// How many scripts it has run: the tables may be other ones after each.
  [[nodiscard]] std::uint64_t scripts() const { return scripts_; }
  /// The process at the server that answers, asked for: what libpq knows may be a pooler's number. Outside of transactions.
  [[nodiscard]] Result<int> server_process();

  /// `copy ... to stdout`: hands on what arrives; answers the rows. Within a transaction; after an error the connection is of no use.
  [[nodiscard]] Result<std::int64_t> copy_out(const std::string& sql, const std::function<Result<void>(std::string_view)>& take);
  /// `copy ... from stdin`: `give` puts the data piece by piece; answers the rows.
  using Put = std::function<Result<void>(std::string_view)>;
  [[nodiscard]] Result<std::int64_t> copy_in(const std::string& sql, const std::function<Result<void>(const Put&)>& give);

 private:
  struct FreeResult {
    void operator()(pg_result* result) const;
  };
  using Answer = std::unique_ptr<pg_result, FreeResult>;
  struct Statement {
    std::string name;
    std::uint64_t types = 0;  ///< of its parameters, three bits each
    bool sent = false;
  };
  struct Pending {
    enum class Kind : std::uint8_t { statement, preparation, sync };
    Kind kind = Kind::statement;
    Statement* prepared = nullptr;
  };

  PostgresConnection(pg_conn* connection, Millis answer_timeout) : connection_(connection), answer_timeout_(answer_timeout) {}
  [[nodiscard]] static Result<std::unique_ptr<PostgresConnection>> connect(const PostgresOptions& options);
  [[nodiscard]] Result<void> configure(const PostgresOptions& options);
  [[nodiscard]] Result<void> set(const char* name, const std::string& value);
  [[nodiscard]] Result<void> let_silence_end(Millis silence);
  [[nodiscard]] Result<Statement*> prepared(std::string_view sql, Parameters parameters);
  [[nodiscard]] Result<void> send(std::string_view sql, Parameters parameters);
  [[nodiscard]] Result<Answer> next_result();
  [[nodiscard]] Result<Answer> take_answer();
  [[nodiscard]] Result<Answer> take_all_answers();
  [[nodiscard]] Result<std::int64_t> end_of_copy();
  [[nodiscard]] Result<void> leave_pipeline();
  [[nodiscard]] Result<void> enter_pipeline();
  void resynchronise();
  [[nodiscard]] Error lose();
  [[nodiscard]] Error lose(std::string_view why);
  [[nodiscard]] Error error_of(const pg_result* answer);
  [[nodiscard]] Error fail(Error error);

  pg_conn* connection_;
  const Millis answer_timeout_;
  std::deque<Statement> statements_;
  std::unordered_map<std::string, std::vector<Statement*>, TextHash, std::equal_to<>> by_text_;
  std::deque<Pending> pending_;
  std::optional<Error> failure_;
  std::uint64_t scripts_ = 0;
  bool guessing_ = false;
  bool in_transaction_ = false;
  bool commit_sent_ = false;
  bool lost_ = false;
  bool shown_rows_ = false;
};

}  // namespace pawl::storage::detail
