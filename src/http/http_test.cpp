#include <gmock/gmock.h>

#include <chrono>
#include <string>
#include <vector>

#include "http/detail/parser.hpp"
#include "http/detail/serializer.hpp"
#include "http/detail/target.hpp"
#include "http/problem.hpp"
#include "http/router.hpp"
#include "json/parse.hpp"

namespace pawl::http {
namespace {

using ::testing::Eq;
using ::testing::HasSubstr;
using ::testing::Not;

TEST(Headers, AreFoundWithoutRegardToCaseAndKeepTheirOrder) {
  Headers headers;
  headers.add("Accept", "a");
  headers.add("X-Thing", "1");
  headers.add("x-thing", "2");
  EXPECT_EQ(headers.get("ACCEPT"), "a");
  EXPECT_EQ(headers.get("x-THING"), "1");
  EXPECT_FALSE(headers.find("none").has_value());
  headers.set("X-THING", "3");
  std::vector<std::string> seen;
  for (const auto [name, value] : headers) seen.push_back(std::string(name) + "=" + std::string(value));
  EXPECT_THAT(seen, ::testing::ElementsAre("Accept=a", "X-THING=3"));
}

// ---- targets (S-7: one strict parser) --------------------------------------------------------------------------

struct ParsedTarget {
  const char* wrong = nullptr;
  std::string path;
  NameValues query;
  std::string authority;
};

ParsedTarget parse(std::string_view target) {
  ParsedTarget parsed;
  std::string_view authority;
  parsed.wrong = detail::parse_target(target, parsed.path, parsed.query, authority);
  parsed.authority = authority;
  return parsed;
}

TEST(Target, IsDecodedOnce) {
  const auto parsed = parse("/a%20b/%2525/%C3%BC?x=1+2&y=%26&flag&x=3");
  EXPECT_EQ(parsed.wrong, nullptr);
  EXPECT_EQ(parsed.path, "/a b/%25/\xC3\xBC");
  EXPECT_EQ(parsed.query, (NameValues{{"x", "1 2"}, {"y", "&"}, {"flag", ""}, {"x", "3"}}));
}

TEST(Target, RefusesEveryPathThatTwoPartsCouldReadDifferently) {
  for (const auto* target :
       {"/a//b",  "//a",   "/a/../b", "/a/..",   "/..",     "/./a",      "/a/.",  "/%2e%2e/a", "/a/%2E",    "/a%2fb",      "/a%2Fb",
        "/a%5cb", "/a\\b", "/a;b",    "/a%3bb",  "/a%00b",  "/a%0d%0ab", "/%7f",  "/%zz",      "/%4",       "/%",          "a/b",
        "",       "/a#b",  "/%ff",    "/%c0%af", "/?a=%zz", "/?a=%00",   "/?%ff", "ftp://x/a", "http:///a", "http://u@h/a"}) {
    EXPECT_NE(parse(target).wrong, nullptr) << target;
  }
}

TEST(Target, AcceptsOrdinaryAndAbsoluteForms) {
  for (const auto* target : {"/", "/a/b.c", "/a..b", "/...", "/a/", "/a:b@c,d=e", "*", "/?", "/?&&"}) {
    EXPECT_EQ(parse(target).wrong, nullptr) << target << ": " << parse(target).wrong;
  }
  const auto absolute = parse("http://example.org:80/x?y=1");
  EXPECT_EQ(absolute.wrong, nullptr);
  EXPECT_EQ(absolute.path, "/x");
  EXPECT_EQ(absolute.authority, "example.org:80");
}

TEST(Target, BoundsTheNumberOfQueryParameters) {
  std::string target = "/?";
  for (int i = 0; i < 257; ++i) target += "a&";
  EXPECT_NE(parse(target).wrong, nullptr);
}

TEST(Host, RefusesOddForms) {
  for (const auto* host :
       {"", "a b", "a,b", "u@h", "h:", "h:0", "h:65536", "h:8x", "[::1", "[]", "[::1]x", "h/x", "-:\t", "a:1:2", "[g::]"}) {
    EXPECT_FALSE(detail::valid_host(host)) << host;
  }
  for (const auto* host : {"localhost", "a.b-c.example:8080", "127.0.0.1", "[::1]", "[::ffff:1.2.3.4]:80", "under_score"}) {
    EXPECT_TRUE(detail::valid_host(host)) << host;
  }
}

// ---- router ------------------------------------------------------------------------------------------------------

Handler nothing() {
  return [](Request&&, Responder) {};
}

std::string name_of(const Router& router, Method method, std::string_view path, NameValues* params = nullptr) {
  NameValues found;
  const auto match = router.find(method, path, found);
  if (params != nullptr) *params = found;
  if (match.route != nullptr) return match.route->options.name;
  return match.allowed != 0 ? "405 " + Router::allow_field(match.allowed) : "404";
}

Router sample_router() {
  Router router;
  router.add(Method::get, "/", nothing(), {.name = "root"});
  router.add(Method::get, "/api/runs", nothing(), {.name = "list"});
  router.add(Method::post, "/api/runs", nothing(), {.name = "create"});
  router.add(Method::get, "/api/runs/{run_id}", nothing(), {.name = "get"});
  router.add(Method::get, "/api/runs/latest", nothing(), {.name = "latest"});
  router.add(Method::post, "/api/runs/{run_id}/cancel", nothing(), {.name = "cancel"});
  router.add(Method::get, "/files/{path...}", nothing(), {.name = "files"});
  router.add(Method::get, "/files/special/one", nothing());
  return router;
}

TEST(Router, PrefersLiteralsToParametersToTails) {
  const auto router = sample_router();
  NameValues params;
  EXPECT_EQ(name_of(router, Method::get, "/"), "root");
  EXPECT_EQ(name_of(router, Method::get, "/api/runs"), "list");
  EXPECT_EQ(name_of(router, Method::post, "/api/runs"), "create");
  EXPECT_EQ(name_of(router, Method::get, "/api/runs/latest", &params), "latest");
  EXPECT_TRUE(params.empty());
  EXPECT_EQ(name_of(router, Method::get, "/api/runs/17", &params), "get");
  EXPECT_EQ(params, (NameValues{{"run_id", "17"}}));
  EXPECT_EQ(name_of(router, Method::post, "/api/runs/latest/cancel", &params), "cancel");
  EXPECT_EQ(params, (NameValues{{"run_id", "latest"}}));
  EXPECT_EQ(name_of(router, Method::get, "/files/a/b/c", &params), "files");
  EXPECT_EQ(params, (NameValues{{"path", "a/b/c"}}));
  EXPECT_EQ(name_of(router, Method::get, "/files/special/one"), "/files/special/one");
  EXPECT_EQ(name_of(router, Method::get, "/files/special/two"), "files");
}

TEST(Router, TellsUnknownPathsFromUnknownMethods) {
  const auto router = sample_router();
  EXPECT_EQ(name_of(router, Method::get, "/api"), "404");
  EXPECT_EQ(name_of(router, Method::get, "/api/runs/"), "404");
  EXPECT_EQ(name_of(router, Method::get, "/files"), "404");
  EXPECT_EQ(name_of(router, Method::get, "/files/"), "404");
  EXPECT_EQ(name_of(router, Method::delete_, "/api/runs"), "405 GET, HEAD, POST, OPTIONS");
  EXPECT_EQ(name_of(router, Method::get, "/api/runs/1/cancel"), "405 POST, OPTIONS");
}

TEST(Router, AnswersHeadWithTheGetRoute) { EXPECT_EQ(name_of(sample_router(), Method::head, "/api/runs"), "list"); }

TEST(RouterDeathTest, RefusesTwoHandlersForOneRoute) {
  auto router = sample_router();
  EXPECT_DEATH(router.add(Method::get, "/api/runs", nothing()), "one handler per method and pattern");
  EXPECT_DEATH(router.add(Method::get, "/api/runs/{id}/x", nothing()), "one name per parameter place");
}

// ---- parser ------------------------------------------------------------------------------------------------------

using Outcome = detail::RequestParser::Outcome;

/// Feeds the bytes one at a time, as the worst client would.
Outcome feed_slowly(detail::RequestParser& parser, std::string_view bytes) {
  std::string pending;
  for (const char byte : bytes) {
    pending += byte;
    for (;;) {
      const auto fed = parser.feed(pending);
      pending.erase(0, fed.consumed);
      if (fed.outcome == Outcome::header_done) {
        parser.set_body_limit(64);
        continue;
      }
      if (fed.outcome == Outcome::need_more) break;
      return fed.outcome;
    }
  }
  return Outcome::need_more;
}

Outcome outcome_of(std::string_view bytes, Request* out = nullptr) {
  Request request;
  detail::RequestParser parser(request, {512, 10});
  const auto outcome = feed_slowly(parser, bytes);
  if (out != nullptr) *out = std::move(request);
  return outcome;
}

TEST(Parser, ReadsBodiesByLengthAndByChunks) {
  Request request;
  EXPECT_EQ(outcome_of("POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello", &request), Outcome::done);
  EXPECT_EQ(request.body, "hello");
  EXPECT_EQ(request.target, "/x");
  EXPECT_EQ(outcome_of("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nHost: evil\r\n\r\n",
                       &request),
            Outcome::done);
  EXPECT_EQ(request.body, "abcde");
  EXPECT_EQ(request.host, "a");
}

TEST(Parser, RefusesWhatCouldSmuggleARequest) {
  for (const auto* bytes : {
           "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
           "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
           "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
           "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\nhello",
           "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5,6\r\n\r\nhello",
           "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip\r\n\r\n",
           "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, identity\r\n\r\n",
           "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
           "POST / HTTP/1.1\r\nHost : a\r\n\r\n",
           "POST / HTTP/1.1\r\nHost: a\nX: b\r\n\r\n",
           "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
           "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n11111111111111111\r\n",
           "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n\n0\r\n0;\x9f\n\t\n",
           "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n;a\r\n",
           "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\nhello\r\n",
           "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5 \r\nhello\r\n",
           "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello0\r\n\r\n",
           "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: a\nb\r\n\r\n",
           "GET / \x01HTTP/1.1\r\n\r\n",
           "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
       }) {
    const auto outcome = outcome_of(bytes);
    EXPECT_TRUE(outcome == Outcome::malformed || outcome == Outcome::bad_version) << bytes << " -> " << static_cast<int>(outcome);
  }
}

TEST(Parser, HoldsItsLimitsHoweverTheBytesArrive) {
  EXPECT_EQ(outcome_of("GET / HTTP/1.1\r\nHost: a\r\nX: " + std::string(600, 'x')), Outcome::header_too_large);
  std::string many = "GET / HTTP/1.1\r\n";
  for (int i = 0; i < 11; ++i) many += "a: b\r\n";
  EXPECT_EQ(outcome_of(many + "\r\n"), Outcome::header_too_large);
  EXPECT_EQ(outcome_of("GET /" + std::string(600, 'x')), Outcome::header_too_large);
  EXPECT_EQ(outcome_of("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n41\r\n" + std::string(65, 'x')),
            Outcome::body_too_large);
  EXPECT_EQ(outcome_of("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n1;" + std::string(600, 'x')), Outcome::malformed);
  EXPECT_EQ(outcome_of("BREW / HTTP/1.1\r\nHost: a\r\n\r\n"), Outcome::unknown_method);
  EXPECT_EQ(outcome_of("GET / HTTP/2.0\r\n\r\n"), Outcome::bad_version);
}

/// Random damage to good requests, whole and cut anywhere: every outcome is fine as long as there is one.
TEST(Parser, SurvivesTenThousandMutations) {
  const std::vector<std::string> good{
      "GET /a/b?c=d HTTP/1.1\r\nHost: example.org:80\r\nAccept: */*\r\nConnection: keep-alive\r\n\r\n",
      "POST /x HTTP/1.1\r\nHost: a\r\nContent-Length: 11\r\nExpect: 100-continue\r\n\r\nhello world",
      "PUT /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\nTrailer: x\r\n\r\n",
  };
  const std::string bytes(
      "\r\n\0 :;,%/?#\t\xff\x80"
      "09afAFxX",
      23);
  std::uint64_t seed = 20261122;
  const auto next = [&seed](std::size_t below) {
    seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
    return static_cast<std::size_t>(seed >> 33U) % below;
  };
  std::size_t complete = 0;
  for (int i = 0; i < 10'000; ++i) {
    std::string text = good[next(good.size())];
    for (std::size_t edits = next(4); edits > 0; --edits) {
      const std::size_t at = next(text.size());
      switch (next(3)) {
        case 0: text[at] = bytes[next(bytes.size())]; break;
        case 1: text.insert(at, 1, bytes[next(bytes.size())]); break;
        default: text.erase(at, 1 + next(3)); break;
      }
    }
    if (next(4) == 0) text.resize(next(text.size() + 1));
    Request request;
    if (outcome_of(text, &request) != Outcome::done) continue;
    ++complete;
    const auto target = parse(request.target);
    EXPECT_TRUE(target.wrong != nullptr || target.path.starts_with('/') || target.path == "*") << request.target;
  }
  EXPECT_GT(complete, 1'000U);
}

// ---- answers -----------------------------------------------------------------------------------------------------

TEST(Serializer, RefusesLineBreaksInFields) {
  std::string out = "kept";
  const detail::HeadContext context{"now", "id"};
  for (const auto& [name, value] :
       NameValues{{"X", "a\r\nSet-Cookie: b"}, {"X", "a\nb"}, {"X\r\nY", "a"}, {"", "a"}, {"X Y", "a"}, {"X", std::string("a\0b", 3)}}) {
    Response response(200);
    response.headers.add(name, value);
    EXPECT_FALSE(detail::append_head(out, response, 0, context)) << value;
  }
  EXPECT_FALSE(detail::append_head(out, Response(42), 0, context));
  EXPECT_EQ(out, "kept");
}

TEST(Serializer, AddsSecurityFieldsAndLeavesAnOwnPolicyAlone) {
  std::string out;
  const detail::HeadContext context{"now", "id"};
  ASSERT_TRUE(detail::append_head(out, Response::json(200, "{}"), 2, context));
  EXPECT_THAT(out, HasSubstr("X-Content-Type-Options: nosniff\r\n"));
  EXPECT_THAT(out, HasSubstr("Referrer-Policy: no-referrer\r\n"));
  EXPECT_THAT(out, HasSubstr("X-Frame-Options: DENY\r\n"));
  EXPECT_THAT(out, HasSubstr("default-src 'none'"));
  EXPECT_THAT(out, HasSubstr("Cache-Control: no-store\r\n"));
  EXPECT_THAT(out, HasSubstr("Content-Length: 2\r\n"));
  out.clear();
  auto page = Response(200, "text/html", "x").with("Content-Security-Policy", "default-src 'self'").with("Content-Length", "99");
  ASSERT_TRUE(detail::append_head(out, page, 1, context));
  EXPECT_THAT(out, Not(HasSubstr("'none'")));
  EXPECT_THAT(out, Not(HasSubstr("99")));
  out.clear();
  const auto kept = Response(200, "text/css", "x").with("Cache-Control", "public, immutable");
  ASSERT_TRUE(detail::append_head(out, kept, 1, context));
  EXPECT_THAT(out, HasSubstr("Cache-Control: public, immutable\r\n"));
  EXPECT_THAT(out, Not(HasSubstr("no-store")));
  out.clear();
  ASSERT_TRUE(detail::append_head(out, Response(304), 0, context));
  EXPECT_THAT(out, Not(HasSubstr("Cache-Control")));
}

TEST(Serializer, WritesTheDateOfRfc9110) {
  EXPECT_EQ(detail::http_date(std::chrono::sys_days{std::chrono::year{1994} / 11 / 6} + std::chrono::seconds(31777)),
            "Sun, 06 Nov 1994 08:49:37 GMT");
}

TEST(Problem, SaysNothingOfStatementsOfTheDatabase) {
  const Error error(ErrorClass::conflict, "storage.constraint", "insert into users: UNIQUE constraint failed: users.email_key");
  const auto body = problem(error, "/api/x", "r1").body_text();
  EXPECT_THAT(body, ::testing::Not(::testing::HasSubstr("users")));
  EXPECT_THAT(body, ::testing::HasSubstr("storage.constraint"));
}

TEST(Problem, IsOfTheTypeThatTheContractNames) {
  const auto parsed = json::parse(problem(Error(ErrorClass::unauthenticated, "auth.invalid_credentials", "No."), "/", "r1").body_text());
  ASSERT_TRUE(parsed.has_value());
  EXPECT_EQ(parsed->get("type").as_string(), "urn:pawl:error:auth.invalid-credentials");
  EXPECT_EQ(parsed->get("code").as_string(), "auth.invalid_credentials");
}

TEST(Problem, CarriesCodeInstanceRequestIdAndFindings) {
  Request request;
  request.path = "/api/workflows";
  request.request_id = "r-1";
  Error error(ErrorClass::unprocessable, "workflow.invalid", "It has \"findings\".");
  error.findings.push_back({Severity::error, "/do/0", 3, 5, "no such task", "unknown-task", ""});
  const auto response = problem(error, request);
  EXPECT_EQ(response.status, 422);
  EXPECT_EQ(response.content_type.view(), "application/problem+json");
  const auto parsed = json::parse(response.body_text());
  ASSERT_TRUE(parsed.has_value());
  EXPECT_EQ(parsed->get("type").as_string(), "urn:pawl:error:workflow.invalid");
  EXPECT_EQ(parsed->get("status").as_integer(), 422);
  EXPECT_EQ(parsed->get("detail").as_string(), "It has \"findings\".");
  EXPECT_EQ(parsed->get("instance").as_string(), "/api/workflows");
  EXPECT_EQ(parsed->get("request_id").as_string(), "r-1");
  EXPECT_EQ(parsed->get("errors").at(0).get("line").as_integer(), 3);
}

}  // namespace
}  // namespace pawl::http
