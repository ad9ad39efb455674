#include "functions/detail/s3_client.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <future>
#include <memory>

#include "base/utf8.hpp"
#include "functions/detail/encoding.hpp"
#include "functions/detail/secret_hosts.hpp"
#include "functions/detail/xml_text.hpp"
#include "net/uri.hpp"

namespace pawl::functions {
namespace {

constexpr std::size_t kPiece = 8U << 20U;  // S3 wants parts of 5 MiB and more
constexpr std::size_t kMaxAnswer = kPiece + (1U << 20U);
constexpr std::size_t kAnySize = std::size_t{1} << 62U;
constexpr std::size_t kPage = 1'000;
constexpr std::size_t kMaxPages = 1'000;
constexpr std::chrono::milliseconds kLook{20};
constexpr std::size_t kShownMessage = 300;

Error strange(std::string_view what) {
  return {ErrorClass::unavailable, "s3.answer", fmt::format("the storage does not answer as S3 does: {}", what)};
}

bool is_success(int status) { return status >= 200 && status < 300; }

Error refusal(const net::OutboundResponse& response) {
  const std::string code = xml_text(response.body, "Code").value_or("");
  const std::string message = xml_text(response.body, "Message").value_or("").substr(0, kShownMessage);
  const auto kind = response.status == 404   ? ErrorClass::not_found
                    : response.status == 403 ? ErrorClass::denied
                    : response.status == 412 ? ErrorClass::conflict
                                             : ErrorClass::unavailable;
  return {kind, fmt::format("s3.{}", response.status),
          to_utf8(fmt::format("the storage answers {}{}{}{}{}", response.status, code.empty() ? "" : " ", code, message.empty() ? "" : ": ",
                              message))};
}

std::string field(const net::OutboundResponse& response, std::string_view name) {
  return std::string(net::find_header(response.headers, name).value_or(""));
}

std::optional<std::int64_t> to_number(std::string_view text) {
  std::int64_t number = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (failure != std::errc{} || end != text.data() + text.size() || number < 0) return std::nullopt;
  return number;
}

std::string without_quotes(std::string tag) {
  std::erase(tag, '"');
  return tag;
}

S3Object object_of(std::string_view key, const net::OutboundResponse& response) {
  S3Object object;
  object.key = key;
  object.size = to_number(field(response, "content-length")).value_or(0);
  object.etag = without_quotes(field(response, "etag"));
  object.last_modified = field(response, "last-modified");
  object.content_type = field(response, "content-type");
  return object;
}

}  // namespace

S3Bucket S3Bucket::of(std::string_view bucket, std::string_view region, std::string_view endpoint, bool path_style) {
  S3Bucket place;
  place.region = region;
  place.host = fmt::format("s3.{}.amazonaws.com", region);
  if (const std::size_t scheme = endpoint.find("://"); scheme != std::string_view::npos) {
    place.scheme = endpoint.substr(0, scheme);
    place.host = endpoint.substr(scheme + 3);
    while (place.host.ends_with('/')) place.host.pop_back();
    for (char& c : place.host) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
    const std::string_view own_port = place.scheme == "https" ? ":443" : ":80";
    if (place.host.ends_with(own_port)) place.host.resize(place.host.size() - own_port.size());
  }
  if (path_style) {
    place.prefix = fmt::format("/{}", bucket);
  } else {
    place.host = fmt::format("{}.{}", bucket, place.host);
  }
  return place;
}

std::string S3Bucket::path(std::string_view key) const { return fmt::format("{}/{}", prefix, key); }

S3Client::S3Client(Settings settings) : settings_(std::move(settings)), deadline_(std::chrono::steady_clock::now() + settings_.timeout) {}

Result<net::OutboundResponse> S3Client::exchange(Call call) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(deadline_ - std::chrono::steady_clock::now());
  if (left.count() <= 0) return Error(ErrorClass::timeout, "net.timeout", "the storage has not answered in time");
  const S3Bucket& bucket = settings_.bucket;
  const AwsRequest signed_request{call.method, bucket.host, call.path, call.query, std::move(call.headers)};
  net::OutboundRequest request;
  request.method = call.method;
  request.headers = sign(signed_request, sha256(call.body), settings_.keys, {bucket.region, "s3"}, settings_.clock.now());
  request.headers.emplace_back("Accept-Encoding", "identity");  // pieces of what is stored, not of something packed on the way
  const std::string query = encode_query(std::move(call.query));
  request.url = fmt::format("{}://{}{}{}{}", bucket.scheme, bucket.host, encode_path(call.path), query.empty() ? "" : "?", query);
  request.body = std::move(call.body);
  request.timeout = left;
  request.follow_redirects = false;
  // Of a HEAD nothing comes but the size of the object, which may be any.
  request.max_response_bytes = call.method == "HEAD" ? kAnySize : kMaxAnswer;
  request.at_most_once = settings_.at_most_once;
  // The secret key signs and is not sent; that it signs for its own hosts only is checked as if it were.
  request.credentials = net::BasicCredentials{settings_.keys.access_key_id, settings_.keys.secret_access_key};
  PAWL_TRY_VOID(hold_to_hosts(request, settings_.secrets));
  request.credentials = std::monostate();

