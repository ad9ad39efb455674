// `archive`: makes, lists and unpacks zip and tar archives below the roots.

#include <fcntl.h>

#include <algorithm>

#include "functions/detail/archive.hpp"
#include "functions/detail/builtins.hpp"
#include "functions/detail/contained_path.hpp"

namespace pawl::functions {
namespace {

constexpr std::size_t kShown = 1'000;
constexpr Millis kDefaultTime{600'000};

Existing existing_of(const json::Value& arguments) {
  const std::string existing = text_or(arguments, "existing", flag_or(arguments, "overwrite", false) ? "overwrite" : "fail");
  return existing == "overwrite" ? Existing::replace : existing == "skip" ? Existing::skip : Existing::fail;
}

ArchiveLimits limits_of(const FunctionsOptions& options, const json::Value& arguments) {
  ArchiveLimits limits{options.max_archive_entries, options.max_archive_bytes, options.max_archive_ratio};
  const auto time = duration_argument(arguments, "timeout");
  const Millis given = time.has_value() ? time->value_or(kDefaultTime) : kDefaultTime;
  limits.deadline = std::chrono::steady_clock::now() + std::min(given, options.process_timeout);
  if (const json::Value& most = arguments.get("max_bytes"); most.is_integer()) {
    limits.max_bytes = std::min(limits.max_bytes, static_cast<std::uint64_t>(most.as_integer()));
  }
  return limits;
}

Result<ArchiveFormat> format_of(const json::Value& arguments) {
  const auto format = archive_format(text_or(arguments, "format", text_or(arguments, "archive", "")));
  if (!format) {
    return Error(ErrorClass::invalid, "archive.format",
                 "the name of the archive does not tell its format: zip, tar, tar.gz, tar.xz or tar.zst");
  }
  return *format;
}

json::Value to_json(const ArchiveEntry& entry) {
  json::Value value =
      json::Value::object({{"name", entry.name}, {"kind", entry.kind}, {"size", entry.size}, {"modified", to_rfc3339(entry.modified)}});
  if (!entry.problem.empty()) value.set("refused", entry.problem);
  return value;
}

Result<std::vector<Place>> places_of(const Roots& roots, const json::Value& paths) {
  std::vector<Place> places;
  for (const json::Value& path : paths.items()) {
    PAWL_TRY(place, roots.find(path.as_string()));
    places.push_back(std::move(place));
  }
  return places;
}

// One call, on the pool.
class ArchiveWork {
 public:
  ArchiveWork(const Parts& parts, const json::Value& arguments, const std::atomic<bool>& cancelled)
      : roots_(*parts.roots), arguments_(arguments), limits_(limits_of(parts.options, arguments)), cancelled_(cancelled) {}

  [[nodiscard]] Result<json::Value> run() const {
    PAWL_TRY(place, roots_.find(text_or(arguments_, "archive", "")));
    const std::string operation = text_or(arguments_, "operation", "");
    if (operation == "list") return list(place);
    return operation == "extract" ? extract(place) : create(place);
  }

  [[nodiscard]] Result<json::Value> plan() const {
    PAWL_TRY(place, roots_.find(text_or(arguments_, "archive", "")));
    const std::string operation = text_or(arguments_, "operation", "");
    json::Value step = json::Value::object({{"action", operation}, {"archive", place.display()}});
    if (operation == "create") {
      PAWL_TRY_VOID(format_of(arguments_));
      PAWL_TRY(places, places_of(roots_, arguments_.get("paths")));
      json::Value paths = json::Value::array();
      for (const Place& each : places) paths.push_back(each.display());
      step.set("paths", std::move(paths));
      step.set("replaces", open_place(place, O_PATH).has_value());
    }
    if (operation == "extract") {
      PAWL_TRY(folder, roots_.find(text_or(arguments_, "target", ".")));
      step.set("target", folder.display());
      if (open_place(place, O_PATH).has_value()) {
        PAWL_TRY(entries, list_archive(place, limits_, cancelled_));
        step.set("entries", entries.size());
        step.set("refused", std::any_of(entries.begin(), entries.end(), [](const ArchiveEntry& entry) { return !entry.problem.empty(); }));
      }
    }
    return json::Value::array({std::move(step)});
  }

 private:
  [[nodiscard]] Result<json::Value> list(const Place& place) const {
    PAWL_TRY(entries, list_archive(place, limits_, cancelled_));
    json::Value shown = json::Value::array();
    std::uint64_t bytes = 0;
    for (const ArchiveEntry& entry : entries) {
      bytes += entry.size;
      if (shown.size() < kShown) shown.push_back(to_json(entry));
    }
    return json::Value::object({{"archive", place.display()}, {"entries", std::move(shown)}, {"count", entries.size()}, {"bytes", bytes}});
  }
  [[nodiscard]] Result<json::Value> extract(const Place& place) const {
    PAWL_TRY(folder, roots_.find(text_or(arguments_, "target", ".")));
    PAWL_TRY(unpacked, extract_archive(place, folder, existing_of(arguments_), limits_, cancelled_));
    return json::Value::object({{"archive", place.display()},
                                {"target", folder.display()},
                                {"count", unpacked.files},
                                {"skipped", unpacked.skipped},
                                {"bytes", unpacked.bytes}});
  }
  [[nodiscard]] Result<json::Value> create(const Place& place) const {
    PAWL_TRY(format, format_of(arguments_));
    PAWL_TRY(places, places_of(roots_, arguments_.get("paths")));
    PAWL_TRY(items, list_for_packing(places, place, limits_, cancelled_));
    PAWL_TRY(packed, create_archive(place, format, items.items, existing_of(arguments_) == Existing::replace, limits_, cancelled_));
    json::Value skipped = json::Value::array();
    for (std::string& path : items.skipped) {
      if (skipped.size() < kShown) skipped.push_back(std::move(path));
    }
    return json::Value::object({{"archive", place.display()},
                                {"count", packed.entries},
                                {"bytes", packed.bytes},
                                {"size", packed.size},
                                {"created", packed.created},
                                {"left_out", std::move(skipped)}});
  }

  const Roots& roots_;
  const json::Value& arguments_;
  ArchiveLimits limits_;
  const std::atomic<bool>& cancelled_;
};

class Archive final : public Builtin {
 public:
  explicit Archive(const Parts& parts)
      : Builtin({.name = "archive",
                 .summary = "Makes, lists or unpacks a zip or tar archive below the allowed folders",
                 .parameters = literal(R"({
                   "type": "object",
                   "properties": {
                     "operation": {"type": "string", "enum": ["create", "list", "extract"]},
                     "archive": {"type": "string", "minLength": 1, "description": "the archive: a path below the allowed folders"},
                     "paths": {"type": "array", "minItems": 1, "items": {"type": "string", "minLength": 1},
                               "description": "for create: files and folders; each goes in under its own name. Links are left out"},
                     "target": {"type": "string", "minLength": 1, "default": ".", "description": "for extract: the folder; it is made where it is missing"},
                     "format": {"type": "string", "enum": ["zip", "tar", "tar.gz", "tar.xz", "tar.zst"], "description": "for create; default: by the name of the archive"},
                     "existing": {"type": "string", "enum": ["fail", "skip", "overwrite"], "default": "fail",
                                  "description": "files that exist already; overwrite needs allow_destructive"},
                     "overwrite": {"type": "boolean", "default": false, "description": "the same as existing: overwrite"},
                     "max_bytes": {"type": "integer", "minimum": 1, "description": "unpacked at most; the server has a limit of its own"},
                     "timeout": {"description": "seconds, ISO 8601 text or a duration object; default 10 minutes"},
                     "allow_destructive": {"type": "boolean", "default": false},
                     "dry_run": {"type": "boolean", "default": false}
                   },
                   "required": ["operation", "archive"],
                   "anyOf": [
                     {"properties": {"operation": {"enum": ["list", "extract"]}}},
                     {"properties": {"operation": {"const": "create"}}, "required": ["paths"]}
                   ],
                   "additionalProperties": false
                 })"),
                 .output = literal(R"({
                   "type": "object",
                   "properties": {
                     "archive": {"type": "string"}, "target": {"type": "string"}, "count": {"type": "integer", "description": "entries, or files unpacked"},
                     "bytes": {"type": "integer", "description": "unpacked"}, "size": {"type": "integer", "description": "of the archive"},
                     "skipped": {"type": "integer"}, "created": {"type": "boolean"},
                     "left_out": {"type": "array", "items": {"type": "string"}, "description": "links and special files"},
                     "entries": {"type": "array", "items": {"type": "object"}, "description": "for list, the first 1000: name, kind, size, modified, refused"}
                   }
                 })"),
                 .examples = literal(R"([
                   {"operation": "create", "archive": "out/reports.tar.gz", "paths": ["data"]},
                   {"operation": "list", "archive": "in/upload.zip"},
                   {"operation": "extract", "archive": "in/upload.zip", "target": "work", "existing": "overwrite", "allow_destructive": true}
                 ])"),
                 .destructive = true,
                 .reach = {{engine::Access::Kind::read, "/archive", ""},
                           {engine::Access::Kind::write, "/archive", "", "/operation=create"},
                           {engine::Access::Kind::read, "/paths", "", "/operation=create"},
                           {engine::Access::Kind::write, "/target", "", "/operation=extract"}}},
                &parts.dependencies.pool),
        parts_(parts) {}

