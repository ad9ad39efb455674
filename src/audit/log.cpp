// The log: records on their way into the chain. The file follows (detail/follower.cpp).
#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
#include <mutex>
#include <utility>

#include "audit/audit.hpp"
#include "audit/detail/chain.hpp"
#include "audit/detail/follower.hpp"
#include "audit/redact.hpp"
#include "base/assert.hpp"
#include "base/utf8.hpp"
#include "json/write.hpp"

namespace pawl::audit {

using detail::Stored;

namespace {

constexpr std::size_t kMaxShortText = 300;
constexpr std::size_t kMaxDetails = 8U << 10U;
/// A record that nobody waits for lets others come to it, so that an act of a busy server does not cost it a transaction of its own ...
constexpr Millis kGather{20};
/// ... unless there are this many already.
constexpr std::size_t kGatherRecords = 500;

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

/// Shared with the file's thread, which wants it once it is committed.
std::shared_ptr<Stored> stored_of(Record record, const Redactor& redactor, const Clock& clock) {
  auto stored = std::make_shared<Stored>();
  auto& entry = stored->entry;
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

struct Queued {
  std::shared_ptr<Stored> stored;
  Log::Done done;
};

/// What one write of the queue took. The work may run again after a rollback: it writes the same records then.
struct Taken {
  bool taken = false;
  std::vector<Queued> items;
};

}  // namespace

struct Log::Prepared::Items {
  std::vector<std::shared_ptr<Stored>> stored;
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

  detail::Head last_head;  // the writer thread's: of the last transaction, committed or not
  detail::Follower follower{database, options, [this] { write_again(); }};  // its thread ends before anything above goes

  [[nodiscard]] const crypto::Key& key() const { return options.keys.front(); }
  [[nodiscard]] Result<void> write_all(storage::Transaction& transaction, const std::vector<std::shared_ptr<Stored>>& all);
  void schedule();
  void written(Taken& taken, const Result<void>& result);
  void write_again();
  void report(std::string_view sentence) const {
    if (options.report) options.report(sentence);
  }
};

Result<void> Log::Impl::write_all(storage::Transaction& transaction, const std::vector<std::shared_ptr<Stored>>& all) {
  if (all.empty()) return {};
  PAWL_TRY(head, detail::lock_head(transaction, key(), last_head));
  auto ordered = all;
  PAWL_TRY_VOID(detail::insert_all(transaction, key(), head, ordered));
  for (const auto& stored : ordered) follower.wrote({stored, &stored->entry});
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
        std::vector<std::shared_ptr<Stored>> all;
        all.reserve(taken->items.size());
        for (const auto& item : taken->items) all.push_back(item.stored);
        return write_all(transaction, all);
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
  follower.ask();
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
    impl.follower.call_at(std::chrono::steady_clock::now() + kGather);
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
  return impl_->write_all(transaction, {stored_of(std::move(record), impl_->redactor, impl_->clock)});
}

void Log::prepare(Prepared& batch, Record record) const {
  if (!batch.items_) batch.items_ = std::make_unique<Prepared::Items>();
  batch.items_->stored.push_back(stored_of(std::move(record), impl_->redactor, impl_->clock));
}

Result<void> Log::write(storage::Transaction& transaction, Prepared& batch) {
  if (!batch.items_) return {};
  return impl_->write_all(transaction, batch.items_->stored);
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
  PAWL_TRY_VOID(impl->follower.start(newest));
  return std::unique_ptr<Log>(new Log(std::move(impl)));  // NOLINT: private constructor
}

Log::~Log() {
  auto& impl = *impl_;
  // Everything that was queued is written: an empty write stands behind it. After this nobody appends any more.
  impl.write_again();
  static_cast<void>(impl.database.write_and_wait([](storage::Transaction&) { return Result<void>(); }));
}

void Log::committed() { impl_->follower.ask(); }

void Log::forget_files(std::uint64_t sequence) { impl_->follower.forget(sequence); }

void Log::flush_file() {
  auto& impl = *impl_;
  impl.write_again();
  static_cast<void>(impl.database.write_and_wait([](storage::Transaction&) { return Result<void>(); }));
  impl.follower.catch_up();
}

const Keys& Log::keys() const { return impl_->options.keys; }
const std::filesystem::path& Log::file() const { return impl_->options.file; }

Log::Statistics Log::statistics() const {
  auto& impl = *impl_;
  const std::lock_guard lock(impl.queue_mutex);
  return {impl.appended, impl.refused, impl.outstanding, impl.follower.file_sequence()};
}

}  // namespace pawl::audit
