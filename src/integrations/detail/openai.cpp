// OpenAI, and every service that speaks its API, by `base_url`.
#include "integrations/detail/probe.hpp"

namespace pawl::integrations::detail {
namespace {

std::string base_of(const json::Value& config) { return without_slash(text_of(config, "base_url", "https://api.openai.com/v1")); }

Verdict test(const json::Value& config, const ProbeTools& tools) {
  net::OutboundRequest request;
  request.url = base_of(config) + "/models";
  request.credentials = net::BearerToken{text_of(config, "api_key")};
  if (const auto organization = text_of(config, "organization"); !organization.empty()) {
    request.headers.emplace_back("OpenAI-Organization", organization);
  }
  return expect_member("OpenAI", send(tools, std::move(request)), "data", "OpenAI accepts the key.");
}

}  // namespace

Connector openai() {
  Connector connector;
  connector.name = "openai";
  connector.title = "OpenAI";
  connector.summary = "Models of OpenAI, or of a service with the same API";
  connector.schema = literal(R"({
    "type": "object",
    "properties": {
      "api_key": {"type": "string", "title": "API key", "minLength": 1, "maxLength": 1000, "writeOnly": true},
      "base_url": {"type": "string", "title": "API address", "pattern": "^https?://", "maxLength": 500, "default": "https://api.openai.com/v1"},
      "organization": {"type": "string", "title": "Organization", "maxLength": 200},
      "model": {"type": "string", "title": "Model", "maxLength": 200}
    },
    "required": ["api_key"],
    "additionalProperties": false
  })");
  connector.bearer_field = "api_key";
  connector.hosts = [](const json::Value& config) { return std::vector<std::string>{host_of(base_of(config))}; };
  connector.test = test;
  return connector;
}

}  // namespace pawl::integrations::detail
