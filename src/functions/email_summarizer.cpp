// `email-summarizer`: reads the mails of an mbox or eml file, or of a mailbox by IMAP, and says in a few of their own sentences what each
// is about. The mailbox stays as it is (mail/imap.hpp).
//
// The summary is extractive (detail/summary.hpp), or with `model` a language model's (detail/model_summary.hpp), and says which.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <mutex>

#include "base/utf8.hpp"
#include "engine/machine/machine.hpp"
#include "functions/detail/builtins.hpp"
#include "functions/detail/contained_path.hpp"
#include "functions/detail/encoding.hpp"
#include "functions/detail/file_io.hpp"
#include "functions/detail/html.hpp"
#include "functions/detail/mail_server.hpp"
#include "functions/detail/model_summary.hpp"
#include "functions/detail/secret_hosts.hpp"
#include "functions/detail/service_threads.hpp"
#include "functions/detail/summary.hpp"
#include "mail/imap.hpp"
#include "mail/received.hpp"

namespace pawl::functions {
namespace {

constexpr std::string_view kExtractive = "extractive";
constexpr std::string_view kModel = "model";
constexpr std::string_view kText = "text";  // of a mail, on its way to the model
constexpr std::int64_t kSentences = 3;
constexpr std::int64_t kEmails = 100;
constexpr std::uint16_t kImplicitTlsPort = 993;
constexpr std::int64_t kMaxMail = 10 << 20;

struct Mailbox {
  mail::MailServer server;
  mail::ImapQuery query;
};

struct Task {
  std::optional<Place> file;
  std::optional<Mailbox> mailbox;
  std::string content;
  std::size_t sentences = 0;
  std::size_t max_length = 0;  ///< 0: no limit
  std::size_t max_emails = 0;
  std::string model;  ///< empty: none
};

std::size_t count_or(const json::Value& arguments, std::string_view name, std::int64_t fallback) {
  const json::Value& value = arguments.get(name);
  return static_cast<std::size_t>(value.is_integer() ? value.as_integer() : fallback);
}

Result<Mailbox> read_mailbox(const json::Value& imap, const Parts& parts) {
  Mailbox mailbox;
  PAWL_TRY(server, mail_server(imap, "", {.usual = kImplicitTlsPort, .implicit_tls = kImplicitTlsPort}, parts));
  mailbox.server = std::move(server);
  mailbox.query.mailbox = text_or(imap, "mailbox", "INBOX");
  mailbox.query.search = {.unseen = flag_or(imap, "unseen", false),
                          .from = text_or(imap, "from", ""),
                          .subject = text_or(imap, "subject", ""),
                          .since = text_or(imap, "since", "")};
  mailbox.query.max_mail = count_or(imap, "max_bytes", kMaxMail);
  mailbox.query.max_total = parts.options.max_document;
  return mailbox;
}

Result<Task> read_task(const json::Value& arguments, const Parts& parts) {
  Task task;
  if (const json::Value& path = arguments.get("source_path"); path.is_string()) {
    PAWL_TRY(place, parts.roots->find(path.as_string()));
    task.file = std::move(place);
  }
  if (const json::Value& imap = arguments.get("imap"); imap.is_object()) {
    PAWL_TRY(mailbox, read_mailbox(imap, parts));
    mailbox.query.max_mails = count_or(arguments, "max_emails", kEmails);
    task.mailbox = std::move(mailbox);
  }
  task.content = text_or(arguments, "email_content", "");
  task.sentences = count_or(arguments, "num_sentences", kSentences);
  task.max_length = count_or(arguments, "max_length", 0);
  task.max_emails = count_or(arguments, "max_emails", kEmails);
  task.model = text_or(arguments, "model", "");
  return task;
}

std::string text_of_mail(const mail::Received& mail) {
  if (!mail.text.empty() || mail.html.empty()) return own_words(mail.text);
  const auto page = HtmlPage::parse(mail.html);
  return page.has_value() ? text_of(page->root()) : std::string();
}

// Characters, not bytes: figures for people.
std::size_t length_of(std::string_view text) {
  return static_cast<std::size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; }));
}

double ratio(std::size_t part, std::size_t whole) {
  return whole == 0 ? 0 : std::round(static_cast<double>(part) / static_cast<double>(whole) * 1000) / 1000;
}

struct Statistics {
  std::size_t original = 0;
  std::size_t summary = 0;
  std::size_t attachments = 0;
  std::size_t without_text = 0;
};

