#include "app/readiness.hpp"

#include <sys/statvfs.h>

#include <memory>
#include <optional>
#include <string>

#include "storage/migrations.hpp"

namespace pawl::app {
namespace {

using observe::CheckResult;
using observe::HealthStatus;

constexpr Millis kTimeout{2000};
constexpr Millis kMailPatience{1500};
constexpr Millis kMailFreshness{60'000};

CheckResult failed(std::string detail) { return {HealthStatus::failed, std::move(detail)}; }

/// One small write through the whole path.
CheckResult check_database(storage::Database& database) {
  if (database.is_poisoned()) return failed("a commit has failed; the process must restart");
  if (const auto ping = database.ping(kTimeout); ping.has_error()) return failed(ping.error().message);
  return {};
}

CheckResult check_readers(storage::Database& database) {
  const auto read = database.read([](storage::Session& session) { return session.query("select 1", {}, [](const storage::Row&) {}); });
  if (read.has_error()) return failed(read.error().message);
  return {};
}

CheckResult check_migrations(storage::Database& database) {
  if (const auto verified = storage::verify_migrations(database); verified.has_error()) return failed(verified.error().message);
  return {};
}

CheckResult check_disk(const storage::Database& database, std::uint64_t least) {
  struct statvfs disk {};
  if (::statvfs(database.folder().c_str(), &disk) != 0) return failed("the data folder cannot be read");
  const auto free_bytes = static_cast<std::uint64_t>(disk.f_bavail) * disk.f_frsize;
  auto detail = std::to_string(free_bytes) + " bytes are free";
  if (free_bytes < least) return failed(std::move(detail));
  // Twice the least: somebody should look before it is too late.
  return {free_bytes < 2 * least ? HealthStatus::warning : HealthStatus::ok, std::move(detail)};
}

/// Without Redis every process counts and tells for itself: worth a warning, no reason to send no requests.
CheckResult check_redis(const net::RedisClient* redis) {
  if (redis == nullptr) return {HealthStatus::not_configured, ""};
  const auto state = redis->snapshot();
  if (!state.connected || !state.subscribed) return {HealthStatus::warning, state.problem};
  return {};
}

/// Readers that are taken: at nine of ten somebody should look.
CheckResult check_pool(storage::Database& database) {
  const auto pool = database.pool();
  const auto most = static_cast<std::uint64_t>(pool.size) + static_cast<std::uint64_t>(pool.max_overflow);
  const auto out = static_cast<std::uint64_t>(pool.out);
  auto detail = std::to_string(out) + " of " + std::to_string(most) + " connections are in use";
  if (most > 0 && out * 10 >= most * 9) return {HealthStatus::warning, std::move(detail)};
  auto read = check_readers(database);
  if (read.status == HealthStatus::ok) read.detail = std::move(detail);
  return read;
}

/// Mails wait in the outbox as long as none can leave: worth a warning. Asked once a minute at most, because everybody may ask us.
class MailCheck {
 public:
  MailCheck(mail::Transport* transport, const Clock& clock) : transport_(transport), clock_(clock) {}
  CheckResult run() {
    if (transport_ == nullptr) return {HealthStatus::warning, "no mail server is configured: mails wait"};
    const auto now = clock_.now();
    if (!last_ || now >= *last_ + kMailFreshness || now < *last_) {
      const auto able = transport_->check(kMailPatience);
      result_ = able.has_error() ? CheckResult{HealthStatus::warning, able.error().message} : CheckResult{};
      last_ = now;
    }
    return result_;
  }

 private:
  mail::Transport* transport_;
  const Clock& clock_;
  std::optional<TimePoint> last_;
  CheckResult result_;
};

}  // namespace

void add_checks(observe::Health& health, storage::Database& database, const net::RedisClient* redis, mail::Transport* transport,
                const Clock& clock, std::uint64_t min_free_disk_bytes) {
  health.add({"database", true, kTimeout, [&database] { return check_database(database); }});
  health.add({"redis", false, kTimeout, [redis] { return check_redis(redis); }});
  health.add({"mail", false, kTimeout, [check = std::make_shared<MailCheck>(transport, clock)] { return check->run(); }});
  health.add({"database_pool", true, kTimeout, [&database] { return check_pool(database); }});
  health.add({"migrations", true, kTimeout, [&database] { return check_migrations(database); }});
  health.add({"disk", true, kTimeout, [&database, min_free_disk_bytes] { return check_disk(database, min_free_disk_bytes); }});
}

}  // namespace pawl::app
