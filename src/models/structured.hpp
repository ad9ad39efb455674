/// Answers in the form of a JSON Schema: what is sent to the provider, and what is accepted from it.
///
/// Providers hold themselves only to a subset of JSON Schema. What is sent is the user's schema rewritten into it: all properties required
/// (optional ones may be null instead), nothing additional, no limits on numbers and lengths; an answer that is no object is wrapped into
/// one. A schema that has no such form (free maps, `not`, `$ref` cycles aside) is sent as it is, without `strict`. Whatever was sent, the
/// answer is checked here against the user's own schema.
#pragma once

#include <string>
#include <string_view>

#include "base/error.hpp"
#include "dsl/schema.hpp"
#include "json/value.hpp"
#include "models/message.hpp"

namespace pawl::models {

class OutputSchema {
 public:
  /// Error `dsl.schema`.
  [[nodiscard]] static Result<OutputSchema> compile(const json::Value& schema);

  /// What a provider is asked for.
  [[nodiscard]] const OutputForm& form() const { return form_; }
  /// For the instructions: models that are not held to a form by their provider must be told.
  [[nodiscard]] std::string hint() const;
  /// The value of an answer (also inside of a fence of Markdown), or what is wrong with it, for the model to repair.
  [[nodiscard]] Checked<json::Value> read(std::string_view text) const;

 private:
  OutputSchema(json::Value schema, dsl::Schema compiled) : schema_(std::move(schema)), compiled_(std::move(compiled)) {}
  json::Value schema_;
  dsl::Schema compiled_;
  OutputForm form_;
  bool wrapped_ = false;
};

/// What the model is told about an answer that was not accepted.
[[nodiscard]] std::string repair_prompt(const Findings& findings);

}  // namespace pawl::models
