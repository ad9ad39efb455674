// What went wrong, by status and by what the provider says about it.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>

#include "base/utf8.hpp"
#include "json/parse.hpp"
#include "models/detail/wire.hpp"

namespace pawl::models {
namespace {

using detail::text_of;

std::optional<std::string_view> field(const Fields& fields, std::string_view name) {
  for (const auto& [key, value] : fields) {
    if (key.size() == name.size() && std::equal(key.begin(), key.end(), name.begin(), [](char a, char b) {
          return std::tolower(static_cast<unsigned char>(a)) == std::tolower(static_cast<unsigned char>(b));
        })) {
      return value;
    }
  }
  return std::nullopt;
}

std::optional<double> number(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value) || value < 0 || value > 1e9) return std::nullopt;
  return value;
}

Millis from_seconds(double seconds) { return Millis(static_cast<std::int64_t>(std::ceil(seconds * 1000))); }

/// `Sun, 06 Nov 1994 08:49:37 GMT`, as RFC 3339 text.
std::optional<TimePoint> http_date(std::string_view text) {
  constexpr std::string_view kMonths = "JanFebMarAprMayJunJulAugSepOctNovDec";
  if (text.size() != 29 || !text.ends_with(" GMT")) return std::nullopt;
  const auto month = kMonths.find(text.substr(8, 3));
  if (month == std::string_view::npos) return std::nullopt;
  return parse_rfc3339(fmt::format("{}-{:02}-{}T{}Z", text.substr(12, 4), month / 3 + 1, text.substr(5, 2), text.substr(17, 8)));
}

std::optional<Millis> retry_after_of(const Fields& headers, TimePoint now) {
  if (const auto text = field(headers, "retry-after-ms")) {
    if (const auto value = number(*text)) return from_seconds(*value / 1000);
  }
  const auto text = field(headers, "retry-after");
  if (!text) return std::nullopt;
  if (const auto seconds = number(*text)) return from_seconds(*seconds);
  if (const auto date = http_date(*text)) return std::max(Millis(0), *date - now);
  return std::nullopt;
}

/// `google.rpc.RetryInfo`: `"retryDelay": "17s"`.
std::optional<Millis> retry_delay_of(const json::Value& error) {
  if (!error.get("details").is_array()) return std::nullopt;
  for (const auto& item : error.get("details").items()) {
    auto text = text_of(item, "retryDelay");
    if (!text.ends_with('s')) continue;
    text.pop_back();
    if (const auto seconds = number(text)) return from_seconds(*seconds);
  }
  return std::nullopt;
}

bool is_one_of(std::string_view text, std::initializer_list<std::string_view> words) {
  return std::find(words.begin(), words.end(), text) != words.end();
}

bool mentions(std::string_view text, std::initializer_list<std::string_view> words) {
  return std::any_of(words.begin(), words.end(), [&](std::string_view word) { return text.find(word) != std::string_view::npos; });
}

FailureClass kind_by_status(int status) {
  if (status == 401 || status == 403) return FailureClass::auth;
  if (status == 402) return FailureClass::quota;
  if (status == 413) return FailureClass::too_large;
  if (is_one_of(std::to_string(status), {"408", "409", "425", "429"}) || status >= 500) return FailureClass::transient;
  if (status >= 400) return FailureClass::invalid;
  return FailureClass::protocol;
}

/// An error event in a stream has no status: the provider's word stands for one.
int status_by_code(std::string_view code) {
  if (is_one_of(code, {"overloaded_error"})) return 529;
  if (is_one_of(code, {"rate_limit_error", "rate_limit_exceeded", "RESOURCE_EXHAUSTED", "slow_down"})) return 429;
  if (is_one_of(code, {"authentication_error", "invalid_api_key", "invalid_authentication", "UNAUTHENTICATED"})) return 401;
  if (is_one_of(code, {"permission_error", "PERMISSION_DENIED"})) return 403;
  if (is_one_of(code, {"billing_error"})) return 402;
  if (is_one_of(code, {"invalid_request_error", "invalid_prompt", "INVALID_ARGUMENT", "not_found_error"})) return 400;
  if (is_one_of(code, {"context_length_exceeded", "model_not_found", "NOT_FOUND", "FAILED_PRECONDITION"})) return 400;
  // `invalid_image_format`, `content_policy_violation`, `content_filter`: about the request, not about the server.
  if (code.starts_with("invalid_") || code.starts_with("content_")) return 400;
  if (is_one_of(code, {"request_too_large"})) return 413;
  return 500;
}

}  // namespace

