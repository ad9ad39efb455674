// Google Drive by a service account: a signed claim becomes an access token, and the token asks who it is.
//
// The token is asked for at Google's own address, whatever `token_uri` the key file names: the signed claim goes nowhere else.
#include "integrations/detail/probe.hpp"
#include "integrations/detail/service_account.hpp"
#include "json/parse.hpp"

namespace pawl::integrations::detail {
namespace {

constexpr std::string_view kService = "Google";
constexpr const char* kTokenUrl = "https://oauth2.googleapis.com/token";
constexpr const char* kScope = "https://www.googleapis.com/auth/drive.metadata.readonly";

Result<std::string> access_token(const ServiceAccount& account, const ProbeTools& tools) {
  PAWL_TRY(claim, signed_claim(account, kScope, kTokenUrl, tools.now));
  net::OutboundRequest request;
  request.method = "POST";
  request.url = kTokenUrl;
  request.headers = {{"Content-Type", "application/x-www-form-urlencoded"}};
  request.body = "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer&assertion=" + claim;
  const auto answer = send(tools, std::move(request));
  if (answer.has_value() && answer->status == 400) {
    return Error(ErrorClass::unavailable, "integration.test", "Google refused the service account (status 400).");
  }
  PAWL_TRY(body, json_answer(kService, answer));
  const auto token = text_of(body, "access_token");
  if (token.empty()) return Error(ErrorClass::unavailable, "integration.test", lied(kService).detail);
  return token;
}

Verdict test(const json::Value& config, const ProbeTools& tools) {
  const auto credentials = json::parse(text_of(config, "credentials_json"));
  if (credentials.has_error()) return {false, "The credentials are not JSON."};
  const ServiceAccount account{text_of(*credentials, "client_email"), text_of(*credentials, "private_key")};
  if (account.email.empty() || account.private_key.empty()) {
    return {false, "The credentials are not the key file of a service account: `client_email` or `private_key` is missing."};
  }
  const auto token = access_token(account, tools);
  if (token.has_error()) return {false, token.error().message};
  net::OutboundRequest request;
  request.url = "https://www.googleapis.com/drive/v3/about?fields=user";
  request.credentials = net::BearerToken{*token};
  return expect_member(kService, send(tools, std::move(request)), "user", "Google accepts the service account.");
}

}  // namespace

Connector googledrive() {
  Connector connector;
  connector.name = "googledrive";
  connector.title = "Google Drive";
  connector.summary = "Files in Google Drive by a service account";
  connector.schema = literal(R"({
    "type": "object",
    "properties": {
      "credentials_json": {"type": "string", "title": "Key file", "description": "JSON text of the service account's key", "minLength": 2,
                           "maxLength": 20000, "writeOnly": true},
      "folder_id": {"type": "string", "title": "Folder", "pattern": "^[A-Za-z0-9_-]+$", "maxLength": 200}
    },
    "required": ["credentials_json"],
    "additionalProperties": false
  })");
  connector.hosts = [](const json::Value&) { return std::vector<std::string>{"oauth2.googleapis.com", "www.googleapis.com"}; };
  connector.test = test;
  return connector;
}

}  // namespace pawl::integrations::detail
