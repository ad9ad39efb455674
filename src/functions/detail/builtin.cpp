#include "functions/detail/builtin.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "async/blocking_pool.hpp"
#include "base/assert.hpp"
#include "dsl/expression.hpp"
#include "engine/machine/machine.hpp"
#include "json/parse.hpp"

namespace pawl::functions {

engine::Cancel Builtin::start(engine::Invocation call, engine::Done done) {
  if (auto checked = check(call.arguments); checked.has_error()) {
    done(failed(checked.error()));
    return {};
  }
  if (!call.dry_run && (trusted_ || !flag_or(call.arguments, "dry_run", false))) return run(std::move(call), std::move(done));
  auto work = [this, call = std::move(call)](const std::atomic<bool>&) {
    auto steps = describe(call);
    return steps.has_value() ? engine::Outcome::planned(std::move(steps).value()) : failed(steps.error());
  };
  if (pool_ != nullptr) return run_on_pool(*pool_, std::move(work), std::move(done));
  done(work(false));
  return {};
}

Result<json::Value> Builtin::plan(const engine::Invocation& call) const {
  PAWL_TRY_VOID(check(call.arguments));
  return describe(call);
}

Result<void> Builtin::check(const json::Value& arguments) const {
  if (trusted_) return boost::system::in_place_value;
  std::call_once(compiled_, [this] {
    auto schema = dsl::Schema::compile(info_.parameters);
    PAWL_ASSERT(schema.has_value(), "a built-in function has a good schema");
    schema_ = std::move(schema).value();
  });
  const Findings findings = schema_->validate(arguments);
  if (findings.empty()) return boost::system::in_place_value;
  constexpr std::size_t kShown = 10;
  std::string detail = fmt::format("`{}` cannot be called so: ", info_.name);
  for (std::size_t i = 0; i < std::min(findings.size(), kShown); ++i) {
    const Finding& finding = findings[i];
    detail += fmt::format("{}{}{}{}", i == 0 ? "" : "; ", finding.pointer, finding.pointer.empty() ? "" : ": ", finding.message);
  }
  return Error(ErrorClass::invalid, "arguments.invalid", std::move(detail));
}

json::Value literal(std::string_view text) {
  auto value = json::parse(text);
  PAWL_ASSERT(value.has_value(), "a literal is JSON");
  return std::move(value).value();
}

json::Value to_workflow_error(const Error& error) {
  const auto make = [&](std::string_view kind, int status) { return engine::make_error(kind, status, error.code, error.message); };
  if (error.code == "sandbox.unavailable") return make("configuration", 400);
  if (error.kind == ErrorClass::timeout) return make("timeout", 408);
  if (error.kind == ErrorClass::denied) return make("authorization", 403);
  if (error.kind == ErrorClass::unauthenticated) return make("authentication", 401);
  if (error.kind == ErrorClass::invalid || error.kind == ErrorClass::unprocessable) return make("validation", 400);
  if (error.code.starts_with("net.") || error.code == "mail.server") return make("communication", 500);
  return make("runtime", 500);
}

engine::Outcome failed(const Error& error) { return engine::Outcome::failure(to_workflow_error(error)); }

engine::Outcome invalid_arguments(std::string_view detail) {
  return engine::Outcome::failure(engine::make_error("validation", 400, "Invalid arguments", detail));
}

engine::Cancel run_on_pool(async::BlockingPool& pool, BlockingWork work, engine::Done done) {
  auto cancelled = std::make_shared<std::atomic<bool>>(false);
  // `done` is needed here too when the pool is full.
  auto shared_done = std::make_shared<engine::Done>(std::move(done));
  const bool accepted = pool.try_post([work = std::move(work), shared_done, cancelled] { (*shared_done)(work(*cancelled)); });
  if (!accepted) {
    (*shared_done)(engine::Outcome::failure(engine::make_error("runtime", 503, "Overloaded", "too much blocking work is waiting already")));
    return {};
  }
  return [cancelled] { cancelled->store(true, std::memory_order_relaxed); };
}

std::string text_or(const json::Value& arguments, std::string_view name, std::string_view fallback) {
  const json::Value& value = arguments.get(name);
  return std::string(value.is_string() ? value.as_string() : fallback);
}

bool flag_or(const json::Value& arguments, std::string_view name, bool fallback) {
  const json::Value& value = arguments.get(name);
  return value.is_bool() ? value.as_bool() : fallback;
}

Result<std::optional<Millis>> duration_argument(const json::Value& arguments, std::string_view name) {
  const json::Value& value = arguments.get(name);
  if (value.is_null()) return std::optional<Millis>();
  if (value.is_string()) {
    const std::string_view text = value.as_string();
    const std::size_t unit = text.find_first_not_of("0123456789");
    if (unit != 0 && unit != std::string_view::npos && unit <= 9) {
      const std::int64_t count = std::stoll(std::string(text.substr(0, unit)));
      if (text.substr(unit) == "ms") return std::optional<Millis>(count);
      if (text.substr(unit) == "s") return std::optional<Millis>(count * 1000);
      if (text.substr(unit) == "m") return std::optional<Millis>(count * 60'000);
      if (text.substr(unit) == "h") return std::optional<Millis>(count * 3'600'000);
    }
  }
  PAWL_TRY(duration, dsl::to_duration(value));
  if (duration.count() <= 0) return Error(ErrorClass::invalid, "arguments.duration", fmt::format("`{}` must be longer than nothing", name));
  return std::optional<Millis>(duration);
}

}  // namespace pawl::functions
