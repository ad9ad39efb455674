/// Every execution of a function becomes an audit record, written with the journal batch that holds its end.
#pragma once

#include <mutex>

#include "audit/audit.hpp"
#include "engine/effect_observer.hpp"

namespace pawl::app {

/// | end of the execution | outcome | details |
/// | --- | --- | --- |
/// | success | `success` | `params` |
/// | failure, or its answer not wanted any more | `failure` | `params`, `error` |
/// | only planned, in a dry run | `dry_run` | `params` |
/// | destructive and not allowed to act, or not there | `refused` | `params`, `error` |
///
/// `params` hold the size of what the function declares as content. The actor is who started the run (the `user` and `api_key` of its
/// trigger), else the system. Parameters and errors are redacted by name, and by content with the secrets of the run. Thread-safe; the log
/// outlives it.
class FunctionAudit final : public engine::EffectObserver {
 public:
  explicit FunctionAudit(audit::Log& log) : log_(log) {}
  void ended(const engine::EffectReport& report) override;
  [[nodiscard]] Work take() override;

 private:
  audit::Log& log_;
  std::mutex mutex_;
  audit::Log::Prepared waiting_;  // guarded by mutex_
};

}  // namespace pawl::app
