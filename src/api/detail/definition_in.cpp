#include "api/detail/definition_in.hpp"

#include "json/write.hpp"

namespace pawl::api::detail {

std::optional<catalog::Definition> read_definition(Fields& fields, const Options& options) {
  const auto value = fields.value("definition");
  if (!value) return std::nullopt;
  catalog::Definition definition;
  if (value->is_string()) {
    definition.text = std::string(value->as_string());
  } else if (value->is_object()) {
    definition.format = catalog::Definition::Format::data;
    definition.text = json::to_text(*value);
  } else {
    fields.problem("definition", "must be text (YAML or JSON) or an object", "type");
    return std::nullopt;
  }
  if (definition.text.size() > options.max_definition_bytes) {
    fields.problem("definition", "is longer than " + std::to_string(options.max_definition_bytes) + " bytes", "length");
  }
  return definition;
}

}  // namespace pawl::api::detail
