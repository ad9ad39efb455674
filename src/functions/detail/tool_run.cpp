#include "functions/detail/tool_run.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <future>
#include <memory>

#include "base/utf8.hpp"
#include "engine/machine/machine.hpp"
#include "functions/detail/process_call.hpp"

namespace pawl::functions {
namespace {

constexpr std::chrono::milliseconds kLook{20};
constexpr std::size_t kShown = 300;

std::string last_line(std::string text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
  text.erase(0, text.rfind('\n') + 1);  // npos + 1 is 0
  return to_utf8(text.substr(0, kShown));
}

}  // namespace

ProcessResult run_tool(ProcessRunner& runner, const Tool& tool, std::string_view file_name, const std::string& input,
                       const std::atomic<bool>& cancelled) {
  ProcessSpec spec;
  spec.command = [&tool, name = std::string(file_name)](const std::string& scratch) { return tool.command(scratch + "/" + name); };
  spec.environment = tool.environment;
  spec.files = {{std::string(file_name), input}};
  spec.due = tool.due;
  spec.max_output = tool.max_output;
  spec.see_roots = false;
  const auto promise = std::make_shared<std::promise<ProcessResult>>();
  auto future = promise->get_future();
  const auto id = runner.start(std::move(spec), [promise](ProcessResult result) { promise->set_value(std::move(result)); });
  bool asked = false;
  while (future.wait_for(kLook) != std::future_status::ready) {
    if (asked || !cancelled.load(std::memory_order_relaxed)) continue;
    runner.cancel(id);
    asked = true;
  }
  return future.get();
}

std::optional<engine::Outcome> tool_failure(const Tool& tool, const ProcessResult& result) {
  using Ending = ProcessResult::Ending;
  if (result.ending == Ending::exited && result.code == 0) return std::nullopt;
  if (result.ending == Ending::not_started && result.message.starts_with("there is no program")) {
    return engine::Outcome::failure(
        engine::make_error("configuration", 501, "Program missing",
                           fmt::format("`{}` is not installed on the server (Debian package {})", tool.name, tool.package)));
  }
  if (result.ending != Ending::exited && result.ending != Ending::signalled) return to_outcome(result, "none", tool.name, {});
  const std::string said = last_line(result.error_output);
  const std::string how = result.ending == Ending::signalled ? fmt::format("was ended by signal {}", result.code)
                                                             : fmt::format("ended with code {}", result.code);
  return engine::Outcome::failure(engine::make_error("validation", 422, "The file cannot be read",
                                                     fmt::format("{} {}{}{}", tool.name, how, said.empty() ? "" : ": ", said)));
}

std::string tool_property(std::string_view text, std::string_view name) {
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (!line.starts_with(name) || !line.substr(name.size()).starts_with(':')) continue;
    line.remove_prefix(name.size() + 1);
    while (line.starts_with(' ')) line.remove_prefix(1);
    return to_utf8(std::string(line));
  }
  return {};
}

}  // namespace pawl::functions
