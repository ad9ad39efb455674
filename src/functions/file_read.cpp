// `file-read`: the content of a file below the roots.

#include "base/utf8.hpp"
#include "functions/detail/builtins.hpp"
#include "functions/detail/contained_path.hpp"
#include "functions/detail/csv.hpp"
#include "functions/detail/encoding.hpp"
#include "functions/detail/file_io.hpp"
#include "json/parse.hpp"
#include "yaml/yaml.hpp"

namespace pawl::functions {
namespace {

Error unreadable(const Place& place, std::string_view what, std::string_view why) {
  return {ErrorClass::invalid, "file.content", place.display() + " is not " + std::string(what) + ": " + std::string(why)};
}

Result<json::Value> decode(std::string bytes, const std::string& encoding, const Place& place, std::size_t limit) {
  if (encoding == "base64") return json::Value(to_base64(bytes));
  if (!is_utf8(bytes)) return unreadable(place, "UTF-8 text", "read it as base64");
  if (encoding == "json") {
    auto value = json::parse(bytes, {.max_depth = 512, .max_bytes = limit});
    if (value.has_error()) return unreadable(place, "JSON", value.error().message);
    return value;
  }
  if (encoding == "yaml") {
    auto document = yaml::parse(bytes, {.max_bytes = limit});
    if (!document.ok()) return unreadable(place, "YAML", document.findings.empty() ? "" : document.findings.front().message);
    return std::move(document.value->value);
  }
  if (encoding == "csv") {
    auto rows = parse_csv(bytes);
    if (rows.has_error()) return unreadable(place, "CSV", rows.error().message);
    return rows;
  }
  return json::Value(std::move(bytes));
}

engine::Outcome read_file(const Roots& roots, std::size_t limit, const json::Value& arguments) {
  const auto place = roots.find(arguments.get("path").as_string());
  if (place.has_error()) return failed(place.error());
  auto content = read_whole(*place, limit);
  if (content.has_error()) return failed(content.error());
  const std::size_t size = content->bytes.size();
  auto value = decode(std::move(content->bytes), text_or(arguments, "encoding", "text"), *place, limit);
  if (value.has_error()) return failed(value.error());
  return engine::Outcome::success(json::Value::object(
      {{"path", place->display()}, {"size", size}, {"modified", to_rfc3339(content->modified)}, {"content", std::move(value).value()}}));
}

class FileRead final : public Builtin {
 public:
  explicit FileRead(const Parts& parts)
      : Builtin({.name = "file-read",
                 .summary = "Reads a file below the allowed folders as text, base64, JSON, YAML or CSV",
                 .parameters = literal(R"({
                   "type": "object",
                   "properties": {
                     "path": {"type": "string", "minLength": 1, "description": "relative to the first allowed folder, or absolute below one"},
                     "encoding": {"type": "string", "enum": ["text", "base64", "json", "yaml", "csv"], "default": "text",
                                  "description": "csv: an array of objects, the first line names the members"}
                   },
                   "required": ["path"],
                   "additionalProperties": false
                 })"),
                 .output = literal(R"({
                   "type": "object",
                   "properties": {"path": {"type": "string"}, "size": {"type": "integer"}, "modified": {"type": "string"}, "content": {}},
                   "required": ["path", "size", "modified", "content"]
                 })"),
                 .examples = literal(R"([{"path": "notes.txt"}, {"path": "config/app.yaml", "encoding": "yaml"}])"),
                 .reach = {{engine::Access::Kind::read, "/path", ""}}}),
        parts_(parts) {}
  [[nodiscard]] engine::EffectClass effect_class(const json::Value& /*arguments*/) const override { return engine::EffectClass::read; }
  [[nodiscard]] Result<json::Value> describe(const engine::Invocation& call) const override {
    PAWL_TRY(place, parts_.roots->find(text_or(call.arguments, "path", "")));
    return json::Value::array({json::Value::object({{"action", "read"}, {"path", place.display()}})});
  }

 private:
  engine::Cancel run(engine::Invocation call, engine::Done done) override {
    auto work = [roots = parts_.roots, limit = parts_.options.max_file_read,
                 arguments = std::move(call.arguments)](const std::atomic<bool>&) { return read_file(*roots, limit, arguments); };
    return run_on_pool(parts_.dependencies.pool, std::move(work), std::move(done));
  }
  Parts parts_;
};

}  // namespace

std::unique_ptr<engine::Function> make_file_read(const Parts& parts) { return std::make_unique<FileRead>(parts); }

}  // namespace pawl::functions
