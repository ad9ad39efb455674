#include "engine/codec.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "engine/records.hpp"
#include "json/parse.hpp"
#include "json/write.hpp"

namespace pawl::engine {
namespace {

json::Value parsed(std::string_view text) { return json::parse(text).value(); }

json::Value there_and_back(const json::Value& value) {
  std::string bytes;
  Encoder(bytes).value(value);
  Decoder in(bytes);
  auto result = in.value();
  EXPECT_FALSE(in.failed());
  EXPECT_TRUE(in.at_end());
  return result;
}

TEST(Codec, KeepsEveryJsonValue) {
  const std::string long_text(70, 'x');
  for (const std::string text :
       {"null", "true", "false", "0", "63", "64", "-1", "9223372036854775807", "-9223372036854775808", "1.5", "-0.25", "1e300", "\"\"",
        "\"é\\u0000\"", "[]", "{}", "[1,[2,[3,{\"a\":[]}]]]", "[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17]",
        "{\"a\":1,\"b\":2,\"c\":3,\"d\":4,\"e\":5,\"f\":6,\"g\":7,\"h\":8,\"i\":9,\"j\":10,\"k\":11,\"l\":12,\"m\":13,\"n\":14,\"o\":15,"
        "\"p\":16,\"q\":17}"}) {
    const auto value = parsed(text);
    EXPECT_EQ(json::to_text(there_and_back(value)), json::to_text(value)) << text;
  }
  EXPECT_EQ(there_and_back(json::Value(long_text)).as_string(), long_text);
  EXPECT_EQ(json::to_text(there_and_back(json::Value::object({{long_text, 1}}))), json::to_text(json::Value::object({{long_text, 1}})));
}

TEST(Codec, WritesSmallValuesInAByte) {
  std::string bytes;
  Encoder(bytes).value(parsed(R"({"n":7})"));
  EXPECT_EQ(bytes.size(), 4U);
}

std::vector<Event> every_kind_of_event() {
  const TimePoint start(Millis(1'700'000'000'000));
  const std::vector<LogLine> logs{{start + Millis(3), "info", "hello"}, {start - Millis(2), "error", ""}};
  std::vector<Event> events;
  events.push_back({start, RunStarted{parsed(R"({"a":[1,2]})")}});
  events.push_back({start, EffectBegun{300}});
  events.push_back({start + Millis(14), EffectSucceeded{1, "done", {}}});
  events.push_back({start + Millis(29), EffectSucceeded{2, {}, logs}});
  events.push_back({start + Millis(45), EffectFailed{3, parsed(R"({"type":"x","status":500})"), {}}});
  events.push_back({start + Millis(45), EffectFailed{3, {}, logs}});
  events.push_back({start + std::chrono::hours(24 * 365), TimerFired{9}});
  events.push_back({start + std::chrono::hours(24 * 365), MessageArrived{parsed(R"({"id":"1"})")}});
  events.push_back({start + std::chrono::hours(24 * 366), CancelRequested{"because"}});
  events.push_back({start + std::chrono::hours(24 * 366), SuspendRequested{}});
  events.push_back({start + std::chrono::hours(24 * 366), EffectInterrupted{7}});
  events.push_back({start + std::chrono::hours(24 * 366), ApprovalDecided{3, true, "ann", "fine", json::Value::object({{"amount", 5}})}});
  events.push_back({start + std::chrono::hours(24 * 366), ResumeRequested{}});
  events.push_back({start + std::chrono::hours(24 * 366), RetryRequested{"/do/0/a", {}}});
  events.push_back({start + std::chrono::hours(24 * 366), RetryRequested{"", json::Value(1)}});
  events.push_back({start + std::chrono::hours(24 * 366), CancelRequested{"replaced", false}});
  events.push_back({start + std::chrono::hours(24 * 366), RunStarted{json::Value("old"), 0}});
  events.push_back({start + std::chrono::hours(24 * 366), RunQueued{json::Value("new")}});
  events.push_back({start + std::chrono::hours(24 * 366), RunQueued{json::Value("old"), 0}});
  return events;
}

std::string encoded(const std::vector<Event>& events) {
  std::string bytes;
  auto at = events.front().at;
  for (const auto& event : events) Encoder(bytes).event(event, at);
  return bytes;
}

TEST(Codec, KeepsEveryKindOfEvent) {
  const auto events = every_kind_of_event();
  const auto bytes = encoded(events);
  Decoder in(bytes);
  auto at = events.front().at;
  for (const auto& expected : events) {
    const auto event = in.event(at);
    ASSERT_FALSE(in.failed());
    EXPECT_EQ(event.at, expected.at);
    EXPECT_EQ(event.body.index(), expected.body.index());
  }
  EXPECT_TRUE(in.at_end());
  // What is read writes the same bytes again: nothing was lost.
  Decoder again(bytes);
  std::vector<Event> read;
  at = events.front().at;
  while (!again.at_end()) read.push_back(again.event(at));
  EXPECT_EQ(encoded(read), bytes);
}

TEST(Codec, ATypicalAnswerTakesFewBytes) {
  std::string bytes;
  TimePoint at(Millis(5));
  Encoder(bytes).event({TimePoint(Millis(9)), EffectSucceeded{7, json::Value(3), {}}}, at);
  EXPECT_EQ(bytes.size(), 3U);
}

TEST(Codec, DamagedBytesAreAnErrorAndNothingWorse) {
  const auto bytes = encoded(every_kind_of_event());
  const auto read_all = [](std::string_view text) {
    Decoder in(text);
    TimePoint at(Millis(1'700'000'000'000));
    for (int i = 0; i < 10'000 && !in.at_end() && !in.failed(); ++i) static_cast<void>(in.event(at));
  };
  for (std::size_t length = 0; length < bytes.size(); ++length) read_all(std::string_view(bytes).substr(0, length));
  std::mt19937 random(7);  // NOLINT: repeatable
  for (int round = 0; round < 20'000; ++round) {
    auto damaged_bytes = bytes;
    for (int i = 0; i < 3; ++i) damaged_bytes[random() % damaged_bytes.size()] = static_cast<char>(random());
    read_all(damaged_bytes);
  }
  const std::string arrays_in_arrays(50'000, '\x81');
  Decoder deep(arrays_in_arrays);
  static_cast<void>(deep.value());
  EXPECT_TRUE(deep.failed());
}

TEST(Records, GoThereAndBack) {
  const History history{json::Value::object({{"type", "manual"}}), json::Value("result"), "snapshot", std::string(5000, 'e')};
  const auto bytes = encode_history(history);
  EXPECT_LT(bytes.size(), 200U);  // compressed
  const auto read = decode_history(bytes);
  ASSERT_TRUE(read.has_value());
  EXPECT_EQ(read->trigger, history.trigger);
  EXPECT_EQ(read->result, history.result);
  EXPECT_EQ(read->snapshot, history.snapshot);
  EXPECT_EQ(read->events, history.events);

  const auto snapshot = decode_snapshot(encode_snapshot({7, TimePoint(Millis(99)), json::Value(1), json::Value("state")}));
  ASSERT_TRUE(snapshot.has_value());
  EXPECT_EQ(snapshot->updates, 7U);
  EXPECT_EQ(snapshot->at, TimePoint(Millis(99)));
  EXPECT_EQ(snapshot->data, json::Value("state"));

  const auto beginning = decode_beginning(encode_beginning(json::Value("t"), "events"));
  ASSERT_TRUE(beginning.has_value());
  EXPECT_EQ(beginning->events, "events");
  EXPECT_EQ(decode_journal(encode_journal("abc")).value(), "abc");
}

TEST(Records, UnknownVersionsAreRefused) {
  EXPECT_EQ(decode_history("\x63\x00 abc").error().code, "journal.damaged");
  EXPECT_EQ(decode_journal("\x63").error().code, "journal.damaged");
  EXPECT_EQ(decode_history("").error().code, "journal.damaged");
  EXPECT_EQ(decode_snapshot("\x01\x01garbage").error().code, "journal.damaged");
}

TEST(Records, KeysOfRunsAreInTheOrderOfIds) {
  SystemRandom random;
  auto before = RunId::make(TimePoint(Millis(1'790'000'000'000 - 1)), random);
  for (int millis = 0; millis < 1000; ++millis) {
    const auto id = RunId::make(TimePoint(Millis(1'790'000'000'000 + millis)), random);
    EXPECT_LT(run_key(before), run_key(id));
    before = id;
  }
}

}  // namespace
}  // namespace pawl::engine
