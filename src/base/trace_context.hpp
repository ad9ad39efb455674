/// Below which span of which trace a thread is working, and how that is told to other programs (W3C Trace Context).
///
/// Whoever begins something that is traced opens a `TraceScope`; whoever does a part of it (`observe/trace.hpp` gathers the spans) asks
/// `current_trace`. Threads hand it on: what is posted to `async::IoThreads` or `async::BlockingPool` within a scope runs within it. Where
/// nothing is traced there is no scope, and asking costs one read.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace pawl {

struct TraceContext {
  std::array<std::uint8_t, 16> trace{};
  std::uint64_t span = 0;  ///< 0: there is no trace
  bool kept = false;       ///< false: its spans go nowhere; other programs are told so

  [[nodiscard]] explicit operator bool() const noexcept { return span != 0; }
};

/// Of the calling thread.
[[nodiscard]] const TraceContext& current_trace() noexcept;

/// Makes a context the thread's, and the former one again at its end.
class TraceScope {
 public:
  explicit TraceScope(const TraceContext& context) noexcept;
  ~TraceScope();
  TraceScope(const TraceScope&) = delete;
  TraceScope& operator=(const TraceScope&) = delete;

 private:
  TraceContext former_;
};

/// 32 lower-case hexadecimal digits.
[[nodiscard]] std::string trace_id_text(const TraceContext& context);
/// Value of the field `traceparent`: `00-<trace>-<span>-01`.
[[nodiscard]] std::string to_traceparent(const TraceContext& context);
/// Reads one, later versions too, as the recommendation asks; nothing for what is malformed or all zeros.
[[nodiscard]] std::optional<TraceContext> parse_traceparent(std::string_view text);

}  // namespace pawl
