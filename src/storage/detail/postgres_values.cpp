#include "storage/detail/postgres_values.hpp"

#include <cstddef>
#include <limits>

namespace pawl::storage::detail {
namespace {

std::uint64_t big_endian(std::string_view bytes) {
  std::uint64_t value = 0;
  for (const char c : bytes) value = value << 8U | static_cast<unsigned char>(c);
  return value;
}

/// Header of four 16-bit numbers (digits, weight of the first, sign, scale), then digits to the base of 10000. Fractions are cut off.
std::int64_t numeric(std::string_view bytes) {
  constexpr std::size_t kHeader = 8;
  constexpr std::uint64_t kNegative = 0x4000;
  constexpr std::int64_t kBase = 10'000;
  if (bytes.size() < kHeader) return 0;
  const auto digits = static_cast<std::int64_t>(big_endian(bytes.substr(0, 2)));
  const auto weight = static_cast<std::int16_t>(big_endian(bytes.substr(2, 2)));
  const auto sign = big_endian(bytes.substr(4, 2));
  if (sign != 0 && sign != kNegative) return 0;  // not a number, infinity
  std::int64_t value = 0;
  for (std::int64_t i = 0; i <= weight; ++i) {
    const auto at = kHeader + static_cast<std::size_t>(i) * 2;
    const auto digit = i < digits && at + 2 <= bytes.size() ? static_cast<std::int64_t>(big_endian(bytes.substr(at, 2))) : 0;
    if (value > (std::numeric_limits<std::int64_t>::max() - digit) / kBase) return 0;
    value = value * kBase + digit;
  }
  return sign == kNegative ? -value : value;
}

}  // namespace

std::int64_t postgres_integer(unsigned type, std::string_view bytes) {
  const auto raw = big_endian(bytes.substr(0, 8));
  switch (type) {
    case kPostgresInt8: return static_cast<std::int64_t>(raw);
    case kPostgresInt4: return static_cast<std::int32_t>(raw);
    case kPostgresInt2: return static_cast<std::int16_t>(raw);
    case kPostgresBool: return raw != 0 ? 1 : 0;
    case kPostgresNumeric: return numeric(bytes);
    default: return 0;
  }
}

std::array<char, 8> postgres_int8(std::int64_t value) {
  std::array<char, 8> bytes{};
  auto rest = static_cast<std::uint64_t>(value);
  for (std::size_t i = bytes.size(); i-- > 0; rest >>= 8U) bytes[i] = static_cast<char>(rest & 0xffU);
  return bytes;
}

}  // namespace pawl::storage::detail
