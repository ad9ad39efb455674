/// Signature Version 4 of Amazon's services, for S3: header fields that sign a request, or a URL that carries its signature. Pure.
///
/// libcurl has a signer too, but the one of Debian 12 (7.88) neither sorts query parameters nor signs parameters without a value or paths
/// with special characters as the specification wants it (curl issues 8107, 11794, 13754), and it signs no URLs.
///
/// https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-authenticating-requests.html
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/time.hpp"
#include "net/outbound.hpp"

namespace pawl::functions {

struct AwsKeys {
  std::string access_key_id;
  std::string secret_access_key;
  std::string session_token{};  ///< of temporary credentials; empty: none
};

struct AwsScope {
  std::string region;
  std::string service = "s3";
};

struct AwsRequest {
  std::string method;
  std::string host;                                          ///< as in the `Host` field: with the port where it is not the scheme's own
  std::string path;                                          ///< not encoded, begins with a slash
  std::vector<std::pair<std::string, std::string>> query{};  ///< not encoded
  net::HeaderList headers{};                                 ///< these are signed too; no `Host`
};

/// The path as it is sent and signed: everything is encoded but unreserved characters and slashes.
[[nodiscard]] std::string encode_path(std::string_view path);
/// The query as it is sent and signed: sorted; `name=` where there is no value.
[[nodiscard]] std::string encode_query(std::vector<std::pair<std::string, std::string>> query);

/// The fields to send: the request's own, `x-amz-date`, `x-amz-content-sha256` (`body_hash`: lower-case hexadecimal), the session's token,
/// `Authorization`.
[[nodiscard]] net::HeaderList sign(const AwsRequest& request, std::string_view body_hash, const AwsKeys& keys, const AwsScope& scope,
                                   TimePoint now);

/// Path and query of a URL that may be used by anybody who has it, for so long. `request.headers` must be sent as they are here.
[[nodiscard]] std::string presign(const AwsRequest& request, std::chrono::seconds lifetime, const AwsKeys& keys, const AwsScope& scope,
                                  TimePoint now);

}  // namespace pawl::functions
