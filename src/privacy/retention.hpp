/// How long things are kept: one rule for each kind of row that grows, a count of what is too old, and the purge.
///
/// A purge deletes in batches of a few hundred rows, each a write of its own, so that nobody waits for it. What it removed is one audit
/// record (`retention.purged`). The audit trail itself goes last and leaves a checkpoint (audit/query.hpp).
///
/// Blocking: worker threads. Thread-safe.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "audit/audit.hpp"
#include "base/error.hpp"
#include "base/time.hpp"
#include "storage/database.hpp"

namespace pawl::privacy {

/// Days; 0: for ever.
struct RetentionOptions {
  std::uint32_t runs = 180;
  std::uint32_t sessions = 90;
  std::uint32_t audit = 2555;
  std::uint32_t invitations = 30;
  std::uint32_t one_time_tokens = 7;
  std::uint32_t drafts = 7;
};

struct Policy {
  std::string type;            ///< `runs`, `sessions` ...
  std::string setting;         ///< that decides it; empty: fixed
  std::string from;            ///< what the age is counted from, for people
  std::optional<Millis> keep;  ///< none: for ever
};
struct Purged {
  std::string type;
  std::optional<TimePoint> before;  ///< none: nothing of this type is ever too old
  std::uint64_t count = 0;          ///< removed, or would be
};

class Retention {
 public:
  Retention(storage::Database& database, audit::Log& log, const Clock& clock, const RetentionOptions& options)
      : database_(database), log_(log), clock_(clock), options_(options) {}

  [[nodiscard]] std::vector<Policy> policy() const;
  /// What is too old now.
  [[nodiscard]] Result<std::vector<Purged>> count() const;
  /// Removes it. `actor`: who asked; stops early (with what it did so far) where `go_on` answers false.
  [[nodiscard]] Result<std::vector<Purged>> purge(const audit::Actor& actor, const std::function<bool()>& go_on = {});

 private:
  [[nodiscard]] std::optional<TimePoint> before(std::optional<Millis> keep) const;

  storage::Database& database_;
  audit::Log& log_;
  const Clock& clock_;
  RetentionOptions options_;
  std::mutex purging_;
};

struct RetentionTimes {
  Millis first = std::chrono::minutes(1);  ///< from the start to the first purge
  Millis period = std::chrono::hours(1);   ///< from the end of one to the next
};

/// Purges soon after the start and then again and again, on a thread of its own. Destruction stops it between two batches. `report`: a
/// purge has failed; the next one is tried all the same.
class RetentionSchedule {
 public:
  RetentionSchedule(Retention& retention, std::function<void(const Error&)> report, const RetentionTimes& times = {});
  RetentionSchedule(const RetentionSchedule&) = delete;
  RetentionSchedule& operator=(const RetentionSchedule&) = delete;
  ~RetentionSchedule();

 private:
  void run();
  [[nodiscard]] bool stopping();

  Retention& retention_;
  std::function<void(const Error&)> report_;
  const RetentionTimes times_;
  std::mutex mutex_;
  std::condition_variable changed_;
  bool stop_ = false;  // guarded by mutex_
  std::thread thread_;
};

}  // namespace pawl::privacy
