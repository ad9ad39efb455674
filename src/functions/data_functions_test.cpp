// `csv` and `transform`: data in, data out.
#include <gmock/gmock.h>

#include "functions/testing/bench.hpp"
#include "json/write.hpp"
#include "net/scripted_outbound.hpp"

namespace pawl::functions {
namespace {

using testing::HasSubstr;

class DataFunctions : public testing::Test {
 protected:
  std::string call(std::string_view function, std::string_view arguments, std::string_view input = "{}") {
    const auto outcome = bench_.call(function, arguments, input);
    return json::to_text(outcome.ok() ? outcome.output : outcome.error);
  }
  std::string rows(std::string_view arguments) {
    const auto outcome = bench_.call("csv", arguments);
    return json::to_text(outcome.ok() ? outcome.output.get("rows") : outcome.error);
  }
  net::ScriptedOutbound outbound_;
  Bench bench_{outbound_};
};

TEST_F(DataFunctions, CsvIsReadWithTypes) {
  EXPECT_EQ(rows(R"({"text": "a,b\n1,x\n"})"), R"([{"a":"1","b":"x"}])");
  EXPECT_EQ(rows(R"({"text": "a;b\n1;\"x;y\"\n", "delimiter": ";", "types": "auto"})"), R"([{"a":1,"b":"x;y"}])");
  EXPECT_EQ(rows(R"({"text": "n,z,t,e,i\n007,1.50,true,,1234567890123456789\n", "types": "auto"})"),
            R"([{"n":"007","z":1.5,"t":true,"e":null,"i":"1234567890123456789"}])");
  EXPECT_EQ(rows(R"({"text": "a,b\n1,2\n", "types": {"b": "number"}})"), R"([{"a":"1","b":2}])");
  EXPECT_EQ(rows(R"({"text": "1,2\n", "header": false, "types": "auto"})"), R"([[1,2]])");
  EXPECT_EQ(rows(R"({"text": "1\t2\n", "header": false, "columns": ["x", "y"], "delimiter": "tab"})"), R"([{"x":"1","y":"2"}])");
  EXPECT_THAT(rows(R"({"text": "a\nx\n", "types": {"a": "integer"}})"), HasSubstr("row 1: 'x' in the column a is not of the type integer"));
  EXPECT_THAT(rows(R"({"text": "a,b\n1\n"})"), HasSubstr("line 2"));
}

TEST_F(DataFunctions, CsvLosesNoColumnAndNoType) {
  EXPECT_THAT(rows(R"({"text": "a,b,a\n1,2,3\n"})"), HasSubstr("'a' is there twice"));
  EXPECT_THAT(rows(R"({"text": "1,2\n", "header": false, "columns": ["x", "x"]})"), HasSubstr("'x' is there twice"));
  EXPECT_EQ(rows(R"({"text": "a,a\n1,2\n", "columns": ["x", "y"]})"), R"([{"x":"1","y":"2"}])");
  EXPECT_THAT(rows(R"({"text": "1,2\n", "header": false, "types": {"a": "integer"}})"), HasSubstr("`types` goes by the names"));
}

TEST_F(DataFunctions, CsvStopsAtTheLimitAndSaysSo) {
  EXPECT_EQ(call("csv", R"({"text": "a\n1\n2\n3\n", "limit": 2})"),
            R"({"rows":[{"a":"1"},{"a":"2"}],"columns":["a"],"count":2,"limited":true})");
  EXPECT_THAT(call("csv", R"({"text": "a\n1\n2\n", "limit": 2})"), HasSubstr(R"("limited":false)"));
}

TEST_F(DataFunctions, CsvIsWrittenToTextAndToFiles) {
  EXPECT_EQ(call("csv", R"({"operation": "format", "rows": [{"a": 1, "b": "x,y"}, {"a": null, "b": "=1+1"}]})"),
            R"({"count":2,"bytes":22,"text":"a,b\r\n1,\"x,y\"\r\n,'=1+1\r\n"})");
  EXPECT_THAT(call("csv", R"({"operation": "format", "rows": [{"a": 1, "b": 2}], "columns": ["b"], "delimiter": ";", "header": false})"),
              HasSubstr(R"("text":"2\r\n")"));
  EXPECT_THAT(call("csv", R"({"operation": "format", "rows": [[1, 2]], "columns": ["x", "y"]})"), HasSubstr(R"("text":"x,y\r\n1,2\r\n")"));
  const auto* csv = bench_.registry.get("csv");
  const auto to_file = json::parse(R"({"operation": "format", "rows": [[1]], "path": "out.csv"})").value();
  EXPECT_TRUE(csv->destroys(to_file));
  EXPECT_FALSE(csv->destroys(json::parse(R"({"path": "out.csv"})").value()));
  EXPECT_TRUE(bench_.finish("csv", bench_.invocation(json::to_text(to_file))).ok());
  EXPECT_EQ(bench_.read("out.csv"), "1\r\n");
  EXPECT_THAT(call("csv", json::to_text(to_file)), HasSubstr("exists already"));
  EXPECT_EQ(rows(R"({"path": "out.csv", "header": false})"), R"([["1"]])");
  EXPECT_THAT(rows(R"({"path": "/etc/passwd"})"), HasSubstr("authorization"));
}

TEST_F(DataFunctions, TransformAppliesJq) {
  EXPECT_EQ(call("transform", R"({"expression": ".a + $x", "variables": {"x": 2}})", R"({"a": 1})"), "3");
  EXPECT_EQ(call("transform", R"({"expression": ".[]", "all": true, "input": [1, 2]})"), "[1,2]");
  EXPECT_EQ(call("transform", R"({"expression": ". * 2", "each": true, "input": [1, 2]})"), "[2,4]");
  EXPECT_EQ(call("transform", R"({"filter": ". > 1", "expression": "., .", "all": true, "input": [1, 2]})"), "[2,2]");
  EXPECT_EQ(call("transform", R"({"sort_by": ".a", "descending": true, "limit": 1, "input": [{"a": 1}, {"a": 2}]})"), R"([{"a":2}])");
  EXPECT_EQ(call("transform", R"({"group_by": ". % 2", "input": [1, 2, 3]})"),
            R"([{"key":0,"items":[2],"count":1},{"key":1,"items":[1,3],"count":2}])");
  EXPECT_THAT(call("transform", R"({"expression": ".["})"), HasSubstr("`expression`"));
  EXPECT_THAT(call("transform", R"({"expression": ".", "each": true, "input": 1})"), HasSubstr("no array"));
}

TEST_F(DataFunctions, TransformEndsWhereItsFuelOrTimeDoes) {
  EXPECT_THAT(call("transform", R"({"expression": "[range(1e12)] | length"})"),
              testing::AnyOf(HasSubstr("jq.fuel"), HasSubstr("jq.memory")));
  std::string items = "[0";
  for (int i = 0; i < 4000; ++i) items += ",0";
  EXPECT_THAT(
      call("transform",
           R"json({"expression": "reduce range(20000) as $i (0; . + $i)", "each": true, "timeout": "10ms", "input": )json" + items + "]}"),
      HasSubstr("timeout"));
}

TEST_F(DataFunctions, TransformAnswersSoonAfterACancel) {
  std::string items = "[0";
  for (int i = 0; i < 20'000; ++i) items += ",0";
  auto [future, cancel] = bench_.start(
      "transform",
      bench_.invocation(R"json({"expression": "reduce range(20000) as $i (0; . + $i)", "each": true, "input": )json" + items + "]}"));
  cancel();
  ASSERT_EQ(future.wait_for(std::chrono::seconds(2)), std::future_status::ready);
  EXPECT_THAT(json::to_text(future.get().error), HasSubstr("cancelled"));
}

}  // namespace
}  // namespace pawl::functions
