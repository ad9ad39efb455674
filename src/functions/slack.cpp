// `slack`: a message by an incoming webhook or, with a bot's token, by `chat.postMessage`.
//
// Slack answers most refusals with status 200 and `ok: false`; that is an error here. The address of a webhook is a secret: it stands in
// no plan and in no error.

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/utf8.hpp"
#include "engine/machine/machine.hpp"
#include "functions/detail/builtins.hpp"
#include "functions/detail/encoding.hpp"
#include "functions/detail/http_exchanger.hpp"
#include "json/parse.hpp"
#include "json/write.hpp"
#include "net/uri.hpp"

namespace pawl::functions {
namespace {

constexpr std::string_view kPostMessage = "https://slack.com/api/chat.postMessage";
constexpr std::size_t kMaxAnswer = 1U << 20U;
constexpr std::size_t kPreview = 200;

struct Post {
  HttpCall call;
  std::string host;
  bool by_webhook = false;
  json::Value hidden;  ///< what no text about the call may say
};

json::Value body_of(const json::Value& arguments) {
  json::Value body = json::Value::object();
  for (const char* name : {"channel", "username", "icon_emoji", "blocks", "thread_ts"}) {
    if (const json::Value* value = arguments.find(name)) body.set(name, *value);
  }
  const json::Value& message = arguments.get("message");
  const json::Value& text = message.is_null() ? arguments.get("text") : message;
  if (!text.is_null()) body.set("text", text);
  return body;
}

// From the authority on: libcurl may write the rest of an address in another way than the document does.
std::string path_of(const std::string& url) {
  const std::size_t scheme = url.find("://");
  const std::size_t path = scheme == std::string::npos ? std::string::npos : url.find('/', scheme + 3);
  return path == std::string::npos ? std::string() : url.substr(path);
}

Result<Post> read_post(const engine::Invocation& invocation) {
  const json::Value& arguments = invocation.arguments;
  PAWL_TRY(timeout, duration_argument(arguments, "timeout"));
  const std::string webhook = text_or(arguments, "webhook_url", "");
  const std::string token = text_or(arguments, "token", "");
  Post post;
  post.by_webhook = !webhook.empty();
  net::OutboundRequest& request = post.call.request;
  request.method = "POST";
  request.url = post.by_webhook ? webhook : std::string(kPostMessage);
  request.headers = {{"Content-Type", "application/json; charset=utf-8"}};
  request.body = json::to_text(body_of(arguments));
  request.follow_redirects = false;
  request.max_response_bytes = kMaxAnswer;
  request.timeout = timeout.value_or(Millis(30'000));
  request.at_most_once = true;
  if (!post.by_webhook) post.call.authentication = json::Value::object({{"bearer", json::Value::object({{"token", token}})}});
  post.host = net::host_of(request.url);
  if (post.host.empty()) return Error(ErrorClass::invalid, "slack.webhook_url", "`webhook_url` is not an http or https address");
  post.hidden = json::Value::array({invocation.secrets, webhook, path_of(webhook), token});
  return post;
}

engine::Outcome failure(std::string_view kind, int status, const std::string& detail) {
  return engine::Outcome::failure(engine::make_error(kind, status, "Slack did not take the message", detail));
}

engine::Outcome lied(const Post& post, std::string_view why) {
  return failure("communication", 502, fmt::format("{} does not answer as Slack does: {}", post.host, why));
}

// https://api.slack.com/methods/chat.postMessage#errors
engine::Outcome refused(const Post& post, std::string_view code) {
  static constexpr std::array kCredentials = {"invalid_auth",  "not_authed",    "account_inactive",  "token_revoked",
                                              "token_expired", "no_permission", "org_login_required"};
  static constexpr std::array kLater = {"internal_error", "fatal_error", "service_unavailable", "request_timeout"};
  const auto is_one_of = [code](const auto& list) {
    return std::any_of(list.begin(), list.end(), [code](const char* known) { return code == known; });
  };
  const std::string detail = redact(fmt::format("Slack says `{}`", code), post.hidden);
  if (is_one_of(kCredentials)) return failure("authentication", 401, detail);
  if (code == "ratelimited" || code == "rate_limited") return failure("communication", 429, detail);
  return failure("communication", is_one_of(kLater) ? 503 : 400, detail);
}

engine::Outcome read_answer(const Post& post, const net::OutboundResponse& response) {
  const std::string_view body = response.body;
  if (response.status == 429) {
    const auto pause = net::find_header(response.headers, "retry-after");
    return failure("communication", 429, fmt::format("too many messages; Slack asks to wait {} s", pause.value_or("some")));
  }
  if (response.status != 200) {
    const std::string said = is_utf8(body) ? std::string(body.substr(0, kPreview)) : std::string();
    return failure(
        "communication", response.status,
        redact(to_utf8(fmt::format("{} answered {}{}{}", post.host, response.status, said.empty() ? "" : ": ", said)), post.hidden));
  }
  if (post.by_webhook) {
    if (body != "ok") return lied(post, "the body is not `ok`");
    return engine::Outcome::success(json::Value::object({{"ok", true}}));
  }
  const auto answer = json::parse(body);
  if (answer.has_error() || !answer->get("ok").is_bool()) return lied(post, "the body has no `ok`");
  if (!answer->get("ok").as_bool()) return refused(post, text_or(*answer, "error", "unknown_error"));
  if (!answer->get("ts").is_string()) return lied(post, "the body has no `ts`");
  return engine::Outcome::success(json::Value::object({{"ok", true}, {"channel", answer->get("channel")}, {"ts", answer->get("ts")}}));
}

class Slack final : public Builtin {
 public:
  explicit Slack(const Parts& parts)
      : Builtin({.name = "slack",
                 .summary = "Posts a message to Slack by an incoming webhook or a bot's token",
                 .parameters = literal(R"({
                   "type": "object",
                   "properties": {
                     "webhook_url": {"type": "string", "minLength": 1, "description": "address of an incoming webhook; keep it in a secret"},
                     "token": {"type": "string", "minLength": 1, "description": "a bot's token, in place of a webhook; keep it in a secret"},
                     "channel": {"type": "string", "minLength": 1, "description": "needed with a token: the channel's id or name"},
                     "message": {"type": "string", "minLength": 1, "maxLength": 40000, "description": "the text, in Slack's mrkdwn"},
                     "text": {"type": "string", "minLength": 1, "maxLength": 40000, "description": "the same as message"},
                     "blocks": {"type": "array", "minItems": 1, "maxItems": 50, "description": "Block Kit; message is then the notification's text"},
                     "username": {"type": "string", "minLength": 1},
                     "icon_emoji": {"type": "string", "minLength": 1, "description": "such as :robot_face:"},
                     "thread_ts": {"type": "string", "minLength": 1, "description": "answer in the thread of this message"},
                     "timeout": {"description": "seconds, ISO 8601 text or a duration object; default 30 s"},
                     "dry_run": {"type": "boolean", "default": false}
                   },
                   "allOf": [
                     {"oneOf": [{"required": ["webhook_url"]}, {"required": ["token", "channel"]}]},
                     {"anyOf": [{"required": ["message"]}, {"required": ["text"]}, {"required": ["blocks"]}]}
                   ],
                   "additionalProperties": false
                 })"),
                 .output = literal(R"({
                   "type": "object",
                   "properties": {
                     "ok": {"const": true},
                     "channel": {"type": "string", "description": "with a token: the channel's id"},
                     "ts": {"type": "string", "description": "with a token: the message's id within the channel"}
                   },
                   "required": ["ok"]
                 })"),
                 .examples = literal(R"([
                   {"webhook_url": "https://hooks.slack.com/services/T000/B000/XXXX", "message": "The backup is done."},
                   {"token": "xoxb-1", "channel": "#operations", "message": "Disk is full on db-1", "icon_emoji": ":warning:"}
                 ])"),
                 .reach = {{engine::Access::Kind::host, "/webhook_url", ""}, {engine::Access::Kind::host, "", "slack.com"}},
                 .content = {"message", "text", "blocks"}}),
        parts_(parts) {}