  const auto promise = std::make_shared<std::promise<Result<net::OutboundResponse>>>();
  auto future = promise->get_future();
  const auto handle = settings_.outbound.start(
      std::move(request), [promise](Result<net::OutboundResponse> response) { promise->set_value(std::move(response)); });
  bool asked = false;
  while (future.wait_for(kLook) != std::future_status::ready) {
    if (asked || !settings_.cancelled.load(std::memory_order_relaxed)) continue;
    settings_.outbound.cancel(handle);
    asked = true;
  }
  return future.get();
}

Result<net::OutboundResponse> S3Client::demand(Call call) {
  PAWL_TRY(response, exchange(std::move(call)));
  if (!is_success(response.status)) return refusal(response);
  return response;
}

Result<std::optional<S3Object>> S3Client::head(std::string_view key) {
  PAWL_TRY(response, exchange({.method = "HEAD", .path = settings_.bucket.path(key)}));
  if (response.status == 404) return std::optional<S3Object>();
  if (!is_success(response.status)) return refusal(response);
  if (!to_number(field(response, "content-length"))) return strange("an object without a size");
  return std::optional(object_of(key, response));
}

Result<S3Object> S3Client::get(std::string_view key, std::uint64_t limit, const Take& take) {
  PAWL_TRY(object, head(key));
  if (!object) return Error(ErrorClass::not_found, "s3.404", fmt::format("there is no object {}", key));
  const auto size = static_cast<std::uint64_t>(object->size);
  if (size > limit) {
    return Error(ErrorClass::invalid, "s3.too_large", fmt::format("the object has {} bytes, more than the limit of {}", size, limit));
  }
  std::uint64_t offset = 0;
  while (offset < size) {
    const std::uint64_t length = std::min<std::uint64_t>(kPiece, size - offset);
    Call call{.method = "GET",
              .path = settings_.bucket.path(key),
              .headers = {{"Range", fmt::format("bytes={}-{}", offset, offset + length - 1)}}};
    if (!object->etag.empty()) call.headers.emplace_back("If-Match", fmt::format("\"{}\"", object->etag));
    PAWL_TRY(response, demand(std::move(call)));
    if (response.body.size() != length) return strange("a piece of another length than asked for");
    PAWL_TRY_VOID(take(response.body));
    offset += length;
  }
  return std::move(*object);
}

Result<std::string> S3Client::put(std::string_view key, std::uint64_t size, const Give& give, const std::string& content_type,
                                  bool replace) {
  const std::string path = settings_.bucket.path(key);
  net::HeaderList conditions;
  if (!replace) {
    // Amazon's service holds to the condition itself; those that do not know it are asked first.
    PAWL_TRY(there, head(key));
    if (there) return Error(ErrorClass::conflict, "s3.412", fmt::format("the object {} exists already", key));
    conditions.emplace_back("If-None-Match", "*");
  }
  const net::HeaderList headers{{"Content-Type", content_type}};
  if (size > kPiece) return put_in_parts(path, size, give, headers, conditions);
  PAWL_TRY(body, give(0, kPiece));
  Call call{.method = "PUT", .path = path, .headers = headers, .body = std::move(body)};
  call.headers.insert(call.headers.end(), conditions.begin(), conditions.end());
  PAWL_TRY(response, demand(std::move(call)));
  return without_quotes(field(response, "etag"));
}

