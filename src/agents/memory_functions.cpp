#include "agents/memory_functions.hpp"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>

#include "base/assert.hpp"
#include "dsl/expression.hpp"
#include "dsl/schema.hpp"
#include "engine/approval.hpp"
#include "engine/engine.hpp"
#include "engine/machine/machine.hpp"
#include "json/parse.hpp"
#include "json/write.hpp"

namespace pawl::agents {
namespace {

using engine::Done;
using engine::Invocation;
using engine::Outcome;

constexpr std::size_t kMostBytes = 512U << 10U;
constexpr Millis kUsualTtl = std::chrono::hours(24 * 90);

constexpr std::string_view kReadParameters = R"json({
  "type": "object",
  "properties": {
    "key": {"type": "string", "minLength": 1, "maxLength": 200, "description": "what it is kept under"},
    "scope": {"type": "string", "maxLength": 400, "default": "", "description": "a workflow as `namespace/name`; empty: shared by all of the organization's"}
  },
  "required": ["key"],
  "additionalProperties": false
})json";
constexpr std::string_view kReadOutput = R"json({
  "type": "object",
  "properties": {
    "found": {"type": "boolean"},
    "messages": {"type": ["array", "null"]},
    "untrusted": {"type": "array", "description": "where what came from that nobody vouches for"},
    "run_id": {"type": ["string", "null"], "description": "that wrote it"},
    "updated_at": {"type": ["string", "null"]}
  }
})json";
constexpr std::string_view kWriteParameters = R"json({
  "type": "object",
  "properties": {
    "key": {"type": "string", "minLength": 1, "maxLength": 200, "description": "what it is kept under; what was there is replaced"},
    "scope": {"type": "string", "maxLength": 400, "default": "", "description": "a workflow as `namespace/name`; empty: shared by all of the organization's"},
    "messages": {"type": "array", "maxItems": 2000},
    "untrusted": {"type": "array", "items": {"type": "string"}, "maxItems": 1000, "description": "where what came from that nobody vouches for"},
    "ttl": {"description": "how long it is kept, 90 days where it is left out: seconds, ISO 8601 text or a duration object"}
  },
  "required": ["key", "messages"],
  "additionalProperties": false
})json";
constexpr std::string_view kWriteOutput = R"json({
  "type": "object",
  "properties": {
    "kept": {"type": "boolean"},
    "messages": {"type": "integer", "description": "how many are kept"},
    "expires_at": {"type": ["string", "null"]},
    "reason": {"type": "string", "description": "why nothing was kept"}
  }
})json";

json::Value literal(std::string_view text) {
  auto value = json::parse(text);
  PAWL_ASSERT(value.has_value(), "a literal is JSON");
  return std::move(*value);
}

std::string text_in(const json::Value& object, std::string_view name) {
  const auto& value = object.get(name);
  return value.is_string() ? std::string(value.as_string()) : std::string();
}

Outcome failed(const Error& error) {
  const auto kind = error.kind == ErrorClass::invalid ? "validation" : "runtime";
  return Outcome::failure(engine::make_error(kind, http_status(error.kind), error.code, error.message));
}

Error not_here() { return {ErrorClass::unavailable, "memory.unavailable", "This process keeps no memories of agents."}; }

/// What both have in common.
class MemoryFunction : public engine::Function {
 public:
  MemoryFunction(MemoryFunctions parts, std::string_view parameters)
      : parts_(std::move(parts)), schema_(dsl::Schema::compile(literal(parameters)).value()) {
    info_.parameters = literal(parameters);
    info_.needs = {engine::Need::memory};
  }
  [[nodiscard]] const Info& info() const override { return info_; }
  [[nodiscard]] Result<json::Value> plan(const Invocation& call) const override {
    PAWL_TRY_VOID(check(call.arguments));
    return json::Value::array(
        {json::Value::object({{"action", info_.name}, {"key", call.arguments.get("key")}, {"scope", text_in(call.arguments, "scope")}})});
  }
  [[nodiscard]] engine::Cancel start(Invocation call, Done done) override {
    if (call.dry_run) {
      auto steps = plan(call);
      done(steps.has_value() ? Outcome::planned(std::move(*steps)) : failed(steps.error()));
    } else if (const auto checked = check(call.arguments); checked.has_error()) {
      done(failed(checked.error()));
    } else if (parts_.memories == nullptr || call.organization.is_nil()) {
      done(failed(not_here()));
    } else {
      run(std::move(call), std::move(done));
    }
    return {};
  }

