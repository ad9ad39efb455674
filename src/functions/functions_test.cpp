#include "functions/functions.hpp"

#include <fmt/core.h>
#include <gmock/gmock.h>

#include <set>

#include "dsl/schema.hpp"
#include "functions/testing/bench.hpp"
#include "functions/testing/each_builtin.hpp"
#include "json/write.hpp"
#include "net/address_policy.hpp"
#include "net/scripted_outbound.hpp"

namespace pawl::functions {
namespace {

using testing::HasSubstr;
using testing::Not;

class Functions : public testing::Test {
 protected:
  [[nodiscard]] std::vector<std::string> tree() const {
    std::vector<std::string> paths;
    for (const auto& entry : std::filesystem::recursive_directory_iterator(bench_.root())) {
      paths.push_back(entry.path().string() + (entry.is_regular_file() ? " " + std::to_string(entry.file_size()) : ""));
    }
    std::sort(paths.begin(), paths.end());
    return paths;
  }
  static std::string detail(const engine::Outcome& outcome) { return json::to_text(outcome.error); }

  net::ScriptedOutbound outbound_;
  Bench bench_{outbound_};
};

TEST_F(Functions, F1EveryFunctionDescribesItself) {
  for (const engine::Function* function : bench_.registry.all()) {
    const auto& info = function->info();
    EXPECT_NE(info.summary, "") << info.name;
    EXPECT_NE(info.version, "") << info.name;
    EXPECT_TRUE(info.parameters.is_object()) << info.name;
    EXPECT_TRUE(info.output.is_object()) << info.name;
    const auto parameters = dsl::Schema::compile(info.parameters);
    ASSERT_TRUE(parameters.has_value()) << info.name << parameters.error().message;
    EXPECT_TRUE(dsl::Schema::compile(info.output).has_value()) << info.name;
    ASSERT_TRUE(info.examples.is_array() && !info.examples.empty()) << info.name;
    for (const json::Value& example : info.examples.items()) {
      const Findings findings = parameters->validate(example);
      EXPECT_TRUE(findings.empty()) << info.name << " " << json::to_text(example) << " "
                                    << (findings.empty() ? "" : findings.front().message);
    }
  }
}

// Every call of the bench is held to it.
TEST_F(Functions, F1WhatAFunctionGivesIsWhatItDeclares) {
  const auto& read = *bench_.registry.get("file-read");
  const auto told = [&](std::string_view output) { return Bench::undeclared(read, engine::Outcome::success(json::parse(output).value())); };
  EXPECT_EQ(told(R"({"path": "a", "size": 1, "modified": "x", "content": [1]})"), "");
  EXPECT_THAT(told(R"({"path": 5, "size": 1, "modified": "x", "content": ""})"),
              HasSubstr("the output of file-read is not as declared: /path"));
  EXPECT_NE(told("[]"), "");
  EXPECT_EQ(Bench::undeclared(read, engine::Outcome::planned(json::Value::array())), "");
  EXPECT_EQ(Bench::undeclared(read, engine::Outcome::failure(json::Value::object({{"title", "no"}}))), "");
}

TEST_F(Functions, F1EveryFunctionDeclaresWhatItReaches) {
  const std::set<std::string> within = {"approval", "log", "noop", "transform"};
  for (const engine::Function* function : bench_.registry.all()) {
    const auto& info = function->info();
    EXPECT_EQ(info.reach.empty(), within.contains(info.name)) << info.name;
    for (const engine::Access& access : info.reach) {
      ASSERT_TRUE(access.parameter.empty() != access.fixed.empty()) << info.name;
      if (access.parameter.empty()) continue;
      const std::string first = access.parameter.substr(1, access.parameter.find('/', 1) - 1);
      EXPECT_TRUE(info.parameters.get("properties").get(first).is_object()) << info.name << " " << access.parameter;
    }
  }
}

TEST_F(Functions, F1EveryFunctionDeclaresWhatItNeedsAndWhichArgumentsAreContent) {
  const std::set<std::string> needs_nothing = {"log", "noop", "transform"};
  for (const engine::Function* function : bench_.registry.all()) {
    const auto& info = function->info();
    EXPECT_EQ(engine::needs_of(info).empty(), needs_nothing.contains(info.name)) << info.name;
    const auto parameters = json::to_text(info.parameters);
    for (const auto& name : info.content) EXPECT_THAT(parameters, HasSubstr('"' + name + '"')) << info.name;
  }
  EXPECT_EQ(bench_.registry.get("send-email")->info().content, (std::vector<std::string>{"body", "html", "content"}));
}

// proves: S4-H3
TEST_F(Functions, S4H3ACallDestroysOnlyWhereItsFunctionSaysSo) {
  for (const engine::Function* function : bench_.registry.all()) {
    const auto& info = function->info();
    bool any = false;
    for (const json::Value& example : info.examples.items()) {
      const bool destroys = function->destroys(example);
      any |= destroys;
      EXPECT_TRUE(!destroys || info.destructive) << info.name;
    }
    EXPECT_EQ(any, info.destructive) << info.name << " has no example of a call that destroys";
  }
}

TEST_F(Functions, F3PlansChangeNothing) {
  bench_.write("inbox/a.pdf", "x");
  bench_.write("inbox/.pawl-undo/0123456789abcdef01234567.jsonl", "{\"from\":\"b.pdf\",\"to\":\"documents/b.pdf\"}\n");
  bench_.write("inbox/documents/b.pdf", "y");
  std::filesystem::create_directory(bench_.root() + "/data");
  const auto before = tree();
  for (const engine::Function* function : bench_.registry.all()) {
    for (const json::Value& example : function->info().examples.items()) {
      engine::Invocation call = bench_.invocation("{}", R"({"petId": 1})");
      call.arguments = example;
      const auto plan = function->plan(call);
      ASSERT_TRUE(plan.has_value()) << function->info().name << plan.error().message;
      ASSERT_TRUE(plan->is_array() && !plan->empty()) << function->info().name;
      for (const json::Value& step : plan->items()) EXPECT_TRUE(step.get("action").is_string()) << function->info().name;
      call.dry_run = true;
      const engine::Outcome outcome = bench_.finish(function->info().name, call);
      EXPECT_TRUE(outcome.ok()) << function->info().name << detail(outcome);
      EXPECT_TRUE(outcome.output.get("dry_run").truthy()) << function->info().name;
    }
  }
  EXPECT_EQ(tree(), before);
  EXPECT_TRUE(outbound_.requests().empty());
}

// Whoever may give a parameter must not give the sandbox its options.
TEST(SandboxedFunctions, F4_ANulInAParameterStartsNothing) {
  net::ScriptedOutbound outbound;
  const net::AddressPolicy policy{.allow_private = true};
  Bench bench(outbound, {}, &policy);
  std::filesystem::create_directories(bench.root() + "/seed/.git/refs");
  std::filesystem::create_directories(bench.root() + "/seed/.git/objects");
  bench.write("seed/.git/HEAD", "ref: refs/heads/main\n");
  bench.write("seed/.git/config", "[core]\n\tbare = false\n");
  const std::string evil = R"(x\u0000--bind\u0000/\u0000/)";
  const std::vector<std::pair<const char*, std::string>> calls = {
      {"git", R"({"operation": "commit", "repo_path": "seed", "commit_message": "m", "author": {"name": "EVIL", "email": "a@b"}})"},
      {"git", R"({"operation": "commit", "repo_path": "seed", "commit_message": "m", "author": {"name": "a", "email": "EVIL"}})"},
      {"git", R"({"operation": "commit", "repo_path": "seed", "commit_message": "EVIL"})"},
      {"database-backup", R"({"target": "t", "connection": {"host": "127.0.0.1", "database": "d", "username": "u", "password": "EVIL"}})"},
      {"database-backup", R"({"target": "t", "connection": {"host": "127.0.0.1", "database": "d", "username": "EVIL"}})"},
      {"database-backup", R"({"target": "t", "connection": {"host": "127.0.0.1", "database": "EVIL", "username": "u"}})"},
      {"run.shell", R"({"command": "true", "environment": {"A": "EVIL"}})"},
      {"run.shell", R"({"command": "true", "arguments": ["EVIL"]})"},
      {"run.script", R"({"language": "python", "code": "pass", "environment": {"A": "EVIL"}})"},
  };
  for (auto [function, arguments] : calls) {
    arguments.replace(arguments.find("EVIL"), 4, evil);
    const auto outcome = bench.call(function, arguments);
    ASSERT_FALSE(outcome.ok()) << arguments;
    EXPECT_THAT(json::to_text(outcome.error), HasSubstr("NUL")) << function << arguments;
  }
}

// proves: S4-H3
TEST_F(Functions, S4H3WhatCanDestroyIsFlaggedAndMayBeAllowed) {
  std::set<std::string> destructive;
  for (const engine::Function* function : bench_.registry.all()) {
    if (!function->info().destructive) continue;
    destructive.insert(function->info().name);
    EXPECT_TRUE(function->info().parameters.get("properties").get("allow_destructive").is_object()) << function->info().name;
  }
  EXPECT_THAT(destructive, testing::IsSupersetOf({"file-organizer", "file-write", "shell-command"}));
}

TEST_F(Functions, BadArgumentsAreNamedAndNothingStarts) {
  for (const engine::Function* function : bench_.registry.all()) {
    const std::string& name = function->info().name;
    if (name == "noop") continue;
    for (const char* arguments : {"{\"method\": 1, \"path\": 1, \"nonsense\": 1}", "[]", "null", "\"text\"", "{}"}) {
      if (name == "file-organizer" && std::string_view(arguments) == "{}") continue;
      const engine::Outcome outcome = bench_.call(name, arguments);
      ASSERT_FALSE(outcome.ok()) << name << arguments;
      EXPECT_THAT(detail(outcome), HasSubstr("validation")) << name << arguments;
      EXPECT_TRUE(function->plan(bench_.invocation(arguments)).has_error()) << name << arguments;
    }
  }
}

TEST_F(Functions, NoopGivesItsArgumentsBack) {
  EXPECT_EQ(bench_.call("noop", R"({"a": 1})").output.get("a"), json::Value(1));
  EXPECT_EQ(bench_.registry.get("noop")->effect_class({}), engine::EffectClass::pure);
}

TEST_F(Functions, LogWritesALineAndPassesItsInputOn) {
  const auto outcome =
      bench_.call("log", R"({"message": "key is abcdef", "level": "warning", "data": [1]})", R"({"x": 1})", R"({"key": "abcdef"})");
  ASSERT_EQ(outcome.logs.size(), 1U);
  EXPECT_EQ(outcome.logs[0].text, "key is *** [1]");
  EXPECT_EQ(outcome.logs[0].level, "warning");
  EXPECT_EQ(outcome.output.get("x"), json::Value(1));
}

TEST_F(Functions, FilesAreReadInEveryEncoding) {
  bench_.write("a.txt", "hi\n");
  bench_.write("a.json", R"({"x": [1]})");
  bench_.write("a.yaml", "x: [on]\n");
  bench_.write("a.csv", "n\n1\n");
  bench_.write("a.bin", "\xFF");
  const auto content = [&](const std::string& path, const std::string& encoding) {
    const auto outcome = bench_.call("file-read", R"({"path": ")" + path + R"(", "encoding": ")" + encoding + "\"}");
    return outcome.ok() ? json::to_text(outcome.output.get("content")) : detail(outcome);
  };
  EXPECT_EQ(content("a.txt", "text"), "\"hi\\n\"");
  EXPECT_EQ(content("a.json", "json"), R"({"x":[1]})");
  EXPECT_EQ(content("a.yaml", "yaml"), R"({"x":["on"]})");
  EXPECT_EQ(content("a.csv", "csv"), R"([{"n":"1"}])");
  EXPECT_EQ(content("a.bin", "base64"), "\"/w==\"");
  EXPECT_THAT(content("a.bin", "text"), HasSubstr("base64"));
  EXPECT_THAT(content("a.txt", "json"), HasSubstr("not JSON"));
  EXPECT_THAT(content("missing", "text"), HasSubstr("there is no"));
  EXPECT_THAT(content("../outside", "text"), HasSubstr("authorization"));
}

TEST_F(Functions, FilesAreWritten) {
  const auto outcome =
      bench_.call("file-write", R"({"path": "out/a.csv", "content": [{"a": 1}], "encoding": "csv", "allow_destructive": true})");
  EXPECT_TRUE(outcome.ok()) << detail(outcome);
  EXPECT_EQ(bench_.read("out/a.csv"), "a\r\n1\r\n");
  EXPECT_THAT(detail(bench_.call("file-write", R"({"path": "out/a.csv", "content": ""})")), HasSubstr("exists already"));
  EXPECT_TRUE(bench_.call("file-write", R"({"path": "out/b", "content": "aGk=", "encoding": "base64"})").ok());
  EXPECT_EQ(bench_.read("out/b"), "hi");
  const auto* write = bench_.registry.get("file-write");
  EXPECT_EQ(write->effect_class(*json::parse(R"({"mode": "append"})")), engine::EffectClass::once);
  EXPECT_EQ(write->effect_class(*json::parse(R"({"mode": "overwrite"})")), engine::EffectClass::idempotent);
}

TEST_F(Functions, FileOrganizerOrganizesAndUndoes) {
  bench_.write("inbox/a.pdf", "1");
  bench_.write("inbox/b.xyz", "2");
  const auto before = tree();
  const auto planned = bench_.call("file-organizer", R"({"target": "inbox", "dry_run": true})");
  EXPECT_EQ(planned.output.get("plan").size(), 3U) << detail(planned);
  EXPECT_EQ(tree(), before);
  const auto outcome = bench_.call("file-organizer", R"({"target": "inbox", "allow_destructive": true})");
  EXPECT_EQ(outcome.output.get("files_moved"), json::Value(2)) << detail(outcome);
  EXPECT_EQ(bench_.read("inbox/documents/a.pdf"), "1");
  const auto back =
      bench_.call("file-organizer", json::to_text(json::Value::object({{"operation", "undo"}, {"manifest", outcome.output.get("undo")}})));
  EXPECT_EQ(back.output.get("files_moved"), json::Value(2)) << detail(back);
  EXPECT_EQ(tree(), before);
}

TEST_F(Functions, FileOrganizerSortsByAnExpression) {
  bench_.write("inbox/a.pdf", "1");
  bench_.write("inbox/b.txt", std::string(2000, 'x'));
  bench_.write("inbox/keep", "2");
  const auto outcome = bench_.call(
      "file-organizer",
      R"({"source_dir": "inbox", "expression": "if .size > 1000 then \"large\" elif .extension == \"\" then null else .extension end"})");
  EXPECT_EQ(outcome.output.get("files_moved"), json::Value(2)) << detail(outcome);
  EXPECT_EQ(bench_.read("inbox/pdf/a.pdf"), "1");
  EXPECT_EQ(bench_.read("inbox/large/b.txt").size(), 2000U);
  EXPECT_EQ(bench_.read("inbox/keep"), "2");
  for (const char* bad : {"\"../up\"", "\".hidden\"", "7", "\"\"", ".["}) {
    const json::Value arguments = json::Value::object({{"target", "inbox"}, {"by", "expression"}, {"expression", bad}});
    EXPECT_FALSE(bench_.call("file-organizer", json::to_text(arguments)).ok()) << bad;
  }
}

