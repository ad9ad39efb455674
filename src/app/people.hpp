/// Everything about people beyond their accounts, put together: mail, organizations, user management, sign-in providers.
///
///     People people({...});
///     people.forget_principal([&](const UserId& user) { authenticator.forget(user); });
///     people.start();      // mails begin to leave
///     people.stop();
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "app/approval_mail.hpp"
#include "audit/audit.hpp"
#include "catalog/catalog.hpp"
#include "config/config.hpp"
#include "engine/engine.hpp"
#include "identity/oauth.hpp"
#include "identity/organization_service.hpp"
#include "identity/outbox_mailer.hpp"
#include "identity/user_admin.hpp"
#include "integrations/integrations.hpp"
#include "mail/outbox.hpp"
#include "mail/sender.hpp"
#include "mail/transport.hpp"
#include "net/outbound.hpp"
#include "notify/channels.hpp"
#include "notify/dispatcher.hpp"
#include "notify/notifications.hpp"

namespace pawl::app {

class Tracing;

class People {
 public:
  struct Dependencies {
    const config::Config& config;
    std::string folder;      ///< of the data
    std::string secret;      ///< of the installation
    std::string public_url;  ///< start of links
    OrganizationId installation;
    storage::Database& database;
    const crypto::KeyRing& seals;  ///< mails that wait
    net::Outbound& outbound;
    catalog::Catalog& catalog;
    engine::Engine& engine;
    integrations::Integrations& integrations;
    audit::Log* audit = nullptr;
    Tracing* tracing = nullptr;  ///< null: nothing is traced
    const Clock& clock;
    Random& random;
  };
  explicit People(const Dependencies& dependencies);
  ~People();
  People(const People&) = delete;
  People& operator=(const People&) = delete;

  /// What is called when somebody's memberships or rights have changed.
  void forget_principal(std::function<void(const UserId&)> forget) { forget_ = std::move(forget); }
  /// What is called after the commit that deleted an organization.
  void organization_gone(std::function<void(const OrganizationId&)> gone) { gone_ = std::move(gone); }
  /// What is called when somebody with an account was invited.
  void invited(std::function<void(const identity::Invited&)> tell) { organizations_.on_invited(std::move(tell)); }
  /// What is called when a notification is there.
  void notified(std::function<void(const OrganizationId&, const notify::NotificationId&, std::string_view kind, int least_role)> tell) {
    notified_ = std::move(tell);
  }
  void start();
  void stop();

  [[nodiscard]] identity::Mailer& mailer() { return mailer_; }
  [[nodiscard]] identity::Organizations& organizations() { return organizations_; }
  [[nodiscard]] identity::UserAdmin& users() { return users_; }
  [[nodiscard]] identity::OAuth& oauth() { return oauth_; }
  [[nodiscard]] notify::Notifications& notifications() { return notifications_; }
  [[nodiscard]] notify::Channels& channels() { return channels_; }
  /// How mails leave; null: they wait.
  [[nodiscard]] mail::Transport* transport() { return transport_.get(); }

 private:
  void add_parts();
  void cancel_runs(const OrganizationId& organization);
  [[nodiscard]] Result<void> record(storage::Transaction& transaction, const identity::OrganizationEvent& event);
  [[nodiscard]] Result<void> record(storage::Transaction& transaction, const identity::UserAdminEvent& event);

  Dependencies d_;
  std::function<void(const UserId&)> forget_;
  std::function<void(const OrganizationId&)> gone_;
  std::function<void(const OrganizationId&, const notify::NotificationId&, std::string_view kind, int least_role)> notified_;
  mail::Outbox outbox_;
  identity::OutboxMailer mailer_;
  std::unique_ptr<mail::Transport> transport_;  // null: mails wait
  std::unique_ptr<mail::Sender> sender_;
  std::unique_ptr<ApprovalMail> approval_mail_;  // likewise
  notify::Notifications notifications_;
  notify::Channels channels_;
  notify::Dispatcher dispatcher_;
  identity::Organizations organizations_;
  identity::UserAdmin users_;
  identity::OAuth oauth_;
};

}  // namespace pawl::app
