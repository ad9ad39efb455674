// pawl eval-agent: the cases of a suite, one after the other, on an engine of their own.
#include <fmt/core.h>

#include <condition_variable>
#include <cstdio>
#include <filesystem>
#include <mutex>

#include "agents/evaluation.hpp"
#include "app/application.hpp"
#include "app/commands.hpp"
#include "app/exit_codes.hpp"
#include "app/files.hpp"
#include "app/findings.hpp"
#include "app/log.hpp"
#include "app/run_folder.hpp"
#include "catalog/approvals.hpp"
#include "json/write.hpp"

namespace pawl::app {
namespace {

namespace fs = std::filesystem;

constexpr Millis kPatience = std::chrono::minutes(10);
constexpr Millis kLook{20};  // a question is in the inbox a moment after the run has begun to wait

struct Judged {
  std::string name;
  agents::EvalMeasures measures;
  std::vector<std::string> problems;  ///< empty: passed
};

int usage_error(const Error& error, const std::string& file) {
  fmt::print(stderr, "pawl: {}\n", error.message);
  for (const auto& finding : error.findings) fmt::print(stderr, "{}\n", finding_line(file, finding));
  return kUsage;
}

/// What the engine's threads tell the main thread about one run.
class Watched {
 public:
  void ended() {
    tell([this] { ended_ = true; });
  }
  void waits(bool waiting) {
    tell([this, waiting] { waiting_ = waiting; });
  }
  void refused(Error error) {
    tell([this, &error] { refused_ = std::move(error); });
  }
  enum class News : std::uint8_t { ended, waiting, refused, late };
  /// `waiting` comes again and again, as long as the run waits.
  [[nodiscard]] News wait(Millis patience) {
    std::unique_lock lock(mutex_);
    const auto until = std::chrono::steady_clock::now() + patience;
    const auto is_over = [this] { return ended_ || refused_; };
    while (!is_over()) {
      if (waiting_) {
        changed_.wait_for(lock, kLook, is_over);
      } else {
        changed_.wait_until(lock, until, [&] { return is_over() || waiting_; });
      }
      if (std::chrono::steady_clock::now() >= until && !is_over()) return News::late;
      if (waiting_ && !is_over()) return News::waiting;
    }
    return refused_ ? News::refused : News::ended;
  }
  [[nodiscard]] std::string why() const { return refused_ ? refused_->message : std::string(); }

 private:
  template <class Change>
  void tell(Change change) {
    {
      const std::lock_guard lock(mutex_);
      change();
    }
    changed_.notify_one();
  }
  std::mutex mutex_;
  std::condition_variable changed_;
  bool ended_ = false;
  bool waiting_ = false;
  std::optional<Error> refused_;
};

class Evaluator {
 public:
  Evaluator(Application& app, const catalog::Executable& workflow) : app_(app), workflow_(workflow) {}

  Judged run(const agents::EvalCase& expected) {
    const auto watched = std::make_shared<Watched>();
    engine::StartRequest request;
    request.plan = workflow_.plan;
    request.organization = app_.organization();
    request.workflow = workflow_.id;
    request.version = workflow_.version;
    request.input = expected.input;
    request.trigger = json::Value::object({{"type", "manual"}, {"evaluation", expected.name}});
    request.secrets = app_.secrets_of(*workflow_.plan);
    const auto begun = std::chrono::steady_clock::now();
    const auto run = app_.engine().start_run(
        std::move(request),
        [watched](const Result<RunId>& started) {
          if (started.has_error()) watched->refused(started.error());
        },
        [watched](const engine::RunView&) { watched->ended(); });
    const auto subscription = app_.engine().subscribe(run, 0, [watched](const engine::RunUpdate& update) {
      if (update.phase) watched->waits(*update.phase == engine::Phase::waiting);
    });
    const auto most = expected.most_seconds ? Millis(static_cast<std::int64_t>(*expected.most_seconds * 1000) + 1000) : kPatience;
    Judged judged{.name = expected.name, .measures = {}, .problems = {}};
    const auto elapsed = [begun] { return std::chrono::steady_clock::now() - begun; };
    for (;;) {
      const auto left = most - std::chrono::duration_cast<Millis>(elapsed());
      const auto news = watched->wait(std::max(Millis(0), left));
      if (news == Watched::News::refused) judged.problems.push_back(watched->why());
      if (news == Watched::News::ended || news == Watched::News::refused) break;
      const auto problem = news == Watched::News::waiting ? answer(run, expected.approvals) : std::string("it did not end in time");
      if (problem.empty()) continue;
      judged.problems.push_back(problem);
      app_.engine().cancel(app_.organization(), run, "the evaluation goes on", [](const Result<void>&) {});
      static_cast<void>(watched->wait(kPatience));
      break;
    }
    app_.engine().unsubscribe(run, subscription);
    const auto seconds = std::chrono::duration<double>(elapsed()).count();
    if (const auto view = view_of(run)) {
      judged.measures = agents::measures_of(*view, seconds);
      if (judged.problems.empty()) judged.problems = agents::judge(expected, *view, judged.measures);
    } else if (judged.problems.empty()) {
      judged.problems.emplace_back("the run cannot be read");
    }
    return judged;
  }

