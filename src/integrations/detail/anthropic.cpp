// Anthropic.
#include "integrations/detail/probe.hpp"

namespace pawl::integrations::detail {
namespace {

std::string base_of(const json::Value& config) { return without_slash(text_of(config, "base_url", "https://api.anthropic.com")); }

Verdict test(const json::Value& config, const ProbeTools& tools) {
  net::OutboundRequest request;
  request.url = base_of(config) + "/v1/models?limit=1";
  request.headers = {{"x-api-key", text_of(config, "api_key")}, {"anthropic-version", "2023-06-01"}};
  return expect_member("Anthropic", send(tools, std::move(request)), "data", "Anthropic accepts the key.");
}

}  // namespace

Connector anthropic() {
  Connector connector;
  connector.name = "anthropic";
  connector.title = "Anthropic";
  connector.summary = "Models of Anthropic";
  connector.schema = literal(R"({
    "type": "object",
    "properties": {
      "api_key": {"type": "string", "title": "API key", "minLength": 1, "maxLength": 1000, "writeOnly": true},
      "base_url": {"type": "string", "title": "API address", "pattern": "^https?://", "maxLength": 500, "default": "https://api.anthropic.com"},
      "model": {"type": "string", "title": "Model", "maxLength": 200}
    },
    "required": ["api_key"],
    "additionalProperties": false
  })");
  connector.hosts = [](const json::Value& config) { return std::vector<std::string>{host_of(base_of(config))}; };
  connector.test = test;
  return connector;
}

}  // namespace pawl::integrations::detail
