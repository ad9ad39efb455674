#include "functions/user_functions.hpp"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include "dsl/compile.hpp"
#include "functions/testing/bench.hpp"
#include "json/write.hpp"
#include "net/scripted_outbound.hpp"

namespace pawl::functions {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr const char* kGreet = R"(# says hello
input:
  schema:
    document:
      type: object
      properties: {name: {type: string}}
      required: [name]
metadata: {summary: Greets somebody, examples: [{name: Ann}]}
set: {greeting: '${ "Hello " + .name }'}
)";

class UserFunctionFolder : public testing::Test {
 protected:
  void write(const std::string& name, const std::string& text) const { bench_.write("plugins/functions/" + name + "/function.yaml", text); }
  LoadedFunctions load() {
    auto loaded = load_user_functions(bench_.root() + "/plugins", bench_.registry);
    bench_.registry.publish(loaded.functions);
    return loaded;
  }
  static std::vector<std::string> names(const LoadedFunctions& loaded) {
    std::vector<std::string> names;
    for (const auto& one : loaded.functions) names.push_back(one.definition->name + ':' + one.definition->version);
    return names;
  }
  static std::vector<std::string> rules(const LoadedFunctions& loaded) {
    std::vector<std::string> rules;
    for (const auto& one : loaded.findings) rules.push_back(one.file + ' ' + one.finding.rule);
    return rules;
  }
  std::string compile(const std::string& body) const {
    const auto checked = dsl::compile("document: {dsl: '1.0.3', namespace: a, name: b, version: '1.0.0'}\ndo:\n" + body, bench_.registry);
    return checked.ok()               ? "good"
           : checked.findings.empty() ? "faulty"
                                      : checked.findings.front().rule + ": " + checked.findings.front().message;
  }

  net::ScriptedOutbound outbound_;
  Bench bench_{outbound_};
};

TEST_F(UserFunctionFolder, F5_NamesVersionsAndSchemasComeFromTheFolder) {
  write("greet/1.0.0", kGreet);
  write("greet/1.10.0", kGreet);
  write("greet/1.9.0", kGreet);
  const auto loaded = load();
  EXPECT_THAT(rules(loaded), ElementsAre());
  EXPECT_THAT(names(loaded), ElementsAre("greet:1.10.0", "greet:1.9.0", "greet:1.0.0"));
  EXPECT_EQ(loaded.functions[0].summary, "Greets somebody");
  EXPECT_EQ(loaded.functions[0].parameters.get("required"), *json::parse(R"(["name"])"));
  EXPECT_THAT(loaded.functions[0].effects, ElementsAre(engine::EffectClass::pure));
  EXPECT_EQ(compile("  - a: {call: greet, with: {name: Ann}}\n"), "good");
  EXPECT_EQ(compile("  - a: {call: 'greet:1.9.0', with: {name: Ann}}\n"), "good");
  EXPECT_THAT(compile("  - a: {call: 'greet:2.0.0', with: {name: Ann}}\n"), HasSubstr("no version"));
  EXPECT_THAT(compile("  - a: {call: greet, with: {name: 7}}\n"), HasSubstr("type"));
  EXPECT_THAT(compile("  - a: {call: greet, with: {nom: Ann}}\n"), HasSubstr("propert"));
}

TEST_F(UserFunctionFolder, F5_AFaultyFileIsToldWithItsPlaceAndDisturbsNoOther) {
  write("bad-call/1.0.0", "# a comment\ndo:\n  - one: {call: nothing}\n");
  write("bad-secret/1.0.0", "set: {a: '${ $secrets.key }'}\n");
  write("bad-yaml/1.0.0", "set: {a: [}\n");
  write("list/1.0.0", "[1, 2]\n");
  write("Upper/1.0.0", kGreet);
  write("version/one", kGreet);
  write("file-read/1.0.0", kGreet);
  write("good/1.0.0", kGreet);
  write("calls-bad/1.0.0", "call: bad-call\n");
  std::filesystem::create_directories(bench_.root() + "/plugins/functions/link/1.0.0");
  std::filesystem::create_symlink("/etc/passwd", bench_.root() + "/plugins/functions/link/1.0.0/function.yaml");
  const auto loaded = load();
  EXPECT_THAT(names(loaded), ElementsAre("good:1.0.0"));
  EXPECT_THAT(rules(loaded), testing::IsSupersetOf({std::string("functions/bad-call/1.0.0/function.yaml unknown-function"),
                                                    std::string("functions/bad-secret/1.0.0/function.yaml unknown-variable"),
                                                    std::string("functions/bad-yaml/1.0.0/function.yaml yaml-syntax"),
                                                    std::string("functions/list/1.0.0/function.yaml wrong-type"),
                                                    std::string("functions/Upper/1.0.0/function.yaml invalid-name"),
                                                    std::string("functions/version/one/function.yaml invalid-version"),
                                                    std::string("functions/file-read/1.0.0/function.yaml taken-name"),
                                                    std::string("functions/link/1.0.0/function.yaml file"),
                                                    std::string("functions/calls-bad/1.0.0/function.yaml unknown-function")}));
  for (const auto& [file, finding] : loaded.findings) {
    if (!file.starts_with("functions/bad-call")) continue;
    EXPECT_EQ(finding.line, 3U);
    EXPECT_EQ(finding.column, 17U);
  }
}

