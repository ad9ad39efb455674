#include "storage/detail/postgres_connection.hpp"

#include <fmt/core.h>
#include <libpq-fe.h>
#include <poll.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>

#include "base/assert.hpp"
#include "storage/detail/postgres_values.hpp"

namespace pawl::storage::detail {
namespace {

constexpr int kBinary = 1;
constexpr std::size_t kMaxParameters = 21;  // three bits each in one number

std::string_view first_line(const char* text) {
  std::string_view line(text != nullptr ? text : "");
  return line.substr(0, line.find('\n'));
}

unsigned type_number(Parameter::Kind type) {
  switch (type) {
    case Parameter::Kind::null: return 0;
    case Parameter::Kind::integer: return kPostgresInt8;
    case Parameter::Kind::text: return kPostgresText;
    case Parameter::Kind::blob: return kPostgresBytea;
  }
  return 0;
}

std::int64_t changed_rows(PGresult* answer) {
  const std::string_view text(PQcmdTuples(answer));
  std::int64_t count = 0;
  std::from_chars(text.data(), text.data() + text.size(), count);
  return count;
}

Error lent_sessions() {
  return {ErrorClass::internal, "storage.pooler",
          "something between Pawl and PostgreSQL lends sessions by the transaction, and Pawl needs sessions of its own: connect to "
          "PostgreSQL itself, or let the pooler keep them (pgbouncer: pool_mode=session)"};
}

/// By SQLSTATE: https://www.postgresql.org/docs/15/errcodes-appendix.html
Error error_of_state(std::string_view state, std::string text) {
  const auto family = state.substr(0, 2);
  if (family == "23") return {ErrorClass::conflict, "storage.constraint", std::move(text)};
  if (family == "08" || state == "57P01" || state == "57P02" || state == "57P03" || state == "57P05" || state == "25P03") {
    return {ErrorClass::unavailable, "storage.connection_lost", std::move(text)};
  }
  // A statement that this connection has prepared is not there, or one that it has not is: it is another session.
  if (state == "26000" || state == "42P05") return lent_sessions();
  if (state == "53100") return {ErrorClass::unavailable, "storage.full", std::move(text)};
  if (family == "53" || family == "40" || state == "55P03") return {ErrorClass::unavailable, "storage.busy", std::move(text)};
  if (state == "57014") return {ErrorClass::timeout, "storage.timeout", std::move(text)};
  if (state == "22021" || state == "22P05") return {ErrorClass::invalid, "storage.text", std::move(text)};
  if (family == "54") return {ErrorClass::too_large, "storage.too_big", std::move(text)};
  if (family == "58") return {ErrorClass::internal, "storage.io", std::move(text)};
  if (family == "XX") return {ErrorClass::internal, "storage.corrupt", std::move(text)};
  return {ErrorClass::internal, "storage.sql", std::move(text)};
}

}  // namespace

void PostgresConnection::FreeResult::operator()(pg_result* result) const { PQclear(result); }

// ---- life cycle ---------------------------------------------------------------------------------------------------------------

Result<std::unique_ptr<PostgresConnection>> PostgresConnection::open(const PostgresOptions& options) {
  PAWL_TRY(connection, connect(options));
  PAWL_TRY_VOID(connection->configure(options));
  return connection;
}

/// Two that are open at the same time have a process each, and each keeps its own. A pooler that lends sessions by the transaction gives
/// the second what the first has just given back; one that goes through its sessions in turn gives them others: the second asks twice, or
/// two sessions in turn would look as if each client had its own.
Result<void> PostgresConnection::check_sessions(const PostgresOptions& options) {
  constexpr int kRounds = 3;
  PAWL_TRY(one, connect(options));
  PAWL_TRY(two, connect(options));
  PAWL_TRY_VOID(one->enter_pipeline());
  PAWL_TRY_VOID(two->enter_pipeline());
  PAWL_TRY(of_one, one->server_process());
  PAWL_TRY(of_two, two->server_process());
  for (int round = 0; round < kRounds; ++round) {
    PAWL_TRY(now_one, one->server_process());
    PAWL_TRY(now_two, two->server_process());
    PAWL_TRY(again_two, two->server_process());
    if (now_one != of_one || now_two != of_two || again_two != of_two || of_one == of_two) return lent_sessions();
  }
  return {};
}

Result<std::unique_ptr<PostgresConnection>> PostgresConnection::connect(const PostgresOptions& options) {
  const auto seconds = std::to_string(std::max<std::int64_t>(options.connect_timeout.count() / 1000, 2));
  // What stands in the URL wins. A dead peer is noticed within 30 s, whether we wait for its answer or for room to send.
  const std::array keywords = {
      "connect_timeout",  "application_name",     "keepalives_idle", "keepalives_interval", "keepalives_count",
      "tcp_user_timeout", "target_session_attrs", "dbname",          "client_encoding",     static_cast<const char*>(nullptr)};
  const std::array values = {
      seconds.c_str(), "pawl", "15", "5", "3", "30000", "read-write", options.url.c_str(), "UTF8", static_cast<const char*>(nullptr)};
  std::unique_ptr<PostgresConnection> connection(  // NOLINT: private constructor
      new PostgresConnection(PQconnectdbParams(keywords.data(), values.data(), 1), options.answer_timeout));
  if (connection->connection_ == nullptr) return Error{ErrorClass::internal, "storage.io", "connect to PostgreSQL: out of memory"};
  if (PQstatus(connection->connection_) != CONNECTION_OK) {
    return Error{ErrorClass::unavailable, "storage.unavailable",
                 "cannot connect to PostgreSQL: " + std::string(first_line(PQerrorMessage(connection->connection_)))};
  }
  return connection;
}

Result<void> PostgresConnection::configure(const PostgresOptions& options) {
  PQsetNoticeProcessor(
      connection_, [](void*, const char*) {}, nullptr);
  if (PQserverVersion(connection_) < 130000) {
    return Error{ErrorClass::internal, "storage.version", "PostgreSQL 13 or later is needed"};
  }
  PAWL_TRY_VOID(set("statement_timeout", std::to_string(options.statement_timeout.count())));
  PAWL_TRY_VOID(set("lock_timeout", std::to_string(options.lock_timeout.count())));
  PAWL_TRY_VOID(set("idle_in_transaction_session_timeout", "60000"));
  PAWL_TRY_VOID(set("synchronous_commit", options.synchronous ? "on" : "off"));
  if (options.silence_ends > Millis(0)) PAWL_TRY_VOID(let_silence_end(options.silence_ends));
  return enter_pipeline();
}

/// Before the pipeline.
Result<void> PostgresConnection::set(const char* name, const std::string& value) {
  const std::array<const char*, 2> parameters = {name, value.c_str()};
  const Answer answer(PQexecParams(connection_, "select set_config($1, $2, false)", 2, nullptr, parameters.data(), nullptr, nullptr, 0));
  if (PQresultStatus(answer.get()) != PGRES_TUPLES_OK) return error_of(answer.get());
  return {};
}

/// A client that is frozen keeps its line alive, one that has no line any more does not: the server is to let go of both.
Result<void> PostgresConnection::let_silence_end(Millis silence) {
  constexpr int kHasIdleTimeout = 140000;
  constexpr std::int64_t kProbes = 3;
  if (PQserverVersion(connection_) >= kHasIdleTimeout) PAWL_TRY_VOID(set("idle_session_timeout", std::to_string(silence.count())));
  const auto interval = std::to_string(std::max<std::int64_t>(silence.count() / 1000 / (kProbes + 1), 1));
  PAWL_TRY_VOID(set("tcp_keepalives_idle", interval));
  PAWL_TRY_VOID(set("tcp_keepalives_interval", interval));
  PAWL_TRY_VOID(set("tcp_keepalives_count", std::to_string(kProbes)));
  PAWL_TRY_VOID(set("tcp_user_timeout", std::to_string(silence.count())));
  return {};
}

PostgresConnection::~PostgresConnection() { PQfinish(connection_); }

Result<void> PostgresConnection::enter_pipeline() {
  if (PQenterPipelineMode(connection_) != 1) return lose();
  return {};
}

Result<void> PostgresConnection::leave_pipeline() {
  if (lost_) return lose();
  resynchronise();
  if (lost_) return lose();
  if (PQexitPipelineMode(connection_) != 1) return lose();
  return {};
}

Result<int> PostgresConnection::server_process() {
  PAWL_TRY_VOID(queue_control("select pg_backend_pid()"));
  // Answered at the end of a transaction, when a pooler may lend the session to others.
  if (PQpipelineSync(connection_) != 1) return lose();
  pending_.push_back({Pending::Kind::sync, nullptr});
  PAWL_TRY(answer, take_all_answers());
  if (PQresultStatus(answer.get()) != PGRES_TUPLES_OK || PQntuples(answer.get()) != 1) return lose();
  return static_cast<int>(row(answer.get(), 0).integer(0));
}

void PostgresConnection::notice_hangup() {
  if (PQconsumeInput(connection_) != 1 || PQstatus(connection_) != CONNECTION_OK) static_cast<void>(lose());
}

bool PostgresConnection::is_alive() {
  notice_hangup();
  if (lost_) return false;
  const auto asked = run("select 1", {}, nullptr, nullptr);
  resynchronise();
  return asked.has_value() && !lost_;
}

// ---- errors -------------------------------------------------------------------------------------------------------------------

Error PostgresConnection::lose() { return lose(first_line(PQerrorMessage(connection_))); }

Error PostgresConnection::lose(std::string_view why) {
  lost_ = true;
  in_transaction_ = false;
  pending_.clear();
  return fail({ErrorClass::unavailable, "storage.connection_lost", fmt::format("the connection to PostgreSQL is lost: {}", why)});
}

Error PostgresConnection::fail(Error error) {
  if (!failure_) failure_ = error;
  return error;
}

/// Without the server's details, which quote values.
Error PostgresConnection::error_of(const pg_result* answer) {
  const char* state = PQresultErrorField(answer, PG_DIAG_SQLSTATE);
  const char* text = PQresultErrorField(answer, PG_DIAG_MESSAGE_PRIMARY);
  if (PQstatus(connection_) != CONNECTION_OK || state == nullptr) return lose();
  auto error = error_of_state(state, std::string("PostgreSQL: ") + (text != nullptr ? text : state));
  if (error.code == "storage.connection_lost") return lose();
  return fail(std::move(error));
}

// ---- sending ------------------------------------------------------------------------------------------------------------------

/// SQL is constant text in the program, so the cache is bounded by the program's size.
Result<PostgresConnection::Statement*> PostgresConnection::prepared(std::string_view sql, Parameters parameters) {
  PAWL_ASSERT(parameters.size() <= kMaxParameters, "a statement has few parameters");
  std::uint64_t types = 1;
  for (const auto& parameter : parameters) types = types << 3U | static_cast<std::uint64_t>(parameter.type());
  auto found = by_text_.find(sql);
  if (found == by_text_.end()) found = by_text_.emplace(std::string(sql), std::vector<Statement*>()).first;
  Statement* statement = nullptr;
  for (auto* each : found->second) {
    if (each->types == types) statement = each;
  }
  if (statement == nullptr) {
    statements_.push_back({"s" + std::to_string(statements_.size()), types, false});
    statement = &statements_.back();
    found->second.push_back(statement);
  }
  if (statement->sent) return statement;
  std::array<Oid, kMaxParameters> numbers{};
  std::size_t count = 0;
  for (const auto& parameter : parameters) numbers.at(count++) = type_number(parameter.type());
  if (PQsendPrepare(connection_, statement->name.c_str(), found->first.c_str(), static_cast<int>(count), numbers.data()) != 1)
    return lose();
  statement->sent = true;
  pending_.push_back({Pending::Kind::preparation, statement});
  return statement;
}

Result<void> PostgresConnection::send(std::string_view sql, Parameters parameters) {
  if (lost_) return lose();
  for (const auto& parameter : parameters) {
    if (parameter.kind() == Parameter::Kind::text && parameter.bytes().find('\0') != std::string_view::npos) {
      return Error{ErrorClass::invalid, "storage.text", "text must not contain the character U+0000"};
    }
  }
  PAWL_TRY(statement, prepared(sql, parameters));
  std::array<const char*, kMaxParameters> values{};
  std::array<int, kMaxParameters> lengths{};
  std::array<int, kMaxParameters> formats{};
  std::array<std::array<char, 8>, kMaxParameters> numbers{};
  std::size_t count = 0;
  for (const auto& parameter : parameters) {
    formats.at(count) = kBinary;
    switch (parameter.kind()) {
      case Parameter::Kind::null: break;
      case Parameter::Kind::integer:
        numbers.at(count) = postgres_int8(parameter.integer());
        values.at(count) = numbers.at(count).data();
        lengths.at(count) = static_cast<int>(numbers.at(count).size());
        break;
      case Parameter::Kind::text:
      case Parameter::Kind::blob:
        // An empty view may have no address, which libpq would take for null.
        values.at(count) = parameter.bytes().empty() ? "" : parameter.bytes().data();
        lengths.at(count) = static_cast<int>(parameter.bytes().size());
        break;
    }
    ++count;
  }
  if (PQsendQueryPrepared(connection_, statement->name.c_str(), static_cast<int>(count), values.data(), lengths.data(), formats.data(),
                          kBinary) != 1) {
    return lose();
  }
  pending_.push_back({});
  return {};
}

Result<void> PostgresConnection::queue_control(const char* sql) {
  if (lost_) return lose();
  if (PQsendQueryParams(connection_, sql, 0, nullptr, nullptr, nullptr, nullptr, kBinary) != 1) return lose();
  pending_.push_back({});
  return {};
}

// ---- receiving ----------------------------------------------------------------------------------------------------------------

/// What `PQgetResult` answers. A server that is frozen, or behind a line that takes everything and gives nothing, does not answer within
/// `statement_timeout`, and the system's own checks of the line do not notice it.
Result<PostgresConnection::Answer> PostgresConnection::next_result() {
  while (PQisBusy(connection_) == 1) {
    const int flushed = PQflush(connection_);
    if (flushed < 0) return lose();
    const auto interest = static_cast<std::int16_t>(POLLIN | (flushed == 1 ? POLLOUT : 0));
    pollfd socket{PQsocket(connection_), interest, 0};
    const int ready = poll(&socket, 1, answer_timeout_ > Millis(0) ? static_cast<int>(answer_timeout_.count()) : -1);
    if (ready == 0) return lose(fmt::format("it has not answered for {} ms", answer_timeout_.count()));
    if (ready < 0 && errno != EINTR) return lose(std::strerror(errno));
    if (PQconsumeInput(connection_) != 1) return lose();
  }
  return Answer(PQgetResult(connection_));
}

/// The answer to the oldest of what was sent.
Result<PostgresConnection::Answer> PostgresConnection::take_answer() {
  const auto pending = pending_.front();
  PAWL_TRY(answer, next_result());
  if (answer == nullptr) return lose();
  pending_.pop_front();
  const auto status = PQresultStatus(answer.get());
  if (pending.kind == Pending::Kind::sync) {
    if (status != PGRES_PIPELINE_SYNC) return lose();
    return answer;
  }
  // One null after each statement's answers.
  for (;;) {
    PAWL_TRY(more, next_result());
    if (more == nullptr) break;
    if (PQstatus(connection_) != CONNECTION_OK) return lose();
  }
  if (status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK) return answer;
  if (pending.prepared != nullptr) pending.prepared->sent = false;
  if (status == PGRES_PIPELINE_ABORTED && failure_) return *failure_;
  return error_of(answer.get());
}

/// All answers; the last of them, or the first error.
Result<PostgresConnection::Answer> PostgresConnection::take_all_answers() {
  std::optional<Error> failed;
  Answer last;
  while (!pending_.empty()) {
    const bool sync = pending_.front().kind == Pending::Kind::sync;
    auto answer = take_answer();
    if (answer.has_error()) {
      if (!failed) failed = std::move(answer).error();
    } else if (!sync) {
      last = std::move(answer).value();
    }
  }
  if (failed) return *failed;
  return last;
}

/// Waits for everything. After an error the server passes over what follows until such a mark.
void PostgresConnection::resynchronise() {
  if (lost_) return;
  if (PQpipelineSync(connection_) != 1) {
    static_cast<void>(lose());
    return;
  }
  pending_.push_back({Pending::Kind::sync, nullptr});
  static_cast<void>(take_all_answers());
}

Result<std::int64_t> PostgresConnection::run(std::string_view sql, Parameters parameters, const void* context, Visit visit) {
  PAWL_TRY_VOID(send(sql, parameters));
  if (PQsendFlushRequest(connection_) != 1) return lose();
  Answer answer;
  while (!pending_.empty()) {
    auto taken = take_answer();
    if (taken.has_error()) {
      resynchronise();
      return std::move(taken).error();
    }
    answer = std::move(taken).value();
  }
  if (PQresultStatus(answer.get()) == PGRES_TUPLES_OK && visit != nullptr) {
    const int rows = PQntuples(answer.get());
    shown_rows_ = shown_rows_ || rows > 0;
    for (int i = 0; i < rows; ++i) visit(const_cast<void*>(context), row(answer.get(), i));
  }
  return changed_rows(answer.get());
}

Result<void> PostgresConnection::queue(std::string_view sql, Parameters parameters) {
  if (guessing_) return send(sql, parameters);
  return Connection::queue(sql, parameters);
}

Result<bool> PostgresConnection::try_insert(std::string_view sql, Parameters parameters) {
  if (!guessing_) return Connection::try_insert(sql, parameters);
  // Without its last clause an existing key is an error, and the transaction is done again.
  PAWL_TRY_VOID(send(sql.substr(0, sql.rfind(" on conflict")), parameters));
  return true;
}

Result<void> PostgresConnection::script(std::string_view sql) {
  PAWL_TRY_VOID(leave_pipeline());
  ++scripts_;
  const Answer answer(PQexec(connection_, std::string(sql).c_str()));
  const auto status = PQresultStatus(answer.get());
  Result<void> outcome;
  if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK && status != PGRES_EMPTY_QUERY) outcome = error_of(answer.get());
  if (!lost_) PAWL_TRY_VOID(enter_pipeline());
  return outcome;
}

