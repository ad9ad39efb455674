#include "catalog/import.hpp"

#include <algorithm>
#include <array>

#include "catalog/detail/import_flow.hpp"
#include "catalog/detail/importers.hpp"
#include "json/write.hpp"
#include "yaml/write.hpp"
#include "yaml/yaml.hpp"

namespace pawl::catalog {
namespace {

constexpr std::size_t kMaxRounds = 10;
constexpr std::array<std::pair<std::string_view, SourceFormat>, 5> kFormats{{{"auto", SourceFormat::automatic},
                                                                             {"owf", SourceFormat::owf},
                                                                             {"tasks", SourceFormat::tasks},
                                                                             {"steps", SourceFormat::steps},
                                                                             {"n8n", SourceFormat::n8n}}};

std::optional<SourceFormat> recognise(const json::Value& source) {
  if (!source.is_object()) return std::nullopt;
  if (source.get("document").is_object()) return SourceFormat::owf;
  if (source.get("nodes").is_array() && source.get("connections").is_object()) return SourceFormat::n8n;
  if (source.get("steps").is_array()) return SourceFormat::steps;
  if (source.get("tasks").is_array()) return SourceFormat::tasks;
  return std::nullopt;
}

bool has_shape_of(const json::Value& source, SourceFormat format) {
  switch (format) {
    case SourceFormat::automatic: return false;
    case SourceFormat::owf: return source.get("document").is_object() || source.get("tasks").is_array();
    case SourceFormat::tasks: return source.get("tasks").is_array();
    case SourceFormat::steps: return source.get("steps").is_array();
    case SourceFormat::n8n: return source.get("nodes").is_array();
  }
  return false;
}

Error unreadable(std::string message, Findings findings) {
  return {ErrorClass::unprocessable, "import.unreadable", std::move(message), std::move(findings)};
}

std::vector<std::string> segments(std::string_view pointer) {
  std::vector<std::string> parts;
  while (!pointer.empty()) {
    pointer.remove_prefix(1);
    const auto slash = pointer.find('/');
    std::string part(pointer.substr(0, slash));
    for (const auto& [code, character] : {std::pair("~1", "/"), std::pair("~0", "~")}) {
      for (auto at = part.find(code); at != std::string::npos; at = part.find(code, at + 1)) part.replace(at, 2, character);
    }
    parts.push_back(std::move(part));
    pointer = slash == std::string_view::npos ? std::string_view{} : pointer.substr(slash);
  }
  return parts;
}

/// Replaces the innermost task that `pointer` leads into by a refusal. False where it leads into no task.
class Repair {
 public:
  Repair(std::string_view pointer, std::string_view why) : path_(segments(pointer)), why_(why) {}

  bool apply(json::Value& document) { return !path_.empty() && below(document, 0); }
  /// After `apply`: how many segments lead to what was replaced.
  [[nodiscard]] std::size_t depth() const { return depth_; }

 private:
  /// Down the pointer; whoever is the last to be a task on the way is replaced.
  bool below(json::Value& value, std::size_t depth) {
    if (depth == path_.size()) return false;
    const auto& part = path_[depth];
    if (value.is_array()) {
      const auto index = static_cast<std::size_t>(std::strtoul(part.c_str(), nullptr, 10));
      if (index >= value.size()) return false;
      auto item = value.take(index);
      const bool is_entry = depth > 0 && (path_[depth - 1] == "do" || path_[depth - 1] == "branches" || path_[depth - 1] == "tasks");
      bool done = below(item, depth + 1);
      if (!done && is_entry && replace(item)) {
        done = true;
        depth_ = depth + 1;
      }
      value.set(index, std::move(item));
      return done;
    }
    if (!value.is_object() || value.find(part) == nullptr) return false;
    auto member = value.take(part);
    const bool done = below(member, depth + 1);
    value.set(part, std::move(member));
    return done;
  }

  /// `item` is `{name: task}`, or a task of a task list.
  bool replace(json::Value& item) const {
    if (!item.is_object() || item.empty()) return false;
    const auto refusal = detail::refusal(why_);
    if (item.get("id").is_string() && item.find("type") != nullptr) {
      auto task = json::Value::object({{"id", item.get("id")}, {"type", "raise"}, {"params", refusal.get("raise")}});
      if (const auto& needs = item.get("depends_on"); !needs.is_null()) task.set("depends_on", needs);
      if (item == task) return false;  // even this was refused
      item = std::move(task);
      return true;
    }
    const auto& only = item.members()[0];
    if (only.value.get("raise").is_object()) return false;
    auto task = json::Value::object();
    if (const auto& condition = only.value.get("if"); !condition.is_null()) task.set("if", condition);
    task.set("raise", refusal.get("raise"));
    item = json::Value::object({{only.name(), std::move(task)}});
    return true;
  }

