/// Looks once a day whether the audit trail is whole, so that nobody has to think of it.
#pragma once

#include <condition_variable>
#include <functional>
#include <mutex>
#include <string_view>
#include <thread>

#include "audit/audit.hpp"
#include "audit/verify.hpp"
#include "storage/database.hpp"

namespace pawl::app {

/// First some minutes after the start, then every day, on a thread of its own, which reads the database. Database and log outlive it.
/// Destruction ends a look that is under way.
class AuditWatch {
 public:
  /// `ok`, `broken` (then with what is wrong), or `failed` (it could not be read). Called on the watch's thread; must not throw.
  using Told = std::function<void(std::string_view outcome, std::string_view detail)>;
  AuditWatch(storage::Database& database, audit::Log& log, Told told);
  AuditWatch(const AuditWatch&) = delete;
  AuditWatch& operator=(const AuditWatch&) = delete;
  ~AuditWatch();

 private:
  void run();

  storage::Database& database_;
  audit::Log& log_;
  Told told_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool stop_ = false;  // guarded by mutex_
  std::thread thread_;
};

/// One look, told as above. Where `stop` says so it ends, and nothing is told.
void look_at_trail(storage::Database& database, audit::Log& log, const AuditWatch::Told& told, std::function<bool()> stop = {});

}  // namespace pawl::app