TEST_F(Functions, ShellCommandsGiveWhatIsAskedFor) {
  const char* command =
      R"({"command": "cat; echo \"$1-$2\"; echo bad >&2; exit 3", "arguments": ["a b", 2], "stdin": {"x": 1}, "return": ")";
  const auto with = [&](const std::string& form) { return bench_.call("run.shell", command + form + "\"}"); };
  EXPECT_EQ(json::to_text(with("all").output), R"({"code":3,"stdout":"{\"x\":1}a b-2\n","stderr":"bad\n"})");
  EXPECT_EQ(with("code").output, json::Value(3));
  const auto failed_call = with("stdout");
  EXPECT_THAT(detail(failed_call), HasSubstr("ended with code 3: bad"));
  EXPECT_THAT(detail(failed_call), HasSubstr("runtime"));
  EXPECT_EQ(
      bench_.call("run.shell", R"({"command": "echo $1 $X >&2", "arguments": {"k": "v"}, "environment": {"X": 1}, "return": "stderr"})")
          .output,
      json::Value("k=v 1\n"));
}

TEST_F(Functions, SecretsDoNotAppearInErrors) {
  const auto outcome = bench_.call("run.shell", R"({"command": "echo $KEY >&2; exit 1", "environment": {"KEY": "abcdefgh"}})", "{}",
                                   R"({"key": "abcdefgh"})");
  EXPECT_THAT(detail(outcome), HasSubstr("***"));
  EXPECT_THAT(detail(outcome), Not(HasSubstr("abcdefgh")));
}

