#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <future>
#include <sstream>
#include <thread>

#include "json/parse.hpp"
#include "observe/health.hpp"
#include "observe/log.hpp"
#include "observe/metrics.hpp"

namespace pawl::observe {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// ---- logs -----------------------------------------------------------------------------------------------------------------

std::string line(std::string_view message, std::initializer_list<Field> fields = {}, Format format = Format::json) {
  return format_line(format, TimePoint(Millis(1'700'000'000'000)), Level::warning, "some.event", message, fields);
}

// proves: S4-M4
TEST(Log, S4_M4_ALineIsJsonWithTimeLevelEventAndFields) {
  const auto parsed = json::parse(line("hello", {{"request_id", "r1"}, {"status", 200}, {"seconds", 0.5}, {"fine", true}}));
  ASSERT_FALSE(parsed.has_error());
  EXPECT_EQ(parsed->get("timestamp"), json::Value("2023-11-14T22:13:20.000Z"));
  EXPECT_EQ(parsed->get("level"), json::Value("warning"));
  EXPECT_EQ(parsed->get("event"), json::Value("some.event"));
  EXPECT_EQ(parsed->get("message"), json::Value("hello"));
  EXPECT_EQ(parsed->get("request_id"), json::Value("r1"));
  EXPECT_EQ(parsed->get("status"), json::Value(200));
  EXPECT_EQ(parsed->get("seconds"), json::Value(0.5));
  EXPECT_EQ(parsed->get("fine"), json::Value(true));
}

// proves: S4-M4
TEST(Log, S4_M4_EveryLineParsesWhateverTheValuesHold) {
  const std::string long_text(100'000, 'x');
  for (const std::string& value : {std::string("a\nb\r\n"), std::string("\"quoted\\"), std::string("\0zero", 5),
                                   std::string("\xFF\xC3\x28\xED\xA0\x80\xF4\x90\x80\x80"), std::string("grüße \xF0\x9F\x90\xBE"),
                                   std::string("\xE2\x82"), long_text}) {
    const auto text = line(value, {{"field", value}, {value, "x"}});
    EXPECT_EQ(text.find('\n'), text.size() - 1) << "one event, one line";
    EXPECT_FALSE(json::parse(text).has_error()) << value.substr(0, 20);
    const auto person = line(value, {{"field", value}}, Format::text);
    EXPECT_EQ(person.find('\n'), person.size() - 1);
  }
  EXPECT_EQ(json::parse(line("grüße"))->get("message"), json::Value("grüße"));
}

// proves: S4-M4, S4-O9
TEST(Log, S4_M4_NeverWritesAFieldWhoseNameSpeaksOfASecret) {
  for (const char* name :
       {"password", "new_password", "Authorization", "Set-Cookie", "X-API-Key", "access_token", "client_secret", "private_key"}) {
    EXPECT_THAT(line("m", {{name, "canary-4711"}}), Not(HasSubstr("canary"))) << name;
    EXPECT_THAT(line("m", {{name, "canary-4711"}}, Format::text), Not(HasSubstr("canary"))) << name;
  }
  EXPECT_THAT(line("m", {{"route", "hook"}}), HasSubstr("hook"));
}

TEST(Log, TextIsForAPerson) {
  EXPECT_EQ(line("hello there", {{"status", 200}, {"route", "listWorkflows"}, {"text", "a b"}}, Format::text),
            "2023-11-14T22:13:20.000Z warning hello there status=200 route=listWorkflows text=\"a b\"\n");
}

// proves: S4-M4
TEST(Log, S4_M4_WritesToAFileFromTheLevelOn) {
  std::string pattern = (std::filesystem::temp_directory_path() / "pawl-log-XXXXXX").string();
  const std::filesystem::path folder = mkdtemp(pattern.data());
  const auto file = folder / "pawl.log";
  const SystemClock clock;
  {
    const auto log = Log::open(clock, {.level = Level::warning, .format = Format::json, .file = file.string()}).value();
    EXPECT_FALSE(log->takes(Level::info));
    log->write(Level::info, "a", "dropped");
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
      threads.emplace_back([&log] {
        for (int n = 0; n < 100; ++n) log->write(Level::error, "b", "kept", {{"n", n}});
      });
    }
    for (auto& thread : threads) thread.join();
  }
  std::ifstream in(file);
  int lines = 0;
  for (std::string text; std::getline(in, text); ++lines) EXPECT_FALSE(json::parse(text).has_error()) << text;
  EXPECT_EQ(lines, 400);
  struct stat info {};
  ASSERT_EQ(::stat(file.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 077U, 0U);
  EXPECT_EQ(Log::open(clock, {.file = (folder / "no" / "such").string()}).error().code, "log.file");
  std::filesystem::remove_all(folder);
}

// ---- metrics --------------------------------------------------------------------------------------------------------------

// proves: O3
TEST(Metrics, O3_WritesPrometheusText) {
  Metrics metrics;
  auto& requests = metrics.counter("requests_total", "Requests", {"route", "status"});
  requests.with({"a", "200"}).add();
  requests.with({"a", "200"}).add(2);
  requests.with({"quo\"te\n", "500"}).add();
  metrics.gauge("depth", "Depth", [] { return 2.5; });
  metrics.counted("commits_total", "Commits", [] { return 7.0; });
  metrics.gauges("breaker_open", "Breakers", {"target"}, [] { return Metrics::Samples{{{"database"}, 1}}; });
  EXPECT_EQ(metrics.text(),
            "# HELP breaker_open Breakers\n# TYPE breaker_open gauge\nbreaker_open{target=\"database\"} 1\n"
            "# HELP commits_total Commits\n# TYPE commits_total counter\ncommits_total 7\n"
            "# HELP depth Depth\n# TYPE depth gauge\ndepth 2.5\n"
            "# HELP requests_total Requests\n# TYPE requests_total counter\n"
            "requests_total{route=\"a\",status=\"200\"} 3\nrequests_total{route=\"quo\\\"te\\n\",status=\"500\"} 1\n");
}

// proves: O3
TEST(Metrics, O3_HistogramsAreCumulative) {
  Metrics metrics;
  auto& family = metrics.histogram("seconds", "Time", {"route"});
  auto& histogram = family.with({"r"});
  for (const double seconds : {0.0005, 0.001, 0.02, 100.0}) histogram.observe(seconds);
  const auto text = metrics.text();
  EXPECT_THAT(text, HasSubstr("seconds_bucket{route=\"r\",le=\"0.001\"} 2\n"));
  EXPECT_THAT(text, HasSubstr("seconds_bucket{route=\"r\",le=\"0.025\"} 3\n"));
  EXPECT_THAT(text, HasSubstr("seconds_bucket{route=\"r\",le=\"60\"} 3\n"));
  EXPECT_THAT(text, HasSubstr("seconds_bucket{route=\"r\",le=\"+Inf\"} 4\n"));
  EXPECT_THAT(text, HasSubstr("seconds_count{route=\"r\"} 4\n"));
  EXPECT_NEAR(histogram.sum(), 100.0215, 1e-3);
}

// proves: O3
TEST(Metrics, O3_AFamilyDoesNotGrowWithoutBound) {
  Metrics metrics;
  auto& family = metrics.counter("c", "C", {"who"});
  for (std::size_t i = 0; i < kMaxSeries + 500; ++i) family.with({std::to_string(i)}).add();
  EXPECT_EQ(family.with({"new"}).value(), 500U) << "counts as other";
  const auto text = metrics.text();
  EXPECT_LE(static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n')), kMaxSeries + 3);
  EXPECT_THAT(text, HasSubstr("c{who=\"other\"} 500\n"));
}

TEST(Metrics, CountsFromManyThreads) {
  Metrics metrics;
  auto& family = metrics.counter("c", "C", {"who"});
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int n = 0; n < 10'000; ++n) family.with({n % 2 == 0 ? "a" : "b"}).add();
    });
  }
  for (auto& thread : threads) thread.join();
  EXPECT_EQ(family.with({"a"}).value() + family.with({"b"}).value(), 40'000U);
}

TEST(Metrics, KnowsTheProcess) {
  EXPECT_GT(resident_bytes(), 1'000'000U);
  EXPECT_GE(open_files(), 3U);
}

// ---- health ---------------------------------------------------------------------------------------------------------------

HealthReport ask(Health& health) {
  std::promise<HealthReport> promise;
  health.report([&](const HealthReport& report) { promise.set_value(report); });
  return promise.get_future().get();
}

HealthCheck check(std::string name, HealthStatus status, bool needed = true) {
  return {std::move(name), needed, Millis(1000), [status] { return CheckResult{status, "detail"}; }};
}

// proves: S0-7, S4-H4
TEST(Health, S0_7_IsReadyUntilANeededCheckFails) {
  for (const auto& [status, needed, ready, warning] :
       std::vector<std::tuple<HealthStatus, bool, bool, bool>>{{HealthStatus::ok, true, true, false},
                                                               {HealthStatus::warning, true, true, true},
                                                               {HealthStatus::not_configured, true, true, false},
                                                               {HealthStatus::failed, false, true, true},
                                                               {HealthStatus::failed, true, false, true}}) {
    Health health;
    health.add(check("database", HealthStatus::ok));
    health.add(check("other", status, needed));
    health.start();
    const auto report = ask(health);
    EXPECT_EQ(report.ready, ready);
    EXPECT_EQ(report.warning, warning);
    ASSERT_EQ(report.items.size(), 2U);
    EXPECT_EQ(report.items[1].result.status, status);
  }
}

// proves: S0-7, S4-H4, S4-A-P1, AI-H10
TEST(Health, S4_H4_ACheckThatHangsFailsInItsOwnTimeAndHoldsNobodyUp) {
  std::promise<void> release;
  const auto released = release.get_future().share();
  std::atomic<int> started = 0;
  Health health;
  health.add({"database", true, Millis(50), [&] {
                ++started;
                released.wait();
                return CheckResult{};
              }});
  health.add(check("disk", HealthStatus::ok));
  health.start();
  for (int i = 0; i < 5; ++i) {
    const auto began = std::chrono::steady_clock::now();
    const auto report = ask(health);
    EXPECT_FALSE(report.ready);
    EXPECT_EQ(report.items[0].result.status, HealthStatus::failed);
    EXPECT_THAT(report.items[0].result.detail, HasSubstr("no answer within 50 ms"));
    EXPECT_EQ(report.items[1].result.status, HealthStatus::ok);
    EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(5));
  }
  EXPECT_EQ(started, 1) << "it is not started again while it hangs";
  release.set_value();
}

TEST(Health, AnswersManyWithOneLook) {
  std::atomic<int> looks = 0;
  Health health;
  health.add({"database", true, Millis(5000), [&] {
                ++looks;
                return CheckResult{};
              }});
  health.start();
  for (int i = 0; i < 20; ++i) EXPECT_TRUE(ask(health).ready);
  EXPECT_LE(looks, 20);
  EXPECT_GE(looks, 1);
}

}  // namespace
}  // namespace pawl::observe
