// Slack: a bot token, or an incoming webhook.
//
// A webhook has no call that only looks. The test posts an object without text: Slack answers 400 `no_text` for a webhook that exists,
// and nothing appears in a channel. So it shows that the address is known, not that the channel still takes messages.
#include "integrations/detail/probe.hpp"

namespace pawl::integrations::detail {
namespace {

constexpr std::string_view kService = "Slack";

Verdict test_token(const json::Value& config, const ProbeTools& tools) {
  net::OutboundRequest request;
  request.method = "POST";
  request.url = "https://slack.com/api/auth.test";
  request.credentials = net::BearerToken{text_of(config, "bot_token")};
  const auto body = json_answer(kService, send(tools, std::move(request)));
  if (body.has_error()) return {false, body.error().message};
  if (!body->get("ok").is_bool()) return lied(kService);
  if (!body->get("ok").as_bool()) return {false, "Slack refused the token."};
  return {true, "Slack accepts the token."};
}

Verdict test_webhook(const json::Value& config, const ProbeTools& tools) {
  net::OutboundRequest request;
  request.method = "POST";
  request.url = text_of(config, "webhook_url");
  request.headers = {{"Content-Type", "application/json"}};
  request.body = "{}";
  const auto answer = send(tools, std::move(request));
  if (answer.has_error()) return no_answer(kService, answer.error());
  if (answer->status == 400 &&
      (answer->body == "no_text" || answer->body == "invalid_payload" || answer->body == "missing_text_or_fallback_or_attachments")) {
    return {true, "Slack knows the webhook. Whether the channel takes messages shows when one is sent."};
  }
  if (answer->status == 403 || answer->status == 404 || answer->status == 410)
    return {false, "Slack does not know the webhook (any more)."};
  return lied(kService);
}

}  // namespace

Connector slack() {
  Connector connector;
  connector.name = "slack";
  connector.title = "Slack";
  connector.summary = "Messages by a bot token or an incoming webhook";
  connector.schema = literal(R"({
    "type": "object",
    "properties": {
      "bot_token": {"type": "string", "title": "Bot token", "pattern": "^xox[a-z]-", "maxLength": 1000, "writeOnly": true},
      "webhook_url": {"type": "string", "title": "Webhook address", "pattern": "^https://hooks\\.slack(-gov)?\\.com/", "maxLength": 1000,
                      "writeOnly": true},
      "channel": {"type": "string", "title": "Channel", "maxLength": 100}
    },
    "anyOf": [{"required": ["bot_token"]}, {"required": ["webhook_url"]}],
    "additionalProperties": false
  })");
  connector.bearer_field = "bot_token";
  connector.hosts = [](const json::Value& config) {
    std::vector<std::string> hosts;
    if (config.find("bot_token") != nullptr) hosts.insert(hosts.end(), {"slack.com", "*.slack.com"});
    if (const auto webhook = text_of(config, "webhook_url"); !webhook.empty()) hosts.push_back(host_of(webhook));
    return hosts;
  };
  connector.test = [](const json::Value& config, const ProbeTools& tools) {
    if (config.find("webhook_url") == nullptr) return test_token(config, tools);
    auto verdict = test_webhook(config, tools);
    return verdict.ok && config.find("bot_token") != nullptr ? test_token(config, tools) : verdict;
  };
  return connector;
}

}  // namespace pawl::integrations::detail