TEST_F(Functions, EnvironmentNamesAreChecked) {
  EXPECT_THAT(detail(bench_.call("run.shell", R"({"command": "true", "environment": {"A=B": "x"}})")), HasSubstr("validation"));
}

TEST_F(Functions, ScriptsRunInBothLanguages) {
  const auto run = [&](std::string_view arguments) {
    const auto outcome = bench_.call("run.script", arguments);
    return outcome.ok() ? std::string(outcome.output.as_string()) : detail(outcome);
  };
  EXPECT_EQ(run(R"json({"language": "js", "arguments": ["x"],
                        "code": "console.log(process.argv[2], await Promise.resolve(1), require('path').sep)"})json"),
            "x 1 /\n");
  EXPECT_EQ(run(R"json({"language": "js", "arguments": {"first": 1, "second": {"y": 2}},
                        "code": "const name = first; console.log(name + second.y)"})json"),
            "3\n");
  EXPECT_EQ(run(R"json({"language": "python", "arguments": ["x"], "stdin": "in",
                        "code": "import sys\nprint(sys.argv[1:], sys.stdin.read())"})json"),
            "['x'] in\n");
  EXPECT_EQ(run(R"json({"language": "python", "arguments": {"first": 1, "second": {"y": 2}}, "code": "print(first + second['y'])"})json"),
            "3\n");
  EXPECT_THAT(run(R"json({"language": "python", "code": "raise ValueError('no')"})json"), HasSubstr("ValueError: no"));
  EXPECT_THAT(run(R"json({"language": "cobol", "code": ""})json"), HasSubstr("configuration"));
  EXPECT_THAT(run(R"json({"language": "js", "code": "", "arguments": {"a b": 1}})json"), HasSubstr("validation"));
}

