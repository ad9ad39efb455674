#include "dsl/schema.hpp"

#include "dsl/detail/json_schema.hpp"

namespace pawl::dsl {

struct Schema::Impl {
  detail::JsonSchema schema;
};

Result<Schema> Schema::compile(const json::Value& document) {
  PAWL_TRY(compiled, detail::JsonSchema::compile(document));
  Schema schema;
  schema.impl_ = std::make_shared<const Impl>(Impl{std::move(compiled)});
  return schema;
}

Findings Schema::validate(const json::Value& value) const {
  Findings findings;
  if (impl_) impl_->schema.check(value, "", {}, findings);
  return findings;
}

}  // namespace pawl::dsl
