#include "functions/remote_functions.hpp"

#include <gmock/gmock.h>

#include <filesystem>
#include <fstream>
#include <future>

#include "functions/testing/bench.hpp"
#include "functions/user_functions.hpp"
#include "net/scripted_outbound.hpp"

namespace pawl::functions {
namespace {

using testing::HasSubstr;
using Remote = dsl::FunctionCatalog::Remote;

constexpr const char* kGreet =
    "input: {schema: {document: {type: object, properties: {name: {type: string}}}}}\nset: {greeting: '${ .name }'}\n";
constexpr const char* kCatalog = "https://catalog.example/tree";
constexpr const char* kFile = "https://catalog.example/tree/functions/greet/1.0.0/function.yaml";

/// Answers at once, as if another thread had.
class AtOnce final : public net::Outbound {
 public:
  net::RequestHandle start(net::OutboundRequest request, Done done) override {
    const auto handle = script.start(std::move(request), std::move(done));
    script.deliver();
    return handle;
  }
  void cancel(net::RequestHandle handle) override { script.cancel(handle); }
  net::ScriptedOutbound script;
};

class RemoteCatalog : public testing::Test {
 protected:
  void answer(int status, std::string body) {
    outbound_.script.on("GET", kFile,
                        [status, body](const net::OutboundRequest&) { return net::OutboundResponse{.status = status, .body = body}; });
  }
  [[nodiscard]] std::string folder() const { return bench_.root() + "/kept"; }
  [[nodiscard]] std::string document(const std::string& pin, const std::string& call = "greet:1.0.0@shared") const {
    return std::string(
               "document: {dsl: '1.0.3', namespace: a, name: b, version: '1.0.0'}\nuse:\n  catalogs:\n    shared:\n      endpoint: ") +
           kCatalog + "\n      pins: {'greet:1.0.0': 'sha256:" + pin + "'}\ndo:\n  - hello: {call: '" + call + "', with: {name: Ann}}\n";
  }
  std::string compile(const std::string& text) {
    const FetchingFunctions functions(bench_.registry, remote_);
    const auto checked = dsl::compile(text, functions);
    return checked.ok()               ? "good"
           : checked.findings.empty() ? "faulty"
                                      : checked.findings.front().rule + ": " + checked.findings.front().message;
  }
  [[nodiscard]] std::size_t requests() const { return outbound_.script.requests().size(); }