// ---- transactions -------------------------------------------------------------------------------------------------------------

Result<void> PostgresConnection::begin(Access access) {
  failure_.reset();
  commit_sent_ = false;
  shown_rows_ = false;
  PAWL_TRY_VOID(queue_control(access == Access::reading ? "begin isolation level repeatable read read only" : "begin"));
  in_transaction_ = true;
  return {};
}

Result<void> PostgresConnection::commit() {
  PAWL_TRY_VOID(queue_control("commit"));
  commit_sent_ = true;
  if (PQpipelineSync(connection_) != 1) return lose();
  pending_.push_back({Pending::Kind::sync, nullptr});
  auto answer = take_all_answers();
  if (lost_) return lose();
  // An error anywhere is one before the commit: the server does not come to it, or it rolls back.
  if (answer.has_error()) return std::move(answer).error();
  in_transaction_ = false;
  if (std::string_view(PQcmdStatus(answer->get())) != "COMMIT") {
    return failure_ ? *failure_ : Error{ErrorClass::internal, "storage.sql", "PostgreSQL has rolled the transaction back"};
  }
  return {};
}

void PostgresConnection::rollback() {
  if (lost_ || !in_transaction_) return;
  if (failure_) resynchronise();
  if (!lost_ && queue_control("rollback").has_value()) resynchronise();
  in_transaction_ = false;
}

