#include "agents/anomalies.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <utility>

namespace pawl::agents {
namespace {

using engine::Phase;
using Kind = Anomaly::Kind;
using Level = Anomaly::Level;
using Facts = std::vector<const RunFacts*>;

constexpr double kRobustZ = 3.5;
constexpr double kMadToDeviation = 1.4826;  // of a normal distribution
constexpr double kLeastSpread = 0.0953;     // ln 1.1: a tenth is never unusual by itself
constexpr double kManyFailures = 0.3;
constexpr double kLeastRise = 0.1;
constexpr double kStandardErrors = 3;
constexpr std::size_t kFewRuns = 5;
constexpr std::size_t kFewCosts = 3;
constexpr std::size_t kSameError = 5;
constexpr double kLeastMillis = 100;
constexpr Millis kLeastStuck = std::chrono::minutes(5);
constexpr Millis kStuckWithoutPast = std::chrono::hours(24);

double median(std::vector<double> values) {
  const auto middle = values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2);
  std::nth_element(values.begin(), middle, values.end());
  if (values.size() % 2 == 1) return *middle;
  return (*middle + *std::max_element(values.begin(), middle)) / 2;
}

/// What is usual: the middle and the spread of logarithms.
struct Usual {
  explicit Usual(const std::vector<double>& values) {
    std::vector<double> logs;
    logs.reserve(values.size());
    for (const auto value : values) logs.push_back(std::log(value));
    middle = median(logs);
    for (auto& log : logs) log = std::abs(log - middle);
    spread = std::max(kMadToDeviation * median(std::move(logs)), kLeastSpread);
  }
  [[nodiscard]] double typical() const { return std::exp(middle); }
  /// Beyond this a value is unusual.
  [[nodiscard]] double limit() const { return std::exp(middle + kRobustZ * spread); }

