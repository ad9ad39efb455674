// `sql-query`: one statement against PostgreSQL or an SQLite file below the roots.

#include <fmt/format.h>

#include <algorithm>
#include <mutex>

#include "async/blocking_pool.hpp"
#include "base/utf8.hpp"
#include "functions/detail/builtins.hpp"
#include "functions/detail/encoding.hpp"
#include "functions/detail/secret_hosts.hpp"
#include "functions/detail/sql.hpp"
#include "functions/detail/sql_target.hpp"

namespace pawl::functions {
namespace {

constexpr std::size_t kThreads = 4;
constexpr std::size_t kWaiting = 1'000;
constexpr std::int64_t kDefaultLimit = 1'000;
constexpr std::size_t kShownQuery = 500;

bool reads_only(const json::Value& arguments) { return flag_or(arguments, "read_only", true); }

class SqlQuery final : public Builtin {
 public:
  explicit SqlQuery(const Parts& parts)
      : Builtin({.name = "sql-query",
                 .summary = "Runs one SQL statement against PostgreSQL or an SQLite file below the allowed folders",
                 .parameters = literal(R"({
                   "type": "object",
                   "properties": {
                     "query": {"type": "string", "minLength": 1, "maxLength": 100000, "description": "one statement"},
                     "parameters": {"type": ["object", "array"], "description": "by name, :name in the statement, or by number, $1"},
                     "connection_string": {"type": "string", "minLength": 1,
                                           "description": "postgresql://user:password@host/database, or an SQLite file as sqlite:path; best from $secrets"},
                     "connection": {
                       "type": "object", "description": "PostgreSQL in parts, as the integration postgres keeps it",
                       "properties": {
                         "host": {"type": "string", "minLength": 1}, "port": {"type": "integer", "minimum": 1, "maximum": 65535, "default": 5432},
                         "database": {"type": "string", "minLength": 1}, "username": {"type": "string", "minLength": 1}, "password": {"type": "string"},
                         "sslmode": {"type": "string", "enum": ["disable", "prefer", "require", "verify-ca", "verify-full"], "default": "require"}
                       },
                       "required": ["host", "database", "username"]
                     },
                     "path": {"type": "string", "minLength": 1, "description": "an SQLite file below the allowed folders"},
                     "database_type": {"type": "string", "enum": ["postgresql", "sqlite"], "description": "default: by the connection string"},
                     "operation": {"type": "string", "enum": ["select", "insert", "update", "delete"], "description": "accepted for older documents: what the statement may do is what read_only says"},
                     "read_only": {"type": "boolean", "default": true, "description": "kept by the database itself; false needs allow_destructive"},
                     "limit": {"type": "integer", "minimum": 1, "maximum": 100000, "default": 1000, "description": "rows at most"},
                     "timeout": {"description": "seconds, ISO 8601 text or a duration object; default 30 s"},
                     "allow_destructive": {"type": "boolean", "default": false},
                     "dry_run": {"type": "boolean", "default": false}
                   },
                   "required": ["query"],
                   "oneOf": [{"required": ["connection_string"]}, {"required": ["connection"]}, {"required": ["path"]}],
                   "additionalProperties": false
                 })"),
                 .output = literal(R"({
                   "type": "object",
                   "properties": {
                     "rows": {"type": "array", "items": {"type": "object"}}, "columns": {"type": "array", "items": {"type": "string"}},
                     "count": {"type": "integer"}, "limited": {"type": "boolean", "description": "there were more rows than the limit"},
                     "rows_affected": {"type": ["integer", "null"], "description": "of a statement that may write"}
                   }
                 })"),
                 .examples = literal(R"([
                   {"path": "data/shop.db", "query": "select name, price from products where price < :most order by name", "parameters": {"most": 10}},
                   {"connection_string": "postgresql://reader@db.example/shop", "query": "select count(*) as orders from orders where day = $1", "parameters": ["2026-01-31"]},
                   {"path": "data/shop.db", "query": "update products set price = price * 2", "read_only": false, "allow_destructive": true}
                 ])"),
                 .destructive = true,
                 .reach = {{engine::Access::Kind::database, "/connection_string", ""},
                           {engine::Access::Kind::database, "/connection/host", ""},
                           {engine::Access::Kind::database, "/path", ""}}}),
        parts_(parts) {}

  [[nodiscard]] bool destroys(const json::Value& arguments) const override { return !reads_only(arguments); }
  [[nodiscard]] engine::EffectClass effect_class(const json::Value& arguments) const override {
    return reads_only(arguments) ? engine::EffectClass::read : engine::EffectClass::once;
  }

 private:
  [[nodiscard]] Result<json::Value> describe(const engine::Invocation& call) const override {
    PAWL_TRY(target, sql_target(*parts_.roots, call.arguments));
    return json::Value::array({json::Value::object({{"action", reads_only(call.arguments) ? "query" : "execute"},
                                                    {"database", target.display()},
                                                    {"query", to_utf8(text_or(call.arguments, "query", "").substr(0, kShownQuery))}})});
  }

  engine::Cancel run(engine::Invocation call, engine::Done done) override {
    auto target = sql_target(*parts_.roots, call.arguments);
    auto time = duration_argument(call.arguments, "timeout");
    if (target.has_error() || time.has_error()) {
      done(failed(target.has_error() ? target.error() : time.error()));
      return {};
    }
    if (!target->file) {
      if (const auto held = hold_to_host(call.arguments, target->server.host, call.secrets); held.has_error()) {
        done(failed(held.error()));
        return {};
      }
    }
    SqlStatement statement;
    statement.text = text_or(call.arguments, "query", "");
    statement.parameters = call.arguments.get("parameters");
    statement.read_only = reads_only(call.arguments);
    const json::Value& limit = call.arguments.get("limit");
    statement.limit = static_cast<std::size_t>(limit.is_integer() ? limit.as_integer() : kDefaultLimit);
    statement.max_bytes = parts_.options.max_response;
    statement.deadline = std::chrono::steady_clock::now() + std::min(time->value_or(Millis(30'000)), parts_.options.process_timeout);
    const net::AddressPolicy policy = parts_.dependencies.policy != nullptr ? *parts_.dependencies.policy : net::AddressPolicy{};
    auto work = [target = std::move(target).value(), statement = std::move(statement), policy, secrets = std::move(call.secrets),
                 roots = parts_.roots](const std::atomic<bool>& cancelled) {
      auto answer =
          target.file ? query_sqlite(*target.file, statement, cancelled) : query_postgres(target.server, policy, statement, cancelled);
      if (answer.has_value()) return engine::Outcome::success(std::move(answer).value());
      Error error = std::move(answer).error();
      error.message = redact(std::move(error.message), secrets);
      return failed(error);
    };
    return run_on_pool(pool(), std::move(work), std::move(done));
  }

  // Statements may take long: they do not wait for others' files, nor files for them. The threads begin with the first statement.
  async::BlockingPool& pool() {
    std::call_once(once_, [this] { pool_ = std::make_unique<async::BlockingPool>("pawl-sql", kThreads, kWaiting); });
    return *pool_;
  }

  Parts parts_;
  std::once_flag once_;
  std::unique_ptr<async::BlockingPool> pool_;
};

}  // namespace

std::unique_ptr<engine::Function> make_sql_query(const Parts& parts) { return std::make_unique<SqlQuery>(parts); }

}  // namespace pawl::functions