  std::vector<std::string> path_;
  std::string why_;
  std::size_t depth_ = 0;
};

/// The first `count` segments of a pointer.
std::string_view ancestor(std::string_view pointer, std::size_t count) {
  std::size_t end = 0;
  for (; count > 0; --count) {
    end = pointer.find('/', end + 1);
    if (end == std::string_view::npos) return pointer;
  }
  return pointer.substr(0, end);
}

bool is_below(std::string_view pointer, std::string_view above) {
  return pointer.starts_with(above) && (pointer.size() == above.size() || pointer[above.size()] == '/');
}

/// Checks what was made and replaces the tasks that the compiler refuses, all that it names at once. What is left of them may make it
/// refuse others, so there are several rounds.
Result<void> settle(json::Value& document, const dsl::FunctionCatalog& functions, Findings& findings) {
  for (std::size_t round = 0; round < kMaxRounds; ++round) {
    const auto checked = dsl::compile_data(document, functions);
    if (checked.ok()) return {};
    std::vector<std::string_view> replaced;  // findings below lead into what is not there any more
    for (const auto& finding : checked.findings) {
      if (finding.severity != Severity::error) continue;
      const auto is_gone = [&](std::string_view above) { return is_below(finding.pointer, above); };
      if (std::any_of(replaced.begin(), replaced.end(), is_gone)) continue;
      const auto sentence = "The task at " + finding.pointer + " was not translated: " + finding.message;
      Repair repair(finding.pointer, sentence);
      if (!repair.apply(document)) continue;
      replaced.push_back(ancestor(finding.pointer, repair.depth()));
      detail::report(findings, finding.pointer, sentence);
    }
    if (replaced.empty()) return unreadable("What was read does not make a workflow.", checked.findings);
  }
  return unreadable("Too many tasks cannot be translated.", std::move(findings));
}

std::string name_of(const json::Value& document) {
  const auto& head = document.get("document");
  for (const auto* value : {&head.get("title"), &head.get("name"), &document.get("name"), &document.get("id")}) {
    if (value->is_string() && !value->empty()) return std::string(value->as_string());
  }
  return "imported";
}

}  // namespace

std::optional<SourceFormat> parse_source_format(std::string_view text) {
  for (const auto& [name, format] : kFormats) {
    if (name == text) return format;
  }
  return std::nullopt;
}

std::string_view to_text(SourceFormat format) {
  for (const auto& [name, known] : kFormats) {
    if (known == format) return name;
  }
  return "";
}

Result<Imported> import_workflow(std::string_view source, SourceFormat format, const dsl::FunctionCatalog& functions) {
  auto read = yaml::parse(source);
  if (!read.ok()) return unreadable("The text is neither YAML nor JSON.", std::move(read.findings));
  const auto& data = read.value->value;
  if (format == SourceFormat::automatic) {
    const auto recognised = recognise(data);
    if (!recognised) {
      return Error(ErrorClass::unprocessable, "import.unknown_format",
                   "This is no Open Workflow document, no list of `tasks`, no graph of `steps` and no export of n8n.");
    }
    format = *recognised;
  }
  if (!has_shape_of(data, format)) {
    return unreadable("The text is not of the format `" + std::string(to_text(format)) + "`.", {});
  }
  Imported made;
  made.format = format;
  if (format == SourceFormat::owf) {
    auto checked = dsl::compile(source, functions);
    if (!checked.ok())
      return Error(ErrorClass::unprocessable, "workflow.invalid", "The definition has problems.", std::move(checked.findings));
    made.text = std::string(source);
    made.name = (*checked.value)->name;
    made.findings = std::move(checked.findings);
    return made;
  }
  auto document = format == SourceFormat::tasks   ? detail::import_tasks(data, made.findings)
                  : format == SourceFormat::steps ? detail::import_steps(data, made.findings)
                                                  : detail::import_n8n(data, made.findings);
  PAWL_TRY_VOID(settle(document, functions, made.findings));
  made.name = name_of(document);
  made.text = yaml::to_yaml(document);
  // Findings stand where their value does.
  for (auto& finding : made.findings) {
    const auto position = read.value->position(finding.pointer);
    finding.line = position.line;
    finding.column = position.column;
  }
  return made;
}

}  // namespace pawl::catalog
