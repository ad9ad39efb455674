/// S3 and what speaks its API, one bucket: requests signed with version 4 through `net::Outbound`, objects in pieces. Blocks.
///
/// Errors: those of `net::Outbound`; `s3.<status>`: the service says no; `s3.answer`: it answers something else than S3 does;
/// `s3.too_large`; `s3.cancelled`; those of file_io.hpp. Messages carry no credentials.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "functions/detail/sigv4.hpp"
#include "json/value.hpp"
#include "net/outbound.hpp"

namespace pawl::functions {

/// Where a bucket is.
struct S3Bucket {
  std::string scheme = "https";
  std::string host;      ///< with its port where that is not the scheme's own; with the bucket in front unless `path_style`
  std::string prefix{};  ///< `/bucket` with path style, else empty
  std::string region;

  /// `endpoint`: empty for Amazon's own, else `scheme://host[:port]`.
  [[nodiscard]] static S3Bucket of(std::string_view bucket, std::string_view region, std::string_view endpoint, bool path_style);
  [[nodiscard]] std::string path(std::string_view key) const;
};

struct S3Object {
  std::string key;
  std::int64_t size = 0;
  std::string etag;
  std::string last_modified;
  std::string content_type;  ///< not in listings
};

struct S3Listing {
  std::vector<S3Object> objects;
  std::vector<std::string> prefixes;
  bool truncated = false;
};

class S3Client {
 public:
  struct Settings {
    net::Outbound& outbound;
    const Clock& clock;
    const std::atomic<bool>& cancelled;
    const json::Value& secrets;  ///< go to their own hosts only
    S3Bucket bucket;
    AwsKeys keys;
    Millis timeout;             ///< for everything together
    bool at_most_once = false;  ///< no request is sent again when a kept connection breaks
  };
  explicit S3Client(Settings settings);

  /// Nothing: there is no such object.
  [[nodiscard]] Result<std::optional<S3Object>> head(std::string_view key);
  /// Hands the object over in pieces of some MiB, in order. What it was at the first piece it is at all of them.
  using Take = std::function<Result<void>(std::string_view piece)>;
  [[nodiscard]] Result<S3Object> get(std::string_view key, std::uint64_t limit, const Take& take);
  /// Asks for pieces of at most `length` bytes; all but the last are as long as asked for.
  using Give = std::function<Result<std::string>(std::uint64_t offset, std::size_t length)>;
  /// `replace` false: fails with `s3.412` where the object is there already. Answers with the entity tag.
  [[nodiscard]] Result<std::string> put(std::string_view key, std::uint64_t size, const Give& give, const std::string& content_type,
                                        bool replace);
  [[nodiscard]] Result<void> remove(std::string_view key);
  [[nodiscard]] Result<S3Listing> list(std::string_view prefix, std::string_view delimiter, std::size_t most);

 private:
  struct Call {
    std::string method;
    std::string path;
    std::vector<std::pair<std::string, std::string>> query{};
    net::HeaderList headers{};
    std::string body{};
  };
  [[nodiscard]] Result<net::OutboundResponse> exchange(Call call);
  /// The same, and a status outside of 200 to 299 is an error.
  [[nodiscard]] Result<net::OutboundResponse> demand(Call call);
  [[nodiscard]] Result<std::string> put_in_parts(const std::string& path, std::uint64_t size, const Give& give,
                                                 const net::HeaderList& headers, const net::HeaderList& conditions);
  [[nodiscard]] Result<std::string> send_parts(const std::string& path, const std::string& upload, std::uint64_t size, const Give& give,
                                               const net::HeaderList& conditions);

  Settings settings_;
  std::chrono::steady_clock::time_point deadline_;
};

}  // namespace pawl::functions
