#include <gtest/gtest.h>

#include "bench/bench.hpp"
#include "bench/load_client.hpp"

namespace pawl::bench {
namespace {

TEST(LoadResult, PercentilesAreTakenFromTheSortedLatencies) {
  LoadResult result;
  for (std::uint32_t i = 1; i <= 100; ++i) result.latencies_us.push_back(i * 1000);
  EXPECT_DOUBLE_EQ(result.percentile_ms(0), 1);
  EXPECT_DOUBLE_EQ(result.percentile_ms(0.5), 50);
  EXPECT_DOUBLE_EQ(result.percentile_ms(1), 100);
  EXPECT_DOUBLE_EQ(LoadResult{}.percentile_ms(0.5), 0);
}

// proves: S4-L5
TEST(Figures, TheTableSaysWhichTargetsAreMissed) {
  const std::vector<Figure> figures{{"noop", "fast enough", 30, "/s", 20}, {"noop", "too slow", 3, "ms", 2, false, "", 0}};
  const auto table = to_table(figures);
  EXPECT_NE(table.find(">= 20 met"), std::string::npos) << table;
  EXPECT_NE(table.find("<= 2 MISSED"), std::string::npos) << table;
  EXPECT_FALSE(to_json(figures).at(1).get("met").as_bool());
}

TEST(RunLoad, SaysThatNobodyListens) {
  const auto result = run_load({.port = 1, .request = make_request("GET", "/", "", ""), .requests = 1});
  ASSERT_TRUE(result.has_error());
  EXPECT_EQ(result.error().code, "bench.connection");
}

TEST(RunBenchmarks, RefusesAnUnknownName) {
  BenchOptions options;
  options.name = "no-such-benchmark";
  EXPECT_EQ(run_benchmarks(options).error().code, "bench.unknown");
}

}  // namespace
}  // namespace pawl::bench
