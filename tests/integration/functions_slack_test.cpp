// `slack` against a stand-in on loopback that takes messages, refuses them, and lies.

#include <gmock/gmock.h>

#include <atomic>
#include <map>
#include <mutex>
#include <optional>

#include "async/io_threads.hpp"
#include "functions/testing/bench.hpp"
#include "http/server.hpp"
#include "json/write.hpp"
#include "net/curl_outbound.hpp"

namespace pawl::functions {
namespace {

using http::Method;
using http::Request;
using http::Responder;
using http::Response;
using testing::HasSubstr;
using testing::Not;

constexpr const char* kWebhook = "https://hooks.slack.com/services/T0/B0/secret-path";

class SlackFunction : public testing::Test {
 protected:
  void SetUp() override {
    threads_.start();
    http::Router router;
    router.add(Method::post, "/services/{path...}",
               [this](Request&& request, Responder responder) { answer(std::move(request), std::move(responder)); });
    router.add(Method::post, "/api/chat.postMessage",
               [this](Request&& request, Responder responder) { answer(std::move(request), std::move(responder)); });
    server_.emplace(threads_, std::move(router), http::ServerOptions{});
    ASSERT_TRUE(server_->start().has_value());
    net::CurlOptions options;
    for (const char* host : {"hooks.slack.com:443", "slack.com:443"}) {
      ASSERT_TRUE(options.policy.map_host(std::string(host) + " -> http://127.0.0.1:" + std::to_string(server_->port())).has_value());
    }
    outbound_.emplace(options);
    bench_.emplace(*outbound_);
  }
  void TearDown() override {
    server_.reset();
    threads_.stop();
    bench_.reset();
    outbound_.reset();
  }

  void answer(Request&& request, Responder responder) {
    const std::lock_guard lock(mutex_);
    ++calls_;
    last_ = json::parse(request.body).value();
    authorization_ = request.header("authorization");
    if (status_ == 429) return responder.send(Response::text(429, "slow down").with("Retry-After", "30"));
    responder.send(status_ == 200 && body_.starts_with("{") ? Response::json(200, body_) : Response::text(status_, body_));
  }
  engine::Outcome by_webhook(int status, std::string body) {
    says(status, std::move(body));
    return bench_->call("slack", R"({"message": "hello", "webhook_url": ")" + std::string(kWebhook) + "\"}");
  }
  engine::Outcome by_token(int status, std::string body) {
    says(status, std::move(body));
    return bench_->call("slack", R"({"message": "hello", "token": "xoxb-canary", "channel": "C1", "icon_emoji": ":bell:"})");
  }
  void says(int status, std::string body) {
    const std::lock_guard lock(mutex_);
    status_ = status;
    body_ = std::move(body);
  }
  static std::string kind(const engine::Outcome& outcome) {
    const std::string type(outcome.error.get("type").is_string() ? outcome.error.get("type").as_string() : "");
    return type.substr(type.rfind('/') + 1) + " " + json::to_text(outcome.error.get("status"));
  }

  std::mutex mutex_;
  int status_ = 200;
  std::string body_ = "ok";
  std::string authorization_;
  json::Value last_;
  int calls_ = 0;
  async::IoThreads threads_{1};
  std::optional<http::Server> server_;
  std::optional<net::CurlOutbound> outbound_;
  std::optional<Bench> bench_;
};

TEST_F(SlackFunction, F2APostsByAWebhook) {
  const auto outcome = by_webhook(200, "ok");
  ASSERT_TRUE(outcome.ok()) << json::to_text(outcome.error);
  EXPECT_EQ(json::to_text(outcome.output), R"({"ok":true})");
  EXPECT_EQ(json::to_text(last_), R"({"text":"hello"})");
  EXPECT_EQ(authorization_, "");
}

TEST_F(SlackFunction, F2APostsByAToken) {
  const auto outcome = by_token(200, R"({"ok": true, "channel": "C024", "ts": "1503435956.000247", "message": {}})");
  ASSERT_TRUE(outcome.ok()) << json::to_text(outcome.error);
  EXPECT_EQ(json::to_text(outcome.output), R"({"ok":true,"channel":"C024","ts":"1503435956.000247"})");
  EXPECT_EQ(authorization_, "Bearer xoxb-canary");
  EXPECT_EQ(json::to_text(last_), R"({"channel":"C1","icon_emoji":":bell:","text":"hello"})");
}

TEST_F(SlackFunction, RefusalsWithStatus200AreErrors) {
  const std::map<std::string, std::string> expected = {{"invalid_auth", "authentication 401"},
                                                       {"ratelimited", "communication 429"},
                                                       {"internal_error", "communication 503"},
                                                       {"channel_not_found", "communication 400"}};
  for (const auto& [code, kind_of_error] : expected) {
    const auto outcome = by_token(200, R"({"ok": false, "error": ")" + code + "\"}");
    EXPECT_EQ(kind(outcome), kind_of_error) << code;
    EXPECT_THAT(json::to_text(outcome.error), HasSubstr(code));
  }
}

