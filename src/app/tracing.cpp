#include "app/tracing.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <cstring>

#include "app/log.hpp"
#include "crypto/crypto.hpp"

namespace pawl::app {
namespace {

using json::Value;
using observe::Span;

std::chrono::nanoseconds nanoseconds_of(TimePoint time) { return time.time_since_epoch(); }

/// Version 7: the first 48 bits are the creation's milliseconds.
std::chrono::nanoseconds begin_of(const RunId& run) {
  std::int64_t millis = 0;
  for (std::size_t i = 0; i < 6; ++i) millis = (millis << 8) | run.uuid.bytes[i];
  return Millis(millis);
}

observe::SpanId span_id(const RunId& run, std::string_view reference, const std::vector<std::uint32_t>& iteration, std::uint32_t attempt) {
  auto text = run.to_string();
  text.append(reference);
  for (const auto round : iteration) text += fmt::format("#{}", round);
  const auto digest = crypto::hash(text + fmt::format("@{}", attempt));
  observe::SpanId id = 0;
  std::memcpy(&id, digest.data(), sizeof id);
  return id == 0 ? 1 : id;
}

observe::SpanId root_of(const RunId& run) { return span_id(run, "", {}, 0); }

/// OpenTelemetry's names for what agents do and model calls use (semantic conventions for generative AI). Contents are not among them:
/// neither messages nor arguments nor answers (span_contents.hpp has those, where they are asked for).
void add_agent_step(const engine::RunNotice& notice, Span& span) {
  const auto name_it = [&](std::string_view operation, std::string_view attribute) {
    span.name = fmt::format("{} {}", operation, notice.task_name);
    span.attributes.emplace_back("gen_ai.operation.name", Value(operation));
    span.attributes.emplace_back(std::string(attribute), Value(notice.task_name));
  };
  if (notice.task_type == "tool") return name_it("execute_tool", "gen_ai.tool.name");
  // What an agent gives: no other task has all of this.
  const auto& output = notice.record->output;
  if (output.get("stop_reason").is_string() && output.get("models").is_array() && output.get("turns").is_integer()) {
    name_it("invoke_agent", "gen_ai.agent.name");
  }
}

void add_model_call(const Value& output, Span& span) {
  const auto& usage = output.get("usage");
  if (!usage.is_object() || !output.get("model").is_string()) return;
  span.kind = Span::Kind::client;
  span.name = "chat " + std::string(output.get("model").as_string());
  span.attributes.emplace_back("gen_ai.operation.name", Value("chat"));
  span.attributes.emplace_back("gen_ai.request.model", output.get("model"));  // the one that answered, where it is a fallback
  if (output.get("provider").is_string()) span.attributes.emplace_back("gen_ai.provider.name", output.get("provider"));
  if (output.get("finish_reason").is_string())
    span.attributes.emplace_back("gen_ai.response.finish_reasons", Value::array({output.get("finish_reason")}));
  for (const auto& [ours, theirs] :
       {std::pair("input_tokens", "gen_ai.usage.input_tokens"), std::pair("output_tokens", "gen_ai.usage.output_tokens"),
        std::pair("cached_tokens", "gen_ai.usage.cache_read.input_tokens")}) {
    if (usage.get(ours).is_integer()) span.attributes.emplace_back(theirs, usage.get(ours));
  }
}

Span run_span(const engine::RunNotice& notice, TimePoint now) {
  Span span;
  span.trace = notice.run.uuid.bytes;
  span.id = root_of(notice.run);
  span.name = fmt::format("invoke_workflow {}", notice.workflow_name);
  span.begin = begin_of(notice.run);
  span.end = nanoseconds_of(now);
  span.failed = *notice.phase == engine::Phase::faulted;
  span.attributes = {{"gen_ai.operation.name", Value("invoke_workflow")},
                     {"gen_ai.workflow.name", Value(notice.workflow_name)},
                     {"pawl.workflow.id", Value(notice.workflow.to_string())},
                     {"pawl.workflow.version", Value(notice.version)},
                     {"pawl.organization.id", Value(notice.organization.to_string())},
                     {"pawl.run.id", Value(notice.run.to_string())},
                     {"pawl.run.status", Value(engine::to_text(*notice.phase))},
                     {"pawl.run.dry_run", Value(notice.dry_run)}};
  return span;
}

Span task_span(const engine::RunNotice& notice) {
  const auto& record = *notice.record;
  Span span;
  span.trace = notice.run.uuid.bytes;
  span.id = span_id(notice.run, notice.task_reference, record.iteration, record.attempt);
  span.parent = root_of(notice.run);
  span.name = fmt::format("{} {}", notice.task_type, notice.task_name);
  span.begin = nanoseconds_of(record.started_at);
  span.end = nanoseconds_of(*record.ended_at);
  span.failed = record.status == engine::TaskStatus::faulted;
  span.attributes = {{"pawl.task.reference", Value(notice.task_reference)},
                     {"pawl.task.type", Value(notice.task_type)},
                     {"pawl.task.status", Value(engine::to_text(record.status))},
                     {"pawl.task.attempt", Value(record.attempt)}};
  if (const auto& status = record.error.get("status"); span.failed && status.is_integer()) {
    span.attributes.emplace_back("error.type", Value(std::to_string(status.as_integer())));
  }
  add_agent_step(notice, span);
  add_model_call(record.output, span);
  return span;
}

observe::TracerOptions options_of(const config::Config& config) {
  observe::TracerOptions options;
  options.resource = {{"service.name", Value(config.trace_service)},
                      {"service.version", Value(PAWL_VERSION)},
                      {"deployment.environment.name", Value(to_text(config.environment))}};
  options.ratio = config.trace_ratio;
  return options;
}

net::CurlOptions curl_options() {
  net::CurlOptions options;
  options.policy.allow_private = true;
  options.max_in_flight = 2;
  return options;
}

}  // namespace

bool RunObservers::wants(const OrganizationId& organization) const {
  return std::ranges::any_of(all_, [&](const auto* observer) { return observer != nullptr && observer->wants(organization); });
}

void RunObservers::changed(const engine::RunNotice& notice) {
  for (auto* observer : all_) {
    if (observer != nullptr && observer->wants(notice.organization)) observer->changed(notice);
  }
}

void RunObservers::asked(const engine::ApprovalNotice& notice) {
  for (auto* observer : all_) {
    if (observer != nullptr && observer->wants(notice.organization)) observer->asked(notice);
  }
}

std::unique_ptr<Tracing> Tracing::make(const config::Config& config, const Clock& clock, Random& random, const audit::Redactor& redactor) {
  if (config.trace_endpoint.empty()) return nullptr;
  return std::make_unique<Tracing>(config, clock, random, redactor);
}

Tracing::Tracing(const config::Config& config, const Clock& clock, Random& random, const audit::Redactor& redactor)
    : clock_(clock),
      random_(random),
      callers_(config.trace_callers),
      anchor_(nanoseconds_of(clock.now()) - std::chrono::steady_clock::now().time_since_epoch()),
      url_(config.trace_endpoint + "/v1/traces"),
      contents_(config.trace_content ? std::make_unique<SpanContents>(redactor) : nullptr),
      outbound_(std::make_unique<net::CurlOutbound>(curl_options())) {
  if (storage::is_postgresql_url(config.database_url)) system_ = "postgresql";
  headers_.emplace_back("Content-Type", "application/json");
  headers_.insert(headers_.end(), config.trace_headers.begin(), config.trace_headers.end());
  tracer_ = std::make_unique<observe::Tracer>(
      options_of(config), [this](std::string body, std::function<void(Result<void>)> done) { send(std::move(body), std::move(done)); },
      [](const Error& error, std::size_t lost) {
        log(Level::warning, fmt::format("{} spans were not taken by the collector: {}", lost, error.message));
      });
}

Tracing::~Tracing() {
  tracer_.reset();
  outbound_.reset();
}

void Tracing::send(std::string body, std::function<void(Result<void>)> done) {
  net::OutboundRequest request;
  request.method = "POST";
  request.url = url_;
  request.headers = headers_;
  request.body = std::move(body);
  request.timeout = Millis(10'000);
  request.follow_redirects = false;
  request.max_response_bytes = 64U << 10U;
  outbound_->start(std::move(request), [done = std::move(done)](const Result<net::OutboundResponse>& response) {
    if (response.has_error()) return done(response.error());
    if (response->status < 200 || response->status >= 300) {
      return done(Error(ErrorClass::unavailable, "trace.refused", fmt::format("the collector answered {}", response->status)));
    }
    done({});
  });
}

std::chrono::nanoseconds Tracing::now() const {
  const auto coarse = nanoseconds_of(clock_.now());
  // Never away from the clock, which may be set, nor from what is told in its milliseconds.
  const auto fine = anchor_ + std::chrono::nanoseconds(std::chrono::steady_clock::now().time_since_epoch());
  return std::clamp(fine, coarse, coarse + Millis(1) - std::chrono::nanoseconds(1));
}

void Tracing::record(Span span) { tracer_->record(std::move(span)); }

TraceContext Tracing::child_of(const TraceContext& parent) const {
  TraceContext context = parent;
  if (!context) {
    for (std::size_t i = 0; i < context.trace.size(); i += sizeof(std::uint64_t)) {
      const auto bits = random_.next();
      std::memcpy(context.trace.data() + i, &bits, sizeof bits);
    }
    context.kept = tracer_->keeps(context.trace);
  }
  context.span = random_.next() | 1U;
  return context;
}

TraceContext Tracing::task(const engine::Invocation& call) const {
  TraceContext context;
  context.trace = call.run.uuid.bytes;
  context.span = span_id(call.run, call.reference, call.step.iteration, call.step.attempt);
  context.kept = tracer_->keeps(context.trace);
  return context;
}

http::ExchangeTrace Tracing::begin(const http::Request& request) const {
  http::ExchangeTrace trace;
  if (callers_ != config::TraceCallers::ignore) trace.caller = parse_traceparent(request.header("traceparent")).value_or(TraceContext());
  trace.own = child_of(callers_ == config::TraceCallers::parent ? trace.caller : TraceContext());
  return trace;
}

void Tracing::request(const http::Completed& completed) {
  const auto& [own, caller] = completed.trace;
  if (!own.kept) return;
  Span span;
  span.trace = own.trace;
  span.id = own.span;
  (callers_ == config::TraceCallers::parent ? span.parent : span.link.span) = caller.span;
  span.link.trace = caller.trace;
  const auto route = completed.route.empty() ? std::string_view("unknown") : completed.route;
  span.name = fmt::format("{} {}", http::to_string(completed.method), route);
  span.kind = Span::Kind::server;
  span.end = now();
  span.begin = span.end - completed.duration;
  span.failed = completed.status >= 500;
  span.attributes = {{"http.request.method", Value(http::to_string(completed.method))},
                     {"http.route", Value(route)},
                     {"http.response.status_code", Value(completed.status)},
                     {"pawl.request.id", Value(completed.request_id)}};
  record(std::move(span));
}

void Tracing::database(const storage::TracedCall& call) {
  const auto own = child_of(call.below);
  Span span;
  span.trace = own.trace;
  span.id = own.span;
  span.parent = call.below.span;
  span.name = fmt::format("{} {}", call.writes ? "write" : "read", system_);
  span.kind = Span::Kind::client;
  span.end = now();
  span.begin = span.end - call.took;
  span.failed = call.error.starts_with("storage.");
  span.attributes = {
      {"db.system.name", Value(system_)}, {"db.query.text", Value(call.statement)}, {"pawl.database.statements", Value(call.statements)}};
  if (span.failed) span.attributes.emplace_back("error.type", Value(call.error));
  record(std::move(span));
}

void Tracing::model(const models::Measured& call) {
  const auto& parent = current_trace();
  if (call.is_step || !parent || !parent.kept) return;
  const auto own = child_of(parent);
  Span span;
  span.trace = own.trace;
  span.id = own.span;
  span.parent = parent.span;
  span.name = fmt::format("chat {}", call.model);
  span.kind = Span::Kind::client;
  span.end = now();
  span.begin = span.end - call.took;
  span.failed = !call.error.empty();
  span.attributes = {{"gen_ai.operation.name", Value("chat")},
                     {"gen_ai.provider.name", Value(call.provider)},
                     {"gen_ai.request.model", Value(call.model)},
                     {"gen_ai.usage.input_tokens", Value(call.usage.input)},
                     {"gen_ai.usage.output_tokens", Value(call.usage.output)}};
  if (!call.prompt.empty()) span.attributes.emplace_back("gen_ai.prompt.name", Value(call.prompt));
  if (span.failed) span.attributes.emplace_back("error.type", Value(call.error));
  record(std::move(span));
}

void Tracing::changed(const engine::RunNotice& notice) {
  if (!tracer_->keeps(notice.run.uuid.bytes)) return;
  if (notice.record != nullptr && notice.record->ended_at) {
    auto span = task_span(notice);
    if (contents_) {
      for (auto& told : contents_->take(span.id)) span.attributes.push_back(std::move(told));
    }
    tracer_->record(std::move(span));
  }
  if (notice.phase && engine::is_final(*notice.phase)) tracer_->record(run_span(notice, clock_.now()));
}

}  // namespace pawl::app
