// GitHub: a personal or installation token; GitHub Enterprise by `base_url`.
#include "integrations/detail/probe.hpp"

namespace pawl::integrations::detail {
namespace {

constexpr std::string_view kService = "GitHub";

std::string base_of(const json::Value& config) { return without_slash(text_of(config, "base_url", "https://api.github.com")); }

Result<net::OutboundResponse> get(const json::Value& config, const ProbeTools& tools, const std::string& path) {
  net::OutboundRequest request;
  request.url = base_of(config) + path;
  request.headers = {{"Accept", "application/vnd.github+json"}, {"X-GitHub-Api-Version", "2022-11-28"}};
  request.credentials = net::BearerToken{text_of(config, "access_token")};
  return send(tools, std::move(request));
}

Verdict test(const json::Value& config, const ProbeTools& tools) {
  auto verdict = expect_member(kService, get(config, tools, "/user"), "login", "GitHub accepts the token.");
  const auto repository = text_of(config, "repository");
  if (!verdict.ok || repository.empty()) return verdict;
  return expect_member(kService, get(config, tools, "/repos/" + repository), "full_name",
                       "GitHub accepts the token, and it can see the repository.");
}

}  // namespace

Connector github() {
  Connector connector;
  connector.name = "github";
  connector.title = "GitHub";
  connector.summary = "Repositories, issues and actions by a personal access token";
  connector.schema = literal(R"({
    "type": "object",
    "properties": {
      "access_token": {"type": "string", "title": "Access token", "minLength": 1, "maxLength": 1000, "writeOnly": true},
      "repository": {"type": "string", "title": "Repository", "description": "owner/name; the test then looks for it too",
                     "pattern": "^[A-Za-z0-9_.-]+/[A-Za-z0-9_.-]+$", "maxLength": 200},
      "base_url": {"type": "string", "title": "API address", "description": "of GitHub Enterprise", "pattern": "^https?://", "maxLength": 500,
                   "default": "https://api.github.com"}
    },
    "required": ["access_token"],
    "additionalProperties": false
  })");
  connector.bearer_field = "access_token";
  connector.hosts = [](const json::Value& config) { return std::vector<std::string>{host_of(base_of(config))}; };
  connector.test = test;
  return connector;
}

}  // namespace pawl::integrations::detail
