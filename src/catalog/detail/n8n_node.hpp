// One node of an n8n export as a task.
#pragma once

#include <string>

#include "base/error.hpp"
#include "catalog/detail/js_expression.hpp"
#include "json/value.hpp"

namespace pawl::catalog::detail {

struct N8nTask {
  json::Value body;
  std::string exit;                ///< jq on the output; of `if` and `switch`
  std::string why;                 ///< it was not translated
  std::vector<std::string> notes;  ///< it was, but with another meaning in this respect
  bool is_trigger = false;
  bool is_loop = false;  ///< `splitInBatches`: the caller builds the loop
  bool merges = false;
};

/// `type` without its package (`httpRequest`).
[[nodiscard]] std::string n8n_type(const json::Value& node);
[[nodiscard]] N8nTask convert_n8n_node(const json::Value& node, JsContext& context);

/// What a trigger node means for the document: sets `schedule` or `document.metadata.webhook`. Notes say what was left out.
void apply_n8n_trigger(const json::Value& node, json::Value& document, std::vector<std::string>& notes);

}  // namespace pawl::catalog::detail
