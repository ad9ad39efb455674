// `send-email`: a mail to one or more recipients by an SMTP server that the call names.

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/ids.hpp"
#include "functions/detail/builtins.hpp"
#include "functions/detail/contained_path.hpp"
#include "functions/detail/encoding.hpp"
#include "functions/detail/file_io.hpp"
#include "functions/detail/mail_server.hpp"
#include "functions/detail/secret_hosts.hpp"
#include "functions/detail/service_threads.hpp"
#include "mail/letter.hpp"
#include "mail/smtp.hpp"

namespace pawl::functions {
namespace {

constexpr std::uint16_t kSubmissionPort = 587;
constexpr std::uint16_t kImplicitTlsPort = 465;
constexpr std::size_t kMaxRecipients = 100;

Error bad(std::string message) { return {ErrorClass::invalid, "mail.arguments", std::move(message)}; }

std::string_view media_type_of(std::string_view name) {
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 15> kTypes{{{".pdf", "application/pdf"},
                                                                                         {".zip", "application/zip"},
                                                                                         {".gz", "application/gzip"},
                                                                                         {".json", "application/json"},
                                                                                         {".xml", "application/xml"},
                                                                                         {".txt", "text/plain"},
                                                                                         {".log", "text/plain"},
                                                                                         {".md", "text/markdown"},
                                                                                         {".csv", "text/csv"},
                                                                                         {".html", "text/html"},
                                                                                         {".png", "image/png"},
                                                                                         {".jpg", "image/jpeg"},
                                                                                         {".jpeg", "image/jpeg"},
                                                                                         {".gif", "image/gif"},
                                                                                         {".webp", "image/webp"}}};
  const auto found = std::find_if(kTypes.begin(), kTypes.end(), [name](const auto& entry) { return name.ends_with(entry.first); });
  return found == kTypes.end() ? "application/octet-stream" : found->second;
}

// One address, several in one text with commas, or a list.
std::vector<std::string> read_addresses(const json::Value& value) {
  std::vector<std::string> addresses;
  const auto add = [&addresses](std::string_view text) {
    while (!text.empty()) {
      const std::size_t comma = std::min(text.find(','), text.size());
      std::string_view one = text.substr(0, comma);
      while (one.starts_with(' ')) one.remove_prefix(1);
      while (one.ends_with(' ')) one.remove_suffix(1);
      if (!one.empty()) addresses.emplace_back(one);
      text.remove_prefix(std::min(comma + 1, text.size()));
    }
  };
  if (value.is_string()) add(value.as_string());
  if (value.is_array()) {
    for (const json::Value& item : value.items()) add(item.as_string());
  }
  return addresses;
}

struct Mail {
  mail::MailServer server;
  std::string from;
  mail::Letter letter;
  std::vector<std::optional<Place>> files;  ///< of each attachment: where its content comes from
};

Result<void> read_attachments(const json::Value& list, const Roots& roots, Mail& mail) {
  if (!list.is_array()) return {};
  for (const json::Value& item : list.items()) {
    mail::Attachment attachment;
    std::optional<Place> place;
    if (const json::Value& path = item.get("path"); path.is_string()) {
      PAWL_TRY(found, roots.find(path.as_string()));
      attachment.name = found.relative.substr(found.relative.rfind('/') + 1);
      place = std::move(found);
    } else if (text_or(item, "encoding", "text") == "base64") {
      auto bytes = from_base64(text_or(item, "content", ""));
      if (!bytes) return bad("the content of an attachment is not base64 text");
      attachment.content = std::move(*bytes);
    } else {
      attachment.content = as_text(item.get("content"));
    }
    attachment.name = text_or(item, "name", attachment.name);
    attachment.type = text_or(item, "type", media_type_of(attachment.name));
    mail.letter.attachments.push_back(std::move(attachment));
    mail.files.push_back(std::move(place));
  }
  return {};
}

Result<Mail> read_mail(const json::Value& arguments, const Parts& parts) {
  Mail mail;
  PAWL_TRY(server, mail_server(arguments, "smtp_", {.usual = kSubmissionPort, .implicit_tls = kImplicitTlsPort}, parts));
  mail.server = std::move(server);
  mail::Letter& letter = mail.letter;
  mail.from = text_or(arguments, "from_email", "");
  letter.to = read_addresses(arguments.get("to_email"));
  letter.cc = read_addresses(arguments.get("cc"));
  letter.bcc = read_addresses(arguments.get("bcc"));
  letter.reply_to = text_or(arguments, "reply_to", "");
  letter.subject = text_or(arguments, "subject", "");
  const json::Value& html = arguments.get("html");
  if (html.is_string()) letter.html = html.as_string();
  (html.truthy() && html.is_bool() ? letter.html : letter.text) = text_or(arguments, "body", "");
  PAWL_TRY_VOID(read_attachments(arguments.get("attachments"), *parts.roots, mail));
  if (recipients_of(letter).size() > kMaxRecipients) return bad(fmt::format("a mail has at most {} recipients", kMaxRecipients));
  const auto checked = check(letter);
  if (checked.has_error()) return bad(checked.error().message);
  if (!mail::is_address(mail.from)) return bad("`from_email` is not a bare address such as ada@example.org");
  return mail;
}

// What a secret must not leave in: the same rule as for HTTP, with the mail server as the host.
Result<void> hold_to_server(const Mail& mail, const json::Value& secrets) {
  net::OutboundRequest carrier;
  const bool is_v6 = mail.server.host.find(':') != std::string::npos;
  carrier.url = fmt::format("https://{}{}{}/", is_v6 ? "[" : "", mail.server.host, is_v6 ? "]" : "");
  carrier.credentials = net::BasicCredentials{mail.server.username, mail.server.password};
  carrier.body = fmt::format("{}\n{}\n{}", mail.letter.subject, mail.letter.text, mail.letter.html);
  for (const mail::Attachment& attachment : mail.letter.attachments) carrier.body.append(1, '\n').append(attachment.content);
  return hold_to_hosts(carrier, secrets);
}

engine::Outcome send(Mail mail, const engine::Invocation& call, const Parts& parts, const std::atomic<bool>& cancelled) {
  std::size_t left = parts.options.max_mail;
  const auto too_large = [&] {
    return failed({ErrorClass::invalid, "mail.too_large", fmt::format("the mail is larger than {} bytes", parts.options.max_mail)});
  };
  for (std::size_t i = 0; i < mail.files.size(); ++i) {
    mail::Attachment& attachment = mail.letter.attachments[i];
    if (mail.files[i]) {
      auto content = read_whole(*mail.files[i], left);
      if (content.has_error()) return failed(content.error());
      attachment.content = std::move(content->bytes);
    }
    if (attachment.content.size() > left) return too_large();
    left -= attachment.content.size();
  }
  if (mail.letter.text.size() + mail.letter.html.size() > left) return too_large();
  if (const auto held = hold_to_server(mail, call.secrets); held.has_error()) return failed(held.error());
  // The same step has the same id, so that a mail which was sent twice after all can be told by it.
  const std::string id = call.idempotency_key.empty()
                             ? fmt::format("{:016x}{:016x}", parts.dependencies.random.next(), parts.dependencies.random.next())
                             : sha256(call.idempotency_key).substr(0, 32);
  const auto content = compose(mail.letter, {mail.from, id, parts.dependencies.clock.now()});
  if (content.has_error()) return failed(content.error());
  const mail::SmtpEnvelope envelope{mail.from, recipients_of(mail.letter)};
  const auto sent = send_by_smtp(mail.server, envelope, *content, cancelled);
  if (sent.has_error()) return failed({sent.error().kind, sent.error().code, redact(sent.error().message, call.secrets)});
  return engine::Outcome::success(
      json::Value::object({{"status", "sent"},
                           {"message_id", fmt::format("<{}@{}>", id, mail.from.substr(mail.from.rfind('@') + 1))},
                           {"recipients", envelope.to.size()},
                           {"bytes", content->size()}}));
}

class SendEmail final : public Builtin {
 public:
  explicit SendEmail(const Parts& parts)
      : Builtin({.name = "send-email",
                 .summary = "Sends a mail by an SMTP server, with attachments",
                 .parameters = literal(R"({
                   "type": "object",
                   "$defs": {
                     "addresses": {
                       "description": "bare addresses: one, several with commas, or a list",
                       "oneOf": [{"type": "string", "minLength": 1}, {"type": "array", "minItems": 1, "items": {"type": "string", "minLength": 1}}]
                     }
                   },
                   "properties": {
                     "smtp_host": {"type": "string", "pattern": "^[A-Za-z0-9._:-]+$", "maxLength": 253},
                     "smtp_port": {"type": "integer", "minimum": 1, "maximum": 65535, "default": 587},
                     "security": {"type": "string", "enum": ["starttls", "tls", "none"],
                                  "description": "default: tls on port 465, else starttls, which is then required; none sends no credentials"},
                     "smtp_username": {"type": "string", "minLength": 1},
                     "smtp_password": {"type": "string", "minLength": 1, "description": "keep it in a secret"},
                     "from_email": {"type": "string", "minLength": 3},
                     "to_email": {"$ref": "#/$defs/addresses"},
                     "cc": {"$ref": "#/$defs/addresses"},
                     "bcc": {"$ref": "#/$defs/addresses"},
                     "reply_to": {"type": "string", "minLength": 3},
                     "subject": {"type": "string", "maxLength": 500},
                     "body": {"type": "string"},
                     "html": {"type": ["boolean", "string"], "default": false, "description": "true: body is HTML; a text: HTML beside the plain body"},
                     "attachments": {
                       "type": "array",
                       "maxItems": 20,
                       "items": {
                         "type": "object",
                         "properties": {
                           "path": {"type": "string", "minLength": 1, "description": "a file below the allowed folders"},
                           "name": {"type": "string", "minLength": 1, "maxLength": 255, "description": "default: the file's name"},
                           "content": {"description": "text, or a value that is written as JSON"},
                           "encoding": {"type": "string", "enum": ["text", "base64"], "default": "text"},
                           "type": {"type": "string", "minLength": 3, "description": "content type; default: by the name"}
                         },
                         "oneOf": [{"required": ["path"]}, {"required": ["name", "content"]}],
                         "additionalProperties": false
                       }
                     },
                     "timeout": {"description": "seconds, ISO 8601 text or a duration object; default 60 s"},
                     "dry_run": {"type": "boolean", "default": false}
                   },
                   "required": ["smtp_host", "from_email", "to_email", "subject", "body"],
                   "dependentRequired": {"smtp_username": ["smtp_password"], "smtp_password": ["smtp_username"]},
                   "additionalProperties": false
                 })"),
                 .output = literal(R"({
                   "type": "object",
                   "properties": {
                     "status": {"const": "sent"}, "message_id": {"type": "string"}, "recipients": {"type": "integer"},
                     "bytes": {"type": "integer", "description": "of the whole message"}
                   }
                 })"),
                 .examples = literal(R"([
                   {"smtp_host": "smtp.example.org", "smtp_username": "robot", "smtp_password": "secret", "from_email": "robot@example.org",
                    "to_email": "ada@example.org", "subject": "Report", "body": "The report is attached.", "attachments": [{"path": "out/report.pdf"}]},
                   {"smtp_host": "smtp.example.org", "from_email": "robot@example.org", "to_email": ["ada@example.org", "bob@example.org"],
                    "subject": "Rows", "body": "<p>See the table.</p>", "html": true, "attachments": [{"name": "rows.csv", "content": "a,b\n1,2\n"}]}
                 ])"),
                 .reach = {{engine::Access::Kind::host, "/smtp_host", ""},
                           {engine::Access::Kind::mail, "/to_email", ""},
                           {engine::Access::Kind::mail, "/cc", ""},
                           {engine::Access::Kind::mail, "/bcc", ""},
                           {engine::Access::Kind::read, "/attachments", ""}},
                 .content = {"body", "html", "content"}}),
        parts_(parts) {}

  [[nodiscard]] engine::EffectClass effect_class(const json::Value& /*arguments*/) const override { return engine::EffectClass::once; }

 private:
  [[nodiscard]] Result<json::Value> describe(const engine::Invocation& call) const override {
    PAWL_TRY(mail, read_mail(call.arguments, parts_));
    json::Value recipients = json::Value::array();
    for (const std::string& address : recipients_of(mail.letter)) recipients.push_back(address);
    json::Value attachments = json::Value::array();
    for (const mail::Attachment& attachment : mail.letter.attachments) attachments.push_back(attachment.name);
    return json::Value::array({json::Value::object({{"action", "send"},
                                                    {"server", fmt::format("{}:{}", mail.server.host, mail.server.port)},
                                                    {"from", mail.from},
                                                    {"recipients", std::move(recipients)},
                                                    {"subject", redact(mail.letter.subject, call.secrets)},
                                                    {"attachments", std::move(attachments)}})});
  }

  engine::Cancel run(engine::Invocation call, engine::Done done) override {
    auto mail = read_mail(call.arguments, parts_);
    if (mail.has_error()) {
      done(failed(mail.error()));
      return {};
    }
    auto work = [this, mail = std::move(mail).value(), call = std::move(call)](const std::atomic<bool>& cancelled) {
      return send(mail, call, parts_, cancelled);
    };
    return threads_.run(std::move(work), std::move(done));
  }
  Parts parts_;
  ServiceThreads threads_;  // the last: its end waits for what uses the others
};

}  // namespace

std::unique_ptr<engine::Function> make_send_email(const Parts& parts) { return std::make_unique<SendEmail>(parts); }

}  // namespace pawl::functions
