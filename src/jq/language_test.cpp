/// What jq's own files do not check: our additions, and what has broken or could.
#include <gtest/gtest.h>

#include <thread>

#include "jq/jq.hpp"
#include "json/parse.hpp"
#include "json/write.hpp"

namespace pawl::jq {
namespace {

std::string run(std::string_view source, std::string_view input = "null") {
  auto program = compile(source);
  if (program.has_error()) return program.error().code + ": " + program.error().message;
  Context context;
  context.now = TimePoint(Millis(1'700'000'000'250));
  Evaluation evaluation(program.value(), json::parse(input).value(), context);
  std::string out;
  while (true) {
    auto result = evaluation.next();
    if (!out.empty() && (result.has_error() || result.value())) out += ' ';
    if (result.has_error()) return out + result.error().code + ": " + result.error().message;
    if (!result.value()) return out;
    out += json::to_text(*result.value());
  }
}

Finding compile_finding(std::string_view source) {
  const auto program = compile(source);
  EXPECT_TRUE(program.has_error()) << source;
  return program.has_error() && !program.error().findings.empty() ? program.error().findings[0] : Finding{};
}

TEST(JqCompile, NamesThePlaceOfAnError) {
  const Finding finding = compile_finding(".a |\n  .b + ]");
  EXPECT_EQ(finding.line, 2U);
  EXPECT_EQ(finding.column, 8U);
  EXPECT_EQ(compile_finding("\"äö\" | nope").column, 8U);
}

TEST(JqCompile, SuggestsANameThatIsNear) {
  EXPECT_EQ(compile_finding("ascii_downcas").suggestion, "ascii_downcase/0");
  EXPECT_EQ(compile_finding("def price: 1; pricee").suggestion, "price/0");
  EXPECT_EQ(compile_finding(". as $total | $totl").suggestion, "$total");
  EXPECT_EQ(compile_finding("length(1)").suggestion, "length/0");
  EXPECT_EQ(compile_finding("zzzzzzzz").suggestion, "");
}

TEST(JqCompile, SaysWhyWhatIsMissingIsMissing) {
  for (const auto* source : {"$ENV.HOME", "env", "halt", "input_filename", "import \"a\" as b; 1", "get_search_list"}) {
    const auto program = compile(source);
    ASSERT_TRUE(program.has_error()) << source;
    EXPECT_EQ(program.error().code, "jq.unknown") << source;
    EXPECT_NE(program.error().message.find("available"), std::string::npos) << source;
  }
}

TEST(JqCompile, TellsWhatAProgramUses) {
  const std::string_view names[] = {"a", "b"};
  const auto program = compile("def f: $b; if . then f else now end", names).value();
  EXPECT_TRUE(program.uses_now());
  EXPECT_FALSE(program.uses_variable(0));
  EXPECT_TRUE(program.uses_variable(1));
  EXPECT_FALSE(program.uses_variable(7));
  EXPECT_FALSE(program.is_constant());
  EXPECT_TRUE(compile(R"({"a": [1, "x"]})").value().is_constant());
}

TEST(JqRun, GivesTheRaisedValue) {
  Evaluation evaluation(compile(".[] | error({code: .})").value(), json::parse("[7]").value(), {});
  const auto result = evaluation.next();
  ASSERT_TRUE(result.has_error());
  EXPECT_EQ(json::to_text(evaluation.error_value()), R"({"code":7})");
  EXPECT_FALSE(evaluation.next().value().has_value());
}

TEST(JqRun, TakesNowFromTheContext) {
  EXPECT_EQ(run("now"), "1700000000.25");
  EXPECT_EQ(run("now | todate"), "\"2023-11-14T22:13:20Z\"");
  const auto result = first(compile("now").value(), json::Value(), {});
  ASSERT_TRUE(result.has_error());
  EXPECT_EQ(result.error().code, "jq.error");
}

TEST(JqRun, FirstIsNullWhereThereIsNoResult) { EXPECT_EQ(first(compile("empty").value(), json::Value(1), {}).value(), json::Value()); }

TEST(JqRun, EvaluatesOneProgramOnSeveralThreads) {
  const auto program = compile(R"([.[] | select(test("^[0-4]")) | ltrimstr("1")] | join("-"))").value();
  const auto input = json::parse(R"(["10","25","99","31"])").value();
  std::vector<std::thread> threads;
  std::vector<std::string> results(4);
  for (auto& result : results) {
    threads.emplace_back([&result, &program, &input] {
      for (int i = 0; i < 50; ++i) result = first(program, input, {}).value().as_string();
    });
  }
  for (auto& thread : threads) thread.join();
  for (const auto& result : results) EXPECT_EQ(result, "0-25-31");
}

TEST(JqLanguage, SeparatesTheRoundsOfLoops) {
  // Forks that one round leaves behind must not see the variables of the next.
  EXPECT_EQ(run("[limit(7; [[1,2],3] | recurse(. as $x | .[]? | [., $x] | .[0]))] | length", "null"), "5");
  EXPECT_EQ(run("[recurse(if . < 3 then . as $n | ($n + 1, $n + 2) else empty end)]", "0"), "[0,1,2,3,4,3,2,3,4]");
  EXPECT_EQ(run("[limit(5; 1 | while(true; . as $x | ($x, $x) | . + 1))]"), "[1,2,3,4,5]");
  EXPECT_EQ(run("[limit(4; repeat(1, 2))]"), "[1,2,1,2]");
}

TEST(JqLanguage, KeepsClosuresInTheirFrames) {
  EXPECT_EQ(run("def f(g): def h: g + 1; [h, g]; def k($n): f($n * 2); [k(1), k(10)]"), "[[3,2],[21,20]]");
  EXPECT_EQ(run("def f($a; g): $a as $b | [g] | map(. + $b); f(1, 2; 10, 20)"), "[11,21] [12,22]");
  EXPECT_EQ(run("def count(n): if n > 0 then n, count(n - 1) else empty end; [count(3)]"), "[3,2,1]");
  EXPECT_EQ(run("def even: if . == 0 then true else . - 1 | if . == 0 then false else . - 1 | even end end; 1001 | even"), "false");
}

TEST(JqLanguage, LeavesErrorsAfterATryToOthers) {
  EXPECT_EQ(run("try ((try 1 catch 2) | error(\"later\")) catch ."), "\"later\"");
  EXPECT_EQ(run("[.[] | try (if . == 2 then error(\"two\") else . end) catch \"caught\"]", "[1,2,3]"), R"([1,"caught",3])");
  EXPECT_EQ(run("(try (1, 2) catch 9) | if . == 2 then error(\"down\") else . end"), "1 jq.error: down");
  EXPECT_EQ(run("[(1, error(\"x\"))?]"), "[1]");
  EXPECT_EQ(run("[.[] as [$a] ?// $a | $a]", "[[1],2]"), "[1,2]");
  EXPECT_EQ(run("[label $out | 1, (try break $out catch 5), 2]"), "[1]");
}

TEST(JqLanguage, FollowsPathsThroughFunctionsAndLoops) {
  EXPECT_EQ(run("[path(..)] | length", R"({"a":[1,{"b":2}]})"), "5");
  EXPECT_EQ(run("def leaves: recurse(.[]?; true) | select(type == \"number\"); [path(leaves)]", R"({"a":[1,{"b":2}]})"),
            R"([["a",0],["a",1,"b"]])");
  EXPECT_EQ(run("first(.a, .b) = 1, (limit(1; .a[]) |= 9), (.a | last) |= 5", R"({"a":[1,2]})"), R"({"a":1} {"a":[9,2]} {"a":[1,5]})");
  EXPECT_EQ(run("path(if .a then .a[1:] | .[0] else .b end)", R"({"a":[1,2]})"), R"(["a",{"start":1,"end":null},0])");
  EXPECT_EQ(run("[path(.a | path(.b))]?, try path(.a + 1) catch \"no path\"", R"({"a":{"b":1}})"), R"("no path")");
  EXPECT_EQ(run("to_entries | map(select(.value > 1)) | from_entries", R"({"a":1,"b":2})"), R"({"b":2})");
}

TEST(JqLanguage, UpdatesInPlaceWithoutTouchingWhatOthersHold) {
  EXPECT_EQ(run(". as $old | .a.b += 1 | [$old, .]", R"({"a":{"b":1}})"), R"([{"a":{"b":1}},{"a":{"b":2}}])");
  EXPECT_EQ(run("[.a, (.a[0] = 9 | .a), .a]", R"({"a":[1]})"), "[[1],[9],[1]]");
  EXPECT_EQ(run("reduce range(3) as $i (.; .n[\"k\\($i)\"] = . ) | .n | keys", "{}"), R"(["k0","k1","k2"])");
  EXPECT_EQ(run(".a.x.y |= empty, (.a[] |= empty)", R"({"a":{"x":{"y":1,"z":2}}})"), R"({"a":{"x":{"z":2}}} {"a":{}})");
  EXPECT_EQ(run("try (.a.b |= error(\"no\")) catch ., .", R"({"a":{"b":1}})"), R"("no" {"a":{"b":1}})");
  EXPECT_EQ(run(".[1:] |= map(. * 10), (.[-1:] += [4]), (.[0:2] = [])", "[1,2,3]"), "[1,20,30] [1,2,3,4] [3]");
}

TEST(JqLanguage, ReadsAndWritesDatesInUtc) {
  EXPECT_EQ(run(R"("2024-02-29T23:59:59Z" | fromdate | . + 1 | todate)"), R"("2024-03-01T00:00:00Z")");
  EXPECT_EQ(run(R"("10 Mar 2021 4:05 PM" | strptime("%d %b %Y %I:%M %p") | mktime | strftime("%A %j %F %T %Z"))"),
            R"("Wednesday 069 2021-03-10 16:05:00 UTC")");
  EXPECT_EQ(run(R"(-1 | strftime("%s %Y"))"), R"("-1 1969")");
  EXPECT_EQ(run(R"(1e300 | todate)"), "jq.error: error converting number of seconds since epoch to datetime");
}

}  // namespace
}  // namespace pawl::jq
