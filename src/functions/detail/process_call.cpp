#include "functions/detail/process_call.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>

#include "base/utf8.hpp"
#include "engine/machine/machine.hpp"
#include "functions/detail/builtin.hpp"
#include "functions/detail/encoding.hpp"

namespace pawl::functions {
namespace {

constexpr std::size_t kShownErrorOutput = 2000;

Error bad(std::string message) { return {ErrorClass::invalid, "process.arguments", std::move(message)}; }

bool is_variable_name(std::string_view name) {
  const auto good = [](unsigned char c) { return std::isalnum(c) != 0 || c == '_'; };
  return !name.empty() && std::isdigit(static_cast<unsigned char>(name.front())) == 0 && std::all_of(name.begin(), name.end(), good);
}

bool has_nul(std::string_view text) { return text.find('\0') != std::string_view::npos; }

// The end says most about what went wrong.
std::string tail(const std::string& text) {
  std::string shown = text.size() > kShownErrorOutput ? "..." + to_utf8(text.substr(text.size() - kShownErrorOutput)) : to_utf8(text);
  while (!shown.empty() && std::isspace(static_cast<unsigned char>(shown.back())) != 0) shown.pop_back();
  return shown;
}

engine::Outcome failure(std::string_view kind, int status, std::string_view title, std::string detail) {
  return engine::Outcome::failure(engine::make_error(kind, status, title, detail));
}

}  // namespace

Result<ProcessSpec> read_process(const json::Value& arguments) {
  ProcessSpec spec;
  const json::Value& environment = arguments.get("environment");
  if (environment.is_object()) {
    for (const json::Member& member : environment.members()) {
      if (!is_variable_name(member.name())) return bad(fmt::format("'{}' is not a name of an environment variable", member.name()));
      std::string value = as_text(member.value);
      if (has_nul(value)) return bad(fmt::format("the environment variable {} contains a NUL", member.name()));
      spec.environment.emplace_back(member.name(), std::move(value));
    }
  }
  const json::Value& input = arguments.get("stdin");
  if (!input.is_null()) spec.input = as_text(input);
  return spec;
}

Result<std::vector<std::string>> read_argument_vector(const json::Value& arguments) {
  std::vector<std::string> vector;
  if (arguments.is_array()) {
    for (const json::Value& item : arguments.items()) vector.push_back(as_text(item));
  } else if (arguments.is_object()) {
    for (const json::Member& member : arguments.members()) {
      vector.push_back(member.value.is_null() ? std::string(member.name()) : fmt::format("{}={}", member.name(), as_text(member.value)));
    }
  } else if (!arguments.is_null()) {
    return bad("`arguments` is neither a list nor a map");
  }
  if (std::any_of(vector.begin(), vector.end(), has_nul)) return bad("an argument contains a NUL");
  return vector;
}

engine::Outcome to_outcome(const ProcessResult& result, std::string_view return_form, std::string_view what, const json::Value& secrets) {
  using Ending = ProcessResult::Ending;
  switch (result.ending) {
    case Ending::exited:
    case Ending::signalled: break;
    case Ending::timed_out: return failure("timeout", 408, "Process timed out", fmt::format("{} took too long and was ended", what));
    case Ending::cancelled: return failure("runtime", 500, "Process cancelled", fmt::format("{} was cancelled", what));
    case Ending::output_limit:
      return failure("runtime", 500, "Too much output", fmt::format("{} wrote more than is allowed and was ended", what));
    case Ending::process_limit:
      return failure("runtime", 500, "Too many processes", fmt::format("{} started more processes than are allowed and was ended", what));
    case Ending::not_started: return failure("configuration", 400, "Process cannot be started", redact(result.message, secrets));
    case Ending::refused: return failure("configuration", 400, "No sandbox", result.message);
    case Ending::overloaded: return failure("runtime", 503, "Overloaded", result.message);
  }
  const int code = result.ending == Ending::signalled ? 128 + result.code : result.code;
  if (return_form == "code") return engine::Outcome::success(json::Value(code));
  if (return_form == "all") {
    return engine::Outcome::success(
        json::Value::object({{"code", code}, {"stdout", to_utf8(result.output)}, {"stderr", to_utf8(result.error_output)}}));
  }
  if (code != 0) {
    const std::string how =
        result.ending == Ending::signalled ? fmt::format("was ended by signal {}", result.code) : fmt::format("ended with code {}", code);
    const std::string said = tail(result.error_output);
    return failure("runtime", 500, "Process failed", redact(fmt::format("{} {}{}{}", what, how, said.empty() ? "" : ": ", said), secrets));
  }
  if (return_form == "none") return engine::Outcome::success({});
  return engine::Outcome::success(json::Value(to_utf8(return_form == "stderr" ? result.error_output : result.output)));
}

engine::Cancel run_process(const std::shared_ptr<ProcessRunner>& runner, ProcessSpec spec, Shape shape, engine::Done done) {
  const ProcessRunner::Id id = runner->start(
      std::move(spec), [shape = std::move(shape), done = std::move(done)](const ProcessResult& result) { done(shape(result)); });
  return [weak = std::weak_ptr(runner), id] {
    if (const auto alive = weak.lock()) alive->cancel(id);
  };
}

}  // namespace pawl::functions