TEST_F(Functions, ScriptsComeFromFilesBelowTheRoots) {
  bench_.write("scripts/a.py", "print('from a file')");
  EXPECT_EQ(bench_.call("run.script", R"({"language": "python", "source": {"endpoint": "scripts/a.py"}})").output,
            json::Value("from a file\n"));
  const std::string absolute = R"({"language": "python", "source": {"endpoint": {"uri": "file://)" + bench_.root() + R"(/scripts/a.py"}}})";
  EXPECT_EQ(bench_.call("run.script", absolute).output, json::Value("from a file\n"));
  EXPECT_THAT(detail(bench_.call("run.script", R"({"language": "python", "source": {"endpoint": "/etc/passwd"}})")),
              HasSubstr("authorization"));
}

TEST_F(Functions, CancelEndsARunningScript) {
  auto [future, cancel] = bench_.start("run.shell", bench_.invocation(R"({"command": "sleep 60"})"));
  cancel();
  cancel();
  EXPECT_THAT(detail(future.get()), HasSubstr("cancelled"));
}

// proves: S4-M2
TEST_F(Functions, S4M2WhatHangsEndsSoonAfterACancel) {
  constexpr auto kSoon = std::chrono::seconds(2);  // 200 ms where nobody else keeps the machine busy
  bench_.write("x.db", "");
  const std::pair<const char*, const char*> hanging[] = {
      {"run.shell", R"({"command": "sleep 60"})"},
      {"shell-command", R"({"command": "sleep", "args": [60], "timeout": 60})"},
      {"run.script", R"json({"language": "python", "code": "import time; time.sleep(60)"})json"},
      {"sql-query",
       R"({"path": "x.db", "query": "with recursive n(i) as (select 1 union all select i + 1 from n) select count(*) from n", "timeout": 60})"},
      {"transform",
       R"json({"expression": "reduce range(30000) as $i (0; . + $i)", "each": true, "input": [0, 0, 0, 0, 0, 0, 0, 0, 0, 0]})json"},
  };
  for (const auto& [name, arguments] : hanging) {
    auto [future, cancel] = bench_.start(name, bench_.invocation(arguments));
    cancel();
    ASSERT_EQ(future.wait_for(kSoon), std::future_status::ready) << name;
    EXPECT_THAT(detail(future.get()), HasSubstr("cancelled")) << name;
  }
}

