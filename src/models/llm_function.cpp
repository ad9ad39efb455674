#include "models/llm_function.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <mutex>

#include "base/assert.hpp"
#include "dsl/expression.hpp"
#include "dsl/schema.hpp"
#include "engine/machine/machine.hpp"
#include "json/parse.hpp"
#include "models/detail/wire.hpp"

namespace pawl::models {
namespace {

using detail::text_of;

constexpr std::uint32_t kMostRepairs = 5;
constexpr Millis kDefaultCache = std::chrono::hours(1);
constexpr Millis kLongestCache = std::chrono::hours(24);
constexpr std::size_t kMostFindings = 10;
constexpr double kNano = 1e9;

constexpr std::string_view kParameters = R"json({
  "type": "object",
  "properties": {
    "model": {"type": "string", "minLength": 1, "description": "`provider/model`, or the model's name beside `provider`; left out: the configured default"},
    "provider": {"type": "string", "description": "openai, openai-responses, openai-compatible, anthropic, gemini, ollama or scripted"},
    "instructions": {"type": "string", "description": "what the model is and must do; before all messages"},
    "prompt": {"type": "string", "description": "one message of the user, after `messages`"},
    "messages": {"type": "array", "items": {"type": "object", "required": ["role"], "properties": {
      "role": {"enum": ["system", "developer", "user", "assistant", "tool"]},
      "content": {"description": "text, or parts: {type: text, text} and {type: image | file, media_type, data (base64) | url | path}"},
      "tool_calls": {"type": ["array", "null"]}, "tool_call_id": {"type": ["string", "null"]}, "name": {"type": ["string", "null"]},
      "is_error": {"type": ["boolean", "null"]}, "raw": {"description": "of an earlier output: goes back unchanged to the same provider"}
    }}, "description": "the conversation so far"},
    "tools": {"type": "array", "items": {"type": "object", "required": ["name"], "properties": {
      "name": {"type": "string", "pattern": "^[A-Za-z0-9_.-]{1,64}$"}, "description": {"type": ["string", "null"]}, "parameters": {"type": ["object", "null"]}
    }}, "description": "what the model may ask for; it is not called here"},
    "tool_choice": {"description": "auto, none, required, or a tool's name"},
    "output": {"type": "object", "required": ["schema"], "additionalProperties": false, "properties": {
      "schema": {"type": ["object", "boolean"], "description": "JSON Schema that the answer must be valid against"},
      "max_repairs": {"type": "integer", "minimum": 0, "maximum": 5, "default": 2}
    }},
    "temperature": {"type": "number", "minimum": 0, "maximum": 2, "description": "0 is sent as 0"},
    "max_tokens": {"type": "integer", "minimum": 1},
    "stop": {"type": "array", "items": {"type": "string", "minLength": 1}, "maxItems": 16},
    "fallback": {"type": "array", "items": {"type": "string", "minLength": 1}, "maxItems": 9, "description": "models to ask, in order, when the first one fails; the output says which one answered"},
    "timeout": {"description": "seconds, ISO 8601 text or a duration object; for everything"},
    "max_retries": {"type": "integer", "minimum": 0, "maximum": 10, "default": 2, "description": "of each model, within the call"},
    "budget": {"type": "object", "additionalProperties": false, "properties": {
      "tokens": {"type": "integer", "minimum": 1}, "cost": {"type": "number", "minimum": 0, "maximum": 1000000000, "description": "US dollars"},
      "prompt": {"type": "integer", "minimum": 1, "description": "the prompt is known to be no longer than so many tokens; left out: a token for each byte"}
    }, "description": "what the call may take with all its requests: the answer is cut to what fits, and a request that does not fit is not made"},
    "stream": {"type": "boolean", "default": false, "description": "stream the answer to who follows the run, also where nobody does when the call begins"},
    "cache": {"description": "true, or how long (at most a day) the answer to the same request may be used again"}
  },
  "additionalProperties": false
})json";

