#include "http/detail/compress.hpp"

#include <zlib.h>

#include <algorithm>
#include <array>
#include <limits>
#include <string>

namespace pawl::http::detail {
namespace {

constexpr std::size_t kSmallest = 1024;
constexpr std::size_t kLargestOnIoThread = 64U << 10U;
constexpr int kLevel = 3;  // on a list of workflows half the time of the default level, and a tenth larger
constexpr int kGzipWindow = 15 + 16;
constexpr int kMemory = 8;

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

/// `q=0`, `q=0.000`: refused.
bool is_refused(std::string_view parameters) {
  const auto q = parameters.find("q=");
  if (q == std::string_view::npos) return false;
  const auto weight = trimmed(parameters.substr(q + 2));
  return weight.starts_with('0') && weight.find_first_not_of("0.") == std::string_view::npos;
}

bool is_text(std::string_view type) {
  constexpr std::array<std::string_view, 6> kTypes = {"application/json",       "application/problem+json", "application/yaml",
                                                      "application/javascript", "application/x-ndjson",     "image/svg+xml"};
  type = trimmed(type.substr(0, type.find(';')));
  return type.starts_with("text/") ? type != "text/event-stream" : std::find(kTypes.begin(), kTypes.end(), type) != kTypes.end();
}

/// Empty where it cannot be done.
std::string gzip(const std::string& text) {
  z_stream stream{};
  if (deflateInit2(&stream, kLevel, Z_DEFLATED, kGzipWindow, kMemory, Z_DEFAULT_STRATEGY) != Z_OK) return {};
  std::string out(deflateBound(&stream, text.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(text.data()));  // zlib's input is not const before ZLIB_CONST
  stream.avail_in = static_cast<uInt>(text.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  const int ended = deflate(&stream, Z_FINISH);
  out.resize(ended == Z_STREAM_END ? stream.total_out : 0);
  deflateEnd(&stream);
  return out;
}

}  // namespace

bool accepts_gzip(std::string_view accept_encoding) {
  bool any = false;
  while (!accept_encoding.empty()) {
    const auto comma = accept_encoding.find(',');
    const auto entry = trimmed(accept_encoding.substr(0, comma));
    accept_encoding = comma == std::string_view::npos ? std::string_view() : accept_encoding.substr(comma + 1);
    const auto semicolon = entry.find(';');
    const auto name = trimmed(entry.substr(0, semicolon));
    const bool refused = semicolon != std::string_view::npos && is_refused(entry.substr(semicolon + 1));
    if (equals_ignoring_case(name, "gzip") || equals_ignoring_case(name, "x-gzip")) return !refused;
    if (name == "*") any = !refused;
  }
  return any;
}

void compress(Response& response, bool on_io_thread) {
  const auto& text = response.body_text();
  if (text.size() < kSmallest || text.size() > std::numeric_limits<uInt>::max() / 2) return;
  if (on_io_thread && text.size() > kLargestOnIoThread) return;
  if (response.status == 204 || response.status == 206 || response.status == 304 || response.headers.contains("Content-Encoding")) return;
  const auto own_type = response.headers.find("Content-Type");
  if (!is_text(own_type ? *own_type : response.content_type.view())) return;
  auto packed = gzip(text);
  if (packed.empty() || packed.size() >= text.size()) return;
  if (const auto tag = response.headers.find("ETag"); tag && tag->size() > 1 && tag->starts_with('"') && tag->ends_with('"')) {
    auto changed = std::string(tag->substr(0, tag->size() - 1)) + "-gzip\"";
    response.headers.set("ETag", changed);
  }
  response.headers.add("Content-Encoding", "gzip");
  response.body = std::move(packed);
}

}  // namespace pawl::http::detail