json::Value summary_of(const mail::Received& mail, std::size_t index, const Task& task, Statistics& statistics) {
  const std::string text = text_of_mail(mail);
  std::string summary = summarize(text, mail.subject, task.sentences, task.max_length);
  const std::size_t original = length_of(text);
  const std::size_t length = length_of(summary);
  statistics.original += original;
  statistics.summary += length;
  statistics.attachments += mail.attachments.size();
  if (summary.empty()) ++statistics.without_text;
  json::Value attachments = json::Value::array();
  for (const mail::ReceivedAttachment& attachment : mail.attachments) {
    attachments.push_back(json::Value::object({{"name", attachment.name}, {"type", to_utf8(attachment.type)}, {"size", attachment.size}}));
  }
  auto told = json::Value::object({{"email_index", index},
                                   {"from", mail.from},
                                   {"to", mail.to},
                                   {"subject", mail.subject},
                                   {"date", mail.date},
                                   {"message_id", mail.message_id},
                                   {"attachments", std::move(attachments)},
                                   {"original_length", original},
                                   {"summary_length", length},
                                   {"summary", std::move(summary)},
                                   {"compression_ratio", ratio(length, original)}});
  if (!task.model.empty()) told.set(kText, text);
  return told;
}

Result<mail::ImapMails> read_mails(const Task& task, std::size_t max_document, const std::atomic<bool>& cancelled) {
  if (task.mailbox) return mail::read_by_imap(task.mailbox->server, task.mailbox->query, cancelled);
  std::string content = task.content;
  if (task.file) {
    PAWL_TRY(file, read_whole(*task.file, max_document));
    content = std::move(file.bytes);
  }
  mail::ImapMails mails;
  for (std::string& message : mail::split_mbox(content, task.max_emails)) mails.mails.push_back({.uid = 0, .content = std::move(message)});
  return mails;
}

engine::Outcome summarize_all(const Task& task, const json::Value& secrets, std::size_t max_document, const std::atomic<bool>& cancelled) {
  auto mails = read_mails(task, max_document, cancelled);
  if (mails.has_error()) return failed({mails.error().kind, mails.error().code, redact(mails.error().message, secrets)});
  json::Value summaries = json::Value::array();
  Statistics statistics;
  for (const mail::ImapMail& one : mails->mails) {
    if (cancelled.load(std::memory_order_relaxed)) {
      return failed({ErrorClass::unavailable, "mail.cancelled", "the call was cancelled"});
    }
    auto summary = summary_of(mail::read_message(one.content), summaries.size(), task, statistics);
    if (task.mailbox) {
      summary.set("uid", one.uid);
      summary.set("is_cut", one.is_cut);
    }
    summaries.push_back(std::move(summary));
  }
  const std::size_t count = summaries.size();
  auto output = json::Value::object(
      {{"method", std::string(kExtractive)},
       {"emails_processed", count},
       {"total_summaries", count - statistics.without_text},
       {"summaries", std::move(summaries)},
       {"statistics", json::Value::object({{"total_original_length", statistics.original},
                                           {"total_summary_length", statistics.summary},
                                           {"average_compression_ratio", ratio(statistics.summary, statistics.original)},
                                           {"attachments", statistics.attachments},
                                           {"emails_without_text", statistics.without_text}})}});
  if (task.mailbox) output.set("emails_found", mails->found);
  return engine::Outcome::success(std::move(output));
}

/// Puts the model's summaries in place of the extractive ones.
json::Value with_summaries(json::Value output, std::vector<std::string> summaries, const std::string& model) {
  auto list = json::Value::array();
  std::size_t original = 0;
  std::size_t shortened = 0;
  for (std::size_t i = 0; i < summaries.size(); ++i) {
    auto one = output.get("summaries").at(i);
    const auto length = length_of(summaries[i]);
    const auto whole = static_cast<std::size_t>(one.get("original_length").as_integer());
    original += whole;
    shortened += length;
    one.erase(kText);
    one.set("summary", std::move(summaries[i]));
    one.set("summary_length", length);
    one.set("compression_ratio", ratio(length, whole));
    list.push_back(std::move(one));
  }
  auto statistics = output.get("statistics");
  statistics.set("total_summary_length", shortened);
  statistics.set("average_compression_ratio", ratio(shortened, original));
  output.set("method", std::string(kModel));
  output.set("model", model);
  output.set("summaries", std::move(list));
  output.set("statistics", std::move(statistics));
  return output;
}

