/// What goes into a statement and what comes out of it: typed parameters and rows, the same for every database.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>

#include "base/ids.hpp"
#include "base/time.hpp"

namespace pawl::storage {

namespace detail {
class Connection;
}

/// A value bound to `$1`, `$2` ... It is a view: text and blobs must outlive the call that they are passed to.
class Parameter {
 public:
  enum class Kind : std::uint8_t { null, integer, text, blob };

  Parameter(std::nullptr_t) noexcept {}
  // Version 14 of clang-format mangles constrained constructors.
  // clang-format off
  template <class I>
    requires(std::is_integral_v<I> && (sizeof(I) < 8 || std::is_signed_v<I>))
  Parameter(I value) noexcept : kind_(Kind::integer), type_(Kind::integer), integer_(static_cast<std::int64_t>(value)) {}
  // clang-format on
  Parameter(TimePoint time) noexcept : kind_(Kind::integer), type_(Kind::integer), integer_(time.time_since_epoch().count()) {}
  Parameter(std::string_view text) noexcept : kind_(Kind::text), type_(Kind::text), bytes_(text) {}
  Parameter(const std::string& text) noexcept : Parameter(std::string_view(text)) {}
  Parameter(const char* text) noexcept : Parameter(std::string_view(text)) {}
  /// As a blob of 16 bytes.
  Parameter(const Uuid& id) noexcept
      : kind_(Kind::blob), type_(Kind::blob), bytes_(reinterpret_cast<const char*>(id.bytes.data()), id.bytes.size()) {}
  template <class Tag>
  Parameter(const Id<Tag>& id) noexcept : Parameter(id.uuid) {}
  /// Null where there is no value; of the same type in either case.
  template <class T>
  Parameter(const std::optional<T>& value) noexcept : Parameter(nullptr) {
    if (value) {
      *this = Parameter(*value);
    } else {
      type_ = Parameter(T{}).type_;
    }
  }
  [[nodiscard]] static Parameter blob(std::string_view bytes) noexcept {
    Parameter parameter(bytes);
    parameter.kind_ = parameter.type_ = Kind::blob;
    return parameter;
  }

  [[nodiscard]] Kind kind() const noexcept { return kind_; }
  /// The kind, also where the value is null; `null` where nobody said which.
  [[nodiscard]] Kind type() const noexcept { return type_; }
  [[nodiscard]] std::int64_t integer() const noexcept { return integer_; }
  [[nodiscard]] std::string_view bytes() const noexcept { return bytes_; }

 private:
  Kind kind_ = Kind::null;
  Kind type_ = Kind::null;
  std::int64_t integer_ = 0;
  std::string_view bytes_;
};

/// The current row of a query. Columns count from 0. A view: valid only inside of the callback that it was given to. Asking for another
/// type than the column has gives the empty value of the type asked for.
class Row {
 public:
  [[nodiscard]] bool is_null(int column) const;
  [[nodiscard]] std::int64_t integer(int column) const;
  [[nodiscard]] bool boolean(int column) const { return integer(column) != 0; }
  [[nodiscard]] TimePoint time(int column) const { return TimePoint(Millis(integer(column))); }
  [[nodiscard]] std::optional<TimePoint> optional_time(int column) const;
  [[nodiscard]] std::string_view text(int column) const;
  [[nodiscard]] std::string_view blob(int column) const;
  /// The nil id where the column is not a blob of 16 bytes.
  [[nodiscard]] Uuid uuid(int column) const;
  template <class AnyId>
  [[nodiscard]] AnyId id(int column) const {
    return AnyId{uuid(column)};
  }

 private:
  friend class detail::Connection;
  Row(void* source, int number) : source_(source), number_(number) {}
  void* source_;  // of SQLite the statement, of PostgreSQL the result
  int number_;    // of the row within the result; below 0: SQLite
};

}  // namespace pawl::storage
