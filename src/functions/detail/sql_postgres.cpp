// PostgreSQL by libpq, without blocking: the deadline and the cancel flag hold at every step.

#include <fmt/format.h>
#include <libpq-fe.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <memory>
#include <optional>

#include "base/utf8.hpp"
#include "functions/detail/encoding.hpp"
#include "functions/detail/sql.hpp"
#include "json/parse.hpp"
#include "json/write.hpp"
#include "net/permitted_addresses.hpp"

namespace pawl::functions {
namespace {

using Clock = std::chrono::steady_clock;
constexpr int kLook = 50;  // milliseconds between two looks at the cancel flag
constexpr Millis kTimeToCancel{2'000};
constexpr std::uint64_t kOnTheWay = 8U << 20U;  // what may wait in the machine for being read, and what frames and encryption add

struct CloseConnection {
  void operator()(PGconn* connection) const noexcept { PQfinish(connection); }
};
struct ClearResult {
  void operator()(PGresult* result) const noexcept { PQclear(result); }
};
struct FreeOptions {
  void operator()(PQconninfoOption* options) const noexcept { PQconninfoFree(options); }
};
using Connection = std::unique_ptr<PGconn, CloseConnection>;
using Answer = std::unique_ptr<PGresult, ClearResult>;

Error bad_connection(std::string message) { return {ErrorClass::invalid, "sql.connection", std::move(message)}; }

// ---- waiting ------------------------------------------------------------------------------------------------------------------------

Result<void> wait_for(PGconn* connection, short events, const SqlStatement& statement, const std::atomic<bool>& cancelled) {
  while (true) {
    if (cancelled.load(std::memory_order_relaxed)) return Error(ErrorClass::unavailable, "sql.cancelled", "the call was cancelled");
    if (Clock::now() >= statement.deadline) return Error(ErrorClass::timeout, "sql.timeout", "the time for this call is up");
    pollfd descriptor{PQsocket(connection), events, 0};
    if (::poll(&descriptor, 1, kLook) > 0) return boost::system::in_place_value;
  }
}

// ---- connecting ---------------------------------------------------------------------------------------------------------------------

// In a connection string an empty value counts as given, so nothing comes from the environment or from files of this machine.
void add(std::string& to, std::string_view keyword, std::string_view value) {
  to.append(keyword).append("='");
  for (const char c : value) {
    if (c == '\'' || c == '\\') to.push_back('\\');
    to.push_back(c);
  }
  to.append("' ");
}

Result<Connection> begin(const PostgresAddress& address, const std::string& host_address, const std::string& sslmode) {
  constexpr std::string_view kNoFile = "/dev/null/none";
  std::string wanted;
  add(wanted, "host", address.host);
  add(wanted, "hostaddr", host_address);
  add(wanted, "port", address.port);
  add(wanted, "dbname", address.database);
  add(wanted, "user", address.user);
  add(wanted, "password", address.password);
  add(wanted, "sslmode", sslmode);
  add(wanted, "passfile", "/dev/null");
  add(wanted, "sslcert", kNoFile);
  add(wanted, "sslkey", kNoFile);
  if (!sslmode.starts_with("verify")) add(wanted, "sslrootcert", kNoFile);
  add(wanted, "application_name", "pawl");
  add(wanted, "gssencmode", "disable");
  add(wanted, "target_session_attrs", "any");
  add(wanted, "client_encoding", "UTF8");
  for (const auto* none : {"options", "requirepeer"}) add(wanted, none, "");
  Connection connection(PQconnectStart(wanted.c_str()));
  if (!connection || PQstatus(connection.get()) == CONNECTION_BAD) {
    return Error(ErrorClass::unavailable, "sql.unavailable", fmt::format("{} cannot be connected to", address.display()));
  }
  PQsetNoticeProcessor(
      connection.get(), [](void*, const char*) {}, nullptr);
  return connection;
}

Error refused(PGconn* connection, const PostgresAddress& address) {
  const std::string_view said = PQerrorMessage(connection);
  const auto mentions = [&](std::string_view word) { return said.find(word) != std::string_view::npos; };
  if (mentions("authentication failed") || mentions("no password supplied") || PQconnectionNeedsPassword(connection) != 0) {
    return {ErrorClass::unauthenticated, "sql.authentication", fmt::format("{} refused the user or the password", address.display())};
  }
  if (mentions("SSL") || mentions("certificate")) {
    return {ErrorClass::unavailable, "sql.unavailable", fmt::format("{} offers no TLS as it is asked for", address.display())};
  }
  if (mentions("does not exist")) return bad_connection(fmt::format("{}: the database or the user does not exist", address.display()));
  return {ErrorClass::unavailable, "sql.unavailable", fmt::format("{} cannot be connected to", address.display())};
}

Result<Connection> connect(const PostgresAddress& address, const net::AddressPolicy& policy, const SqlStatement& statement,
                           const std::atomic<bool>& cancelled) {
  PAWL_TRY(addresses, net::permitted_addresses(address.host, policy));
  const std::string sslmode = address.sslmode_for(addresses);
  std::optional<Error> last;
  for (const std::string& each : addresses) {
    PAWL_TRY(connection, begin(address, each, sslmode));
    auto wanted = PGRES_POLLING_WRITING;
    while (wanted != PGRES_POLLING_OK && wanted != PGRES_POLLING_FAILED) {
      PAWL_TRY_VOID(wait_for(connection.get(), wanted == PGRES_POLLING_READING ? POLLIN : POLLOUT, statement, cancelled));
      wanted = PQconnectPoll(connection.get());
    }
    if (wanted == PGRES_POLLING_OK) {
      // Else sending would wait for a server that does not read.
      if (PQsetnonblocking(connection.get(), 1) == 0) return connection;
      return Error(ErrorClass::unavailable, "sql.unavailable", fmt::format("{} cannot be connected to", address.display()));
    }
    last = refused(connection.get(), address);
    if (last->code != "sql.unavailable") break;
  }
  return last.value_or(Error(ErrorClass::unavailable, "net.dns", "The name has no address."));
}

// ---- answers ------------------------------------------------------------------------------------------------------------------------

/// By SQLSTATE: https://www.postgresql.org/docs/15/errcodes-appendix.html
Error error_of(const PGresult* answer) {
  const auto field = [&](int code) {
    return std::string(PQresultErrorField(answer, code) != nullptr ? PQresultErrorField(answer, code) : "");
  };
  const std::string state = field(PG_DIAG_SQLSTATE);
  std::string said = to_utf8(field(PG_DIAG_MESSAGE_PRIMARY));
  if (said.empty()) said = "the database broke off";
  if (state == "25006") return {ErrorClass::denied, "sql.read_only", said + " (read_only is set)"};
  if (state == "42501") return {ErrorClass::denied, "sql.denied", said};
  if (state == "57014") return {ErrorClass::timeout, "sql.timeout", said};
  const auto family = state.substr(0, 2);
  if (family.empty() || family == "08" || family == "53" || family == "57" || family == "40" || family == "55") {
    return {ErrorClass::unavailable, "sql.unavailable", said};
  }
  return {ErrorClass::invalid, "sql.statement", fmt::format("{} (SQLSTATE {})", said, state)};
}

json::Value typed(Oid type, std::string_view text) {
  constexpr Oid kBool = 16, kBytea = 17, kInt8 = 20, kInt2 = 21, kInt4 = 23, kOid = 26, kJson = 114, kFloat4 = 700, kFloat8 = 701,
                kNumeric = 1700, kJsonb = 3802;
  constexpr std::size_t kExactDigits = 15;
  switch (type) {
    case kBool: return text == "t";
    case kInt2:
    case kInt4:
    case kInt8:
    case kOid: {
      std::int64_t value = 0;
      std::from_chars(text.data(), text.data() + text.size(), value);
      return value;
    }
    case kNumeric:  // digits are not lost: a long one stays a text
      if (text.size() > kExactDigits) return text;
      [[fallthrough]];
    case kFloat4:
    case kFloat8: {
      double value = 0;
      const auto end = std::from_chars(text.data(), text.data() + text.size(), value);
      if (end.ptr != text.data() + text.size() || !std::isfinite(value)) return text;
      return value;
    }
    case kJson:
    case kJsonb:
      if (auto value = json::parse(text); value.has_value()) return std::move(value).value();
      return text;
    case kBytea: {  // \x and hexadecimal digits
      std::string bytes;
      for (std::size_t i = 2; i + 1 < text.size(); i += 2) {
        unsigned value = 0;
        std::from_chars(text.data() + i, text.data() + i + 2, value, 16);
        bytes.push_back(static_cast<char>(value));
      }
      return to_base64(bytes);
    }
    default: return to_utf8(std::string(text));
  }
}

class Session {
 public:
  Session(Connection connection, const PostgresAddress& address, const net::AddressPolicy& policy, const SqlStatement& statement,
          const std::atomic<bool>& cancelled)
      : connection_(std::move(connection)), address_(address), policy_(policy), statement_(statement), cancelled_(cancelled) {}

  /// One statement of our own; `value` is its $1.
  Result<void> control(const char* sql, const std::string& value) {
    const char* const values[] = {value.c_str()};
    if (PQsendQueryParams(connection_.get(), sql, 1, nullptr, values, nullptr, nullptr, 0) == 0) return lost();
    return ended();
  }
  Result<void> control(const char* sql) {
    if (PQsendQuery(connection_.get(), sql) == 0) return lost();
    return ended();
  }
  Result<void> ended() {
    while (true) {
      PAWL_TRY(answer, next());
      if (!answer) return boost::system::in_place_value;
      const auto status = PQresultStatus(answer.get());
      if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) return error_of(answer.get());
    }
  }

  Result<json::Value> query(const std::string& sql, const std::vector<std::optional<std::string>>& parameters) {
    std::vector<const char*> values;
    values.reserve(parameters.size());
    for (const auto& parameter : parameters) values.push_back(parameter ? parameter->c_str() : nullptr);
    if (PQsendQueryParams(connection_.get(), sql.c_str(), static_cast<int>(values.size()), nullptr, values.data(), nullptr, nullptr, 0) ==
            0 ||
        PQsetSingleRowMode(connection_.get()) == 0) {
      return lost();
    }
    std::optional<SqlRows> rows;
    std::optional<std::int64_t> affected;
    while (true) {
      auto next_answer = next();
      if (next_answer.has_error()) {
        stop_statement();
        return next_answer.error();
      }
      const Answer answer = std::move(next_answer).value();
      if (!answer) break;
      const auto status = PQresultStatus(answer.get());
      if (status == PGRES_COPY_OUT || status == PGRES_COPY_IN || status == PGRES_COPY_BOTH) {
        stop_statement();
        return Error(ErrorClass::invalid, "sql.statement", "copy is not possible here");
      }
      if (status != PGRES_SINGLE_TUPLE && status != PGRES_TUPLES_OK && status != PGRES_COMMAND_OK) return error_of(answer.get());
      if (!rows) rows.emplace(statement_, names_of(answer.get()));
      if (status == PGRES_SINGLE_TUPLE) {
        PAWL_TRY(more, keep(*rows, answer.get()));
        if (!more) return std::move(*rows).finish();
      } else if (const std::string_view text(PQcmdTuples(answer.get())); !text.empty()) {
        affected = 0;
        std::from_chars(text.data(), text.data() + text.size(), *affected);
      }
    }
    json::Value output = rows ? std::move(*rows).finish() : json::Value::object();
    if (!statement_.read_only) output.set("rows_affected", affected ? json::Value(*affected) : json::Value());
    return output;
  }

 private:
  static std::vector<std::string> names_of(const PGresult* answer) {
    std::vector<std::string> names;
    names.reserve(static_cast<std::size_t>(PQnfields(answer)));
    for (int i = 0; i < PQnfields(answer); ++i) names.push_back(to_utf8(PQfname(answer, i)));
    return names;
  }
  // False: enough, and the statement has been stopped. One that writes is let through to its end.
  Result<bool> keep(SqlRows& rows, const PGresult* answer) {
    if (!rows.wants_more()) {
      // The server ends a statement whose rows it cannot send any more: the connection is closed with the session.
      return !statement_.read_only;
    }
    std::size_t bytes = 0;
    std::vector<json::Value> values;
    for (int i = 0; i < PQnfields(answer); ++i) {
      const auto size = static_cast<std::size_t>(PQgetlength(answer, 0, i));
      bytes += size + 8;
      values.push_back(PQgetisnull(answer, 0, i) != 0 ? json::Value() : typed(PQftype(answer, i), {PQgetvalue(answer, 0, i), size}));
    }
    auto added = rows.add(std::move(values), bytes);
    if (added.has_error()) {
      stop_statement();
      return std::move(added).error();
    }
    return true;
  }
  // Null: the statement has ended.
  Result<Answer> next() {
    while (true) {
      const int unsent = PQflush(connection_.get());
      if (unsent < 0) return lost();
      if (unsent == 0 && PQisBusy(connection_.get()) == 0) break;
      PAWL_TRY_VOID(wait_for(connection_.get(), static_cast<short>(unsent != 0 ? POLLOUT | POLLIN : POLLIN), statement_, cancelled_));
      if (PQconsumeInput(connection_.get()) == 0) return lost();
      if (received() - received_before_ > statement_.max_bytes + kOnTheWay) {
        return Error(ErrorClass::too_large, "sql.too_large",
                     fmt::format("a row has more than the {} bytes that are allowed", statement_.max_bytes));
      }
    }
    Answer answer(PQgetResult(connection_.get()));
    received_before_ = received();
    return answer;
  }
  // libpq keeps a row until all of it is there, however large: only the kernel says how much that has become.
  [[nodiscard]] std::uint64_t received() const {
    tcp_info info{};
    socklen_t size = sizeof info;
    return getsockopt(PQsocket(connection_.get()), IPPROTO_TCP, TCP_INFO, &info, &size) == 0 ? info.tcpi_bytes_received : 0;
  }
  // The server goes on with a statement whose client has left: it has to be told. `PQcancel` would wait without a limit, and unencrypted;
  // a role may cancel what it runs itself by a statement.
  void stop_statement() {
    const int process = PQbackendPID(connection_.get());
    SqlStatement cancel;
    cancel.deadline = Clock::now() + kTimeToCancel;
    const std::atomic<bool> never{false};
    auto other = connect(address_, policy_, cancel, never);
    if (other.has_error()) return;
    Session session(std::move(other).value(), address_, policy_, cancel, never);
    static_cast<void>(
        session.control("select pg_cancel_backend(pid) from pg_stat_activity where pid = $1::int and usename = current_user "
                        "and application_name = 'pawl'",
                        std::to_string(process)));
  }
  static Error lost() { return {ErrorClass::unavailable, "sql.unavailable", "the connection to the database broke off"}; }

  Connection connection_;
  std::uint64_t received_before_ = 0;  // when the last row was complete
  const PostgresAddress& address_;
  const net::AddressPolicy& policy_;
  const SqlStatement& statement_;
  const std::atomic<bool>& cancelled_;
};

std::optional<std::string> to_parameter(const json::Value& value) {
  if (value.is_null()) return std::nullopt;
  return as_text(value);
}

Result<std::vector<std::optional<std::string>>> values_of(const json::Value& parameters, const std::vector<std::string>& names) {
  std::vector<std::optional<std::string>> values;
  if (parameters.is_array()) {
    for (const json::Value& item : parameters.items()) values.push_back(to_parameter(item));
  }
  for (const std::string& name : names) values.push_back(to_parameter(parameters.get(name)));
  const bool has_nul =
      std::any_of(values.begin(), values.end(), [](const auto& each) { return each && each->find('\0') != std::string::npos; });
  if (has_nul) return Error(ErrorClass::invalid, "sql.parameters", "a parameter contains a NUL");
  return values;
}

}  // namespace

std::string PostgresAddress::sslmode_for(const std::vector<std::string>& addresses) const {
  if (!sslmode.empty()) return sslmode;
  const bool far = std::any_of(addresses.begin(), addresses.end(), [](const std::string& text) {
    const auto address = net::IpAddress::parse(text);
    return !address || net::is_public(*address);
  });
  return far ? "require" : "prefer";
}

std::string PostgresAddress::display() const { return fmt::format("postgresql://{}:{}/{}", host, port, database); }

Result<PostgresAddress> PostgresAddress::parse(std::string_view connection_string) {
  std::string text(connection_string);
  // `postgresql+driver://`, as another library writes it.
  if (const std::size_t scheme = text.find("://"); scheme != std::string::npos) {
    if (const std::size_t plus = text.find('+'); plus < scheme) text.erase(plus, scheme - plus);
  }
  char* problem = nullptr;
  const std::unique_ptr<PQconninfoOption, FreeOptions> options(PQconninfoParse(text.c_str(), &problem));
  if (problem != nullptr) PQfreemem(problem);  // it may repeat the password
  if (!options) return bad_connection("the connection string is not one of PostgreSQL");
  PostgresAddress address;
  for (const PQconninfoOption* option = options.get(); option->keyword != nullptr; ++option) {
    if (option->val == nullptr) continue;
    const std::string_view key = option->keyword;
    if (key == "host")
      address.host = option->val;
    else if (key == "port")
      address.port = option->val;
    else if (key == "dbname")
      address.database = option->val;
    else if (key == "user")
      address.user = option->val;
    else if (key == "password")
      address.password = option->val;
    else if (key == "sslmode")
      address.sslmode = option->val;
    else if (key != "application_name" && key != "connect_timeout")
      return bad_connection(fmt::format("`{}` cannot be set in a connection string here", key));
  }
  if (address.host.empty() || address.host.starts_with('/') || address.host.starts_with('@')) {
    return bad_connection("the connection string names no host (sockets of this machine are not reached)");
  }
  if (address.host.find(',') != std::string::npos || address.port.find(',') != std::string::npos) {
    return bad_connection("the connection string names several hosts");
  }
  return address;
}

Result<json::Value> query_postgres(const PostgresAddress& address, const net::AddressPolicy& policy, const SqlStatement& statement,
                                   const std::atomic<bool>& cancelled) {
  NumberedSql numbered{statement.text, {}};
  if (!statement.parameters.is_array()) {
    PAWL_TRY(by_name, number_parameters(statement.text, statement.parameters));
    numbered = std::move(by_name);
  }
  if (numbered.text.find('\0') != std::string::npos) return Error(ErrorClass::invalid, "sql.statement", "the statement contains a NUL");
  PAWL_TRY(values, values_of(statement.parameters, numbered.names));
  PAWL_TRY(connection, connect(address, policy, statement, cancelled));
  Session session(std::move(connection), address, policy, statement, cancelled);
  if (!statement.read_only) return session.query(numbered.text, values);
  // The second statement takes a snapshot: after it `set transaction read write` is refused. Should the statement end the transaction, none
  // can follow. Nothing is set outside of the transaction: a pooler gives the connection to others afterwards.
  const auto left = std::chrono::ceil<Millis>(statement.deadline - Clock::now()).count();
  const auto limit = std::to_string(std::clamp<std::int64_t>(left, 1, 2'000'000'000));
  PAWL_TRY_VOID(session.control("begin transaction read only"));
  PAWL_TRY_VOID(session.control("select set_config('statement_timeout', $1, true)", limit));
  return session.query(numbered.text, values);
}

}  // namespace pawl::functions
