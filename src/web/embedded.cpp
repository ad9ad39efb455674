#include "web/embedded.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

namespace pawl::web {
namespace {

std::string_view trim(std::string_view text) {
  const auto from = text.find_first_not_of(" \t");
  if (from == std::string_view::npos) return {};
  return text.substr(from, text.find_last_not_of(" \t") - from + 1);
}

/// Takes what stands before `separator` off the front of `text`.
std::string_view next(std::string_view& text, char separator) {
  const auto at = text.find(separator);
  const auto part = text.substr(0, at);
  text = at == std::string_view::npos ? std::string_view() : text.substr(at + 1);
  return trim(part);
}

/// `q=0`, `q=0.0`, ...
bool is_refused(std::string_view parameters) {
  while (!parameters.empty()) {
    const auto parameter = next(parameters, ';');
    if (parameter.size() < 3 || !http::equals_ignoring_case(parameter.substr(0, 2), "q=")) continue;
    return parameter.find_first_not_of("0.", 2) == std::string_view::npos;
  }
  return false;
}

bool has_tag(std::string_view list, std::string_view tag) {
  while (!list.empty()) {
    auto candidate = next(list, ',');
    if (candidate == "*") return true;
    if (candidate.starts_with("W/")) candidate.remove_prefix(2);
    if (candidate.size() == tag.size() + 2 && candidate.substr(1, tag.size()) == tag) return true;
  }
  return false;
}

}  // namespace

const EmbeddedFile* find(std::span<const EmbeddedFile> files, std::string_view path) {
  const auto at = std::ranges::lower_bound(files, path, {}, &EmbeddedFile::path);
  return at != files.end() && at->path == path ? &*at : nullptr;
}

bool accepts(std::string_view accept_encoding, std::string_view coding) {
  std::optional<bool> others;
  while (!accept_encoding.empty()) {
    auto parameters = next(accept_encoding, ',');
    const auto name = next(parameters, ';');
    if (http::equals_ignoring_case(name, coding)) return !is_refused(parameters);
    if (name == "*") others = !is_refused(parameters);
  }
  return others.value_or(false);
}

http::Response respond(const EmbeddedFile& file, const http::Request& request) {
  http::Response response;
  response.headers.add("Cache-Control", file.hashed ? "public, max-age=31536000, immutable" : "no-cache");
  response.headers.add("Vary", "Accept-Encoding");
  const auto accepted = request.header("Accept-Encoding");
  auto body = file.plain;
  std::string_view coding;
  if (!file.brotli.empty() && accepts(accepted, "br")) {
    body = file.brotli;
    coding = "br";
  } else if (!file.gzip.empty() && accepts(accepted, "gzip")) {
    body = file.gzip;
    coding = "gzip";
  }
  // Each coding is another representation, so it has a tag of its own.
  const auto tag = coding.empty() ? std::string(file.tag) : fmt::format("{}-{}", file.tag, coding);
  response.headers.add("ETag", fmt::format("\"{}\"", tag));
  if (has_tag(request.header("If-None-Match"), tag)) {
    response.status = 304;
    return response;
  }
  response.headers.add("Content-Type", file.type);
  if (!coding.empty()) response.headers.add("Content-Encoding", coding);
  response.body = std::string(body);
  return response;
}

}  // namespace pawl::web
