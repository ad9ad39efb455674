/// call and run: everything that touches the outside.
#include <algorithm>
#include <array>

#include "dsl/detail/call_shapes.hpp"
#include "dsl/detail/compiler.hpp"
#include "dsl/detail/scan.hpp"
#include "dsl/detail/suggest.hpp"
#include "json/pointer.hpp"
#include "json/write.hpp"

namespace pawl::dsl::detail {
namespace {

constexpr std::array<std::string_view, 6> kProtocols = {"http", "openapi", "grpc", "asyncapi", "a2a", "mcp"};
/// Functions that call functions that call functions: deeper than this is a mistake, and each level costs call stack here.
constexpr std::size_t kMaxCopies = 10;
constexpr std::size_t kMaxRemote = 20;
/// Bytes of all copies of functions, as text: each is compiled again, which takes some twenty times that in memory.
constexpr std::size_t kMaxCopiedBytes = 8U << 20U;

std::optional<EffectClass> declared_effect(const json::Value& metadata) {
  const json::Value& effect = metadata.get("effect");
  if (!effect.is_string()) return std::nullopt;
  const std::string_view name = effect.as_string();
  if (name == "pure") return EffectClass::pure;
  if (name == "read") return EffectClass::read;
  if (name == "idempotent") return EffectClass::idempotent;
  if (name == "once") return EffectClass::once;
  return std::nullopt;
}

/// `name`, `name:version`, `name:version@catalog`, `name@catalog`.
struct FunctionName {
  std::string_view name;
  std::optional<std::string_view> version;
  std::optional<std::string_view> catalog;
};

FunctionName split(std::string_view text) {
  FunctionName parts;
  if (const auto at = text.rfind('@'); at != std::string_view::npos) {
    parts.catalog = text.substr(at + 1);
    text = text.substr(0, at);
  }
  if (const auto colon = text.find(':'); colon != std::string_view::npos) {
    parts.version = text.substr(colon + 1);
    text = text.substr(0, colon);
  }
  parts.name = text;
  return parts;
}

}  // namespace

std::string Compiler::nearest_function(std::string_view name) const {
  std::vector<std::string> names = functions_.names();
  for (const auto& [own, node] : function_tasks_) names.push_back(own);
  names.insert(names.end(), kProtocols.begin(), kProtocols.end());
  names.emplace_back("agent");
  return nearest(name, names);
}

void Compiler::check_shape(const JsonSchema& schema, const Node& node) {
  Findings found;
  SchemaCheckOptions options;
  options.skip_expressions = true;
  options.skip_texts = loose_;
  schema.check(node.value, node.pointer, options, found);
  // Earlier releases saved `call: mcp` with whatever else stood there; what runs since then goes on to.
  const bool takes_more = source_ == Source::stored && &schema == call_shape("mcp");
  for (Finding& finding : found) {
    const bool is_own = finding.pointer.rfind('/') == node.pointer.size();
    if (takes_more && is_own && finding.rule == "unknown-property") finding.severity = Severity::warning;
    report_.take(std::move(finding));
  }
}

void Compiler::check_arguments(const FunctionCatalog::Signature& signature, const Node& with) {
  if (!signature.parameters.is_object()) return;
  auto [known, is_new] = parameter_schemas_.try_emplace(signature.name);
  if (is_new) {
    // A function that lists its parameters means these and no others, unless it says more about them.
    json::Value closed = signature.parameters;
    bool open = !closed.get("properties").is_object();
    for (const std::string_view keyword :
         {"additionalProperties", "unevaluatedProperties", "patternProperties", "$ref", "allOf", "anyOf", "oneOf"}) {
      open = open || closed.find(keyword) != nullptr;
    }
    if (!open) closed.set("additionalProperties", false);
    Result<JsonSchema> compiled = JsonSchema::compile(closed);
    if (compiled.has_value()) known->second = std::move(compiled).value();
  }
  if (known->second) check_shape(*known->second, with);
}

void Compiler::call_task(Task& task, const Node& node, const Place& place) {
  task.body = CallTask{};
  const auto call = member(node, "call");
  const auto name = call ? text(*call, "`call`") : std::nullopt;
  if (!name) return;
  if (is_protocol(*name)) {
    if (const auto with = required(node, "with", "`call: " + *name + '`')) protocol_call(task, *name, *with, place);
    return;
  }
  if (function_tasks_.find(*name) != function_tasks_.end()) return invoke(task, *name, node, place);
  catalog_call(task, *call, member(node, "with"), place);
}

bool Compiler::is_protocol(std::string_view name) { return std::find(kProtocols.begin(), kProtocols.end(), name) != kProtocols.end(); }

void Compiler::protocol_call(Task& task, const std::string& name, const Node& with, const Place& place) {
  CallTask call;
  call.function = name;
  call.effect = declared_effect(task.metadata);
  if (is_object(with, "The arguments of a call")) {
    check_shape(*call_shape(name), with);
    authentication_place_ = true;
    if (name == "asyncapi" && with.value.get("subscription").is_object()) {
      asyncapi_subscription(call, with, place);
    } else {
      call.arguments = data(with, place.names);
    }
    authentication_place_ = false;
    if (name == "mcp") {
      if (const auto limit = member(with, "timeout")) (void)duration(*limit, place.names);
    }
  }
  task.body = std::move(call);
}

void Compiler::asyncapi_subscription(CallTask& call, const Node& with, const Place& place) {
  const Node subscription = *member(with, "subscription");
  Names message = with_name(place.names, "item");
  if (const auto each = member(subscription, "foreach")) {
    const bool before = authentication_place_;
    authentication_place_ = false;
    call.foreach = foreach_clause(*each, place);
    authentication_place_ = before;
  }
  if (const auto filter = member(subscription, "filter")) (void)expression(*filter, message, "`filter`");
  if (const auto consume = member(subscription, "consume"); consume && consume->value.is_object()) {
    for (const std::string_view name : {"while", "until"}) {
      if (const auto condition = member(*consume, name)) (void)expression(*condition, message, "`" + std::string(name) + '`');
    }
    if (const auto period = member(*consume, "for")) (void)duration(*period, place.names);
  }
  Node rest = with;
  rest.value.erase("subscription");
  const Template others = data(rest, place.names);
  json::Value written = subscription.value;
  written.erase("foreach");
  auto made = std::make_shared<Template::ObjectOf>();
  if (others.is_constant()) {
    for (const json::Member& entry : others.constant().members())
      made->members.emplace_back(std::string(entry.name()), Template(entry.value));
  } else {
    made->members = std::get<std::shared_ptr<const Template::ObjectOf>>(others.node())->members;
  }
  made->members.emplace_back("subscription", Template(std::move(written)));
  call.arguments = Template(std::shared_ptr<const Template::ObjectOf>(std::move(made)));
}

void Compiler::invoke(Task& task, const std::string& name, const Node& node, const Place& place) {
  InvokeTask made;
  if (const auto with = member(node, "with"); with && is_object(*with, "`with`")) {
    made.arguments = data(*with, place.names);
  } else {
    made.pass_input = true;
  }
  if (!place.expand) {
    calls_between_.emplace(json::pointer_child(node.pointer, "call"), name);
  } else if (std::find(calling_.begin(), calling_.end(), name) == calling_.end()) {
    const Node& definition = function_tasks_.find(name)->second;
    Place inside;
    inside.names = task_names();
    inside.strip = definition.pointer.size();
    inside.prefix = json::pointer_child(task.reference + "/call", name);
    inside.extend = place.extend;
    const Reporter::Mute mute(report_, true);
    copy_function(task, made, name, definition, std::move(inside));
  }
  task.body = std::move(made);
}

void Compiler::copy_function(Task& task, InvokeTask& made, const std::string& name, const Node& definition, Place inside) {
  if (calling_.size() >= kMaxCopies) {
    return report_.error(task.reference, "function-depth",
                         "Functions call each other more than " + std::to_string(kMaxCopies) + " levels deep.");
  }
  auto& size = function_sizes_[name];
  if (size == 0) size = json::to_text(definition.value).size();
  copied_bytes_ += size;
  if (copied_bytes_ > kMaxCopiedBytes) {
    if (!overflow_) overflow_ = task.reference;
    return;
  }
  inside.parent = task.index;
  calling_.push_back(name);
  made.callee = this->task(definition, name, inside, {});
  calling_.pop_back();
}

/// While a function of a catalog is compiled, what the document defines is not there.
class Compiler::OutOfSight {
 public:
  explicit OutOfSight(Compiler& compiler) : compiler_(compiler) { swap(); }
  OutOfSight(const OutOfSight&) = delete;
  OutOfSight& operator=(const OutOfSight&) = delete;
  ~OutOfSight() { swap(); }