 private:
  /// Decides what the run asks; a sentence where that is not wanted, or fails. Nothing is asked where it waits for something else.
  std::string answer(const RunId& run, const std::string& how) {
    auto approvals = app_.approvals();
    const engine::Decider who{std::string(engine::kAdministrator), {}, "owner"};
    const auto page = approvals.list(app_.organization(), {.status = "open", .run = run}, who);
    if (page.has_error()) return page.error().message;
    for (const auto& question : page->approvals) {
      if (how.empty()) return fmt::format("a person is asked: {}", question.request.title);
      engine::ApprovalDecision decision;
      decision.digest = question.digest;
      decision.approved = how == "approve";
      decision.by = who;
      decision.comment = "decided by the evaluation";
      std::mutex mutex;
      std::condition_variable decided;
      std::optional<std::string> problem;
      approvals.decide(app_.organization(), question.id, std::move(decision), [&](const Result<RunId>& done) {
        const std::lock_guard lock(mutex);
        problem = done.has_error() ? done.error().message : std::string();
        decided.notify_one();
      });
      std::unique_lock lock(mutex);
      decided.wait(lock, [&] { return problem.has_value(); });
      if (!problem->empty()) return *problem;
    }
    return {};
  }

  std::optional<engine::RunView> view_of(const RunId& run) {
    std::mutex mutex;
    std::condition_variable told;
    std::optional<Result<engine::RunView>> answer;
    app_.engine().view(app_.organization(), run, true, [&](Result<engine::RunView> view) {
      const std::lock_guard lock(mutex);
      answer = std::move(view);
      told.notify_one();
    });
    std::unique_lock lock(mutex);
    told.wait(lock, [&] { return answer.has_value(); });
    if (answer->has_error()) return std::nullopt;
    return std::move(**answer);
  }

  Application& app_;
  const catalog::Executable& workflow_;
};

struct Sums {
  std::size_t runs = 0;
  std::size_t passed = 0;
  std::uint64_t tokens = 0;
  double cost = 0;
  bool cost_known = true;
  double seconds = 0;