std::string_view to_text(FailureClass kind) {
  switch (kind) {
    case FailureClass::transient: return "transient";
    case FailureClass::partial: return "partial";
    case FailureClass::quota: return "quota";
    case FailureClass::auth: return "auth";
    case FailureClass::invalid: return "invalid";
    case FailureClass::too_large: return "too_large";
    case FailureClass::context_full: return "context_full";
    case FailureClass::filtered: return "filtered";
    case FailureClass::cancelled: return "cancelled";
    case FailureClass::protocol: return "protocol";
  }
  return "protocol";
}

void throw_exception_from_error(const Failure& failure, const boost::source_location&) {
  throw std::logic_error("a failed model call was asked for its value: " + failure.code);
}

std::string_view to_text(Wire wire) {
  switch (wire) {
    case Wire::chat: return "chat";
    case Wire::responses: return "responses";
    case Wire::anthropic: return "anthropic";
    case Wire::gemini: return "gemini";
    case Wire::ollama: return "ollama";
  }
  return "chat";
}

const Codec& codec_of(Wire wire) {
  switch (wire) {
    case Wire::chat: return detail::chat_codec();
    case Wire::responses: return detail::responses_codec();
    case Wire::anthropic: return detail::anthropic_codec();
    case Wire::gemini: return detail::gemini_codec();
    case Wire::ollama: return detail::ollama_codec();
  }
  return detail::chat_codec();
}

namespace detail {

std::string shortened(std::string text) {
  constexpr std::size_t kMost = 400;
  if (text.size() <= kMost) return text;
  auto end = kMost;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) --end;
  text.resize(end);
  return text + "...";
}

Failure failure_in(Wire wire, int status, const json::Value& body) {
  const auto& error = body.get("error");
  Failure failure;
  if (error.is_string()) {
    failure.message = error.as_string();
  } else {
    failure.message = text_of(error, "message");
    failure.code = text_of(error, "code");
    if (failure.code.empty() && wire == Wire::gemini) failure.code = text_of(error, "status");
    if (failure.code.empty()) failure.code = text_of(error, "type");
    failure.retry_after = retry_delay_of(error);
  }
  if (failure.message.empty()) failure.message = text_of(body, "message");
  const bool in_stream = status == 0;
  failure.status = in_stream ? status_by_code(failure.code) : status;
  failure.kind = kind_by_status(failure.status);
  if (in_stream) failure.status = 0;
  if (is_one_of(failure.code, {"insufficient_quota", "credit_balance_exhausted", "billing_error", "billing_hard_limit_reached"})) {
    failure.kind = FailureClass::quota;
  }
  if (failure.kind != FailureClass::invalid) return failure;
  if (failure.code == "context_length_exceeded" ||
      mentions(failure.message, {"context length", "context window", "prompt is too long", "maximum number of tokens"})) {
    failure.kind = FailureClass::context_full;
  } else if (is_one_of(failure.code, {"content_policy_violation", "content_filter"})) {
    failure.kind = FailureClass::filtered;
  } else if (mentions(failure.message, {"credit balance", "spend limit", "usage limits"})) {
    failure.kind = FailureClass::quota;
  }
  return failure;
}

bool is_rate_limit(const Failure& failure) { return failure.status == 429 || (failure.status == 0 && status_by_code(failure.code) == 429); }

}  // namespace detail

Failure failure_of(Wire wire, int status, const Fields& headers, std::string_view body, TimePoint now) {
  auto parsed = is_utf8(body) ? json::parse(body) : Result<json::Value>(json::Value());
  // Gemini's streams answer errors as an array of one.
  json::Value value = parsed.has_value() ? *parsed : json::Value();
  if (value.is_array() && value.size() == 1) value = value.at(0);
  auto failure = detail::failure_in(wire, status, value);
  if (failure.code.empty()) failure.code = fmt::format("http_{}", status);
  if (const auto wait = retry_after_of(headers, now)) failure.retry_after = wait;
  if (const auto wish = field(headers, "x-should-retry")) {
    if (*wish == "true") failure.should_retry = true;
    if (*wish == "false") failure.should_retry = false;
  }
  return failure;
}

}  // namespace pawl::models
