/// Mails to those whom a run asks by name or role, with the way to the inbox.
///
/// A thread looks for open questions that nobody was written about and puts the mails into the outbox in the transaction that marks the
/// question: each is written about once, whatever happens. Questions that anybody may answer (no `approvers`) send no mail.
///
///     ApprovalMail mails({database, mailer, clock, "https://pawl.example.com"});
///     mails.start();
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "base/error.hpp"
#include "base/time.hpp"
#include "identity/mailer.hpp"
#include "storage/database.hpp"

namespace pawl::app {

class ApprovalMail {
 public:
  struct Dependencies {
    storage::Database& database;
    identity::Mailer& mailer;
    const Clock& clock;
    std::string public_url;                            ///< start of links
    std::function<void(const std::string&)> report{};  ///< a sentence for the log about what failed; may be empty
  };
  explicit ApprovalMail(Dependencies dependencies);
  /// Like `stop`.
  ~ApprovalMail();
  ApprovalMail(const ApprovalMail&) = delete;
  ApprovalMail& operator=(const ApprovalMail&) = delete;

  void start();
  void stop();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace pawl::app
