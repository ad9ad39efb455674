#include "observe/trace.hpp"

#include <condition_variable>
#include <cstring>
#include <limits>
#include <mutex>
#include <thread>

#include "json/write.hpp"

namespace pawl::observe {
namespace {

using json::Value;

std::string hex(std::span<const std::uint8_t> bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  text.reserve(bytes.size() * 2);
  for (const auto byte : bytes) {
    text.push_back(kDigits[byte >> 4U]);
    text.push_back(kDigits[byte & 0xfU]);
  }
  return text;
}

std::string hex(SpanId id) {
  std::array<std::uint8_t, 8> bytes{};
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<std::uint8_t>(id >> (56 - 8 * i));
  return hex(bytes);
}

Value value_of(const Value& value) {
  if (value.is_array()) {
    auto values = Value::array();
    for (const auto& item : value.items()) values.push_back(value_of(item));
    return Value::object({{"arrayValue", Value::object({{"values", std::move(values)}})}});
  }
  if (value.is_bool()) return Value::object({{"boolValue", value}});
  if (value.is_integer()) return Value::object({{"intValue", std::to_string(value.as_integer())}});
  if (value.is_number()) return Value::object({{"doubleValue", value}});
  return Value::object({{"stringValue", value.is_string() ? value : Value(json::to_text(value))}});
}

Value attributes_of(const std::vector<std::pair<std::string, Value>>& attributes) {
  auto list = Value::array();
  for (const auto& [key, value] : attributes) list.push_back(Value::object({{"key", key}, {"value", value_of(value)}}));
  return list;
}

/// What its attributes take, about.
std::size_t size_of(const Span& span) {
  std::size_t bytes = 0;
  for (const auto& [key, value] : span.attributes) bytes += key.size() + (value.is_string() ? value.size() : sizeof(std::int64_t));
  return bytes;
}

Value object_of(const Span& span) {
  auto object = Value::object({{"traceId", hex(span.trace)},
                               {"spanId", hex(span.id)},
                               {"name", span.name},
                               {"kind", static_cast<std::int64_t>(span.kind)},
                               {"startTimeUnixNano", std::to_string(span.begin.count())},
                               {"endTimeUnixNano", std::to_string(std::max(span.begin, span.end).count())},
                               {"attributes", attributes_of(span.attributes)},
                               {"status", Value::object()}});
  if (span.parent != 0) object.set("parentSpanId", hex(span.parent));
  if (span.link) {
    auto link = Value::object({{"traceId", hex(span.link.trace)}, {"spanId", hex(span.link.span)}});
    object.set("links", Value::array({std::move(link)}));
  }
  if (span.failed) object.set("status", Value::object({{"code", 2}}));
  return object;
}

}  // namespace

std::string otlp_text(std::span<const Span> spans, const std::vector<std::pair<std::string, Value>>& resource) {
  auto list = Value::array();
  for (const auto& span : spans) list.push_back(object_of(span));
  auto scope = Value::object({{"scope", Value::object({{"name", "pawl"}})}, {"spans", std::move(list)}});
  auto process = Value::object(
      {{"resource", Value::object({{"attributes", attributes_of(resource)}})}, {"scopeSpans", Value::array({std::move(scope)})}});
  return json::to_text(Value::object({{"resourceSpans", Value::array({std::move(process)})}}));
}

/// Kept alive by the sends that are under way.
struct Tracer::Impl {
  Impl(TracerOptions an_options, Send a_send, Report a_report)
      : options(std::move(an_options)), send(std::move(a_send)), report(std::move(a_report)) {}

  TracerOptions options;
  Send send;
  Report report;
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<Span> waiting;                           // guarded by mutex
  std::size_t waiting_bytes = 0;                       // guarded by mutex: of what waits
  Statistics figures;                                  // guarded by mutex
  bool sending = false;                                // guarded by mutex: one batch is under way
  bool failing = false;                                // guarded by mutex
  bool stopping = false;                               // guarded by mutex
  std::chrono::steady_clock::time_point stop_until{};  // guarded by mutex: set with `stopping`
  std::thread thread;

