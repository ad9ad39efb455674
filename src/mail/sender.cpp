#include "mail/sender.hpp"

#include <pthread.h>

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "storage/database.hpp"

namespace pawl::mail {
namespace {

constexpr Millis kLookEvery{1000};
constexpr Millis kFirstPause{5000};
constexpr Millis kLongestPause = std::chrono::minutes(15);
constexpr Millis kLease = std::chrono::minutes(2);  ///< longer than any delivery takes
constexpr Millis kKeepEnded = std::chrono::hours(30 * 24);
constexpr int kPerTurn = 100;

}  // namespace

Millis pause_after(std::uint32_t attempts) {
  constexpr std::uint32_t kDoublings = 8;
  return std::min(kLongestPause, kFirstPause * (1U << std::min(attempts > 0 ? attempts - 1 : 0U, kDoublings)));
}

struct Sender::Impl {
  explicit Impl(Dependencies dependencies) : d(std::move(dependencies)) {}

  Dependencies d;
  std::mutex mutex;
  std::condition_variable changed;
  bool stopping = false;
  bool woken = false;
  std::thread thread;

  void run();
  [[nodiscard]] bool ended() {
    const std::lock_guard lock(mutex);
    return stopping;
  }
  [[nodiscard]] Result<int> send_due();
  [[nodiscard]] Result<void> deliver(const Outbox::Waiting& mail) const;
  [[nodiscard]] Result<void> record(const Outbox::Waiting& mail, const Result<void>& outcome) const;
};

Result<void> Sender::Impl::deliver(const Outbox::Waiting& mail) const {
  Parcel parcel;
  parcel.id = mail.id.to_string();
  parcel.from = d.from;
  parcel.to = mail.message.to;
  PAWL_TRY(content, compose(mail.message, {d.from, parcel.id, d.clock.now()}));
  parcel.content = std::move(content);
  return d.transport.deliver(parcel);
}

Result<void> Sender::Impl::record(const Outbox::Waiting& mail, const Result<void>& outcome) const {
  const auto now = d.clock.now();
  return d.database.write_and_wait([&](storage::Transaction& transaction) -> Result<void> {
    if (outcome.has_value()) return Outbox::mark_sent(transaction, mail.id, now);
    const auto& error = outcome.error();
    if (error.code != "mail.unavailable") return Outbox::mark_failed(transaction, mail.id, error.message, now);
    return Outbox::put_off(transaction, mail.id, error.message, now + pause_after(mail.attempts));
  });
}

Result<int> Sender::Impl::send_due() {
  int tried = 0;
  while (tried < kPerTurn && !ended()) {
    std::optional<Outbox::Waiting> mail;
    PAWL_TRY_VOID(d.database.write_and_wait([&](storage::Transaction& transaction) -> Result<void> {
      PAWL_TRY(taken, d.outbox.take(transaction, d.clock.now(), kLease));
      mail = std::move(taken);
      return {};
    }));
    if (!mail) return tried;
    ++tried;
    const auto outcome = deliver(*mail);
    if (outcome.has_error() && d.report)
      d.report("mail " + mail->id.to_string() + " (" + mail->message.kind + "): " + outcome.error().message);
    PAWL_TRY_VOID(record(*mail, outcome));
  }
  return tried;
}

void Sender::Impl::run() {
  ::pthread_setname_np(::pthread_self(), "pawl-mail");
  auto next_purge = d.clock.now();
  while (!ended()) {
    // The look is a read: an idle outbox costs no write.
    const auto due = d.database.read([&](storage::Session& session) -> Result<bool> {
      bool found = false;
      PAWL_TRY_VOID(session.query("select 1 from outbox where state = 'waiting' and next_at <= $1 limit 1", {d.clock.now()},
                                  [&](const storage::Row&) { found = true; }));
      return found;
    });
    if (due.has_value() && *due) {
      const auto sent = send_due();
      if (sent.has_error() && d.report) d.report("outbox: " + sent.error().message);
    }
    if (d.clock.now() >= next_purge) {
      next_purge = d.clock.now() + std::chrono::hours(24);
      const auto purged = d.database.write_and_wait([&](storage::Transaction& transaction) -> Result<void> {
        PAWL_TRY_VOID(Outbox::purge(transaction, d.clock.now() - kKeepEnded));
        return {};
      });
      if (purged.has_error() && d.report) d.report("outbox: " + purged.error().message);
    }
    std::unique_lock lock(mutex);
    changed.wait_for(lock, kLookEvery, [this] { return stopping || woken; });
    woken = false;
  }
}

Sender::Sender(Dependencies dependencies) : impl_(std::make_unique<Impl>(std::move(dependencies))) {}

Sender::~Sender() { stop(); }

void Sender::start() {
  impl_->thread = std::thread([impl = impl_.get()] { impl->run(); });
}

void Sender::stop() {
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->stopping = true;
  }
  impl_->changed.notify_all();
  impl_->d.transport.stop();
  if (impl_->thread.joinable()) impl_->thread.join();
}

void Sender::wake() {
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->woken = true;
  }
  impl_->changed.notify_all();
}

Result<int> Sender::send_due() { return impl_->send_due(); }

}  // namespace pawl::mail
