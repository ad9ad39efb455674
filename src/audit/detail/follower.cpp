// The file thread.
#include "audit/detail/follower.hpp"

#include <algorithm>
#include <utility>

namespace pawl::audit::detail {
namespace {

/// Rows of the database.
constexpr std::int64_t kPage = 500;
constexpr std::size_t kMaxWatched = 10'000;
/// Records kept for the file; what it cannot find here it reads from the database.
constexpr std::size_t kMaxRecent = 20'000;
/// The file is looked after this often without being asked: for records that other processes write, and after an error.
constexpr Millis kPeriod{1000};
/// The file follows the database this often at most, unless somebody waits for it.
constexpr Millis kPace{50};

}  // namespace

Follower::Follower(storage::Database& database, const LogOptions& options, std::function<void()> due)
    : database_(database), options_(options), due_(std::move(due)) {}

Follower::~Follower() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    stop_until_ = SteadyClock::now() + options_.stop_patience;
  }
  changed_.notify_all();
  thread_.join();
}

Result<void> Follower::start(std::uint64_t newest) {
  if (!options_.file.empty()) {
    PAWL_TRY(file, LineFile::open(options_.file, options_.rotate_bytes));
    file_.emplace(std::move(file));
    file_sequence_ = file_->last_sequence();
    if (file_->last_sequence() > newest) {
      report("the audit file " + options_.file.string() + " has records that the database has not: run `pawl audit verify`");
    }
  }
  thread_ = std::thread([this] { run(); });
  ask();  // what a crash has left out
  return {};
}

void Follower::report(std::string_view sentence) const {
  if (options_.report) options_.report(sentence);
}

// ---- the loop -----------------------------------------------------------------------------------------------------------------

void Follower::ask() {
  if (!thread_.joinable()) return;
  {
    const std::lock_guard lock(mutex_);
    if (asked_++ != served_) return;  // it knows
  }
  changed_.notify_all();
}

void Follower::call_at(SteadyClock::time_point time) {
  {
    const std::lock_guard lock(mutex_);
    call_time_ = time;
  }
  changed_.notify_all();
}

void Follower::catch_up() {
  std::unique_lock lock(mutex_);
  const auto wish = urgent_ = ++asked_;
  changed_.notify_all();
  changed_.wait(lock, [&] { return served_ >= wish; });
}

void Follower::forget(std::uint64_t sequence) {
  auto known = forget_up_to_.load();
  while (known < sequence && !forget_up_to_.compare_exchange_weak(known, sequence)) {
  }
  ask();
}

void Follower::run() {
  std::unique_lock lock(mutex_);
  auto pace = SteadyClock::now();
  auto period = pace + kPeriod;
  for (;;) {
    const auto now = SteadyClock::now();
    const bool last = stopping_;
    const bool overdue = now >= period;
    const bool follows = last || overdue || urgent_ > served_ || (asked_ > served_ && now >= pace);
    const bool calls = overdue || now >= call_time_;
    if (!follows && !calls) {
      changed_.wait_until(lock, std::min({period, call_time_, asked_ > served_ ? pace : period}));
      continue;
    }
    const auto wish = asked_;
    if (calls) call_time_ = SteadyClock::time_point::max();
    lock.unlock();
    if (calls && !last) due_();
    if (follows && file_) {
      const auto followed = follow();
      if (followed.has_error() && !std::exchange(failing_, true)) report(followed.error().message);
      if (!followed.has_error()) failing_ = false;
      if (const auto old = forget_up_to_.exchange(0); old > 0) file_->forget_up_to(old);
    }
    lock.lock();
    if (follows) {
      const auto then = SteadyClock::now();
      pace = then + kPace;
      period = then + kPeriod;
      served_ = std::max(served_, wish);
      changed_.notify_all();
    }
    if (last) return;
  }
}

/// Where its time has come.
void Follower::call_due() {
  {
    const std::lock_guard lock(mutex_);
    if (SteadyClock::now() < call_time_) return;
    call_time_ = SteadyClock::time_point::max();
  }
  due_();
}

/// The end has come and does not wait for the file any more.
bool Follower::out_of_time() {
  const std::lock_guard lock(mutex_);
  return stopping_ && SteadyClock::now() >= stop_until_;
}

// ---- records ------------------------------------------------------------------------------------------------------------------

void Follower::wrote(std::shared_ptr<const Entry> entry) {
  if (options_.file.empty()) return;
  watch(*entry);
  const std::lock_guard lock(recent_mutex_);
  while (!recent_.empty() && recent_.back().sequence >= entry->sequence) recent_.pop_back();
  if (recent_.size() == kMaxRecent) recent_.pop_front();
  recent_.push_back({entry->sequence, entry->previous, entry->hash, std::move(entry)});
}