 private:
  void swap() {
    std::swap(compiler_.errors_, errors_);
    std::swap(compiler_.retries_, retries_);
    std::swap(compiler_.timeouts_, timeouts_);
    std::swap(compiler_.authentications_, authentications_);
    std::swap(compiler_.catalogs_, catalogs_);
    std::swap(compiler_.function_tasks_, function_tasks_);
    std::swap(compiler_.loose_, loose_);
    std::swap(compiler_.reads_event_data_, reads_event_data_);
    std::swap(compiler_.in_function_, in_function_);
  }

  Compiler& compiler_;
  Definitions errors_, retries_, timeouts_, authentications_, catalogs_, function_tasks_;
  bool loose_ = false;
  bool reads_event_data_ = false;
  bool in_function_ = true;
};

void Compiler::definition_call(Task& task, const FunctionDefinitionPtr& called, const Node& name, const std::optional<Node>& with,
                               const Place& place) {
  const std::string shown = called->name + ':' + called->version + (called->catalog.empty() ? "" : '@' + called->catalog);
  InvokeTask made;
  made.pass_input = !with;
  if (with && is_object(*with, "The arguments of a call")) {
    check_arguments({shown, called->task.get("input").get("schema").get("document")}, *with);
    made.arguments = data(*with, place.names);
  }
  if (std::find(plan_.functions.begin(), plan_.functions.end(), called) == plan_.functions.end()) plan_.functions.push_back(called);
  if (std::find(calling_.begin(), calling_.end(), shown) != calling_.end()) {
    report_.error(name.pointer, "function-recursion", "Functions must not call themselves: `" + shown + "`.");
  } else if (place.expand) {
    // What is wrong with the function was said where it stands; what is wrong with it here is said at the call.
    Place inside;
    inside.names = function_names();
    inside.prefix = json::pointer_child(task.reference + "/call", called->name + ':' + called->version);
    inside.extend = false;
    auto before = report_.exchange_unreported(std::nullopt);
    const bool fits = !overflow_;
    {
      const Reporter::Mute mute(report_, true);
      const OutOfSight hidden(*this);
      copy_function(task, made, shown, {called->task, {}}, std::move(inside));
    }
    if (fits && overflow_) overflow_ = name.pointer;
    if (auto fault = report_.exchange_unreported(std::move(before))) {
      fault->pointer = name.pointer;
      fault->message = "`" + shown + "` cannot be called here. " + fault->message;
      report_.take(std::move(*fault));
    }
  }
  task.body = std::move(made);
}

/// A function of `use.catalogs`: the file whose digest stands in the document, and no other.
FunctionDefinitionPtr Compiler::remote_function(const Node& call, const Node& catalog, std::string_view name, std::string_view version) {
  const json::Value& endpoint = catalog.value.get("endpoint");
  const json::Value& uri = endpoint.is_object() ? endpoint.get("uri") : endpoint;
  const std::string shown = std::string(name.substr(0, 60)) + ':' + std::string(version.substr(0, 40));
  if (!uri.is_string() || has_expression(uri.as_string())) {
    report_.error(catalog.pointer, "remote-catalog", "The address of a catalog is written out: it is read before anything runs.");
  } else if (!endpoint.get("authentication").is_null()) {
    report_.error(catalog.pointer, "remote-catalog", "Catalogs are read without credentials.");
  } else if (version.empty() || version == "latest") {
    report_.error(call.pointer, "invalid-version",
                  "A function of a catalog elsewhere is called with its version, as in `name:1.0.0@catalog`.");
  } else if (const json::Value& pin = catalog.value.get("pins").get(shown); !pin.is_string()) {
    report_.error(call.pointer, "missing-pin",
                  "`pins` of the catalog has no `" + shown + "`: write the digest of its file there, as in `sha256:...` (64 digits).");
  } else if (constexpr std::string_view kPrefix = "sha256:"; pin.size() != kPrefix.size() + 64 || !pin.as_string().starts_with(kPrefix)) {
    report_.error(call.pointer, "missing-pin",
                  "`pins` of the catalog has no digest for `" + shown + "`: it is written as `sha256:` and 64 digits.");
  } else {
    FunctionCatalog::Remote wanted{std::string(uri.as_string()), std::string(name), std::string(version),
                                   std::string(pin.as_string().substr(kPrefix.size()))};
    // Each may be a request that takes its time.
    remote_asked_.insert(wanted.catalog + ' ' + shown);
    if (remote_asked_.size() > kMaxRemote) {
      report_.error(call.pointer, "remote-catalog",
                    "A workflow calls at most " + std::to_string(kMaxRemote) + " functions of catalogs elsewhere.");
    } else if (remote_failed_) {
      report_.error(call.pointer, "remote-catalog", "`" + shown + "` was not looked for: another one could not be had.");
    } else {
      auto found = functions_.remote(wanted);
      if (found.has_value()) return std::move(*found);
      remote_failed_ = true;
      report_.error(call.pointer, "remote-catalog", "`" + shown + "` cannot be had: " + found.error().message);
    }
  }
  return nullptr;
}

/// What `name[:version][@catalog]` is among the functions that users have written; says so where there is none.
FunctionDefinitionPtr Compiler::written_function(const Node& name_node) {
  const std::string_view text = name_node.value.as_string();
  const FunctionName name = split(text);
  const std::string_view version = name.version.value_or("");
  if (name.catalog && *name.catalog != "default") {
    if (const auto catalog = catalogs_.find(*name.catalog); catalog != catalogs_.end()) {
      return remote_function(name_node, catalog->second, name.name, version);
    }
    std::vector<std::string> known = {"default"};
    for (const auto& [catalog, node] : catalogs_) known.push_back(catalog);
    report_.error(name_node.pointer, "unknown-catalog",
                  "`use.catalogs` does not define `" + std::string(name.catalog->substr(0, 60)) + "`.", nearest(*name.catalog, known));
    return nullptr;
  }
  if (auto called = functions_.definition(name.name, version)) return called;
  if (const auto newest = functions_.definition(name.name, {})) {
    report_.error(name_node.pointer, "unknown-function",
                  "The function `" + newest->name + "` has no version `" + std::string(version.substr(0, 40)) + "`.",
                  newest->name + ':' + newest->version);
  } else {
    report_.error(name_node.pointer, "unknown-function", "There is no function `" + std::string(text.substr(0, 80)) + "`.",
                  nearest_function(name.name));
  }
  return nullptr;
}

void Compiler::catalog_call(Task& task, const Node& name_node, const std::optional<Node>& with, const Place& place) {
  CallTask made;
  made.effect = declared_effect(task.metadata);
  const std::string_view text = name_node.value.as_string();
  const FunctionName name = split(text);
  const bool is_own = !name.catalog || *name.catalog == "default";
  const FunctionCatalog::Signature* signature = nullptr;
  made.function = is_own ? name.name : text;
  if (text.find("://") != std::string_view::npos) {
    report_.error(name_node.pointer, "unknown-function",
                  "Functions are called by name, not by address: `" + std::string(text.substr(0, 80)) + "`.");
  } else if (name.version && !is_semantic_version(*name.version) && *name.version != "latest") {
    report_.error(name_node.pointer, "invalid-version",
                  "The version of a function is written as in `" + std::string(name.name.substr(0, 60)) + ":1.0.0`.");
  } else if (is_own && name.name == "agent") {
    return agent_call(task, name_node, with, place);
  } else if (signature = is_own ? functions_.find(name.name) : nullptr; signature != nullptr) {
    made.function = signature->name;
  } else if (const auto called = written_function(name_node)) {
    return definition_call(task, called, name_node, with, place);
  }
  if (with && is_object(*with, "The arguments of a call")) {
    if (signature) check_arguments(*signature, *with);
    made.arguments = data(*with, place.names);
  } else {
    made.arguments = Template(json::Value::object());
    if (signature && !with) check_arguments(*signature, {json::Value::object(), name_node.pointer.substr(0, name_node.pointer.rfind('/'))});
  }
  task.body = std::move(made);
}

void Compiler::run_task(Task& task, const Node& node, const Place& place) {
  constexpr std::array<std::string_view, 4> kKinds = {"container", "script", "shell", "workflow"};
  constexpr std::array<std::string_view, 6> kMembers = {"container", "script", "shell", "workflow", "await", "return"};
  task.body = CallTask{};
  if (!is_object(node, "`run`")) return;
  check_members(node, kMembers, "`run`");
  std::optional<Node> process;
  std::string_view kind;
  for (const json::Member& entry : node.value.members()) {
    const auto known = std::find(kKinds.begin(), kKinds.end(), entry.name());
    if (known == kKinds.end()) continue;
    Node given{entry.value, json::pointer_child(node.pointer, *known)};
    if (process) {
      report_.key_error(given.pointer, "excludes-each-other",
                        "`run` runs one process: `" + std::string(kind) + "` or `" + std::string(*known) + "`, not both.");
    } else {
      process = std::move(given);
      kind = *known;
    }
  }
  if (!process) return missing(node.pointer, "container`, `script`, `shell` or `workflow", "`run`");
  run_process(task, kind, *process, member(node, "await"), member(node, "return"), place);
}

void Compiler::run_process(Task& task, std::string_view kind, const Node& process, const std::optional<Node>& await,
                           const std::optional<Node>& returned, const Place& place) {
  constexpr std::array<std::string_view, 5> kReturns = {"stdout", "stderr", "code", "all", "none"};
  CallTask made;
  made.function = "run." + std::string(kind);
  made.effect = declared_effect(task.metadata);
  auto arguments = std::make_shared<Template::ObjectOf>();
  if (is_object(process, "`" + std::string(kind) + '`')) {
    check_shape(*call_shape(made.function), process);
    authentication_place_ = true;
    for (const json::Member& entry : process.value.members()) {
      keep_inner_dollars_ = kind == "script" && entry.name() == "code";
      shell_text_ = kind == "shell" && entry.name() == "command";
      if (kind == "workflow" && entry.name() == "input") authentication_place_ = false;
      Template value = data({entry.value, json::pointer_child(process.pointer, entry.name())}, place.names);
      arguments->members.emplace_back(std::string(entry.name()), std::move(value));
      keep_inner_dollars_ = false;
      shell_text_ = false;
    }
    authentication_place_ = false;
  }
  if (await) {
    made.await = boolean(*await, "`await`").value_or(true);
    arguments->members.emplace_back("await", Template(json::Value(made.await)));
  }
  if (returned) {
    const auto form = one_of(*returned, "`return`", kReturns).value_or("stdout");
    made.keep_input = form == "none";
    arguments->members.emplace_back("return", Template(json::Value(form)));
  }
  made.arguments = Template(std::shared_ptr<const Template::ObjectOf>(std::move(arguments)));
  task.body = std::move(made);
}

}  // namespace pawl::dsl::detail
