#include "jq/detail/ops.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

#include "jq/detail/utf8.hpp"

namespace pawl::jq::detail {
namespace {

using json::Kind;

/// 2^63 as a double: the first that does not fit.
constexpr double kIntegerEnd = 9223372036854775808.0;

Value cannot(Runtime& runtime, const Value& left, const Value& right, std::string_view what) {
  return runtime.fail(describe(left) + " and " + describe(right) + " cannot be " + std::string(what));
}

Value concatenate(Runtime& runtime, const Value& left, const Value& right) {
  const auto a = left.as_string();
  const auto b = right.as_string();
  if (b.empty()) return left;
  if (a.empty()) return right;
  if (!runtime.reserve(a.size() + b.size())) return {};
  std::string joined;
  joined.reserve(a.size() + b.size());
  joined.append(a).append(b);
  return Value(std::move(joined));
}

Value join_arrays(Runtime& runtime, Value left, Value right) {
  if (right.empty()) return left;
  if (left.empty()) return right;
  if (!runtime.reserve(right.size() * sizeof(Value))) return {};
  for (const auto& item : right.items()) left.push_back(item);
  return left;
}

Value merge_objects(Runtime& runtime, Value left, const Value& right) {
  if (!runtime.reserve(right.size() * sizeof(json::Member))) return {};
  for (const auto& member : right.members()) left.set_shared(member.key, member.value);
  return left;
}

/// `left * right` of objects: members that are objects on both sides are merged in turn.
Value merge_deeply(Runtime& runtime, Value left, Value right) {
  struct Level {
    Value merged;
    Value added;
    std::size_t at = 0;
  };
  if (std::min(left.depth(), right.depth()) > kMaxDepth) return runtime.fail("Object merge too deep");
  std::vector<Level> levels;
  levels.push_back({std::move(left), std::move(right)});
  while (true) {
    Level& level = levels.back();
    if (level.at == level.added.size()) {
      Value done = std::move(level.merged);
      levels.pop_back();
      if (levels.empty()) return done;
      Level& parent = levels.back();
      parent.merged.set_shared(parent.added.members()[parent.at++].key, std::move(done));
      continue;
    }
    if (!runtime.spend(1)) return {};
    const auto& member = level.added.members()[level.at];
    if (member.value.is_object() && level.merged.get(member.name()).is_object()) {
      Value inner = level.merged.take(member.name());
      Value addition = member.value;
      levels.push_back({std::move(inner), std::move(addition)});
    } else {
      level.merged.set_shared(member.key, member.value);
      ++level.at;
    }
  }
}

Value repeat(Runtime& runtime, const Value& text, double times) {
  if (std::isnan(times) || times <= 0) return {};
  const auto part = text.as_string();
  const double count = times < 1 ? 1 : std::floor(times);
  if (part.empty() || count == 1) return text;
  if (count * static_cast<double>(part.size()) > static_cast<double>(std::numeric_limits<std::int32_t>::max())) {
    return runtime.fail("Repeat string result too long");
  }
  const auto repetitions = static_cast<std::size_t>(count);
  if (!runtime.reserve(part.size() * repetitions)) return {};
  std::string out;
  out.reserve(part.size() * repetitions);
  for (std::size_t i = 0; i < repetitions; ++i) out += part;
  return Value(std::move(out));
}

Value split(Runtime& runtime, const Value& whole, const Value& separator) {
  const auto text = whole.as_string();
  const auto cut = separator.as_string();
  Value out = Value::array();
  if (text.empty()) return out;
  if (!runtime.reserve(text.size())) return {};
  if (cut.empty()) {
    for (std::size_t at = 0; at < text.size();) {
      const std::size_t begin = at;
      static_cast<void>(next_code_point(text, at));
      out.push_back(Value(text.substr(begin, at - begin)));
      if (!runtime.reserve(64)) return {};
    }
    return out;
  }
  std::size_t begin = 0;
  while (true) {
    const auto end = text.find(cut, begin);
    out.push_back(Value(text.substr(begin, end == std::string_view::npos ? end : end - begin)));
    if (!runtime.reserve(64)) return {};
    if (end == std::string_view::npos) return out;
    begin = end + cut.size();
  }
}

Value subtract_arrays(Runtime& runtime, const Value& left, const Value& right) {
  Value out = Value::array();
  for (const auto& item : left.items()) {
    bool listed = false;
    for (const auto& other : right.items()) {
      if (equal(runtime, item, other)) {
        listed = true;
        break;
      }
      if (!runtime.ok()) return {};
    }
    if (!listed) out.push_back(item);
  }
  return out;
}

Value integer_arithmetic(Runtime& runtime, Binary op, std::int64_t a, std::int64_t b, bool& done) {
  std::int64_t result = 0;
  done = true;
  switch (op) {
    case Binary::add:
      if (!__builtin_add_overflow(a, b, &result)) return result;
      break;
    case Binary::subtract:
      if (!__builtin_sub_overflow(a, b, &result)) return result;
      break;
    case Binary::multiply:
      if (!__builtin_mul_overflow(a, b, &result)) return result;
      break;
    case Binary::divide:
      if (b == 0) return runtime.fail(describe(a) + " and " + describe(b) + " cannot be divided because the divisor is zero");
      if (b == -1) {
        if (a != std::numeric_limits<std::int64_t>::min()) return -a;
      } else if (a % b == 0) {
        return a / b;
      }
      break;
    default: break;
  }
  done = false;
  return {};
}

std::int64_t saturated(double number) {
  if (number >= kIntegerEnd) return std::numeric_limits<std::int64_t>::max();
  if (number <= -kIntegerEnd) return std::numeric_limits<std::int64_t>::min();
  return static_cast<std::int64_t>(number);
}

Value remainder(Runtime& runtime, const Value& left, const Value& right) {
  if (!left.is_integer() && std::isnan(left.as_double())) return left;
  if (!right.is_integer() && std::isnan(right.as_double())) return right;
  const std::int64_t a = left.is_integer() ? left.as_integer() : saturated(left.as_double());
  const std::int64_t b = right.is_integer() ? right.as_integer() : saturated(right.as_double());
  if (b == 0)
    return runtime.fail(describe(left) + " and " + describe(right) + " cannot be divided (remainder) because the divisor is zero");
  return b == -1 ? std::int64_t{0} : a % b;
}

Value number_arithmetic(Runtime& runtime, Binary op, const Value& left, const Value& right) {
  if (op == Binary::modulo) return remainder(runtime, left, right);
  if (left.is_integer() && right.is_integer()) {
    bool done = false;
    Value exact = integer_arithmetic(runtime, op, left.as_integer(), right.as_integer(), done);
    if (done) return exact;
  }
  const double a = left.as_double();
  const double b = right.as_double();
  switch (op) {
    case Binary::add: return a + b;
    case Binary::subtract: return a - b;
    case Binary::multiply: return a * b;
    default: break;
  }
  if (b == 0) return runtime.fail(describe(left) + " and " + describe(right) + " cannot be divided because the divisor is zero");
  return a / b;
}

}  // namespace

std::string_view kind_name(const Value& value) {
  switch (value.kind()) {
    case Kind::null: return "null";
    case Kind::boolean: return "boolean";
    case Kind::integer:
    case Kind::number: return "number";
    case Kind::string: return "string";
    case Kind::array: return "array";
    case Kind::object: return "object";
  }
  return "";
}

Value negated(const Value& number) {
  if (number.is_integer() && number.as_integer() != std::numeric_limits<std::int64_t>::min()) return -number.as_integer();
  return -number.as_double();
}

Value integral(double number) {
  if (number == std::floor(number) && number < kIntegerEnd && number >= -kIntegerEnd && !(number == 0 && std::signbit(number))) {
    return static_cast<std::int64_t>(number);
  }
  return number;
}

Value arithmetic(Runtime& runtime, Binary op, Value left, Value right) {
  if (left.is_number() && right.is_number()) return number_arithmetic(runtime, op, left, right);
  switch (op) {
    case Binary::add:
      if (left.is_null()) return right;
      if (right.is_null()) return left;
      if (left.is_string() && right.is_string()) return concatenate(runtime, left, right);
      if (left.is_array() && right.is_array()) return join_arrays(runtime, std::move(left), std::move(right));
      if (left.is_object() && right.is_object()) return merge_objects(runtime, std::move(left), right);
      return cannot(runtime, left, right, "added");
    case Binary::subtract:
      if (left.is_array() && right.is_array()) return subtract_arrays(runtime, left, right);
      return cannot(runtime, left, right, "subtracted");
    case Binary::multiply:
      if (left.is_string() && right.is_number()) return repeat(runtime, left, right.as_double());
      if (left.is_number() && right.is_string()) return repeat(runtime, right, left.as_double());
      if (left.is_object() && right.is_object()) return merge_deeply(runtime, std::move(left), std::move(right));
      return cannot(runtime, left, right, "multiplied");
    case Binary::divide:
      if (left.is_string() && right.is_string()) return split(runtime, left, right);
      return cannot(runtime, left, right, "divided");
    default: return cannot(runtime, left, right, "divided (remainder)");
  }
}

bool relation(Runtime& runtime, Binary op, const Value& left, const Value& right) {
  switch (op) {
    case Binary::equal: return equal(runtime, left, right);
    case Binary::not_equal: return !equal(runtime, left, right);
    case Binary::less: return compare(runtime, left, right) < 0;
    case Binary::less_equal: return compare(runtime, left, right) <= 0;
    case Binary::greater: return compare(runtime, left, right) > 0;
    default: return compare(runtime, left, right) >= 0;
  }
}

}  // namespace pawl::jq::detail
