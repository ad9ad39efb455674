// `image-processor`: looks at pictures and makes others of them by libvips' programs in the sandbox; reads text in them by tesseract.
//
// What a file is, is read from its first bytes: only the loaders of PNG, JPEG, WebP, GIF and TIFF come into play, whatever its name says.
// The size is looked at before anything is unpacked.

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cmath>

#include "base/utf8.hpp"
#include "engine/machine/machine.hpp"
#include "functions/detail/builtins.hpp"
#include "functions/detail/contained_path.hpp"
#include "functions/detail/file_io.hpp"
#include "functions/detail/service_threads.hpp"
#include "functions/detail/tool_run.hpp"

namespace pawl::functions {
namespace {

constexpr std::int64_t kThumbnail = 128;
constexpr std::int64_t kUnbounded = 10'000'000;  // as libvips counts: no limit in this direction
constexpr std::int64_t kQuality = 85;

Error bad(std::string message) { return {ErrorClass::invalid, "image.arguments", std::move(message)}; }

struct Format {
  std::string_view name;
  std::string_view suffix;
  std::string_view saved_with;  ///< options of the saver; `{}` is the quality
};
constexpr std::array<Format, 5> kFormats{{{"png", ".png", "[strip]"},
                                          {"jpeg", ".jpg", "[strip,background=255,Q={}]"},
                                          {"webp", ".webp", "[strip,Q={}]"},
                                          {"gif", ".gif", "[strip]"},
                                          {"tiff", ".tif", "[strip,compression=deflate]"}}};

const Format* format_named(std::string_view name) {
  if (name == "jpg") name = "jpeg";
  if (name == "tif") name = "tiff";
  const auto* const found = std::find_if(kFormats.begin(), kFormats.end(), [name](const Format& format) { return format.name == name; });
  return found == kFormats.end() ? nullptr : found;
}

const Format* format_of_path(std::string_view path) {
  const std::size_t dot = path.rfind('.');
  if (dot == std::string_view::npos) return nullptr;
  std::string suffix(path.substr(dot + 1));
  for (char& c : suffix) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
  return format_named(suffix);
}

const Format* format_of_bytes(std::string_view bytes) {
  using std::string_view_literals::operator""sv;
  if (bytes.starts_with("\x89PNG\r\n\x1A\n"sv)) return format_named("png");
  if (bytes.starts_with("\xFF\xD8\xFF"sv)) return format_named("jpeg");
  if (bytes.starts_with("GIF87a") || bytes.starts_with("GIF89a")) return format_named("gif");
  if (bytes.starts_with("RIFF") && bytes.substr(0, 12).ends_with("WEBP")) return format_named("webp");
  for (const auto magic : {"II*\0"sv, "MM\0*"sv, "II+\0"sv, "MM\0+"sv}) {
    if (bytes.starts_with(magic)) return format_named("tiff");
  }
  return nullptr;
}

struct Task {
  std::string operation;
  Place input;
  std::optional<Place> output;
  const Format* format = nullptr;  ///< of the output
  bool overwrite = false;
  std::int64_t width = 0;  ///< 0: not given
  std::int64_t height = 0;
  std::int64_t quality = kQuality;
  json::Value arguments;
  std::chrono::steady_clock::time_point due;  ///< of all its programs together
};

std::int64_t number_or(const json::Value& arguments, std::string_view name, std::int64_t fallback) {
  const json::Value& value = arguments.get(name);
  return value.is_integer() ? value.as_integer() : fallback;
}

Result<Task> read_task(const json::Value& arguments, const Roots& roots) {
  Task task;
  task.operation = text_or(arguments, "operation", "info");
  task.arguments = arguments;
  PAWL_TRY(input, roots.find(text_or(arguments, "input_path", "")));
  task.input = std::move(input);
  PAWL_TRY(timeout, duration_argument(arguments, "timeout"));
  task.due = std::chrono::steady_clock::now() + timeout.value_or(Millis(60'000));
  task.overwrite = flag_or(arguments, "overwrite", false);
  task.width = number_or(arguments, "width", 0);
  task.height = number_or(arguments, "height", 0);
  task.quality = number_or(arguments, "quality", kQuality);
  if (task.operation == "info" || task.operation == "ocr") return task;

  const std::string path = text_or(arguments, "output_path", "");
  if (path.empty()) return bad(fmt::format("`{}` needs `output_path`", task.operation));
  PAWL_TRY(output, roots.find(path));
  task.output = std::move(output);
  const std::string format = text_or(arguments, "format", "");
  task.format = format.empty() ? format_of_path(path) : format_named(format);
  if (task.format == nullptr) return bad("`output_path` ends with no known type of picture, and `format` names none");
  if (task.operation == "resize" && task.width == 0 && task.height == 0) return bad("`resize` needs `width`, `height` or both");
  if (task.operation == "crop" && (task.width == 0 || task.height == 0)) return bad("`crop` needs `width` and `height`");
  return task;
}

struct Picture {
  std::string bytes;
  const Format* format = nullptr;
  std::string header;  ///< what vipsheader says
  std::int64_t width = 0;
  std::int64_t height = 0;
  std::int64_t pages = 1;
};

std::int64_t number_in(const std::string& header, std::string_view name, std::int64_t fallback) {
  const std::string text = tool_property(header, name);
  std::int64_t number = fallback;
  std::from_chars(text.data(), text.data() + text.size(), number);
  return number;
}

const std::vector<std::pair<std::string, std::string>>& environment() {
  static const std::vector<std::pair<std::string, std::string>> kEnvironment = {
      {"VIPS_BLOCK_UNTRUSTED", "1"}, {"VIPS_CONCURRENCY", "1"}, {"OMP_THREAD_LIMIT", "1"}};
  return kEnvironment;
}

std::string file_name(const Picture& picture) { return fmt::format("in{}", picture.format->suffix); }

/// What the picture becomes: operation and arguments of `vips`, after input and output.
Result<std::vector<std::string>> words_of(const Task& task, const Picture& picture) {
  const auto text = [](std::int64_t number) { return std::to_string(number); };
  if (task.operation == "convert") return std::vector<std::string>{"copy"};
  if (task.operation == "rotate") {
    return std::vector<std::string>{"rot", fmt::format("d{}", number_or(task.arguments, "angle", 90))};
  }
  if (task.operation == "crop") {
    const std::int64_t left = number_or(task.arguments, "left", 0);
    const std::int64_t top = number_or(task.arguments, "top", 0);
    if (left + task.width > picture.width || top + task.height > picture.height) {
      return bad(fmt::format("the part to cut out does not lie within {} x {}", picture.width, picture.height));
    }
    return std::vector<std::string>{"crop", text(left), text(top), text(task.width), text(task.height)};
  }
  if (task.operation == "thumbnail") {
    return std::vector<std::string>{"thumbnail", text(task.width == 0 ? kThumbnail : task.width),
                                    "--height",  text(task.height == 0 ? kThumbnail : task.height),
                                    "--size",    "down"};
  }
  const bool both = task.width > 0 && task.height > 0;
  return std::vector<std::string>{"thumbnail", text(task.width == 0 ? kUnbounded : task.width),
                                  "--height",  text(task.height == 0 ? kUnbounded : task.height),
                                  "--size",    both ? "force" : "both"};
}

/// Of the picture that a resize makes, in pixels.
double result_pixels(const Task& task, const Picture& picture) {
  const auto width = static_cast<double>(picture.width);
  const auto height = static_cast<double>(picture.height);
  if (task.operation != "resize") return 0;
  if (task.width > 0 && task.height > 0) return static_cast<double>(task.width) * static_cast<double>(task.height);
  const double scale = task.width > 0 ? static_cast<double>(task.width) / width : static_cast<double>(task.height) / height;
  return width * scale * height * scale;
}

class Worker {
 public:
  Worker(ProcessRunner& runner, const FunctionsOptions& options, const Task& task, const std::atomic<bool>& cancelled)
      : runner_(runner), options_(options), task_(task), cancelled_(cancelled) {}

  [[nodiscard]] engine::Outcome work() {
    Picture picture;
    if (auto failure = look(picture)) return std::move(*failure);
    if (task_.operation == "info") return engine::Outcome::success(describe(picture));
    if (task_.operation == "ocr") return read_text(picture);
    return make(picture);
  }

 private:
  using Failure = std::optional<engine::Outcome>;

  [[nodiscard]] Failure look(Picture& picture) {
    auto file = read_whole(task_.input, options_.max_document);
    if (file.has_error()) return failed(file.error());
    picture.bytes = std::move(file->bytes);
    picture.format = format_of_bytes(picture.bytes);
    if (picture.format == nullptr) {
      return failed({ErrorClass::invalid, "image.format", fmt::format("{} is no PNG, JPEG, WebP, GIF or TIFF", task_.input.display())});
    }
    const Tool tool{.name = "vipsheader",
                    .package = "libvips-tools",
                    .command =
                        [](const std::string& input) {
                          return std::vector<std::string>{"vipsheader", "-a", input};
                        },
                    .environment = environment(),
                    .due = task_.due};
    ProcessResult result = run_tool(runner_, tool, file_name(picture), picture.bytes, cancelled_);
    if (auto failure = tool_failure(tool, result)) return failure;
    picture.header = std::move(result.output);
    picture.width = number_in(picture.header, "width", 0);
    picture.height = number_in(picture.header, "height", 0);
    picture.pages = std::max<std::int64_t>(number_in(picture.header, "n-pages", 1), 1);
    const auto most = static_cast<double>(options_.max_pixels);
    const auto frame = static_cast<double>(picture.width) * static_cast<double>(picture.height);
    if (frame < 1 || frame > most || result_pixels(task_, picture) > most) {
      return failed(
          {ErrorClass::invalid, "image.too_large",
           fmt::format("{} x {} is, or becomes, more than the limit of {} pixels", picture.width, picture.height, options_.max_pixels)});
    }
    return std::nullopt;
  }

  static json::Value describe(const Picture& picture) {
    const std::string mode = tool_property(picture.header, "interpretation");
    const std::int64_t bands = number_in(picture.header, "bands", 0);
    return json::Value::object({{"format", std::string(picture.format->name)},
                                {"mode", mode},
                                {"size", json::Value::array({picture.width, picture.height})},
                                {"width", picture.width},
                                {"height", picture.height},
                                {"bands", bands},
                                {"has_alpha", bands == 2 || (bands == 4 && mode != "cmyk")},
                                {"pages", picture.pages},
                                {"bytes", picture.bytes.size()}});
  }

  [[nodiscard]] engine::Outcome make(const Picture& picture) {
    auto words = words_of(task_, picture);
    if (words.has_error()) return failed(words.error());
    // The result leaves through standard output: nothing of the machine can be written from within.
    static constexpr const char* kScript =
        R"(in=$1; suffix=$2; options=$3; operation=$4; shift 4
vips "$operation" "$in" "$TMPDIR/out$suffix$options" "$@" >&2 && exec cat "$TMPDIR/out$suffix")";
    const std::string options = fmt::format(fmt::runtime(std::string(task_.format->saved_with)), task_.quality);
    const Tool tool{.name = "vips",
                    .package = "libvips-tools",
                    .command =
                        [&](const std::string& input) {
                          std::vector<std::string> command{"/bin/sh", "-c", kScript, "vips", input, std::string(task_.format->suffix),
                                                           options};
                          command.insert(command.end(), words->begin(), words->end());
                          return command;
                        },
                    .environment = environment(),
                    .due = task_.due,
                    .max_output = options_.max_document};
    const ProcessResult result = run_tool(runner_, tool, file_name(picture), picture.bytes, cancelled_);
    if (auto failure = tool_failure(tool, result)) return std::move(*failure);
    if (format_of_bytes(result.output) != task_.format) {
      return failed({ErrorClass::unavailable, "image.lost", "vips has made something else than the picture that was asked for"});
    }
    const auto written = write_whole(*task_.output, result.output, task_.overwrite ? WriteMode::overwrite : WriteMode::create);
    if (written.has_error()) return failed(written.error());
    return engine::Outcome::success(json::Value::object({{"output_path", task_.output->display()},
                                                         {"format", std::string(task_.format->name)},
                                                         {"original_size", json::Value::array({picture.width, picture.height})},
                                                         {"created", written->created},
                                                         {"bytes", result.output.size()}}));
  }

  [[nodiscard]] engine::Outcome read_text(const Picture& picture) {
    const std::string language = text_or(task_.arguments, "language", "eng");
    const Tool tool{.name = "tesseract",
                    .package = "tesseract-ocr",
                    .command =
                        [&](const std::string& input) {
                          return std::vector<std::string>{"tesseract", input, "stdout", "-l", language};
                        },
                    .environment = environment(),
                    .due = task_.due};
    ProcessResult result = run_tool(runner_, tool, file_name(picture), picture.bytes, cancelled_);
    if (auto failure = tool_failure(tool, result)) return std::move(*failure);
    std::erase(result.output, '\f');
    return engine::Outcome::success(json::Value::object({{"text", to_utf8(std::move(result.output))}, {"language", language}}));
  }

  ProcessRunner& runner_;
  const FunctionsOptions& options_;
  const Task& task_;
  const std::atomic<bool>& cancelled_;
};

class ImageProcessor final : public Builtin {
 public:
  explicit ImageProcessor(const Parts& parts)
      : Builtin({.name = "image-processor",
                 .summary = "Describes, resizes, converts, turns and crops pictures, and reads text in them",
                 .parameters = literal(R"({
                   "type": "object",
                   "properties": {
                     "input_path": {"type": "string", "minLength": 1, "description": "a PNG, JPEG, WebP, GIF or TIFF below the allowed folders"},
                     "output_path": {"type": "string", "minLength": 1, "description": "the picture to make; its ending names its type"},
                     "operation": {"type": "string", "enum": ["info", "resize", "thumbnail", "convert", "rotate", "crop", "ocr"], "default": "info"},
                     "width": {"type": "integer", "minimum": 1, "maximum": 20000, "description": "resize: alone it keeps the proportions; thumbnail: default 128"},
                     "height": {"type": "integer", "minimum": 1, "maximum": 20000},
                     "left": {"type": "integer", "minimum": 0, "maximum": 1000000, "default": 0, "description": "crop: where the part begins"},
                     "top": {"type": "integer", "minimum": 0, "maximum": 1000000, "default": 0},
                     "angle": {"type": "integer", "enum": [90, 180, 270], "default": 90, "description": "rotate: clockwise"},
                     "format": {"type": "string", "enum": ["png", "jpeg", "jpg", "webp", "gif", "tiff"], "description": "default: by output_path"},
                     "quality": {"type": "integer", "minimum": 1, "maximum": 100, "default": 85, "description": "of JPEG and WebP"},
                     "language": {"type": "string", "pattern": "^[a-z_]{3,20}(\\+[a-z_]{3,20}){0,4}$", "default": "eng", "description": "ocr: of the text, as tesseract names it"},
                     "overwrite": {"type": "boolean", "default": false, "description": "replace output_path; needs allow_destructive"},
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
                     "format": {"type": "string"}, "mode": {"type": "string", "description": "info: such as srgb, b-w, cmyk"},
                     "size": {"type": "array", "description": "info: width and height"}, "width": {"type": "integer"}, "height": {"type": "integer"},
                     "bands": {"type": "integer"}, "has_alpha": {"type": "boolean"}, "pages": {"type": "integer"}, "bytes": {"type": "integer"},
                     "output_path": {"type": "string"}, "original_size": {"type": "array"}, "created": {"type": "boolean"},
                     "text": {"type": "string", "description": "ocr"}, "language": {"type": "string"}
                   }
                 })"),
                 .examples = literal(R"([
                   {"input_path": "photos/cat.jpg"},
                   {"input_path": "photos/cat.jpg", "output_path": "out/cat.webp", "operation": "resize", "width": 800},
                   {"input_path": "photos/cat.jpg", "output_path": "out/cat.png", "operation": "thumbnail", "overwrite": true, "allow_destructive": true},
                   {"input_path": "scans/page.png", "operation": "ocr", "language": "eng+deu"}
                 ])"),
                 .destructive = true,
                 .reach = {{engine::Access::Kind::read, "/input_path", ""},
                           {engine::Access::Kind::write, "/output_path", ""},
                           {engine::Access::Kind::process, "", "vips, vipsheader, tesseract"}}}),
        parts_(parts) {}

  [[nodiscard]] bool destroys(const json::Value& arguments) const override { return flag_or(arguments, "overwrite", false); }
  [[nodiscard]] engine::EffectClass effect_class(const json::Value& arguments) const override {
    const std::string operation = text_or(arguments, "operation", "info");
    if (operation == "info" || operation == "ocr") return engine::EffectClass::read;
    return destroys(arguments) ? engine::EffectClass::idempotent : engine::EffectClass::once;
  }

 private:
  [[nodiscard]] Result<json::Value> describe(const engine::Invocation& call) const override {
    PAWL_TRY(task, read_task(call.arguments, *parts_.roots));
    json::Value steps = json::Value::array({json::Value::object({{"action", task.operation}, {"path", task.input.display()}})});
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
      return Worker(*parts_.processes, parts_.options, task, cancelled).work();
    };
    return threads_.run(std::move(work), std::move(done));
  }
  Parts parts_;
  ServiceThreads threads_;  // the last: its end waits for what uses the others
};

}  // namespace

std::unique_ptr<engine::Function> make_image_processor(const Parts& parts) { return std::make_unique<ImageProcessor>(parts); }

}  // namespace pawl::functions