constexpr std::string_view kOutput = R"json({
  "type": "object",
  "properties": {
    "content": {"type": "string"},
    "tool_calls": {"type": "array", "items": {"type": "object", "properties": {
      "id": {"type": "string"}, "name": {"type": "string"}, "arguments": {"type": "object"}, "arguments_error": {"type": "string"}
    }}},
    "finish_reason": {"enum": ["stop", "tool_calls", "length", "context_full", "filtered", "paused"]},
    "model": {"type": "string"},
    "provider": {"type": "string"},
    "usage": {"type": "object"},
    "cost": {"type": ["number", "null"], "description": "US dollars; null: the price is unknown"},
    "output": {"description": "the answer as data, where a schema was given"},
    "raw": {"description": "the provider's own form of the answer, to be sent back in `messages`"},
    "attempts": {"type": "array", "items": {"type": "object", "properties": {"model": {"type": "string"}, "error": {"type": "string"}}}},
    "scripted": {"const": true},
    "cached": {"const": true},
    "charged": {"type": "object", "description": "where there is a `budget`: what of it is gone; what nobody told counts as the most that it could be"},
    "price": {"type": ["object", "null"], "description": "where there is a `budget`: US dollars for a million tokens, at most, of the model that was asked first"},
    "possible_double_bill": {"const": true, "description": "the process died during this call, and it was made again"}
  }
})json";

constexpr std::string_view kExamples = R"json([
  {"model": "openai/gpt-4o-mini", "instructions": "You answer in one sentence.", "prompt": "Why is the sky blue?", "temperature": 0},
  {"model": "anthropic/claude-sonnet-4-5", "prompt": "Sort this ticket: my invoice is wrong",
   "output": {"schema": {"type": "object", "properties": {"queue": {"enum": ["billing", "technical"]}}, "required": ["queue"]}},
   "fallback": ["openai/gpt-4o-mini"]}
])json";

json::Value literal(std::string_view text) {
  auto value = json::parse(text);
  PAWL_ASSERT(value.has_value(), "a literal is JSON");
  return std::move(value).value();
}

Error bad(std::string message) { return {ErrorClass::invalid, "llm.arguments", std::move(message)}; }

Result<Millis> duration(const json::Value& value, std::string_view name) {
  PAWL_TRY(result, dsl::to_duration(value));
  if (result.count() <= 0) return bad(fmt::format("`{}` must be longer than nothing", name));
  return Millis(result);
}

void collect_texts(const json::Value& value, std::vector<std::string>& texts) {
  if (value.is_string()) texts.emplace_back(value.as_string());
  if (value.is_array()) {
    for (const auto& item : value.items()) collect_texts(item, texts);
  }
  if (!value.is_object()) return;
  // An integration says itself which of its members are secret; in other objects all are.
  const auto& fields = value.get("secret_fields");
  for (const auto& member : value.members()) {
    const bool secret = !fields.is_array() || std::find(fields.items().begin(), fields.items().end(), member.key) != fields.items().end();
    if (secret) collect_texts(member.value, texts);
  }
}

json::Value to_json(const Amount& charged) {
  return json::Value::object({{"tokens", charged.tokens}, {"cost", static_cast<double>(charged.cost) / kNano}});
}

json::Value problem_of(const Answer& answer) {
  const auto& error = answer.reply.error();
  std::string detail = error.message;
  std::size_t shown = 0;
  for (const auto& finding : error.findings) {
    if (++shown > kMostFindings) break;
    detail += fmt::format("{} {}{}{}", shown == 1 ? ":" : ";", finding.pointer, finding.pointer.empty() ? "" : " ", finding.message);
  }
  if (answer.attempts.size() > 1) {
    detail += " Attempts:";
    for (const auto& attempt : answer.attempts)
      detail += fmt::format(" [{}] {}", attempt.model, attempt.error.empty() ? "answered" : attempt.error);
  }
  const auto make = [&](std::string_view kind, int status) { return engine::make_error(kind, status, error.code, detail); };
  if (error.code == "llm.not_configured") return make("configuration", 501);
  if (error.code == "llm.budget") {
    auto problem = make("budget-exceeded", 429);
    problem.set("budget", "organization");
    return problem;
  }
  if (error.code == "llm.allowance_tokens" || error.code == "llm.allowance_cost" || error.code == "llm.unpriced") {
    auto problem = make("budget-exceeded", 402);
    problem.set("budget", error.code == "llm.allowance_tokens" ? "tokens" : "cost");
    if (error.code == "llm.unpriced") problem.set("unpriced", true);
    return problem;
  }
  if (error.code == "llm.auth") return make("authentication", 401);
  if (error.code == "llm.quota") return make("communication", 402);
  if (error.code == "llm.output_invalid") return make("validation", 422);
  switch (error.kind) {
    case ErrorClass::denied: return make("authorization", 403);
    case ErrorClass::invalid:
    case ErrorClass::unprocessable:
    case ErrorClass::too_large: return make("validation", 400);
    case ErrorClass::timeout: return make("timeout", 408);
    default: break;
  }
  return make("communication", http_status(error.kind));
}

