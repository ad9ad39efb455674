/// The programs that scripts run in: an interpreter that is ready to go, reads one job from its standard input, and ends with it.
///
/// A job is its length (four bytes, little endian) and a JSON object: `code`, `arguments` (array: the argument vector; object: variables),
/// `environment`. What follows it is the script's own standard input. The exit code goes to `kReportDescriptor` once nothing of the
/// script's is left to be done: the rest of the interpreter's end is nothing that anybody waits for. For Python that is after its threads,
/// its `atexit` functions, its destructors, and what is left in open files.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "functions/detail/process.hpp"
#include "json/value.hpp"

namespace pawl::functions {

/// Files and command line of the worker: the same for every script of the language.
[[nodiscard]] ProcessSpec javascript_worker();
[[nodiscard]] ProcessSpec python_worker();

/// What a worker reads first.
[[nodiscard]] std::string worker_job(std::string_view code, const json::Value& arguments, const json::Value& environment);

}  // namespace pawl::functions
