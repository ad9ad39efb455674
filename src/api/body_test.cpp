#include "api/body.hpp"

#include <gmock/gmock.h>

#include "api/cloud_event.hpp"

namespace pawl::api {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::UnorderedElementsAre;

http::Request request_with(std::string body, std::string_view type = "application/json") {
  http::Request request;
  request.method = http::Method::post;
  request.body = std::move(body);
  if (!type.empty()) request.headers.add("Content-Type", type);
  return request;
}

std::vector<std::string> pointers(const Error& error) {
  std::vector<std::string> out;
  for (const auto& finding : error.findings) out.push_back(finding.pointer);
  return out;
}

TEST(ParseBody, TellsMediaTypeFromMalformed) {
  EXPECT_EQ(parse_body(request_with("{}", "text/plain")).error().kind, ErrorClass::unsupported);
  EXPECT_EQ(parse_body(request_with("{}", "")).error().kind, ErrorClass::unsupported);
  EXPECT_EQ(parse_body(request_with("{\"a\":")).error().kind, ErrorClass::invalid);
  EXPECT_EQ(parse_body(request_with(std::string(5000, '['))).error().kind, ErrorClass::invalid);
  EXPECT_TRUE(parse_body(request_with("{}", "Application/JSON; charset=utf-8")).has_value());
  EXPECT_TRUE(parse_body(request_with("{}", "application/problem+json")).has_value());
  EXPECT_TRUE(parse_body(request_with("", ""), true).has_value());
  EXPECT_FALSE(parse_body(request_with("", ""), false).has_value());
}

TEST(ParseBody, P11_RefusesMoreValuesThanAnIoThreadShouldRead) {
  const auto list = [](std::size_t values) {
    std::string text = "[1";
    for (std::size_t i = 1; i < values; ++i) text += ",1";
    return text + "]";
  };
  EXPECT_FALSE(parse_body(request_with(list(90'000))).has_error());
  EXPECT_FALSE(parse_body(request_with(R"({"text": ")" + std::string(200'000, ',') + R"(\"[[["})")).has_error())
      << "what stands in a text is no value";
  std::string members = "{\"k\":1";
  for (int i = 0; i < 300'000; ++i) members += ",\"" + std::to_string(i) + "\":1";
  for (const auto& large : {list(110'000), members + "}", "[" + std::string(150'000, '[')}) {
    const auto refused = parse_body(request_with(large));
    ASSERT_TRUE(refused.has_error());
    EXPECT_EQ(refused.error().code, "request.too_many_values");
    EXPECT_EQ(refused.error().kind, ErrorClass::too_large);
  }
}

TEST(Fields, CollectsEveryProblemAndRefusesUnknownMembers) {
  Fields fields(*parse_body(request_with(R"({"name": 7, "count": 11, "flag": "no", "id": "x", "a/b": 1, "text": "toolong"})")));
  EXPECT_EQ(fields.text("name"), std::nullopt);
  EXPECT_EQ(fields.integer("count", 1, 10), std::nullopt);
  EXPECT_EQ(fields.boolean("flag"), std::nullopt);
  EXPECT_EQ(fields.text("text", 3), std::nullopt);
  fields.require("definition");
  const auto error = fields.finish();
  ASSERT_TRUE(error.has_value());
  EXPECT_EQ(error->kind, ErrorClass::unprocessable);
  EXPECT_EQ(error->message, "The request has 7 problems.");
  EXPECT_THAT(pointers(*error), UnorderedElementsAre("/name", "/count", "/flag", "/text", "/definition", "/id", "/a~1b"));
}

TEST(Fields, TakesWhatIsRightAndTreatsNullAsMissing) {
  Fields fields(*parse_body(request_with(R"({"name": "Ann", "count": 3, "flag": true, "note": null, "data": null})")));
  EXPECT_EQ(fields.text("name"), "Ann");
  EXPECT_EQ(fields.integer("count", 1, 10), 3);
  EXPECT_EQ(fields.boolean("flag"), true);
  EXPECT_EQ(fields.text("note"), std::nullopt);
  EXPECT_TRUE(fields.value("data")->is_null());
  EXPECT_EQ(fields.value("missing"), std::nullopt);
  EXPECT_EQ(fields.finish(), std::nullopt);
}

TEST(Fields, ABodyMustBeAnObject) {
  Fields fields(*parse_body(request_with("[1]")));
  EXPECT_EQ(fields.text("name"), std::nullopt);
  EXPECT_THAT(pointers(*fields.finish()), ElementsAre(""));
}

TEST(Query, RefusesUnknownAndRepeatedParameters) {
  http::Request request;
  request.query = {{"limit", "0"}, {"colour", "red"}, {"q", "x"}, {"q", "y"}};
  Query query(request);
  EXPECT_EQ(query.limit(), 50U);
  EXPECT_EQ(query.text("q"), "x");
  EXPECT_THAT(pointers(*query.finish()), UnorderedElementsAre("/query/limit", "/query/colour", "/query/q"));
}

TEST(CloudEvent, ReadsTheStructuredForm) {
  const auto event =
      read_cloud_event(request_with(R"({"id": "1", "source": "/s", "type": "t", "data": {"n": 1}})", "application/cloudevents+json"));
  ASSERT_TRUE(event.has_value());
  EXPECT_EQ(event->get("specversion"), json::Value("1.0"));
  EXPECT_EQ(event->get("data").get("n"), json::Value(1));
}

TEST(CloudEvent, ReadsTheBinaryForm) {
  auto request = request_with("hello", "text/plain");
  request.headers.add("CE-Id", "1");
  request.headers.add("ce-source", "/s");
  request.headers.add("ce-type", "t");
  const auto event = read_cloud_event(request);
  ASSERT_TRUE(event.has_value());
  EXPECT_EQ(event->get("data"), json::Value("hello"));
  EXPECT_EQ(event->get("datacontenttype"), json::Value("text/plain"));
}

TEST(CloudEvent, NamesEveryAttributeThatIsWrong) {
  const auto event = read_cloud_event(request_with(R"({"id": "", "type": 3, "Bad-Name": 1, "time": "soon", "specversion": "0.3"})"));
  ASSERT_TRUE(event.has_error());
  EXPECT_THAT(pointers(event.error()), UnorderedElementsAre("/id", "/source", "/type", "/Bad-Name", "/time", "/specversion"));
  EXPECT_EQ(read_cloud_event(request_with("[]", "application/cloudevents-batch+json")).error().kind, ErrorClass::unsupported);
}

}  // namespace
}  // namespace pawl::api
