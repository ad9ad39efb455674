// What Tracing puts around those that call others.
#include <fmt/core.h>

#include "app/tracing.hpp"
#include "net/uri.hpp"

namespace pawl::app {
namespace {

using json::Value;
using observe::Span;

Span span_of(const TraceContext& own, const TraceContext& parent, std::string name) {
  Span span;
  span.trace = own.trace;
  span.id = own.span;
  span.parent = parent.span;
  span.name = std::move(name);
  span.kind = Span::Kind::client;
  return span;
}

/// A URL may carry what is nobody's business: the host is all that is told.
void add_server(const std::string& url, Span& span) {
  auto host = net::host_of(url);
  if (!host.empty()) span.attributes.emplace_back("server.address", Value(std::move(host)));
}

class TracedOutbound final : public net::Outbound {
 public:
  TracedOutbound(net::Outbound& outbound, Tracing& tracing) : outbound_(outbound), tracing_(tracing) {}

  net::RequestHandle start(net::OutboundRequest request, Done done) override {
    const auto parent = current_trace();
    if (!parent) return outbound_.start(std::move(request), std::move(done));
    const auto own = tracing_.child_of(parent);
    if (!net::find_header(request.headers, "traceparent")) request.headers.emplace_back("traceparent", to_traceparent(own));
    // What follows from the answer belongs to whoever asked.
    if (!parent.kept) {
      return outbound_.start(std::move(request), [parent, done = std::move(done)](Result<net::OutboundResponse> response) {
        const TraceScope scope(parent);
        done(std::move(response));
      });
    }
    auto span = span_of(own, parent, request.method);
    span.begin = tracing_.now();
    span.attributes = {{"http.request.method", Value(request.method)}};
    add_server(request.url, span);
    return outbound_.start(std::move(request),
                           [this, parent, span = std::move(span), done = std::move(done)](Result<net::OutboundResponse> response) mutable {
                             span.end = tracing_.now();
                             span.failed = response.has_error() || response->status >= 400;
                             if (response.has_error()) span.attributes.emplace_back("error.type", Value(response.error().code));
                             if (response.has_value()) span.attributes.emplace_back("http.response.status_code", Value(response->status));
                             tracing_.record(std::move(span));
                             const TraceScope scope(parent);
                             done(std::move(response));
                           });
  }
  void cancel(net::RequestHandle handle) override { outbound_.cancel(handle); }

 private:
  net::Outbound& outbound_;
  Tracing& tracing_;
};

/// The task's own span is told when its record is: here is only said what happens beneath it.
class TracedFunction final : public engine::Function {
 public:
  TracedFunction(std::unique_ptr<engine::Function> function, Tracing& tracing) : function_(std::move(function)), tracing_(tracing) {}

  [[nodiscard]] const Info& info() const override { return function_->info(); }
  [[nodiscard]] engine::EffectClass effect_class(const json::Value& arguments) const override { return function_->effect_class(arguments); }
  [[nodiscard]] bool destroys(const json::Value& arguments) const override { return function_->destroys(arguments); }
  [[nodiscard]] Result<json::Value> plan(const engine::Invocation& call) const override { return function_->plan(call); }
  [[nodiscard]] engine::Cancel start(engine::Invocation call, engine::Done done) override {
    const auto task = tracing_.task(call);
    const TraceScope scope(task);
    if (auto* const contents = tracing_.contents(); contents != nullptr && task.kept && SpanContents::is_told(call, info().name)) {
      done = contents->keeping(task.span, call, info().name, std::move(done));
    }
    return function_->start(std::move(call), std::move(done));
  }

 private:
  std::unique_ptr<engine::Function> function_;
  Tracing& tracing_;
};

class TracedTransport final : public mail::Transport {
 public:
  TracedTransport(std::unique_ptr<mail::Transport> transport, Tracing& tracing) : transport_(std::move(transport)), tracing_(tracing) {}

  [[nodiscard]] Result<void> deliver(const mail::Parcel& parcel) override {
    const auto own = tracing_.child_of({});
    if (!own.kept) return transport_->deliver(parcel);
    auto span = span_of(own, {}, "send mail");
    span.begin = tracing_.now();
    span.attributes = {{"pawl.mail.id", Value(parcel.id)}};
    auto outcome = transport_->deliver(parcel);
    span.end = tracing_.now();
    span.failed = outcome.has_error();
    if (span.failed) span.attributes.emplace_back("error.type", Value(outcome.error().code));
    tracing_.record(std::move(span));
    return outcome;
  }
  [[nodiscard]] Result<void> check(Millis patience) override { return transport_->check(patience); }
  [[nodiscard]] Result<void> forget(std::string_view recipient) override { return transport_->forget(recipient); }
  void stop() override { transport_->stop(); }

 private:
  std::unique_ptr<mail::Transport> transport_;
  Tracing& tracing_;
};

}  // namespace

std::unique_ptr<net::Outbound> Tracing::around(net::Outbound& outbound) { return std::make_unique<TracedOutbound>(outbound, *this); }

std::unique_ptr<engine::Function> Tracing::around(std::unique_ptr<engine::Function> function) {
  return std::make_unique<TracedFunction>(std::move(function), *this);
}

std::unique_ptr<mail::Transport> Tracing::around(std::unique_ptr<mail::Transport> transport) {
  return std::make_unique<TracedTransport>(std::move(transport), *this);
}

}  // namespace pawl::app
