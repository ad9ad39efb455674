#include "api/detail/state_tag.hpp"

#include <fmt/core.h>

#include <charconv>

#include "crypto/crypto.hpp"
#include "http/problem.hpp"

namespace pawl::api::detail {
namespace {

std::string tag_of(const ObjectState& state, std::string_view json) {
  const auto digest = crypto::hash(json);
  return fmt::format("\"{}-{}-{:02x}{:02x}{:02x}{:02x}{:02x}{:02x}\"", state.version, state.updated_at.time_since_epoch().count(),
                     digest[0], digest[1], digest[2], digest[3], digest[4], digest[5]);
}

/// Without quotes, weakness and the ending that compression gives.
std::string_view bare(std::string_view tag) {
  while (!tag.empty() && (tag.front() == ' ' || tag.front() == '\t')) tag.remove_prefix(1);
  while (!tag.empty() && (tag.back() == ' ' || tag.back() == '\t')) tag.remove_suffix(1);
  if (tag.starts_with("W/")) tag.remove_prefix(2);
  if (tag.size() < 2 || tag.front() != '"' || tag.back() != '"') return {};
  tag = tag.substr(1, tag.size() - 2);
  constexpr std::string_view kPacked = "-gzip";
  return tag.ends_with(kPacked) ? tag.substr(0, tag.size() - kPacked.size()) : tag;
}

bool has_tag(std::string_view list, std::string_view tag) {
  if (list == "*") return true;
  while (!list.empty()) {
    const auto comma = list.find(',');
    if (bare(list.substr(0, comma)) == bare(tag)) return true;
    list = comma == std::string_view::npos ? std::string_view() : list.substr(comma + 1);
  }
  return false;
}

}  // namespace

Result<std::optional<ObjectState>> if_match(const http::Request& request) {
  const auto header = request.header("If-Match");
  if (header.empty() || header == "*") return std::optional<ObjectState>();
  if (header.find(',') != std::string_view::npos) {
    return Error(ErrorClass::invalid, "request.if_match", "`If-Match` takes one entity tag.");
  }
  const auto tag = bare(header);
  ObjectState state;
  std::int64_t millis = 0;
  const auto* const end = tag.data() + tag.size();
  const auto version = std::from_chars(tag.data(), end, state.version);
  const bool separated = version.ec == std::errc{} && version.ptr != end && *version.ptr == '-';
  const auto time = separated ? std::from_chars(version.ptr + 1, end, millis) : std::from_chars_result{end, std::errc::invalid_argument};
  if (time.ec != std::errc{} || time.ptr == end || *time.ptr != '-') {
    return Error(ErrorClass::conflict, "request.precondition_failed", "`If-Match` names no state that this object ever had.");
  }
  state.updated_at = TimePoint(Millis(millis));
  return std::optional(state);
}

void reply_tagged(Call& call, int status, const ObjectState& state, std::string body) {
  const auto tag = tag_of(state, body);
  const bool reads = call.request.method == http::Method::get || call.request.method == http::Method::head;
  if (reads && has_tag(call.request.header("If-None-Match"), tag)) return call.reply(http::Response::empty(304).with("ETag", tag));
  auto reply = http::Response::json(status, std::move(body));
  reply.headers.add("ETag", tag);
  call.reply(std::move(reply));
}

void fail_precondition(Call& call, const Error& error) {
  if (error.kind == ErrorClass::invalid) return call.fail(error);  // it is the field that is wrong
  call.reply(http::problem(error, call.request.path, call.request.request_id, 412));
}

}  // namespace pawl::api::detail
