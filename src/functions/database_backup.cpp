// `database-backup`: an SQLite file by SQLite's online backup, or PostgreSQL by `pg_dump` in the sandbox, into a file below the roots.

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sqlite3.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <mutex>

#include "functions/detail/builtins.hpp"
#include "functions/detail/encoding.hpp"
#include "functions/detail/process_call.hpp"
#include "functions/detail/secret_hosts.hpp"
#include "functions/detail/sql_target.hpp"
#include "functions/detail/sqlite_file.hpp"
#include "functions/detail/staged_file.hpp"
#include "net/permitted_addresses.hpp"

namespace pawl::functions {
namespace {

constexpr Millis kDefaultTime{600'000};

bool replaces(const json::Value& arguments) { return flag_or(arguments, "overwrite", false); }

std::uint64_t size_of(int fd) {
  struct stat status {};
  return fstat(fd, &status) == 0 ? static_cast<std::uint64_t>(status.st_size) : 0;
}

json::Value report(const std::string& source, const Place& target, std::uint64_t size, bool created) {
  return json::Value::object({{"source", source}, {"path", target.display()}, {"size", size}, {"created", created}});
}

// ---- SQLite -------------------------------------------------------------------------------------------------------------------------

// Pages are copied while others go on writing; what they change meanwhile is copied again.
Result<void> copy_pages(sqlite3* from, sqlite3* to, std::chrono::steady_clock::time_point deadline, const std::atomic<bool>& cancelled) {
  constexpr int kPages = 256;
  constexpr int kPause = 20;
  sqlite3_backup* backup = sqlite3_backup_init(to, "main", from, "main");
  if (backup == nullptr) return Error(ErrorClass::unavailable, "sql.unavailable", sqlite3_errmsg(to));
  int code = SQLITE_OK;
  std::optional<Error> ended;
  while (!ended && (code == SQLITE_OK || code == SQLITE_BUSY || code == SQLITE_LOCKED)) {
    if (cancelled.load(std::memory_order_relaxed)) ended = Error(ErrorClass::unavailable, "sql.cancelled", "the call was cancelled");
    if (std::chrono::steady_clock::now() >= deadline) ended = Error(ErrorClass::timeout, "sql.timeout", "the time for this call is up");
    if (ended) break;
    code = sqlite3_backup_step(backup, kPages);
    if (code == SQLITE_BUSY || code == SQLITE_LOCKED) ::poll(nullptr, 0, kPause);
  }
  sqlite3_backup_finish(backup);
  if (ended) return std::move(*ended);
  if (code != SQLITE_DONE)
    return Error(ErrorClass::invalid, "sql.statement", fmt::format("the database cannot be read: {}", sqlite3_errstr(code)));
  return boost::system::in_place_value;
}

Result<json::Value> back_up_sqlite(const Place& source, const Place& target, bool replace, Millis time,
                                   const std::atomic<bool>& cancelled) {
  PAWL_TRY_VOID(check_sqlite_file(source, false));
  PAWL_TRY(parent, open_parent(source, false));
  PAWL_TRY(staged, StagedFile::open(target, replace));
  {
    PAWL_TRY(from, open_sqlite(parent, source.display(), SqliteOpen::read));
    PAWL_TRY(to, open_sqlite(staged.staged(), target.display(), SqliteOpen::write));
    // Nobody else sees the copy before it is whole: it needs no journal that would be left beside it.
    sqlite3_exec(to.get(), "pragma journal_mode = off", nullptr, nullptr, nullptr);
    PAWL_TRY_VOID(copy_pages(from.get(), to.get(), std::chrono::steady_clock::now() + time, cancelled));
    // The copy of a database with a write-ahead log would make one of its own as soon as somebody looks at it.
    sqlite3_exec(to.get(), "pragma journal_mode = delete", nullptr, nullptr, nullptr);
  }
  const std::uint64_t size = size_of(staged.fd());
  PAWL_TRY(created, staged.commit());
  return report(source.display(), target, size, created);
}

// ---- PostgreSQL ---------------------------------------------------------------------------------------------------------------------

// Debian's `pg_dump` on the path is a script that looks for clusters of the machine; the program itself lies here. The newest can dump
// what older servers have.
std::string dump_program() {
  for (const char* version : {"18", "17", "16", "15"}) {
    std::string path = fmt::format("/usr/lib/postgresql/{}/bin/pg_dump", version);
    const Fd found(open(path.c_str(), O_PATH | O_CLOEXEC));
    if (found) return path;
  }
  return "pg_dump";
}

class DumpCall : public std::enable_shared_from_this<DumpCall> {
 public:
  DumpCall(const Parts& parts, engine::Invocation call, PostgresAddress address, Place target, Millis time, engine::Done done)
      : parts_(parts),
        call_(std::move(call)),
        address_(std::move(address)),
        target_(std::move(target)),
        time_(time),
        done_(std::move(done)) {}

  void begin() {
    auto work = [self = shared_from_this()](const std::atomic<bool>&) {
      const auto prepared = self->prepare();
      return prepared.has_error() ? failed(prepared.error()) : engine::Outcome::success({});
    };
    auto ready = [self = shared_from_this()](engine::Outcome outcome) {
      if (!outcome.ok()) return self->done_(std::move(outcome));
      self->dump();
    };
    static_cast<void>(run_on_pool(parts_.dependencies.pool, std::move(work), std::move(ready)));
  }
  void cancel() {
    engine::Cancel current;
    {
      const std::lock_guard lock(mutex_);
      cancelled_ = true;
      current = current_;
    }
    if (current) current();
  }

 private:
  Result<void> prepare() {
    PAWL_TRY_VOID(hold_to_host(call_.arguments, address_.host, call_.secrets));
    const net::AddressPolicy policy = parts_.dependencies.policy != nullptr ? *parts_.dependencies.policy : net::AddressPolicy{};
    PAWL_TRY(addresses, net::permitted_addresses(address_.host, policy));
    PAWL_TRY(staged, StagedFile::open(target_, replaces(call_.arguments)));
    host_address_ = addresses.front();
    sslmode_ = address_.sslmode_for(addresses);
    staged_ = std::make_unique<StagedFile>(std::move(staged));
    return boost::system::in_place_value;
  }

  void dump() {
    ProcessSpec spec;
    const std::string folder = target_.display().substr(0, target_.display().rfind('/'));
    std::vector<std::string> words = {dump_program(), "--no-password", "--format=" + text_or(call_.arguments, "format", "custom"),
                                      fmt::format("--file={}/{}", folder, staged_->staged().name)};
    spec.command = [words = std::move(words)](const std::string&) { return words; };
    spec.environment = {{"PGHOST", address_.host},         {"PGHOSTADDR", host_address_}, {"PGPORT", address_.port},
                        {"PGDATABASE", address_.database}, {"PGUSER", address_.user},     {"PGPASSWORD", address_.password},
                        {"PGSSLMODE", sslmode_},           {"PGPASSFILE", "/dev/null"},   {"PGAPPNAME", "pawl"},
                        {"PGGSSENCMODE", "disable"},       {"PGSYSCONFDIR", "/dev/null"}};
    spec.timeout = time_;
    spec.network = true;
    spec.write_roots = true;
    const auto id =
        parts_.processes->start(std::move(spec), [self = shared_from_this()](const ProcessResult& result) { self->ended(result); });
    engine::Cancel cancel = [weak = std::weak_ptr(parts_.processes), id] {
      if (const auto alive = weak.lock()) alive->cancel(id);
    };
    bool late = false;
    {
      const std::lock_guard lock(mutex_);
      current_ = cancel;
      late = cancelled_;
    }
    if (late) cancel();
  }

  void ended(const ProcessResult& result) {
    auto outcome = to_outcome(result, "none", "pg_dump", json::Value::array({call_.secrets, address_.password}));
    if (!outcome.ok()) {
      staged_.reset();
      return done_(std::move(outcome));
    }
    // Syncing a large file takes a while: not on the runner's thread.
    auto work = [self = shared_from_this()](const std::atomic<bool>&) {
      const std::uint64_t size = size_of(self->staged_->fd());
      const auto created = self->staged_->commit();
      self->staged_.reset();
      if (created.has_error()) return failed(created.error());
      return engine::Outcome::success(report(self->address_.display(), self->target_, size, *created));
    };
    static_cast<void>(run_on_pool(parts_.dependencies.pool, std::move(work), done_));
  }

  const Parts parts_;
  const engine::Invocation call_;
  const PostgresAddress address_;
  const Place target_;
  const Millis time_;
  const engine::Done done_;
  std::string host_address_;
  std::string sslmode_;
  std::unique_ptr<StagedFile> staged_;
  std::mutex mutex_;
  engine::Cancel current_;
  bool cancelled_ = false;
};

class DatabaseBackup final : public Builtin {
 public:
  explicit DatabaseBackup(const Parts& parts)
      : Builtin({.name = "database-backup",
                 .summary = "Backs up an SQLite file or a PostgreSQL database into a file below the allowed folders",
                 .parameters = literal(R"({
                   "type": "object",
                   "properties": {
                     "path": {"type": "string", "minLength": 1, "description": "an SQLite file below the allowed folders"},
                     "connection_string": {"type": "string", "minLength": 1, "description": "as sql-query takes it; best from $secrets"},
                     "connection": {"type": "object", "description": "PostgreSQL in parts, as sql-query takes it", "required": ["host", "database", "username"]},
                     "database_type": {"type": "string", "enum": ["postgresql", "sqlite"], "description": "default: by the connection string"},
                     "target": {"type": "string", "minLength": 1, "description": "the file of the backup"},
                     "format": {"type": "string", "enum": ["custom", "plain"], "default": "custom", "description": "of PostgreSQL: for pg_restore, or SQL text"},
                     "overwrite": {"type": "boolean", "default": false, "description": "replaces the file; needs allow_destructive"},
                     "timeout": {"description": "seconds, ISO 8601 text or a duration object; default 10 minutes"},
                     "allow_destructive": {"type": "boolean", "default": false},
                     "dry_run": {"type": "boolean", "default": false}
                   },
                   "required": ["target"],
                   "oneOf": [{"required": ["connection_string"]}, {"required": ["connection"]}, {"required": ["path"]}],
                   "additionalProperties": false
                 })"),
                 .output = literal(R"({
                   "type": "object",
                   "properties": {"source": {"type": "string"}, "path": {"type": "string"}, "size": {"type": "integer"}, "created": {"type": "boolean"}},
                   "required": ["source", "path", "size", "created"]
                 })"),
                 .examples = literal(R"([
                   {"path": "data/shop.db", "target": "backups/shop.db"},
                   {"connection_string": "postgresql://reader@db.example/shop", "target": "backups/shop.dump", "overwrite": true, "allow_destructive": true}
                 ])"),
                 .destructive = true,
                 .reach = {{engine::Access::Kind::database, "/connection_string", ""},
                           {engine::Access::Kind::database, "/connection/host", ""},
                           {engine::Access::Kind::database, "/path", ""},
                           {engine::Access::Kind::write, "/target", ""}}},
                &parts.dependencies.pool),
        parts_(parts) {}

