/// JSON Schema (drafts 4 to 2020-12, see detail/json_schema.hpp) for the input, output and context of workflows and tasks.
#pragma once

#include <memory>

#include "base/error.hpp"
#include "json/value.hpp"

namespace pawl::dsl {

/// A compiled schema: immutable, cheap to copy, safe to use from several threads.
class Schema {
 public:
  /// Error `dsl.schema`: the schema itself is malformed, too deep, or refers to something outside of itself.
  [[nodiscard]] static Result<Schema> compile(const json::Value& document);
  /// Everything about `value` that the schema forbids (pointer into the value and sentence); empty: valid.
  [[nodiscard]] Findings validate(const json::Value& value) const;

 private:
  struct Impl;
  std::shared_ptr<const Impl> impl_;
};

}  // namespace pawl::dsl