  [[nodiscard]] bool destroys(const json::Value& arguments) const override {
    return text_or(arguments, "operation", "") != "list" && existing_of(arguments) == Existing::replace;
  }
  [[nodiscard]] engine::EffectClass effect_class(const json::Value& arguments) const override {
    if (text_or(arguments, "operation", "") == "list") return engine::EffectClass::read;
    return existing_of(arguments) == Existing::fail ? engine::EffectClass::once : engine::EffectClass::idempotent;
  }

 private:
  [[nodiscard]] Result<json::Value> describe(const engine::Invocation& call) const override {
    const std::atomic<bool> never{false};
    return ArchiveWork(parts_, call.arguments, never).plan();
  }
  engine::Cancel run(engine::Invocation call, engine::Done done) override {
    if (const auto time = duration_argument(call.arguments, "timeout"); time.has_error()) {
      done(failed(time.error()));
      return {};
    }
    auto work = [parts = parts_, arguments = std::move(call.arguments)](const std::atomic<bool>& cancelled) {
      auto output = ArchiveWork(parts, arguments, cancelled).run();
      return output.has_value() ? engine::Outcome::success(std::move(output).value()) : failed(output.error());
    };
    return run_on_pool(parts_.dependencies.pool, std::move(work), std::move(done));
  }
  Parts parts_;
};

}  // namespace

std::unique_ptr<engine::Function> make_archive(const Parts& parts) { return std::make_unique<Archive>(parts); }

}  // namespace pawl::functions