// proves: S4-M2
TEST_F(Functions, S4M2ProcessesEndWhenTheirTimeIsUp) {
  EXPECT_THAT(detail(bench_.call("shell-command", R"({"command": "sleep", "args": [60], "timeout": 0.1})")), HasSubstr("timeout"));
}

// proves: AI-C4
TEST_F(Functions, ShellCommandRunsAProgramWithoutAShell) {
  bench_.write("sub/x", "");
  const auto outcome = bench_.call("shell-command", R"({"command": "ls", "args": ["$HOME", "x"], "cwd": "sub", "check": false})");
  EXPECT_EQ(outcome.output.get("stdout"), json::Value("x\n")) << detail(outcome);
  EXPECT_NE(outcome.output.get("return_code"), json::Value(0));
  EXPECT_THAT(detail(bench_.call("shell-command", R"({"command": "false"})")), HasSubstr("ended with code 1"));
  EXPECT_THAT(detail(bench_.call("shell-command", R"({"command": "ls", "allow_unsafe": true})")), HasSubstr("validation"));
  EXPECT_THAT(detail(bench_.call("shell-command", R"({"command": "ls", "cwd": "../.."})")), HasSubstr("authorization"));
  EXPECT_THAT(detail(bench_.call("shell-command", R"({"command": "no-such-program"})")), HasSubstr("configuration"));
}

