// The log: records on their way into the chain, and from there into the file.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <set>
#include <thread>

#include "audit/audit.hpp"
#include "audit/detail/chain.hpp"
#include "audit/detail/line_file.hpp"
#include "audit/redact.hpp"
#include "base/assert.hpp"
#include "base/utf8.hpp"
#include "json/write.hpp"

namespace pawl::audit {

using detail::LineFile;
using detail::Stored;

namespace {

constexpr std::size_t kMaxShortText = 300;
constexpr std::size_t kMaxDetails = 8U << 10U;
/// Rows of the database.
constexpr std::int64_t kPage = 500;
constexpr std::size_t kMaxWatched = 10'000;
/// Records kept for the file; what it cannot find here it reads from the database.
constexpr std::size_t kMaxRecent = 20'000;
/// The file is looked after this often without being asked: for records that other processes write, and after an error.
constexpr Millis kPeriod{1000};
/// A record that nobody waits for lets others come to it, so that an act of a busy server does not cost it a transaction of its own ...
constexpr Millis kGather{20};
/// ... unless there are this many already.
constexpr std::size_t kGatherRecords = 500;
/// The file follows the database this often at most, unless somebody waits for it.
constexpr Millis kFilePace{50};

constexpr RedactOptions kGenerous{.mask_emails = true, .max_text = 1000, .max_items = 50, .max_depth = 12};
constexpr RedactOptions kTight{.mask_emails = true, .max_text = 200, .max_items = 10, .max_depth = 4};

Error overloaded() {
  return {ErrorClass::unavailable, "audit.overloaded", "too many audit records wait to be written; the act was not carried out"};
}

Error poisoned() {
  return {ErrorClass::unavailable, "storage.poisoned", "a write to the database has failed; the process must restart and recover"};
}

/// Text of a client: no control characters, well-formed UTF-8 (both databases and the file depend on it), not endless.
std::string clean(std::string_view text) {
  const auto plain = [](char c) { return c >= 0x20 && c < 0x7f; };
  if (text.size() <= kMaxShortText && std::all_of(text.begin(), text.end(), plain)) return std::string(text);
  std::string out;
  while (!text.empty() && out.size() < kMaxShortText) {
    const auto length = utf8_length(text);
    const bool good = length > 1 || (length == 1 && plain(text.front()));
    out.append(good ? text.substr(0, length) : "?");
    text.remove_prefix(good ? length : 1);
  }
  return out;
}

std::string details_of(const json::Value& details, const Redactor& redactor) {
  if (details.is_null()) return "{}";
  PAWL_ASSERT(details.is_object(), "details of an audit record are an object");
  auto text = json::to_text(redactor.value(details, kGenerous));
  if (text.size() <= kMaxDetails) return text;
  const auto size = text.size();
  text = json::to_text(redactor.value(details, kTight));
  if (text.size() <= kMaxDetails) return text;
  return json::to_text(json::Value::object({{"omitted_bytes", static_cast<std::int64_t>(size)}}));
}

Stored stored_of(Record record, const Redactor& redactor, const Clock& clock) {
  Stored stored;
  auto& entry = stored.entry;
  const RedactOptions masked{.mask_emails = true};
  entry.at = record.at.value_or(clock.now());
  entry.organization = record.organization;
  entry.actor = record.actor;
  entry.action = clean(record.action);
  entry.resource = {clean(record.resource.type), clean(redactor.text(record.resource.id, masked))};
  entry.outcome = record.outcome;
  entry.address = clean(record.address);
  entry.network = detail::network_of(entry.address);
  entry.request_id = clean(redactor.text(record.request_id, masked));
  entry.run = record.run;
  entry.task = clean(record.task);
  if (record.duration) entry.duration = std::max(*record.duration, Millis{0});  // a clock may have been set back meanwhile
  entry.details = details_of(record.details, redactor);
  return stored;
}

using SteadyClock = std::chrono::steady_clock;

struct Queued {
  Stored stored;
  Log::Done done;
};

/// What one write of the queue took. The work may run again after a rollback: it writes the same records then.
struct Taken {
  bool taken = false;
  std::vector<Queued> items;
};

}  // namespace

struct Log::Prepared::Items {
  std::vector<Stored> stored;
};
Log::Prepared::Prepared() = default;
Log::Prepared::Prepared(Prepared&&) noexcept = default;
Log::Prepared& Log::Prepared::operator=(Prepared&&) noexcept = default;
Log::Prepared::~Prepared() = default;
std::size_t Log::Prepared::size() const { return items_ ? items_->stored.size() : 0; }

void Log::Prepared::append(Prepared other) {
  if (!items_) {
    items_ = std::move(other.items_);
  } else if (other.items_) {
    auto& more = other.items_->stored;
    items_->stored.insert(items_->stored.end(), std::make_move_iterator(more.begin()), std::make_move_iterator(more.end()));
  }
}

struct Log::Impl {
  Impl(storage::Database& a_database, const Clock& a_clock, const Redactor& a_redactor, LogOptions an_options)
      : database(a_database), clock(a_clock), redactor(a_redactor), options(std::move(an_options)) {}

