#include "integrations/detail/probe.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <future>
#include <memory>

#include "base/assert.hpp"
#include "json/parse.hpp"

namespace pawl::integrations::detail {
namespace {

constexpr std::size_t kLargestAnswer = 4U * 1024 * 1024;

std::string sentence(std::string_view service, std::string_view what) { return fmt::format("{} {}.", service, what); }

Verdict failed(std::string_view service, std::string_view what) { return {false, sentence(service, what)}; }

}  // namespace

json::Value literal(std::string_view text) {
  auto parsed = json::parse(text);
  PAWL_ASSERT(parsed.has_value(), "a connector's schema is not JSON");
  return std::move(*parsed);
}

std::string text_of(const json::Value& config, std::string_view field, std::string_view fallback) {
  const auto& value = config.get(field);
  return std::string(value.is_string() && !value.empty() ? value.as_string() : fallback);
}

std::int64_t integer_of(const json::Value& config, std::string_view field, std::int64_t fallback) {
  const auto& value = config.get(field);
  return value.is_integer() ? value.as_integer() : fallback;
}

std::string without_slash(std::string url) {
  while (url.ends_with('/')) url.pop_back();
  return url;
}

std::chrono::milliseconds time_left(const ProbeTools& tools) {
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(tools.deadline - std::chrono::steady_clock::now());
  return std::max(left, std::chrono::milliseconds(1));
}

Result<net::OutboundResponse> send(const ProbeTools& tools, net::OutboundRequest request) {
  request.timeout = time_left(tools);
  request.connect_timeout = request.timeout;
  request.follow_redirects = false;
  request.max_response_bytes = kLargestAnswer;
  const auto answer = std::make_shared<std::promise<Result<net::OutboundResponse>>>();
  auto waiting = answer->get_future();
  tools.outbound.start(std::move(request), [answer](Result<net::OutboundResponse> result) { answer->set_value(std::move(result)); });
  return waiting.get();
}

Verdict no_answer(std::string_view service, const Error& error) {
  if (error.code == "net.refused_address") return failed(service, "has an address that may not be called from here");
  if (error.code == "net.dns") return failed(service, "has a name that does not resolve");
  if (error.code == "net.connect") return failed(service, "cannot be reached");
  if (error.code == "net.tls") return failed(service, "has no TLS certificate that can be trusted");
  if (error.code == "net.timeout") return failed(service, "did not answer in time");
  if (error.code == "net.invalid_request") return failed(service, "cannot be asked: the configuration makes no valid request");
  if (error.code == "net.overloaded") return failed(service, "could not be asked: too many requests wait already");
  return lied(service);
}

Verdict lied(std::string_view service) { return failed(service, "did not answer as it should: is it the right address"); }

Result<json::Value> json_answer(std::string_view service, const Result<net::OutboundResponse>& answer) {
  const auto error = [](const Verdict& verdict) { return Error(ErrorClass::unavailable, "integration.test", verdict.detail); };
  if (answer.has_error()) return error(no_answer(service, answer.error()));
  const int status = answer->status;
  if (status == 401 || status == 403) return error(failed(service, fmt::format("refused the credentials (status {})", status)));
  if (status == 404) return error(failed(service, "does not know what was asked for (status 404)"));
  if (status == 429) return error(failed(service, "has no more room for requests of these credentials (status 429)"));
  if (status != 200) return error(failed(service, fmt::format("answered with status {}", status)));
  auto body = json::parse(answer->body);
  if (body.has_error() || !body->is_object()) return error(lied(service));
  return body;
}

Verdict expect_member(std::string_view service, const Result<net::OutboundResponse>& answer, std::string_view member,
                      std::string_view success) {
  const auto body = json_answer(service, answer);
  if (body.has_error()) return {false, body.error().message};
  if (body->get(member).is_null()) return lied(service);
  return {true, std::string(success)};
}

}  // namespace pawl::integrations::detail