// proves: S4-H3
TEST_F(Functions, S4H3OnlyWhatIsAllowedToDestroyWritesTheRoots) {
  EXPECT_FALSE(bench_.call("run.shell", R"({"command": "echo x > made"})").ok());
  EXPECT_FALSE(bench_.call("run.script", R"json({"language": "python", "code": "open('made', 'w')"})json").ok());
  EXPECT_TRUE(bench_.call("shell-command", R"({"command": "touch", "args": ["made"], "allow_destructive": true})").ok());
  EXPECT_TRUE(std::filesystem::exists(bench_.root() + "/made"));
}

// What runs programs is not destructive by itself: in a run that may not destroy they read what they could write else.
// proves: S4-H3
TEST_F(Functions, S4H3ProgramsOfARunThatMayNotDestroyOnlyReadTheRoots) {
  const StandInEngine engine;
  FunctionsOptions options;
  options.scripts_may_write_roots = true;
  options.warm_processes = 1;
  options.container_engine = engine.program();
  Bench bench(outbound_, options);
  const auto call = [&](const char* function, const char* arguments, bool may) {
    auto invocation = bench.invocation(arguments);
    invocation.may_destroy = may;
    return bench.finish(function, std::move(invocation));
  };
  const auto is_made = [&] { return std::filesystem::remove(bench.root() + "/made"); };
  const std::pair<const char*, const char*> kWriting[] = {
      {"run.shell", R"({"command": "echo x > made"})"},
      {"run.script", R"json({"language": "python", "code": "open('made', 'w')"})json"},
      {"run.script", R"json({"language": "js", "code": "require('fs').writeFileSync('made', '')"})json"},
  };
  for (const auto& [function, arguments] : kWriting) {
    // Again and again: what one call leaves waiting is not for a call that may do less.
    for (const bool may : {true, false, true, false, false, true}) {
      EXPECT_EQ(call(function, arguments, may).ok(), may) << arguments;
      EXPECT_EQ(is_made(), may) << arguments;
    }
  }
  std::filesystem::create_directory(bench.root() + "/data");
  constexpr const char* kContainer = R"({"image": "image", "command": "true", "volumes": {"data": "/data"}})";
  EXPECT_TRUE(call("run.container", kContainer, false).ok());
  EXPECT_THAT(engine.calls(), HasSubstr("type=bind,source=" + bench.root() + "/data,target=/data,readonly image true"));
  EXPECT_TRUE(call("run.container", kContainer, true).ok());
  EXPECT_THAT(engine.calls(), HasSubstr("target=/data image true"));

  constexpr const char* kAddress =
      R"({{"operation": "presign", "bucket": "bbb", "key": "k", "method": "{}", "endpoint": "https://s3.test", )"
      R"("access_key_id": "a", "secret_access_key": "b"}})";
  for (const std::string method : {"GET", "HEAD", "PUT"}) {
    const auto arguments = fmt::format(kAddress, method);
    EXPECT_EQ(call("s3", arguments.c_str(), false).ok(), method != "PUT") << method;
    EXPECT_TRUE(call("s3", arguments.c_str(), true).ok()) << method;
  }
}

