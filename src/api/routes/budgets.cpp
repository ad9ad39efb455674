// What model calls of an organization may take in a month, and have taken.
#include "api/routes/budgets.hpp"

#include <cmath>

#include "agents/budgets.hpp"
#include "api/body.hpp"
#include "api/detail/context.hpp"
#include "api/detail/trail.hpp"
#include "json/write.hpp"

namespace pawl::api::detail {
namespace {

constexpr double kNano = 1e9;
constexpr std::int64_t kMostTokens = 1'000'000'000'000;
constexpr double kMostDollars = 1e9;

double dollars(std::int64_t cost) { return static_cast<double>(cost) / kNano; }

json::Value amount_json(const models::Amount& amount) {
  return json::Value::object({{"tokens", amount.tokens}, {"cost", dollars(amount.cost)}});
}

json::Value limits_json(const agents::BudgetLimits& limits) {
  return json::Value::object({{"tokens", limits.tokens ? json::Value(*limits.tokens) : json::Value()},
                              {"cost", limits.cost ? json::Value(dollars(*limits.cost)) : json::Value()}});
}

std::string_view source_text(agents::BudgetState::Source source) {
  using Source = agents::BudgetState::Source;
  return source == Source::organization ? "organization" : source == Source::installation ? "installation" : "none";
}

/// All its state is in the database.
agents::Budgets budgets_of(Context& context) { return {context.d.database, context.d.audit, context.d.clock, context.d.random}; }

json::Value state_json(const agents::BudgetState& state) {
  return json::Value::object({{"limit", limits_json(state.limits)},
                              {"updated_at", state.updated_at ? json::Value(to_rfc3339(*state.updated_at)) : json::Value()},
                              {"updated_by", state.updated_by.is_nil() ? json::Value() : json::Value(state.updated_by.to_string())}});
}

void reply_state(Context& context, Call& call) {
  PAWL_API_TRY(state, budgets_of(context).state(call.organization));
  auto reply = state_json(state);
  reply.set("organization_id", call.organization.to_string());
  reply.set("period", json::Value::object({{"from", to_rfc3339(state.from)}, {"until", to_rfc3339(state.until)}}));
  reply.set("limit_source", source_text(state.source));
  reply.set("used", amount_json(state.used));
  reply.set("reserved", amount_json(state.reserved));
  reply.set("assumed", amount_json(state.assumed));
  reply.set("requests", state.calls);
  call.reply(200, json::to_text(reply));
}

void reply_default(Context& context, Call& call) {
  PAWL_API_TRY(state, budgets_of(context).state({}));
  call.reply(200, json::to_text(state_json(state)));
}

agents::BudgetLimits limits_in(const json::Value& body) {
  agents::BudgetLimits limits;
  if (const auto& tokens = body.get("tokens"); tokens.is_integer()) limits.tokens = tokens.as_integer();
  if (const auto& cost = body.get("cost"); cost.is_number()) limits.cost = std::llround(cost.as_double() * kNano);
  return limits;
}

void get_budget(Context& context, Call call) { reply_state(context, call); }

void set_budget(Context& context, Call call) {
  PAWL_API_TRY_VOID(budgets_of(context).set(call.organization, limits_in(call.body), actor_of(call.principal)));
  reply_state(context, call);
}

void clear_budget(Context& context, Call call) {
  PAWL_API_TRY_VOID(budgets_of(context).set(call.organization, std::nullopt, actor_of(call.principal)));
  reply_state(context, call);
}

void get_default(Context& context, Call call) { reply_default(context, call); }

void set_default(Context& context, Call call) {
  PAWL_API_TRY_VOID(budgets_of(context).set({}, limits_in(call.body), actor_of(call.principal)));
  reply_default(context, call);
}

// ---- rows -----------------------------------------------------------------------------------------------------------------------

Shape amount_shape(std::string_view description) {
  return Shape::object("ModelAmount", {{"tokens", Shape::integer(120'000)}, {"cost", Shape::number(0.84).described("US dollars.")}})
      .described(description);
}

Shape cost_shape() {
  return Shape::number(25).where([](const json::Value& value) { return value.as_double() >= 0 && value.as_double() <= kMostDollars; },
                                 "must be at least 0 and at most a thousand million");
}

std::vector<Shape::Member> limit_members() {
  const auto limit = Shape::object("ModelBudgetLimit", {{"tokens", Shape::integer(5'000'000).or_null()},
                                                        {"cost", Shape::number(25).or_null().described("US dollars.")}});
  return {{"limit", Shape(limit).described("What holds; null: no limit.")},
          {"updated_at", Shape::time().or_null().described("When it was set; null for a limit that is not its own.")},
          {"updated_by", Shape::id().or_null()}};
}

Shape state_shape() {
  const auto period = Shape::object("ModelBudgetPeriod", {{"from", Shape::time()}, {"until", Shape::time()}});
  std::vector<Shape::Member> members = {
      {"organization_id", Shape::id()},
      {"period", Shape(period).described("The calendar month, UTC.")},
      {"limit_source", Shape::choice({"organization", "installation", "none"})},
      {"used", amount_shape("What requests of the month took.")},
      {"reserved", amount_shape("The most that requests can take which are under way.")},
      {"assumed", amount_shape("Part of `used`: counted at the most it can be, since nobody knows what it was (the process died, the "
                               "connection broke, the provider does not say).")},
      {"requests", Shape::integer(310)}};
  for (auto& member : limit_members()) members.push_back(std::move(member));
  return Shape::object("ModelBudget", std::move(members));
}

Shape change_shape() {
  return Shape::object("ModelBudgetChange", {{"tokens", Shape::integer(5'000'000, 0, kMostTokens).or_null(), Shape::kOptional},
                                             {"cost", cost_shape().or_null(), Shape::kOptional}});
}

Route row(http::Method method, std::string_view id, std::string_view summary, Permission permission, Handler handler) {
  return {.method = method,
          .path = "/api/llm/budget",
          .id = id,
          .tag = "llm",
          .summary = summary,
          .permission = permission,
          .handler = handler,
          .runs = Runs::pool,
          .reply = state_shape()};
}

Route default_row(http::Method method, std::string_view id, std::string_view summary, Handler handler) {
  auto made = row(method, id, summary, Permission::administer, handler);
  made.path = "/api/admin/llm/budget";
  made.reply = Shape::object("ModelBudgetDefault", limit_members());
  return made;
}

}  // namespace

std::vector<Route> budget_routes() {
  auto setting = row(http::Method::put, "setModelBudget", "Limit what model calls may take in a month", Permission::manage, set_budget);
  setting.body = Body::json;
  setting.request = change_shape();
  setting.description =
      "Tokens and US dollars; what is null or left out is not limited. 0 stops all model calls. It replaces the installation's default.";
  auto defaulting =
      default_row(http::Method::put, "setDefaultModelBudget", "Limit the organizations that have no limit of their own", set_default);
  defaulting.body = Body::json;
  defaulting.request = change_shape();
  return {row(http::Method::get, "getModelBudget", "What model calls took this month, and may take", Permission::read, get_budget), setting,
          row(http::Method::delete_, "clearModelBudget", "The installation's default holds again", Permission::manage, clear_budget),
          default_row(http::Method::get, "getDefaultModelBudget", "The limit of organizations that have none of their own", get_default),
          defaulting};
}

}  // namespace pawl::api::detail
