// `csv`: text or a file to rows, and rows to text or a file.

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>

#include "base/utf8.hpp"
#include "functions/detail/builtins.hpp"
#include "functions/detail/contained_path.hpp"
#include "functions/detail/csv.hpp"
#include "functions/detail/file_io.hpp"
#include "json/parse.hpp"

namespace pawl::functions {
namespace {

constexpr std::int64_t kDefaultRows = 100'000;

bool formats(const json::Value& arguments) { return text_or(arguments, "operation", "parse") == "format"; }

WriteMode mode_of(const json::Value& arguments) {
  const std::string mode = text_or(arguments, "mode", "create");
  return mode == "append" ? WriteMode::append : mode == "overwrite" ? WriteMode::overwrite : WriteMode::create;
}

CsvFormat format_of(const json::Value& arguments) {
  CsvFormat format;
  const std::string delimiter = text_or(arguments, "delimiter", ",");
  format.delimiter = delimiter == "tab" ? '\t' : delimiter.front();
  format.header = flag_or(arguments, "header", true);
  if (const json::Value& columns = arguments.get("columns"); columns.is_array()) {
    for (const json::Value& column : columns.items()) format.columns.emplace_back(column.as_string());
  }
  const json::Value& limit = arguments.get("limit");
  // One more than is given out tells whether there is more.
  format.max_rows = static_cast<std::size_t>(limit.is_integer() ? limit.as_integer() : kDefaultRows) + 1;
  return format;
}

// ---- types ------------------------------------------------------------------------------------------------------------------------

// A number as JSON writes it: `007` and `1.` are texts, and so is a whole number that would lose digits.
std::optional<json::Value> number(std::string_view text) {
  constexpr std::size_t kExactDigits = 18;
  if (text.empty() || text.find_first_not_of("0123456789+-.eE") != std::string_view::npos) return std::nullopt;
  if (text.find_first_of(".eE") == std::string_view::npos && text.size() > kExactDigits) return std::nullopt;
  auto value = json::parse(text);
  if (value.has_error() || !value->is_number()) return std::nullopt;
  return std::move(value).value();
}

std::optional<json::Value> boolean(std::string_view text) {
  if (text == "true") return json::Value(true);
  if (text == "false") return json::Value(false);
  return std::nullopt;
}

json::Value inferred(const json::Value& cell) {
  const std::string_view text = cell.as_string();
  if (text.empty()) return {};
  if (auto value = boolean(text)) return std::move(*value);
  if (auto value = number(text)) return std::move(*value);
  return cell;
}

// Nothing where the text is not of the type. An empty cell of any type but text is null.
std::optional<json::Value> converted(const json::Value& cell, std::string_view type) {
  const std::string_view text = cell.as_string();
  if (type == "text") return cell;
  if (type == "auto") return inferred(cell);
  if (text.empty()) return json::Value();
  if (type == "boolean") return boolean(text);
  if (type == "json") {
    auto value = json::parse(text);
    return value.has_value() ? std::optional(std::move(value).value()) : std::nullopt;
  }
  auto value = number(text);
  if (type == "integer" && value && !value->is_integer()) return std::nullopt;
  return value;
}

Result<void> give_types(json::Value& row, std::size_t number_of_row, const json::Value& types) {
  if (types.is_null()) return boost::system::in_place_value;
  if (row.is_array()) {
    for (std::size_t i = 0; i < row.size(); ++i) row.set(i, inferred(row.at(i)));
    return boost::system::in_place_value;
  }
  const json::Value cells = row;  // shared: the loop changes `row`
  for (const json::Member& cell : cells.members()) {
    const std::string type = types.is_string() ? "auto" : text_or(types, cell.name(), "text");
    auto value = converted(cell.value, type);
    if (!value) {
      return Error(ErrorClass::invalid, "csv.type",
                   fmt::format("row {}: '{}' in the column {} is not of the type {}", number_of_row, cell.value.as_string().substr(0, 50),
                               cell.name(), type));
    }
    row.set_shared(cell.key, std::move(*value));
  }
  return boost::system::in_place_value;
}

// ---- the two ways -----------------------------------------------------------------------------------------------------------------

engine::Outcome parse(const Roots& roots, const FunctionsOptions& options, const json::Value& arguments,
                      const std::atomic<bool>& cancelled) {
  std::string text = text_or(arguments, "text", "");
  if (arguments.get("path").is_string()) {
    const auto place = roots.find(arguments.get("path").as_string());
    if (place.has_error()) return failed(place.error());
    auto content = read_whole(*place, options.max_file_read);
    if (content.has_error()) return failed(content.error());
    if (!is_utf8(content->bytes)) return failed(Error(ErrorClass::invalid, "csv.syntax", place->display() + " is not UTF-8 text"));
    text = std::move(content->bytes);
  }
  const CsvFormat format = format_of(arguments);
  if (arguments.get("types").is_object() && !format.header && format.columns.empty()) {
    return failed(Error(ErrorClass::invalid, "csv.columns",
                        "`types` goes by the names of columns, and without `header` or `columns` there are none"));
  }
  auto parsed = parse_csv(text, format);
  if (parsed.has_error()) return failed(parsed.error());
  const bool limited = parsed->size() == format.max_rows;
  const std::size_t count = limited ? format.max_rows - 1 : parsed->size();
  json::Value rows = json::Value::array();
  rows.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    if (cancelled.load(std::memory_order_relaxed)) return failed(Error(ErrorClass::unavailable, "csv.cancelled", "the call was cancelled"));
    json::Value row = parsed->take(i);
    if (const auto typed = give_types(row, i + 1, arguments.get("types")); typed.has_error()) return failed(typed.error());
    rows.push_back(std::move(row));
  }
  json::Value columns = json::Value::array();
  if (count > 0) {
    for (const json::Member& member : rows.at(0).is_object() ? rows.at(0).members() : std::span<const json::Member>()) {
      columns.push_back(member.key);
    }
  }
  return engine::Outcome::success(
      json::Value::object({{"rows", std::move(rows)}, {"columns", std::move(columns)}, {"count", count}, {"limited", limited}}));
}

engine::Outcome format(const Roots& roots, const json::Value& arguments) {
  auto text = write_csv(arguments.get("rows"), format_of(arguments));
  if (text.has_error()) return failed(text.error());
  const std::size_t bytes = text->size();
  json::Value output = json::Value::object({{"count", arguments.get("rows").size()}, {"bytes", bytes}});
  if (!arguments.get("path").is_string()) {
    output.set("text", std::move(text).value());
    return engine::Outcome::success(std::move(output));
  }
  const auto place = roots.find(arguments.get("path").as_string());
  if (place.has_error()) return failed(place.error());
  const auto written = write_whole(*place, *text, mode_of(arguments));
  if (written.has_error()) return failed(written.error());
  output.set("path", place->display());
  output.set("created", written->created);
  return engine::Outcome::success(std::move(output));
}

class Csv final : public Builtin {
 public:
  explicit Csv(const Parts& parts)
      : Builtin({.name = "csv",
                 .summary = "Reads CSV from text or a file as rows, or writes rows as CSV",
                 .parameters = literal(R"({
                   "type": "object",
                   "properties": {
                     "operation": {"type": "string", "enum": ["parse", "format"], "default": "parse", "description": "parse: CSV to rows; format: rows to CSV"},
                     "text": {"type": "string", "description": "for parse: the CSV itself"},
                     "path": {"type": "string", "minLength": 1, "description": "a file below the allowed folders: parse reads it, format writes it"},
                     "rows": {"type": "array", "description": "for format: objects, or arrays", "items": {"type": ["object", "array"]}},
                     "header": {"type": "boolean", "default": true, "description": "the first line names the columns"},
                     "columns": {"type": "array", "minItems": 1, "items": {"type": "string"},
                                 "description": "parse: names in place of the first line's; format: which members, in this order"},
                     "delimiter": {"type": "string", "enum": [",", ";", "|", "\t", "tab", ":"], "default": ","},
                     "types": {
                       "description": "for parse: auto makes numbers, booleans and nulls of what looks so; or the type of each column. Default: all is text",
                       "oneOf": [
                         {"const": "auto"},
                         {"type": "object", "additionalProperties": {"enum": ["text", "integer", "number", "boolean", "json", "auto"]}}
                       ]
                     },
                     "limit": {"type": "integer", "minimum": 1, "maximum": 1000000, "default": 100000, "description": "for parse: rows at most"},
                     "mode": {"type": "string", "enum": ["create", "overwrite", "append"], "default": "create", "description": "for format with a path"},
                     "allow_destructive": {"type": "boolean", "default": false, "description": "format with a path writes only with this"},
                     "dry_run": {"type": "boolean", "default": false}
                   },
                   "anyOf": [
                     {"properties": {"operation": {"const": "parse"}}, "oneOf": [{"required": ["text"]}, {"required": ["path"]}]},
                     {"properties": {"operation": {"const": "format"}}, "required": ["operation", "rows"]}
                   ],
                   "additionalProperties": false
                 })"),
                 .output = literal(R"({
                   "type": "object",
                   "properties": {
                     "rows": {"type": "array"}, "columns": {"type": "array", "items": {"type": "string"}}, "count": {"type": "integer"},
                     "limited": {"type": "boolean", "description": "there were more rows than the limit"},
                     "text": {"type": "string"}, "path": {"type": "string"}, "bytes": {"type": "integer"}, "created": {"type": "boolean"}
                   },
                   "required": ["count"]
                 })"),
                 .examples = literal(R"([
                   {"text": "name,age\nAda,36\n", "types": {"age": "integer"}},
                   {"path": "in/orders.csv", "delimiter": ";", "types": "auto"},
                   {"operation": "format", "rows": [{"name": "Ada", "age": 36}]},
                   {"operation": "format", "rows": [{"a": 1, "b": 2}], "columns": ["b", "a"], "path": "out/rows.csv", "mode": "overwrite", "allow_destructive": true}
                 ])"),
                 .destructive = true,
                 .reach = {{engine::Access::Kind::read, "/path", ""}, {engine::Access::Kind::write, "/path", "", "/operation=format"}},
                 .content = {"text", "rows"}},
                &parts.dependencies.pool),
        parts_(parts) {}

  [[nodiscard]] bool destroys(const json::Value& arguments) const override {
    return formats(arguments) && arguments.get("path").is_string();
  }
  [[nodiscard]] engine::EffectClass effect_class(const json::Value& arguments) const override {
    if (!arguments.get("path").is_string()) return engine::EffectClass::pure;
    if (!formats(arguments)) return engine::EffectClass::read;
    return mode_of(arguments) == WriteMode::overwrite ? engine::EffectClass::idempotent : engine::EffectClass::once;
  }

 private:
  [[nodiscard]] Result<json::Value> describe(const engine::Invocation& call) const override {
    const bool writes = formats(call.arguments);
    json::Value step = json::Value::object({{"action", writes ? "format" : "parse"}});
    if (writes) {
      PAWL_TRY(text, write_csv(call.arguments.get("rows"), format_of(call.arguments)));
      step.set("bytes", text.size());
    }
    if (call.arguments.get("path").is_string()) {
      PAWL_TRY(place, parts_.roots->find(call.arguments.get("path").as_string()));
      const bool exists = writes && open_place(place, O_PATH).has_value();
      step.set("action", !writes ? "read" : exists && mode_of(call.arguments) == WriteMode::create ? "fail: it exists" : "write");
      step.set("path", place.display());
    }
    return json::Value::array({std::move(step)});
  }

  engine::Cancel run(engine::Invocation call, engine::Done done) override {
    auto work = [parts = parts_, arguments = std::move(call.arguments)](const std::atomic<bool>& cancelled) {
      return formats(arguments) ? format(*parts.roots, arguments) : parse(*parts.roots, parts.options, arguments, cancelled);
    };
    return run_on_pool(parts_.dependencies.pool, std::move(work), std::move(done));
  }
  Parts parts_;
};

}  // namespace

std::unique_ptr<engine::Function> make_csv(const Parts& parts) { return std::make_unique<Csv>(parts); }

}  // namespace pawl::functions
