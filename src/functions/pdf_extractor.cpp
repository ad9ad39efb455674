// `pdf-extractor`: text, pages and metadata of a PDF by poppler's programs in the sandbox.

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>

#include "base/utf8.hpp"
#include "engine/machine/machine.hpp"
#include "functions/detail/builtins.hpp"
#include "functions/detail/contained_path.hpp"
#include "functions/detail/file_io.hpp"
#include "functions/detail/page_range.hpp"
#include "functions/detail/service_threads.hpp"
#include "functions/detail/tool_run.hpp"

namespace pawl::functions {
namespace {

constexpr std::size_t kMaxText = 8U << 20U;
constexpr std::string_view kFile = "in.pdf";

struct Task {
  Place input;
  std::optional<Place> output;
  bool overwrite = false;
  bool metadata = true;
  bool layout = false;
  PageRange pages;
  std::chrono::steady_clock::time_point due;  ///< of all its programs together
};

Result<Task> read_task(const json::Value& arguments, const Roots& roots) {
  Task task;
  PAWL_TRY(input, roots.find(text_or(arguments, "input_path", "")));
  task.input = std::move(input);
  if (const json::Value& path = arguments.get("output_path"); path.is_string()) {
    PAWL_TRY(output, roots.find(path.as_string()));
    task.output = std::move(output);
  }
  const json::Value& pages = arguments.get("page_range");
  PAWL_TRY(range, PageRange::parse(pages.is_integer() ? std::to_string(pages.as_integer()) : text_or(arguments, "page_range", "all")));
  PAWL_TRY(timeout, duration_argument(arguments, "timeout"));
  task.overwrite = flag_or(arguments, "overwrite", false);
  task.metadata = flag_or(arguments, "extract_metadata", true);
  task.layout = flag_or(arguments, "layout", false);
  task.pages = std::move(range);
  task.due = std::chrono::steady_clock::now() + timeout.value_or(Millis(60'000));
  return task;
}

Tool pdfinfo(const Task& task) {
  return {.name = "pdfinfo",
          .package = "poppler-utils",
          .command =
              [](const std::string& input) {
                return std::vector<std::string>{"pdfinfo", "-enc", "UTF-8", "-isodates", input};
              },
          .due = task.due};
}

Tool pdftotext(const Task& task, std::uint32_t last) {
  std::vector<std::string> words{"pdftotext", "-enc", "UTF-8", "-q", "-f", std::to_string(task.pages.first()), "-l", std::to_string(last)};
  if (task.layout) words.emplace_back("-layout");
  return {.name = "pdftotext",
          .package = "poppler-utils",
          .command =
              [words = std::move(words)](const std::string& input) {
                auto command = words;
                command.insert(command.end(), {input, "-"});
                return command;
              },
          .due = task.due,
          .max_output = kMaxText};
}

json::Value metadata_of(std::string_view info) {
  json::Value metadata = json::Value::object();
  static constexpr std::array<std::pair<std::string_view, std::string_view>, 8> kFields{{{"title", "Title"},
                                                                                         {"author", "Author"},
                                                                                         {"subject", "Subject"},
                                                                                         {"keywords", "Keywords"},
                                                                                         {"creator", "Creator"},
                                                                                         {"producer", "Producer"},
                                                                                         {"created", "CreationDate"},
                                                                                         {"modified", "ModDate"}}};
  for (const auto& [name, field] : kFields) {
    std::string value = tool_property(info, field);
    metadata.set(name, value.empty() ? json::Value() : json::Value(std::move(value)));
  }
  return metadata;
}

struct Pages {
  json::Value list = json::Value::array();
  std::string text;
};

// Each page ends with a form feed.
Pages split(std::string_view text, const PageRange& range) {
  Pages pages;
  for (std::uint32_t number = range.first(); !text.empty(); ++number) {
    const std::size_t end = std::min(text.find('\f'), text.size());
    if (range.contains(number)) {
      std::string page = to_utf8(std::string(text.substr(0, end)));
      pages.text += page;
      pages.list.push_back(json::Value::object({{"page", number}, {"text", std::move(page)}}));
    }
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return pages;
}

engine::Outcome extract(ProcessRunner& runner, const Task& task, std::size_t max_document, const std::atomic<bool>& cancelled) {
  const auto file = read_whole(task.input, max_document);
  if (file.has_error()) return failed(file.error());
  const Tool info_tool = pdfinfo(task);
  const ProcessResult info = run_tool(runner, info_tool, kFile, file->bytes, cancelled);
  if (auto failure = tool_failure(info_tool, info)) return std::move(*failure);
  std::uint32_t count = 0;
  const std::string number = tool_property(info.output, "Pages");
  std::from_chars(number.data(), number.data() + number.size(), count);
  if (count == 0) return failed({ErrorClass::invalid, "pdf.no_pages", fmt::format("{} has no pages", task.input.display())});
  if (task.pages.first() > count) {
    return failed({ErrorClass::invalid, "pages.missing", fmt::format("{} has {} pages", task.input.display(), count)});
  }
  const Tool text_tool = pdftotext(task, task.pages.last() == 0 ? count : std::min(task.pages.last(), count));
  const ProcessResult text = run_tool(runner, text_tool, kFile, file->bytes, cancelled);
  if (auto failure = tool_failure(text_tool, text)) return std::move(*failure);

  Pages pages = split(text.output, task.pages);
  json::Value output = json::Value::object({{"num_pages", count}, {"pages_extracted", pages.list.size()}});
  if (task.metadata) output.set("metadata", metadata_of(info.output));
  if (task.output) {
    const auto written = write_whole(*task.output, pages.text, task.overwrite ? WriteMode::overwrite : WriteMode::create);
    if (written.has_error()) return failed(written.error());
    output.set("output_path", task.output->display());
  }
  output.set("text", std::move(pages.text));
  output.set("pages", std::move(pages.list));
  return engine::Outcome::success(std::move(output));
}

class PdfExtractor final : public Builtin {
 public:
  explicit PdfExtractor(const Parts& parts)
      : Builtin({.name = "pdf-extractor",
                 .summary = "Reads text, pages and metadata of a PDF",
                 .parameters = literal(R"({
                   "type": "object",
                   "properties": {
                     "input_path": {"type": "string", "minLength": 1, "description": "a PDF below the allowed folders"},
                     "output_path": {"type": "string", "minLength": 1, "description": "a file for the text"},
                     "overwrite": {"type": "boolean", "default": false, "description": "replace that file; needs allow_destructive"},
                     "extract_metadata": {"type": "boolean", "default": true},
                     "page_range": {"type": ["string", "integer"], "default": "all", "description": "all, or pages such as 1-5,8"},
                     "layout": {"type": "boolean", "default": false, "description": "keep columns and tables where they stand on the page"},
                     "timeout": {"description": "seconds, ISO 8601 text or a duration object; default 60 s"},
                     "allow_destructive": {"type": "boolean", "default": false},
                     "dry_run": {"type": "boolean", "default": false}
                   },
                   "required": ["input_path"],
                   "additionalProperties": false
                 })"),
                 .output = literal(R"({
                   "type": "object",
                   "properties": {
                     "metadata": {"type": "object", "description": "title, author, subject, keywords, creator, producer, created, modified; null where the file says nothing"},
                     "num_pages": {"type": "integer"}, "pages_extracted": {"type": "integer"}, "text": {"type": "string"}, "output_path": {"type": "string"},
                     "pages": {"type": "array", "items": {"type": "object", "properties": {"page": {"type": "integer"}, "text": {"type": "string"}}}}
                   },
                   "required": ["num_pages", "pages_extracted", "text", "pages"]
                 })"),
                 .examples = literal(R"([
                   {"input_path": "inbox/contract.pdf"},
                   {"input_path": "inbox/contract.pdf", "page_range": "1-2", "layout": true, "output_path": "out/contract.txt"},
                   {"input_path": "inbox/contract.pdf", "output_path": "out/contract.txt", "overwrite": true, "allow_destructive": true}
                 ])"),
                 .destructive = true,
                 .reach = {{engine::Access::Kind::read, "/input_path", ""},
                           {engine::Access::Kind::write, "/output_path", ""},
                           {engine::Access::Kind::process, "", "pdfinfo, pdftotext"}}}),
        parts_(parts) {}

  [[nodiscard]] bool destroys(const json::Value& arguments) const override { return flag_or(arguments, "overwrite", false); }
  [[nodiscard]] engine::EffectClass effect_class(const json::Value& arguments) const override {
    if (arguments.find("output_path") == nullptr) return engine::EffectClass::read;
    return destroys(arguments) ? engine::EffectClass::idempotent : engine::EffectClass::once;
  }

 private:
  [[nodiscard]] Result<json::Value> describe(const engine::Invocation& call) const override {
    PAWL_TRY(task, read_task(call.arguments, *parts_.roots));
    json::Value steps = json::Value::array({json::Value::object({{"action", "read"}, {"path", task.input.display()}})});
    if (task.output) {
      steps.push_back(json::Value::object({{"action", task.overwrite ? "overwrite" : "create"}, {"path", task.output->display()}}));
    }
    return steps;
  }

  engine::Cancel run(engine::Invocation call, engine::Done done) override {
    auto task = read_task(call.arguments, *parts_.roots);
    if (task.has_error()) {
      done(failed(task.error()));
      return {};
    }
    auto work = [this, task = std::move(task).value()](const std::atomic<bool>& cancelled) {
      return extract(*parts_.processes, task, parts_.options.max_document, cancelled);
    };
    return threads_.run(std::move(work), std::move(done));
  }
  Parts parts_;
  ServiceThreads threads_;  // the last: its end waits for what uses the others
};

}  // namespace

std::unique_ptr<engine::Function> make_pdf_extractor(const Parts& parts) { return std::make_unique<PdfExtractor>(parts); }

}  // namespace pawl::functions
