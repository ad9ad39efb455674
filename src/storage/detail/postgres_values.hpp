/// PostgreSQL's binary format of the types that we meet. Numbers of types are those of `pg_type`; they never change.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace pawl::storage::detail {

inline constexpr unsigned kPostgresBool = 16;
inline constexpr unsigned kPostgresBytea = 17;
inline constexpr unsigned kPostgresName = 19;
inline constexpr unsigned kPostgresInt8 = 20;
inline constexpr unsigned kPostgresInt2 = 21;
inline constexpr unsigned kPostgresInt4 = 23;
inline constexpr unsigned kPostgresText = 25;
inline constexpr unsigned kPostgresVarchar = 1043;
inline constexpr unsigned kPostgresNumeric = 1700;

[[nodiscard]] constexpr bool is_postgres_text(unsigned type) {
  return type == kPostgresText || type == kPostgresVarchar || type == kPostgresName;
}

/// A whole number out of a value of any of the number types (`sum` answers numeric); 0 for others, for null and beyond 64 bits.
[[nodiscard]] std::int64_t postgres_integer(unsigned type, std::string_view bytes);
/// As int8.
[[nodiscard]] std::array<char, 8> postgres_int8(std::int64_t value);

}  // namespace pawl::storage::detail