TEST_F(UserFunctionFolder, F5_WhatOnlyEarlierReleasesTookIsSaidToBeThat) {
  write("asks/1.0.0", "call: mcp\nwith: {method: tools/list, transport: {server: s}, tol: x}\n");
  write("shouts/1.0.0", "call: shout\n");
  const auto loaded = load();
  EXPECT_THAT(names(loaded), ElementsAre());
  ASSERT_THAT(rules(loaded),
              ElementsAre("functions/asks/1.0.0/function.yaml unknown-property", "functions/shouts/1.0.0/function.yaml unknown-function"));
  EXPECT_THAT(loaded.findings[0].finding.message, testing::AllOf(HasSubstr("`tol`"), HasSubstr("Earlier releases let this pass")));
  EXPECT_THAT(loaded.findings[1].finding.message, testing::Not(HasSubstr("Earlier releases")));
}

TEST_F(UserFunctionFolder, F5_FunctionsCallEachOtherButNotThemselves) {
  write("greet/1.0.0", kGreet);
  write("twice/1.0.0", "do:\n  - a: {call: greet, with: {name: Ann}}\n  - b: {call: greet, with: {name: Bob}}\n");
  write("ping/1.0.0", "call: pong\n");
  write("pong/1.0.0", "call: ping\n");
  const auto loaded = load();
  EXPECT_THAT(names(loaded), ElementsAre("greet:1.0.0", "twice:1.0.0"));
  EXPECT_THAT(rules(loaded), testing::Contains("functions/ping/1.0.0/function.yaml function-recursion"));
  EXPECT_EQ(compile("  - a: {call: twice}\n"), "good");
}

// Whoever installs a function sees what it may reach before anything of it runs.
TEST_F(UserFunctionFolder, F5_PermissionsAreWhatTheStepsMayReach) {
  write("sync/1.0.0",
        "do:\n"
        "  - get: {call: http, with: {method: get, endpoint: 'https://api.example.org/x'}}\n"
        "  - keep: {call: file-write, with: {path: out.json, content: '${ . }', mode: overwrite, allow_destructive: true}}\n");
  const auto loaded = load();
  ASSERT_THAT(names(loaded), ElementsAre("sync:1.0.0")) << testing::PrintToString(rules(loaded));
  const auto& sync = loaded.functions[0];
  const std::string permissions = json::to_text(sync.permissions);
  EXPECT_THAT(permissions, HasSubstr("api.example.org"));
  EXPECT_THAT(permissions, HasSubstr("out.json"));
  EXPECT_TRUE(sync.destructive);
  EXPECT_THAT(sync.effects, ElementsAre(engine::EffectClass::read, engine::EffectClass::idempotent));
  EXPECT_THAT(user_function_page(sync), HasSubstr("api.example.org"));
}

TEST_F(UserFunctionFolder, F5_AChangedFileIsSeenAndABrokenOneLeavesWhatThereWas) {
  write("greet/1.0.0", kGreet);
  write("twice/1.0.0", "do:\n  - a: {call: greet, with: {name: Ann}}\n");
  load();
  write("greet/1.0.0", std::string("# the same, with a remark\n") + kGreet);
  EXPECT_THAT(rules(load()), ElementsAre());
  for (const std::string broken : {"set: {a: [}\n", "call: nothing\n", "set: {a: '${ $secrets.key }'}\n"}) {
    write("greet/1.0.0", broken);
    const auto loaded = load();
    ASSERT_EQ(loaded.findings.size(), 1U) << broken << testing::PrintToString(rules(loaded));
    EXPECT_EQ(loaded.findings[0].file, "functions/greet/1.0.0/function.yaml");
    EXPECT_EQ(loaded.findings[0].finding.line, 1U);
    EXPECT_THAT(loaded.findings[0].finding.message, HasSubstr("stays in use"));
    ASSERT_THAT(names(loaded), ElementsAre("greet:1.0.0", "twice:1.0.0")) << broken;
    EXPECT_EQ(loaded.functions[0].summary, "Greets somebody");
  }
  std::filesystem::remove_all(bench_.root() + "/plugins/functions/greet");
  const auto loaded = load();
  EXPECT_THAT(names(loaded), ElementsAre());
  EXPECT_THAT(rules(loaded), ElementsAre("functions/twice/1.0.0/function.yaml unknown-function"));
  EXPECT_THAT(compile("  - a: {call: greet, with: {name: Ann}}\n"), HasSubstr("unknown-function"));
}

