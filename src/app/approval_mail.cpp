#include "app/approval_mail.hpp"

#include <pthread.h>

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <optional>
#include <set>
#include <thread>
#include <vector>

#include "base/outage.hpp"
#include "base/utf8.hpp"
#include "engine/approval.hpp"

namespace pawl::app {
namespace {

constexpr std::chrono::seconds kLookEvery{2};
/// Per look, and per question: a question to more people than this is for the inbox.
constexpr int kQuestions = 20;
constexpr int kRecipients = 50;
constexpr std::size_t kMaxTitle = 150;
/// A question without a deadline: after this long the mail is not worth sending.
constexpr Millis kKeep = std::chrono::hours(3 * 24);

struct Question {
  Uuid id;
  OrganizationId organization;
  std::string workflow;
  std::string title;
  std::optional<TimePoint> deadline;
};

constexpr std::string_view kQuestionsToMail =
    "select id, organization_id, workflow_name, title, deadline from approvals where mailed_at is null and status = 'open' "
    "order by created_at limit $1";
// Members who have confirmed their address and may decide: by role, where one is named, or by name; but for the starter where it is
// excluded.
constexpr std::string_view kWhomToMail =
    "select u.email from approvals a join organization_members m on m.organization_id = a.organization_id join users u on u.id = m.user_id "
    "where a.id = $1 and u.is_active = 1 and u.deleted_at is null and u.email_verified_at is not null and m.role <> 'viewer' and "
    "((a.least_role > 1 and case m.role when 'owner' then 3 when 'admin' then 2 else 1 end >= a.least_role) or "
    "exists (select 1 from approval_users n where n.approval_id = a.id and n.name = u.email_key)) and "
    "not (a.exclude_starter = 1 and case when a.starter = u.id then 1 else 0 end = 1) order by u.email limit $2";
// Ids are text among the names; which user that is, is found out here, for both databases in the same way.
constexpr std::string_view kNames = "select name from approval_users where approval_id = $1";
constexpr std::string_view kUserToMail =
    "select u.email from approvals a join organization_members m on m.organization_id = a.organization_id join users u on u.id = m.user_id "
    "where a.id = $1 and u.id = $2 and u.is_active = 1 and u.deleted_at is null and u.email_verified_at is not null and "
    "m.role <> 'viewer' and not (a.exclude_starter = 1 and case when a.starter = u.id then 1 else 0 end = 1)";

std::string one_line(std::string_view text) {
  std::string line;
  for (const char c : text) line += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? ' ' : c;
  if (line.size() <= kMaxTitle) return line;
  return to_utf8(line.substr(0, kMaxTitle)) + "...";
}

identity::Message mail_of(const Question& question, const std::string& to, const std::string& public_url, TimePoint now) {
  identity::Message message;
  message.kind = "approval";
  message.to = to;
  message.subject = "Approval wanted: " + one_line(question.title);
  message.text = "The workflow \"" + one_line(question.workflow) + "\" waits for a decision:\n\n" + one_line(question.title) +
                 "\n\nLook at it and decide here:\n\n" + public_url + "/approvals/" + question.id.to_string() + "\n";
  if (question.deadline) message.text += "\nIt is decided without you after " + to_rfc3339(*question.deadline) + ".\n";
  message.keep =
      question.deadline ? std::max(Millis(1), std::min(kKeep, std::chrono::duration_cast<Millis>(*question.deadline - now))) : kKeep;
  return message;
}

}  // namespace

struct ApprovalMail::Impl {
  explicit Impl(Dependencies dependencies) : d(std::move(dependencies)) {}

  /// One look. The common one reads an index that is empty.
  [[nodiscard]] Result<void> look() {
    std::vector<Question> questions;
    PAWL_TRY_VOID(d.database.read([&](storage::Session& session) {
      return session.query(kQuestionsToMail, {kQuestions}, [&](const storage::Row& row) {
        questions.push_back(
            {row.uuid(0), row.id<OrganizationId>(1), std::string(row.text(2)), std::string(row.text(3)), row.optional_time(4)});
      });
    }));
    for (const auto& question : questions) {
      PAWL_TRY_VOID(d.database.write_and_wait([&](storage::Transaction& transaction) { return write(transaction, question); }));
    }
    return {};
  }

  [[nodiscard]] Result<void> write(storage::Transaction& transaction, const Question& question) const {
    const auto now = d.clock.now();
    PAWL_TRY(marked, transaction.execute("update approvals set mailed_at = $2 where id = $1 and mailed_at is null and status = 'open'",
                                         {question.id, now}));
    if (marked == 0) return {};  // decided meanwhile, or another process was first
    std::set<std::string> recipients;
    const auto take = [&](const storage::Row& row) { recipients.emplace(row.text(0)); };
    PAWL_TRY_VOID(transaction.query(kWhomToMail, {question.id, kRecipients}, take));
    std::vector<UserId> named;
    PAWL_TRY_VOID(transaction.query(kNames, {question.id}, [&](const storage::Row& row) {
      if (const auto user = UserId::parse(row.text(0))) named.push_back(*user);
    }));
    for (const auto& user : named) PAWL_TRY_VOID(transaction.query(kUserToMail, {question.id, user}, take));
    for (const auto& to : recipients) PAWL_TRY_VOID(d.mailer.send(transaction, mail_of(question, to, d.public_url, now)));
    return {};
  }

  void run() {
    ::pthread_setname_np(::pthread_self(), "pawl-asks");
    Outage outage;
    std::unique_lock lock(mutex);
    while (!stopping) {
      lock.unlock();
      const auto looked = look();
      if (outage.begins(looked.has_error()) && d.report) d.report("Mails about approvals: " + looked.error().message);
      lock.lock();
      changed.wait_for(lock, kLookEvery, [this] { return stopping; });
    }
  }

  Dependencies d;
  std::mutex mutex;
  std::condition_variable changed;
  bool stopping = false;
  std::thread thread;
};

ApprovalMail::ApprovalMail(Dependencies dependencies) : impl_(std::make_unique<Impl>(std::move(dependencies))) {}

ApprovalMail::~ApprovalMail() { stop(); }

void ApprovalMail::start() {
  impl_->thread = std::thread([impl = impl_.get()] { impl->run(); });
}

void ApprovalMail::stop() {
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->stopping = true;
  }
  impl_->changed.notify_all();
  if (impl_->thread.joinable()) impl_->thread.join();
}

}  // namespace pawl::app