json::Value workflow_error(const Answer& answer, bool is_limited) {
  auto problem = problem_of(answer);
  if (!is_limited) return problem;
  problem.set("charged", to_json(answer.charged));
  if (answer.unanswered) problem.set("unanswered", true);
  return problem;
}

/// A part that names a file, and where it stands.
struct FilePart {
  std::size_t message;
  std::size_t part;
};

std::string media_type_of(std::string_view path) {
  constexpr std::pair<std::string_view, std::string_view> kTypes[] = {
      {".png", "image/png"},       {".jpg", "image/jpeg"}, {".jpeg", "image/jpeg"}, {".gif", "image/gif"}, {".webp", "image/webp"},
      {".pdf", "application/pdf"}, {".txt", "text/plain"}, {".md", "text/plain"},   {".csv", "text/csv"}};
  for (const auto& [ending, type] : kTypes) {
    if (path.ends_with(ending)) return std::string(type);
  }
  return "application/octet-stream";
}

void add_account(json::Value& output, const Answer& answer) {
  output.set("charged", to_json(answer.charged));
  if (const auto& price = answer.price) {
    const auto input = std::max({price->input, price->cached, price->cache_write});
    output.set("price", json::Value::object({{"input", input}, {"output", price->output}}));
  }
}

/// Of a call that ends before anybody was asked: nothing of its budget is gone, unless an earlier process had come further.
engine::Outcome unasked(engine::Outcome outcome, const engine::Invocation& call) {
  if (!outcome.ok() && !call.restarted && call.arguments.get("budget").is_object()) outcome.error.set("charged", to_json(Amount()));
  return outcome;
}

/// One invocation: reads the files that it names, one after another, then asks.
class Running : public std::enable_shared_from_this<Running> {
 public:
  Running(const LlmFunctionParts& parts, engine::Invocation invocation, Call call, engine::Done done)
      : parts_(parts), invocation_(std::move(invocation)), call_(std::move(call)), done_(std::move(done)) {
    for (std::size_t m = 0; m < call_.request.messages.size(); ++m) {
      const auto& content = call_.request.messages[m].parts;
      for (std::size_t p = 0; p < content.size(); ++p) {
        if (!content[p].path.empty()) files_.push_back({m, p});
      }
    }
  }

  void begin() {
    if (files_.empty()) return ask();
    const auto where = files_.back();
    auto* const reader = parts_.functions.get("file-read");
    if (reader == nullptr) {
      auto problem = engine::make_error("configuration", 501, "llm.files", "files cannot be read here");
      return done_(unasked(engine::Outcome::failure(std::move(problem)), invocation_));
    }
    auto reading = invocation_;
    reading.arguments = json::Value::object({{"path", part(where).path}, {"encoding", "base64"}});
    set_cancel(reader->start(std::move(reading), [self = shared_from_this(), where](engine::Outcome outcome) {
      if (!outcome.ok()) return self->done_(unasked(std::move(outcome), self->invocation_));
      self->files_.pop_back();
      auto& target = self->part(where);
      const auto& output = outcome.output;
      target.data = output.is_string() ? std::string(output.as_string()) : text_of(output, "content");
      if (target.media_type.empty()) target.media_type = media_type_of(target.path);
      if (target.name.empty()) target.name = target.path.substr(target.path.find_last_of('/') + 1);
      target.path.clear();
      self->begin();
    }));
  }

  void cancel() {
    Client::Cancel running;
    {
      const std::lock_guard lock(mutex_);
      cancelled_ = true;
      running = cancel_;
    }
    if (running) running();
  }

 private:
  [[nodiscard]] Part& part(const FilePart& where) { return call_.request.messages[where.message].parts[where.part]; }

  void set_cancel(Client::Cancel cancel) {
    bool now = false;
    {
      const std::lock_guard lock(mutex_);
      cancel_ = cancel;
      now = cancelled_;
    }
    if (now && cancel) cancel();
  }

  void ask() {
    follow();
    const bool again = invocation_.restarted && invocation_.effect >= engine::EffectClass::idempotent;
    const bool is_limited = call_.allowance.has_value();
    call_.is_again = again;
    set_cancel(parts_.client.ask(std::move(call_), [self = shared_from_this(), again, is_limited](Answer answer) {
      if (self->stream_) self->stream_->end();
      if (answer.reply.has_error()) return self->done_(engine::Outcome::failure(workflow_error(answer, is_limited)));
      auto output = to_output(answer);
      if (is_limited) add_account(output, answer);
      if (again && !answer.cached) output.set("possible_double_bill", true);
      self->done_(engine::Outcome::success(std::move(output)));
    }));
  }

