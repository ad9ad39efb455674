/// Workflows of other products, read into ours. Pure: nothing is fetched, looked up or executed.
///
/// | format  | what it is                                                                                                   |
/// | ---     | ---                                                                                                          |
/// | `owf`   | an Open Workflow document or a task list of our own: checked and handed on as it is                          |
/// | `tasks` | the earlier task lists (`id`, `name`, `tasks[]` with `id, type, params`): our task-list form, one after the other where
///   nothing depends on anything |
/// | `steps` | a graph of `steps[]` (`trigger`, `condition`, `action`) and `connections[]`: conditions gate what comes after |
/// | `n8n`   | an export of n8n: one item of data per run; expressions become jq where that is possible                     |
///
/// What cannot be translated is never dropped: it is named in a finding (rule `import`, pointer into the source) and becomes a `raise` task
/// that says so when a run reaches it. The text that comes out is checked with the same compiler as every document; a task that this
/// refuses (a function that is not there, arguments that do not fit) is replaced in the same way, so what comes out can be stored and run.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/error.hpp"
#include "dsl/compile.hpp"

namespace pawl::catalog {

enum class SourceFormat : std::uint8_t { automatic, owf, tasks, steps, n8n };
/// Of `auto`, `owf`, `tasks`, `steps`, `n8n`.
[[nodiscard]] std::optional<SourceFormat> parse_source_format(std::string_view text);
[[nodiscard]] std::string_view to_text(SourceFormat format);

struct Imported {
  SourceFormat format = SourceFormat::owf;  ///< what it was
  std::string name;
  std::string text;   ///< YAML; of `owf` as it came
  Findings findings;  ///< warnings: what was left out or changed its meaning
};

/// Error `import.unreadable` (422, with findings): neither YAML nor JSON, or not a document of the format; `import.unknown_format` (422)
/// where `automatic` recognises nothing; of `owf` `workflow.invalid`.
[[nodiscard]] Result<Imported> import_workflow(std::string_view source, SourceFormat format, const dsl::FunctionCatalog& functions);

}  // namespace pawl::catalog
