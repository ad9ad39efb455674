/// The one data type that flows through the product: a JSON value.
///
/// Sixteen bytes. Strings, arrays and objects are shared: copying a value is a reference count (atomic, so values may cross threads), and a
/// mutator copies its container first when somebody else holds it too (copy on write, one level). So a payload can pass through fifty
/// tasks, a backtracking expression and a journal batch without being copied once. Boost.JSON's value copies deeply, which is why this
/// type exists; parsing itself is Boost.JSON's (`json/parse.hpp`).
///
/// - Integers keep 64 bits exactly; other numbers are doubles. `1` and `1.0` are equal.
/// - Objects keep insertion order; lookup is linear for small and hashed for large ones.
/// - Strings are UTF-8; parsers guarantee it, constructors trust the caller.
/// - Destruction of deep values does not recurse.
///
/// Threads: a `Value` object itself is not synchronised; two threads may hold two copies of the same value.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "json/fwd.hpp"

namespace pawl::json {

enum class Kind : std::uint8_t { null, boolean, integer, number, string, array, object };

namespace detail {
struct Rep;
struct StringRep;
struct ArrayRep;
struct ObjectRep;
}  // namespace detail

class Value {
 public:
  Value() noexcept = default;
  Value(std::nullptr_t) noexcept {}
  // Version 14 of clang-format mangles constrained constructors.
  // clang-format off
  template <class B>
    requires std::is_same_v<B, bool>
  Value(B value) noexcept : kind_(Kind::boolean) {
    payload_.boolean = value;
  }
  template <class I>
    requires(std::is_integral_v<I> && !std::is_same_v<I, bool> && !std::is_same_v<I, char> && !(std::is_unsigned_v<I> && sizeof(I) == 8))
  Value(I value) noexcept : kind_(Kind::integer) {
    payload_.integer = value;
  }
  /// Unsigned 64-bit values beyond the signed range become doubles.
  template <class U>
    requires(std::is_integral_v<U> && std::is_unsigned_v<U> && sizeof(U) == 8)
  Value(U value) noexcept {
    if (value <= static_cast<U>(INT64_MAX)) {
      kind_ = Kind::integer;
      payload_.integer = static_cast<std::int64_t>(value);
    } else {
      kind_ = Kind::number;
      payload_.number = static_cast<double>(value);
    }
  }
  // clang-format on
  Value(double value) noexcept : kind_(Kind::number) { payload_.number = value; }
  Value(std::string_view text);
  Value(const char* text) : Value(std::string_view(text)) {}
  Value(const std::string& text) : Value(std::string_view(text)) {}
  Value(std::string&& text);

  Value(const Value& other) noexcept : kind_(other.kind_), payload_(other.payload_) { retain(); }
  Value(Value&& other) noexcept : kind_(std::exchange(other.kind_, Kind::null)), payload_(other.payload_) {}
  Value& operator=(const Value& other) noexcept {
    Value copy(other);
    swap(copy);
    return *this;
  }
  Value& operator=(Value&& other) noexcept {
    Value taken(std::move(other));
    swap(taken);
    return *this;
  }
  ~Value() {
    if (kind_ >= Kind::string) release();
  }
  void swap(Value& other) noexcept {
    std::swap(kind_, other.kind_);
    std::swap(payload_, other.payload_);
  }

  [[nodiscard]] static Value array();
  [[nodiscard]] static Value array(std::vector<Value> items);
  [[nodiscard]] static Value array(std::initializer_list<Value> items);
  [[nodiscard]] static Value object();
  /// Later duplicates replace earlier ones.
  [[nodiscard]] static Value object(std::initializer_list<std::pair<std::string_view, Value>> members);

  [[nodiscard]] Kind kind() const noexcept { return kind_; }
  [[nodiscard]] bool is_null() const noexcept { return kind_ == Kind::null; }
  [[nodiscard]] bool is_bool() const noexcept { return kind_ == Kind::boolean; }
  [[nodiscard]] bool is_integer() const noexcept { return kind_ == Kind::integer; }
  /// Integer or double.
  [[nodiscard]] bool is_number() const noexcept { return kind_ == Kind::integer || kind_ == Kind::number; }
  [[nodiscard]] bool is_string() const noexcept { return kind_ == Kind::string; }
  [[nodiscard]] bool is_array() const noexcept { return kind_ == Kind::array; }
  [[nodiscard]] bool is_object() const noexcept { return kind_ == Kind::object; }
  /// jq's truth: everything but `null` and `false`.
  [[nodiscard]] bool truthy() const noexcept { return kind_ != Kind::null && (kind_ != Kind::boolean || payload_.boolean); }

  // Accessors assert the kind: check first. Views and spans live until this value is changed or destroyed (or, where the container is
  // shared, as long as any holder leaves it alone).
  [[nodiscard]] bool as_bool() const;
  [[nodiscard]] std::int64_t as_integer() const;
  /// Integer or double, as a double.
  [[nodiscard]] double as_double() const;
  [[nodiscard]] std::string_view as_string() const;
  [[nodiscard]] std::span<const Value> items() const;
  [[nodiscard]] std::span<const Member> members() const;

  /// Bytes of a string, items of an array, members of an object; 0 for the rest.
  [[nodiscard]] std::size_t size() const noexcept;
  [[nodiscard]] bool empty() const noexcept { return size() == 0; }
  /// 0 for scalars, 1 + the deepest child for containers. An upper bound after removals; O(1).
  [[nodiscard]] std::uint32_t depth() const noexcept;

  // Arrays.
  [[nodiscard]] const Value& at(std::size_t index) const;
  void push_back(Value item);
  void set(std::size_t index, Value item);
  void reserve(std::size_t capacity);
  /// Takes the item out, leaving `null`: lets a caller change it without a copy and put it back.
  [[nodiscard]] Value take(std::size_t index);

  // Objects. `find` and `get` also work on other kinds: nothing is found.
  [[nodiscard]] const Value* find(std::string_view key) const noexcept;
  /// The member, or the null value.
  [[nodiscard]] const Value& get(std::string_view key) const noexcept;
  void set(std::string_view key, Value value);
  void set_shared(const Value& key, Value value);  ///< key must be a string; its storage is shared
  bool erase(std::string_view key);
  /// Takes the member's value out, leaving `null` in its place (or nothing where there is no such member).
  [[nodiscard]] Value take(std::string_view key);

  /// True when both hold the same storage (cheap identity, not equality).
  [[nodiscard]] bool same_storage(const Value& other) const noexcept {
    return kind_ == other.kind_ && kind_ >= Kind::string && payload_.rep == other.payload_.rep;
  }

  friend bool operator==(const Value& left, const Value& right);

 private:
  void retain() const noexcept;
  void release() noexcept;
  detail::ArrayRep& own_array();
  detail::ObjectRep& own_object();

  union Payload {
    bool boolean;
    std::int64_t integer;
    double number;
    detail::Rep* rep;
  };
  Kind kind_ = Kind::null;
  Payload payload_{.integer = 0};
};

struct Member {
  Value key;  ///< always a string
  Value value;
  [[nodiscard]] std::string_view name() const { return key.as_string(); }
};

/// Total order of jq: null < false < true < numbers < strings (by code point) < arrays < objects (key sets first, then values by
/// sorted key).
[[nodiscard]] int compare(const Value& left, const Value& right);

/// Bytes that values created on this thread hold, less those freed on it. Only differences mean anything: the jq VM uses them for its
/// memory limit.
[[nodiscard]] std::int64_t live_bytes() noexcept;

}  // namespace pawl::json
