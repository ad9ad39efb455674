// What must hold for every function that is registered: its time, its end when it is cancelled, the parameters of earlier products.
#include <gtest/gtest.h>

#include <map>
#include <vector>

#include "functions/testing/each_builtin.hpp"
#include "functions/testing/each_function.hpp"

namespace pawl::functions {
namespace {

constexpr const char* kKeys = R"("access_key_id": "a", "secret_access_key": "b")";

std::vector<Slow> slow_calls() {
  static const std::string s3 =
      std::string(R"({"operation": "list", "bucket": "bucket", "endpoint": "http://127.0.0.1:PORT", "timeout": TIME, )") + kKeys + "}";
  static const std::string rounds = [] {
    std::string list = "[0";
    for (int i = 0; i < 20'000; ++i) list += ",0";
    return list + "]";
  }();
  std::vector<Slow> calls = {
      {"http", R"({"method": "get", "endpoint": "http://127.0.0.1:PORT/", "timeout": TIME})"},
      {"http-task", R"({"url": "http://127.0.0.1:PORT/", "timeout": TIME})"},
      {"openapi", R"({"document": {"endpoint": "http://127.0.0.1:PORT/"}, "operationId": "a"})", false},
      {"web-scraper", R"({"url": "http://127.0.0.1:PORT/", "selectors": {"a": "a"}, "timeout": TIME})"},
      {"slack", R"({"webhook_url": "http://127.0.0.1:PORT/", "message": "x", "timeout": TIME})"},
      {"s3", s3},
      {"send-email",
       R"({"smtp_host": "127.0.0.1", "smtp_port": PORT, "security": "none", "from_email": "a@b.c", "to_email": "a@b.c", "subject": "x", "body": "x", "timeout": TIME})"},
      {"email-summarizer", R"({"imap": {"host": "127.0.0.1", "port": PORT, "security": "none", "timeout": TIME}})"},
      {"git", R"({"operation": "clone", "remote_url": "https://127.0.0.1:PORT/x.git", "repo_path": "clone-NUMBER", "timeout": TIME})"},
      {"sql-query",
       R"({"path": "x.db", "query": "with recursive n(i) as (select 1 union all select i + 1 from n) select count(*) from n", "timeout": TIME})",
       true, "", true},
      {"database-backup",
       R"({"connection": {"host": "127.0.0.1", "port": PORT, "database": "d", "username": "u", "password": "p"}, "target": "d.dump", "timeout": TIME})"},
      {"run.shell", R"({"command": "sleep 86397"})", false, "86397"},
      {"run.container", R"({"image": "image", "command": "sleep 86396"})", false, "86396"},  // `StandInEngine`
      {"run.script", R"json({"language": "python", "code": "import time; time.sleep(60)"})json", false, "worker.py"},
      {"shell-command", R"({"command": "sleep", "args": [86398], "timeout": TIME, "allow_destructive": true})", true, "86398"},
      {"transform", R"json({"expression": "reduce range(3000) as $i (0; . + $i)", "each": true, "input": ROUNDS, "timeout": TIME})json",
       true, "", true},
      {"archive", R"({"operation": "create", "archive": "big.tar.gz", "paths": ["big"], "timeout": TIME})", true, "", true},
      {"file-organizer", R"({"target": "twins", "allow_destructive": true})", false, "", true},
      {"pdf-extractor", R"({"input_path": "slow.pdf", "timeout": TIME})", true, "pdftotext"},
      {"image-processor", R"({"input_path": "slow.tiff", "output_path": "slow.webp", "operation": "convert", "timeout": TIME})", true,
       "vips copy"},
  };
  if (has_browser()) {
    calls.push_back({"web-scraper", R"({"url": "http://127.0.0.1:PORT/", "selectors": {"a": "a"}, "wait_for": "a", "timeout": TIME})", true,
                     "chromium"});
  }
  for (Slow& call : calls) call.arguments = replaced(call.arguments, "ROUNDS", rounds);
  return calls;
}

/// What cannot take long, and why.
const std::map<std::string, std::string> kAtOnce = {
    {"approval", "asks, and ends; the run waits, not the call"},
    {"noop", "gives its arguments back"},
    {"log", "writes one line"},
    {"file-read", "reads at most max_file_read bytes of a regular file"},
    {"file-write", "writes what the run holds, at most a few megabytes"},
    {"csv", "reads and writes at most max_file_read bytes in memory"},
};

class EachFunction : public EachBuiltin {
 protected:
  void SetUp() override {
    write_slow_documents(bench_);
    sparse("big/zeros", 900U << 20U);
    sparse("twins/a.bin", 8ULL << 30U);
    sparse("twins/b.bin", 8ULL << 30U);
  }

  Loopback silent_;
};

TEST_F(EachFunction, IsSlowInThisTestOrSaysWhyItCannotBe) { expect_all_of(bench_.registry, slow_calls(), kAtOnce); }

// proves: S4-M2
TEST_F(EachFunction, S4M2_EndsWithin200MsAfterItsTime) {
  for (const auto& slow : slow_calls()) expect_end_after_its_time(bench_, silent_, slow);
}

// proves: S4-M2
TEST_F(EachFunction, S4M2_EndsWithin200MsWhenItIsCancelledAndLeavesNothing) {
  for (const auto& slow : slow_calls()) expect_end_when_cancelled(bench_, silent_, slow);
}

// Whole calls as the documents of the earlier products have them, with every parameter that they named, by the function that does it now.
// Not among them: `allow_unsafe` of shell commands, which let anybody by, and the `api_key` of a model's call, which stood in the document.
// proves: F2
TEST_F(EachFunction, F2_TakesTheCallsOfEarlierProducts) {
  const std::pair<const char*, const char*> calls[] = {
      {"file-organizer", R"({"target": "in", "categories": {"images": [".png"]}, "dry_run": true, "allow_destructive": false})"},
      {"file-organizer", R"({"source_dir": "in", "target_dir": "out", "organize_by": "type"})"},
      {"email-summarizer", R"({"source_path": "mails.txt", "num_sentences": 3, "dry_run": true})"},
      {"email-summarizer", R"({"email_content": "Hello. You.", "max_length": 100})"},
      {"http-task",
       R"({"url": "http://a.test/", "method": "POST", "payload": {"a": 1}, "headers": {"X": "y"}, "timeout": 10, "dry_run": true})"},
      {"http-task", R"({"url": "http://a.test/", "method": "POST", "body": "text"})"},
      {"web-scraper", R"({"url": "http://a.test/", "selectors": {"title": "h1"}, "screenshot": true, "screenshot_path": "screenshot.png",
                          "wait_for": "h1", "timeout": 30, "headless": true})"},
      {"image-processor", R"({"input_path": "a.png"})"},
      {"image-processor", R"({"input_path": "a.png", "output_path": "b.png", "operation": "resize", "width": 10, "height": 10})"},
      {"image-processor", R"({"input_path": "a.png", "output_path": "b.png", "operation": "thumbnail"})"},
      {"image-processor", R"({"input_path": "a.png", "operation": "ocr"})"},
      {"image-processor", R"({"input_path": "a.png", "output_path": "b.jpg", "operation": "convert", "format": "jpeg", "quality": 85})"},
      {"pdf-extractor", R"({"input_path": "a.pdf", "output_path": "a.txt", "extract_metadata": true, "page_range": "1-5,8"})"},
      {"pdf-extractor", R"({"input_path": "a.pdf", "page_range": "all"})"},
      {"sql-query", R"({"connection_string": "sqlite:x.db", "query": "select :a", "parameters": {"a": 1}, "read_only": true, "limit": 1000,
                        "database_type": "sqlite"})"},
      {"sql-query", R"({"connection_string": "postgresql://u@a.test/d", "query": "select 1", "operation": "select"})"},
      {"shell-command", R"({"command": "ls", "args": ["-l"], "cwd": ".", "timeout": 30, "capture_output": true})"},
      {"s3", R"({"bucket": "bucket", "operation": "upload", "local_path": "a.txt", "s3_key": "k", "region": "us-east-1",
                 "access_key_id": "a", "secret_access_key": "b"})"},
      {"s3",
       R"({"bucket": "bucket", "operation": "download", "local_path": "a.txt", "s3_key": "k", "access_key_id": "a", "secret_access_key": "b"})"},
      {"send-email", R"({"smtp_host": "a.test", "smtp_port": 587, "smtp_username": "u", "smtp_password": "p", "from_email": "a@b.c",
                         "to_email": "d@e.f", "subject": "s", "body": "b", "html": false})"},
      {"slack",
       R"({"webhook_url": "https://hooks.slack.com/services/a", "channel": "#a", "message": "m", "username": "u", "icon_emoji": ":a:"})"},
      {"git", R"({"repo_path": ".", "operation": "clone", "remote_url": "https://a.test/x.git", "branch": "main"})"},
      {"git", R"({"repo_path": ".", "operation": "commit", "commit_message": "m"})"},
      {"git", R"({"operation": "push", "repo_path": "."})"},
      {"git", R"({"operation": "pull", "repo_path": "."})"},
      {"git", R"({"operation": "status", "repo_path": "."})"},
  };
  bench_.write("in/a.pdf", "x");
  bench_.write("a.txt", "x");
  for (const auto& [function, arguments] : calls) {
    const auto plan = bench_.registry.get(function)->plan(bench_.invocation(arguments));
    EXPECT_TRUE(plan.has_value()) << function << arguments << (plan.has_value() ? "" : plan.error().message);
  }
}

TEST_F(EachFunction, FoldersAreSortedIntoAnother) {
  bench_.write("in/a.pdf", "x");
  bench_.write("in/sub/b.jpg", "y");
  const std::string arguments = R"({"source_dir": "in", "target_dir": "sorted/here", "organize_by": "type", "recursive": true, )";
  const auto planned = bench_.call("file-organizer", arguments + R"("dry_run": true})");
  EXPECT_TRUE(planned.ok()) << json::to_text(planned.error);
  EXPECT_EQ(planned.output.get("plan").items()[0].get("to"), json::Value("sorted/here/documents/a.pdf"));
  const auto outcome = bench_.call("file-organizer", arguments + R"("allow_destructive": true})");
  ASSERT_TRUE(outcome.ok()) << json::to_text(outcome.error);
  EXPECT_EQ(bench_.read("sorted/here/documents/a.pdf"), "x");
  EXPECT_EQ(bench_.read("sorted/here/images/b.jpg"), "y");
  const auto back =
      bench_.call("file-organizer", R"({"operation": "undo", "manifest": ")" + std::string(outcome.output.get("undo").as_string()) +
                                        R"(", "allow_destructive": true})");
  ASSERT_TRUE(back.ok()) << json::to_text(back.error);
  EXPECT_EQ(bench_.read("in/a.pdf"), "x");
  EXPECT_EQ(bench_.read("in/sub/b.jpg"), "y");
  EXPECT_FALSE(bench_.call("file-organizer", R"({"source_dir": "in", "target_dir": "../out", "allow_destructive": true})").ok());
}

}  // namespace
}  // namespace pawl::functions
