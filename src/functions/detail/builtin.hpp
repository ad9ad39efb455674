/// What all built-in functions share: their shared parts, checked arguments, dry-run, errors.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.hpp"
#include "dsl/schema.hpp"
#include "engine/function.hpp"
#include "functions/functions.hpp"

namespace pawl::functions {

class HttpExchanger;
class ProcessRunner;
class Roots;

/// Handed to each factory; copies live as long as the functions.
struct Parts {
  Dependencies dependencies;
  FunctionsOptions options;
  std::shared_ptr<const Roots> roots;
  std::shared_ptr<ProcessRunner> processes;
  std::shared_ptr<HttpExchanger> http;
  const engine::FunctionRegistry* registry = nullptr;  ///< that they are added to: for one that calls another when it runs
};

/// Checks arguments against the schema and answers dry runs, so that `run` sees good arguments of a call that is meant.
class Builtin : public engine::Function {
 public:
  [[nodiscard]] const Info& info() const final { return info_; }
  [[nodiscard]] Result<json::Value> plan(const engine::Invocation& call) const final;
  /// `dry_run` of the call or of the arguments: the plan is the output. It is made on the blocking pool where `pool` was given.
  [[nodiscard]] engine::Cancel start(engine::Invocation call, engine::Done done) final;

 protected:
  explicit Builtin(Info info, async::BlockingPool* pool = nullptr) : info_(std::move(info)), pool_(pool) {}
  [[nodiscard]] virtual engine::Cancel run(engine::Invocation call, engine::Done done) = 0;
  [[nodiscard]] virtual Result<json::Value> describe(const engine::Invocation& call) const = 0;
  /// No schema checks, for functions on the hot path that read their arguments themselves.
  void trust_arguments() { trusted_ = true; }

 private:
  [[nodiscard]] Result<void> check(const json::Value& arguments) const;

  Info info_;
  async::BlockingPool* pool_;
  bool trusted_ = false;
  mutable std::once_flag compiled_;
  mutable std::optional<dsl::Schema> schema_;
};

/// A JSON text of our own source; asserts that it is one.
[[nodiscard]] json::Value literal(std::string_view text);

/// An `Error` as the workflow error that stands for it (profile, "Errors"): `denied` is authorization, `invalid` validation, `timeout`
/// timeout, `net.*` communication, the rest runtime.
[[nodiscard]] json::Value to_workflow_error(const Error& error);
[[nodiscard]] engine::Outcome failed(const Error& error);
[[nodiscard]] engine::Outcome invalid_arguments(std::string_view detail);

/// Runs blocking `work` on the pool and answers with its outcome. The flag goes up when the call is cancelled.
using BlockingWork = std::function<engine::Outcome(const std::atomic<bool>& cancelled)>;
[[nodiscard]] engine::Cancel run_on_pool(async::BlockingPool& pool, BlockingWork work, engine::Done done);

/// Argument readers, for arguments that a schema has checked.
[[nodiscard]] std::string text_or(const json::Value& arguments, std::string_view name, std::string_view fallback);
[[nodiscard]] bool flag_or(const json::Value& arguments, std::string_view name, bool fallback);
/// Seconds as a number, ISO 8601 text, text such as `30s` or `5m`, or the DSL's object of days ... milliseconds. Nothing where it is
/// absent.
[[nodiscard]] Result<std::optional<Millis>> duration_argument(const json::Value& arguments, std::string_view name);

}  // namespace pawl::functions