  void run(const std::shared_ptr<Impl>& self);
  void sent(const Result<void>& result, std::size_t count);
};

void Tracer::Impl::run(const std::shared_ptr<Impl>& self) {
  std::unique_lock lock(mutex);
  for (;;) {
    changed.wait(lock, [&] { return stopping || (!waiting.empty() && !sending); });
    if (!stopping) changed.wait_for(lock, options.linger, [&] { return stopping || waiting.size() >= options.max_batch; });
    if (sending) changed.wait_until(lock, stop_until, [&] { return !sending; });
    if (sending || (stopping && waiting.empty())) return;
    const auto most = std::min(waiting.size(), options.max_batch);
    std::size_t count = 0;
    std::size_t bytes = 0;
    while (count < most && (count == 0 || bytes + size_of(waiting[count]) <= options.max_batch_bytes)) bytes += size_of(waiting[count++]);
    waiting_bytes -= bytes;
    const auto rest = waiting.begin() + static_cast<std::ptrdiff_t>(count);
    std::vector<Span> batch(std::make_move_iterator(waiting.begin()), std::make_move_iterator(rest));
    waiting.erase(waiting.begin(), rest);
    sending = true;
    lock.unlock();
    send(otlp_text(batch, options.resource), [self, count](const Result<void>& result) { self->sent(result, count); });
    lock.lock();
  }
}

void Tracer::Impl::sent(const Result<void>& result, std::size_t count) {
  bool first_failure = false;
  {
    const std::lock_guard lock(mutex);
    sending = false;
    (result.has_error() ? figures.dropped : figures.sent) += count;
    first_failure = result.has_error() && !std::exchange(failing, result.has_error());
    if (!result.has_error()) failing = false;
  }
  changed.notify_all();
  if (first_failure && report) report(result.error(), count);
}

Tracer::Tracer(TracerOptions options, Send send, Report report)
    : impl_(std::make_shared<Impl>(std::move(options), std::move(send), std::move(report))) {
  impl_->thread = std::thread([impl = impl_] { impl->run(impl); });
}

Tracer::~Tracer() {
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->stopping = true;
    impl_->stop_until = std::chrono::steady_clock::now() + impl_->options.stop_patience;
  }
  impl_->changed.notify_all();
  impl_->thread.join();
  // The last batch is on its way: its answer is waited for, once.
  std::unique_lock lock(impl_->mutex);
  impl_->changed.wait_until(lock, impl_->stop_until, [&] { return !impl_->sending; });
}

bool Tracer::keeps(const TraceId& trace) const noexcept {
  // The last bytes are the random ones, of W3C's ids and of version 7 UUIDs alike.
  std::uint64_t random = 0;
  std::memcpy(&random, trace.data() + 8, sizeof random);
  constexpr auto kAll = static_cast<double>(std::numeric_limits<std::uint64_t>::max());
  return impl_->options.ratio >= 1.0 || static_cast<double>(random * 0x9E3779B97F4A7C15U) < impl_->options.ratio * kAll;
}

void Tracer::record(Span span) {
  const auto bytes = size_of(span);
  {
    const std::lock_guard lock(impl_->mutex);
    const bool is_full =
        impl_->waiting.size() >= impl_->options.max_waiting || impl_->waiting_bytes + bytes > impl_->options.max_waiting_bytes;
    if (is_full || impl_->stopping) {
      ++impl_->figures.dropped;
      return;
    }
    impl_->waiting_bytes += bytes;
    impl_->waiting.push_back(std::move(span));
    if (impl_->waiting.size() != 1 && impl_->waiting.size() < impl_->options.max_batch) return;
  }
  impl_->changed.notify_all();
}

Tracer::Statistics Tracer::statistics() const {
  const std::lock_guard lock(impl_->mutex);
  return impl_->figures;
}

}  // namespace pawl::observe
