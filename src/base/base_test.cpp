#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <set>
#include <stdexcept>
#include <thread>
#include <vector>

#include "base/assert.hpp"
#include "base/error.hpp"
#include "base/ids.hpp"
#include "base/outage.hpp"
#include "base/time.hpp"
#include "base/utf8.hpp"

namespace pawl {
namespace {

struct CountingRandom final : Random {
  std::uint64_t value = 0x0123456789abcdefULL;
  std::uint64_t next() override { return value += 0x9e3779b97f4a7c15ULL; }
};

TEST(Uuid, VersionSevenSortsByTimeAndRoundTrips) {
  CountingRandom random;
  const auto earlier = make_uuid_v7(TimePoint{Millis{1000}}, random);
  const auto later = make_uuid_v7(TimePoint{Millis{2000}}, random);
  EXPECT_LT(earlier, later);
  EXPECT_EQ(earlier.to_string()[14], '7');
  EXPECT_EQ(Uuid::parse(later.to_string()), later);
}

TEST(Uuid, RefusesMalformedText) {
  for (const auto* text : {"", "0192", "0192f0c0-0000-7000-8000-00000000000g", "0192f0c0x0000-7000-8000-000000000000",
                           "0192f0c0-0000-7000-8000-0000000000000"}) {
    EXPECT_FALSE(Uuid::parse(text)) << text;
  }
}

TEST(Uuid, ReadsLettersOfEitherCase) {
  const auto id = Uuid::parse("0192F0C0-ABCD-7EF0-8000-00000000000a");
  ASSERT_TRUE(id);
  EXPECT_EQ(id->to_string(), "0192f0c0-abcd-7ef0-8000-00000000000a");
}

// Numbers are taken from the system in handfuls, of which each thread has its own: no two of any may be the same.
TEST(SystemRandom, GivesNoNumberTwiceAlsoToTwoThreads) {
  SystemRandom random;
  std::array<std::vector<std::uint64_t>, 2> drawn;
  std::array<std::thread, 2> threads;
  for (std::size_t i = 0; i < threads.size(); ++i) {
    threads[i] = std::thread([&random, &numbers = drawn[i]] {
      for (int n = 0; n < 1000; ++n) numbers.push_back(random.next());
    });
  }
  for (auto& thread : threads) thread.join();
  std::set<std::uint64_t> different(drawn[0].begin(), drawn[0].end());
  different.insert(drawn[1].begin(), drawn[1].end());
  EXPECT_EQ(different.size(), 2000U);
}

TEST(Utf8, KnowsWhatIsWellFormed) {
  for (const auto* text :
       {"", "plain", "\xc2\x80", "\xdf\xbf", "\xe0\xa0\x80", "\xed\x9f\xbf", "\xee\x80\x80", "\xf0\x90\x80\x80", "\xf4\x8f\xbf\xbf"}) {
    EXPECT_TRUE(is_utf8(text)) << text;
    EXPECT_EQ(to_utf8(text), text);
  }
  // Lone continuations, overlong forms, surrogates, beyond U+10FFFF, cut off.
  for (const auto* text : {"\x80", "\xbf", "\xc0\x80", "\xc1\xbf", "\xe0\x9f\xbf", "\xed\xa0\x80", "\xed\xbf\xbf", "\xf0\x8f\xbf\xbf",
                           "\xf4\x90\x80\x80", "\xf5\x80\x80\x80", "\xff", "\xc3", "\xe2\x82", "\xf0\x9f\x90", "\xc3(", "\xe2\x82("}) {
    EXPECT_FALSE(is_utf8(text)) << text;
    EXPECT_TRUE(is_utf8(to_utf8(text))) << text;
  }
  EXPECT_EQ(to_utf8("a\xff"
                    "b\xe2\x82"
                    "c"),
            "a\xEF\xBF\xBD"
            "b\xEF\xBF\xBD\xEF\xBF\xBD"
            "c");
}

TEST(Time, Rfc3339RoundTrips) {
  const auto time = parse_rfc3339("2026-11-22T10:47:01.5+01:00");
  ASSERT_TRUE(time);
  EXPECT_EQ(to_rfc3339(*time), "2026-11-22T09:47:01.500Z");
  EXPECT_EQ(to_rfc3339(TimePoint(Millis(-1))), "1969-12-31T23:59:59.999Z");
  EXPECT_EQ(to_rfc3339(TimePoint(Millis(253'402'300'799'007))), "9999-12-31T23:59:59.007Z");
  EXPECT_EQ(to_rfc3339(TimePoint(Millis(253'402'300'800'000))), "10000-01-01T00:00:00.000Z");
}

TEST(Time, RefusesWhatIsNotADate) {
  for (const auto* text :
       {"", "2026-11-22", "2026-13-22T10:47:01Z", "2026-02-30T10:47:01Z", "2026-11-22T10:47:01", "2026-11-22T25:47:01Z",
        "2026-11-22T10:47:01.5", "2026-11-22T10:47:01.Z", "2026-11-22T10:47:01ZZ", "2026-11-22T10:47:01+0", "2026-11-22T10:47:01+24:00",
        "2026-11-22T10:47:01+01:60", "2026-11-22T10:47:01+01-00", "2026-11-22T10:47:01 01:00", "2O26-11-22T10:47:01Z"}) {
    EXPECT_FALSE(parse_rfc3339(text)) << text;
  }
}

TEST(SystemClock, ShowsTheTimeOfTheSystemInWholeMilliseconds) {
  const auto before = std::chrono::floor<Millis>(std::chrono::system_clock::now());
  const auto now = SystemClock().now();
  EXPECT_LE(before, now);
  EXPECT_LE(now, std::chrono::system_clock::now());
}

TEST(Time, ReadsIsoDurations) {
  EXPECT_EQ(parse_iso8601_duration("PT1H30M"), Millis{5400000});
  EXPECT_EQ(parse_iso8601_duration("P1DT0.5S"), Millis{86400500});
  EXPECT_EQ(parse_iso8601_duration("P2W"), Millis{14 * 86400000LL});
  for (const auto* text : {"", "P", "PT", "1H", "PT1", "P1S", "PT1M1H", "PT-1S", "P99999999999999Y"}) {
    EXPECT_FALSE(parse_iso8601_duration(text)) << text;
  }
}

TEST(Outage, BeginsWithTheFirstFailureAfterASuccess) {
  Outage outage;
  const std::pair<bool, bool> tries[] = {{false, false}, {true, true}, {true, false}, {true, false}, {false, false}, {true, true}};
  for (const auto& [failed, begins] : tries) EXPECT_EQ(outage.begins(failed), begins);
}

TEST(ErrorClass, EveryClassHasItsStatusAndATitleOfItsOwn) {
  const std::vector<std::pair<ErrorClass, int>> classes{
      {ErrorClass::invalid, 400},     {ErrorClass::unprocessable, 422}, {ErrorClass::unauthenticated, 401}, {ErrorClass::denied, 403},
      {ErrorClass::not_found, 404},   {ErrorClass::method, 405},        {ErrorClass::conflict, 409},        {ErrorClass::too_large, 413},
      {ErrorClass::unsupported, 415}, {ErrorClass::limited, 429},       {ErrorClass::internal, 500},        {ErrorClass::unavailable, 503},
      {ErrorClass::timeout, 504}};
  std::set<std::string_view> titles;
  for (const auto& [kind, status] : classes) {
    EXPECT_EQ(http_status(kind), status);
    EXPECT_TRUE(titles.insert(title_of(kind)).second) << title_of(kind);
  }
}

TEST(Findings, WarningsAloneSpeakAgainstNothing) {
  Finding finding;
  finding.severity = Severity::warning;
  Checked<int> checked{7, {finding}};
  EXPECT_TRUE(checked.ok());
  finding.severity = Severity::error;
  checked.findings.push_back(finding);
  EXPECT_FALSE(checked.ok());
  EXPECT_FALSE((Checked<int>{{}, {}}.ok()));
}

TEST(Result, ToAskAFailedOneForItsValueIsABugThatNamesTheError) {
  const Result<int> failed = Error(ErrorClass::conflict, "test.code", "a sentence");
  try {
    static_cast<void>(failed.value());
    FAIL() << "it has none";
  } catch (const std::logic_error& bug) {
    EXPECT_NE(std::string(bug.what()).find("test.code: a sentence"), std::string::npos) << bug.what();
  }
}

TEST(AssertDeathTest, ABrokenInvariantEndsTheProcessAndSaysWhich) {
  EXPECT_DEATH(PAWL_ASSERT(1 + 1 == 3, "sums are right"), "broken invariant: sums are right \\(1 \\+ 1 == 3\\) at .*base_test.cpp");
}

}  // namespace
}  // namespace pawl
