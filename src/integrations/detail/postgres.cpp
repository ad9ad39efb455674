// PostgreSQL: a connection and `select 1`, by libpq without blocking, so that the deadline holds at every step.
#include <libpq-fe.h>
#include <poll.h>

#include <memory>
#include <string>

#include "integrations/detail/probe.hpp"
#include "net/permitted_addresses.hpp"

namespace pawl::integrations::detail {
namespace {

constexpr std::string_view kService = "The database";

struct CloseConnection {
  void operator()(PGconn* connection) const noexcept { PQfinish(connection); }
};
struct ClearResult {
  void operator()(PGresult* result) const noexcept { PQclear(result); }
};
using Connection = std::unique_ptr<PGconn, CloseConnection>;
using Answer = std::unique_ptr<PGresult, ClearResult>;

Verdict timed_out() { return no_answer(kService, Error(ErrorClass::timeout, "net.timeout", "")); }

/// False when the time is up.
bool wait_for(PGconn* connection, short events, const ProbeTools& tools) {
  if (std::chrono::steady_clock::now() >= tools.deadline) return false;
  pollfd descriptor{PQsocket(connection), events, 0};
  return ::poll(&descriptor, 1, static_cast<int>(time_left(tools).count())) > 0;
}

/// libpq would print what a server says on the standard error stream.
void drop_notice(void*, const char*) {}

/// One keyword of a connection string; `value` in quotes.
void add(std::string& to, std::string_view keyword, std::string_view value) {
  to.append(keyword).append("='");
  for (const char c : value) {
    if (c == '\'' || c == '\\') to.push_back('\\');
    to.push_back(c);
  }
  to.append("' ");
}

/// What could come from the environment or a file of this machine is given here, as a connection string, in which an empty value counts as
/// given. Only `PGSERVICE` cannot be, but a service adds nothing to what is. Where certificates are to be verified, those to verify them by
/// are the ones that this machine has for libpq; in the other modes none is read, nor is a client's certificate ever.
Connection begin(const json::Value& config, const std::string& address) {
  constexpr std::string_view kNoFile = "/dev/null/none";
  const auto mode = text_of(config, "sslmode", "require");
  std::string wanted;
  add(wanted, "host", text_of(config, "host"));
  add(wanted, "hostaddr", address);
  add(wanted, "port", std::to_string(integer_of(config, "port", 5432)));
  add(wanted, "dbname", text_of(config, "database"));
  add(wanted, "user", text_of(config, "username"));
  add(wanted, "password", text_of(config, "password"));
  add(wanted, "sslmode", mode);
  add(wanted, "passfile", "/dev/null");
  add(wanted, "sslcert", kNoFile);
  add(wanted, "sslkey", kNoFile);
  if (mode != "verify-full") add(wanted, "sslrootcert", kNoFile);
  add(wanted, "application_name", "pawl");
  add(wanted, "gssencmode", "disable");
  add(wanted, "target_session_attrs", "any");
  add(wanted, "channel_binding", "prefer");
  for (const auto* none : {"options", "client_encoding", "requirepeer"}) add(wanted, none, "");
  Connection connection(PQconnectStart(wanted.c_str()));
  if (connection) PQsetNoticeProcessor(connection.get(), drop_notice, nullptr);
  return connection;
}

/// Nothing: connected.
std::optional<Verdict> connect(PGconn* connection, const ProbeTools& tools) {
  auto wanted = PGRES_POLLING_WRITING;
  while (wanted != PGRES_POLLING_OK) {
    if (wanted == PGRES_POLLING_FAILED) {
      // libpq's sentence may repeat what the other side sent: only its meaning is told.
      const std::string_view said = PQerrorMessage(connection);
      const auto mentions = [&](std::string_view word) { return said.find(word) != std::string_view::npos; };
      if (mentions("password authentication failed") || mentions("no password supplied") || PQconnectionNeedsPassword(connection) != 0) {
        return Verdict{false, "The database refused the user or the password."};
      }
      if (mentions("SSL") || mentions("certificate")) return Verdict{false, "The database offers no TLS as it is asked for."};
      if (mentions("refused") || mentions("unreachable")) return no_answer(kService, Error(ErrorClass::unavailable, "net.connect", ""));
      if (mentions("does not exist")) return Verdict{false, "The database or the user does not exist."};
      return lied(kService);
    }
    if (!wait_for(connection, wanted == PGRES_POLLING_READING ? POLLIN : POLLOUT, tools)) return timed_out();
    wanted = PQconnectPoll(connection);
  }
  return std::nullopt;
}

Verdict ask(PGconn* connection, const ProbeTools& tools) {
  if (PQsendQuery(connection, "select 1") == 0) return lied(kService);
  while (PQisBusy(connection) != 0) {
    if (!wait_for(connection, POLLIN, tools)) return timed_out();
    if (PQconsumeInput(connection) == 0) return lied(kService);
  }
  const Answer answer(PQgetResult(connection));
  if (!answer || PQresultStatus(answer.get()) != PGRES_TUPLES_OK || PQntuples(answer.get()) != 1) return lied(kService);
  if (std::string_view(PQgetvalue(answer.get(), 0, 0)) != "1") return lied(kService);
  return {true, "The database accepts the connection and answers a query."};
}

Verdict test(const json::Value& config, const ProbeTools& tools) {
  const auto addresses = net::permitted_addresses(text_of(config, "host"), tools.policy);
  if (addresses.has_error()) return no_answer(kService, addresses.error());
  const auto connection = begin(config, addresses->front());
  if (!connection || PQstatus(connection.get()) == CONNECTION_BAD)
    return no_answer(kService, Error(ErrorClass::unavailable, "net.connect", ""));
  if (auto failure = connect(connection.get(), tools)) return std::move(*failure);
  return ask(connection.get(), tools);
}

}  // namespace

Connector postgres() {
  Connector connector;
  connector.name = "postgres";
  connector.title = "PostgreSQL";
  connector.summary = "A PostgreSQL database";
  connector.schema = literal(R"({
    "type": "object",
    "properties": {
      "host": {"type": "string", "title": "Server", "pattern": "^[A-Za-z0-9.:-]+$", "maxLength": 253},
      "port": {"type": "integer", "title": "Port", "minimum": 1, "maximum": 65535, "default": 5432},
      "database": {"type": "string", "title": "Database", "minLength": 1, "maxLength": 100},
      "username": {"type": "string", "title": "User", "minLength": 1, "maxLength": 100},
      "password": {"type": "string", "title": "Password", "minLength": 1, "maxLength": 1000, "writeOnly": true},
      "sslmode": {"type": "string", "title": "Encryption", "enum": ["disable", "prefer", "require", "verify-full"], "default": "require"}
    },
    "required": ["host", "database", "username", "password"],
    "additionalProperties": false
  })");
  connector.hosts = [](const json::Value& config) { return std::vector<std::string>{text_of(config, "host")}; };
  connector.test = test;
  return connector;
}

}  // namespace pawl::integrations::detail
