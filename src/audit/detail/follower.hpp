/// The thread that writes the file of JSON lines behind the database, and tells followers of what became durable. Private to the module.
///
/// What the file needs it mostly has in memory: the records that this process wrote last. The chain proves that these are the records of
/// the database; where some were written by others, or by an earlier process, it reads them there.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <set>
#include <string_view>
#include <thread>
#include <vector>

#include "audit/audit.hpp"
#include "audit/detail/chain.hpp"
#include "audit/detail/line_file.hpp"
#include "storage/database.hpp"

namespace pawl::audit::detail {

class Follower {
 public:
  using SteadyClock = std::chrono::steady_clock;

  /// `due` is called on the thread when the time of `call_at` has come, and about once a second besides. `options` and `database` outlive
  /// it.
  Follower(storage::Database& database, const LogOptions& options, std::function<void()> due);
  Follower(const Follower&) = delete;
  Follower& operator=(const Follower&) = delete;
  /// Stops; waits for the file to catch up as long as the options' patience goes.
  ~Follower();

  /// Opens the file where the options name one; `newest` is the last record of the database. Then starts the thread.
  [[nodiscard]] Result<void> start(std::uint64_t newest);
  /// A record as it was written, committed or not: on the writer thread, in the order of the numbers. After a rollback its number comes
  /// again. The content of `entry` may change again as long as it is not committed.
  void wrote(std::shared_ptr<const Entry> entry);
  /// Something was committed.
  void ask();
  void call_at(SteadyClock::time_point time);
  /// Blocks until the file has everything that is committed now.
  void catch_up();
  /// Files put aside with nothing beyond this record may go.
  void forget(std::uint64_t sequence);
  [[nodiscard]] std::uint64_t file_sequence() const { return file_sequence_; }

 private:
  /// The writer may be at work on `entry`: what is looked at before the commit is copied.
  struct Recent {
    std::uint64_t sequence = 0;
    crypto::Digest previous{};
    crypto::Digest hash{};
    std::shared_ptr<const Entry> entry;
  };

  void run();
  [[nodiscard]] Result<void> follow();
  [[nodiscard]] Result<bool> follow_from_memory();
  [[nodiscard]] Result<bool> follow_from_database();
  [[nodiscard]] std::vector<std::shared_ptr<const Entry>> recent_up_to(const Head& head);
  [[nodiscard]] Result<void> add_to_file(const std::vector<std::shared_ptr<const Entry>>& entries);
  void call_due();
  [[nodiscard]] bool out_of_time();
  void watch(const Entry& entry);
  void tell(const Entry& entry);
  void report(std::string_view sentence) const;

  storage::Database& database_;
  const LogOptions& options_;
  std::function<void()> due_;

  std::optional<LineFile> file_;  // the thread's
  bool failing_ = false;          // the thread's
  std::atomic<std::uint64_t> file_sequence_{0};
  std::atomic<std::uint64_t> forget_up_to_{0};

  std::mutex mutex_;
  std::condition_variable changed_;
  std::uint64_t asked_ = 0;                                             // guarded by mutex_
  std::uint64_t served_ = 0;                                            // guarded by mutex_: every wish up to this one
  std::uint64_t urgent_ = 0;                                            // guarded by mutex_: somebody waits for this wish
  SteadyClock::time_point call_time_ = SteadyClock::time_point::max();  // guarded by mutex_
  bool stopping_ = false;                                               // guarded by mutex_
  SteadyClock::time_point stop_until_{};                                // guarded by mutex_: set with `stopping_`

  std::mutex recent_mutex_;
  std::deque<Recent> recent_;  // guarded by recent_mutex_: in the order of their numbers
  std::mutex watched_mutex_;
  std::set<std::uint64_t> watched_;  // guarded by watched_mutex_: written here, not yet told
  std::thread thread_;
};

}  // namespace pawl::audit::detail