TEST_F(SlackFunction, StatusesAndLiesAreErrors) {
  EXPECT_EQ(kind(by_token(429, "")), "communication 429");
  EXPECT_THAT(json::to_text(by_token(429, "").error), HasSubstr("30 s"));
  EXPECT_EQ(kind(by_webhook(404, "no_service")), "communication 404");
  EXPECT_EQ(kind(by_webhook(302, "")), "communication 302");
  for (const char* lie : {"<html>ok</html>", "{}", R"({"ok": "yes"})", R"({"ok": true})", ""}) {
    EXPECT_EQ(kind(by_token(200, lie)), "communication 502") << lie;
    EXPECT_EQ(kind(by_webhook(200, lie)), "communication 502") << lie;
  }
}

TEST_F(SlackFunction, TheAddressOfAWebhookStandsInNoErrorAndNoPlan) {
  const auto echoed = by_webhook(400, "bad path /services/T0/B0/secret-path");
  EXPECT_THAT(json::to_text(echoed.error), HasSubstr("hooks.slack.com answered 400"));
  EXPECT_THAT(json::to_text(echoed.error), Not(HasSubstr("secret-path")));
  server_.reset();  // nobody listens any more
  const auto gone = bench_->call("slack", R"({"message": "hello", "webhook_url": ")" + std::string(kWebhook) + "\"}");
  EXPECT_EQ(kind(gone), "communication 500");
  EXPECT_THAT(json::to_text(gone.error), Not(HasSubstr("secret-path")));
  const auto plan =
      bench_->registry.get("slack")->plan(bench_->invocation(R"({"message": "hello", "webhook_url": ")" + std::string(kWebhook) + "\"}"));
  EXPECT_THAT(json::to_text(*plan), HasSubstr("hooks.slack.com"));
  EXPECT_THAT(json::to_text(*plan), Not(HasSubstr("secret-path")));
}

TEST_F(SlackFunction, APrivateAddressIsRefused) {
  const auto outcome =
      bench_->call("slack", R"({"message": "x", "webhook_url": "http://127.0.0.1:)" + std::to_string(server_->port()) + "/services/x\"}");
  EXPECT_EQ(kind(outcome), "authorization 403");
  EXPECT_EQ(calls_, 0);
}

TEST_F(SlackFunction, ACallNeedsOneWayAndSomethingToSay) {
  for (const char* arguments :
       {R"({"message": "x"})", R"({"webhook_url": "https://hooks.slack.com/x"})", R"({"message": "x", "token": "t"})",
        R"({"message": "x", "token": "t", "channel": "c", "webhook_url": "https://hooks.slack.com/x"})",
        R"({"message": "x", "webhook_url": "file:///etc/passwd"})"}) {
    EXPECT_EQ(kind(bench_->call("slack", arguments)), "validation 400") << arguments;
  }
  EXPECT_EQ(calls_, 0);
  EXPECT_EQ(bench_->registry.get("slack")->effect_class({}), engine::EffectClass::once);
}

}  // namespace
}  // namespace pawl::functions