  void tell(const Piece& piece) {
    const auto& followers = *parts_.followers;
    if (!followers.hide || !piece.chunk || piece.chunk->text.empty()) return followers.tell(invocation_, piece);
    auto shown = piece;
    shown.chunk->text = followers.hide(piece.chunk->text);
    followers.tell(invocation_, shown);
  }

  void follow() {
    const auto& followers = parts_.followers;
    if (!followers) return;
    if (!invocation_.arguments.get("stream").truthy() && !followers->wants(invocation_.organization)) return;
    stream_.emplace(
        followers->clock, [this](const Piece& piece) { tell(piece); }, followers->hide != nullptr);
    call_.on_chunk = [self = shared_from_this()](const Chunk& chunk) { self->stream_->add(chunk); };
  }

  const LlmFunctionParts parts_;
  const engine::Invocation invocation_;
  Call call_;
  const engine::Done done_;
  std::vector<FilePart> files_;
  std::optional<AnswerStream> stream_;
  std::mutex mutex_;
  Client::Cancel cancel_;
  bool cancelled_ = false;
};

class Llm final : public engine::Function {
 public:
  explicit Llm(LlmFunctionParts parts) : parts_(std::move(parts)), schema_(dsl::Schema::compile(literal(kParameters)).value()) {
    info_.name = "llm";
    info_.summary = "Asks a language model once: text, tool calls, or data that is valid against a schema";
    info_.parameters = literal(kParameters);
    info_.output = literal(kOutput);
    info_.examples = literal(kExamples);
    info_.reach = {{engine::Access::Kind::model, "/model", "(configured provider)"}};
    info_.content = {"prompt", "instructions", "messages", "tools", "output"};
  }

  [[nodiscard]] const Info& info() const override { return info_; }

  [[nodiscard]] engine::EffectClass effect_class(const json::Value& arguments) const override {
    const bool scripted = text_of(arguments, "provider") == "scripted" || text_of(arguments, "model").starts_with("scripted/");
    return scripted ? engine::EffectClass::read : engine::EffectClass::idempotent;
  }

  [[nodiscard]] Result<json::Value> plan(const engine::Invocation& call) const override {
    PAWL_TRY(wish, checked(call.arguments));
    auto step = json::Value::object({{"action", "ask_model"},
                                     {"model", wish.model.empty() ? json::Value() : json::Value(wish.model)},
                                     {"messages", wish.request.messages.size()},
                                     {"tools", wish.request.tools.size()}});
    if (!wish.provider.empty()) step.set("provider", wish.provider);
    return json::Value::array({std::move(step)});
  }

  [[nodiscard]] engine::Cancel start(engine::Invocation call, engine::Done done) override {
    if (call.dry_run) {
      auto steps = plan(call);
      done(steps.has_value() ? engine::Outcome::planned(std::move(*steps)) : failed(steps.error()));
      return {};
    }
    auto wish = checked(call.arguments);
    if (wish.has_error()) {
      done(unasked(failed(wish.error()), call));
      return {};
    }
    wish->organization = call.organization;
    wish->is_step = true;
    wish->forbidden = forbidden_texts(call.secrets);
    const auto running = std::make_shared<Running>(parts_, std::move(call), std::move(*wish), std::move(done));
    running->begin();
    return [weak = std::weak_ptr(running)] {
      if (const auto alive = weak.lock()) alive->cancel();
    };
  }

 private:
  [[nodiscard]] static engine::Outcome failed(const Error& error) {
    return engine::Outcome::failure(engine::make_error("validation", 400, error.code, error.message));
  }

  [[nodiscard]] Result<Call> checked(const json::Value& arguments) const {
    const auto findings = schema_.validate(arguments);
    if (findings.empty()) return read_call(arguments);
    std::string detail = "`llm` cannot be called so:";
    std::size_t shown = 0;
    for (const auto& finding : findings) {
      if (++shown > kMostFindings) break;
      detail += fmt::format("{} {}{}{}", shown == 1 ? "" : ";", finding.pointer, finding.pointer.empty() ? "" : ": ", finding.message);
    }
    return bad(std::move(detail));
  }

