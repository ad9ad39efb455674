#include "dsl/expression.hpp"

#include <array>
#include <charconv>
#include <cmath>

#include "json/write.hpp"

namespace pawl::dsl {
namespace {

/// A superset of the variables that `source` uses: names that stand after a `$` somewhere in it.
bool mentions(std::string_view source, std::string_view name) {
  for (auto at = source.find('$'); at != std::string_view::npos; at = source.find('$', at + 1)) {
    if (source.substr(at + 1).starts_with(name)) return true;
  }
  return false;
}

}  // namespace

Result<Expression> Expression::compile(std::string_view source, const std::vector<std::string>& visible) {
  std::vector<std::string> names;
  if (source.find('$') != std::string_view::npos) {
    for (const std::string& name : visible) {
      if (mentions(source, name)) names.push_back(name);
    }
  }
  std::vector<std::string_view> views(names.begin(), names.end());
  Result<jq::Program> program = jq::compile(source, views);
  if (program.has_value()) return Expression(std::string(source), std::move(program).value(), std::move(names));
  if (program.error().code != "jq.unknown" || names.size() == visible.size()) return std::move(program).error();
  // Once more with all names, so that the finding can suggest any of them.
  views.assign(visible.begin(), visible.end());
  return jq::compile(source, views).error();
}

Result<json::Value> Expression::evaluate(const json::Value& input, const Scope& scope) const {
  jq::Context context;
  if (program_.uses_now()) context.now = scope.now();
  constexpr std::size_t kFew = 4;
  std::array<json::Value, kFew> few;
  std::vector<json::Value> many;
  json::Value* values = few.data();
  if (variables_.size() > kFew) {
    many.resize(variables_.size());
    values = many.data();
  }
  for (std::size_t i = 0; i < variables_.size(); ++i) {
    if (program_.uses_variable(i)) values[i] = scope.variable(variables_[i]);
  }
  context.variables = {values, variables_.size()};
  return jq::first(program_, input, context);
}

Result<bool> Expression::test(const json::Value& input, const Scope& scope) const {
  PAWL_TRY(value, evaluate(input, scope));
  return value.truthy();
}

namespace {

struct Evaluate {
  const json::Value& input;
  const Scope& scope;

  Result<json::Value> operator()(const json::Value& constant) const { return constant; }
  Result<json::Value> operator()(const Expression& expression) const { return expression.evaluate(input, scope); }
  Result<json::Value> operator()(const std::vector<Template::Part>& parts) const {
    std::string out;
    for (const Template::Part& part : parts) {
      out += part.literal;
      if (!part.expression) continue;
      PAWL_TRY(value, part.expression->evaluate(input, scope));
      if (value.is_string()) {
        out += value.as_string();
      } else {
        json::append_text(out, value);
      }
    }
    return json::Value(std::move(out));
  }
  Result<json::Value> operator()(const std::shared_ptr<const Template::ArrayOf>& array) const {
    std::vector<json::Value> items;
    items.reserve(array->items.size());
    for (const Template& item : array->items) {
      PAWL_TRY(value, item.evaluate(input, scope));
      items.push_back(std::move(value));
    }
    return json::Value::array(std::move(items));
  }
  Result<json::Value> operator()(const std::shared_ptr<const Template::ObjectOf>& object) const {
    json::Value out = json::Value::object();
    out.reserve(object->members.size());
    for (const auto& [key, member] : object->members) {
      PAWL_TRY(value, member.evaluate(input, scope));
      out.set(key, std::move(value));
    }
    return out;
  }
  Result<json::Value> operator()(const Template::Loose& loose) const {
    Result<json::Value> value = loose.expression.evaluate(input, scope);
    if (value.has_value()) return value;
    return json::Value(loose.text);
  }
};

}  // namespace

Result<json::Value> Template::evaluate(const json::Value& input, const Scope& scope) const {
  return std::visit(Evaluate{input, scope}, node_);
}

namespace {

constexpr double kMillisecond = 1;
constexpr double kSecond = 1000 * kMillisecond;
constexpr double kMinute = 60 * kSecond;
constexpr double kHour = 60 * kMinute;
constexpr double kDay = 24 * kHour;
constexpr double kLongest = 100 * 365.25 * kDay;

Error duration_error(std::string message) { return {ErrorClass::invalid, "dsl.duration", std::move(message)}; }

Result<Millis> from_milliseconds(double total) {
  if (!(total >= 0)) return duration_error("A duration must not be negative.");
  if (total > kLongest) return duration_error("A duration must not be longer than 100 years.");
  return Millis{std::llround(total)};
}

/// `30s`, `5m`, `1h30m`, `500ms`, `2d`.
std::optional<double> short_text(std::string_view text) {
  double total = 0;
  double smallest = kLongest;  // units go from large to small, each once
  while (!text.empty()) {
    double number = 0;
    const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
    if (failure != std::errc{} || text.front() == '-') return std::nullopt;
    text.remove_prefix(static_cast<std::size_t>(end - text.data()));
    double unit = 0;
    if (text.starts_with("ms")) {
      unit = kMillisecond;
      text.remove_prefix(2);
    } else if (!text.empty()) {
      switch (text.front()) {
        case 's': unit = kSecond; break;
        case 'm': unit = kMinute; break;
        case 'h': unit = kHour; break;
        case 'd': unit = kDay; break;
        default: return std::nullopt;
      }
      text.remove_prefix(1);
    }
    if (unit == 0 || unit >= smallest) return std::nullopt;
    smallest = unit;
    total += number * unit;
  }
  if (smallest == kLongest) return std::nullopt;
  return total;
}

Result<Millis> from_object(const json::Value& value) {
  if (value.empty()) return duration_error("A duration needs at least one of days, hours, minutes, seconds, milliseconds.");
  double total = 0;
  for (const json::Member& member : value.members()) {
    double unit = 0;
    if (member.name() == "days") {
      unit = kDay;
    } else if (member.name() == "hours") {
      unit = kHour;
    } else if (member.name() == "minutes") {
      unit = kMinute;
    } else if (member.name() == "seconds") {
      unit = kSecond;
    } else if (member.name() == "milliseconds") {
      unit = kMillisecond;
    } else {
      return duration_error("A duration has no member `" + std::string(member.name()) + "`.");
    }
    if (!member.value.is_number()) return duration_error("`" + std::string(member.name()) + "` of a duration must be a number.");
    total += member.value.as_double() * unit;
  }
  return from_milliseconds(total);
}

}  // namespace

Result<Millis> to_duration(const json::Value& value) {
  if (value.is_object()) return from_object(value);
  if (value.is_number()) return from_milliseconds(value.as_double() * kSecond);
  if (value.is_string()) {
    if (const auto iso = parse_iso8601_duration(value.as_string())) return from_milliseconds(static_cast<double>(iso->count()));
    if (const auto brief = short_text(value.as_string())) return from_milliseconds(*brief);
    return duration_error("`" + std::string(value.as_string().substr(0, 60)) + "` is not a duration: write `PT30S`, or `seconds: 30`.");
  }
  return duration_error("A duration is an object of days, hours, minutes, seconds and milliseconds, or ISO 8601 text.");
}

}  // namespace pawl::dsl
