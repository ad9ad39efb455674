#include "functions/detail/process_stock.hpp"

#include <poll.h>
#include <signal.h>

#include <algorithm>

#include "functions/detail/remove_tree.hpp"

namespace pawl::functions {
namespace {

constexpr unsigned kMaxFailures = 3;  // then calls start their processes themselves, and say what is wrong

/// A kind names what the processes run; what they may reach is part of it as well.
bool are_alike(const ProcessSpec& a, const ProcessSpec& b) {
  return a.kind == b.kind && a.write_roots == b.write_roots && a.network == b.network && a.see_roots == b.see_roots;
}

bool has_ended(const Launched& process) {
  pollfd look{process.pidfd.get(), POLLIN, 0};
  return poll(&look, 1, 0) != 0;
}

}  // namespace

void ProcessStock::end_all() {
  for (const Kind& kind : kinds_) {
    for (const Started& started : kind.waiting) end(started);
  }
  kinds_.clear();
}

void ProcessStock::end(const Started& started) {
  kill(-started.process.pid, SIGKILL);
  watch_.wait(started.process);
  if (!started.scratch.empty()) remove_tree(started.scratch);
}

std::optional<ProcessStock::Started> ProcessStock::take(const ProcessSpec& spec, Time now) {
  if (options_.warm_processes == 0) return std::nullopt;
  auto kind = std::find_if(kinds_.begin(), kinds_.end(), [&](const Kind& one) { return are_alike(one.pattern, spec); });
  if (kind == kinds_.end()) {
    kinds_.push_back({.pattern = spec, .waiting = {}});
    kind = std::prev(kinds_.end());
    kind->pattern.input.clear();
  }
  kind->used = now;
  while (!kind->waiting.empty()) {
    Started oldest = std::move(kind->waiting.front());
    kind->waiting.erase(kind->waiting.begin());
    if (!has_ended(oldest.process)) {
      kind->failures = 0;
      return oldest;
    }
    end(oldest);
    ++kind->failures;
  }
  return std::nullopt;
}

bool ProcessStock::wanted(const Kind& kind, bool busy) const {
  const std::size_t enough = busy ? std::min(options_.warm_processes, 1U) : options_.warm_processes;
  return kind.waiting.size() < enough && kind.failures < kMaxFailures;
}

void ProcessStock::replenish(SandboxKind sandbox, bool busy, Time now) {
  std::erase_if(kinds_, [&](const Kind& kind) {
    if (now - kind.used < options_.warm_idle) return false;
    for (const Started& started : kind.waiting) end(started);
    return true;
  });
  const auto kind = std::find_if(kinds_.begin(), kinds_.end(), [&](const Kind& one) { return wanted(one, busy); });
  if (kind == kinds_.end()) return;
  auto prepared = prepare(sandbox, kind->pattern, options_);
  auto launched = prepared.has_value() ? watch_.launch(prepared->launch) : Result<Launched>(prepared.error());
  if (launched.has_error()) {
    if (prepared.has_value() && !prepared->scratch.empty()) remove_tree(prepared->scratch);
    ++kind->failures;
    return;
  }
  kind->waiting.push_back({std::move(launched).value(), std::move(prepared->scratch)});
}

ProcessStock::Time ProcessStock::next(bool busy, Time now) const {
  Time next = Time::max();
  for (const Kind& kind : kinds_) next = std::min(next, wanted(kind, busy) ? now : kind.used + options_.warm_idle);
  return next;
}

}  // namespace pawl::functions
