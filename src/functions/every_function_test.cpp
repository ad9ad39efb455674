// What must hold for every function that is registered: its time, its end when it is cancelled, the parameters of earlier products.
#include <gtest/gtest.h>

#include <spawn.h>
#include <sys/wait.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <filesystem>
#include <map>
#include <mutex>
#include <set>
#include <thread>

#include "dsl/schema.hpp"
#include "functions/testing/bench.hpp"
#include "functions/testing/loopback.hpp"
#include "json/write.hpp"
#include "net/address_policy.hpp"
#include "net/curl_outbound.hpp"

namespace pawl::functions {
namespace {

using namespace std::chrono_literals;
using SteadyTime = std::chrono::steady_clock::time_point;

constexpr Millis kTime{200};  ///< that calls may take
constexpr Millis kLate{200};  ///< and how much longer their answer may
constexpr int kTries = 5;

/// How long the machine takes now for what an end needs besides: a timer, turns between threads, the start and the end of a process. On a
/// quiet machine a few milliseconds. A call is held against 200 ms more than that, measured in the same moment, so that the test says
/// something about the function and not about who else is at work.
class Control {
 public:
  explicit Control(SteadyTime due) : thread_([this, due] { run(due); }) {}
  [[nodiscard]] Millis lateness() {
    thread_.join();
    return lateness_;
  }

 private:
  void run(SteadyTime due) {
    std::mutex mutex;
    std::condition_variable turned;
    int turn = 0;
    {
      std::unique_lock lock(mutex);
      turned.wait_until(lock, due, [] { return false; });
    }
    constexpr int kTurns = 8;
    std::thread other([&] {
      for (int i = 1; i < kTurns; i += 2) {
        std::unique_lock lock(mutex);
        turned.wait(lock, [&] { return turn == i; });
        ++turn;
        turned.notify_all();
      }
    });
    for (int i = 0; i < kTurns; i += 2) {
      std::unique_lock lock(mutex);
      turned.wait(lock, [&] { return turn == i; });
      ++turn;
      turned.notify_all();
    }
    other.join();
    std::string program = "/bin/true";
    char* arguments[] = {program.data(), nullptr};
    pid_t child = 0;
    if (posix_spawn(&child, program.c_str(), nullptr, nullptr, arguments, arguments + 1) == 0) waitpid(child, nullptr, 0);
    lateness_ = std::chrono::duration_cast<Millis>(std::chrono::steady_clock::now() - due);
  }

