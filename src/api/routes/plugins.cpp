// The functions that a `call` may name, and what a call would do.
#include <fmt/core.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <set>
#include <vector>

#include "api/body.hpp"
#include "api/detail/context.hpp"
#include "api/detail/dry_runs.hpp"
#include "api/detail/execution.hpp"
#include "api/detail/function_calls.hpp"
#include "api/detail/shown.hpp"
#include "api/detail/whole_list.hpp"
#include "api/json_writer.hpp"
#include "api/routes/theme.hpp"
#include "audit/audit.hpp"
#include "engine/function.hpp"

namespace pawl::api::detail {
namespace {

std::string_view to_text(engine::Access::Kind kind) {
  switch (kind) {
    case engine::Access::Kind::host: return "host";
    case engine::Access::Kind::read: return "read";
    case engine::Access::Kind::write: return "write";
    case engine::Access::Kind::process: return "process";
    case engine::Access::Kind::database: return "database";
    case engine::Access::Kind::mail: return "mail";
    case engine::Access::Kind::model: return "model";
    case engine::Access::Kind::workflow: break;
  }
  return "workflow";
}

void append_access(std::string& out, const engine::Access& access) {
  ObjectWriter object(out);
  object.text("kind", to_text(access.kind));
  object.text_or_null("parameter", access.parameter);
  object.text_or_null("name", access.fixed);
  object.text_or_null("when", access.when);
}

void append_plugin(std::string& out, const engine::Function& function) {
  const auto& info = function.info();
  ObjectWriter object(out);
  object.text("name", info.name);
  object.text("version", info.version);
  object.text("description", info.summary);
  object.boolean("destructive", info.destructive);
  append_array(object.raw("needs"), engine::needs_of(info), [&out](engine::Need need) { json::append_quoted(out, engine::to_text(need)); });
  append_array(object.raw("effects"), effects_of(function),
               [&out](engine::EffectClass effect) { json::append_quoted(out, effect_name(effect)); });
  object.value("parameters", info.parameters);
  object.value("output", info.output);
  object.value("examples", info.examples);
  append_array(object.raw("reach"), info.reach, [&out](const engine::Access& access) { append_access(out, access); });
}

void append_plugin(std::string& out, const engine::UserFunction& function) {
  ObjectWriter object(out);
  object.text("name", function.definition->name);
  object.text("version", function.definition->version);
  object.text("description", function.summary);
  object.boolean("destructive", function.destructive);
  append_array(object.raw("needs"), function.needs, [&out](const std::string& need) { json::append_quoted(out, need); });
  append_array(object.raw("effects"), function.effects,
               [&out](engine::EffectClass effect) { json::append_quoted(out, effect_name(effect)); });
  object.value("parameters", function.parameters);
  object.value("output", function.output);
  object.value("examples", function.examples);
  object.value("permissions", function.permissions);
}

constexpr std::size_t kMostFaults = 100;

/// Of a fault in `functions/NAME/VERSION/function.yaml`, without what the file says.
std::string general_message(const Context& context, std::string_view file) {
  const auto next = [&file] {
    const auto part = file.substr(0, file.find('/'));
    file.remove_prefix(std::min(file.size(), part.size() + 1));
    return part;
  };
  next();
  const auto name = next();
  const auto version = next();
  const auto written = context.d.functions.user_functions();
  const bool stays = std::any_of(written->begin(), written->end(), [&](const auto& function) {
    return function.definition->name == name && function.definition->version == version;
  });
  return fmt::format("The function `{}`{}{} {}: its file has a fault. Administrators of the installation are told which.", name,
                     version.empty() ? "" : " ", version, stays ? "stays as it was before" : "is left out");
}

struct Faults {
  json::Value told = json::Value::array();  ///< `most` of them
  std::int64_t all = 0;
};

/// What is wrong with files of user functions. A message quotes its file, which nobody reads by the API: who may have the folder read again
/// is told it, others a general one. What is wrong with the folder itself names places of the installation, and is not among these.
Faults faults_in(const Context& context, const Call& call, std::size_t most, std::string_view below = {}) {
  Faults faults;
  if (!context.d.function_faults) return faults;
  const bool whole = call.principal.permits(Permission::administer, call.organization);
  const auto all = context.d.function_faults();
  for (const auto& one : all.items()) {
    const auto file = one.get("file").as_string();
    if (file.empty() || !file.starts_with(below)) continue;
    ++faults.all;
    if (faults.told.size() >= most) continue;
    auto fault = one;
    if (!whole) fault.set("message", general_message(context, file));
    faults.told.push_back(std::move(fault));
  }
  return faults;
}

void list_plugins(Context& context, Call call) {
  struct Item {
    std::string place;  ///< ours stand before those that users have written
    std::function<void()> append;
  };
  std::string out;
  std::vector<Item> items;
  for (const engine::Function* function : context.d.functions.all()) {
    items.push_back({"0" + std::string(function->info().name), [&out, function] { append_plugin(out, *function); }});
  }
  const auto written = context.d.functions.user_functions();
  std::string_view last;
  for (const auto& function : *written) {
    // Who wrote it may have called it as one of ours is called.
    if (function.definition->name != last) {
      items.push_back({"1" + function.definition->name, [&out, &function] { append_plugin(out, function); }});
    }
    last = function.definition->name;
  }
  Query query(call.request);
  const auto page = page_of(query, items, [](const Item& item) { return item.place; });
  PAWL_API_CHECK(query.finish());
  {
    ObjectWriter object(out);
    append_array(object.raw("items"), page.items, [](const Item& item) { item.append(); });
    page.write_next(object);
    const auto faults = faults_in(context, call, page.begin == 0 ? kMostFaults : 0);
    object.value("findings", faults.told);
    object.integer("findings_total", faults.all);
  }
  call.reply(200, std::move(out));
}

std::string name_in_path(const Call& call) {
  std::string name(call.request.param("name"));
  std::replace(name.begin(), name.end(), '_', '-');
  return name;
}

Result<const engine::Function*> function_in_path(const Context& context, const Call& call) {
  const std::string name = name_in_path(call);
  const engine::Function* function = context.d.functions.get(name);
  if (function != nullptr) return function;
  std::string why = "There is no plug-in of this name.";
  if (const auto faults = faults_in(context, call, 1, fmt::format("functions/{}/", name)); faults.all > 0) {
    const auto& first = faults.told.items().front();
    why = fmt::format("The function is left out for a fault in {}, line {}: {}", first.get("file").as_string(),
                      first.get("line").as_integer(), first.get("message").as_string());
  }
  return Error(ErrorClass::not_found, "plugin.not_found", std::move(why));
}

void get_plugin(Context& context, Call call) {
  std::string out;
  if (const auto written = user_function(context.d.functions, name_in_path(call))) {
    append_plugin(out, *written);
    return call.reply(200, std::move(out));
  }
  PAWL_API_TRY(function, function_in_path(context, call));
  append_plugin(out, *function);
  call.reply(200, std::move(out));
}

/// A try-out stands in the trail like every execution of a function: it may have read. Queued before the request's own record, which the
/// answer waits for.
Result<void> record_trial(const Context& context, const Call& call, const engine::Function::Info& info, const json::Value& parameters,
                          TimePoint began, const Result<json::Value>& plan) {
  if (context.d.audit == nullptr) return {};
  audit::Record record;
  record.organization = call.organization;
  record.actor = actor_of(call.principal);
  record.action = "function.executed";
  record.resource = {"function", info.name};
  record.outcome = plan.has_value() ? audit::Outcome::dry_run : audit::Outcome::failure;
  record.address = call.request.remote_address;
  record.request_id = call.request.request_id;
  record.duration = context.d.clock.now() - began;
  record.details = json::Value::object({{"params", engine::recorded(info, parameters)}, {"trial", true}});
  if (plan.has_error()) {
    record.details.set("error", json::Value::object({{"status", http_status(plan.error().kind)}, {"detail", plan.error().message}}));
  }
  return context.d.audit->append(std::move(record));
}

/// What the steps of a user function would call, and where: which of them a call takes is decided when it runs.
void test_user_function(const Context& context, const engine::UserFunction& function, Call call) {
  json::Value parameters = call.body.get("params");
  if (parameters.is_null()) parameters = json::Value::object();
  PAWL_API_TRY_VOID(check_parameters(function.parameters, parameters, "/params"));
  auto plan = json::Value::array();
  const auto& called = function.permissions.get("functions");
  for (const auto& one : called.items()) {
    plan.push_back(json::Value::object({{"action", "call"}, {"function", one.get("name")}, {"tasks", one.get("tasks")}}));
  }
  engine::Function::Info info;
  info.name = function.definition->name;
  // Nobody has said which of its parameters are content.
  if (parameters.is_object()) {
    for (const auto& parameter : parameters.members()) info.content.emplace_back(parameter.name());
  }
  PAWL_API_TRY_VOID(record_trial(context, call, info, parameters, context.d.clock.now(), plan));
  std::string out;
  {
    ObjectWriter object(out);
    object.boolean("dry_run", true);
    object.text("effect", effect_name(function.effects.back()));
    object.value("plan", plan);
  }
  call.reply(200, std::move(out));
}

/// The plan of a call: it may read, and changes nothing. Nobody's secrets are there.
void test_plugin(Context& context, Call call) {
  if (const auto written = user_function(context.d.functions, name_in_path(call)))
    return test_user_function(context, *written, std::move(call));
  PAWL_API_TRY(function, function_in_path(context, call));
  engine::Invocation invocation;
  invocation.arguments = call.body.get("params");
  if (invocation.arguments.is_null()) invocation.arguments = json::Value::object();
  PAWL_API_TRY_VOID(check_parameters(function->info().parameters, invocation.arguments, "/params"));
  invocation.input = call.body.get("input");
  invocation.secrets = json::Value::object();
  invocation.effect = function->effect_class(invocation.arguments);
  invocation.dry_run = true;
  invocation.now = context.d.clock.now();
  auto planned = function->plan(invocation);
  PAWL_API_TRY_VOID(record_trial(context, call, function->info(), invocation.arguments, invocation.now, planned));
  PAWL_API_TRY(plan, std::move(planned));
  std::string out;
  {
    ObjectWriter object(out);
    object.boolean("dry_run", true);
    object.text("effect", effect_name(invocation.effect));
    object.value("plan", plan);
  }
  call.reply(200, std::move(out));
}

std::string execution_json(const engine::RunView& run) {
  std::string out;
  {
    ObjectWriter object(out);
    object.text("run_id", run.id.to_string());
    object.text("status", engine::to_text(run.phase));
    object.value("output", run.output);
    object.value("error", run.error);
  }
  return out;
}

/// One call as a run of its own: journaled, permitted and written into the trail as the step of any workflow.
void execute_plugin(Context& context, Call call) {
  const std::string name = name_in_path(call);
  json::Value params = call.body.get("params");
  if (params.is_null()) params = json::Value::object();
  if (user_function(context.d.functions, name) == nullptr) {
    PAWL_API_TRY(function, function_in_path(context, call));
    PAWL_API_TRY_VOID(check_parameters(function->info().parameters, params, "/params"));
    if (function->info().destructive && call.body.get("allow_destructive").truthy()) params.set("allow_destructive", true);
  }
  // It ends when no client can be waiting any more.
  auto definition = document_of_call(name, std::move(params), std::chrono::duration_cast<std::chrono::seconds>(kMaxWait));
  auto checked = context.d.catalog.check(definition);
  if (!checked.ok()) {
    return call.fail(Error(ErrorClass::unprocessable, "plugin.invalid_params", "The function cannot be called with these parameters.",
                           std::move(checked.findings)));
  }
  auto trigger = trigger_of(context, call);
  trigger.set("plugin", name);
  const auto shared = std::make_shared<Call>(std::move(call));
  rehearsal(context).of_document(shared->organization, std::move(definition), *checked.value,
                                 {.input = json::Value::object(), .trigger = std::move(trigger), .dry_run = false},
                                 [&context, shared](Result<engine::RunView> run) {
                                   if (run.has_error()) return shared->fail(run.error());
                                   shared->reply(200, execution_json(shown(context, std::move(*run))));
                                 });
}

void reload_plugins(Context& context, Call call) {
  if (!context.d.functions.reload()) return call.fail(Error(ErrorClass::conflict, "plugin.no_folder", "There is no folder of functions."));
  call.reply(200, json::to_text(context.d.functions.reload()()));
}

// ---- rows -----------------------------------------------------------------------------------------------------------------------

Shape effect_shape() { return Shape::choice({"read", "pure", "idempotent", "once"}); }

Shape need_shape() {
  std::vector<std::string_view> names;
  for (auto need = engine::Need::containers; need <= engine::Need::workflows;
       need = static_cast<engine::Need>(static_cast<int>(need) + 1)) {
    names.push_back(engine::to_text(need));
  }
  return Shape::choice(std::move(names));
}

Shape plugin_test_shape() {
  const auto params = json::Value::object({{"method", "get"}, {"endpoint", "https://petstore.example/pet/7"}});
  return Shape::object("PluginTest", {{"params", Shape::any(params).described("As the function's `parameters` say."), Shape::kOptional},
                                      {"input", Shape::any(json::Value::object()).described("The task's input."), Shape::kOptional}});
}

Shape plugin_plan_shape() {
  const auto step = json::Value::object({{"action", "request"}, {"method", "GET"}, {"uri", "https://petstore.example/pet/7"}});
  return Shape::object("PluginPlan", {{"dry_run", Shape::boolean(true)},
                                      {"effect", effect_shape()},
                                      {"plan", Shape::any(json::Value::array({step})).described("What a call would do, step by step.")}});
}

Shape plugin_call_shape() {
  return Shape::object("PluginCall",
                       {{"params",
                         Shape::any(json::Value::object({{"message", "hello"}}))
                             .described("As the function's `parameters` say; expressions see an empty input."),
                         Shape::kOptional},
                        {"allow_destructive", Shape::boolean(false).described("Without it a function that destroys only tells its plan."),
                         Shape::kOptional}});
}

Shape plugin_execution_shape() {
  return Shape::object("PluginExecution", {{"run_id", Shape::id()},
                                           {"status", Shape::text("completed")},
                                           {"output", Shape::any(json::Value::object({{"text", "hello"}}))},
                                           {"error", Shape::any(nullptr)}});
}

Shape plugin_shape() {
  const auto schema = Shape::any(json::Value::object({{"type", "object"}}));
  return Shape::object(
      "Plugin", {{"name", Shape::text("http")},
                 {"version", Shape::text("1.0.0")},
                 {"description", Shape::text("Calls an HTTP service.", 10'000)},
                 {"destructive", Shape::boolean(false).described("Needs `allow_destructive: true` to do anything but plan.")},
                 {"needs", Shape::array(need_shape()).described("What the installation, and the role of who starts it, must grant.")},
                 {"effects", Shape::array(effect_shape()).described("The classes that its calls can have.")},
                 {"parameters", schema},
                 {"output", schema},
                 {"examples", Shape::any(json::Value::array())},
                 {"reach",
                  Shape::any(json::Value::array({json::Value::object({{"kind", "host"}, {"parameter", "/endpoint"}})}))
                      .described("Of the program's own: each host, path, program ... by the parameter that names it, or by name."),
                  Shape::kOptional},
                 {"permissions",
                  Shape::any(json::Value::object({{"hosts", json::Value::array()}}))
                      .described("Of a function that users have written: what it may reach, as the capabilities of a workflow."),
                  Shape::kOptional}});
}

Shape faults_shape(std::size_t most = 10'000) {
  return Shape::array(Shape::object("PluginFinding", {{"file", Shape::text("functions/greet/1.0.0/function.yaml")},
                                                      {"line", Shape::integer(3)},
                                                      {"column", Shape::integer(1)},
                                                      {"message", Shape::text("There is no function `shout`.")},
                                                      {"rule", Shape::text("unknown-function")}}),
                      most);
}

Shape plugins_shape() {
  return Shape::object(
      "PluginPage",
      {{"items", Shape::array(plugin_shape())},
       {"next_cursor", Shape::text("0198c5f2-7a10-7c3e-9d4b-2f6a8e1b3c5d").or_null()},
       {"findings", faults_shape(kMostFaults)
                        .described("Of files of user functions: what is left out, or stays as it was before; the first of them, on the "
                                   "first page. Administrators of the installation get whole messages, others general ones.")},
       {"findings_total", Shape::integer(1).described("How many there are in all.")}});
}

Shape reload_shape() {
  return Shape::object(
      "PluginReload",
      {{"functions", Shape::array(Shape::object("PluginVersion", {{"name", Shape::text("greet")}, {"version", Shape::text("1.0.0")}}))},
       {"findings", faults_shape()}});
}

}  // namespace

std::vector<Route> plugin_routes() {
  using http::Method;
  return {
      {.method = Method::get,
       .path = "/api/plugins",
       .id = "listPlugins",
       .tag = "plugins",
       .summary = "List the functions that workflows may call",
       .permission = Permission::read,
       .handler = list_plugins,
       .runs = Runs::pool,  // with what is wrong with up to a thousand files
       .query = whole_list_parameters(),
       .reply = plugins_shape()},
      {.method = Method::get,
       .path = "/api/plugins/{name}",
       .id = "getPlugin",
       .tag = "plugins",
       .summary = "Read a function: schemas and examples",
       .permission = Permission::read,
       .handler = get_plugin,
       .runs = Runs::pool,  // likewise, of a name that there is not
       .reply = plugin_shape()},
      {.method = Method::post,
       .path = "/api/plugins/{name}/test",
       .id = "testPlugin",
       .tag = "plugins",
       .summary = "Say what a call would do, and do nothing",
       .permission = Permission::execute,
       .handler = test_plugin,
       .runs = Runs::pool,
       .body = Body::json,
       .request = plugin_test_shape(),
       .reply = plugin_plan_shape(),
       .description = "A dry run of one call: it may read, and changes nothing. Secrets are not there."},
      {.method = Method::post,
       .path = "/api/plugins/{name}/execute",
       .id = "executePlugin",
       .tag = "plugins",
       .summary = "Call a function once",
       .permission = Permission::write,  // what is called is written in the request
       .handler = execute_plugin,
       .runs = Runs::pool,
       .body = Body::json,
       .request = plugin_call_shape(),
       .reply = plugin_execution_shape(),
       .description = "The call is a run of its own, of at most a minute, and answers when that has ended, with `faulted` too. Secrets are "
                      "not there. A function that destroys does so with `allow_destructive: true` only."},
      {.method = Method::post,
       .path = "/api/plugins/reload",
       .id = "reloadPlugins",
       .tag = "plugins",
       .summary = "Read the folder of user functions again",
       .permission = Permission::administer,
       .handler = reload_plugins,
       .runs = Runs::pool,
       .reply = reload_shape(),
       .description = "It is read by itself when something changes in it; this tells what is wrong with it. Files with faults disturb no "
                      "other. Versions of workflows keep the functions that they were saved with. Without a folder: `plugin.no_folder`."},
  };
}

}  // namespace pawl::api::detail