  [[nodiscard]] engine::EffectClass effect_class(const json::Value& /*arguments*/) const override { return engine::EffectClass::once; }

 private:
  [[nodiscard]] Result<json::Value> describe(const engine::Invocation& call) const override {
    PAWL_TRY(post, read_post(call));
    json::Value step = json::Value::object({{"action", "post"}, {"host", post.host}, {"body_bytes", post.call.request.body.size()}});
    if (const json::Value* channel = call.arguments.find("channel")) step.set("channel", *channel);
    return json::Value::array({std::move(step)});
  }

  engine::Cancel run(engine::Invocation call, engine::Done done) override {
    auto read = read_post(call);
    if (read.has_error()) {
      done(failed(read.error()));
      return {};
    }
    auto request = std::move(read->call);
    const auto post = std::make_shared<const Post>(std::move(read).value());
    auto received = [post, done = std::move(done)](Result<net::OutboundResponse> answer) {
      if (answer.has_value()) return done(read_answer(*post, *answer));
      const Error& error = answer.error();
      done(failed({error.kind, error.code, redact(fmt::format("no answer from {}: {}", post->host, error.message), post->hidden)}));
    };
    return parts_.http->send(std::move(request), call.secrets, std::move(received));
  }
  Parts parts_;
};

}  // namespace

std::unique_ptr<engine::Function> make_slack(const Parts& parts) { return std::make_unique<Slack>(parts); }

}  // namespace pawl::functions
