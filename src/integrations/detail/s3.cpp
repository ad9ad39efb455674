// S3 and what speaks its API: a listing of at most one key, signed with version 4.
#include <fmt/core.h>

#include "integrations/detail/probe.hpp"

namespace pawl::integrations::detail {
namespace {

constexpr std::string_view kService = "The storage";

std::string region_of(const json::Value& config) { return text_of(config, "region", "us-east-1"); }

/// AWS wants the bucket in the name; other services are asked by path.
std::string bucket_url(const json::Value& config) {
  const auto bucket = text_of(config, "bucket_name");
  const auto endpoint = without_slash(text_of(config, "endpoint"));
  if (!endpoint.empty()) return endpoint + "/" + bucket;
  return fmt::format("https://{}.s3.{}.amazonaws.com", bucket, region_of(config));
}

Verdict test(const json::Value& config, const ProbeTools& tools) {
  net::OutboundRequest request;
  request.url = bucket_url(config) + "/?list-type=2&max-keys=1";
  request.credentials = net::AwsSignature{text_of(config, "access_key_id"), text_of(config, "secret_access_key"), region_of(config), "s3"};
  const auto answer = send(tools, std::move(request));
  if (answer.has_error()) return no_answer(kService, answer.error());
  switch (answer->status) {
    case 200: break;
    case 301:
    case 307: return {false, "The bucket is in another region."};
    case 401:
    case 403: return {false, fmt::format("The storage refused the credentials for this bucket (status {}).", answer->status)};
    case 404: return {false, "There is no bucket of this name."};
    default: return {false, fmt::format("The storage answered with status {}.", answer->status)};
  }
  if (answer->body.find("<ListBucketResult") == std::string::npos) return lied(kService);
  return {true, "The storage accepts the credentials, and the bucket can be listed."};
}

}  // namespace

Connector s3() {
  Connector connector;
  connector.name = "s3";
  connector.title = "S3";
  connector.summary = "Objects in Amazon S3 or a service with the same API";
  connector.schema = literal(R"({
    "type": "object",
    "properties": {
      "access_key_id": {"type": "string", "title": "Access key id", "minLength": 1, "maxLength": 200},
      "secret_access_key": {"type": "string", "title": "Secret access key", "minLength": 1, "maxLength": 500, "writeOnly": true},
      "bucket_name": {"type": "string", "title": "Bucket", "pattern": "^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$"},
      "region": {"type": "string", "title": "Region", "pattern": "^[a-z0-9-]+$", "maxLength": 50, "default": "us-east-1"},
      "endpoint": {"type": "string", "title": "Address", "description": "of another service than Amazon's", "pattern": "^https?://[^/@?#]+$",
                   "maxLength": 500}
    },
    "required": ["access_key_id", "secret_access_key", "bucket_name"],
    "additionalProperties": false
  })");
  connector.hosts = [](const json::Value& config) { return std::vector<std::string>{host_of(bucket_url(config))}; };
  connector.test = test;
  return connector;
}

}  // namespace pawl::integrations::detail