// Whatever becomes of a function, a plan that is made again from what it was made with is the same plan.
TEST_F(UserFunctionFolder, F5_APlanNamesTheFunctionsThatItWasMadeOf) {
  write("greet/1.0.0", kGreet);
  write("twice/1.0.0", "do:\n  - a: {call: 'greet:latest', with: {name: Ann}}\n");
  load();
  const std::string text =
      "document: {dsl: '1.0.3', namespace: a, name: b, version: '1.0.0'}\ndo:\n  - a: {call: twice}\n  - b: {call: greet, with: {name: "
      "A}}\n";
  const auto before = dsl::compile(text, bench_.registry);
  ASSERT_TRUE(before.ok());
  ASSERT_EQ((*before.value)->functions.size(), 2U);
  write("greet/2.0.0", "set: {greeting: other}\n");
  write("greet/1.0.0", "set: {greeting: changed}\n");
  std::filesystem::remove_all(bench_.root() + "/plugins/functions/twice");
  load();
  const auto again = dsl::compile(text, dsl::PinnedFunctions((*before.value)->functions, bench_.registry));
  ASSERT_TRUE(again.ok());
  ASSERT_EQ((*again.value)->tasks.size(), (*before.value)->tasks.size());
  for (std::size_t i = 0; i < (*again.value)->tasks.size(); ++i) {
    EXPECT_EQ((*again.value)->tasks[i].reference, (*before.value)->tasks[i].reference);
    EXPECT_EQ((*again.value)->tasks[i].definition, (*before.value)->tasks[i].definition);
  }
  EXPECT_FALSE(dsl::compile(text, bench_.registry).ok());
}

// Secrets that a document declares are its own: a function gets none, whatever way it asks.
TEST_F(UserFunctionFolder, F5_AFunctionGetsNoSecretsOfItsCaller) {
  write("asks/1.0.0", "call: http\nwith: {method: get, endpoint: {uri: 'http://a.example', authentication: {basic: {use: key}}}}\n");
  write("defines/1.0.0", "call: http\nwith: {method: get, endpoint: {uri: 'http://a.example', authentication: {use: login}}}\n");
  write("makes/1.0.0",
        "call: http\nwith: {method: get, endpoint: {uri: 'http://a.example', authentication: '${ {basic: {use: .key}} }'}}\n");
  const auto loaded = load();
  EXPECT_THAT(rules(loaded), testing::UnorderedElementsAre("functions/asks/1.0.0/function.yaml undeclared-secret",
                                                           "functions/defines/1.0.0/function.yaml unknown-reference"));
  const auto checked = dsl::compile(
      "document: {dsl: '1.0.3', namespace: a, name: b, version: '1.0.0'}\nuse: {secrets: [key]}\ndo:\n  - a: {call: makes, with: {key: "
      "key}}\n",
      bench_.registry);
  ASSERT_TRUE(checked.ok());
  for (const auto& task : (*checked.value)->tasks)
    EXPECT_EQ(task.sees_secrets, !task.reference.starts_with("/do/0/a/call/")) << task.reference;
}

TEST_F(UserFunctionFolder, F5_LinksAndHugeFilesAreNotRead) {
  write("good/1.0.0", kGreet);
  std::filesystem::create_directories(bench_.root() + "/elsewhere/1.0.0");
  std::ofstream(bench_.root() + "/elsewhere/1.0.0/function.yaml") << kGreet;
  std::filesystem::create_symlink(bench_.root() + "/elsewhere", bench_.root() + "/plugins/functions/whole");
  std::filesystem::create_symlink(bench_.root() + "/elsewhere/1.0.0", bench_.root() + "/plugins/functions/good/2.0.0");
  write("huge/1.0.0", "set: {a: '" + std::string(kMaxFunctionBytes, 'a') + "'}\n");
  std::filesystem::create_directories(bench_.root() + "/plugins/functions/pipe/1.0.0");
  ASSERT_EQ(mkfifo((bench_.root() + "/plugins/functions/pipe/1.0.0/function.yaml").c_str(), 0600), 0);
  const auto loaded = load();
  EXPECT_THAT(names(loaded), ElementsAre("good:1.0.0"));
  EXPECT_THAT(rules(loaded),
              testing::UnorderedElementsAre("functions/whole file", "functions/good/2.0.0 file", "functions/huge/1.0.0/function.yaml file",
                                            "functions/pipe/1.0.0/function.yaml file"));
}

// The document's own functions are not seen by a function that knows nothing of it.
TEST_F(UserFunctionFolder, F5_ADocumentCannotPutItsOwnFunctionsIntoAnother) {
  write("inner/1.0.0", "set: {from: catalog}\n");
  write("outer/1.0.0", "call: inner\n");
  load();
  const auto checked = dsl::compile(
      "document: {dsl: '1.0.3', namespace: a, name: b, version: '1.0.0'}\nuse:\n  functions:\n    inner: {set: {from: document}}\n"
      "do:\n  - a: {call: outer}\n",
      bench_.registry);
  ASSERT_TRUE(checked.ok());
  for (const auto& task : (*checked.value)->tasks) {
    if (task.type != "set") continue;
    EXPECT_EQ(task.definition.get("set").get("from"), json::Value("catalog"));
  }
}

TEST_F(UserFunctionFolder, F5_WithoutAFolderThereAreNone) {
  EXPECT_TRUE(load_user_functions("", bench_.registry).functions.empty());
  EXPECT_EQ(load_user_functions(bench_.root() + "/missing", bench_.registry).findings.size(), 1U);
}

}  // namespace
}  // namespace pawl::functions
