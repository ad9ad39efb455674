// `file-write`: makes, replaces or lengthens a file below the roots.

#include <fcntl.h>

#include "functions/detail/builtins.hpp"
#include "functions/detail/contained_path.hpp"
#include "functions/detail/csv.hpp"
#include "functions/detail/encoding.hpp"
#include "functions/detail/file_io.hpp"
#include "json/write.hpp"

namespace pawl::functions {
namespace {

WriteMode mode_of(const json::Value& arguments) {
  const std::string mode = text_or(arguments, "mode", "create");
  return mode == "append" ? WriteMode::append : mode == "overwrite" ? WriteMode::overwrite : WriteMode::create;
}

Result<std::string> encode(const json::Value& arguments) {
  const json::Value& content = arguments.get("content");
  const std::string encoding = text_or(arguments, "encoding", content.is_string() ? "text" : "json");
  if (encoding == "csv") return write_csv(content);
  if (encoding == "json") return json::to_text(content, {.indent = 2}) + "\n";
  if (encoding == "text") return as_text(content);
  auto bytes = content.is_string() ? from_base64(content.as_string()) : std::nullopt;
  if (!bytes) return Error(ErrorClass::invalid, "file.content", "`content` is not base64 text");
  return std::move(*bytes);
}

engine::Outcome write_file(const Roots& roots, const json::Value& arguments) {
  const auto place = roots.find(arguments.get("path").as_string());
  if (place.has_error()) return failed(place.error());
  const auto bytes = encode(arguments);
  if (bytes.has_error()) return failed(bytes.error());
  const auto written = write_whole(*place, *bytes, mode_of(arguments));
  if (written.has_error()) return failed(written.error());
  return engine::Outcome::success(
      json::Value::object({{"path", place->display()}, {"created", written->created}, {"bytes", bytes->size()}, {"size", written->size}}));
}

class FileWrite final : public Builtin {
 public:
  explicit FileWrite(const Parts& parts)
      : Builtin({.name = "file-write",
                 .summary = "Writes a file below the allowed folders; missing folders are made",
                 .parameters = literal(R"({
                   "type": "object",
                   "properties": {
                     "path": {"type": "string", "minLength": 1, "description": "relative to the first allowed folder, or absolute below one"},
                     "content": {"description": "text, or a value that the encoding can write"},
                     "mode": {"type": "string", "enum": ["create", "overwrite", "append"], "default": "create", "description": "create: fails where the file exists"},
                     "encoding": {"type": "string", "enum": ["text", "base64", "json", "csv"],
                                  "description": "default: text for a text, else json; csv: an array of objects or of arrays"},
                     "allow_destructive": {"type": "boolean", "default": false},
                     "dry_run": {"type": "boolean", "default": false}
                   },
                   "required": ["path", "content"],
                   "additionalProperties": false
                 })"),
                 .output = literal(R"({
                   "type": "object",
                   "properties": {"path": {"type": "string"}, "created": {"type": "boolean"}, "bytes": {"type": "integer", "description": "written by this call"}, "size": {"type": "integer"}}
                 })"),
                 .examples = literal(R"([
                   {"path": "out/report.txt", "content": "done\n", "allow_destructive": true},
                   {"path": "out/rows.csv", "content": [{"a": 1}], "encoding": "csv", "mode": "overwrite", "allow_destructive": true}
                 ])"),
                 .destructive = true,
                 .reach = {{engine::Access::Kind::write, "/path", ""}},
                 .content = {"content"}},
                &parts.dependencies.pool),
        parts_(parts) {}

  // Replacing again gives the same file; making and lengthening do not.
  [[nodiscard]] engine::EffectClass effect_class(const json::Value& arguments) const override {
    return mode_of(arguments) == WriteMode::overwrite ? engine::EffectClass::idempotent : engine::EffectClass::once;
  }
  [[nodiscard]] Result<json::Value> describe(const engine::Invocation& call) const override {
    PAWL_TRY(place, parts_.roots->find(text_or(call.arguments, "path", "")));
    PAWL_TRY(bytes, encode(call.arguments));
    const bool exists = open_place(place, O_PATH).has_value();
    const std::string action = !exists                                        ? "create"
                               : mode_of(call.arguments) == WriteMode::create ? "fail: it exists"
                                                                              : text_or(call.arguments, "mode", "");
    return json::Value::array({json::Value::object({{"action", action}, {"path", place.display()}, {"bytes", bytes.size()}})});
  }

 private:
  engine::Cancel run(engine::Invocation call, engine::Done done) override {
    auto work = [roots = parts_.roots, arguments = std::move(call.arguments)](const std::atomic<bool>&) {
      return write_file(*roots, arguments);
    };
    return run_on_pool(parts_.dependencies.pool, std::move(work), std::move(done));
  }
  Parts parts_;
};

}  // namespace

std::unique_ptr<engine::Function> make_file_write(const Parts& parts) { return std::make_unique<FileWrite>(parts); }

}  // namespace pawl::functions