 protected:
  virtual void run(Invocation call, Done done) = 0;

  [[nodiscard]] Result<void> check(const json::Value& arguments) const {
    const auto findings = schema_.validate(arguments);
    if (findings.empty()) return {};
    return Error(ErrorClass::invalid, "memory.arguments", info_.name + ": " + findings[0].pointer + " " + findings[0].message);
  }

  MemoryFunctions parts_;
  Info info_;

 private:
  dsl::Schema schema_;
};

class MemoryRead final : public MemoryFunction {
 public:
  explicit MemoryRead(MemoryFunctions parts) : MemoryFunction(std::move(parts), kReadParameters) {
    info_.name = "memory-read";
    info_.summary = "Reads what an agent of an earlier run kept under a key";
    info_.output = literal(kReadOutput);
    info_.examples = literal(R"([{"key": "customer-17", "scope": "support/triage"}])");
  }
  [[nodiscard]] engine::EffectClass effect_class(const json::Value& /*arguments*/) const override { return engine::EffectClass::read; }

 private:
  void run(Invocation call, Done done) override {
    const auto shared = std::make_shared<Done>(std::move(done));
    const bool taken = parts_.pool->try_post([memories = parts_.memories, call = std::move(call), shared] {
      const auto found = memories->find(call.organization, text_in(call.arguments, "scope"), text_in(call.arguments, "key"));
      if (found.has_error()) return (*shared)(failed(found.error()));
      const auto& memory = *found;
      (*shared)(
          Outcome::success(json::Value::object({{"found", memory.has_value()},
                                                {"messages", memory ? memory->messages : json::Value()},
                                                {"untrusted", memory ? memory->untrusted : json::Value::array()},
                                                {"run_id", memory ? json::Value(memory->run.to_string()) : json::Value()},
                                                {"updated_at", memory ? json::Value(to_rfc3339(memory->updated_at)) : json::Value()}})));
    });
    if (!taken) (*shared)(failed(Error(ErrorClass::unavailable, "server.busy", "The server is busy; try again.")));
  }
};

/// What a run wants kept, while it is looked up whose it is and how old its words may be.
class Keeping : public std::enable_shared_from_this<Keeping> {
 public:
  Keeping(MemoryFunctions parts, Memory memory, Done done) : parts_(std::move(parts)), memory_(std::move(memory)), done_(std::move(done)) {}

  void begin() {
    const auto own = [self = shared_from_this()](const Result<engine::RunView>& view) {
      // Nobody's is nothing that is kept: who is erased later would leave it here.
      if (view.has_error()) return self->done_(failed(view.error()));
      if (const auto user = UserId::parse(engine::starter_of(view->trigger))) self->memory_.user = *user;
      // A run that somebody else retried, forked or called holds the words of whoever started it first.
      for (const auto& id : engine::starters_of(view->trigger)) {
        if (const auto user = UserId::parse(id)) self->memory_.starters.push_back(*user);
      }
      self->memory_.since = view->created_at;
      self->look_back(view->trigger, kMostAbove);
    };
    parts_.view(memory_.organization, memory_.run, own);
  }

 private:
  /// Runs that called one another, and forks of forks.
  static constexpr int kMostAbove = 64;

