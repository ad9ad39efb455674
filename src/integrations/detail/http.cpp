// Any HTTP API: a base address and one field that carries the credentials.
#include <fmt/core.h>

#include "integrations/detail/probe.hpp"

namespace pawl::integrations::detail {
namespace {

constexpr std::string_view kService = "The service";

Verdict test(const json::Value& config, const ProbeTools& tools) {
  net::OutboundRequest request;
  request.url = without_slash(text_of(config, "base_url")) + text_of(config, "test_path", "/");
  if (const auto value = text_of(config, "header_value"); !value.empty()) {
    request.headers.emplace_back(text_of(config, "header_name", "Authorization"), value);
  }
  const auto answer = send(tools, std::move(request));
  if (answer.has_error()) return no_answer(kService, answer.error());
  const int status = answer->status;
  if (status >= 200 && status < 300) return {true, fmt::format("The service answered with status {}.", status)};
  if (status == 401 || status == 403) return {false, fmt::format("The service refused the credentials (status {}).", status)};
  return {false, fmt::format("The service answered with status {}.", status)};
}

}  // namespace

Connector http() {
  Connector connector;
  connector.name = "http";
  connector.title = "HTTP API";
  connector.summary = "Any HTTP API with its credentials in a header field";
  connector.schema = literal(R"({
    "type": "object",
    "properties": {
      "base_url": {"type": "string", "title": "Base address", "pattern": "^https?://[^/@]+", "maxLength": 500},
      "header_name": {"type": "string", "title": "Header field", "pattern": "^[A-Za-z0-9-]+$", "maxLength": 100, "default": "Authorization"},
      "header_value": {"type": "string", "title": "Value of the header field", "minLength": 1, "maxLength": 5000, "writeOnly": true},
      "test_path": {"type": "string", "title": "Path of the test", "pattern": "^/", "maxLength": 500, "default": "/"}
    },
    "required": ["base_url"],
    "additionalProperties": false
  })");
  connector.hosts = [](const json::Value& config) { return std::vector<std::string>{host_of(text_of(config, "base_url"))}; };
  connector.test = test;
  return connector;
}

}  // namespace pawl::integrations::detail
