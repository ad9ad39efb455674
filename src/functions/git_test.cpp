// `git` on real repositories, hostile ones among them.
#include <gmock/gmock.h>

#include <cstdlib>

#include "functions/detail/git_config.hpp"
#include "functions/testing/bench.hpp"
#include "json/write.hpp"
#include "net/scripted_outbound.hpp"

namespace pawl::functions {
namespace {

using testing::HasSubstr;

class GitFunction : public testing::Test {
 protected:
  std::string call(const json::Value& arguments) {
    const auto outcome = bench_.finish("git", bench_.invocation(json::to_text(arguments)));
    return json::to_text(outcome.ok() ? outcome.output : outcome.error);
  }
  std::string in(const char* folder, const char* operation, std::initializer_list<std::pair<std::string_view, json::Value>> more = {}) {
    json::Value arguments = json::Value::object({{"operation", operation}, {"repo_path", folder}});
    for (const auto& [name, value] : more) arguments.set(name, value);
    return call(arguments);
  }
  // An administrator's hands, beside the function.
  void shell(const std::string& command) const {
    const std::string full =
        "cd " + bench_.root() + " && export HOME=/nonexistent GIT_CONFIG_NOSYSTEM=1 && { " + command + "; } >/dev/null 2>&1";
    // Flawfinder: ignore (our own words)
    ASSERT_EQ(std::system(full.c_str()), 0) << command;  // NOLINT(concurrency-mt-unsafe,cert-env33-c)
  }
  void SetUp() override {
    shell(
        "git init -q -b main --bare origin.git && git init -q -b main seed && cd seed && echo one > a.txt && git add a.txt"
        " && git -c user.name=x -c user.email=x@y commit -qm first && git push -q ../origin.git main");
  }
  [[nodiscard]] bool exists(const std::string& path) const { return std::filesystem::exists(bench_.root() + "/" + path); }