  void add(const Judged& judged) {
    ++runs;
    passed += judged.problems.empty() ? 1 : 0;
    tokens += judged.measures.tokens;
    cost += judged.measures.cost;
    cost_known = cost_known && judged.measures.cost_known;
    seconds += judged.measures.seconds;
  }
  [[nodiscard]] double pass_rate() const { return static_cast<double>(passed) / static_cast<double>(runs); }
};

std::string cost_text(double cost, bool known) {
  return known ? fmt::format("${:.4f}", cost) : fmt::format("${:.4f} and what is unpriced", cost);
}

void print_text(const std::vector<Judged>& all, const Sums& sums, double wanted) {
  for (const auto& judged : all) {
    fmt::print("{} {} ({} turns, {} tokens, {}, {:.2f} s)\n", judged.problems.empty() ? "ok  " : "FAIL", judged.name, judged.measures.turns,
               judged.measures.tokens, cost_text(judged.measures.cost, judged.measures.cost_known), judged.measures.seconds);
    for (const auto& problem : judged.problems) fmt::print("     {}\n", problem);
  }
  fmt::print("pass rate {:.1f} % ({} of {} runs; wanted {:.1f} %), {} tokens, {}, {:.2f} s\n", sums.pass_rate() * 100, sums.passed,
             sums.runs, wanted * 100, sums.tokens, cost_text(sums.cost, sums.cost_known), sums.seconds);
}

void print_json(const std::vector<Judged>& all, const Sums& sums, double wanted) {
  auto runs = json::Value::array();
  for (const auto& judged : all) {
    auto problems = json::Value::array();
    for (const auto& problem : judged.problems) problems.push_back(problem);
    runs.push_back(json::Value::object({{"case", judged.name},
                                        {"passed", judged.problems.empty()},
                                        {"problems", std::move(problems)},
                                        {"turns", judged.measures.turns},
                                        {"tokens", judged.measures.tokens},
                                        {"cost", judged.measures.cost_known ? json::Value(judged.measures.cost) : json::Value()},
                                        {"seconds", judged.measures.seconds}}));
  }
  fmt::print("{}\n", json::to_text(json::Value::object({{"pass_rate", sums.pass_rate()},
                                                        {"wanted", wanted},
                                                        {"passed", sums.passed},
                                                        {"runs", sums.runs},
                                                        {"tokens", sums.tokens},
                                                        {"cost", sums.cost_known ? json::Value(sums.cost) : json::Value()},
                                                        {"seconds", sums.seconds},
                                                        {"cases", std::move(runs)}})));
}

int evaluate(Application& app, const catalog::Executable& workflow, const agents::EvalSuite& suite, bool as_json) {
  Evaluator evaluator(app, workflow);
  std::vector<Judged> all;
  Sums sums;
  for (const auto& expected : suite.cases) {
    for (std::uint32_t i = 0; i < expected.repeat; ++i) {
      all.push_back(evaluator.run(expected));
      sums.add(all.back());
    }
  }
  (as_json ? print_json : print_text)(all, sums, suite.pass_rate);
  return sums.pass_rate() >= suite.pass_rate ? kOk : kFailed;
}

}  // namespace

int run_eval_agent(const CommonOptions& common, const EvalAgentOptions& options) {
  auto config = load_config(common, config::Purpose::tool);
  if (!config) return kUsage;
  if (const auto opened = open_log({.level = Level::warning}); opened.has_error()) return usage_error(opened.error(), options.suite);
  const auto text = read_file(options.suite);
  if (text.has_error()) return usage_error(text.error(), options.suite);
  const auto suite = agents::read_suite(*text);
  if (suite.has_error()) return usage_error(suite.error(), options.suite);
  const auto beside = fs::path(options.suite).parent_path();
  const auto document = (beside / suite->workflow).string();
  catalog::Definition definition;
  auto read = read_file(document);
  if (read.has_error()) return usage_error(read.error(), document);
  definition.text = std::move(*read);

  RunFolder folder("");
  const auto path = folder.path();
  if (path.has_error()) return usage_error(path.error(), options.suite);
  config->data_dir = *path;
  config->database_url.clear();
  if (!suite->scripts.empty()) config->models.scripts = (beside / suite->scripts).string();
  ApplicationOptions application;
  application.file_roots = {fs::current_path().string()};
  application.allow_private_addresses = true;
  application.durable = false;
  application.schedules = false;
  application.always_migrate = true;
  application.on_fatal = [](const Error& error) { log(Level::error, error.message); };
  auto created = Application::create(*config, std::move(application));
  if (created.has_error()) return usage_error(created.error(), options.suite);
  auto& app = **created;
  const auto checked = app.catalog().check(definition);
  if (!checked.ok())
    return usage_error(Error(ErrorClass::invalid, "eval.workflow", "The workflow has errors.", checked.findings), document);
  const auto workflow = app.catalog().keep_unlisted(app.organization(), definition, *checked.value);
  if (workflow.has_error()) return usage_error(workflow.error(), document);
  if (const auto started = app.start(); started.has_error()) return usage_error(started.error(), options.suite);
  const int code = evaluate(app, **workflow, *suite, options.json);
  app.stop(Millis(0));
  return code;
}

}  // namespace pawl::app
