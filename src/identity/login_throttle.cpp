#include "identity/login_throttle.hpp"

#include <fmt/core.h>

#include <algorithm>

#include "storage/database.hpp"

namespace pawl::identity {
namespace {

using storage::Parameter;

Millis wait_after(std::int64_t failures, std::int64_t free, bool doubling) {
  if (failures < free) return Millis(0);
  if (!doubling) return LoginThrottle::kFirstWait;
  const auto shift = std::min<std::int64_t>(failures - free, 8);
  return std::min<Millis>(LoginThrottle::kFirstWait * (std::int64_t{1} << shift), LoginThrottle::kLongestWait);
}

}  // namespace

std::string LoginThrottle::subject(std::string_view email_key, std::string_view address) const {
  const auto digest = crypto::keyed_hash(key_, fmt::format("{}\n{}", email_key, address));
  return {digest.begin(), digest.end()};
}

Result<void> LoginThrottle::check(storage::Session& session, std::string_view email_key, std::string_view address, TimePoint now) const {
  const auto here = subject(email_key, address);
  const auto anywhere = subject(email_key, {});
  Millis wait(0);
  PAWL_TRY_VOID(session.query(
      "select subject, failures, last_at from login_failures where (subject = $1 or subject = $2) and first_at > $3",
      {Parameter::blob(here), Parameter::blob(anywhere), TimePoint(now - kWindow)}, [&](const storage::Row& row) {
        const bool together = row.blob(0) == anywhere;
        const auto until = row.time(2) + wait_after(row.integer(1), together ? kFreeFailuresTogether : kFreeFailures, !together);
        wait = std::max(wait, std::chrono::duration_cast<Millis>(until - now));
      }));
  if (wait <= Millis(0)) return {};
  return Error(ErrorClass::limited, "auth.too_many_attempts",
               fmt::format("Too many failed attempts; wait {} seconds, or reset the password.", (wait.count() + 999) / 1000));
}

Result<void> LoginThrottle::failed(storage::Transaction& transaction, std::string_view email_key, std::string_view address,
                                   TimePoint now) const {
  // By the column that has an index; a window that is over although the last failure lies within it begins anew below.
  PAWL_TRY_VOID(transaction.execute("delete from login_failures where last_at <= $1", {TimePoint(now - kWindow)}));
  for (const auto place : {address, std::string_view{}}) {
    const auto digest = subject(email_key, place);
    PAWL_TRY_VOID(
        transaction.execute("insert into login_failures (subject, failures, first_at, last_at) values ($1, 1, $2, $2) "
                            "on conflict (subject) do update set "
                            "failures = case when login_failures.first_at <= $3 then 1 else login_failures.failures + 1 end, "
                            "first_at = case when login_failures.first_at <= $3 then excluded.first_at else login_failures.first_at end, "
                            "last_at = excluded.last_at",
                            {Parameter::blob(digest), now, TimePoint(now - kWindow)}));
    if (address.empty()) break;
  }
  return {};
}

Result<void> LoginThrottle::succeeded(storage::Transaction& transaction, std::string_view email_key, std::string_view address) const {
  const auto digest = subject(email_key, address);
  PAWL_TRY_VOID(transaction.execute("delete from login_failures where subject = $1", {Parameter::blob(digest)}));
  return {};
}

Result<void> LoginThrottle::reset(storage::Transaction& transaction, std::string_view email_key, std::string_view address) const {
  PAWL_TRY_VOID(succeeded(transaction, email_key, address));
  return succeeded(transaction, email_key, {});
}

}  // namespace pawl::identity