  net::ScriptedOutbound outbound_;
  FunctionsOptions options_ = [] {
    FunctionsOptions options;
    options.git_local_remotes = true;
    return options;
  }();
  Bench bench_{outbound_, options_};
};

TEST_F(GitFunction, F2_ClonesCommitsPushesAndPulls) {
  const json::Value origin(bench_.root() + "/origin.git");
  EXPECT_THAT(in("work", "clone", {{"remote_url", origin}, {"branch", "main"}}), HasSubstr("\"commit\":\""));
  EXPECT_EQ(bench_.read("work/a.txt"), "one\n");
  EXPECT_THAT(in("work", "clone", {{"remote_url", origin}}), HasSubstr("exists already"));
  EXPECT_THAT(in("work", "status"), HasSubstr(R"({"branch":"main","clean":true,"files":[])"));
  bench_.write("work/a.txt", "two\n");
  bench_.write("work/b c.txt", "new\n");
  EXPECT_THAT(in("work", "status"), HasSubstr(R"("files":[{"state":" M","path":"a.txt"},{"state":"??","path":"b c.txt"}])"));
  EXPECT_THAT(in("work", "diff"), HasSubstr("+two"));
  EXPECT_THAT(in("work", "commit", {{"commit_message", "second"}, {"author", json::Value::object({{"name", "Ada"}, {"email", "ada@x"}})}}),
              HasSubstr("\"committed\":true"));
  EXPECT_THAT(in("work", "commit", {{"commit_message", "nothing"}}), HasSubstr("\"committed\":false"));
  EXPECT_THAT(in("work", "log", {{"limit", 1}}), HasSubstr(R"("author":"Ada","email":"ada@x")"));
  EXPECT_THAT(in("work", "push", {{"branch", "main"}}), HasSubstr("\"commit\":\""));
  EXPECT_THAT(in("other", "clone", {{"remote_url", origin}, {"branch", "main"}}), HasSubstr("\"commit\":\""));
  EXPECT_EQ(bench_.read("other/a.txt"), "two\n");
  EXPECT_THAT(in("work", "checkout", {{"branch", "topic"}, {"create", true}}), HasSubstr("\"commit\":\""));
  EXPECT_THAT(in("work", "status"), HasSubstr(R"("branch":"topic")"));
  EXPECT_THAT(in("other", "pull"), HasSubstr("\"commit\":\""));
}

TEST_F(GitFunction, WhatOverwritesIsDestructive) {
  const auto* git = bench_.registry.get("git");
  const auto destroys = [&](const char* arguments) { return git->destroys(json::parse(arguments).value()); };
  EXPECT_TRUE(destroys(R"({"operation": "push", "force": true})"));
  EXPECT_TRUE(destroys(R"({"operation": "checkout", "force": true})"));
  EXPECT_FALSE(destroys(R"({"operation": "push"})"));
  EXPECT_FALSE(destroys(R"({"operation": "status"})"));
}

TEST_F(GitFunction, S4_O10_OnlyHttpsRemotesAreTakenAndTheirAddressIsGuarded) {
  for (const char* url :
       {"ext::sh -c touch% pwned", "file:///etc", "ssh://host/x", "git@host:x", "http://host/x", "--upload-pack=touch pwned",
        "https://user:secret@host/x", "https://[::1]/x", "https://host/x y", "../origin.git"}) {
    EXPECT_THAT(in("to", "clone", {{"remote_url", url}}), HasSubstr("validation")) << url;
  }
  for (const char* url : {"https://127.0.0.1/x", "https://localhost:8443/x", "https://169.254.169.254/x", "https://2130706433/x"}) {
    EXPECT_THAT(in("to", "clone", {{"remote_url", url}}), testing::AnyOf(HasSubstr("net.refused_address"), HasSubstr("net.dns"))) << url;
  }
  EXPECT_FALSE(exists("to"));
}

TEST_F(GitFunction, F3_WordsThatBeginWithADashAreNoOptions) {
  for (const char* value : {"--output=pwned", "-fpwned"}) {
    EXPECT_THAT(in("seed", "log", {{"revision", value}}), HasSubstr("validation"));
    EXPECT_THAT(in("seed", "checkout", {{"branch", value}}), HasSubstr("validation"));
    EXPECT_THAT(in("seed", "diff", {{"paths", json::Value::array({value})}}), HasSubstr("validation"));
  }
  EXPECT_FALSE(exists("seed/pwned"));
}

TEST_F(GitFunction, F3_HooksOfAHostileRepositoryDoNotRun) {
  shell(
      "cd seed && for hook in pre-commit commit-msg post-commit post-checkout pre-push post-index-change reference-transaction; do"
      " printf '#!/bin/sh\\ntouch \"" +
      bench_.root() + "/pwned\"\\n' > .git/hooks/$hook; chmod +x .git/hooks/$hook; done");
  bench_.write("seed/a.txt", "changed\n");
  EXPECT_THAT(in("seed", "status"), HasSubstr("a.txt"));
  EXPECT_THAT(in("seed", "commit", {{"commit_message", "x"}}), HasSubstr("\"committed\":true"));
  EXPECT_THAT(in("seed", "checkout", {{"branch", "topic"}, {"create", true}}), HasSubstr("\"commit\""));
  EXPECT_FALSE(exists("pwned"));
  shell("cd seed && .git/hooks/pre-commit");  // they would have been able to
  EXPECT_TRUE(exists("pwned"));
}

TEST_F(GitFunction, F3_ARepositoryThatConfiguresProgramsIsRefused) {
  const std::string touch = "touch " + bench_.root() + "/pwned; cat";
  bench_.write("seed/.gitattributes", "* filter=evil diff=evil\n");
  for (const std::string& setting :
       {std::string("filter.evil.clean"), std::string("filter.evil.smudge"), std::string("diff.evil.textconv"),
        std::string("core.fsmonitor"), std::string("diff.external"), std::string("core.sshCommand"), std::string("credential.helper"),
        std::string("include.path"), std::string("core.worktree"), std::string("url.https://evil.example/.insteadOf"),
        std::string("http.proxy"), std::string("alias.status")}) {
    shell("cp seed/.git/config saved && git -C seed config '" + setting + "' '" + touch + "'");
    EXPECT_THAT(in("seed", "status"), HasSubstr("git.config")) << setting;
    EXPECT_THAT(in("seed", "commit", {{"commit_message", "x"}}), HasSubstr("git.config")) << setting;
    shell("mv saved seed/.git/config");
  }
  EXPECT_FALSE(exists("pwned"));
}

TEST_F(GitFunction, F3_AFolderThatPointsElsewhereIsNoRepository) {
  bench_.write("pointer/.git", "gitdir: /etc\n");
  EXPECT_THAT(in("pointer", "status"), HasSubstr("git.repository"));
  std::filesystem::create_directory(bench_.root() + "/linked");
  std::filesystem::create_directory_symlink(bench_.root() + "/seed/.git", bench_.root() + "/linked/.git");
  EXPECT_THAT(in("linked", "status"), HasSubstr("authorization"));
  EXPECT_THAT(in("..", "status"), HasSubstr("authorization"));
}

TEST_F(GitFunction, F3_TheRepositoryThatIsLookedAtIsTheOneThatIsUsed) {
  const std::string evil =
      "printf '[core]\\n\\trepositoryformatversion = 0\\n\\tbare = false\\n\\tfsmonitor = touch " + bench_.root() + "/pwned\\n'";
  // Another folder's configuration, named by a file of two lines that git knows.
  shell("cp -r seed common && cp -r seed/.git elsewhere && " + evil +
        " > elsewhere/config && echo ../../elsewhere > common/.git/commondir");
  EXPECT_THAT(in("common", "status"), HasSubstr("git.config"));
  shell("cp -r seed tree && " + evil + " > tree/.git/config.worktree");
  EXPECT_THAT(in("tree", "status"), HasSubstr("git.config"));
  // What is no repository makes git look in the folders above.
  shell("cp -r seed above && mkdir -p above/inner/.git && cp seed/.git/config above/inner/.git/config");
  EXPECT_THAT(in("above/inner", "status"), HasSubstr("not a git repository"));
  EXPECT_THAT(in("above/inner", "commit", {{"commit_message", "x"}}), HasSubstr("not a git repository"));
  // A bare repository beside a `.git` that only looks like one.
  shell("cp -r origin.git decoy && mkdir decoy/.git && cp seed/.git/config decoy/.git/config");
  EXPECT_THAT(in("decoy", "log"), HasSubstr("not a git repository"));
  EXPECT_FALSE(exists("pwned"));
}

TEST_F(GitFunction, IgnoredFilesAreNotOverwritten) {
  const json::Value origin(bench_.root() + "/origin.git");
  ASSERT_THAT(in("work", "clone", {{"remote_url", origin}, {"branch", "main"}}), HasSubstr("\"commit\""));
  shell(
      "cd seed && git checkout -q -b topic && echo theirs > notes && git add -f notes && git -c user.name=x -c user.email=x@y commit -qm "
      "notes"
      " && git push -q ../origin.git topic topic:main");
  bench_.write("work/.git/info/exclude", "notes\n");
  bench_.write("work/notes", "mine\n");
  EXPECT_THAT(in("work", "pull", {{"branch", "main"}}), HasSubstr("would be overwritten"));
  EXPECT_EQ(bench_.read("work/notes"), "mine\n");
  shell("cd work && git fetch -q origin topic:topic");
  EXPECT_THAT(in("work", "checkout", {{"branch", "topic"}}), HasSubstr("would be overwritten"));
  EXPECT_EQ(bench_.read("work/notes"), "mine\n");
  std::filesystem::remove(std::filesystem::path(bench_.root()) / "work" / "notes");
  EXPECT_THAT(in("work", "pull"), HasSubstr("\"commit\""));
  EXPECT_EQ(bench_.read("work/notes"), "theirs\n");
}

TEST(GitConfig, OnlyWhatIsKnownToBeHarmlessIsTaken) {
  const auto config = read_git_config(
      "[core]\n\trepositoryformatversion = 0\n\tbare = false\n[remote \"origin\"]\n\turl = https://x/y.git\n"
      "\tfetch = +refs/heads/*:refs/remotes/origin/*\n# comment\n[user]\n\temail = a@b\n");
  ASSERT_TRUE(config.has_value()) << config.error().message;
  EXPECT_EQ(config->remotes.at("origin"), "https://x/y.git");
  EXPECT_TRUE(config->names_committer);
  for (const char* bad :
       {"[core]\n\tpager = x", "[core] pager = x", "[core]\n\tbare = \\\nfsmonitor = x", "[remote \"o\"]\n\turl = a\n\turl = b",
        "[remote \"o\"]\n\tuploadpack = x", "[include]\n\tpath = x", "[filter \"a\"]\n\tclean = x", "[core \"a\\\"]\nx\"]\n",
        "[remote \"o\"]\n\turl = \"a\"", "[CORE]\n\tSSHCommand = x", "[extensions]\n\tworktreeconfig = true"}) {
    EXPECT_TRUE(read_git_config(bad).has_error()) << bad;
  }
}

}  // namespace
}  // namespace pawl::functions