Result<std::string> S3Client::put_in_parts(const std::string& path, std::uint64_t size, const Give& give, const net::HeaderList& headers,
                                           const net::HeaderList& conditions) {
  PAWL_TRY(begun, demand({.method = "POST", .path = path, .query = {{"uploads", ""}}, .headers = headers}));
  const auto upload = xml_text(begun.body, "UploadId");
  if (!upload) return strange("an upload without an id");
  auto tag = send_parts(path, *upload, size, give, conditions);
  if (tag.has_error()) {
    // Parts that belong to nothing would be kept and paid for. What the service says to this changes nothing.
    static_cast<void>(exchange({.method = "DELETE", .path = path, .query = {{"uploadId", *upload}}}));
  }
  return tag;
}

Result<std::string> S3Client::send_parts(const std::string& path, const std::string& upload, std::uint64_t size, const Give& give,
                                         const net::HeaderList& conditions) {
  std::string parts = "<CompleteMultipartUpload>";
  std::size_t number = 0;
  for (std::uint64_t offset = 0; offset < size; offset += kPiece) {
    PAWL_TRY(piece, give(offset, kPiece));
    ++number;
    PAWL_TRY(sent, demand({.method = "PUT",
                           .path = path,
                           .query = {{"partNumber", std::to_string(number)}, {"uploadId", upload}},
                           .body = std::move(piece)}));
    const std::string tag = field(sent, "etag");
    if (tag.empty()) return strange("a part without an entity tag");
    parts += fmt::format("<Part><PartNumber>{}</PartNumber><ETag>{}</ETag></Part>", number, xml_escape(tag));
  }
  parts += "</CompleteMultipartUpload>";
  Call complete{.method = "POST", .path = path, .query = {{"uploadId", upload}}, .headers = conditions, .body = std::move(parts)};
  complete.headers.emplace_back("Content-Type", "application/xml");
  PAWL_TRY(done, demand(std::move(complete)));
  // This one may begin with 200 and end with an error.
  const auto tag = xml_text(done.body, "ETag");
  if (!tag) {
    done.status = 500;
    return refusal(done);
  }
  return without_quotes(*tag);
}

Result<void> S3Client::remove(std::string_view key) {
  PAWL_TRY(response, demand({.method = "DELETE", .path = settings_.bucket.path(key)}));
  return {};
}

Result<S3Listing> S3Client::list(std::string_view prefix, std::string_view delimiter, std::size_t most) {
  S3Listing listing;
  std::string token;
  for (std::size_t page = 0; page < kMaxPages; ++page) {
    const std::size_t left = most - listing.objects.size() - listing.prefixes.size();
    Call call{.method = "GET", .path = settings_.bucket.path("")};
    call.query = {{"list-type", "2"}, {"encoding-type", "url"}, {"max-keys", std::to_string(std::min(left, kPage))}};
    if (!prefix.empty()) call.query.emplace_back("prefix", prefix);
    if (!delimiter.empty()) call.query.emplace_back("delimiter", delimiter);
    if (!token.empty()) call.query.emplace_back("continuation-token", token);
    PAWL_TRY(response, demand(std::move(call)));
    const std::string_view xml = response.body;
    if (xml.find("<ListBucketResult") == std::string_view::npos) return strange("no listing");
    const bool encoded = xml_text(xml, "EncodingType") == "url";
    const auto key_of = [encoded](std::string_view element, std::string_view name) {
      std::string text = xml_text(element, name).value_or("");
      if (!encoded) return text;
      std::replace(text.begin(), text.end(), '+', ' ');
      return net::percent_decode(text).value_or(text);
    };
    for (const std::string_view element : xml_elements(xml, "Contents")) {
      S3Object object;
      object.key = key_of(element, "Key");
      object.size = to_number(xml_text(element, "Size").value_or("0")).value_or(0);
      object.etag = without_quotes(xml_text(element, "ETag").value_or(""));
      object.last_modified = xml_text(element, "LastModified").value_or("");
      listing.objects.push_back(std::move(object));
    }
    for (const std::string_view element : xml_elements(xml, "CommonPrefixes")) listing.prefixes.push_back(key_of(element, "Prefix"));
    listing.truncated = xml_text(xml, "IsTruncated") == "true";
    token = xml_text(xml, "NextContinuationToken").value_or("");
    if (!listing.truncated || token.empty() || listing.objects.size() + listing.prefixes.size() >= most) break;
  }
  return listing;
}

}  // namespace pawl::functions
