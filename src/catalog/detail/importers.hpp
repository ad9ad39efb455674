// The importers: each takes the source as data and gives a document, before it is checked.
#pragma once

#include "base/error.hpp"
#include "json/value.hpp"

namespace pawl::catalog::detail {

[[nodiscard]] json::Value import_tasks(const json::Value& source, Findings& findings);
[[nodiscard]] json::Value import_steps(const json::Value& source, Findings& findings);
[[nodiscard]] json::Value import_n8n(const json::Value& source, Findings& findings);

/// A text member, or the other text.
[[nodiscard]] std::string text_or(const json::Value& object, std::string_view name, std::string_view otherwise);

}  // namespace pawl::catalog::detail