  AtOnce outbound_;
  Bench bench_{outbound_};
  RemoteFunctions remote_{outbound_, bench_.registry, folder()};
};

TEST_F(RemoteCatalog, F5_AFileIsFetchedOnceAndKeptByItsDigest) {
  answer(200, kGreet);
  EXPECT_EQ(compile(document(sha256_of(kGreet))), "good");
  EXPECT_EQ(compile(document(sha256_of(kGreet))), "good");
  ASSERT_EQ(requests(), 1U);
  EXPECT_FALSE(outbound_.script.requests()[0].follow_redirects);
  EXPECT_LE(outbound_.script.requests()[0].max_response_bytes, kMaxFunctionBytes);
  answer(500, "away");
  RemoteFunctions later(outbound_, bench_.registry, folder());  // another process
  EXPECT_TRUE(later.get({kCatalog, "greet", "1.0.0", sha256_of(kGreet)}).has_value());
  EXPECT_EQ(requests(), 1U);
}

TEST_F(RemoteCatalog, F5_AnotherFileThanThePinnedOneIsRefused) {
  answer(200, "set: {greeting: evil}\n");
  const auto said = compile(document(sha256_of(kGreet)));
  EXPECT_THAT(said, HasSubstr("remote-catalog"));
  EXPECT_THAT(said, HasSubstr("not the one that was pinned"));
  EXPECT_FALSE(std::filesystem::exists(folder()));
  EXPECT_EQ(remote_.get({kCatalog, "greet", "1.0.0", sha256_of(kGreet)}).error().code, "catalog.digest");
}

TEST_F(RemoteCatalog, F5_WhatWasKeptAndThenChangedIsFetchedAgain) {
  answer(200, kGreet);
  const auto digest = sha256_of(kGreet);
  ASSERT_EQ(compile(document(digest)), "good");
  std::ofstream(folder() + "/" + digest + ".yaml") << "set: {greeting: evil}\n";
  RemoteFunctions later(outbound_, bench_.registry, folder());
  const auto found = later.get({kCatalog, "greet", "1.0.0", digest});
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ((*found)->task.get("set").get("greeting"), json::Value("${ .name }"));
  EXPECT_EQ(requests(), 2U);
}

TEST_F(RemoteCatalog, F5_WithoutTheNetworkOrWithARedirectItIsSaidWhy) {
  EXPECT_THAT(compile(document(sha256_of(kGreet))), HasSubstr("was not fetched"));
  answer(302, "");
  EXPECT_THAT(compile(document(sha256_of(kGreet))), HasSubstr("redirects are not followed"));
  answer(404, "");
  EXPECT_THAT(compile(document(sha256_of(kGreet))), HasSubstr("answered 404"));
}

TEST_F(RemoteCatalog, F5_NothingIsFetchedWithoutAPinOrByThoseWhoMayNotWait) {
  answer(200, kGreet);
  EXPECT_THAT(compile(document(sha256_of(kGreet), "other:1.0.0@shared")), HasSubstr("missing-pin"));
  EXPECT_THAT(compile(document(sha256_of(kGreet), "greet@shared")), HasSubstr("invalid-version"));
  EXPECT_THAT(compile(document("short")), HasSubstr("does not match the pattern"));
  EXPECT_EQ(remote_.kept({kCatalog, "greet", "1.0.0", sha256_of(kGreet)}).error().code, "catalog.unreachable");
  EXPECT_FALSE(dsl::compile(document(sha256_of(kGreet)), bench_.registry).ok());
  EXPECT_EQ(requests(), 0U);
}

TEST_F(RemoteCatalog, F5_AFunctionWithAFaultIsRefusedThoughItsDigestIsRight) {
  for (const std::string text : {"call: nothing\n", "set: {a: '${ $secrets.key }'}\n", "call: 'greet:1.0.0@shared'\n", "- 1\n"}) {
    answer(200, text);
    EXPECT_THAT(compile(document(sha256_of(text))), HasSubstr("The function has a fault")) << text;
  }
}

// One that does not answer costs its patience once, not for every call.
TEST_F(RemoteCatalog, F5_AfterTheFirstFailureNobodyElseIsAsked) {
  std::string text = document(sha256_of(kGreet));
  std::string pins;
  for (int i = 0; i < 30; ++i) {
    pins += "'f" + std::to_string(i) + ":1.0.0': 'sha256:" + sha256_of(kGreet) + "', ";
    text += "  - t" + std::to_string(i) + ": {call: 'f" + std::to_string(i) + ":1.0.0@shared'}\n";
  }
  text.insert(text.find("'greet"), pins);
  EXPECT_THAT(compile(text), HasSubstr("was not fetched"));
  EXPECT_EQ(requests(), 1U);
}

TEST(RemoteAddress, F5_IsBuiltAsTheLanguageLaysCatalogsOut) {
  const auto at = [](std::string catalog, std::string name = "log", std::string version = "1.0.0") {
    const auto made = function_address({std::move(catalog), std::move(name), std::move(version), {}});
    return made.has_value() ? *made : made.error().code;
  };
  EXPECT_EQ(at("https://a.example/x/"), "https://a.example/x/functions/log/1.0.0/function.yaml");
  EXPECT_EQ(at("https://github.com/o/catalog/tree/main"),
            "https://raw.githubusercontent.com/o/catalog/refs/heads/main/functions/log/1.0.0/function.yaml");
  EXPECT_EQ(at("https://github.com/o/catalog"), "https://raw.githubusercontent.com/o/catalog/HEAD/functions/log/1.0.0/function.yaml");
  EXPECT_EQ(at("https://gitlab.com/o/c/-/tree/main"), "https://gitlab.com/o/c/-/raw/main/functions/log/1.0.0/function.yaml");
  for (const char* bad : {"file:///etc", "ftp://a.example", "a.example", "https://user:secret@a.example", "https://a.example/?x=1"}) {
    EXPECT_EQ(at(bad), "catalog.address") << bad;
  }
  EXPECT_EQ(at("https://a.example", "../log"), "catalog.address");
  EXPECT_EQ(at("https://a.example", "log", "../1"), "catalog.address");
}

}  // namespace
}  // namespace pawl::functions
