// `email-summarizer`: reads the mails of an mbox or eml file and says in a few of their own sentences what each is about.
//
// The summary is extractive (detail/summary.hpp) and says so. `model` is the place for a summary by a language model.

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/utf8.hpp"
#include "engine/machine/machine.hpp"
#include "functions/detail/builtins.hpp"
#include "functions/detail/contained_path.hpp"
#include "functions/detail/file_io.hpp"
#include "functions/detail/html.hpp"
#include "functions/detail/summary.hpp"
#include "mail/received.hpp"

namespace pawl::functions {
namespace {

constexpr std::string_view kMethod = "extractive";
constexpr std::int64_t kSentences = 3;
constexpr std::int64_t kEmails = 100;

struct Task {
  std::optional<Place> file;
  std::string content;
  std::size_t sentences = 0;
  std::size_t max_length = 0;  ///< 0: no limit
  std::size_t max_emails = 0;
};

std::size_t count_or(const json::Value& arguments, std::string_view name, std::int64_t fallback) {
  const json::Value& value = arguments.get(name);
  return static_cast<std::size_t>(value.is_integer() ? value.as_integer() : fallback);
}

Result<Task> read_task(const json::Value& arguments, const Roots& roots) {
  Task task;
  if (const json::Value& path = arguments.get("source_path"); path.is_string()) {
    PAWL_TRY(place, roots.find(path.as_string()));
    task.file = std::move(place);
  }
  task.content = text_or(arguments, "email_content", "");
  task.sentences = count_or(arguments, "num_sentences", kSentences);
  task.max_length = count_or(arguments, "max_length", 0);
  task.max_emails = count_or(arguments, "max_emails", kEmails);
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
  return json::Value::object({{"email_index", index},
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
}

engine::Outcome summarize_all(const Task& task, std::size_t max_document, const std::atomic<bool>& cancelled) {
  std::string content = task.content;
  if (task.file) {
    auto file = read_whole(*task.file, max_document);
    if (file.has_error()) return failed(file.error());
    content = std::move(file->bytes);
  }
  json::Value summaries = json::Value::array();
  Statistics statistics;
  for (const std::string& message : mail::split_mbox(content, task.max_emails)) {
    if (cancelled.load(std::memory_order_relaxed)) {
      return failed({ErrorClass::unavailable, "mail.cancelled", "the call was cancelled"});
    }
    summaries.push_back(summary_of(mail::read_message(message), summaries.size(), task, statistics));
  }
  const std::size_t count = summaries.size();
  return engine::Outcome::success(json::Value::object(
      {{"method", std::string(kMethod)},
       {"emails_processed", count},
       {"total_summaries", count - statistics.without_text},
       {"summaries", std::move(summaries)},
       {"statistics", json::Value::object({{"total_original_length", statistics.original},
                                           {"total_summary_length", statistics.summary},
                                           {"average_compression_ratio", ratio(statistics.summary, statistics.original)},
                                           {"attachments", statistics.attachments},
                                           {"emails_without_text", statistics.without_text}})}}));
}

class EmailSummarizer final : public Builtin {
 public:
  explicit EmailSummarizer(const Parts& parts)
      : Builtin({.name = "email-summarizer",
                 .summary = "Summarizes the mails of an mbox or eml file by their most telling sentences",
                 .parameters = literal(R"({
                   "type": "object",
                   "properties": {
                     "source_path": {"type": "string", "minLength": 1, "description": "an mbox or eml file below the allowed folders"},
                     "email_content": {"type": "string", "minLength": 1, "description": "one mail, or an mbox, in place of a file"},
                     "num_sentences": {"type": "integer", "minimum": 1, "maximum": 20, "default": 3, "description": "of each summary, at most"},
                     "max_length": {"type": "integer", "minimum": 20, "maximum": 100000, "description": "bytes of each summary, at most"},
                     "max_emails": {"type": "integer", "minimum": 1, "maximum": 1000, "default": 100, "description": "the mails after these are left alone"},
                     "model": {"type": "string", "minLength": 1, "description": "a language model that writes the summaries, where a provider is configured"},
                     "dry_run": {"type": "boolean", "default": false}
                   },
                   "oneOf": [{"required": ["source_path"]}, {"required": ["email_content"]}],
                   "additionalProperties": false
                 })"),
                 .output = literal(R"({
                   "type": "object",
                   "properties": {
                     "method": {"const": "extractive", "description": "sentences of the mail itself, chosen by counting; no model"},
                     "emails_processed": {"type": "integer"}, "total_summaries": {"type": "integer", "description": "mails that have text"},
                     "summaries": {"type": "array", "items": {"type": "object", "properties": {
                       "email_index": {"type": "integer"}, "from": {"type": "string"}, "to": {"type": "string"}, "subject": {"type": "string"},
                       "date": {"type": "string"}, "message_id": {"type": "string"}, "attachments": {"type": "array"},
                       "original_length": {"type": "integer", "description": "characters"}, "summary_length": {"type": "integer"},
                       "summary": {"type": "string"}, "compression_ratio": {"type": "number"}
                     }}},
                     "statistics": {"type": "object"}
                   },
                   "required": ["method", "emails_processed", "total_summaries", "summaries", "statistics"]
                 })"),
                 .examples = literal(R"([
                   {"source_path": "inbox/today.mbox", "num_sentences": 2},
                   {"email_content": "Subject: Lunch\n\nLet us meet at noon. The new place has good soup.", "num_sentences": 1}
                 ])"),
                 .reach = {{engine::Access::Kind::read, "/source_path", ""}}}),
        parts_(parts) {}

  [[nodiscard]] engine::EffectClass effect_class(const json::Value& /*arguments*/) const override { return engine::EffectClass::read; }

 private:
  [[nodiscard]] Result<json::Value> describe(const engine::Invocation& call) const override {
    PAWL_TRY(task, read_task(call.arguments, *parts_.roots));
    json::Value step = json::Value::object({{"action", "summarize"}, {"method", std::string(kMethod)}});
    if (task.file) step.set("path", task.file->display());
    return json::Value::array({std::move(step)});
  }

  engine::Cancel run(engine::Invocation call, engine::Done done) override {
    if (call.arguments.find("model") != nullptr) {
      done(engine::Outcome::failure(engine::make_error("configuration", 501, "No model",
                                                       "no model provider is configured; without `model` the summary is extractive")));
      return {};
    }
    auto task = read_task(call.arguments, *parts_.roots);
    if (task.has_error()) {
      done(failed(task.error()));
      return {};
    }
    auto work = [task = std::move(task).value(), limit = parts_.options.max_document](const std::atomic<bool>& cancelled) {
      return summarize_all(task, limit, cancelled);
    };
    return run_on_pool(parts_.dependencies.pool, std::move(work), std::move(done));
  }
  Parts parts_;
};

}  // namespace

std::unique_ptr<engine::Function> make_email_summarizer(const Parts& parts) { return std::make_unique<EmailSummarizer>(parts); }

}  // namespace pawl::functions