/// Remembers a record that somebody follows until it is durable: the file is what is appended after that.
void Follower::watch(const Entry& entry) {
  if (!options_.watched || !options_.watched(entry)) return;
  const std::lock_guard lock(watched_mutex_);
  if (watched_.size() < kMaxWatched) watched_.insert(entry.sequence);
}

void Follower::tell(const Entry& entry) {
  if (!options_.appended) return;
  {
    const std::lock_guard lock(watched_mutex_);
    if (watched_.erase(entry.sequence) == 0) return;
  }
  // Asked again: after a rollback another record may have got the number.
  if (options_.watched(entry)) options_.appended(entry);
}

Result<void> Follower::add_to_file(const std::vector<std::shared_ptr<const Entry>>& entries) {
  std::string lines;
  lines.reserve(entries.size() * 800);
  for (const auto& entry : entries) {
    lines += to_line(*entry);
    lines.push_back('\n');
  }
  PAWL_TRY_VOID(file_->append(lines, entries.back()->sequence));
  file_sequence_ = entries.back()->sequence;
  for (const auto& entry : entries) tell(*entry);
  return {};
}

/// What the file lacks up to `head`, which is committed; nothing where some of it was not written by this process. The chain proves that
/// these are the records of the database: each hash covers the one before, and the last is the head's.
std::vector<std::shared_ptr<const Entry>> Follower::recent_up_to(const Head& head) {
  const std::lock_guard lock(recent_mutex_);
  while (!recent_.empty() && recent_.front().sequence <= file_->last_sequence()) recent_.pop_front();
  const auto end = std::find_if(recent_.begin(), recent_.end(), [&](const Recent& each) { return each.sequence > head.sequence; });
  const auto begins = recent_.begin() != end && recent_.front().sequence == file_->last_sequence() + 1;
  if (!begins || std::prev(end)->sequence != head.sequence || std::prev(end)->hash != head.hash) return {};
  const auto follows = [](const Recent& one, const Recent& next) { return next.sequence == one.sequence + 1 && next.previous == one.hash; };
  if (std::adjacent_find(recent_.begin(), end, [&](const Recent& one, const Recent& next) { return !follows(one, next); }) != end)
    return {};
  std::vector<std::shared_ptr<const Entry>> entries;
  entries.reserve(static_cast<std::size_t>(end - recent_.begin()));
  for (auto each = recent_.begin(); each != end; ++each) entries.push_back(std::move(each->entry));
  recent_.erase(recent_.begin(), end);
  return entries;
}

/// Whether the file has everything now.
Result<bool> Follower::follow_from_memory() {
  std::optional<StoredHead> committed;
  PAWL_TRY_VOID(database_.read([&](storage::Session& session) -> Result<void> {
    PAWL_TRY(head, read_head(session));
    committed = head;
    return {};
  }));
  if (!committed) return false;
  if (committed->head.sequence == file_->last_sequence()) return true;
  const auto entries = recent_up_to(committed->head);
  if (entries.empty()) return false;
  PAWL_TRY_VOID(add_to_file(entries));
  return true;
}

/// One page. Whether the file has everything now.
Result<bool> Follower::follow_from_database() {
  std::vector<std::shared_ptr<const Entry>> entries;
  std::int64_t rows = 0;
  PAWL_TRY_VOID(database_.read([&](storage::Session& session) {
    return session.query(PAWL_AUDIT_SELECT "where r.seq > $1 order by r.seq limit $2",
                         {static_cast<std::int64_t>(file_->last_sequence()), kPage}, [&](const storage::Row& row) {
                           ++rows;
                           for (auto& stored : read_row(row).records) {
                             if (stored.entry.sequence <= file_->last_sequence()) continue;
                             entries.push_back(std::make_shared<const Entry>(std::move(stored.entry)));
                           }
                         });
  }));
  if (entries.empty()) return true;
  PAWL_TRY_VOID(add_to_file(entries));
  return rows < kPage;
}

/// Appends to the file what the database has beyond it, as long as there is time.
Result<void> Follower::follow() {
  PAWL_TRY(from_memory, follow_from_memory());
  for (bool complete = from_memory; !complete;) {
    call_due();  // a long way to catch up keeps nobody else waiting
    PAWL_TRY(page, follow_from_database());
    complete = page;
    if (!complete && out_of_time()) {
      report("the audit file ends with record " + std::to_string(file_->last_sequence()) +
             "; the next start writes what the database has beyond it");
      return {};
    }
  }
  return {};
}

}  // namespace pawl::audit::detail