  double middle = 0;
  double spread = kLeastSpread;
};

double millis_of(const RunFacts& run) { return std::max(1.0, static_cast<double>((*run.ended_at - run.created_at).count())); }

std::string duration_text(double millis) {
  if (millis < 1000) return fmt::format("{:.0f} ms", millis);
  if (millis < 120'000) return fmt::format("{:.1f} s", millis / 1000);
  if (millis < 7'200'000) return fmt::format("{:.0f} min", millis / 60'000);
  return fmt::format("{:.1f} h", millis / 3'600'000);
}

/// One workflow's runs, newest first.
class Workflow {
 public:
  Workflow(Facts runs, TimePoint since, TimePoint now) : now_(now) {
    for (const auto* run : runs) {
      if (!engine::is_final(run->phase)) {
        open_.push_back(run);
      } else if (run->ended_at && run->phase != Phase::cancelled) {
        (run->created_at < since ? past_ : recent_).push_back(run);
      }
    }
    name_ = runs.front()->workflow_name;
    id_ = runs.front()->workflow;
  }

  void look(std::vector<Anomaly>& found) const {
    failures(found);
    errors(found);
    const auto past = durations(past_);
    const auto usual = past.size() >= kEnoughRuns ? std::optional<Usual>(past) : std::nullopt;
    if (usual) slow(*usual, found);
    stuck(usual, found);
    costs(found);
  }

 private:
  [[nodiscard]] Anomaly anomaly(Kind kind, Level level, double value, double expected, std::string message, const Facts& runs) const {
    Anomaly result{kind, level, id_, name_, value, expected, std::move(message), {}};
    for (const auto* run : runs) {
      if (result.runs.size() < kMostEvidence) result.runs.push_back(run->run);
    }
    return result;
  }
  [[nodiscard]] static Facts failed(const Facts& runs) {
    Facts result;
    std::copy_if(runs.begin(), runs.end(), std::back_inserter(result), [](const auto* run) { return run->phase == Phase::faulted; });
    return result;
  }
  [[nodiscard]] static std::vector<double> durations(const Facts& runs) {
    std::vector<double> result;
    for (const auto* run : runs) {
      if (run->phase == Phase::completed) result.push_back(millis_of(*run));
    }
    return result;
  }

  void failures(std::vector<Anomaly>& found) const {
    if (recent_.size() < kFewRuns) return;
    const auto bad = failed(recent_);
    const auto runs = static_cast<double>(recent_.size());
    const auto rate = static_cast<double>(bad.size()) / runs;
    if (past_.size() < kEnoughRuns) {
      if (rate <= kManyFailures) return;
      found.push_back(
          anomaly(Kind::failure_rate, Level::medium, rate, kManyFailures,
                  fmt::format("{} of {} runs failed; there is too little history to say what is usual.", bad.size(), recent_.size()), bad));
      return;
    }
    const auto old_runs = static_cast<double>(past_.size());
    const auto old_bad = static_cast<double>(failed(past_).size());
    const auto old_rate = old_bad / old_runs;
    const auto both = (static_cast<double>(bad.size()) + old_bad) / (runs + old_runs);
    const auto error = std::sqrt(both * (1 - both) * (1 / runs + 1 / old_runs));
    if (rate - old_rate < kLeastRise || rate - old_rate < kStandardErrors * error) return;
    found.push_back(anomaly(
        Kind::failure_rate, rate > kManyFailures ? Level::high : Level::medium, rate, old_rate,
        fmt::format("{:.0f} % of {} runs failed; before, {:.0f} % of {} did.", rate * 100, recent_.size(), old_rate * 100, past_.size()),
        bad));
  }

  void errors(std::vector<Anomaly>& found) const {
    std::map<std::string_view, Facts> kinds;
    for (const auto* run : failed(recent_)) {
      if (!run->error.empty()) kinds[run->error].push_back(run);
    }
    // An error of the past that nobody looked at may be this very one.
    const auto old = failed(past_);
    const bool is_known =
        past_.size() >= kEnoughRuns && std::none_of(old.begin(), old.end(), [](const auto* run) { return run->error.empty(); });
    for (const auto& [kind, runs] : kinds) {
      const auto is_it = [&kind = kind](const auto* run) { return run->error == kind; };
      const auto before = static_cast<double>(std::count_if(old.begin(), old.end(), is_it));
      const auto seen = static_cast<double>(runs.size());
      if (is_known && before == 0) {
        found.push_back(anomaly(Kind::new_error, Level::medium, seen, 0, fmt::format("A new kind of error: {}", kind), runs));
      } else if (runs.size() > kSameError) {
        found.push_back(anomaly(Kind::repeated_error, Level::medium, seen, before,
                                fmt::format("{} times the same error: {}", runs.size(), kind), runs));
      }
    }
  }

  void slow(const Usual& usual, std::vector<Anomaly>& found) const {
    Facts outliers;
    double slowest = 0;
    for (const auto* run : recent_) {
      if (run->phase != Phase::completed) continue;
      const auto took = millis_of(*run);
      if (took <= usual.limit() || took < 2 * usual.typical() || took < usual.typical() + kLeastMillis) continue;
      outliers.push_back(run);
      slowest = std::max(slowest, took);
    }
    if (outliers.empty()) return;
    const bool is_many = outliers.size() >= kFewCosts && outliers.size() * 5 >= recent_.size();
    found.push_back(anomaly(Kind::duration, is_many ? Level::medium : Level::low, slowest, usual.typical(),
                            fmt::format("{} of {} runs took unusually long, up to {}; usual are {}.", outliers.size(), recent_.size(),
                                        duration_text(slowest), duration_text(usual.typical())),
                            outliers));
  }

  void stuck(const std::optional<Usual>& usual, std::vector<Anomaly>& found) const {
    const auto limit =
        usual ? std::max(usual->limit(), static_cast<double>(kLeastStuck.count())) : static_cast<double>(kStuckWithoutPast.count());
    Facts late;
    double oldest = 0;
    for (const auto* run : open_) {
      const auto age = static_cast<double>((now_ - run->created_at).count());
      if (run->phase == Phase::suspended || age <= limit) continue;
      late.push_back(run);
      oldest = std::max(oldest, age);
    }
    if (late.empty()) return;
    const auto& reason = late.front()->waiting_reason;
    found.push_back(
        anomaly(Kind::stuck, oldest > 10 * limit ? Level::high : Level::medium, oldest, usual ? usual->typical() : limit,
                fmt::format("{} run{} not ended for up to {}{}; {}.", late.size(), late.size() == 1 ? " has" : "s have",
                            duration_text(oldest), reason.empty() ? "" : " (the newest waits: " + reason + ")",
                            usual ? "usual are " + duration_text(usual->typical()) : "there is too little history to say what is usual"),
                late));
  }

  void costs(std::vector<Anomaly>& found) const {
    const auto of = [](const Facts& runs, Facts& costly) {
      std::vector<double> result;
      for (const auto* run : runs) {
        if (!run->cost || *run->cost <= 0) continue;
        result.push_back(*run->cost);
        costly.push_back(run);
      }
      return result;
    };
    Facts past_runs;
    Facts recent_runs;
    const auto past = of(past_, past_runs);
    const auto recent = of(recent_, recent_runs);
    if (past.size() < kEnoughRuns || recent.size() < kFewCosts) return;
    const Usual usual(past);
    const auto middle = median(recent);
    if (middle <= usual.limit() || middle < 1.5 * usual.typical()) return;
    found.push_back(anomaly(Kind::cost, Level::medium, middle, usual.typical(),
                            fmt::format("A run costs {:.4f} US dollars of model calls; usual are {:.4f}.", middle, usual.typical()),
                            recent_runs));
  }

  WorkflowId id_;
  std::string name_;
  TimePoint now_;
  Facts past_;
  Facts recent_;
  Facts open_;
};

}  // namespace

std::string_view to_text(Kind kind) {
  switch (kind) {
    case Kind::failure_rate: return "failure_rate";
    case Kind::repeated_error: return "repeated_error";
    case Kind::new_error: return "new_error";
    case Kind::duration: return "duration";
    case Kind::stuck: return "stuck";
    case Kind::cost: break;
  }
  return "cost";
}

std::string_view to_text(Level level) { return level == Level::high ? "high" : level == Level::medium ? "medium" : "low"; }

std::string_view advice(Kind kind) {
  switch (kind) {
    case Kind::failure_rate: return "Look at the newest failures and what changed before them: a version, a service, the input.";
    case Kind::repeated_error: return "One cause stands behind these failures: have one of them explained, or ask for a remedy.";
    case Kind::new_error: return "Compare the version and the input with those of the last run that went well.";
    case Kind::duration: return "Look which task took the time; a limit of time with a retry keeps one slow call from holding up the run.";
    case Kind::stuck: return "Look what the run waits for: a person, an event, a place; cancel it where nobody will answer.";
    case Kind::cost: break;
  }
  return "Look at the model calls of a costly run: more turns, longer input, or another model; give the agent a budget.";
}

std::vector<Anomaly> find_anomalies(std::span<const RunFacts> runs, TimePoint since, TimePoint now) {
  std::map<WorkflowId, Facts> by_workflow;
  for (const auto& run : runs) by_workflow[run.workflow].push_back(&run);
  std::vector<Anomaly> found;
  for (auto& [id, facts] : by_workflow) {
    std::stable_sort(facts.begin(), facts.end(), [](const auto* a, const auto* b) { return a->created_at > b->created_at; });
    Workflow(std::exchange(facts, {}), since, now).look(found);
  }
  std::stable_sort(found.begin(), found.end(), [](const auto& a, const auto& b) { return a.level > b.level; });
  return found;
}

}  // namespace pawl::agents
