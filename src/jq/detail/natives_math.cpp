/// Numbers.
#include <cmath>
#include <limits>

#include "jq/detail/native.hpp"
#include "jq/detail/ops.hpp"

namespace pawl::jq::detail {
namespace {

using Arguments = std::span<Value>;

bool numbers(Runtime& runtime, Arguments in, std::size_t from) {
  for (std::size_t i = from; i < in.size(); ++i) {
    if (in[i].is_number()) continue;
    runtime.fail(describe(in[i]) + " number required");
    return false;
  }
  return true;
}

template <double (*F)(double)>
Value unary(Runtime& runtime, Arguments in) {
  return numbers(runtime, in, 0) ? Value(F(in[0].as_double())) : Value();
}

/// Functions that leave integers alone and give integers.
template <double (*F)(double)>
Value rounding(Runtime& runtime, Arguments in) {
  if (in[0].is_integer()) return in[0];
  return numbers(runtime, in, 0) ? integral(F(in[0].as_double())) : Value();
}

// With two and three arguments the input is not looked at.
template <double (*F)(double, double)>
Value binary(Runtime& runtime, Arguments in) {
  return numbers(runtime, in, 1) ? integral(F(in[1].as_double(), in[2].as_double())) : Value();
}

double exp10_of(double x) { return std::pow(10.0, x); }
double logb_of(double x) { return std::logb(x); }
double gamma_of(double x) {
  int sign = 0;
  return lgamma_r(x, &sign);  // std::lgamma writes a global
}
double significand_of(double x) {
  if (x == 0 || std::isinf(x) || std::isnan(x)) return x;
  int exponent = 0;
  return 2 * std::frexp(x, &exponent);
}
double drem_of(double x, double y) { return std::remainder(x, y); }
double nexttoward_of(double x, double y) { return std::nextafter(x, y); }
double scale_of(double x, double exponent) {
  if (std::isnan(exponent)) return exponent;
  return std::ldexp(x, static_cast<int>(std::fmax(-10000.0, std::fmin(10000.0, exponent))));
}
double round_of(double x) { return std::round(x); }
double floor_of(double x) { return std::floor(x); }
double ceil_of(double x) { return std::ceil(x); }
double trunc_of(double x) { return std::trunc(x); }
double nearbyint_of(double x) { return std::nearbyint(x); }
double sqrt_of(double x) { return std::sqrt(x); }

Value square_root(Runtime& runtime, Arguments in) { return numbers(runtime, in, 0) ? integral(sqrt_of(in[0].as_double())) : Value(); }

Value fabs_of(Runtime& runtime, Arguments in) {
  if (!numbers(runtime, in, 0)) return {};
  if (in[0].is_integer()) return in[0].as_integer() < 0 ? negated(in[0]) : in[0];
  return std::fabs(in[0].as_double());
}

Value abs(Runtime& runtime, Arguments in) { return in[0].is_number() ? fabs_of(runtime, in) : in[0]; }

Value fma_of(Runtime& runtime, Arguments in) {
  return numbers(runtime, in, 1) ? integral(std::fma(in[1].as_double(), in[2].as_double(), in[3].as_double())) : Value();
}

Value frexp_of(Runtime& runtime, Arguments in) {
  if (!numbers(runtime, in, 0)) return {};
  int exponent = 0;
  const double fraction = std::frexp(in[0].as_double(), &exponent);
  if (!std::isfinite(fraction)) exponent = 0;
  return Value::array({fraction, exponent});
}

Value modf_of(Runtime& runtime, Arguments in) {
  if (!numbers(runtime, in, 0)) return {};
  double whole = 0;
  const double fraction = std::modf(in[0].as_double(), &whole);
  return Value::array({integral(fraction), integral(whole)});
}

Value lgamma_r_of(Runtime& runtime, Arguments in) {
  if (!numbers(runtime, in, 0)) return {};
  int sign = 0;
  const double value = lgamma_r(in[0].as_double(), &sign);
  return Value::array({value, sign});
}

Value infinite(Runtime&, Arguments) { return std::numeric_limits<double>::infinity(); }
Value nan(Runtime&, Arguments) { return std::numeric_limits<double>::quiet_NaN(); }

Value is_infinite(Runtime& runtime, Arguments in) { return numbers(runtime, in, 0) ? Value(std::isinf(in[0].as_double())) : Value(); }
Value is_nan(Runtime& runtime, Arguments in) { return numbers(runtime, in, 0) ? Value(std::isnan(in[0].as_double())) : Value(); }
Value is_normal(Runtime& runtime, Arguments in) { return numbers(runtime, in, 0) ? Value(std::isnormal(in[0].as_double())) : Value(); }

constexpr Native kNatives[] = {
    {"floor", 0, rounding<floor_of>},
    {"ceil", 0, rounding<ceil_of>},
    {"round", 0, rounding<round_of>},
    {"trunc", 0, rounding<trunc_of>},
    {"rint", 0, rounding<nearbyint_of>},
    {"nearbyint", 0, rounding<nearbyint_of>},
    {"sqrt", 0, square_root},
    {"fabs", 0, fabs_of},
    {"abs", 0, abs},
    {"cbrt", 0, unary<std::cbrt>},
    {"exp", 0, unary<std::exp>},
    {"exp2", 0, unary<std::exp2>},
    {"exp10", 0, unary<exp10_of>},
    {"pow10", 0, unary<exp10_of>},
    {"expm1", 0, unary<std::expm1>},
    {"log", 0, unary<std::log>},
    {"log2", 0, unary<std::log2>},
    {"log10", 0, unary<std::log10>},
    {"log1p", 0, unary<std::log1p>},
    {"logb", 0, unary<logb_of>},
    {"sin", 0, unary<std::sin>},
    {"cos", 0, unary<std::cos>},
    {"tan", 0, unary<std::tan>},
    {"asin", 0, unary<std::asin>},
    {"acos", 0, unary<std::acos>},
    {"atan", 0, unary<std::atan>},
    {"sinh", 0, unary<std::sinh>},
    {"cosh", 0, unary<std::cosh>},
    {"tanh", 0, unary<std::tanh>},
    {"asinh", 0, unary<std::asinh>},
    {"acosh", 0, unary<std::acosh>},
    {"atanh", 0, unary<std::atanh>},
    {"gamma", 0, unary<gamma_of>},
    {"lgamma", 0, unary<gamma_of>},
    {"tgamma", 0, unary<std::tgamma>},
    {"lgamma_r", 0, lgamma_r_of},
    {"significand", 0, unary<significand_of>},
    {"j0", 0, unary<::j0>},
    {"j1", 0, unary<::j1>},
    {"y0", 0, unary<::y0>},
    {"y1", 0, unary<::y1>},
    {"frexp", 0, frexp_of},
    {"modf", 0, modf_of},
    {"pow", 2, binary<std::pow>},
    {"atan2", 2, binary<std::atan2>},
    {"fmod", 2, binary<std::fmod>},
    {"fmin", 2, binary<std::fmin>},
    {"fmax", 2, binary<std::fmax>},
    {"fdim", 2, binary<std::fdim>},
    {"hypot", 2, binary<std::hypot>},
    {"copysign", 2, binary<std::copysign>},
    {"nextafter", 2, binary<std::nextafter>},
    {"nexttoward", 2, binary<nexttoward_of>},
    {"drem", 2, binary<drem_of>},
    {"ldexp", 2, binary<scale_of>},
    {"scalb", 2, binary<scale_of>},
    {"scalbln", 2, binary<scale_of>},
    {"fma", 3, fma_of},
    {"infinite", 0, infinite},
    {"nan", 0, nan},
    {"isinfinite", 0, is_infinite},
    {"isnan", 0, is_nan},
    {"isnormal", 0, is_normal},
};

}  // namespace

std::span<const Native> math_natives() { return kNatives; }

}  // namespace pawl::jq::detail
