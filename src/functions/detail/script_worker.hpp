/// The programs that scripts run in: an interpreter that is ready to go, reads one job from its standard input, and ends with it.
///
/// A job is its length (four bytes, little endian) and a JSON object: `code`, `arguments` (array: the argument vector; object: variables),
/// `environment`. What follows it is the script's own standard input. JavaScript's exit code goes to `kReportDescriptor`
/// once nothing of the script's is left to be done: the rest of that interpreter's end is nothing that anybody waits for. Python writes
/// what is left in open files, and calls destructors, at its very end: there is nothing to be told before.
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
