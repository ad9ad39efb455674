/// Traces: what took how long, beneath what, as OpenTelemetry's spans, sent to a collector by OTLP over HTTP with JSON.
///
/// https://opentelemetry.io/docs/specs/otlp/#otlphttp and its JSON mapping: ids in lower-case hexadecimal, 64-bit integers as text. Spans
/// carry names, times and figures, never inputs, outputs or addresses of people, unless somebody has put them into attributes on purpose.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/error.hpp"
#include "base/time.hpp"
#include "base/trace_context.hpp"
#include "json/value.hpp"

namespace pawl::observe {

using TraceId = std::array<std::uint8_t, 16>;
using SpanId = std::uint64_t;  ///< 0: none

struct Span {
  enum class Kind : std::uint8_t { internal = 1, server = 2, client = 3 };  ///< OTLP's numbers
  TraceId trace{};
  SpanId id = 0;
  SpanId parent = 0;
  std::string name;
  Kind kind = Kind::internal;
  std::chrono::nanoseconds begin{};  ///< since 1970
  std::chrono::nanoseconds end{};
  bool failed = false;
  std::vector<std::pair<std::string, json::Value>> attributes{};  ///< text, integer, number or boolean
  TraceContext link{};                                            ///< a span of another trace that led to this one; may be none
};

/// One export request, as text. `resource` describes this process: `service.name` ...
[[nodiscard]] std::string otlp_text(std::span<const Span> spans, const std::vector<std::pair<std::string, json::Value>>& resource);

struct TracerOptions {
  std::vector<std::pair<std::string, json::Value>> resource{};
  double ratio = 1.0;                          ///< of the traces that are kept, by their id: a trace is kept whole or not at all
  std::size_t max_waiting = 8192;              ///< spans; more are dropped and counted
  std::size_t max_waiting_bytes = 64U << 20U;  ///< of their attributes; likewise
  std::size_t max_batch = 512;
  std::size_t max_batch_bytes = 4U << 20U;  ///< of attributes in one request, which collectors limit; one span may have more
  Millis linger{1000};                      ///< how long a span waits for others
  Millis stop_patience{2000};               ///< how long the end waits for the collector
};

/// Gathers spans and sends them from a thread of its own. A collector that does not answer costs spans, never a run.
class Tracer {
 public:
  /// Sends one batch; calls back once, on any thread.
  using Send = std::function<void(std::string body, std::function<void(Result<void>)> done)>;
  using Report = std::function<void(const Error& error, std::size_t lost)>;

  /// `report` is told of the first failure in a row, on a thread of the sender.
  Tracer(TracerOptions options, Send send, Report report);
  /// Sends what waits, as far as the patience goes.
  ~Tracer();
  Tracer(const Tracer&) = delete;
  Tracer& operator=(const Tracer&) = delete;

  /// Is this trace one that is kept? Ask before a span is put together.
  [[nodiscard]] bool keeps(const TraceId& trace) const noexcept;
  /// Any thread; never blocks for long.
  void record(Span span);

  struct Statistics {
    std::uint64_t sent = 0;
    std::uint64_t dropped = 0;  ///< the queue was full, or the collector did not take them
  };
  [[nodiscard]] Statistics statistics() const;

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace pawl::observe
