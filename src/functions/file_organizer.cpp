// `file-organizer`: sorts the files of a folder into folders by type, date or size, and takes that back.

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "functions/detail/builtins.hpp"
#include "functions/detail/contained_path.hpp"
#include "functions/detail/encoding.hpp"
#include "functions/detail/organizer.hpp"

namespace pawl::functions {
namespace {

constexpr std::size_t kShownMoves = 50;
constexpr std::size_t kShownPlans = 20;

std::string lower_extension(std::string_view text) {
  if (text.starts_with('.')) text.remove_prefix(1);
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return result;
}

// The earlier product's interface called it `source_dir`.
std::string target_of(const json::Value& arguments) { return text_or(arguments, "target", text_or(arguments, "source_dir", ".")); }

/// The folder that holds what is sorted and where it goes, and both within it.
struct Folders {
  Place base;
  std::string from{};
  std::string into{};
};

std::vector<std::string> parts_of(std::string_view path) {
  std::vector<std::string> parts;
  while (!path.empty()) {
    const auto end = std::min(path.find('/'), path.size());
    if (end > 0 && path.substr(0, end) != ".") parts.emplace_back(path.substr(0, end));
    path.remove_prefix(std::min(end + 1, path.size()));
  }
  return parts;
}

Result<Folders> folders_of(const Roots& roots, const json::Value& arguments) {
  PAWL_TRY(target, roots.find(target_of(arguments)));
  const std::string goal_path = text_or(arguments, "target_dir", "");
  if (goal_path.empty()) return Folders{std::move(target)};
  PAWL_TRY(goal, roots.find(goal_path));
  if (goal.root != target.root) {
    return Error(ErrorClass::invalid, "arguments.invalid", "`target_dir` lies below the same root as the folder that is sorted");
  }
  const auto from = parts_of(target.relative);
  const auto into = parts_of(goal.relative);
  const auto split = std::mismatch(from.begin(), from.end(), into.begin(), into.end());
  const auto common = split.first - from.begin();
  const std::string base = fmt::format("{}", fmt::join(from.begin(), split.first, "/"));
  return Folders{Place{target.roots, target.root, base.empty() ? "." : base}, fmt::format("{}", fmt::join(split.first, from.end(), "/")),
                 fmt::format("{}", fmt::join(into.begin() + common, into.end(), "/"))};
}

Result<OrganizeOptions> options_of(const engine::Invocation& call, std::uint32_t max_files) {
  OrganizeOptions options;
  const json::Value& expression = call.arguments.get("expression");
  const std::string by =
      text_or(call.arguments, "by", text_or(call.arguments, "organize_by", expression.is_string() ? "expression" : "type"));
  if (by == "expression") {
    if (!expression.is_string()) return Error(ErrorClass::invalid, "arguments.invalid", "`by: expression` needs `expression`");
    PAWL_TRY(program, jq::compile(expression.as_string()));
    options.expression = std::move(program);
  }
  options.by = by == "date"         ? OrganizeOptions::By::date
               : by == "size"       ? OrganizeOptions::By::size
               : by == "expression" ? OrganizeOptions::By::expression
                                    : OrganizeOptions::By::type;
  options.recursive = flag_or(call.arguments, "recursive", false);
  options.duplicates = flag_or(call.arguments, "duplicates", true);
  options.normalise_names = flag_or(call.arguments, "normalize_names", false);
  options.max_files = max_files;
  // The same step tried again after a crash finds its own manifest.
  options.key = sha256(call.idempotency_key.empty() ? call.run.to_string() + call.reference : call.idempotency_key).substr(0, 24);
  const json::Value& categories = call.arguments.get("categories");
  if (!categories.is_object()) {
    options.categories = default_categories();
    return options;
  }
  for (const json::Member& member : categories.members()) {
    std::vector<std::string> extensions;
    for (const json::Value& extension : member.value.items()) extensions.push_back(lower_extension(extension.as_string()));
    options.categories.emplace_back(std::string(member.name()), std::move(extensions));
  }
  return options;
}

json::Value to_json(const Move& move) {
  json::Value value = json::Value::object({{"from", move.from}, {"to", move.to}, {"category", move.category}});
  if (!move.problem.empty()) value.set("error", move.problem);
  return value;
}

json::Value report(const std::vector<Move>& moves) {
  json::Value moved = json::Value::array();
  json::Value failed_moves = json::Value::array();
  std::size_t failed_count = 0;
  for (const Move& move : moves) {
    json::Value& list = move.problem.empty() ? moved : failed_moves;
    if (!move.problem.empty()) ++failed_count;
    if (list.size() < kShownMoves) list.push_back(to_json(move));
  }
  return json::Value::object({{"status", failed_count == 0 ? "completed" : "partial"},
                              {"dry_run", false},
                              {"files_moved", moves.size() - failed_count},
                              {"files_failed", failed_count},
                              {"total_processed", moves.size()},
                              {"moved_files", std::move(moved)},
                              {"failed_files", std::move(failed_moves)}});
}

engine::Outcome organize_folder(const Roots& roots, const engine::Invocation& call, std::uint32_t max_files,
                                const std::atomic<bool>& cancelled) {
  auto folders = folders_of(roots, call.arguments);
  if (folders.has_error()) return failed(folders.error());
  auto options = options_of(call, max_files);
  if (options.has_error()) return failed(options.error());
  options->from = std::move(folders->from);
  options->into = std::move(folders->into);
  const auto organized = organize(folders->base, *options, cancelled);
  if (organized.has_error()) return failed(organized.error());
  json::Value output = report(organized->moves);
  output.set("undo", organized->manifest.empty() ? json::Value() : json::Value(organized->manifest));
  return engine::Outcome::success(std::move(output));
}

engine::Outcome take_back(const Roots& roots, const engine::Invocation& call, const std::atomic<bool>& cancelled) {
  const auto manifest = roots.find(text_or(call.arguments, "manifest", ""));
  if (manifest.has_error()) return failed(manifest.error());
  const auto moves = undo(*manifest, false, cancelled);
  if (moves.has_error()) return failed(moves.error());
  return engine::Outcome::success(report(*moves));
}

class FileOrganizer final : public Builtin {
 public:
  explicit FileOrganizer(const Parts& parts)
      : Builtin({.name = "file-organizer",
                 .summary = "Sorts the files of a folder into folders by type, date, size or an expression; can be undone",
                 .parameters = literal(R"({
                   "type": "object",
                   "properties": {
                     "operation": {"type": "string", "enum": ["organize", "undo"], "default": "organize"},
                     "target": {"type": "string", "minLength": 1, "default": ".", "description": "the folder"},
                     "by": {"type": "string", "enum": ["type", "date", "size", "expression"], "default": "type",
                            "description": "date: YYYY-MM of the last change; size: small < 1 MiB <= medium < 100 MiB <= large"},
                     "organize_by": {"type": "string", "enum": ["type", "date", "size"], "description": "the same as by"},
                     "source_dir": {"type": "string", "minLength": 1, "description": "the same as target"},
                     "target_dir": {"type": "string", "minLength": 1,
                                    "description": "where the folders are made, below the same root; without it in the folder itself"},
                     "expression": {"type": "string", "minLength": 1,
                                    "description": "jq over {name, extension, size, modified}: the name of the folder; null leaves the file where it is"},
                     "categories": {
                       "type": "object",
                       "description": "by type: folder name to its file extensions; other files go to others",
                       "additionalProperties": {"type": "array", "items": {"type": "string", "minLength": 1}},
                       "propertyNames": {"pattern": "^[^./][^/]*$"}
                     },
                     "recursive": {"type": "boolean", "default": false},
                     "duplicates": {"type": "boolean", "default": true, "description": "files of equal content, but for the first, go to duplicates"},
                     "normalize_names": {"type": "boolean", "default": false, "description": "lower case, _ for spaces, only a-z 0-9 . _ -"},
                     "manifest": {"type": "string", "minLength": 1, "description": "for undo: what organize gave as undo"},
                     "allow_destructive": {"type": "boolean", "default": false},
                     "dry_run": {"type": "boolean", "default": false}
                   },
                   "additionalProperties": false
                 })"),
                 .output = literal(R"({
                   "type": "object",
                   "properties": {
                     "status": {"enum": ["completed", "partial"]}, "dry_run": {"type": "boolean"},
                     "files_moved": {"type": "integer"}, "files_failed": {"type": "integer"}, "total_processed": {"type": "integer"},
                     "moved_files": {"type": "array", "description": "the first 50"}, "failed_files": {"type": "array", "description": "the first 50"},
                     "undo": {"type": ["string", "null"], "description": "the manifest to give to undo"}
                   }
                 })"),
                 .examples = literal(R"([
                   {"target": "inbox", "allow_destructive": true},
                   {"target": "inbox", "categories": {"pictures": ["jpg", "png"]}, "recursive": true},
                   {"target": "inbox", "expression": "if .size > 1000000 then \"large\" else \"small\" end"},
                   {"operation": "undo", "manifest": "inbox/.pawl-undo/0123456789abcdef01234567.jsonl", "allow_destructive": true}
                 ])"),
                 .destructive = true,
                 .reach = {{engine::Access::Kind::write, "/target", "", "/source_dir="},
                           {engine::Access::Kind::write, "/source_dir", ""},
                           {engine::Access::Kind::write, "/target_dir", ""},
                           {engine::Access::Kind::write, "/manifest", ""}}},
                &parts.dependencies.pool),
        parts_(parts) {}

  // Tried again, it goes on where it was: nothing is moved twice.
  [[nodiscard]] engine::EffectClass effect_class(const json::Value& /*arguments*/) const override {
    return engine::EffectClass::idempotent;
  }

 private:
  [[nodiscard]] Result<json::Value> describe(const engine::Invocation& call) const override {
    const std::atomic<bool> never{false};
    const bool back = text_or(call.arguments, "operation", "organize") == "undo";
    PAWL_TRY(moves, back ? plan_back(call, never) : plan_there(call, never));
    json::Value steps = json::Value::array();
    for (std::size_t i = 0; i < std::min(moves.size(), kShownPlans); ++i) {
      json::Value step = to_json(moves[i]);
      step.set("action", "move");
      steps.push_back(std::move(step));
    }
    steps.push_back(json::Value::object({{"action", "summary"}, {"files_planned", moves.size()}}));
    return steps;
  }

  [[nodiscard]] Result<std::vector<Move>> plan_back(const engine::Invocation& call, const std::atomic<bool>& never) const {
    PAWL_TRY(manifest, parts_.roots->find(text_or(call.arguments, "manifest", "")));
    return undo(manifest, true, never);
  }
  [[nodiscard]] Result<std::vector<Move>> plan_there(const engine::Invocation& call, const std::atomic<bool>& never) const {
    PAWL_TRY(folders, folders_of(*parts_.roots, call.arguments));
    PAWL_TRY(options, options_of(call, parts_.options.max_organized_files));
    options.from = std::move(folders.from);
    options.into = std::move(folders.into);
    return plan_moves(folders.base, options, never);
  }

  engine::Cancel run(engine::Invocation call, engine::Done done) override {
    if (text_or(call.arguments, "operation", "organize") == "undo" && !call.arguments.get("manifest").is_string()) {
      done(invalid_arguments("`undo` needs `manifest`"));
      return {};
    }
    auto work = [roots = parts_.roots, limit = parts_.options.max_organized_files,
                 call = std::move(call)](const std::atomic<bool>& cancelled) {
      if (text_or(call.arguments, "operation", "organize") == "undo") return take_back(*roots, call, cancelled);
      return organize_folder(*roots, call, limit, cancelled);
    };
    return run_on_pool(parts_.dependencies.pool, std::move(work), std::move(done));
  }
  Parts parts_;
};

}  // namespace

std::unique_ptr<engine::Function> make_file_organizer(const Parts& parts) { return std::make_unique<FileOrganizer>(parts); }

}  // namespace pawl::functions
