#include "app/people.hpp"

#include "app/identity_parts.hpp"
#include "app/log.hpp"
#include "app/sign_in.hpp"
#include "app/tracing.hpp"
#include "catalog/organization_part.hpp"
#include "engine/organization_part.hpp"

namespace pawl::app {
namespace {

constexpr std::string_view kOAuthKey = "pawl oauth";

audit::Actor actor_of(const UserId& user) { return user.is_nil() ? audit::Actor::administrator() : audit::Actor::of_user(user); }

notify::Notice notice_of(const identity::OrganizationEvent& event, TimePoint now) {
  notify::Notice notice;
  notice.organization = event.organization;
  notice.kind = "member.changed";
  notice.subject = event.user->to_string() + " " + std::string(event.action);
  notice.title = event.action == "organization.member_removed" ? "Somebody is no member any more"
                 : event.action == "organization.role_changed" ? "A member has another role"
                                                               : "Somebody has become a member";
  notice.data = json::Value::object({{"user_id", event.user->to_string()}, {"action", std::string(event.action)}});
  if (!event.role.empty()) notice.data.set("role", std::string(event.role));
  notice.least_role = 2;
  notice.at = now;
  return notice;
}

}  // namespace

People::People(const Dependencies& dependencies)
    : d_(dependencies),
      outbox_(d_.seals, d_.random),
      mailer_(outbox_, d_.clock),
      transport_(make_mail_transport(d_.config, d_.folder)),
      notifications_(d_.database),
      channels_({d_.database, d_.seals, d_.outbound, d_.clock, d_.random, d_.public_url + "/notifications"}),
      dispatcher_({.database = d_.database,
                   .channels = channels_,
                   .mailer = transport_ ? &mailer_ : nullptr,
                   .clock = d_.clock,
                   .public_url = d_.public_url,
                   .interval = std::chrono::seconds(d_.config.notification_interval_seconds),
                   .raise =
                       [this](const OrganizationId& organization, const notify::NotificationId& id, std::string_view kind, int least_role) {
                         if (notified_) notified_(organization, id, kind, least_role);
                       },
                   .report = [](const std::string& sentence) { log(Level::warning, sentence); }}),
      organizations_({.database = d_.database,
                      .mailer = mailer_,
                      .clock = d_.clock,
                      .random = d_.random,
                      .public_url = links_url(d_.config),
                      .installation = d_.installation,
                      .record = [this](storage::Transaction& transaction,
                                       const identity::OrganizationEvent& event) { return record(transaction, event); }}),
      users_({.database = d_.database,
              .organizations = organizations_,
              .clock = d_.clock,
              .on_change =
                  [this](const UserId& user) {
                    if (forget_) forget_(user);
                  },
              .record = [this](storage::Transaction& transaction,
                               const identity::UserAdminEvent& event) { return record(transaction, event); }}),
      oauth_({d_.outbound, d_.database, d_.clock, crypto::derive_key(d_.secret, kOAuthKey), sign_in_providers(d_.config, d_.public_url)}) {
  if (transport_ && d_.tracing != nullptr) transport_ = d_.tracing->around(std::move(transport_));
  if (transport_) {
    mail::Sender::Dependencies sending{d_.database, outbox_, *transport_, d_.clock, d_.config.smtp.from};
    sending.report = [](const std::string& sentence) { log(Level::warning, sentence); };
    sender_ = std::make_unique<mail::Sender>(std::move(sending));
    ApprovalMail::Dependencies asking{d_.database, mailer_, d_.clock, d_.public_url};
    asking.report = [](const std::string& sentence) { log(Level::warning, sentence); };
    approval_mail_ = std::make_unique<ApprovalMail>(std::move(asking));
  }
  organizations_.on_membership_change([this](const UserId& user) {
    if (forget_) forget_(user);
  });
  // What starts by itself is judged anew.
  organizations_.on_destroy_role([this](const OrganizationId& organization) {
    if (const auto forgotten = d_.catalog.forget(organization); forgotten.has_error()) log(Level::error, forgotten.error().message);
  });
  organizations_.on_deleted([this](const OrganizationId& organization) {
    if (gone_) gone_(organization);
    cancel_runs(organization);
    // Its secrets are in memory, too.
    if (const auto read = d_.integrations.refresh(); read.has_error()) log(Level::error, read.error().message);
    if (const auto forgotten = d_.catalog.forget(organization); forgotten.has_error()) log(Level::error, forgotten.error().message);
  });
  add_parts();
}

People::~People() { stop(); }

void People::start() {
  if (sender_) sender_->start();
  if (approval_mail_) approval_mail_->start();
  dispatcher_.start();
}

void People::stop() {
  dispatcher_.stop();
  if (approval_mail_) approval_mail_->stop();
  if (sender_) sender_->stop();
}

void People::add_parts() {
  organizations_.add_part({"workflows", catalog::count_workflows, catalog::remove_organization});
  organizations_.add_part({"schedules", catalog::count_schedules});
  organizations_.add_part({"webhooks", catalog::count_webhooks});
  organizations_.add_part({"runs", engine::count_open_runs});  // cancelled after the commit
}

void People::cancel_runs(const OrganizationId& organization) {
  engine::RunFilter filter;
  filter.organization = organization;
  filter.phases = {engine::Phase::pending, engine::Phase::running, engine::Phase::waiting, engine::Phase::suspended};
  for (bool more = true; more;) {
    const auto page = d_.engine.list(filter);
    if (page.has_error()) return log(Level::error, "cannot cancel the runs of a deleted organization: " + page.error().message);
    for (const auto& run : page->runs) {
      // As by hand: nobody is left who could resume what is suspended.
      d_.engine.cancel(
          organization, run.id, "The organization was deleted.", [](const Result<void>&) {}, engine::Engine::CancelBy::person);
    }
    more = page->next.has_value();
    filter.before = page->next;
  }
}

Result<void> People::record(storage::Transaction& transaction, const identity::OrganizationEvent& event) {
  if (event.action.find("member") != std::string_view::npos || event.action == "organization.role_changed") {
    if (event.user) PAWL_TRY_VOID(notify::store(transaction, notice_of(event, d_.clock.now())));
  }
  if (d_.audit == nullptr) return {};
  audit::Record record;
  record.organization = event.organization;
  record.actor = actor_of(event.actor);
  record.action = std::string(event.action);
  record.resource = {"organization", event.organization.to_string()};
  record.details = json::Value::object();
  if (event.user) record.details.set("user", event.user->to_string());
  if (event.invitation) record.details.set("invitation", event.invitation->to_string());
  if (!event.role.empty()) record.details.set("role", event.role);
  return d_.audit->append(transaction, std::move(record));
}

Result<void> People::record(storage::Transaction& transaction, const identity::UserAdminEvent& event) {
  if (d_.audit == nullptr) return {};
  audit::Record record;
  record.actor = actor_of(event.actor);
  record.action = std::string(event.action);
  record.resource = {"user", event.user.to_string()};
  record.details = json::Value::object();
  if (event.changes.active) record.details.set("is_active", *event.changes.active);
  if (event.changes.superuser) record.details.set("is_superuser", *event.changes.superuser);
  if (event.changes.name) record.details.set("name_changed", true);
  return d_.audit->append(transaction, std::move(record));
}

}  // namespace pawl::app
