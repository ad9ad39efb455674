#include "base/trace_context.hpp"

#include <gtest/gtest.h>

namespace pawl {
namespace {

constexpr std::string_view kExample = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

TEST(TraceContext, S4_L1_ReadsWhatItWrites) {
  const auto context = parse_traceparent(kExample);
  ASSERT_TRUE(context);
  EXPECT_TRUE(context->kept);
  EXPECT_EQ(context->span, 0x00f067aa0ba902b7U);
  EXPECT_EQ(trace_id_text(*context), "4bf92f3577b34da6a3ce929d0e0e4736");
  EXPECT_EQ(to_traceparent(*context), kExample);
}

TEST(TraceContext, S4_L1_HonoursTheSamplingFlagAndIgnoresTheOthers) {
  EXPECT_FALSE(parse_traceparent("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00")->kept);
  EXPECT_TRUE(parse_traceparent("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-ff")->kept);
}

TEST(TraceContext, S4_L1_RefusesWhatIsMalformed) {
  for (const std::string_view text :
       {"", "00", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7", "00-4BF92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01", "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01x", "00_4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}) {
    EXPECT_FALSE(parse_traceparent(text)) << text;
  }
  EXPECT_TRUE(parse_traceparent("01-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-what-later-versions-add"));
}

TEST(TraceContext, ScopesNest) {
  const auto outer = *parse_traceparent(kExample);
  auto inner = outer;
  inner.span = 7;
  EXPECT_FALSE(current_trace());
  {
    const TraceScope first(outer);
    EXPECT_EQ(current_trace().span, outer.span);
    {
      const TraceScope second(inner);
      EXPECT_EQ(current_trace().span, 7U);
    }
    EXPECT_EQ(current_trace().span, outer.span);
  }
  EXPECT_FALSE(current_trace());
}

}  // namespace
}  // namespace pawl
