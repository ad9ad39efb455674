// What is stored and shown of runs that use secrets.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/detail/test_support.hpp"
#include "engine/store.hpp"
#include "json/write.hpp"

namespace pawl::engine {
namespace {

using testing::HasSubstr;
using testing::Not;

constexpr std::string_view kCanary = "canary-7f3a91";
constexpr std::string_view kCoded = "Y2FuYXJ5LTdmM2E5MQ";  // its base64, as far as it is the same in any text
constexpr std::string_view kUse = "\nuse: {secrets: [token, service]}";

std::string tasks(std::string_view text) { return std::string(text).append(kUse); }

class SecretsTest : public testing::Test {
 protected:
  SecretsTest() {
    bench_.give_secrets(json::Value::object({{"token", kCanary},
                                             {"service", json::Value::object({{"base_url", "https://api.example.com"},
                                                                              {"key", "another-secret-value"},
                                                                              {"secret_fields", json::Value::array({"key"})}})}}));
  }
  /// Whatever is shown of the run, now and out of storage, and all bytes that are kept of it.
  std::string traces(const RunId& id) {
    std::string all;
    const auto view = bench_.view(id, true).value();
    for (const auto* const value : {&view.input, &view.output, &view.error, &view.trigger}) all += json::to_text(*value) + "\n";
    for (const auto& task : view.tasks) {
      for (const auto* const value : {&task.record.input, &task.record.output, &task.record.error}) all += json::to_text(*value) + "\n";
      for (const auto& line : task.record.logs) all += line.text + "\n";
    }
    RunStore store(bench_.database());
    const auto stored = store.load(id).value();
    if (const auto* const finished = std::get_if<FinishedRun>(&stored)) {
      all += json::to_text(finished->history.result) + json::to_text(finished->history.trigger) + finished->history.events;
      if (!finished->history.snapshot.empty()) all += json::to_text(decode_snapshot(finished->history.snapshot)->data);
    } else if (const auto* const open = std::get_if<OpenRun>(&stored)) {
      all += json::to_text(open->trigger) + open->events;
      if (!open->snapshot.empty()) all += json::to_text(decode_snapshot(open->snapshot)->data);
    }
    return all;
  }
  void expect_clean(const RunId& id) {
    const auto all = traces(id);
    for (const auto secret : {kCanary, kCoded, std::string_view("another-secret-value")}) EXPECT_THAT(all, Not(HasSubstr(secret)));
  }

