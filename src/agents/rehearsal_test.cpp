#include "agents/rehearsal.hpp"

#include <gmock/gmock.h>

#include "engine/machine/dry_run.hpp"
#include "json/parse.hpp"

namespace pawl::agents {
namespace {

using testing::HasSubstr;

/// A dry run whose task of this type has planned (`call`) or failed, and that ended with the error of its last task.
class DryRun {
 public:
  DryRun& planned() {
    auto& task = add("call", engine::TaskStatus::completed);
    task.record.output = *json::parse(R"({"dry_run": true, "plan": [{"action": "request"}]})");
    return *this;
  }
  DryRun& failed(std::string type, std::string_view kind) {
    auto& task = add(std::move(type), engine::TaskStatus::faulted);
    task.record.error = engine::make_error(kind, 500, "Failed", "why");
    if (kind.find(':') != std::string_view::npos) task.record.error.set("type", kind);
    task.record.error.set("instance", task.reference);
    run.phase = engine::Phase::faulted;
    run.error = task.record.error;
    return *this;
  }
  /// Of no task.
  DryRun& ended(std::string_view kind, Millis after) {
    run.phase = engine::Phase::faulted;
    run.error = engine::make_error(kind, 500, "Ended", {});
    run.error.set("instance", kind == "timeout" ? "/timeout" : "/");
    run.started_at = TimePoint{};
    run.ended_at = TimePoint{} + after;
    return *this;
  }

  engine::RunView run;

 private:
  engine::RunView::TaskView& add(std::string type, engine::TaskStatus status) {
    auto& task = run.tasks.emplace_back();
    task.reference = "/do/" + std::to_string(run.tasks.size());
    task.type = std::move(type);
    task.record.status = status;
    return task;
  }
};

TEST(Rehearsal, TellsFaultsOfTheDocumentFromWhatIsNotKnownYet) {
  struct Case {
    const char* name;
    engine::RunView run;
    bool is_fault;
  };
  const Case cases[] = {
      {"a call that finds nothing", DryRun().failed("call", "communication").run, false},
      {"a call that fails", DryRun().failed("call", "runtime").run, false},
      {"a program that is not there", DryRun().failed("run", "configuration").run, false},
      {"an expression over a plan", DryRun().planned().failed("set", "expression").run, false},
      {"an expression over known data", DryRun().failed("set", "expression").run, true},
      {"raised as if by us", DryRun().failed("raise", "timeout").run, true},
      {"raised by another name", DryRun().failed("raise", "https://x.example/timeout").run, true},
      {"raised over a plan", DryRun().planned().failed("raise", "expression").run, true},
      {"a call's error of another's name", DryRun().failed("call", "https://x.example/runtime").run, true},
      {"a loop without end", DryRun().planned().ended("runtime", Millis(900)).run, true},
      {"its own timeout", DryRun().ended("timeout", Millis(10)).run, true},
      {"our timeout", DryRun().ended("timeout", engine::kDryRunTime).run, false},
  };
  for (const auto& each : cases) {
    SCOPED_TRACE(each.name);
    EXPECT_EQ(objections(each.run).empty(), !each.is_fault);
    EXPECT_EQ(to_json(each.run, 10).get("conclusive"), json::Value(each.is_fault));
  }
  const auto findings = objections(cases[4].run);
  ASSERT_EQ(findings.size(), 1U);
  EXPECT_EQ(findings[0].pointer, "/do/1");
  EXPECT_THAT(findings[0].message, HasSubstr("in a dry run: Failed: why"));
}

}  // namespace
}  // namespace pawl::agents