  Millis lateness_{0};
  std::thread thread_;
};

/// A call that would take much longer than `kTime`.
struct Slow {
  const char* function;
  const char* arguments;    ///< PORT: of a server that takes the connection and says nothing; TIME: of the call
  bool has_timeout = true;  ///< takes a time of its own; else the task's `timeout` ends it, by which the engine cancels
};
constexpr const char* kKeys = R"("access_key_id": "a", "secret_access_key": "b")";

std::vector<Slow> slow_calls() {
  static const std::string s3 =
      std::string(R"({"operation": "list", "bucket": "bucket", "endpoint": "http://127.0.0.1:PORT", "timeout": TIME, )") + kKeys + "}";
  return {
      {"http", R"({"method": "get", "endpoint": "http://127.0.0.1:PORT/", "timeout": TIME})"},
      {"http-task", R"({"url": "http://127.0.0.1:PORT/", "timeout": TIME})"},
      {"openapi", R"({"document": {"endpoint": "http://127.0.0.1:PORT/"}, "operationId": "a"})", false},
      {"web-scraper", R"({"url": "http://127.0.0.1:PORT/", "selectors": {"a": "a"}, "timeout": TIME})"},
      {"slack", R"({"webhook_url": "http://127.0.0.1:PORT/", "message": "x", "timeout": TIME})"},
      {"s3", s3.c_str()},
      {"send-email",
       R"({"smtp_host": "127.0.0.1", "smtp_port": PORT, "security": "none", "from_email": "a@b.c", "to_email": "a@b.c", "subject": "x", "body": "x", "timeout": TIME})"},
      {"email-summarizer",
       R"({"imap": {"host": "127.0.0.1", "port": PORT, "security": "tls", "username": "u", "password": "p", "timeout": TIME}})"},
      {"git", R"({"operation": "clone", "remote_url": "https://127.0.0.1:PORT/x.git", "repo_path": "clone", "timeout": TIME})"},
      {"sql-query",
       R"({"path": "x.db", "query": "with recursive n(i) as (select 1 union all select i + 1 from n) select count(*) from n", "timeout": TIME})"},
      {"database-backup",
       R"({"connection": {"host": "127.0.0.1", "port": PORT, "database": "d", "username": "u", "password": "p"}, "target": "d.dump", "timeout": TIME})"},
      {"run.shell", R"({"command": "sleep 86397"})", false},
      {"run.script", R"json({"language": "python", "code": "import time; time.sleep(60)"})json", false},
      {"shell-command", R"({"command": "sleep", "args": [86398], "timeout": TIME, "allow_destructive": true})", true},
      {"transform", R"json({"expression": "reduce range(3000) as $i (0; . + $i)", "each": true, "input": ROUNDS, "timeout": TIME})json"},
      {"archive", R"({"operation": "create", "archive": "big.tar.gz", "paths": ["big"], "timeout": TIME})"},
      {"file-organizer", R"({"target": "twins", "allow_destructive": true})", false},
      {"pdf-extractor", R"({"input_path": "slow.pdf", "timeout": TIME})"},
      {"image-processor", R"({"input_path": "slow.tiff", "output_path": "slow.webp", "operation": "convert", "timeout": TIME})"},
  };
}

/// What cannot take long, and why.
const std::map<std::string, std::string> kAtOnce = {
    {"approval", "asks, and ends; the run waits, not the call"},
    {"noop", "gives its arguments back"},
    {"log", "writes one line"},
    {"file-read", "reads at most max_file_read bytes of a regular file"},
    {"file-write", "writes what the run holds, at most a few megabytes"},
    {"csv", "reads and writes at most max_file_read bytes in memory"},
    {"run.container", "its processes are those of run.shell; what holds it is the container engine, which is not there in tests"},
};

/// What ends later than it should, and by how much.
const std::map<std::string, std::string> kLater = {
    {"image-processor", "while it writes a large picture: half a second was seen"},
};

class EachFunction : public testing::Test {
 protected:
  static net::CurlOptions open_options() {
    net::CurlOptions options;
    options.policy.allow_private = true;
    return options;
  }
  static std::string replaced(std::string text, std::string_view what, const std::string& with) {
    if (const auto at = text.find(what); at != std::string::npos) text.replace(at, what.size(), with);
    return text;
  }
  void sparse(const std::string& name, std::uintmax_t size) const {
    bench_.write(name, "x");
    std::filesystem::resize_file(bench_.root() + "/" + name, size);
  }

  /// A grey picture of 8000 x 8000 pixels, none of which takes place on the disk; a page with very much to read.
  void write_slow_documents() const {
    std::string picture("II*\0", 4);
    const auto put = [&picture](std::uint32_t value, int bytes) {
      for (int i = 0; i < bytes; ++i) picture += static_cast<char>(static_cast<unsigned char>(value >> (8 * i) & 0xFFU));
    };
    constexpr std::uint32_t kSide = 8000;
    constexpr std::uint32_t kPixels = 4096;  // where they begin
    put(8, 4);
    const std::uint32_t entries[][3] = {{256, 4, kSide}, {257, 4, kSide}, {258, 3, 8},
                                        {259, 3, 1},     {262, 3, 1},     {273, 4, kPixels},
                                        {277, 3, 1},     {278, 4, kSide}, {279, 4, kSide * kSide}};
    put(std::size(entries), 2);
    for (const auto& [tag, type, value] : entries) {
      put(tag, 2);
      put(type, 2);
      put(1, 4);
      put(value, 4);
    }
    put(0, 4);
    bench_.write("slow.tiff", picture);
    std::filesystem::resize_file(bench_.root() + "/slow.tiff", kPixels + std::uintmax_t{kSide} * kSide);
    std::string page = "BT /F1 12 Tf 72 720 Td ";
    for (int i = 0; i < 1'000'000; ++i) page += "1 1 Td (x) Tj ";
    page += "ET";
    bench_.write("slow.pdf",
                 "%PDF-1.4\n1 0 obj\n<< /Type /Catalog /Pages 2 0 R >>\nendobj\n"
                 "2 0 obj\n<< /Type /Pages /Kids [3 0 R] /Count 1 >>\nendobj\n"
                 "3 0 obj\n<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>\n"
                 "endobj\n4 0 obj\n<< /Length " +
                     std::to_string(page.size()) + " >>\nstream\n" + page +
                     "\nendstream\nendobj\n"
                     "5 0 obj\n<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>\nendobj\n"
                     "trailer\n<< /Size 6 /Root 1 0 R >>\n%%EOF\n");
  }

  void SetUp() override {
    write_slow_documents();
    bench_.write("x.db", "");
    sparse("big/zeros", 900U << 20U);
    sparse("twins/a.bin", 8ULL << 30U);
    sparse("twins/b.bin", 8ULL << 30U);
  }

  std::string arguments_of(const Slow& call, const std::string& time) const {
    static const std::string rounds = [] {
      std::string list = "[0";
      for (int i = 0; i < 20'000; ++i) list += ",0";
      return list + "]";
    }();
    return replaced(replaced(replaced(call.arguments, "PORT", silent_.port()), "TIME", time), "ROUNDS", rounds);
  }

  Loopback silent_;
  net::CurlOutbound outbound_{open_options()};
  net::AddressPolicy policy_{.allow_private = true};
  Bench bench_{outbound_, {}, &policy_};
};

TEST_F(EachFunction, IsSlowInThisTestOrSaysWhyItCannotBe) {
  std::set<std::string> slow;
  for (const auto& call : slow_calls()) slow.insert(call.function);
  for (const engine::Function* function : bench_.registry.all()) {
    const auto& name = function->info().name;
    EXPECT_NE(slow.contains(name), kAtOnce.contains(name)) << name << ": a slow call of it, or the reason why there is none";
  }
  EXPECT_EQ(slow.size() + kAtOnce.size(), bench_.registry.all().size());
}

// proves: S4-M2
TEST_F(EachFunction, S4M2_EndsWithin200MsAfterItsTime) {
  for (const auto& slow : slow_calls()) {
    if (kLater.contains(slow.function)) continue;
    Millis late{0};
    Millis control{0};
    for (int n = 0; n < kTries; ++n) {
      const auto due = std::chrono::steady_clock::now() + kTime;
      Control timer(due);
      auto [future, cancel] = bench_.start(slow.function, bench_.invocation(arguments_of(slow, "0.2")));
      if (!slow.has_timeout) {
        future.wait_until(due);
        cancel();
      }
      ASSERT_EQ(future.wait_for(30s), std::future_status::ready) << slow.function;
      late = std::chrono::duration_cast<Millis>(std::chrono::steady_clock::now() - due);
      control = timer.lateness();
      const auto outcome = future.get();
      const auto text = json::to_text(outcome.error);
      ASSERT_FALSE(outcome.ok()) << slow.function << json::to_text(outcome.output);
      if (slow.has_timeout) {
        ASSERT_NE(text.find("timeout"), std::string::npos) << slow.function << text;
      }
      if (late <= kLate + 2 * control) break;
    }
    EXPECT_LE(late, kLate + 2 * control) << slow.function << ": the machine itself was " << control.count() << " ms late";
  }
}

// The parameters that the two earlier products named, by the function that does it now.
TEST_F(EachFunction, TakesTheParametersOfEarlierProducts) {
  const std::map<std::string, std::vector<std::string>> named = {
      {"file-organizer", {"target", "categories", "dry_run", "allow_destructive", "source_dir", "target_dir", "organize_by"}},
      {"email-summarizer", {"source_path", "num_sentences", "dry_run", "email_content", "max_length"}},
      {"http-task", {"url", "method", "payload", "headers", "timeout", "dry_run", "body"}},
      {"web-scraper", {"url", "selectors", "screenshot", "screenshot_path", "wait_for", "timeout", "headless"}},
      {"image-processor", {"input_path", "output_path", "operation", "width", "height", "format", "quality"}},
      {"pdf-extractor", {"input_path", "output_path", "extract_metadata", "page_range"}},
      {"sql-query", {"connection_string", "query", "parameters", "read_only", "limit", "database_type"}},
      {"shell-command", {"command", "args", "cwd", "timeout", "capture_output"}},  // allow_unsafe let anybody by: it is refused
      {"s3", {"bucket", "operation", "local_path", "s3_key", "region"}},
      {"send-email", {"smtp_host", "smtp_port", "smtp_username", "smtp_password", "from_email", "to_email", "subject", "body", "html"}},
      {"slack", {"webhook_url", "channel", "message", "username", "icon_emoji"}},
      {"git", {"repo_path", "operation", "remote_url", "branch", "commit_message"}},
  };
  for (const auto& [function, parameters] : named) {
    const auto& properties = bench_.registry.get(function)->info().parameters.get("properties");
    for (const auto& parameter : parameters) EXPECT_TRUE(properties.get(parameter).is_object()) << function << ": " << parameter;
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
