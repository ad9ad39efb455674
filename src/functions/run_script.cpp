// `run.script`: JavaScript (node) or Python in the sandbox (DSL, `run: script`).
//
// A list of arguments is `process.argv` from 2 on, or `sys.argv` from 1 on. A map makes each member a global variable of that name in the
// script. JavaScript runs as an ES module, with `require` offered too.

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <mutex>

#include "base/utf8.hpp"
#include "engine/machine/machine.hpp"
#include "functions/detail/builtins.hpp"
#include "functions/detail/contained_path.hpp"
#include "functions/detail/encoding.hpp"
#include "functions/detail/file_io.hpp"
#include "functions/detail/http_exchanger.hpp"
#include "functions/detail/process_call.hpp"
#include "functions/detail/script_worker.hpp"

namespace pawl::functions {
namespace {

constexpr std::size_t kMaxSource = 1U << 20U;

enum class Language : std::uint8_t { javascript, python };

Result<Language> language_of(const json::Value& arguments) {
  const std::string name = text_or(arguments, "language", "");
  if (name == "js" || name == "javascript" || name == "node") return Language::javascript;
  if (name == "python" || name == "python3" || name == "py") return Language::python;
  return Error(ErrorClass::invalid, "script.language", fmt::format("scripts in '{}' cannot be run here; js and python can", name));
}

Result<void> check_names(const json::Value& variables) {
  for (const json::Member& member : variables.members()) {
    const std::string_view name = member.name();
    const auto good = [](unsigned char c) { return std::isalnum(c) != 0 || c == '_'; };
    if (name.empty() || std::isdigit(static_cast<unsigned char>(name.front())) != 0 || !std::all_of(name.begin(), name.end(), good) ||
        name.starts_with("__")) {
      return Error(ErrorClass::invalid, "script.arguments", fmt::format("the argument '{}' cannot be a variable of a script", name));
    }
  }
  return boost::system::in_place_value;
}

// What an interpreter reads when it starts must be there when it starts: such a call waits for an interpreter of its own.
bool matters_at_start(std::string_view name) {
  constexpr std::string_view kPrefixes[] = {"NODE", "PYTHON", "LD_", "LC_", "UV_", "GLIBC_", "MALLOC_", "OPENSSL_", "SSL_"};
  constexpr std::string_view kNames[] = {"PATH", "HOME", "LANG", "LANGUAGE", "TMPDIR", "TZ"};
  return std::any_of(std::begin(kPrefixes), std::end(kPrefixes), [&](std::string_view prefix) { return name.starts_with(prefix); }) ||
         std::find(std::begin(kNames), std::end(kNames), name) != std::end(kNames);
}

Result<ProcessSpec> script_process(const json::Value& arguments, std::string_view code) {
  PAWL_TRY(language, language_of(arguments));
  PAWL_TRY(given, read_process(arguments));
  json::Value words = arguments.get("arguments");
  if (words.is_object()) {
    PAWL_TRY_VOID(check_names(words));
  } else {
    PAWL_TRY(vector, read_argument_vector(words));
    words = json::Value::array();
    for (std::string& word : vector) words.push_back(to_utf8(word));
  }
  ProcessSpec spec = language == Language::javascript ? javascript_worker() : python_worker();
  json::Value environment = json::Value::object();
  for (auto& [name, value] : given.environment) {
    if (matters_at_start(name)) {
      spec.environment.emplace_back(name, value);
      spec.kind.clear();
    }
    environment.set(name, to_utf8(value));
  }
  spec.input = worker_job(code, words, environment) + given.input;
  return spec;
}

bool is_http(const std::string& uri) { return uri.starts_with("http://") || uri.starts_with("https://"); }

// The code may have to be fetched or read first: what is under way changes, `cancel` finds it.
class ScriptCall : public std::enable_shared_from_this<ScriptCall> {
 public:
  ScriptCall(const Parts& parts, engine::Invocation call, engine::Done done)
      : parts_(parts), call_(std::move(call)), done_(std::move(done)) {}

  void begin() {
    if (call_.arguments.get("code").is_string()) return run_code(call_.arguments.get("code").as_string());
    auto endpoint = read_endpoint(call_.arguments.get("source").get("endpoint"), call_.input);
    if (endpoint.has_error()) return done_(failed(endpoint.error()));
    if (is_http(endpoint->uri)) return fetch(std::move(endpoint).value());
    read(std::move(endpoint->uri));
  }
  void cancel() {
    engine::Cancel current;
    {
      const std::lock_guard lock(mutex_);
      cancelled_ = true;
      current = current_;
    }
    if (current) current();
  }

 private:
  // Steps follow each other on different threads: a step that has begun makes the one before it past, whoever comes first.
  int next_step() {
    const std::lock_guard lock(mutex_);
    current_ = {};
    return ++step_;
  }
  void under_way(int step, engine::Cancel cancel) {
    {
      const std::lock_guard lock(mutex_);
      if (!cancelled_) {
        if (step == step_) current_ = std::move(cancel);
        return;
      }
    }
    if (cancel) cancel();
  }

