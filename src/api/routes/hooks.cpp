// ANY /hooks/{token}: starts the workflow that declares `metadata.webhook` in its document (catalog/webhook.hpp).
//
// The token is the permission; with `secret`, the delivery must also be signed, within its time, and is taken once. The run's input is
// {method, query, headers, body}, with U+FFFD for bytes that are not UTF-8. Without `wait` the answer is 202, else the run's output.
// Whatever is wrong with token, signature or state of the workflow: 404.
#include "api/body.hpp"
#include "api/detail/body_size.hpp"
#include "api/detail/execution.hpp"
#include "api/detail/rate_gate.hpp"
#include "api/routes/theme.hpp"
#include "base/utf8.hpp"
#include "catalog/webhook.hpp"
#include "json/parse.hpp"

namespace pawl::api::detail {
namespace {

bool is_credential(std::string_view name) {
  return http::equals_ignoring_case(name, "authorization") || http::equals_ignoring_case(name, "cookie") ||
         http::equals_ignoring_case(name, "proxy-authorization");
}

Result<json::Value> body_value(const http::Request& request) {
  if (request.body.empty()) return json::Value();
  const auto type = request.content_type();
  if (!http::equals_ignoring_case(type, "application/json") && !type.ends_with("+json")) return json::Value(to_utf8(request.body));
  if (has_too_many_values(request.body)) {
    return Error(ErrorClass::too_large, "request.too_many_values", "The body has too many members and items.");
  }
  json::ParseLimits limits;
  limits.max_depth = kMaxBodyDepth;
  auto parsed = json::parse(request.body, limits);
  if (parsed.has_error()) return Error(ErrorClass::invalid, "request.malformed", "The body is not valid JSON.");
  return parsed;
}

json::Value object_of(const http::NameValues& pairs) {
  auto object = json::Value::object();
  for (const auto& [name, value] : pairs) object.set(name, value);
  return object;
}

Result<json::Value> input_of(const http::Request& request) {
  PAWL_TRY(body, body_value(request));
  auto headers = json::Value::object();
  for (const auto field : request.headers) {
    if (is_credential(field.name)) continue;
    std::string name(field.name);
    for (char& c : name) {
      if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
    }
    headers.set(name, to_utf8(std::string(field.value)));
  }
  return json::Value::object({{"method", http::to_string(request.method)},
                              {"query", object_of(request.query)},
                              {"headers", std::move(headers)},
                              {"body", std::move(body)}});
}

void run_hook(Context& context, Call call, const catalog::Hook& hook, const catalog::WebhookRule& rule, json::Value input,
              const std::optional<catalog::SignedDelivery>& delivery) {
  const auto execution = std::make_shared<Execution>(context, std::move(call));
  execution->reply = Execution::Reply::output_only;
  execution->is_unattended = true;
  execution->wish.input = std::move(input);
  execution->wish.trigger = json::Value::object({{"type", "webhook"}, {"remote_address", execution->call.request.remote_address}});
  if (rule.wait) execution->wish.wait = kMaxWait;
  execution->delivery = delivery;
  execute(execution, hook.organization, hook.workflow);
}

/// Fails closed: a workflow that asks for a signature with a secret that is not there takes nothing.
std::optional<catalog::SignedDelivery> verified(const Context& context, const catalog::Executable& executable,
                                                const catalog::WebhookRule& rule, const http::Request& request) {
  if (!context.d.secrets) return std::nullopt;
  const auto secrets = context.d.secrets(executable.organization, *executable.plan);
  const auto& secret = secrets.get(rule.secret);
  if (!secret.is_string()) return std::nullopt;
  const catalog::SignatureHeaders headers{.github = request.header("X-Hub-Signature-256"),
                                          .stripe = request.header("Stripe-Signature"),
                                          .pawl = request.header("X-Pawl-Signature")};
  return catalog::verify_signature(rule, secret.as_string(), executable.id, headers, request.body, context.d.clock.now());
}

void start_hook(Context& context, Call call, const catalog::Hook& hook, const catalog::Executable& executable) {
  const auto rule = catalog::webhook_of(*executable.plan);
  if (!executable.active || rule.has_error() || !*rule) return call.fail(unknown_hook());
  if ((*rule)->secret.empty()) {
    PAWL_API_TRY(input, input_of(call.request));
    return run_hook(context, std::move(call), hook, **rule, std::move(input), std::nullopt);
  }
  const auto delivery = verified(context, executable, **rule, call.request);
  if (!delivery) return call.fail(unknown_hook());
  PAWL_API_TRY(input, input_of(call.request));
  run_hook(context, std::move(call), hook, **rule, std::move(input), delivery);
}

void webhook(Context& context, Call call) {
  const auto hook = context.d.catalog.find_hook(call.request.param("token"));
  if (!hook) {
    // Counted by address: tokens that nobody has would each have a budget of their own.
    const auto stranger = std::make_shared<Call>(std::move(call));
    return count_stranger(context, *stranger, [stranger] { stranger->fail(unknown_hook()); });
  }
  if (const auto cached = context.d.catalog.cached(hook->organization, hook->workflow)) {
    return start_hook(context, std::move(call), *hook, *cached);
  }
  const auto shared = std::make_shared<Call>(std::move(call));
  const bool taken = context.d.pool.try_post([&context, shared, hook = *hook] {
    auto loaded = context.d.catalog.executable(hook.organization, hook.workflow);
    const auto shard = shared->request.shard;
    context.d.threads.post(shard, [&context, shared, hook, loaded = std::move(loaded)] {
      if (loaded.has_error()) return shared->fail(unknown_hook());
      start_hook(context, std::move(*shared), hook, **loaded);
    });
  });
  if (!taken) shared->fail(Error(ErrorClass::unavailable, "server.busy", "The server is busy; try again."));
}

// ---- rows -----------------------------------------------------------------------------------------------------------------------

Route hook_row(http::Method method, std::string_view id) {
  return {.method = method,
          .path = "/hooks/{token}",
          .id = id,
          .tag = "webhooks",
          .summary = "Start the workflow of a webhook",
          .permission = Permission::open,
          .handler = webhook,
          .rate = RateClass::hook,
          .body = Body::raw,
          .reply = Shape::any(json::Value::object({{"answer", 42}})),
          .other_replies = {{202, "Started; nobody waits for its end.", "application/json", run_status_shape()}},
          .description = "200 with the run's output where the trigger waits for it, else 202."};
}

}  // namespace

std::vector<Route> hook_routes() {
  using http::Method;
  return {hook_row(Method::get, "hookGet"), hook_row(Method::post, "hookPost"), hook_row(Method::put, "hookPut"),
          hook_row(Method::patch, "hookPatch"), hook_row(Method::delete_, "hookDelete")};
}

}  // namespace pawl::api::detail