  storage::Database& database;
  const Clock& clock;
  const Redactor& redactor;
  LogOptions options;

  std::mutex queue_mutex;
  std::vector<Queued> queue;    // guarded by queue_mutex
  bool scheduled = false;       // guarded by queue_mutex: a write that will take the queue is on its way
  bool gathering = false;       // guarded by queue_mutex: the file thread has been told when to schedule a write
  std::size_t outstanding = 0;  // guarded by queue_mutex: queued or being written
  std::atomic<std::uint64_t> appended{0};
  std::atomic<std::uint64_t> refused{0};

  std::optional<LineFile> file;  // the file thread's
  std::atomic<std::uint64_t> file_sequence{0};
  std::atomic<std::uint64_t> forget_up_to{0};  // files put aside with nothing beyond this may go
  std::mutex file_mutex;
  std::condition_variable file_changed;
  std::uint64_t asked = 0;                                            // guarded by file_mutex
  std::uint64_t served = 0;                                           // guarded by file_mutex: every wish up to this one
  std::uint64_t urgent = 0;                                           // guarded by file_mutex: somebody waits for this wish
  SteadyClock::time_point gathered = SteadyClock::time_point::max();  // guarded by file_mutex: when a write is to be scheduled
  bool stopping = false;                                              // guarded by file_mutex
  detail::Head last_head;                                             // the writer thread's: of the last transaction, committed or not
  std::mutex recent_mutex;
  std::deque<Entry> recent;  // guarded by recent_mutex: what this process wrote last, in the order of its numbers, committed or not
  std::mutex watched_mutex;
  std::set<std::uint64_t> watched;       // guarded by watched_mutex: written here, not yet told
  SteadyClock::time_point stop_until{};  // guarded by file_mutex: set with `stopping`
  bool file_failing = false;
  std::thread file_thread;