  void fetch(Endpoint endpoint) {
    HttpCall request;
    request.request.url = std::move(endpoint.uri);
    request.request.max_response_bytes = kMaxSource;
    request.authentication = std::move(endpoint.authentication);
    const auto shown = std::make_shared<const HttpCall>(request);
    auto received = [self = shared_from_this(), shown](Result<net::OutboundResponse> answer) {
      static_cast<void>(self->next_step());
      if (answer.has_error()) return self->done_(unanswered(*shown, answer.error(), self->call_.secrets));
      if (answer->status != 200) return self->done_(to_outcome(*shown, *answer, self->call_.secrets));
      self->run_code(answer->body);
    };
    const int step = next_step();
    under_way(step, parts_.http->send(std::move(request), call_.secrets, std::move(received)));
  }

  void read(std::string path) {
    if (path.starts_with("file://")) path.erase(0, 7);
    auto work = [self = shared_from_this(), path = std::move(path)](const std::atomic<bool>&) {
      const auto place = self->parts_.roots->find(path);
      if (place.has_error()) return failed(place.error());
      auto content = read_whole(*place, kMaxSource);
      if (content.has_error()) return failed(content.error());
      return engine::Outcome::success(json::Value(to_base64(content->bytes)));
    };
    auto got = [self = shared_from_this()](engine::Outcome outcome) {
      if (!outcome.ok()) return self->done_(std::move(outcome));
      self->run_code(from_base64(outcome.output.as_string()).value_or(""));
    };
    const int step = next_step();
    under_way(step, run_on_pool(parts_.dependencies.pool, std::move(work), std::move(got)));
  }

  void run_code(std::string_view code) {
    const int step = next_step();
    auto spec = script_process(call_.arguments, code);
    if (spec.has_error()) return done_(failed(spec.error()));
    spec->network = parts_.options.processes_may_use_network;
    spec->write_roots = parts_.options.scripts_may_write_roots && call_.may_destroy;
    auto shape = [form = text_or(call_.arguments, "return", "stdout"), secrets = call_.secrets](const ProcessResult& result) {
      return to_outcome(result, form, "the script", secrets);
    };
    under_way(step, run_process(parts_.processes, std::move(spec).value(), std::move(shape), done_));
  }

  const Parts parts_;
  const engine::Invocation call_;
  const engine::Done done_;
  std::mutex mutex_;
  engine::Cancel current_;
  int step_ = 0;
  bool cancelled_ = false;
};

class RunScript final : public Builtin {
 public:
  explicit RunScript(const Parts& parts)
      : Builtin({.name = "run.script",
                 .summary = "Runs a script in JavaScript or Python in a sandbox",
                 .parameters = literal(R"json({
                   "type": "object",
                   "properties": {
                     "language": {"type": "string", "minLength": 1, "description": "js or python"},
                     "code": {"type": "string"},
                     "source": {
                       "type": "object",
                       "description": "where the code is: an http(s) URI, or a file below the allowed folders",
                       "properties": {"name": {"type": "string"}, "endpoint": {}},
                       "required": ["endpoint"]
                     },
                     "arguments": {"description": "list: the argument vector; map: variables of the script", "type": ["array", "object"]},
                     "stdin": {"description": "text, or a value that is written as JSON"},
                     "environment": {"type": "object"},
                     "return": {"type": "string", "enum": ["stdout", "stderr", "code", "all", "none"], "default": "stdout"},
                     "await": {"type": "boolean", "default": true}
                   },
                   "required": ["language"],
                   "oneOf": [{"required": ["code"]}, {"required": ["source"]}],
                   "additionalProperties": false
                 })json"),
                 .output = literal(R"json({"description": "by return: the text, the exit code, {code, stdout, stderr} or nothing"})json"),
                 .examples = literal(R"json([
                   {"language": "js", "code": "console.log(first + second)", "arguments": {"first": 1, "second": 2}},
                   {"language": "python", "code": "import sys; print(sys.argv[1])", "arguments": ["hello"]}
                 ])json"),
                 .reach = {{engine::Access::Kind::process, "/code", ""},
                           {engine::Access::Kind::process, "/source/endpoint", ""},
                           {engine::Access::Kind::host, "/source/endpoint", ""},
                           {engine::Access::Kind::read, "", "(the allowed folders)"}}}),
        parts_(parts) {}

  [[nodiscard]] engine::EffectClass effect_class(const json::Value& /*arguments*/) const override { return engine::EffectClass::once; }

 private:
  [[nodiscard]] Result<json::Value> describe(const engine::Invocation& call) const override {
    PAWL_TRY_VOID(language_of(call.arguments));
    return json::Value::array({json::Value::object({{"action", "run"},
                                                    {"language", call.arguments.get("language")},
                                                    {"code_bytes", call.arguments.get("code").size()},
                                                    {"source", call.arguments.get("source").get("endpoint")}})});
  }
  engine::Cancel run(engine::Invocation call, engine::Done done) override {
    if (const auto language = language_of(call.arguments); language.has_error()) {
      done(engine::Outcome::failure(engine::make_error("configuration", 400, "Unknown language", language.error().message)));
      return {};
    }
    auto script = std::make_shared<ScriptCall>(parts_, std::move(call), std::move(done));
    script->begin();
    return [script] { script->cancel(); };
  }
  Parts parts_;
};

}  // namespace

std::unique_ptr<engine::Function> make_run_script(const Parts& parts) { return std::make_unique<RunScript>(parts); }

}  // namespace pawl::functions