  TestBench bench_;
};

TEST_F(SecretsTest, S4_O9_NothingThatIsStoredOrShownOfARunHoldsItsSecrets) {
  bench_.boot();
  struct Case {
    const char* name;
    const char* tasks;
    Phase end;
  };
  const Case cases[] = {
      {"set",
       "\n  - a: {set: {plain: '${ $secrets.token }', text: '${ \"so \" + $secrets.token }', coded: '${ $secrets.token | @base64 }'}}",
       Phase::completed},
      {"echoed", "\n  - a: {call: noop, with: {answer: '${ $secrets.token }', other: '${ $secrets.service.key }'}}", Phase::completed},
      {"raised", "\n  - a: {raise: {error: {type: 'urn:x', status: 500, title: t, detail: '${ $secrets.token }'}}}", Phase::faulted},
      {"emitted", "\n  - a: {emit: {event: {with: {source: 'urn:x', type: t, data: '${ $secrets.token }'}}}}", Phase::completed},
      {"asked", "\n  - a: {set: {same: '${ .given == $secrets.token }'}}", Phase::completed},
  };
  for (const auto& each : cases) {
    SCOPED_TRACE(each.name);
    const auto view = bench_.execute(bench_.add(each.name, tasks(each.tasks)), json::Value::object({{"given", kCanary}}));
    EXPECT_EQ(view.phase, each.end) << json::to_text(view.error);
    EXPECT_THAT(json::to_text(view.output) + json::to_text(view.error), Not(HasSubstr(kCanary)));
    EXPECT_THAT(traces(view.id), HasSubstr("[redacted]"));
    expect_clean(view.id);
  }
}

TEST_F(SecretsTest, WhatIsNoSecretOfAnIntegrationIsLeftAlone) {
  bench_.boot();
  const auto view =
      bench_.execute(bench_.add("host", tasks("\n  - a: {call: noop, with: {next: '${ $secrets.service.base_url }/x'}}")), {});
  EXPECT_THAT(json::to_text(view.output), HasSubstr("https://api.example.com"));
}

TEST_F(SecretsTest, ADryRunHasNoSecretsWhateverItsDocumentMakesOfThem) {
  bench_.boot();
  const auto workflow = bench_.add("coded", tasks("\n  - a: {set: {token: '${ $secrets.token | explode | map(. + 1) }', key: "
                                                  "'${ $secrets.service.key | explode | map(. + 1) }', host: "
                                                  "'${ $secrets.service.base_url }', names: '${ $secrets.service | keys }'}}"));
  const auto coded = [](std::string_view text) {
    auto list = json::Value::array();
    for (const char c : text) list.push_back(c + 1);
    return list;
  };
  const auto real = bench_.execute(workflow, {});
  EXPECT_EQ(real.output.get("token"), coded(kCanary)) << "a real run has its secrets: " << json::to_text(real.error);
  auto request = bench_.request(workflow);
  request.dry_run = true;
  const auto dry = bench_.execute(std::move(request));
  EXPECT_EQ(dry.phase, Phase::completed) << json::to_text(dry.error);
  EXPECT_EQ(dry.output.get("token"), coded("placeholder-of-a-secret"));
  EXPECT_EQ(dry.output.get("key"), coded("placeholder-of-a-secret"));
  EXPECT_EQ(dry.output.get("host"), json::Value("https://api.example.com"));
  EXPECT_EQ(dry.output.get("names"), real.output.get("names"));

  auto given = bench_.request(workflow);
  given.dry_run = true;
  given.secrets = json::Value::object({{"token", kCanary}, {"service", json::Value::object({{"key", kCanary}})}});
  const auto own = bench_.execute(std::move(given));
  EXPECT_EQ(own.output.get("token"), coded("placeholder-of-a-secret")) << "nor those that come with the request";
}

TEST_F(SecretsTest, ASecretStaysWithTheRunThatUsesIt) {
  bench_.boot();
  static_cast<void>(bench_.add("child", "\n  - a: {call: noop, with: {got: '${ .value }'}}"));
  const auto view =
      bench_.execute(bench_.add("parent", tasks("\n  - a: {run: {workflow: {namespace: test, name: child, version: '1.0.0', input: "
                                                "{value: '${ $secrets.token }'}}}}")),
                     {});
  EXPECT_EQ(json::to_text(view.output), R"({"got":"[redacted]"})") << json::to_text(view.error);
  for (const auto& run : bench_.list({}).runs) expect_clean(run.id);
}

TEST_F(SecretsTest, ARunThatHoldsASecretWhileItSleepsStillHasItAfterARestart) {
  bench_.options().snapshot_after = Millis(1);
  bench_.options().compact_bytes = 16;
  bench_.boot();
  const auto run = bench_.start(bench_.add("holds", tasks("\n  - a: {set: {held: '${ $secrets.token }', n: '${ .n }'}}"
                                                          "\n  - b: {call: noop, with: {n: 1}, output: {as: '${ $input }'}}"
                                                          "\n  - c: {wait: {milliseconds: 400}}"
                                                          "\n  - d: {set: {same: '${ .held == $secrets.token }'}}")),
                                json::Value::object({{"n", std::string(100, 'x')}}));
  bench_.wait_until_asleep();
  RunStore store(bench_.database());
  const auto stored = store.load(run).value();
  ASSERT_TRUE(std::holds_alternative<OpenRun>(stored));
  EXPECT_EQ(std::get<OpenRun>(stored).snapshot, "");
  EXPECT_THAT(std::get<OpenRun>(stored).events, Not(HasSubstr(kCanary)));
  bench_.kill();
  bench_.boot();
  const auto view = bench_.wait_for_end(run);
  EXPECT_EQ(view.phase, Phase::completed) << json::to_text(view.error);
  EXPECT_EQ(json::to_text(view.output), R"({"same":true})");
  expect_clean(run);
}

}  // namespace
}  // namespace pawl::engine
