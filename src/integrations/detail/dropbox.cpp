// Dropbox: an access token.
#include "integrations/detail/probe.hpp"

namespace pawl::integrations::detail {
namespace {

Verdict test(const json::Value& config, const ProbeTools& tools) {
  net::OutboundRequest request;
  request.method = "POST";
  request.url = "https://api.dropboxapi.com/2/users/get_current_account";
  request.headers = {{"Content-Type", "application/json"}};
  request.body = "null";
  request.credentials = net::BearerToken{text_of(config, "access_token")};
  return expect_member("Dropbox", send(tools, std::move(request)), "account_id", "Dropbox accepts the token.");
}

}  // namespace

Connector dropbox() {
  Connector connector;
  connector.name = "dropbox";
  connector.title = "Dropbox";
  connector.summary = "Files in Dropbox by an access token";
  connector.schema = literal(R"({
    "type": "object",
    "properties": {
      "access_token": {"type": "string", "title": "Access token", "minLength": 1, "maxLength": 5000, "writeOnly": true},
      "folder_path": {"type": "string", "title": "Folder", "maxLength": 1000}
    },
    "required": ["access_token"],
    "additionalProperties": false
  })");
  connector.bearer_field = "access_token";
  connector.hosts = [](const json::Value&) {
    return std::vector<std::string>{"api.dropboxapi.com", "content.dropboxapi.com", "notify.dropboxapi.com"};
  };
  connector.test = test;
  return connector;
}

}  // namespace pawl::integrations::detail