  [[nodiscard]] bool destroys(const json::Value& arguments) const override { return replaces(arguments); }
  [[nodiscard]] engine::EffectClass effect_class(const json::Value& arguments) const override {
    return replaces(arguments) ? engine::EffectClass::idempotent : engine::EffectClass::once;
  }

 private:
  [[nodiscard]] Result<json::Value> describe(const engine::Invocation& call) const override {
    PAWL_TRY(source, sql_target(*parts_.roots, call.arguments));
    PAWL_TRY(target, parts_.roots->find(text_or(call.arguments, "target", "")));
    const bool exists = open_place(target, O_PATH).has_value();
    return json::Value::array({json::Value::object({{"action", exists && !replaces(call.arguments) ? "fail: it exists" : "back up"},
                                                    {"database", source.display()},
                                                    {"path", target.display()}})});
  }

  engine::Cancel run(engine::Invocation call, engine::Done done) override {
    auto source = sql_target(*parts_.roots, call.arguments);
    auto target = parts_.roots->find(text_or(call.arguments, "target", ""));
    auto time = duration_argument(call.arguments, "timeout");
    if (source.has_error() || target.has_error() || time.has_error()) {
      done(failed(source.has_error() ? source.error() : target.has_error() ? target.error() : time.error()));
      return {};
    }
    const Millis limit = std::min(time->value_or(kDefaultTime), parts_.options.process_timeout);
    if (source->file) {
      auto work = [from = *source->file, to = *target, replace = replaces(call.arguments), time = limit,
                   roots = parts_.roots](const std::atomic<bool>& cancelled) {
        auto output = back_up_sqlite(from, to, replace, time, cancelled);
        return output.has_value() ? engine::Outcome::success(std::move(output).value()) : failed(output.error());
      };
      return run_on_pool(parts_.dependencies.pool, std::move(work), std::move(done));
    }
    auto dump = std::make_shared<DumpCall>(parts_, std::move(call), source->server, *target, limit, std::move(done));
    dump->begin();
    return [dump] { dump->cancel(); };
  }
  Parts parts_;
};

}  // namespace

std::unique_ptr<engine::Function> make_database_backup(const Parts& parts) { return std::make_unique<DatabaseBackup>(parts); }

}  // namespace pawl::functions
