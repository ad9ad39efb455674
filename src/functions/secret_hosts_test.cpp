#include "functions/detail/secret_hosts.hpp"

#include <gtest/gtest.h>

#include "functions/detail/encoding.hpp"
#include "functions/testing/bench.hpp"
#include "json/parse.hpp"
#include "json/write.hpp"
#include "net/address_policy.hpp"
#include "net/scripted_outbound.hpp"

namespace pawl::functions {
namespace {

const char* const kSecrets = R"({
  "ours": {"access_token": "canary/secret+4711", "repository": "a/b", "allowed_hosts": ["api.github.com", "*.github.example"],
           "secret_fields": ["access_token"]},
  "PLAIN": "operators-own-secret"
})";

std::string judge(net::OutboundRequest request) {
  const auto held = hold_to_hosts(request, json::parse(kSecrets).value());
  return held.has_error() ? held.error().code : request.follow_redirects ? "free" : "held";
}

net::OutboundRequest to(std::string url) {
  net::OutboundRequest request;
  request.url = std::move(url);
  return request;
}

// Point 19 of the security checks.
TEST(SecretHosts, F6_ASecretGoesToTheHostsOfItsIntegrationOnly) {
  const std::string secret = "canary/secret+4711";
  for (const auto& [host, expected] :
       std::vector<std::pair<std::string, std::string>>{{"api.github.com", "held"},
                                                        {"API.GitHub.com:443", "held"},
                                                        {"x.github.example", "held"},
                                                        {"evil.example", "http.secret_host"},
                                                        {"github.example", "http.secret_host"},
                                                        {"evilgithub.example", "http.secret_host"},
                                                        {"api.github.com.evil.example", "http.secret_host"},
                                                        {"api.github.com@evil.example", "http.secret_host"}}) {
    const auto url = "https://" + host + "/x";
    auto in_header = to(url);
    in_header.headers = {{"X-Key", "Bearer " + secret}};
    EXPECT_EQ(judge(in_header), expected) << host;
    auto in_basic = to(url);
    in_basic.headers = {{"Authorization", "Basic " + to_base64("me:" + secret)}};
    EXPECT_EQ(judge(in_basic), expected) << host;
    auto in_body = to(url);
    in_body.method = "POST";
    in_body.body = R"({"key": ")" + secret + "\"}";
    EXPECT_EQ(judge(in_body), expected) << host;
    EXPECT_EQ(judge(to(url + "?key=canary%2Fsecret%2B4711")), expected) << host;
    auto by_policy = to(url);
    by_policy.credentials = net::BearerToken{secret};
    EXPECT_EQ(judge(by_policy), expected) << host;
    auto by_password = to(url);
    by_password.credentials = net::BasicCredentials{"me", secret};
    EXPECT_EQ(judge(by_password), expected) << host;
  }
}

TEST(SecretHosts, F6_SoItIsWithDatabasesAndRepositories) {
  const auto secrets = json::parse(kSecrets).value();
  const auto held = [&](const std::string& arguments, std::string_view host) {
    return hold_to_host(json::parse(arguments).value(), host, secrets).has_error();
  };
  for (const std::string carrying :
       {R"({"password": "canary/secret+4711"})", R"({"connection": {"password": "canary/secret+4711"}})",
        R"({"connection_string": "postgresql://me:canary%2Fsecret%2B4711@x/y"})", R"({"parameters": ["x", "canary/secret+4711"]})"}) {
    EXPECT_FALSE(held(carrying, "API.github.com")) << carrying;
    EXPECT_FALSE(held(carrying, "x.github.example")) << carrying;
    EXPECT_TRUE(held(carrying, "evil.example")) << carrying;
    EXPECT_TRUE(held(carrying, "")) << carrying;
  }
  EXPECT_FALSE(held(R"({"password": "operators-own-secret"})", "evil.example"));
}

TEST(SecretHosts, F6_TheFunctionsAskBeforeTheyConnect) {
  net::ScriptedOutbound outbound;
  const net::AddressPolicy policy{.allow_private = true};
  Bench bench(outbound, {}, &policy);
  std::filesystem::create_directories(bench.root() + "/seed/.git");
  bench.write("seed/.git/config", "[remote \"origin\"]\n\turl = https://127.0.0.1:1/x.git\n");
  for (const auto& [function, arguments] : std::vector<std::pair<std::string, std::string>>{
           {"git",
            R"({"operation": "clone", "remote_url": "https://127.0.0.1:1/x.git", "repo_path": "to", "password": "canary/secret+4711"})"},
           {"git", R"({"operation": "pull", "repo_path": "seed", "token": "canary/secret+4711"})"},
           {"git", R"({"operation": "push", "repo_path": "seed", "password": "canary/secret+4711"})"},
           {"sql-query", R"({"query": "select 1", "connection": {"host": "127.0.0.1", "port": 1, "database": "d", "username": "u", )"
                         R"("password": "canary/secret+4711"}})"},
           {"sql-query", R"({"query": "select 1", "connection_string": "postgresql://u:canary%2Fsecret%2B4711@127.0.0.1:1/d"})"},
           {"database-backup", R"({"target": "t", "connection": {"host": "127.0.0.1", "port": 1, "database": "d", "username": "u", )"
                               R"("password": "canary/secret+4711"}})"}}) {
    const auto outcome = bench.call(function, arguments, "{}", kSecrets);
    EXPECT_NE(json::to_text(outcome.error).find("http.secret_host"), std::string::npos) << arguments << json::to_text(outcome.error);
  }
}

TEST(SecretHosts, WhatIsNoSecretGoesAnywhere) {
  auto request = to("https://elsewhere.example/a/b");
  request.headers = {{"X", "operators-own-secret a/b"}};
  EXPECT_EQ(judge(request), "free");
  EXPECT_EQ(judge(to("https://api.github.com/")), "free");
}

TEST(SecretHosts, OnlyTheSecretFieldsOfAnIntegrationAreRedacted) {
  const auto secrets = json::parse(kSecrets).value();
  EXPECT_EQ(redact("a/b at api.github.com with canary/secret+4711", secrets).find("canary"), std::string::npos);
  EXPECT_NE(redact("a/b at api.github.com", secrets).find("a/b at api.github.com"), std::string::npos);
}

}  // namespace
}  // namespace pawl::functions
