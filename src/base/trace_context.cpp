#include "base/trace_context.hpp"

#include <utility>

namespace pawl {
namespace {

constinit thread_local TraceContext current;

constexpr std::string_view kDigits = "0123456789abcdef";
constexpr std::size_t kTraceAt = 3;
constexpr std::size_t kSpanAt = 36;
constexpr std::size_t kFlagsAt = 53;
constexpr std::size_t kLength = 55;

void append_hex(std::string& out, std::uint8_t byte) {
  out.push_back(kDigits[byte >> 4U]);
  out.push_back(kDigits[byte & 0xfU]);
}

/// `digits` of even length; nothing where one is none, or in upper case.
template <std::size_t N>
std::optional<std::array<std::uint8_t, N>> bytes_of(std::string_view digits) {
  std::array<std::uint8_t, N> bytes{};
  for (std::size_t i = 0; i < 2 * N; ++i) {
    const auto value = kDigits.find(digits[i]);
    if (value == std::string_view::npos) return std::nullopt;
    bytes[i / 2] = static_cast<std::uint8_t>((static_cast<unsigned>(bytes[i / 2]) << 4U) | static_cast<unsigned>(value));
  }
  return bytes;
}

}  // namespace

const TraceContext& current_trace() noexcept { return current; }

TraceScope::TraceScope(const TraceContext& context) noexcept : former_(std::exchange(current, context)) {}
TraceScope::~TraceScope() { current = former_; }

std::string trace_id_text(const TraceContext& context) {
  std::string text;
  text.reserve(2 * context.trace.size());
  for (const auto byte : context.trace) append_hex(text, byte);
  return text;
}

std::string to_traceparent(const TraceContext& context) {
  auto text = "00-" + trace_id_text(context) + "-";
  for (int shift = 56; shift >= 0; shift -= 8) append_hex(text, static_cast<std::uint8_t>(context.span >> static_cast<unsigned>(shift)));
  return text + (context.kept ? "-01" : "-00");
}

std::optional<TraceContext> parse_traceparent(std::string_view text) {
  if (text.size() < kLength || text[2] != '-' || text[kSpanAt - 1] != '-' || text[kFlagsAt - 1] != '-') return std::nullopt;
  const auto version = bytes_of<1>(text.substr(0, 2));
  if (!version || (*version)[0] == 0xff) return std::nullopt;
  // Version 0 ends here; later ones may go on after a dash.
  if (text.size() > kLength && ((*version)[0] == 0 || text[kLength] != '-')) return std::nullopt;
  const auto trace = bytes_of<16>(text.substr(kTraceAt, 32));
  const auto span = bytes_of<8>(text.substr(kSpanAt, 16));
  const auto flags = bytes_of<1>(text.substr(kFlagsAt, 2));
  if (!trace || !span || !flags || *trace == decltype(TraceContext::trace){}) return std::nullopt;
  TraceContext context;
  context.trace = *trace;
  for (const auto byte : *span) context.span = (context.span << 8U) | byte;
  context.kept = ((*flags)[0] & 1U) != 0;
  if (!context) return std::nullopt;
  return context;
}

}  // namespace pawl
