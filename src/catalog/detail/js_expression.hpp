// The expressions of n8n, as far as jq says the same: `={{ $json.total > 10 ? "big" : "small" }}`.
//
// Translated: `$json`, `$input.item.json`, `$('Node').item.json`, `$node["Node"].json`, `$now`, `$execution.id`; members, indexes,
// literals, arithmetic, comparison, logic and `?:` with JavaScript's idea of truth, and the methods of texts and arrays that are used most.
// Everything else is refused with a reason.
#pragma once

#include <functional>
#include <optional>
#include <set>
#include <string>
#include <string_view>

#include "json/value.hpp"

namespace pawl::catalog::detail {

struct JsContext {
  /// The task that a node's name became; nothing where there is no such node.
  std::function<std::optional<std::string>(std::string_view)> task_of;
  std::string json = ".";            ///< jq: what `$json` is
  std::set<std::string> references;  ///< out: tasks whose outputs are read
  std::string why;                   ///< out: what was not understood
};

/// Nothing, and `why`, where it cannot be translated.
[[nodiscard]] std::optional<std::string> js_to_jq(std::string_view expression, JsContext& context);

/// A parameter: texts that begin with `=` are templates with `{{ }}`, all others are meant as they are. Containers are converted member by
/// member.
[[nodiscard]] std::optional<json::Value> convert_parameter(const json::Value& value, JsContext& context);
/// The same as one jq expression.
[[nodiscard]] std::optional<std::string> parameter_to_jq(const json::Value& value, JsContext& context);

}  // namespace pawl::catalog::detail
