/// What the process functions share: arguments to a `ProcessSpec`, a `ProcessResult` to the task's outcome.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "engine/function.hpp"
#include "functions/detail/process.hpp"
#include "functions/detail/process_runner.hpp"
#include "json/value.hpp"

namespace pawl::functions {

/// Reads `environment` (values that are no text become JSON) and `stdin` (the same). Errors `process.arguments`: a bad variable name, a
/// NUL.
[[nodiscard]] Result<ProcessSpec> read_process(const json::Value& arguments);

/// `arguments`: a list is the argument vector; of a map each member becomes `name=value`, or the bare `name` where the value is null.
[[nodiscard]] Result<std::vector<std::string>> read_argument_vector(const json::Value& arguments);

/// `return`: stdout (default) and stderr give the text exactly as it was written, code the exit code (128 + n after signal n), all `{code,
/// stdout, stderr}`, none null. A non-zero exit is an error unless code or all is asked for. Known secrets do not appear in errors.
[[nodiscard]] engine::Outcome to_outcome(const ProcessResult& result, std::string_view return_form, std::string_view what,
                                         const json::Value& secrets);

/// Starts it and answers as the outcome that `shape` makes.
using Shape = std::function<engine::Outcome(const ProcessResult&)>;
[[nodiscard]] engine::Cancel run_process(const std::shared_ptr<ProcessRunner>& runner, ProcessSpec spec, Shape shape, engine::Done done);

}  // namespace pawl::functions
