/// Traces of requests and runs (observe/trace.hpp): what becomes a span, and where the spans go. Off unless a collector is configured.
///
/// - A request is a trace of its own: `POST /api/workflows/{workflow_id}/execute`, kind server. What its client says in `traceparent` is a
///   link, or its parent, as the configuration has it.
/// - A run is a trace whose id is the run's, so a log line or a page that names a run names its trace: one span for the run, beneath it one
///   for each task that has ended, with OpenTelemetry's names for model calls (`gen_ai.*`) where a task says what it used. A run that a
///   restart interrupted is one trace: ids come from the run and the step, never from chance.
/// - Beneath a request: one span for each call of a model that it led to, with the version of the program's prompt.
/// - Beneath a request or a task: one span for each call of the database and for each call to the outside, which carries `traceparent`. A
///   mail that leaves the outbox is a trace of its own.
#pragma once

#include <array>
#include <memory>

#include "app/span_contents.hpp"
#include "config/config.hpp"
#include "engine/function.hpp"
#include "engine/observer.hpp"
#include "http/server.hpp"
#include "mail/transport.hpp"
#include "models/client.hpp"
#include "net/curl_outbound.hpp"
#include "observe/trace.hpp"
#include "storage/database.hpp"

namespace pawl::app {

/// Tells several observers of runs, which outlive it; `second` may be null, a third one comes later.
class RunObservers final : public engine::RunObserver {
 public:
  RunObservers(engine::RunObserver& first, engine::RunObserver* second) : all_{&first, second} {}
  /// Before the engine starts.
  void add(engine::RunObserver& third) { all_[2] = &third; }
  [[nodiscard]] bool wants(const OrganizationId& organization) const override;
  void changed(const engine::RunNotice& notice) override;
  void asked(const engine::ApprovalNotice& notice) override;

 private:
  std::array<engine::RunObserver*, 3> all_{};  ///< null: none
};

class Tracing final : public engine::RunObserver {
 public:
  /// Null where the configuration names no collector. The redactor cleans contents, where the configuration asks for those; it is used
  /// while calls are made, no earlier and no later.
  [[nodiscard]] static std::unique_ptr<Tracing> make(const config::Config& config, const Clock& clock, Random& random,
                                                     const audit::Redactor& redactor);
  Tracing(const config::Config& config, const Clock& clock, Random& random, const audit::Redactor& redactor);
  ~Tracing() override;

  /// Where a request stands, as its header is complete; and its end.
  [[nodiscard]] http::ExchangeTrace begin(const http::Request& request) const;
  void request(const http::Completed& completed);
  void database(const storage::TracedCall& call);
  /// A call of a model that is no step of a run: beneath the request that it is a part of.
  void model(const models::Measured& call);

  // What is put around those that call others. The Tracing outlives it.
  [[nodiscard]] std::unique_ptr<net::Outbound> around(net::Outbound& outbound);
  [[nodiscard]] std::unique_ptr<engine::Function> around(std::unique_ptr<engine::Function> function);
  [[nodiscard]] std::unique_ptr<mail::Transport> around(std::unique_ptr<mail::Transport> transport);

  // engine::RunObserver
  [[nodiscard]] bool wants(const OrganizationId&) const override { return true; }
  void changed(const engine::RunNotice& notice) override;

  [[nodiscard]] observe::Tracer::Statistics statistics() const { return tracer_->statistics(); }

  // For what is put around others.
  /// The span of a task's call.
  [[nodiscard]] TraceContext task(const engine::Invocation& call) const;
  /// Null where contents are told to nobody, as is usual.
  [[nodiscard]] SpanContents* contents() const { return contents_.get(); }
  /// A span beneath `parent`; without one, of a new trace.
  [[nodiscard]] TraceContext child_of(const TraceContext& parent) const;
  void record(observe::Span span);
  /// Since 1970: the clock's milliseconds, finer.
  [[nodiscard]] std::chrono::nanoseconds now() const;

 private:
  void send(std::string body, std::function<void(Result<void>)> done);

  const Clock& clock_;
  Random& random_;
  const config::TraceCallers callers_;
  const std::chrono::nanoseconds anchor_;  ///< of the wall clock, as the steady one stood at 0
  std::string url_;
  net::HeaderList headers_;
  std::string system_ = "sqlite";
  std::unique_ptr<SpanContents> contents_;
  std::unique_ptr<net::CurlOutbound> outbound_;  ///< of its own: the operator's collector may well be on this machine
  std::unique_ptr<observe::Tracer> tracer_;      ///< last: it sends until it ends
};

}  // namespace pawl::app