/// First the mails are read, then the model is asked: `cancel` finds which of the two is going on.
class Stages {
 public:
  void begin(engine::Cancel cancel) {
    {
      const std::lock_guard lock(mutex_);
      if (!is_cancelled_) {
        if (!model_) first_ = std::move(cancel);
        return;
      }
    }
    if (cancel) cancel();
  }
  /// False: it was cancelled before.
  bool go_on(std::shared_ptr<ModelSummaries> model) {
    const std::lock_guard lock(mutex_);
    model_ = std::move(model);
    first_ = {};
    return !is_cancelled_;
  }
  void cancel() {
    engine::Cancel first;
    std::shared_ptr<ModelSummaries> model;
    {
      const std::lock_guard lock(mutex_);
      is_cancelled_ = true;
      first = first_;
      model = model_;
    }
    if (first) first();
    if (model) model->cancel();
  }

 private:
  std::mutex mutex_;
  engine::Cancel first_;
  std::shared_ptr<ModelSummaries> model_;
  bool is_cancelled_ = false;
};

class EmailSummarizer final : public Builtin {
 public:
  explicit EmailSummarizer(const Parts& parts)
      : Builtin({.name = "email-summarizer",
                 .summary = "Summarizes the mails of a file or of a mailbox on a server by their most telling sentences",
                 .parameters = literal(R"({
                   "type": "object",
                   "properties": {
                     "source_path": {"type": "string", "minLength": 1, "description": "an mbox or eml file below the allowed folders"},
                     "email_content": {"type": "string", "minLength": 1, "description": "one mail, or an mbox, in place of a file"},
                     "imap": {
                       "type": "object",
                       "description": "a mailbox on a server in place of a file; it is read and stays as it is, unseen mails stay unseen",
                       "properties": {
                         "host": {"type": "string", "pattern": "^[A-Za-z0-9._:-]+$", "maxLength": 253},
                         "port": {"type": "integer", "minimum": 1, "maximum": 65535, "default": 993},
                         "security": {"type": "string", "enum": ["starttls", "tls", "none"],
                                      "description": "default: tls on port 993, else starttls, which is then required; none sends no credentials"},
                         "username": {"type": "string", "minLength": 1},
                         "password": {"type": "string", "minLength": 1, "description": "keep it in a secret"},
                         "mailbox": {"type": "string", "pattern": "^[ -~]{1,200}$", "default": "INBOX"},
                         "unseen": {"type": "boolean", "default": false, "description": "only mails that nobody has read"},
                         "since": {"type": "string", "pattern": "^[0-9]{4}-[0-9]{2}-[0-9]{2}$", "description": "received on that day or later"},
                         "from": {"type": "string", "pattern": "^[ -~]{1,200}$", "description": "part of the sender"},
                         "subject": {"type": "string", "pattern": "^[ -~]{1,200}$", "description": "part of the subject"},
                         "max_bytes": {"type": "integer", "minimum": 1000, "maximum": 26214400, "default": 10485760, "description": "of each mail; longer ones are cut off there"},
                         "timeout": {"description": "seconds, ISO 8601 text or a duration object; default 60 s"}
                       },
                       "required": ["host"],
                       "dependentRequired": {"username": ["password"], "password": ["username"]},
                       "additionalProperties": false
                     },
                     "num_sentences": {"type": "integer", "minimum": 1, "maximum": 20, "default": 3, "description": "of each summary, at most"},
                     "max_length": {"type": "integer", "minimum": 20, "maximum": 100000, "description": "bytes of each summary, at most"},
                     "max_emails": {"type": "integer", "minimum": 1, "maximum": 1000, "default": 100, "description": "the mails after these are left alone; of a mailbox the newest ones are read"},
                     "model": {"type": "string", "minLength": 1, "description": "a language model that writes the summaries (as in llm; each mail is one question); without it they are extractive"},
                     "dry_run": {"type": "boolean", "default": false}
                   },
                   "oneOf": [{"required": ["source_path"]}, {"required": ["email_content"]}, {"required": ["imap"]}],
                   "additionalProperties": false
                 })"),
                 .output = literal(R"({
                   "type": "object",
                   "properties": {
                     "method": {"enum": ["extractive", "model"], "description": "extractive: sentences of the mail itself, chosen by counting; model: a language model wrote them"},
                     "model": {"type": "string"},
                     "emails_found": {"type": "integer", "description": "imap: all that match, read or not"},
                     "emails_processed": {"type": "integer"}, "total_summaries": {"type": "integer", "description": "mails that have text"},
                     "summaries": {"type": "array", "items": {"type": "object", "properties": {
                       "email_index": {"type": "integer"}, "from": {"type": "string"}, "to": {"type": "string"}, "subject": {"type": "string"},
                       "date": {"type": "string"}, "message_id": {"type": "string"}, "attachments": {"type": "array"},
                       "original_length": {"type": "integer", "description": "characters"}, "summary_length": {"type": "integer"},
                       "summary": {"type": "string"}, "compression_ratio": {"type": "number"},
                       "uid": {"type": "integer", "description": "imap: the mail's number in its mailbox"}, "is_cut": {"type": "boolean"}
                     }}},
                     "statistics": {"type": "object"}
                   },
                   "required": ["method", "emails_processed", "total_summaries", "summaries", "statistics"]
                 })"),
                 .examples = literal(R"([
                   {"source_path": "inbox/today.mbox", "num_sentences": 2},
                   {"imap": {"host": "imap.example.org", "username": "ada", "password": "secret", "unseen": true}, "max_emails": 20},
                   {"email_content": "Subject: Lunch\n\nLet us meet at noon. The new place has good soup.", "num_sentences": 1}
                 ])"),
                 .reach = {{engine::Access::Kind::read, "/source_path", ""},
                           {engine::Access::Kind::host, "/imap/host", ""},
                           {engine::Access::Kind::model, "/model", ""}},
                 .content = {"email_content"}}),
        parts_(parts) {}

  /// A model is paid for.
  [[nodiscard]] engine::EffectClass effect_class(const json::Value& arguments) const override {
    return arguments.find("model") != nullptr ? engine::EffectClass::idempotent : engine::EffectClass::read;
  }

 private:
  [[nodiscard]] Result<json::Value> describe(const engine::Invocation& call) const override {
    PAWL_TRY(task, read_task(call.arguments, parts_));
    json::Value step = json::Value::object({{"action", "summarize"}, {"method", std::string(task.model.empty() ? kExtractive : kModel)}});
    if (!task.model.empty()) step.set("model", task.model);
    if (task.file) step.set("path", task.file->display());
    if (task.mailbox) {
      step.set("server", fmt::format("{}:{}", task.mailbox->server.host, task.mailbox->server.port));
      step.set("mailbox", task.mailbox->query.mailbox);
    }
    return json::Value::array({std::move(step)});
  }

  engine::Cancel run(engine::Invocation call, engine::Done done) override {
    auto task = read_task(call.arguments, parts_);
    const auto& imap = call.arguments.get("imap");
    const auto held = task.has_value() ? hold_to_host(imap, text_or(imap, "host", ""), call.secrets) : Result<void>(task.error());
    if (held.has_error()) {
      done(failed(held.error()));
      return {};
    }
    auto* const llm = task->model.empty() ? nullptr : parts_.registry->get("llm");
    if (!task->model.empty() && llm == nullptr) {
      done(engine::Outcome::failure(
          engine::make_error("configuration", 501, "No model", "this program asks no models; without `model` the summary is extractive")));
      return {};
    }
    const auto stages = std::make_shared<Stages>();
    if (llm != nullptr) done = then_ask(*llm, call, {task->model, task->sentences, task->max_length}, stages, std::move(done));
    const bool converses = task->mailbox.has_value();
    auto work = [task = std::move(task).value(), secrets = call.secrets, limit = parts_.options.max_document](
                    const std::atomic<bool>& cancelled) { return summarize_all(task, secrets, limit, cancelled); };
    if (converses) {
      stages->begin(threads_.run(std::move(work), std::move(done)));
    } else {
      stages->begin(run_on_pool(parts_.dependencies.pool, std::move(work), std::move(done)));
    }
    return [stages] { stages->cancel(); };
  }

  /// What is done with the mails that were read: their texts go to the model one after the other.
  static engine::Done then_ask(engine::Function& llm, const engine::Invocation& call, SummaryWish wish,
                               const std::shared_ptr<Stages>& stages, engine::Done done) {
    const auto model = wish.model;
    auto summaries = std::make_shared<ModelSummaries>(llm, call, std::move(wish));
    return [summaries, stages, model, done = std::move(done)](engine::Outcome read) {
      if (!read.ok()) return done(std::move(read));
      if (!stages->go_on(summaries)) return done(failed({ErrorClass::unavailable, "mail.cancelled", "the call was cancelled"}));
      std::vector<std::string> texts;
      for (const json::Value& mail : read.output.get("summaries").items()) texts.emplace_back(mail.get(kText).as_string());
      summaries->ask(std::move(texts), [done, model, output = read.output](ModelSummaries::Answer answer) {
        if (!answer.error.is_null()) return done(engine::Outcome::failure(std::move(answer.error)));
        done(engine::Outcome::success(with_summaries(output, std::move(answer.summaries), model)));
      });
    };
  }

  Parts parts_;
  ServiceThreads threads_;  // the last: its end waits for what uses the others
};

}  // namespace

std::unique_ptr<engine::Function> make_email_summarizer(const Parts& parts) { return std::make_unique<EmailSummarizer>(parts); }

}  // namespace pawl::functions
