// POST /api/workflows/{workflow_id}/execute.
#include <algorithm>
#include <cmath>

#include "api/body.hpp"
#include "api/detail/execution.hpp"

namespace pawl::api::detail::handlers {
namespace {

constexpr std::size_t kMaxKey = 255;

bool is_printable(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c >= '!' && c <= '~'; });
}

void read_wait(Fields& fields, Wish& wish) {
  const auto value = fields.value("wait");
  if (!value || value->is_null()) return;
  if (!value->is_bool()) {
    wish.wait = Millis(static_cast<std::int64_t>(std::ceil(value->as_double() * 1000.0)));
  } else if (value->as_bool()) {
    wish.wait = kMaxWait;
  }
}

void check_key(Fields& fields, const Wish& wish) {
  if (wish.idempotency_key.size() > kMaxKey) fields.problem("idempotency_key", "must not be longer than 255 bytes", "length");
  if (!is_printable(wish.idempotency_key)) fields.problem("idempotency_key", "must be printable ASCII without spaces", "syntax");
}

void read_concurrency(Fields& fields, Wish& wish) {
  const auto key = fields.text("concurrency_key", kMaxKey);
  const auto limit = fields.integer("concurrency_limit", 1, engine::kMaxConcurrency);
  const auto policy = fields.text("concurrency_policy");
  if (const auto priority = fields.integer("priority", -engine::kMaxPriority, engine::kMaxPriority)) {
    wish.priority = static_cast<std::int32_t>(*priority);
  }
  if (!key) {
    if (limit) fields.problem("concurrency_limit", "goes with `concurrency_key`", "missing");
    if (policy) fields.problem("concurrency_policy", "goes with `concurrency_key`", "missing");
    return;
  }
  if (!is_printable(*key) || key->empty() || key->size() > kMaxKey) {
    return fields.problem("concurrency_key", "must be printable ASCII without spaces, 255 bytes at most", "syntax");
  }
  engine::Concurrency concurrency;
  concurrency.key = *key;
  if (limit) concurrency.limit = static_cast<std::uint32_t>(*limit);
  if (policy) {
    const auto known = engine::concurrency_policy(*policy);
    if (!known) return fields.problem("concurrency_policy", "must be queue, skip or replace");
    concurrency.policy = *known;
  }
  wish.concurrency = std::move(concurrency);
}

Result<Wish> read_wish(const http::Request& request, json::Value body) {
  Fields fields(std::move(body));
  Wish wish;
  if (auto input = fields.value("input"); input && !input->is_null()) wish.input = std::move(*input);
  read_wait(fields, wish);
  wish.dry_run = fields.boolean("dry_run").value_or(false);
  if (fields.boolean("dead_letter").value_or(false)) wish.trigger = json::Value::object({{"type", "manual"}, {"dead_letter", true}});
  if (const auto version = fields.integer("version", 1, INT32_MAX)) wish.version = static_cast<std::uint32_t>(*version);
  wish.idempotency_key = fields.text("idempotency_key").value_or(std::string(request.header("Idempotency-Key")));
  check_key(fields, wish);
  read_concurrency(fields, wish);
  if (auto error = fields.finish()) return std::move(*error);
  return wish;
}

}  // namespace

void execute_workflow(Context& context, Call call) {
  PAWL_API_TRY(id, workflow_id(call.request));
  PAWL_API_TRY(wish, read_wish(call.request, std::move(call.body)));
  auto trigger = trigger_of(context, call);
  if (!wish.trigger.is_null()) trigger.set("dead_letter", true);
  wish.trigger = std::move(trigger);
  const auto organization = call.organization;
  const auto execution = std::make_shared<Execution>(context, std::move(call));
  execution->wish = std::move(wish);
  execute(execution, organization, id);
}

}  // namespace pawl::api::detail::handlers
