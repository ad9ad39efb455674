#include "engine/codec.hpp"

#include <algorithm>
#include <bit>

#include "base/assert.hpp"

namespace pawl::engine {
namespace {

enum Mark : std::uint8_t {
  mark_text = 0x40,
  mark_array = 0x80,
  mark_object = 0x90,
  mark_null = 0xa0,
  mark_false = 0xa1,
  mark_true = 0xa2,
  mark_integer = 0xa3,
  mark_double = 0xa4,
  mark_long_text = 0xa5,
  mark_long_array = 0xa6,
  mark_long_object = 0xa7,
};

enum EventKind : std::uint8_t {
  event_other = 0,  ///< its kind is in the byte that follows
  event_run_started = 1,
  event_effect_begun,
  event_effect_succeeded,
  event_effect_succeeded_with_logs,
  event_effect_failed,
  event_effect_failed_with_logs,
  event_timer_fired,
  event_message_arrived,
  event_cancel_requested,
  event_suspend_requested,
  event_resume_requested,
  event_retry_requested,
  event_retry_requested_with_input,
  event_run_queued,
  event_run_admitted,  // fifteen: the first byte has room for no more
  event_effect_interrupted,
  event_approval_decided,
  event_run_started_by_rules,  // of a run that has a number of rules: without, it is one of before there were numbers
  event_run_queued_by_rules,
  event_cancel_requested_by_machine,
};
constexpr std::uint8_t kLastOfFirstByte = event_run_admitted;

constexpr std::uint64_t kLongDelta = 15;
// jq's own limit; documents are far below it. A damaged record must not exhaust the stack.
constexpr std::uint32_t kMaxDepth = 10'001;
// Three hundred years: more is damage, and sums of such differences stay far from overflow.
constexpr std::int64_t kMaxDelta = 10'000'000'000'000;

EventKind kind_of(const Event& event) {
  struct Visitor {
    EventKind operator()(const RunStarted& e) const { return e.rules > 0 ? event_run_started_by_rules : event_run_started; }
    EventKind operator()(const EffectBegun&) const { return event_effect_begun; }
    EventKind operator()(const EffectSucceeded& e) const {
      return e.logs.empty() ? event_effect_succeeded : event_effect_succeeded_with_logs;
    }
    EventKind operator()(const EffectFailed& e) const { return e.logs.empty() ? event_effect_failed : event_effect_failed_with_logs; }
    EventKind operator()(const TimerFired&) const { return event_timer_fired; }
    EventKind operator()(const MessageArrived&) const { return event_message_arrived; }
    EventKind operator()(const CancelRequested& e) const {
      return e.by_person ? event_cancel_requested : event_cancel_requested_by_machine;
    }
    EventKind operator()(const SuspendRequested&) const { return event_suspend_requested; }
    EventKind operator()(const ResumeRequested&) const { return event_resume_requested; }
    EventKind operator()(const RunQueued& e) const { return e.rules > 0 ? event_run_queued_by_rules : event_run_queued; }
    EventKind operator()(const RunAdmitted&) const { return event_run_admitted; }
    EventKind operator()(const EffectInterrupted&) const { return event_effect_interrupted; }
    EventKind operator()(const ApprovalDecided&) const { return event_approval_decided; }
    EventKind operator()(const RetryRequested& e) const { return e.input ? event_retry_requested_with_input : event_retry_requested; }
  };
  return std::visit(Visitor{}, event.body);
}

}  // namespace

Error damaged(std::string_view what) {
  return {ErrorClass::internal, "journal.damaged", "a record of the journal cannot be read: " + std::string(what)};
}

// ---- writing ------------------------------------------------------------------------------------------------------------------

void Encoder::number(std::uint64_t value) {
  while (value >= 0x80) {
    byte(static_cast<std::uint8_t>(value | 0x80));
    value >>= 7U;
  }
  byte(static_cast<std::uint8_t>(value));
}

void Encoder::signed_number(std::int64_t value) {
  number((static_cast<std::uint64_t>(value) << 1U) ^ static_cast<std::uint64_t>(value >> 63));
}

void Encoder::text(std::string_view value) {
  number(value.size());
  out_.append(value);
}

void Encoder::text_value(std::string_view value) {
  if (value.size() < 64) {
    byte(static_cast<std::uint8_t>(mark_text + value.size()));
    out_.append(value);
  } else {
    byte(mark_long_text);
    text(value);
  }
}

void Encoder::value(const json::Value& value) {
  switch (value.kind()) {
    case json::Kind::null: byte(mark_null); break;
    case json::Kind::boolean: byte(value.as_bool() ? mark_true : mark_false); break;
    case json::Kind::integer:
      if (value.as_integer() >= 0 && value.as_integer() < 64) {
        byte(static_cast<std::uint8_t>(value.as_integer()));
      } else {
        byte(mark_integer);
        signed_number(value.as_integer());
      }
      break;
    case json::Kind::number: {
      byte(mark_double);
      auto bits = std::bit_cast<std::uint64_t>(value.as_double());
      for (int i = 0; i < 8; ++i, bits >>= 8U) byte(static_cast<std::uint8_t>(bits));
      break;
    }
    case json::Kind::string: text_value(value.as_string()); break;
    case json::Kind::array:
      if (value.size() < 16) {
        byte(static_cast<std::uint8_t>(mark_array + value.size()));
      } else {
        byte(mark_long_array);
        number(value.size());
      }
      for (const auto& item : value.items()) this->value(item);
      break;
    case json::Kind::object:
      if (value.size() < 16) {
        byte(static_cast<std::uint8_t>(mark_object + value.size()));
      } else {
        byte(mark_long_object);
        number(value.size());
      }
      for (const auto& member : value.members()) {
        text_value(member.name());
        this->value(member.value);
      }
      break;
  }
}

void Encoder::event(const Event& event, TimePoint& previous) {
  const auto delta = static_cast<std::uint64_t>((event.at - previous).count());
  PAWL_ASSERT(event.at >= previous, "the events of a run are in order of time");
  previous = event.at;
  const auto kind = kind_of(event);
  const auto first = kind <= kLastOfFirstByte ? kind : event_other;
  byte(static_cast<std::uint8_t>(first | (std::min(delta, kLongDelta) << 4U)));
  if (first == event_other) byte(kind);
  if (delta >= kLongDelta) number(delta);
  std::visit([this, &event](const auto& each) { body(each, event.at); }, event.body);
}

void Encoder::logs(const std::vector<LogLine>& lines, TimePoint at) {
  if (lines.empty()) return;
  number(lines.size());
  for (const auto& line : lines) {
    signed_number((line.at - at).count());
    text(line.level);
    text(line.text);
  }
}

void Encoder::body(const RunStarted& event, TimePoint /*at*/) {
  if (event.rules > 0) number(event.rules);
  value(event.input);
}
void Encoder::body(const RunQueued& event, TimePoint /*at*/) {
  if (event.rules > 0) number(event.rules);
  value(event.input);
}
void Encoder::body(const RunAdmitted& /*event*/, TimePoint /*at*/) {}
void Encoder::body(const EffectBegun& event, TimePoint /*at*/) { number(event.effect); }
void Encoder::body(const EffectSucceeded& event, TimePoint at) {
  number(event.effect);
  value(event.output);
  logs(event.logs, at);
}
void Encoder::body(const EffectFailed& event, TimePoint at) {
  number(event.effect);
  value(event.error);
  logs(event.logs, at);
}
void Encoder::body(const EffectInterrupted& event, TimePoint /*at*/) { number(event.effect); }
void Encoder::body(const ApprovalDecided& event, TimePoint /*at*/) {
  number(event.approval);
  byte(event.approved ? 1 : 0);
  text(event.by);
  text(event.comment);
  value(event.data);
}
void Encoder::body(const TimerFired& event, TimePoint /*at*/) { number(event.timer); }
void Encoder::body(const MessageArrived& event, TimePoint /*at*/) { value(event.event); }
void Encoder::body(const CancelRequested& event, TimePoint /*at*/) { text(event.reason); }
void Encoder::body(const SuspendRequested& /*event*/, TimePoint /*at*/) {}
void Encoder::body(const ResumeRequested& /*event*/, TimePoint /*at*/) {}
void Encoder::body(const RetryRequested& event, TimePoint /*at*/) {
  text(event.from);
  if (event.input) value(*event.input);
}

// ---- reading ------------------------------------------------------------------------------------------------------------------

void Decoder::fail() {
  failed_ = true;
  bytes_ = {};
}

std::string_view Decoder::take(std::uint64_t count) {
  if (count > bytes_.size()) {
    fail();
    return {};
  }
  const auto taken = bytes_.substr(0, static_cast<std::size_t>(count));
  bytes_.remove_prefix(taken.size());
  return taken;
}

std::uint8_t Decoder::byte() {
  const auto taken = take(1);
  return taken.empty() ? 0 : static_cast<std::uint8_t>(taken.front());
}

std::uint64_t Decoder::number() {
  std::uint64_t value = 0;
  for (unsigned shift = 0; shift < 64; shift += 7) {
    const auto next = byte();
    value |= static_cast<std::uint64_t>(next & 0x7fU) << shift;
    if ((next & 0x80U) == 0) return value;
  }
  fail();
  return 0;
}

std::int64_t Decoder::signed_number() {
  const auto raw = number();
  return static_cast<std::int64_t>((raw >> 1U) ^ (~(raw & 1U) + 1U));
}

std::string_view Decoder::text() { return take(number()); }

json::Value Decoder::value() { return value(0); }

json::Value Decoder::value(std::uint32_t depth) {
  if (depth > kMaxDepth) {
    fail();
    return {};
  }
  const auto mark = byte();
  if (mark < mark_text) return failed_ ? json::Value() : json::Value(static_cast<std::int64_t>(mark));
  if (mark < mark_array) return take(mark - mark_text);
  if (mark < mark_object) return array(mark - mark_array, depth);
  if (mark < mark_null) return object(mark - mark_object, depth);
  switch (mark) {
    case mark_null: return {};
    case mark_false: return false;
    case mark_true: return true;
    case mark_integer: return signed_number();
    case mark_double: {
      const auto bytes = take(8);
      std::uint64_t bits = 0;
      for (std::size_t i = bytes.size(); i > 0; --i) bits = (bits << 8U) | static_cast<std::uint8_t>(bytes[i - 1]);
      return std::bit_cast<double>(bits);
    }
    case mark_long_text: return text();
    case mark_long_array: return array(number(), depth);
    case mark_long_object: return object(number(), depth);
    default: fail(); return {};
  }
}

json::Value Decoder::array(std::uint64_t count, std::uint32_t depth) {
  auto array = json::Value::array();
  if (count > bytes_.size()) fail();  // every item takes a byte at least
  if (!failed_) array.reserve(static_cast<std::size_t>(count));
  for (std::uint64_t i = 0; i < count && !failed_; ++i) array.push_back(value(depth + 1));
  return failed_ ? json::Value() : array;
}

json::Value Decoder::object(std::uint64_t count, std::uint32_t depth) {
  auto object = json::Value::object();
  if (count > bytes_.size()) fail();
  for (std::uint64_t i = 0; i < count && !failed_; ++i) {
    const auto mark = byte();
    const bool is_short = mark >= mark_text && mark < mark_array;
    if (!is_short && mark != mark_long_text) fail();
    const auto key = is_short ? take(mark - mark_text) : text();
    auto member = value(depth + 1);
    if (!failed_) object.set(key, std::move(member));
  }
  return failed_ ? json::Value() : object;
}

std::vector<LogLine> Decoder::logs(TimePoint at) {
  std::vector<LogLine> lines;
  const auto count = number();
  for (std::uint64_t i = 0; i < count && !failed_; ++i) {
    LogLine line;
    const auto offset = signed_number();
    if (offset > kMaxDelta || offset < -kMaxDelta) fail();
    if (!failed_) line.at = at + Millis(offset);
    line.level = text();
    line.text = text();
    if (!failed_) lines.push_back(std::move(line));
  }
  return lines;
}

Event Decoder::event(TimePoint& previous) {
  const auto head = byte();
  const auto short_delta = static_cast<std::uint64_t>(head >> 4U);
  const auto kind = (head & 0x0fU) == event_other ? byte() : static_cast<std::uint8_t>(head & 0x0fU);
  const auto delta = short_delta == kLongDelta ? number() : short_delta;
  if (delta > static_cast<std::uint64_t>(kMaxDelta)) fail();
  Event event;
  if (failed_) return event;
  previous += Millis(static_cast<std::int64_t>(delta));
  event.at = previous;
  const auto id = [this] { return static_cast<std::uint32_t>(number()); };
  switch (kind) {
    case event_run_started: event.body = RunStarted{value(), 0}; break;
    case event_run_queued: event.body = RunQueued{value(), 0}; break;
    case event_run_admitted: event.body = RunAdmitted{}; break;
    case event_effect_begun: event.body = EffectBegun{id()}; break;
    case event_effect_succeeded:
    case event_effect_succeeded_with_logs: {
      EffectSucceeded body;
      body.effect = id();
      body.output = value();
      if (kind == event_effect_succeeded_with_logs) body.logs = logs(event.at);
      event.body = std::move(body);
      break;
    }
    case event_effect_failed:
    case event_effect_failed_with_logs: {
      EffectFailed body;
      body.effect = id();
      body.error = value();
      if (kind == event_effect_failed_with_logs) body.logs = logs(event.at);
      event.body = std::move(body);
      break;
    }
    case event_timer_fired: event.body = TimerFired{id()}; break;
    case event_message_arrived: event.body = MessageArrived{value()}; break;
    case event_cancel_requested: event.body = CancelRequested{std::string(text()), true}; break;
    case event_suspend_requested: event.body = SuspendRequested{}; break;
    case event_resume_requested: event.body = ResumeRequested{}; break;
    case event_retry_requested: event.body = RetryRequested{std::string(text()), {}}; break;
    case event_retry_requested_with_input: {
      RetryRequested body;
      body.from = text();
      body.input = value();
      event.body = std::move(body);
      break;
    }
    default: other_event(kind, event);
  }
  return event;
}

void Decoder::other_event(std::uint8_t kind, Event& event) {
  if (kind == event_effect_interrupted) {
    event.body = EffectInterrupted{static_cast<EffectId>(number())};
  } else if (kind == event_cancel_requested_by_machine) {
    event.body = CancelRequested{std::string(text()), false};
  } else if (kind == event_run_started_by_rules || kind == event_run_queued_by_rules) {
    const auto rules = number();
    if (rules == 0 || rules > UINT32_MAX) fail();
    auto input = value();
    if (kind == event_run_started_by_rules) {
      event.body = RunStarted{std::move(input), static_cast<std::uint32_t>(rules)};
    } else {
      event.body = RunQueued{std::move(input), static_cast<std::uint32_t>(rules)};
    }
  } else if (kind == event_approval_decided) {
    ApprovalDecided body;
    body.approval = static_cast<ApprovalId>(number());
    body.approved = byte() != 0;
    body.by = text();
    body.comment = text();
    body.data = value();
    event.body = std::move(body);
  } else {
    fail();
  }
}

}  // namespace pawl::engine
