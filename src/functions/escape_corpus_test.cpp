// Ways out that have worked elsewhere, each under its name: out of the folders, out of the sandbox, out of an archive, into the network
// that the server stands in. What is to be protected is planted, and must neither be told nor change nor be called.

#include <gmock/gmock.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <set>

#include "functions/testing/bench.hpp"
#include "functions/testing/loopback.hpp"
#include "json/write.hpp"
#include "net/curl_outbound.hpp"

namespace pawl::functions {
namespace {

using testing::HasSubstr;

struct Escape {
  const char* name;
  const char* function;
  const char* arguments;   // OUTSIDE: the protected folder; PORT: of the protected service; ROOT: the allowed folder; PID: the server's
  const char* plant = "";  // an attacker's preparation, as a shell command in the allowed folder
};

void PrintTo(const Escape& escape, std::ostream* out) { *out << escape.name; }

const Escape kEscapes[] = {
    // ---- out of the folders
    {"DotDot", "file-read", R"({"path": "../outside/secret"})"},
    {"DotDotInTheMiddle", "file-read", R"({"path": "sub/../../outside/secret"})", "mkdir sub"},
    {"AbsolutePath", "file-read", R"({"path": "OUTSIDE/secret"})"},
    {"AbsolutePathThroughTheRoot", "file-read", R"({"path": "ROOT/../outside/secret"})"},
    {"NulInThePath", "file-read", R"({"path": "x\u0000/../../outside/secret"})"},
    {"SymbolicLinkToAFile", "file-read", R"({"path": "link"})", "ln -s ../outside/secret link"},
    {"SymbolicLinkToAFolder", "file-read", R"({"path": "link/secret"})", "ln -s ../outside link"},
    {"SymbolicLinkToProc", "file-read", R"({"path": "link/outside/secret"})", "ln -s /proc/self/cwd/.. link"},
    {"ProcRoot", "file-read", R"({"path": "/proc/self/rootOUTSIDE/secret"})"},
    {"WriteThroughALink", "file-write", R"({"path": "link", "content": "x", "mode": "overwrite", "allow_destructive": true})",
     "ln -s ../outside/secret link"},
    {"WriteIntoALinkedFolder", "file-write", R"({"path": "link/new", "content": "x", "allow_destructive": true})", "ln -s ../outside link"},
    {"AppendThroughALink", "file-write", R"({"path": "link", "content": "x", "mode": "append", "allow_destructive": true})",
     "ln -s ../outside/secret link"},
    {"OrganizeALinkedFolder", "file-organizer", R"({"target": "link", "allow_destructive": true})", "ln -s ../outside link"},
    {"UndoWithAForgedManifest", "file-organizer", R"({"operation": "undo", "manifest": "m.jsonl", "allow_destructive": true})",
     R"(echo '{"from":"../outside/new","to":"../outside/secret"}' > m.jsonl)"},
    {"CsvThroughALink", "csv", R"({"path": "link"})", "ln -s ../outside/secret link"},
    {"SqliteThroughALink", "sql-query", R"({"path": "link", "query": "select * from t"})", "ln -s ../outside/secret link"},
    {"SqliteAttach", "sql-query",
     R"({"path": "x.db", "query": "attach 'OUTSIDE/made' as a", "read_only": false, "allow_destructive": true})", "touch x.db"},
    {"PictureThroughALink", "image-processor", R"({"input_path": "link.png"})", "ln -s ../outside/secret link.png"},
    {"ArchiveOfALink", "archive", R"({"operation": "create", "archive": "a.tar", "paths": ["link"]})", "ln -s ../outside link"},
    // ---- out of the sandbox
    {"ShellReadsOutside", "run.shell", R"({"command": "cat OUTSIDE/secret ../outside/secret", "return": "all"})"},
    {"ShellReadsTheServersEnvironment", "run.shell",
     R"({"command": "head -c 1 /proc/PID/environ && echo PLANTED-''SECRET", "return": "all"})"},
    {"ShellReadsThroughProcRoot", "run.shell", R"({"command": "cat /proc/*/rootOUTSIDE/secret /proc/*/cwd/secret", "return": "all"})"},
    {"ShellWritesOutside", "shell-command", R"({"command": "touch", "args": ["OUTSIDE/made"], "check": false, "allow_destructive": true})"},
    {"ShellFollowsALink", "shell-command", R"({"command": "cat", "args": ["link"], "check": false, "allow_destructive": true})",
     "ln -s ../outside/secret link"},
    {"ShellConnects", "run.shell",
     R"({"command": "python3 -c 'import socket; socket.create_connection((\"127.0.0.1\", PORT), 2)'", "return": "all"})"},
    {"ShellSignalsTheServer", "run.shell", R"({"command": "kill -TERM PID", "return": "all"})"},
    {"ShellMakesANamespace", "run.shell", R"({"command": "unshare -rm cat OUTSIDE/secret", "return": "all"})"},
    // Not one that doubles: where the tests run as root only counting stops it, and those that it has made meanwhile hold up the machine.
    {"ForkBomb", "run.shell", R"json({"command": "i=0; while [ $i -lt 400 ]; do sleep 60 & i=$((i+1)); done; wait", "return": "all"})json"},
    {"HugeOutput", "run.shell", R"({"command": "yes", "return": "all"})"},
    {"HugeFile", "run.shell", R"({"command": "head -c 2000000000 /dev/zero > /tmp/big", "return": "all"})"},
    {"ScriptReadsOutside", "run.script",
     R"json({"language": "python", "code": "print(open('OUTSIDE/secret').read())", "return": "all"})json"},
    {"ScriptReadsTheServersMemory", "run.script",
     R"json({"language": "python", "code": "open('/proc/PID/mem', 'rb'); print('PLANTED-' + 'SECRET')", "return": "all"})json"},
    {"ScriptConnects", "run.script", R"json({"language": "js", "code": "await fetch('http://127.0.0.1:PORT/')", "return": "all"})json"},
    {"ScriptOptionsByEnvironment", "run.script",
     R"json({"language": "js", "code": "", "environment": {"NODE_OPTIONS": "--require=OUTSIDE/secret"}, "return": "all"})json"},
    // ---- out of an archive, out of a repository
    {"ZipSlip", "archive", R"({"operation": "extract", "archive": "a.zip", "target": "to"})",
     R"(python3 -c 'import zipfile; zipfile.ZipFile("a.zip", "w").writestr("../../outside/made", "x")')"},
    {"ZipAbsolute", "archive", R"({"operation": "extract", "archive": "a.zip", "target": "to"})",
     R"(python3 -c 'import os, zipfile; zipfile.ZipFile("a.zip", "w").writestr(os.path.abspath("../outside/made"), "x")')"},
    {"TarLinkThenFile", "archive", R"({"operation": "extract", "archive": "a.tar", "target": "to"})",
     "mkdir p && ln -s ../../outside p/d && tar cf a.tar -C p d && rm p/d && mkdir p/d && touch p/d/made && tar rf a.tar -C p d/made"},
    {"ZipBomb", "archive", R"({"operation": "extract", "archive": "a.zip", "target": "to"})",
     R"(python3 -c 'import zipfile; zipfile.ZipFile("a.zip", "w", zipfile.ZIP_DEFLATED).writestr("x", bytes(60000000))')"},
    {"GitHook", "git", R"({"operation": "commit", "repo_path": ".", "commit_message": "x", "author": {"name": "a", "email": "a@b"}})",
     "git init -q . && echo x > f && printf '#!/bin/sh\\ntouch ../outside/made\\n' > .git/hooks/pre-commit && chmod +x "
     ".git/hooks/pre-commit"},
    {"GitMonitor", "git", R"({"operation": "status", "repo_path": "."})",
     "git init -q . && git config core.fsmonitor 'touch ../outside/made; false'"},
    {"GitTransport", "git", R"({"operation": "clone", "repo_path": "to", "remote_url": "ext::sh -c touch% OUTSIDE/made"})"},
    {"GitOfAFolderOutside", "git", R"({"operation": "log", "repo_path": "../outside"})"},
    // ---- into the network that the server stands in
    {"Loopback", "http", R"({"method": "get", "endpoint": "http://127.0.0.1:PORT/"})"},
    {"LoopbackByName", "http", R"({"method": "get", "endpoint": "http://localhost:PORT/"})"},
    {"LoopbackDecimal", "http", R"({"method": "get", "endpoint": "http://2130706433:PORT/"})"},
    {"LoopbackHexadecimal", "http", R"({"method": "get", "endpoint": "http://0x7f000001:PORT/"})"},
    {"LoopbackOctal", "http", R"({"method": "get", "endpoint": "http://0177.0.0.1:PORT/"})"},
    {"LoopbackShort", "http", R"({"method": "get", "endpoint": "http://127.1:PORT/"})"},
    {"LoopbackOtherAddress", "http", R"({"method": "get", "endpoint": "http://127.8.8.8:PORT/"})"},
    {"AnyAddress", "http", R"({"method": "get", "endpoint": "http://0.0.0.0:PORT/"})"},
    {"Ipv4Mapped", "http", R"({"method": "get", "endpoint": "http://[::ffff:127.0.0.1]:PORT/"})"},
    {"Ipv4MappedHexadecimal", "http", R"({"method": "get", "endpoint": "http://[::ffff:7f00:1]:PORT/"})"},
    {"Ipv4Compatible", "http", R"({"method": "get", "endpoint": "http://[::127.0.0.1]:PORT/"})"},
    {"Nat64", "http", R"({"method": "get", "endpoint": "http://[64:ff9b::7f00:1]:PORT/"})"},
    {"Ipv6Loopback", "http", R"({"method": "get", "endpoint": "http://[::1]:PORT/"})"},
    {"UserInfoHidesTheHost", "http", R"({"method": "get", "endpoint": "http://example.org@127.0.0.1:PORT/"})"},
    {"Metadata", "http", R"({"method": "get", "endpoint": "http://169.254.169.254/latest/meta-data/"})"},
    {"MetadataIpv6", "http", R"({"method": "get", "endpoint": "http://[fd00:ec2::254]/latest/meta-data/"})"},
    {"RedirectToLoopback", "http", R"({"method": "get", "endpoint": "http://inward.test/", "redirect": true})"},
    {"RedirectToMetadata", "http", R"({"method": "get", "endpoint": "http://metadata.test/", "redirect": true})"},
    {"ScraperRedirect", "web-scraper", R"({"url": "http://inward.test/", "selectors": {"a": "a"}})"},
    {"FileAddress", "http", R"({"method": "get", "endpoint": "file://OUTSIDE/secret"})"},
    {"GopherAddress", "http", R"({"method": "get", "endpoint": "gopher://127.0.0.1:PORT/_x"})"},
    {"ScriptFromLoopback", "run.script", R"({"language": "python", "source": {"endpoint": "http://127.0.0.1:PORT/"}})"},
    {"DatabaseOnLoopback", "sql-query", R"({"query": "select 1", "connection_string": "postgresql://u:p@127.0.0.1:PORT/d"})"},
    {"DatabaseByASocket", "sql-query", R"({"query": "select 1", "connection_string": "postgresql:///d?host=OUTSIDE"})"},
    {"DatabaseWithASecondHost", "sql-query", R"({"query": "select 1", "connection_string": "postgresql://u@192.0.2.1,127.0.0.1:PORT/d"})"},
    {"MailServerOnLoopback", "send-email",
     R"({"smtp_host": "localhost", "smtp_port": PORT, "security": "none", "from_email": "a@b.c", "to_email": "a@b.c", "subject": "x", "body": "x"})"},
    {"StorageOnLoopback", "s3",
     R"({"operation": "list", "bucket": "bucket", "endpoint": "http://127.0.0.1:PORT", "access_key_id": "a", "secret_access_key": "b"})"},
    {"WebhookOnLoopback", "slack", R"({"webhook_url": "http://127.0.0.1:PORT/hook", "message": "x"})"},
    {"RepositoryOnLoopback", "git", R"({"operation": "clone", "repo_path": "to", "remote_url": "https://127.0.0.1:PORT/x"})"},
};

class EscapeCorpus : public testing::TestWithParam<Escape> {
 protected:
  static std::string moved_to(const std::string& place) {
    return "HTTP/1.1 302 Found\r\nLocation: " + place + "\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
  }
  static net::CurlOptions guarded(const Loopback& inward, const Loopback& metadata) {
    net::CurlOptions options;
    options.policy.host_map = {{"http://inward.test:80", "http://127.0.0.1:" + inward.port()},
                               {"http://metadata.test:80", "http://127.0.0.1:" + metadata.port()}};
    return options;
  }
  static FunctionsOptions limited() {
    FunctionsOptions options;
    options.max_subprocesses = 20;
    options.process_timeout = Millis(20'000);
    return options;
  }
  [[nodiscard]] std::string filled(std::string text) const {
    for (const auto& [name, value] : {std::pair<std::string, std::string>{"OUTSIDE", outside_},
                                      {"ROOT", bench_.root()},
                                      {"PORT", protected_.port()},
                                      {"PID", std::to_string(getpid())}}) {
      for (auto at = text.find(name); at != std::string::npos; at = text.find(name, at + value.size()))
        text.replace(at, name.size(), value);
    }
    return text;
  }

  Loopback protected_{"HTTP/1.1 200 OK\r\nContent-Length: 14\r\nConnection: close\r\n\r\nPLANTED-SECRET"};
  Loopback inward_{moved_to("http://127.0.0.1:" + protected_.port() + "/")};
  Loopback metadata_{moved_to("http://169.254.169.254/latest/meta-data/")};
  net::CurlOutbound outbound_{guarded(inward_, metadata_)};
  const net::AddressPolicy policy_{};
  Bench bench_{outbound_, limited(), &policy_};
  const std::string outside_ = bench_.root().substr(0, bench_.root().rfind('/')) + "/outside";
};

INSTANTIATE_TEST_SUITE_P(F4, EscapeCorpus, testing::ValuesIn(kEscapes), [](const auto& one) { return std::string(one.param.name); });

// proves: F4, S4-O10, S4-O3
TEST_P(EscapeCorpus, F4_LeadsNowhere) {
  const Escape& escape = GetParam();
  std::filesystem::create_directory(outside_);
  std::ofstream(outside_ + "/secret") << "PLANTED-SECRET";
  const std::string prepare =
      "cd " + bench_.root() + " && export HOME=/nonexistent GIT_CONFIG_NOSYSTEM=1 && { :; " + escape.plant + "\n} >/dev/null 2>&1";
  // Flawfinder: ignore (our own words)
  ASSERT_EQ(std::system(prepare.c_str()), 0);  // NOLINT(concurrency-mt-unsafe,cert-env33-c)
  const auto outcome = bench_.call(escape.function, filled(escape.arguments));
  const std::string told = json::to_text(outcome.output) + json::to_text(outcome.error);
  EXPECT_EQ(told.find("PLANTED-SECRET"), std::string::npos) << told;
  EXPECT_EQ(protected_.connections(), 0) << told;
  const bool redirected = std::string_view(escape.name).find("Redirect") != std::string_view::npos;
  EXPECT_EQ(inward_.connections() + metadata_.connections(), redirected ? 1 : 0) << told;
  std::ifstream secret(outside_ + "/secret");
  EXPECT_EQ(std::string(std::istreambuf_iterator<char>(secret), {}), "PLANTED-SECRET");
  std::set<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(outside_)) names.insert(entry.path().filename());
  EXPECT_EQ(names, std::set<std::string>{"secret"}) << told;
}

// Every parameter that a function declares as the name of a host, aimed at the server's own machine: neither a plan nor a call connects.
// proves: F1, F3, S4-O10
TEST(EveryFunction, F3_ConnectsInwardNeitherInAPlanNorInACall) {
  const Loopback inside("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}");
  net::CurlOutbound outbound({});
  const net::AddressPolicy policy;
  Bench bench(outbound, {}, &policy);
  std::set<std::string> aimed;
  for (const engine::Function* function : bench.registry.all()) {
    const auto& info = function->info();
    for (const json::Value& example : info.examples.items()) {
      for (const engine::Access& access : info.reach) {
        using Kind = engine::Access::Kind;
        if ((access.kind != Kind::host && access.kind != Kind::database) || access.parameter.empty()) continue;
        const std::string member = access.parameter.substr(1);
        if (member.find('/') != std::string::npos || !example.get(member).is_string()) continue;
        const std::string given(example.get(member).as_string());
        json::Value arguments = example;
        if (const auto scheme = given.find("://"); scheme == std::string::npos) {
          arguments.set(member, "127.0.0.1");
        } else {
          const auto rest = std::min(given.find('/', scheme + 3), given.size());
          arguments.set(member, given.substr(0, scheme) + "://127.0.0.1:" + inside.port() + given.substr(rest));
        }
        if (arguments.get("smtp_host").is_string()) arguments.set("smtp_port", std::stoi(inside.port()));
        engine::Invocation call = bench.invocation("{}", R"({"petId": 1})");
        call.arguments = arguments;
        static_cast<void>(function->plan(call));
        call.dry_run = true;
        EXPECT_TRUE(bench.finish(info.name, call).ok()) << info.name;
        EXPECT_EQ(inside.connections(), 0) << info.name << ": a plan connects";
        call.dry_run = false;
        const auto outcome = bench.finish(info.name, call);
        EXPECT_FALSE(outcome.ok()) << info.name << json::to_text(outcome.output);
        EXPECT_EQ(inside.connections(), 0) << info.name << ": " << json::to_text(outcome.error);
        aimed.insert(info.name);
      }
    }
  }
  EXPECT_THAT(aimed, testing::IsSupersetOf({"git", "http", "http-task", "s3", "send-email", "slack", "sql-query", "web-scraper"}));
}

// What a plan does not do although nothing is in its way: the same calls, where the guard lets everything through. The call itself
// connects. proves: F3, W5
TEST(EveryFunction, F3_APlanConnectsToNobodyWhereTheCallDoes) {
  const Loopback outside("HTTP/1.1 404 Not Found\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}");
  net::CurlOptions options;
  options.policy.allow_private = true;
  net::CurlOutbound outbound(options);
  const net::AddressPolicy policy{.allow_private = true};
  Bench bench(outbound, {}, &policy);
  const std::string at = "http://127.0.0.1:" + outside.port();
  const std::string mail = R"("security": "none", "from_email": "a@b.c", "to_email": "a@b.c", "subject": "x", "body": "x", "smtp_port": )";
  const std::pair<const char*, std::string> calls[] = {
      {"http", R"({"method": "get", "endpoint": ")" + at + "/\"}"},
      {"http-task", R"({"url": ")" + at + "/\"}"},
      {"openapi", R"({"document": {"endpoint": ")" + at + R"(/"}, "operationId": "a"})"},
      {"web-scraper", R"({"selectors": {"a": "a"}, "url": ")" + at + "/\"}"},
      {"slack", R"({"message": "x", "webhook_url": ")" + at + "/\"}"},
      {"s3", R"({"operation": "list", "bucket": "bucket", "access_key_id": "a", "secret_access_key": "b", "endpoint": ")" + at + "\"}"},
      {"sql-query",
       R"({"query": "select 1", "connection_string": "postgresql://u:p@127.0.0.1:)" + outside.port() + "/d?sslmode=disable\"}"},
      {"database-backup",
       R"({"target": "d", "connection": {"host": "127.0.0.1", "database": "d", "username": "u", "port": )" + outside.port() + "}}"},
      {"send-email", R"({"smtp_host": "127.0.0.1", "timeout": 0.5, )" + mail + outside.port() + "}"},
      {"email-summarizer", R"({"imap": {"host": "127.0.0.1", "security": "none", "timeout": 0.5, "port": )" + outside.port() + "}}"},
      {"git", R"({"operation": "clone", "repo_path": "to", "remote_url": "https://127.0.0.1:)" + outside.port() + "/x\"}"},
      {"run.script", R"({"language": "python", "source": {"endpoint": ")" + at + "/\"}}"},
  };
  for (const auto& [name, arguments] : calls) {
    const int before = outside.connections();
    auto call = bench.invocation(arguments);
    EXPECT_TRUE(bench.registry.get(name)->plan(call).has_value()) << name;
    call.dry_run = true;
    EXPECT_TRUE(bench.finish(name, call).ok()) << name;
    EXPECT_EQ(outside.connections(), before) << name << ": a plan connects";
    call.dry_run = false;
    const auto outcome = bench.finish(name, call);
    EXPECT_GT(outside.connections(), before) << name << ": the call does not connect: " << json::to_text(outcome.error);
  }
}

// A service that takes the connection and then says nothing must not hold a call for longer than it may take.
// proves: S4-M2
TEST(EveryFunction, S4M2_EndsSoonAfterItsTimeIsUp) {
  constexpr auto kSoon = std::chrono::seconds(2);  // 200 ms where nobody else keeps the machine busy
  const Loopback silent;
  net::CurlOptions options;
  options.policy.allow_private = true;
  net::CurlOutbound outbound(options);
  const net::AddressPolicy policy{.allow_private = true};
  Bench bench(outbound, {}, &policy);
  bench.write("x.db", "");
  const std::pair<const char*, const char*> hanging[] = {
      {"http", R"({"method": "get", "endpoint": "http://127.0.0.1:PORT/", "timeout": 0.2})"},
      {"http-task", R"({"url": "http://127.0.0.1:PORT/", "timeout": 0.2})"},
      {"web-scraper", R"({"url": "http://127.0.0.1:PORT/", "selectors": {"a": "a"}, "timeout": 0.2})"},
      {"slack", R"({"webhook_url": "http://127.0.0.1:PORT/", "message": "x", "timeout": 0.2})"},
      {"s3",
       R"({"operation": "list", "bucket": "bucket", "endpoint": "http://127.0.0.1:PORT", "access_key_id": "a", "secret_access_key": "b", "timeout": 0.2})"},
      {"send-email",
       R"({"smtp_host": "127.0.0.1", "smtp_port": PORT, "security": "none", "from_email": "a@b.c", "to_email": "a@b.c", "subject": "x", "body": "x", "timeout": 0.2})"},
      {"shell-command", R"({"command": "sleep", "args": [60], "timeout": 0.2, "allow_destructive": true})"},
      {"sql-query",
       R"({"path": "x.db", "query": "with recursive n(i) as (select 1 union all select i + 1 from n) select count(*) from n", "timeout": 0.2})"},
  };
  for (const auto& [name, given] : hanging) {
    std::string arguments = given;
    if (const auto at = arguments.find("PORT"); at != std::string::npos) arguments.replace(at, 4, silent.port());
    auto [future, cancel] = bench.start(name, bench.invocation(arguments));
    ASSERT_EQ(future.wait_for(std::chrono::milliseconds(200) + kSoon), std::future_status::ready) << name;
    EXPECT_THAT(json::to_text(future.get().error), HasSubstr("timeout")) << name;
  }
}

}  // namespace
}  // namespace pawl::functions