  /// A run that was forked off, or called, began with what another one had read. `left`: how many may be looked at.
  void look_back(const json::Value& trigger, int left) {
    auto before = RunId::parse(text_in(trigger, "run"));
    if (!before) before = RunId::parse(text_in(trigger, "run_id"));
    if (!before) return write();
    if (left == 0) return write_oldest();
    const auto seen = [self = shared_from_this(), left](const Result<engine::RunView>& view) {
      if (view.has_error()) {
        if (view.error().kind != ErrorClass::not_found) return self->done_(failed(view.error()));
        return self->write_oldest();
      }
      self->memory_.since = std::min(self->memory_.since, view->created_at);
      self->look_back(view->trigger, left - 1);
    };
    parts_.view(memory_.organization, *before, seen);
  }

  /// Nobody knows how old.
  void write_oldest() {
    memory_.since = {};
    write();
  }

  void write() {
    const auto told =
        json::Value::object({{"kept", true}, {"messages", memory_.messages.size()}, {"expires_at", to_rfc3339(*memory_.expires_at)}});
    const auto written = [self = shared_from_this(), told](const Result<void>& outcome) {
      if (outcome.has_value()) return self->done_(Outcome::success(told));
      if (outcome.error().code != "memory.words_gone") return self->done_(failed(outcome.error()));
      // Of somebody else's erasure no run fails.
      self->done_(Outcome::success(
          json::Value::object({{"kept", false}, {"messages", 0}, {"expires_at", nullptr}, {"reason", outcome.error().message}})));
    };
    parts_.memories->write(std::move(memory_), written);
  }

  MemoryFunctions parts_;
  Memory memory_;
  Done done_;
};

class MemoryWrite final : public MemoryFunction {
 public:
  explicit MemoryWrite(MemoryFunctions parts) : MemoryFunction(std::move(parts), kWriteParameters) {
    info_.name = "memory-write";
    info_.summary = "Keeps messages under a key, for agents of later runs";
    info_.output = literal(kWriteOutput);
    info_.content = {"messages"};
    info_.examples = literal(
        R"([{"key": "customer-17", "scope": "support/triage", "messages": [{"role": "user", "content": "I prefer e-mail."}], "ttl": "P30D"}])");
  }
  [[nodiscard]] engine::EffectClass effect_class(const json::Value& /*arguments*/) const override {
    return engine::EffectClass::idempotent;
  }

 private:
  void run(Invocation call, Done done) override {
    const auto& arguments = call.arguments;
    Memory memory;
    memory.organization = call.organization;
    memory.run = call.run;
    memory.scope = text_in(arguments, "scope");
    memory.key = text_in(arguments, "key");
    memory.messages = arguments.get("messages");
    memory.untrusted = arguments.get("untrusted").is_array() ? arguments.get("untrusted") : json::Value::array();
    if (json::to_text(memory.messages).size() > kMostBytes) {
      return done(failed(Error(ErrorClass::too_large, "memory.too_large", "A memory has at most 512 KiB.")));
    }
    auto ttl = kUsualTtl;
    if (const auto& given = arguments.get("ttl"); !given.is_null()) {
      const auto wanted = dsl::to_duration(given);
      if (wanted.has_error() || wanted->count() <= 0) {
        return done(failed(Error(ErrorClass::invalid, "memory.arguments", "`ttl` must be a duration longer than nothing.")));
      }
      ttl = Millis(*wanted);
    }
    memory.expires_at = parts_.clock->now() + ttl;
    if (!parts_.view) return done(failed(not_here()));
    const auto keeping = std::make_shared<Keeping>(parts_, std::move(memory), std::move(done));
    keeping->begin();
  }
};

}  // namespace

void add_memory_functions(engine::FunctionRegistry& registry, MemoryFunctions parts) {
  registry.add(std::make_unique<MemoryRead>(parts));
  registry.add(std::make_unique<MemoryWrite>(std::move(parts)));
}

}  // namespace pawl::agents
