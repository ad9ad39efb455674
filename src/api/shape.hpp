/// What a JSON value of the HTTP contract looks like: declared once, it checks requests, documents replies, and gives their examples.
///
///     const auto kUser = Shape::object("User", {{"id", Shape::id()},
///                                               {"email", Shape::email("ada@example.org")},
///                                               {"name", Shape::text("Ada", 200).or_null(), Shape::kOptional}});
///     kUser.check(body)    // every finding at once, with JSON pointers
///     kUser.example()      // made of its parts, so it fits by construction
///     kUser.schema(...)    // JSON Schema 2020-12, as OpenAPI 3.1 wants it
///
/// Objects are closed: a member that is not declared is a finding (`open()` lifts that, for replies that carry users' data). An optional
/// member may also be null, which means the same as leaving it out. Values: copy freely, the parts are shared. Immutable once built;
/// thread-safe.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "json/value.hpp"

namespace pawl::api {

namespace detail {
struct ShapeNode;
}

class Shape {
 public:
  enum class Kind : std::uint8_t { any, text, integer, number, boolean, array, object };
  enum class Presence : std::uint8_t { required, optional };
  static constexpr Presence kOptional = Presence::optional;

  struct Member;

  /// Whatever JSON there is.
  [[nodiscard]] static Shape any(json::Value example);
  /// `max_bytes` of UTF-8. Texts given here are literals, or live as long as the program.
  [[nodiscard]] static Shape text(std::string_view example, std::size_t max_bytes = 200);
  /// A text that is never shown: `writeOnly`, and its example is a row of dots.
  [[nodiscard]] static Shape secret(std::size_t max_bytes = 1024);
  [[nodiscard]] static Shape choice(std::vector<std::string_view> choices);
  [[nodiscard]] static Shape id(std::string_view example = "0198c5f2-7a10-7c3e-9d4b-2f6a8e1b3c5d");
  [[nodiscard]] static Shape time();
  [[nodiscard]] static Shape email(std::string_view example);
  [[nodiscard]] static Shape integer(std::int64_t example, std::int64_t min = 0, std::int64_t max = INT64_MAX);
  [[nodiscard]] static Shape number(double example);
  [[nodiscard]] static Shape boolean(bool example);
  [[nodiscard]] static Shape array(Shape item, std::size_t max_items = 10'000);
  /// Any names, all values of one shape.
  [[nodiscard]] static Shape map(std::string_view example_name, Shape value);
  /// `name` is the schema's name in the document; empty: written in place.
  [[nodiscard]] static Shape object(std::string_view name, std::vector<Member> members);
  /// `{items, next_cursor}`.
  [[nodiscard]] static Shape page(std::string_view name, Shape item);

  [[nodiscard]] Shape or_null() &&;
  [[nodiscard]] Shape described(std::string_view description) &&;
  [[nodiscard]] Shape at_least(std::size_t length) &&;  ///< bytes of a text, items of an array
  [[nodiscard]] Shape open() &&;                        ///< an object may have more members
  /// What a schema cannot say: where `fits` is false the finding reads `message` (a literal), rule `value`.
  [[nodiscard]] Shape where(bool (*fits)(const json::Value&), std::string_view message) &&;
  [[nodiscard]] Shape with_example(json::Value example) &&;

  [[nodiscard]] Kind kind() const;
  [[nodiscard]] bool has_member(std::string_view name) const;
  [[nodiscard]] std::string_view description() const;

  /// Everything that is wrong with `value`.
  [[nodiscard]] Findings check(const json::Value& value) const;
  [[nodiscard]] json::Value example() const;
  /// The JSON Schema. Named objects become references; `define` is told of each name with its schema, perhaps more than once.
  using Define = std::function<void(std::string_view name, json::Value schema)>;
  [[nodiscard]] json::Value schema(const Define& define) const;

 private:
  explicit Shape(std::shared_ptr<const detail::ShapeNode> node) : node_(std::move(node)) {}
  void check_into(const json::Value& value, const std::string& pointer, Findings& findings) const;
  void check_object(const json::Value& value, const std::string& pointer, Findings& findings) const;
  [[nodiscard]] json::Value own_schema(bool nullable, const Define& define) const;

  std::shared_ptr<const detail::ShapeNode> node_;
};

struct Shape::Member {
  std::string_view name;
  Shape shape;
  Presence presence = Presence::required;
};

}  // namespace pawl::api
