#include "storage/detail/postgres_committer.hpp"

#include <algorithm>
#include <array>
#include <cstring>

#include "storage/detail/transactions.hpp"

namespace pawl::storage::detail {
namespace {

using Steady = std::chrono::steady_clock;

constexpr Millis kFirstPause{50};
constexpr Millis kLongestPause{2'000};
/// A work whose commit nobody could decide on for so long is answered that its outcome is unknown.
constexpr Millis kDecisionPatience{30'000};
/// How long a database that is being closed is waited for.
constexpr Millis kClosingPatience{5'000};
/// The server hears of us so often in the time whose silence would end the session.
constexpr int kAnswersInSilence = 4;
/// Locks and full disks of this many tries are told to those who may fail.
constexpr int kPatientTries = 3;

// The key stands in vacancy.cpp, too.
constexpr std::string_view kTryLock = "select pg_try_advisory_lock(hashtext('pawl engine'), hashtext(coalesce(current_schema(), '')))";
constexpr std::string_view kLock = "select pg_advisory_lock(hashtext('pawl engine'), hashtext(coalesce(current_schema(), '')))";
/// A server process that has not noticed yet that its client is gone keeps the lock for a moment.
constexpr std::string_view kWaitBriefly = "select set_config('lock_timeout', '3000', false)";
constexpr std::string_view kWaitAsEver = "select set_config('lock_timeout', $1, false)";
/// Ours, where we have lost it.
constexpr std::string_view kEndPredecessor =
    "select pg_terminate_backend(pid) from pg_locks where locktype = 'advisory' and classid = hashtext('pawl engine')::oid and "
    "objid = hashtext(coalesce(current_schema(), ''))::oid and granted and pid = $1";
constexpr std::string_view kHasMarks = "select 1 from pg_tables where schemaname = current_schema() and tablename = 'commit_marks'";
constexpr std::string_view kMark =
    "insert into commit_marks (node, batch) values ($1, $2) on conflict (node) do update set batch = excluded.batch";
constexpr std::string_view kReadMark = "select batch from commit_marks where node = $1";
constexpr std::string_view kForgetOthers = "delete from commit_marks where node <> $1";

Error unavailable() {
  return {ErrorClass::unavailable, "storage.unavailable", "the database cannot be reached at the moment; try again later"};
}

Error unknown_outcome() {
  return {ErrorClass::unavailable, "storage.outcome_unknown",
          "the connection to the database was lost while this was being stored; look whether it was done before trying again"};
}

Error locked() {
  return {ErrorClass::conflict, "storage.locked",
          "another Pawl process works on this PostgreSQL database: one engine per database (or schema)"};
}

Error superseded() {
  return {ErrorClass::unavailable, "storage.superseded",
          "the connection to the database was lost, and another Pawl process has taken the work over; nothing more is written here"};
}

Error went_back() {
  return {ErrorClass::unavailable, "storage.went_back",
          "the database has lost what it had confirmed, as after a failover to a server that lagged; nothing more is written here"};
}

/// What is known here is not what the database goes on from.
bool is_over(const Result<void>& result) {
  return result.has_error() && (result.error().code == "storage.superseded" || result.error().code == "storage.went_back");
}

}  // namespace

struct PostgresCommitter::Outage {
  Millis pause = kFirstPause;
  Steady::time_point since = Steady::now();
  bool undecided = false;  ///< the commit was sent and its answer is missing
};

PostgresCommitter::PostgresCommitter(PostgresOptions options, CircuitBreaker& breaker) : options_(std::move(options)), breaker_(breaker) {
  const std::array<std::uint64_t, 2> name = {jitter_(), jitter_()};
  std::memcpy(node_.bytes.data(), name.data(), node_.bytes.size());
}

Result<void> PostgresCommitter::open() {
  PAWL_TRY_VOID(PostgresConnection::check_sessions(options_));
  PAWL_TRY_VOID(connect());
  return has_marks_ ? claim() : Result<void>();
}

/// From here on no engine that was here before can write.
Result<void> PostgresCommitter::claim() {
  PAWL_TRY_VOID(connection_->begin(Connection::Access::writing));
  PAWL_TRY_VOID(connection_->run(kForgetOthers, {node_}, nullptr, nullptr));
  PAWL_TRY_VOID(connection_->run(kMark, {node_, batch_}, nullptr, nullptr));
  PAWL_TRY_VOID(connection_->commit());
  claimed_ = true;
  return {};
}

// ---- connecting ---------------------------------------------------------------------------------------------------------------

Result<void> PostgresCommitter::connect() {
  connection_.reset();
  PAWL_TRY(opened, PostgresConnection::open(options_));
  connection_ = std::move(opened);
  scripts_.reset();
  auto ready = take_lock();
  if (ready.has_error()) {
    connection_.reset();
    return server_process_ != 0 && ready.error().code == "storage.locked" ? superseded() : ready;
  }
  PAWL_TRY(process, connection_->server_process());
  server_process_ = process;
  heard_ = Steady::now();
  return {};
}

Result<void> PostgresCommitter::take_lock() {
  bool owned = false;
  const auto take = [](void* owns, const Row& row) { *static_cast<bool*>(owns) = row.boolean(0); };
  PAWL_TRY_VOID(connection_->run(kTryLock, {}, &owned, take));
  if (!owned) {
    PAWL_TRY_VOID(check_claim());
    if (server_process_ != 0) PAWL_TRY_VOID(connection_->run(kEndPredecessor, {server_process_}, nullptr, nullptr));
    PAWL_TRY_VOID(connection_->run(kWaitBriefly, {}, nullptr, nullptr));
    const auto waited = connection_->run(kLock, {}, nullptr, nullptr);
    if (waited.has_error()) return waited.error().code == "storage.busy" ? locked() : waited.error();
    const auto as_ever = std::to_string(options_.lock_timeout.count());
    PAWL_TRY_VOID(connection_->run(kWaitAsEver, {as_ever}, nullptr, nullptr));
  }
  return check_claim();
}

/// With the lock, what is seen is final. Without, that somebody else has come is.
Result<void> PostgresCommitter::check_claim() {
  PAWL_TRY_VOID(look_for_marks());
  if (!claimed_ || !has_marks_) return {};
  PAWL_TRY(mark, read_mark());
  if (!mark) return superseded();
  if (*mark < committed_) return went_back();
  return {};
}

/// Anew for each connection and after each script.
Result<void> PostgresCommitter::look_for_marks() {
  if (scripts_ == connection_->scripts()) return {};
  has_marks_ = false;
  const auto found = [](void* has, const Row&) { *static_cast<bool*>(has) = true; };
  PAWL_TRY_VOID(connection_->run(kHasMarks, {}, &has_marks_, found));
  scripts_ = connection_->scripts();
  return {};
}

bool PostgresCommitter::is_broken() const { return breaker_.snapshot(Steady::now()).state != CircuitBreaker::State::closed; }

void PostgresCommitter::report(bool worked) {
  const auto now = Steady::now();
  if (worked) {
    breaker_.close();
  } else if (const auto permit = breaker_.try_acquire(now)) {
    breaker_.report(*permit, CircuitBreaker::Outcome::failure, now);
  }
}

/// An idle writer notices that the server has gone, so that the next work does not have to. Where the breaker is open, this is what closes
/// it.
Result<void> PostgresCommitter::tend(bool idle) {
  const auto now = Steady::now();
  if (now - probed_ < (idle ? rest() / 2 : rest())) return {};
  const bool broken = is_broken();
  if (!idle && !broken) return {};
  probed_ = now;
  if (connection_ != nullptr) {
    connection_->notice_hangup();
    const bool silent = options_.silence_ends > Millis(0) && now - heard_ >= options_.silence_ends / kAnswersInSilence;
    if ((silent || broken) && !connection_->is_lost() && connection_->is_alive()) heard_ = now;
  }
  if (connection_ == nullptr || connection_->is_lost()) {
    auto connected = connect();
    report(connected.has_value());
    if (is_over(connected)) return connected;
  } else if (broken) {
    report(heard_ == now);
  }
  return {};
}

void PostgresCommitter::close(bool /*poisoned*/) { connection_.reset(); }

// ---- batches ------------------------------------------------------------------------------------------------------------------

Result<void> PostgresCommitter::commit(std::vector<Item>& batch, Writer& writer) {
  ++batch_;
  commits_ = writer.statistics().commits;
  Outage outage;
  auto way = Way::guessing;
  int tries = 0;
  while (!batch.empty()) {
    if (connection_ == nullptr || connection_->is_lost()) {
      if (is_broken() && !outage.undecided) refuse(batch, writer, unavailable());
      if (batch.empty()) break;
      auto connected = connect();
      report(connected.has_value());
      if (connected.has_error()) {
        if (is_over(connected)) {
          if (outage.undecided) refuse(batch, writer, unknown_outcome());
          return connected;
        }
        if (!sit_out(batch, writer, outage, unavailable())) return connected;
        continue;
      }
    }
    if (outage.undecided) {
      if (!has_marks_) return unknown_outcome();
      const auto committed = was_committed();
      if (committed.has_error()) {
        connection_.reset();
        if (!sit_out(batch, writer, outage, unavailable())) return committed.error();
        continue;
      }
      outage.undecided = false;
      if (committed.value()) {
        committed_ = batch_;
        writer.count_commit(batch.size());
        return {};
      }
    }
    auto tried = try_batch(batch, way);
    if (tried.has_value()) {
      claimed_ = claimed_ || has_marks_;
      committed_ = has_marks_ ? batch_ : 0;
      heard_ = Steady::now();
      writer.count_commit(batch.size());
      return {};
    }
    if (connection_->is_lost()) {
      outage.undecided = connection_->commit_sent();
      continue;
    }
    connection_->rollback();
    scripts_.reset();
    if (way == Way::guessing) {
      way = Way::careful;
      continue;
    }
    if (!is_passing(tried.error())) return tried;  // from a work that may not fail, or from the commit itself
    if (++tries >= kPatientTries) report(false);
    if (!sit_out(batch, writer, outage, tried.error())) return tried;
  }
  return {};
}

Result<void> PostgresCommitter::try_batch(std::vector<Item>& batch, Way way) {
  auto& connection = *connection_;
  connection.guess(way == Way::guessing);
  PAWL_TRY_VOID(connection.begin(Connection::Access::writing));
  for (auto& item : batch) {
    if (item.poisons) {
      auto transaction = Transactions::on(connection, commits_);
      PAWL_TRY_VOID(item.work(transaction));
    } else {
      PAWL_TRY_VOID(run_alone(item, way));
    }
  }
  PAWL_TRY_VOID(look_for_marks());
  connection.guess(true);  // of our own statement nothing is asked
  if (has_marks_) PAWL_TRY_VOID(connection.queue(kMark, {node_, batch_}));
  PAWL_TRY_VOID(connection.commit());
  return {};
}

/// An error here is one of the batch; the work's own stands in the item.
Result<void> PostgresCommitter::run_alone(Item& item, Way way) {
  auto& connection = *connection_;
  PAWL_TRY_VOID(connection.queue_control("savepoint work"));
  auto transaction = Transactions::on(connection, commits_);
  item.result = item.work(transaction);
  if (connection.is_lost()) return *connection.failure();
  if (connection.failure()) {
    if (way == Way::guessing) return *connection.failure();
    // Also where the work has looked away: the server refuses whatever follows.
    if (item.result.has_value()) item.result = *connection.failure();
  }
  if (item.result.has_error()) PAWL_TRY_VOID(connection.rollback_to_savepoint());
  return connection.queue_control("release work");
}

/// Nobody else can have written our mark, and who wrote it for us is gone: we hold the lock.
Result<bool> PostgresCommitter::was_committed() {
  PAWL_TRY(mark, read_mark());
  return mark == batch_;
}

/// Nothing: there is none of ours.
Result<std::optional<std::int64_t>> PostgresCommitter::read_mark() {
  std::optional<std::int64_t> latest;
  const auto take = [](void* number, const Row& row) { *static_cast<std::optional<std::int64_t>*>(number) = row.integer(0); };
  PAWL_TRY_VOID(connection_->run(kReadMark, {node_}, &latest, take));
  return latest;
}

/// Answers those who may fail.
void PostgresCommitter::refuse(std::vector<Item>& batch, Writer& writer, const Error& error) {
  const auto first = std::stable_partition(batch.begin(), batch.end(), [](const Item& item) { return item.poisons; });
  for (auto item = first; item != batch.end(); ++item) {
    item->result = error;
    writer.answer(*item);
  }
  batch.erase(first, batch.end());
}

/// Waits before the next attempt. False: the database is being closed, and has been waited for long enough.
bool PostgresCommitter::sit_out(std::vector<Item>& batch, Writer& writer, Outage& outage, const Error& error) {
  const auto waited = Steady::now() - outage.since;
  const bool broken = is_broken();
  if (outage.undecided ? waited > kDecisionPatience : broken) refuse(batch, writer, outage.undecided ? unknown_outcome() : error);
  if (batch.empty()) return true;
  const auto length = Millis(std::uniform_int_distribution<Millis::rep>(outage.pause.count() / 2, outage.pause.count())(jitter_));
  outage.pause = std::min(outage.pause * 2, kLongestPause);
  return writer.pause(length, broken ? std::optional<Error>(error) : std::nullopt) || waited < kClosingPatience;
}

}  // namespace pawl::storage::detail