// proves: F4
TEST_F(Functions, F4AContainerGetsNoFolderThatHoldsAHiddenOne) {
  const StandInEngine engine;
  std::string pattern = "/tmp/pawl-test-XXXXXX";
  const std::string folder = mkdtemp(pattern.data());
  std::filesystem::create_directories(folder + "/root/inner/data");
  std::filesystem::create_directories(folder + "/root/other");
  FunctionsOptions options;
  options.roots = {folder + "/root"};
  options.hidden = {folder + "/root/inner/data"};
  options.container_engine = engine.program();
  async::BlockingPool pool("test", 1, 1);
  SystemClock clock;
  SystemRandom random;
  engine::FunctionRegistry registry;
  ASSERT_TRUE(add_builtin_functions(registry, {outbound_, pool, clock, random}, options).has_value());
  for (const std::string volume : {".", "inner", "other"}) {
    const auto call = bench_.invocation(R"({"image": "image", "volumes": {")" + volume + R"(": "/data"}})");
    EXPECT_EQ(registry.get("run.container")->plan(call).has_value(), volume == "other") << volume;
  }
  pool.stop();
  std::filesystem::remove_all(folder);
}

TEST_F(Functions, ContainersSayWhatIsMissing) {
  const auto outcome = bench_.call("run.container", R"({"image": "pawl.invalid/none:0", "pullPolicy": "never"})");
  ASSERT_FALSE(outcome.ok());
  EXPECT_THAT(detail(outcome), HasSubstr("configuration"));
  EXPECT_THAT(detail(bench_.call("run.container", R"({"image": "--privileged"})")),
              testing::AnyOf(HasSubstr("validation"), HasSubstr("configuration")));
}

TEST(FunctionsOptions, RootsMustExist) {
  net::ScriptedOutbound outbound;
  async::BlockingPool pool("test", 1, 1);
  SystemClock clock;
  SystemRandom random;
  engine::FunctionRegistry registry;
  FunctionsOptions options;
  options.roots = {"/no/such/folder"};
  EXPECT_EQ(add_builtin_functions(registry, {outbound, pool, clock, random}, options).error().code, "functions.root");
}

}  // namespace
}  // namespace pawl::functions