  LlmFunctionParts parts_;
  dsl::Schema schema_;
  Info info_;
};

}  // namespace

std::unique_ptr<engine::Function> make_llm_function(LlmFunctionParts parts) { return std::make_unique<Llm>(std::move(parts)); }

Result<Call> read_call(const json::Value& arguments) {
  Call call;
  call.model = text_of(arguments, "model");
  call.provider = text_of(arguments, "provider");
  call.request.instructions = text_of(arguments, "instructions");
  PAWL_TRY(messages, read_messages(arguments.get("messages")));
  call.request.messages = std::move(messages);
  if (arguments.get("prompt").is_string()) call.request.messages.push_back(Message::of(Role::user, text_of(arguments, "prompt")));
  if (call.request.messages.empty()) return bad("`prompt` or `messages` is needed");
  PAWL_TRY(tools, read_tools(arguments.get("tools")));
  call.request.tools = std::move(tools);
  PAWL_TRY(choice, read_tool_choice(arguments.get("tool_choice")));
  call.request.tool_choice = std::move(choice);
  if (const auto& output = arguments.get("output"); output.is_object()) {
    call.output_schema = output.get("schema");
    PAWL_TRY_VOID(dsl::Schema::compile(call.output_schema));
    if (output.get("max_repairs").is_integer()) {
      call.max_repairs = static_cast<std::uint32_t>(std::clamp<std::int64_t>(output.get("max_repairs").as_integer(), 0, kMostRepairs));
    }
  }
  if (arguments.get("temperature").is_number()) call.request.temperature = arguments.get("temperature").as_double();
  if (arguments.get("max_tokens").is_integer()) call.request.max_tokens = arguments.get("max_tokens").as_integer();
  if (const auto& budget = arguments.get("budget"); budget.is_object()) {
    call.allowance.emplace();
    if (const auto& tokens = budget.get("tokens"); tokens.is_integer()) call.allowance->tokens = tokens.as_integer();
    if (const auto& cost = budget.get("cost"); cost.is_number()) call.allowance->cost = std::llround(cost.as_double() * kNano);
    if (const auto& prompt = budget.get("prompt"); prompt.is_integer()) call.allowance->prompt = prompt.as_integer();
  }
  if (arguments.get("max_retries").is_integer()) call.max_retries = static_cast<std::uint32_t>(arguments.get("max_retries").as_integer());
  if (const auto& stop = arguments.get("stop"); stop.is_array()) {
    for (const auto& word : stop.items()) call.request.stop.emplace_back(word.as_string());
  }
  if (const auto& fallback = arguments.get("fallback"); fallback.is_array()) {
    for (const auto& name : fallback.items()) call.fallback.emplace_back(name.as_string());
  }
  if (!arguments.get("timeout").is_null()) {
    PAWL_TRY(timeout, duration(arguments.get("timeout"), "timeout"));
    call.timeout = timeout;
  }
  if (const auto& cache = arguments.get("cache"); cache.truthy()) {
    call.cache = kDefaultCache;
    if (!cache.is_bool()) {
      PAWL_TRY(keep, duration(cache, "cache"));
      call.cache = std::min(keep, kLongestCache);
    }
  }
  return call;
}

json::Value to_output(const Answer& answer) {
  const auto& reply = *answer.reply;
  auto calls = json::Value::array();
  for (const auto& call : reply.tool_calls) calls.push_back(to_json(call));
  auto attempts = json::Value::array();
  for (const auto& attempt : answer.attempts) {
    auto entry = json::Value::object({{"model", attempt.model}});
    if (!attempt.error.empty()) entry.set("error", attempt.error);
    attempts.push_back(std::move(entry));
  }
  auto output = json::Value::object({{"content", reply.content},
                                     {"tool_calls", std::move(calls)},
                                     {"finish_reason", to_text(reply.finish)},
                                     {"model", answer.model},
                                     {"provider", answer.provider},
                                     {"usage", to_json(answer.usage)},
                                     {"cost", answer.cost ? json::Value(*answer.cost) : json::Value()}});
  if (!answer.output.is_null()) output.set("output", answer.output);
  output.set("raw", reply.raw);
  output.set("attempts", std::move(attempts));
  if (answer.scripted) output.set("scripted", true);
  if (answer.cached) output.set("cached", true);
  return output;
}

std::vector<std::string> forbidden_texts(const json::Value& secrets) {
  std::vector<std::string> texts;
  collect_texts(secrets, texts);
  return texts;
}

}  // namespace pawl::models
