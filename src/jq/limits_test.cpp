/// Nothing that an expression does may hang, abort or overflow the stack (W2, S3-5): each of these ends with an error, and soon.
#include <gtest/gtest.h>

#include "jq/jq.hpp"
#include "json/parse.hpp"

namespace pawl::jq {
namespace {

/// The code of the error that ends the program, or "ended".
std::string outcome(std::string_view source, const Limits& limits = {}) {
  auto program = compile(source);
  if (program.has_error()) return program.error().code;
  Context context;
  context.limits = limits;
  Evaluation evaluation(program.value(), json::Value(), context);
  while (true) {
    auto result = evaluation.next();
    if (result.has_error()) return result.error().code;
    if (!result.value()) return "ended";
  }
}

Limits small() { return {.fuel = 300'000, .memory_bytes = 16 << 20}; }

TEST(JqLimits, StopEndlessLoops) {
  for (const auto* source :
       {"repeat(.)", "def f: f; f", "[limit(1e9; repeat(1))]", "last(range(1e18))", "until(false; .)", "[while(true; .)]",
        "def f: def g: f; g; f", "def f(g): g | f(g + 1); 1 | f(.)", "[recurse]|length, repeat(empty)", "[recurse(.)]",
        "reduce repeat(1) as $x (0; . + $x)", "label $out | repeat(.) | empty", "try repeat(error) catch ., repeat(.)", "[range(1e18)]",
        "first(repeat(empty))", "[limit(1e12; range(1e15))]|length"}) {
    EXPECT_EQ(outcome(source, small()), "jq.fuel") << source;
  }
}

TEST(JqLimits, StopRecursionThatIsNotATailCall) {
  for (const auto* source :
       {"def f: 1 + f; f", "def f: [f]; f", "def f: f | f; f", "def f: try f catch .; f", "def f(g): f(g | g); f(.)"}) {
    const std::string code = outcome(source, {.fuel = 1'000'000, .memory_bytes = 256 << 20});
    EXPECT_TRUE(code == "jq.fuel" || code == "jq.memory") << source << ": " << code;
  }
}

TEST(JqLimits, RunTailCallsInConstantSpace) {
  Limits limits;
  limits.memory_bytes = 1 << 20;  // a frame for each round would take more
  EXPECT_EQ(outcome("0 | def f: if . > 200000 then . else . + 1 | f end; f", limits), "ended");
  EXPECT_EQ(outcome("0 | until(. > 200000; . + 1)", limits), "ended");
  EXPECT_EQ(outcome("last(limit(100000; repeat(1)))", limits), "ended");
}

TEST(JqLimits, StopMemoryBombs) {
  for (const auto* source : {R"("x" * 1e9)", R"(reduce range(100) as $i ("x"; . + .))", "reduce range(100) as $i ([1]; . + .)",
                             "[range(1e7) | [range(10)]]", R"([limit(1e6; repeat("x" * 1000))] | map(. + "y"))",
                             R"jq([range(1e5) | "\(.)"] | [., ., ., ., ., ., ., ., ., .] | map(join("-----------------------")))jq",
                             ".[300000000] = 1", R"(("x" * 1000000) | gsub("x"; "yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy"))"}) {
    const std::string code = outcome(source, {.fuel = 3'000'000, .memory_bytes = 16 << 20});
    EXPECT_TRUE(code == "jq.memory" || code == "jq.fuel") << source << ": " << code;
  }
}

TEST(JqLimits, StopWorkOnSharedStructureThatIsExponential) {
  const std::string shared = "(reduce range(60) as $i (1; [., .]))";
  for (const std::string work :
       {"tojson", "flatten", "[..] | length", "tostring | length", "walk(.)", ". == [[1]] , ([., .] | .[0] == .[1] | empty)",
        "[paths] | length", "[leaf_paths] | length", "contains([[[]]])", "@json"}) {
    const std::string code = outcome(shared + " | " + work, small());
    EXPECT_TRUE(code == "jq.fuel" || code == "jq.memory" || code == "ended" || code == "jq.error") << work << ": " << code;
  }
  EXPECT_EQ(outcome(shared + " as $a | " + shared + " as $b | $a == $b", small()), "jq.fuel");
  EXPECT_EQ(outcome(shared + " as $a | " + shared + " as $b | [$a, $b] | sort", small()), "jq.fuel");
}

TEST(JqLimits, StopCatastrophicRegularExpressions) {
  EXPECT_EQ(outcome(R"(("a" * 60 + "!") | test("^(a+)+$"))"), "jq.error");
  EXPECT_EQ(outcome(R"(("a" * 60 + "!") | test("^(a|aa)+$"))"), "jq.error");
  EXPECT_EQ(outcome(R"(("x" * 300 + "!") | test("^x*x*x*x*x*x*x*x*$"))"), "jq.error");
  EXPECT_EQ(outcome(R"jq(try ("a" | test("(" * 5000 + "a" + ")" * 5000)) catch "refused")jq"), "ended");
  EXPECT_EQ(outcome(R"(try ("a" | test("((((a{1,1000}){1,1000}){1,1000}){1,1000}){1,1000}")) catch "refused")"), "ended");
}

TEST(JqLimits, RefuseSourcesThatAreNestedTooDeeply) {
  const auto nested = [](const char* open, const char* middle, const char* close, std::size_t count) {
    std::string source;
    for (std::size_t i = 0; i < count; ++i) source += open;
    source += middle;
    for (std::size_t i = 0; i < count; ++i) source += close;
    return source;
  };
  const std::pair<const char*, const char*> forms[] = {
      {"(", ")"},         {"[", "]"},         {"{a:", "}"},        {"-", ""},
      {"try ", ""},       {"\"\\(", ")\""},   {". as [", "] | ."}, {"if . then ", " end"},
      {"def f: ", "; f"}, {"1 as $x | ", ""}, {"label $x | ", ""}, {"reduce . as $x (", "; .)"},
      {".[", "]"},        {"1 // ", ""},      {"map(", ")"},       {". as {a:", "} | ."}};
  for (const auto& [open, close] : forms) {
    const std::string code = outcome(nested(open, "1", close, 20'000));
    EXPECT_EQ(code, "jq.syntax") << open;
  }
  EXPECT_EQ(outcome(nested("(", "1", ")", 200)), "ended");
  EXPECT_EQ(outcome("1" + nested(" + 1", "", "", 20'000)), "jq.syntax");
  EXPECT_EQ(outcome("1" + nested(" | .", "", "", 20'000)), "ended");
  const std::string unfinished = R"jq((((((((((([[[[[[[{{{{{{"\("\("\()jq";
  EXPECT_EQ(outcome(unfinished), "jq.syntax");
}

TEST(JqLimits, RefuseValuesThatAreNestedTooDeeply) {
  EXPECT_EQ(outcome("reduce range(20000) as $i (1; [.])"), "jq.error");
  EXPECT_EQ(outcome("reduce range(20000) as $i (1; [.]) | tojson | length"), "ended");
  EXPECT_EQ(outcome("reduce range(20000) as $i (1; {a: .}) | . * . | 1"), "jq.error");
  EXPECT_EQ(outcome("reduce range(20000) as $i (1; [.]) | [.. | numbers] | length"), "ended");
}

TEST(JqLimits, CannotBeCaught) {
  EXPECT_EQ(outcome("try repeat(.) catch 1", small()), "jq.fuel");
  EXPECT_EQ(outcome("[.[]?, (try (\"x\" * 1e9) catch 1)]"), "jq.memory");
}

TEST(JqLimits, CountOnlyWhatTheEvaluationItselfHolds) {
  const auto program = compile("[range(1000)] | length").value();
  Context context;
  context.limits.memory_bytes = 1 << 20;
  Evaluation first_one(program, json::Value(), context);
  const json::Value large = json::parse("[" + std::string(4 << 20, ' ') + "\"" + std::string(4 << 20, 'x') + "\"]").value();
  EXPECT_TRUE(first_one.next().has_value());
  EXPECT_EQ(large.size(), 1U);
}

}  // namespace
}  // namespace pawl::jq