  [[nodiscard]] const crypto::Key& key() const { return options.keys.front(); }
  [[nodiscard]] Result<void> write_all(storage::Transaction& transaction, std::vector<Stored*> all);
  void schedule();
  void gather();
  void written(Taken& taken, const Result<void>& result);
  void write_again();
  void write_gathered();
  void report(std::string_view sentence) const {
    if (options.report) options.report(sentence);
  }
  void ask();
  void look_after_file();
  [[nodiscard]] Result<void> follow();
  [[nodiscard]] Result<bool> follow_from_memory();
  [[nodiscard]] Result<bool> follow_from_database();
  [[nodiscard]] std::vector<Entry> recent_up_to(const detail::Head& head);
  [[nodiscard]] Result<void> add_to_file(const std::vector<Entry>& entries);
  [[nodiscard]] bool out_of_time();
  void remember(const Entry& entry);
  void watch(const Entry& entry);
  void tell(const std::vector<Entry>& entries);
};

Result<void> Log::Impl::write_all(storage::Transaction& transaction, std::vector<Stored*> all) {
  if (all.empty()) return {};
  PAWL_TRY(head, detail::lock_head(transaction, key(), last_head));
  PAWL_TRY_VOID(detail::insert_all(transaction, key(), head, all));
  for (const auto* const stored : all) {
    remember(stored->entry);
    watch(stored->entry);
  }
  last_head = head;
  return detail::set_head(transaction, key(), head);
}

// ---- appending ------------------------------------------------------------------------------------------------------------------

void Log::Impl::schedule() {
  auto taken = std::make_shared<Taken>();
  database.write(
      [this, taken](storage::Transaction& transaction) {
        if (!std::exchange(taken->taken, true)) {
          const std::lock_guard lock(queue_mutex);
          std::swap(taken->items, queue);
          scheduled = false;
        }
        std::vector<Stored*> all;
        for (auto& item : taken->items) all.push_back(&item.stored);
        return write_all(transaction, std::move(all));
      },
      [this, taken](const Result<void>& result) { written(*taken, result); });
}

void Log::Impl::written(Taken& taken, const Result<void>& result) {
  for (auto& item : taken.items) {
    if (item.done) std::exchange(item.done, nullptr)(result);
  }
  const auto count = taken.items.size();
  if (result.has_error()) report("audit records could not be written: " + result.error().message);
  {
    const std::lock_guard lock(queue_mutex);
    if (!taken.taken) scheduled = false;  // refused before it ran; what is queued stays
    if (result.has_error() && !database.is_poisoned()) {
      // They stay at the front and are tried again; meanwhile the queue fills, and beyond its bound acts are refused.
      queue.insert(queue.begin(), std::make_move_iterator(taken.items.begin()), std::make_move_iterator(taken.items.end()));
    } else {
      outstanding -= count;
    }
  }
  if (result.has_error()) return;
  appended.fetch_add(count, std::memory_order_relaxed);
  ask();
}

void Log::Impl::gather() {
  {
    const std::lock_guard lock(file_mutex);
    gathered = SteadyClock::now() + kGather;
  }
  file_changed.notify_all();
}

void Log::Impl::write_again() {
  {
    const std::lock_guard lock(queue_mutex);
    gathering = false;
    if (queue.empty() || scheduled || database.is_poisoned()) return;
    scheduled = true;
  }
  schedule();
}

/// Where the time of those that gather has come.
void Log::Impl::write_gathered() {
  {
    const std::lock_guard lock(file_mutex);
    if (SteadyClock::now() < gathered) return;
    gathered = SteadyClock::time_point::max();
  }
  write_again();
}

Result<void> Log::append(Record record) { return append(std::move(record), {}); }

Result<void> Log::append(Record record, Done done) {
  auto& impl = *impl_;
  if (impl.database.is_poisoned()) return poisoned();
  const bool awaited = done != nullptr;
  bool gathers = false;
  Queued item{stored_of(std::move(record), impl.redactor, impl.clock), std::move(done)};
  {
    const std::lock_guard lock(impl.queue_mutex);
    if (impl.outstanding >= impl.options.max_queue) {
      impl.refused.fetch_add(1, std::memory_order_relaxed);
      return overloaded();
    }
    ++impl.outstanding;
    impl.queue.push_back(std::move(item));
    if (impl.scheduled) return {};
    gathers = !awaited && impl.queue.size() < kGatherRecords;
    if (gathers && std::exchange(impl.gathering, true)) return {};
    if (!gathers) impl.scheduled = true;
  }
  if (gathers) {
    impl.gather();
  } else {
    impl.schedule();
  }
  return {};
}

bool Log::ready() const {
  if (impl_->database.is_poisoned()) return false;
  const std::lock_guard lock(impl_->queue_mutex);
  return impl_->outstanding < impl_->options.max_queue;
}

Result<void> Log::append(storage::Transaction& transaction, Record record) {
  auto stored = stored_of(std::move(record), impl_->redactor, impl_->clock);
  return impl_->write_all(transaction, {&stored});
}

void Log::prepare(Prepared& batch, Record record) const {
  if (!batch.items_) batch.items_ = std::make_unique<Prepared::Items>();
  batch.items_->stored.push_back(stored_of(std::move(record), impl_->redactor, impl_->clock));
}

Result<void> Log::write(storage::Transaction& transaction, Prepared& batch) {
  if (!batch.items_) return {};
  std::vector<Stored*> all;
  for (auto& stored : batch.items_->stored) all.push_back(&stored);
  return impl_->write_all(transaction, std::move(all));
}

// ---- the file -------------------------------------------------------------------------------------------------------------------

void Log::Impl::ask() {
  if (!file_thread.joinable()) return;
  {
    const std::lock_guard lock(file_mutex);
    if (asked++ != served) return;  // it knows
  }
  file_changed.notify_all();
}

void Log::Impl::look_after_file() {
  std::unique_lock lock(file_mutex);
  auto pace = SteadyClock::now();
  auto period = pace + kPeriod;
  for (;;) {
    const auto now = SteadyClock::now();
    const bool last = stopping;
    const bool overdue = now >= period;
    const bool follows = last || overdue || urgent > served || (asked > served && now >= pace);
    const bool writes = overdue || now >= gathered;
    if (!follows && !writes) {
      file_changed.wait_until(lock, std::min({period, gathered, asked > served ? pace : period}));
      continue;
    }
    const auto wish = asked;
    if (writes) gathered = SteadyClock::time_point::max();
    lock.unlock();
    if (writes && !last) write_again();
    if (follows && file) {
      const auto followed = follow();
      if (followed.has_error() && !std::exchange(file_failing, true)) report(followed.error().message);
      if (!followed.has_error()) file_failing = false;
      if (const auto old = forget_up_to.exchange(0); old > 0) file->forget_up_to(old);
    }
    lock.lock();
    if (follows) {
      const auto then = SteadyClock::now();
      pace = then + kFilePace;
      period = then + kPeriod;
      served = std::max(served, wish);
      file_changed.notify_all();
    }
    if (last) return;
  }
}

/// For the file, which then need not read it back. After a rollback its number comes again, with what holds.
void Log::Impl::remember(const Entry& entry) {
  if (options.file.empty()) return;
  const std::lock_guard lock(recent_mutex);
  while (!recent.empty() && recent.back().sequence >= entry.sequence) recent.pop_back();
  if (recent.size() == kMaxRecent) recent.pop_front();
  recent.push_back(entry);
}

/// Remembers a record that somebody follows until it is durable: the file is what is appended after that.
void Log::Impl::watch(const Entry& entry) {
  if (!options.watched || !options.watched(entry)) return;
  const std::lock_guard lock(watched_mutex);
  if (watched.size() < kMaxWatched) watched.insert(entry.sequence);
}

void Log::Impl::tell(const std::vector<Entry>& entries) {
  if (!options.appended) return;
  for (const auto& entry : entries) {
    {
      const std::lock_guard lock(watched_mutex);
      if (watched.erase(entry.sequence) == 0) continue;
    }
    // Asked again: after a rollback another record may have got the number.
    if (options.watched(entry)) options.appended(entry);
  }
}

/// The end has come and does not wait for the file any more.
bool Log::Impl::out_of_time() {
  const std::lock_guard lock(file_mutex);
  return stopping && SteadyClock::now() >= stop_until;
}

Result<void> Log::Impl::add_to_file(const std::vector<Entry>& entries) {
  std::string lines;
  lines.reserve(entries.size() * 512);
  for (const auto& entry : entries) {
    lines += to_line(entry);
    lines.push_back('\n');
  }
  PAWL_TRY_VOID(file->append(lines, entries.back().sequence));
  file_sequence = entries.back().sequence;
  tell(entries);
  return {};
}

/// What the file lacks up to `head`, which is committed; nothing where some of it was not written by this process. The chain proves that
/// these are the records of the database: each hash covers the one before, and the last is the head's.
std::vector<Entry> Log::Impl::recent_up_to(const detail::Head& head) {
  const std::lock_guard lock(recent_mutex);
  while (!recent.empty() && recent.front().sequence <= file->last_sequence()) recent.pop_front();
  const auto end = std::find_if(recent.begin(), recent.end(), [&](const Entry& entry) { return entry.sequence > head.sequence; });
  const auto begins = recent.begin() != end && recent.front().sequence == file->last_sequence() + 1;
  if (!begins || std::prev(end)->sequence != head.sequence || std::prev(end)->hash != head.hash) return {};
  const auto follows = [](const Entry& one, const Entry& next) { return next.sequence == one.sequence + 1 && next.previous == one.hash; };
  if (std::adjacent_find(recent.begin(), end, [&](const Entry& one, const Entry& next) { return !follows(one, next); }) != end) return {};
  std::vector<Entry> entries(std::make_move_iterator(recent.begin()), std::make_move_iterator(end));
  recent.erase(recent.begin(), end);
  return entries;
}

/// Whether the file has everything now.
Result<bool> Log::Impl::follow_from_memory() {
  std::optional<detail::StoredHead> committed;
  PAWL_TRY_VOID(database.read([&](storage::Session& session) -> Result<void> {
    PAWL_TRY(head, detail::read_head(session));
    committed = head;
    return {};
  }));
  if (!committed) return false;
  if (committed->head.sequence == file->last_sequence()) return true;
  const auto entries = recent_up_to(committed->head);
  if (entries.empty()) return false;
  PAWL_TRY_VOID(add_to_file(entries));
  return true;
}

/// One page. Whether the file has everything now.
Result<bool> Log::Impl::follow_from_database() {
  std::vector<Entry> entries;
  std::int64_t rows = 0;
  PAWL_TRY_VOID(database.read([&](storage::Session& session) {
    return session.query(PAWL_AUDIT_SELECT "where r.seq > $1 order by r.seq limit $2",
                         {static_cast<std::int64_t>(file->last_sequence()), kPage}, [&](const storage::Row& row) {
                           ++rows;
                           for (auto& stored : detail::read_row(row).records) {
                             if (stored.entry.sequence > file->last_sequence()) entries.push_back(std::move(stored.entry));
                           }
                         });
  }));
  if (entries.empty()) return true;
  PAWL_TRY_VOID(add_to_file(entries));
  return rows < kPage;
}

/// Appends to the file what the database has beyond it, as long as there is time.
Result<void> Log::Impl::follow() {
  PAWL_TRY(from_memory, follow_from_memory());
  for (bool complete = from_memory; !complete;) {
    write_gathered();  // a long way to catch up keeps no record waiting
    PAWL_TRY(page, follow_from_database());
    complete = page;
    if (!complete && out_of_time()) {
      report("the audit file ends with record " + std::to_string(file->last_sequence()) +
             "; the next start writes what the database has beyond it");
      return {};
    }
  }
  return {};
}

// ---- life cycle ---------------------------------------------------------------------------------------------------------------

Log::Log(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Result<std::unique_ptr<Log>> Log::open(storage::Database& database, const Clock& clock, const Redactor& redactor, LogOptions options) {
  PAWL_ASSERT(!options.keys.empty(), "the chain is signed");
  auto impl = std::make_unique<Impl>(database, clock, redactor, std::move(options));
  std::uint64_t newest = 0;
  PAWL_TRY_VOID(database.write_and_wait([&](storage::Transaction& transaction) -> Result<void> {
    const auto head = detail::lock_head(transaction, impl->key());
    if (head.has_error()) return head.error();
    newest = head->sequence;
    return {};
  }));
  if (!impl->options.file.empty()) {
    PAWL_TRY(file, LineFile::open(impl->options.file, impl->options.rotate_bytes));
    impl->file.emplace(std::move(file));
    impl->file_sequence = impl->file->last_sequence();
    if (impl->file->last_sequence() > newest) {
      impl->report("the audit file " + impl->options.file.string() + " has records that the database has not: run `pawl audit verify`");
    }
  }
  std::unique_ptr<Log> log(new Log(std::move(impl)));  // NOLINT: private constructor
  log->impl_->file_thread = std::thread([&part = *log->impl_] { part.look_after_file(); });
  log->impl_->ask();  // what a crash has left out
  return log;
}

Log::~Log() {
  auto& impl = *impl_;
  if (!impl.file_thread.joinable()) return;
  // Everything that was queued is written: an empty write stands behind it. After this nobody appends any more.
  impl.write_again();
  static_cast<void>(impl.database.write_and_wait([](storage::Transaction&) { return Result<void>(); }));
  {
    const std::lock_guard lock(impl.file_mutex);
    impl.stopping = true;
    impl.stop_until = SteadyClock::now() + impl.options.stop_patience;
  }
  impl.file_changed.notify_all();
  impl.file_thread.join();
}

void Log::committed() { impl_->ask(); }

void Log::forget_files(std::uint64_t sequence) {
  auto& forget = impl_->forget_up_to;
  auto known = forget.load();
  while (known < sequence && !forget.compare_exchange_weak(known, sequence)) {
  }
  impl_->ask();
}

void Log::flush_file() {
  auto& impl = *impl_;
  impl.write_again();
  static_cast<void>(impl.database.write_and_wait([](storage::Transaction&) { return Result<void>(); }));
  std::unique_lock lock(impl.file_mutex);
  const auto wish = impl.urgent = ++impl.asked;
  impl.file_changed.notify_all();
  impl.file_changed.wait(lock, [&] { return impl.served >= wish; });
}

const Keys& Log::keys() const { return impl_->options.keys; }
const std::filesystem::path& Log::file() const { return impl_->options.file; }

Log::Statistics Log::statistics() const {
  auto& impl = *impl_;
  const std::lock_guard lock(impl.queue_mutex);
  return {impl.appended, impl.refused, impl.outstanding, impl.file_sequence};
}

}  // namespace pawl::audit
