#include "app/error_reports.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <condition_variable>

#include "base/trace_context.hpp"
#include "json/write.hpp"

namespace pawl::app {
namespace {

using json::Value;

constexpr std::size_t kUnderWay = 20;
constexpr std::size_t kRemembered = 200;
constexpr Millis kSameAgain = std::chrono::minutes(1);
constexpr Millis kTimeout{10'000};
constexpr Millis kLastPatience{2'000};
constexpr Millis kQuiet = std::chrono::minutes(1);  ///< after a failure that does not say for how long
constexpr Millis kLongestQuiet = std::chrono::hours(1);
constexpr std::size_t kMaxSentence = 1'000;

Error no_address() {
  return {ErrorClass::invalid, "sentry.dsn", "SENTRY_DSN must read https://KEY@host/PROJECT, as the service shows it."};
}

/// Fields that say where in the program; others may say who.
bool may_be_told(std::string_view name) { return name == "request_id" || name == "route" || name == "method" || name == "status"; }

std::string text_of(const observe::Field& field) {
  return std::visit(
      [](const auto& value) -> std::string {
        if constexpr (std::is_same_v<std::decay_t<decltype(value)>, std::string_view>) {
          return std::string(value);
        } else {
          return fmt::format("{}", value);
        }
      },
      field.value);
}

Millis quiet_after(const net::OutboundResponse& response) {
  const auto field = net::find_header(response.headers, "Retry-After");
  std::int64_t seconds = 0;
  if (!field) return kQuiet;
  const auto [end, error] = std::from_chars(field->data(), field->data() + field->size(), seconds);
  if (error != std::errc() || seconds < 1) return kQuiet;
  return std::min<Millis>(kLongestQuiet, std::chrono::seconds(std::min<std::int64_t>(seconds, 3600)));
}

net::CurlOptions curl_options(const std::string& ca_file) {
  net::CurlOptions options;
  options.policy.allow_private = true;
  options.max_in_flight = 2;
  options.ca_file = ca_file;
  return options;
}

}  // namespace

/// Kept alive by what is under way.
struct ErrorReports::State {
  std::mutex mutex;
  std::condition_variable changed;
  std::size_t under_way = 0;                // guarded by mutex
  TimePoint quiet_until{};                  // guarded by mutex
  std::map<std::string, TimePoint> latest;  // guarded by mutex: reports by what they say

  [[nodiscard]] bool admit(std::string report, TimePoint now) {
    const std::lock_guard lock(mutex);
    if (now < quiet_until || under_way >= kUnderWay) return false;
    if (latest.size() >= kRemembered) std::erase_if(latest, [&](const auto& each) { return each.second + kSameAgain <= now; });
    if (latest.size() >= kRemembered) return false;
    const auto [place, is_new] = latest.try_emplace(std::move(report), now);
    if (!is_new && now < place->second + kSameAgain) return false;
    place->second = now;
    ++under_way;
    return true;
  }
  void ended(Millis quiet, TimePoint now) {
    {
      const std::lock_guard lock(mutex);
      --under_way;
      if (quiet > Millis(0)) quiet_until = std::max(quiet_until, now + quiet);
    }
    changed.notify_all();
  }
};

Result<SentryAddress> SentryAddress::parse(std::string_view dsn) {
  const auto start = dsn.find("://");
  if (start == std::string_view::npos) return no_address();
  const auto scheme = dsn.substr(0, start);
  const auto rest = dsn.substr(start + 3);
  const auto at = rest.find('@');
  const auto slash = rest.rfind('/');
  if ((scheme != "http" && scheme != "https") || at == std::string_view::npos || slash == std::string_view::npos || slash < at)
    return no_address();
  auto key = rest.substr(0, at);
  if (const auto secret = key.find(':'); secret != std::string_view::npos)
    key = key.substr(0, secret);  // of old addresses; not needed any more
  const auto place = rest.substr(at + 1, slash - at - 1);
  const auto project = rest.substr(slash + 1);
  const auto is_word = [](std::string_view text) {
    return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) {
      return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '-' || c == '_';
    });
  };
  const bool odd = place.empty() || place.find_first_of("?#@ \r\n\t") != std::string_view::npos;
  if (!is_word(key) || !is_word(project) || odd) return no_address();
  const auto folder = place.find('/');
  const auto host = place.substr(0, folder);
  const auto path = folder == std::string_view::npos ? std::string_view() : place.substr(folder);
  return SentryAddress{fmt::format("{}://{}{}/api/{}/envelope/", scheme, host, path, project), std::string(key)};
}

ErrorReports::ErrorReports(SentryAddress address, const config::Config& config, const audit::Redactor& redactor, const Clock& clock,
                           Random& random)
    : address_(std::move(address)),
      environment_(to_text(config.environment)),
      release_("pawl@" PAWL_VERSION),
      redactor_(redactor),
      clock_(clock),
      random_(random),
      state_(std::make_shared<State>()),
      outbound_(std::make_unique<net::CurlOutbound>(curl_options(config.ca_file))) {
  watch_errors([this](std::string_view event, std::string_view sentence, std::span<const observe::Field> fields) {
    error(event, sentence, fields);
  });
}

ErrorReports::~ErrorReports() {
  watch_errors({});
  std::unique_lock lock(state_->mutex);
  state_->changed.wait_for(lock, kLastPatience, [this] { return state_->under_way == 0; });
  lock.unlock();
  outbound_.reset();
}

void ErrorReports::error(std::string_view event, std::string_view sentence, std::span<const observe::Field> fields) {
  auto tags = Value::object();
  for (const auto& field : fields) {
    if (may_be_told(field.name)) tags.set(std::string(field.name), text_of(field));
  }
  report(event, sentence, std::move(tags));
}

void ErrorReports::request(const http::Completed& completed) {
  if (completed.status != 500) return;
  const auto route = completed.route.empty() ? std::string_view("none") : completed.route;
  const auto method = http::to_string(completed.method);
  report("http.failed", fmt::format("{} {} was answered with 500", method, route),
         Value::object({{"method", method}, {"route", route}, {"status", "500"}, {"request_id", completed.request_id}}));
}

std::string ErrorReports::envelope(std::string_view event, const std::string& sentence, Value tags) {
  const auto id = fmt::format("{:016x}{:016x}", random_.next(), random_.next());
  const auto now = to_rfc3339(clock_.now());
  tags.set("event", std::string(event));
  auto contexts = Value::object();
  if (const auto& trace = current_trace()) {
    contexts.set("trace", Value::object({{"trace_id", trace_id_text(trace)}, {"span_id", fmt::format("{:016x}", trace.span)}}));
  }
  const auto item = json::to_text(Value::object({{"event_id", id},
                                                 {"timestamp", now},
                                                 {"platform", "native"},
                                                 {"level", event == "app.fatal" ? "fatal" : "error"},
                                                 {"logger", std::string(event)},
                                                 {"environment", environment_},
                                                 {"release", release_},
                                                 {"message", Value::object({{"formatted", sentence}})},
                                                 {"tags", std::move(tags)},
                                                 {"contexts", std::move(contexts)},
                                                 {"sdk", Value::object({{"name", "pawl"}, {"version", PAWL_VERSION}})}}));
  return fmt::format("{}\n{}\n{}\n", json::to_text(Value::object({{"event_id", id}, {"sent_at", now}})),
                     json::to_text(Value::object({{"type", "event"}, {"content_type", "application/json"}, {"length", item.size()}})),
                     item);
}

void ErrorReports::report(std::string_view event, std::string_view sentence, Value tags) {
  audit::RedactOptions hiding;
  hiding.mask_emails = true;
  hiding.max_text = kMaxSentence;
  const auto shown = redactor_.text(sentence, hiding);
  if (!state_->admit(std::string(event) + "\n" + shown, clock_.now())) return;
  net::OutboundRequest request;
  request.method = "POST";
  request.url = address_.url;
  request.headers = {
      {"Content-Type", "application/x-sentry-envelope"},
      {"X-Sentry-Auth", fmt::format("Sentry sentry_version=7, sentry_client=pawl/{}, sentry_key={}", PAWL_VERSION, address_.key)}};
  request.body = envelope(event, shown, std::move(tags));
  request.timeout = kTimeout;
  request.follow_redirects = false;
  request.max_response_bytes = 64U << 10U;
  outbound_->start(std::move(request), [state = state_, &clock = clock_](const Result<net::OutboundResponse>& response) {
    // Nothing is said about it in the log at this level: that would be the next report.
    const bool taken = response.has_value() && response->status >= 200 && response->status < 300;
    state->ended(taken ? Millis(0) : response.has_value() ? quiet_after(*response) : kQuiet, clock.now());
    if (!taken) log(Level::warning, "an error report was not taken; the next ones are dropped for a while");
  });
}

}  // namespace pawl::app
