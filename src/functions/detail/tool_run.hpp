/// Programs that look into files which a stranger has made (PDF, pictures): they run in the sandbox, see that one file and nothing else of
/// the machine, and have no network. Blocks.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "engine/function.hpp"
#include "functions/detail/process.hpp"
#include "functions/detail/process_runner.hpp"

namespace pawl::functions {

struct Tool {
  std::string name;     ///< for messages: `pdftotext`
  std::string package;  ///< of Debian, that has it
  /// The command line; `input` is the file's path as the program sees it.
  std::function<std::vector<std::string>(const std::string& input)> command;
  std::vector<std::pair<std::string, std::string>> environment{};
  /// When the call is over, of which this program may be a part.
  std::chrono::steady_clock::time_point due;
  std::size_t max_output = 0;
};

/// `input` lies in the sandbox as a file of this name.
[[nodiscard]] ProcessResult run_tool(ProcessRunner& runner, const Tool& tool, std::string_view file_name, const std::string& input,
                                     const std::atomic<bool>& cancelled);

/// Nothing where the program has ended by itself with code 0. Else the outcome that says so: `configuration` where it is not installed,
/// `validation` with the last line of what it says where it does not like the file.
[[nodiscard]] std::optional<engine::Outcome> tool_failure(const Tool& tool, const ProcessResult& result);

/// The rest of the first line of `text` that begins with `name:`, without spaces in front; empty where there is none.
[[nodiscard]] std::string tool_property(std::string_view text, std::string_view name);

}  // namespace pawl::functions