Result<void> PostgresConnection::rollback_to_savepoint() {
  failure_.reset();
  PAWL_TRY_VOID(queue_control("rollback to work"));
  return {};
}

// ---- bulk ---------------------------------------------------------------------------------------------------------------------

Result<std::int64_t> PostgresConnection::copy_out(const std::string& sql, const std::function<Result<void>(std::string_view)>& take) {
  PAWL_TRY_VOID(leave_pipeline());
  const Answer begun(PQexec(connection_, sql.c_str()));
  if (PQresultStatus(begun.get()) != PGRES_COPY_OUT) return error_of(begun.get());
  for (;;) {
    char* data = nullptr;
    const int size = PQgetCopyData(connection_, &data, 0);
    if (size <= 0) break;
    const std::unique_ptr<char, void (*)(void*)> owned(data, PQfreemem);
    PAWL_TRY_VOID(take({data, static_cast<std::size_t>(size)}));
  }
  return end_of_copy();
}

Result<std::int64_t> PostgresConnection::copy_in(const std::string& sql, const std::function<Result<void>(const Put&)>& give) {
  PAWL_TRY_VOID(leave_pipeline());
  const Answer begun(PQexec(connection_, sql.c_str()));
  if (PQresultStatus(begun.get()) != PGRES_COPY_IN) return error_of(begun.get());
  const auto put = [this](std::string_view piece) -> Result<void> {
    if (PQputCopyData(connection_, piece.data(), static_cast<int>(piece.size())) != 1) return lose();
    return {};
  };
  PAWL_TRY_VOID(give(put));
  if (PQputCopyEnd(connection_, nullptr) != 1) return lose();
  return end_of_copy();
}

Result<std::int64_t> PostgresConnection::end_of_copy() {
  const Answer ended(PQgetResult(connection_));
  if (PQresultStatus(ended.get()) != PGRES_COMMAND_OK) return error_of(ended.get());
  const Answer none(PQgetResult(connection_));
  PAWL_TRY_VOID(enter_pipeline());
  return changed_rows(ended.get());
}

}  // namespace pawl::storage::detail
