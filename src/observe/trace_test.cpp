#include "observe/trace.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <condition_variable>
#include <mutex>

#include "json/parse.hpp"
#include "json/write.hpp"

namespace pawl::observe {
namespace {

Span span(std::uint8_t trace, SpanId id) {
  Span made;
  made.trace.fill(trace);
  made.id = id;
  made.name = "work";
  made.begin = std::chrono::seconds(1'700'000'000);
  made.end = made.begin + std::chrono::milliseconds(5);
  return made;
}

/// A collector that answers when it is told to.
class Collector {
 public:
  Tracer::Send send() {
    return [this](std::string body, std::function<void(Result<void>)> done) {
      const std::lock_guard lock(mutex_);
      bodies_.push_back(std::move(body));
      if (fails) {
        done(Error(ErrorClass::unavailable, "test.down", "nobody is there"));
      } else {
        done({});
      }
      changed_.notify_all();
    };
  }
  json::Value body(std::size_t number) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return bodies_.size() > number; });
    return json::parse(bodies_[number]).value();
  }
  bool fails = false;

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::string> bodies_;
};

TracerOptions quick() {
  TracerOptions options;
  options.resource = {{"service.name", json::Value("pawl")}};
  options.linger = Millis(0);
  return options;
}

TEST(Trace, S4_L1_IsWrittenAsOtlpHasIt) {
  auto child = span(0xab, 2);
  child.parent = 1;
  child.failed = true;
  child.kind = Span::Kind::client;
  child.attributes = {{"a", json::Value("x")},
                      {"b", json::Value(7)},
                      {"c", json::Value(true)},
                      {"d", json::Value(0.5)},
                      {"e", json::Value::array({"stop"})}};
  const std::vector<Span> spans{span(0xab, 1), child};
  const auto text = json::parse(otlp_text(spans, {{"service.name", json::Value("pawl")}})).value();
  const auto& resource = text.get("resourceSpans").at(0);
  EXPECT_EQ(resource.get("resource").get("attributes").at(0).get("value").get("stringValue"), json::Value("pawl"));
  const auto& list = resource.get("scopeSpans").at(0).get("spans");
  ASSERT_EQ(list.size(), 2U);
  EXPECT_EQ(list.at(0).get("traceId"), json::Value("abababababababababababababababab"));
  EXPECT_EQ(list.at(0).get("spanId"), json::Value("0000000000000001"));
  EXPECT_EQ(list.at(0).find("parentSpanId"), nullptr);
  EXPECT_EQ(list.at(1).get("parentSpanId"), json::Value("0000000000000001"));
  EXPECT_EQ(list.at(1).get("kind"), json::Value(3));
  EXPECT_EQ(list.at(1).get("status").get("code"), json::Value(2));
  EXPECT_EQ(list.at(1).get("startTimeUnixNano"), json::Value("1700000000000000000"));
  EXPECT_EQ(list.at(1).get("endTimeUnixNano"), json::Value("1700000000005000000"));
  EXPECT_EQ(list.at(1).get("attributes").at(1).get("value").get("intValue"), json::Value("7")) << "64-bit integers are text";
  EXPECT_EQ(json::to_text(list.at(1).get("attributes").at(4).get("value")), R"({"arrayValue":{"values":[{"stringValue":"stop"}]}})");
}

TEST(Trace, S4_L1_GoesToTheCollectorInBatches) {
  Collector collector;
  {
    Tracer tracer(quick(), collector.send(), {});
    for (SpanId id = 1; id <= 10; ++id) tracer.record(span(1, id));
  }
  std::size_t count = 0;
  for (std::size_t body = 0; count < 10; ++body) {
    count += collector.body(body).get("resourceSpans").at(0).get("scopeSpans").at(0).get("spans").size();
  }
  EXPECT_EQ(count, 10U) << "also what waited at the end";
}

TEST(Trace, S4_L1_ACollectorThatIsDownCostsSpansAndIsReportedOnce) {
  Collector collector;
  collector.fails = true;
  int reports = 0;
  {
    Tracer tracer(quick(), collector.send(), [&](const Error& error, std::size_t) {
      EXPECT_EQ(error.code, "test.down");
      ++reports;
    });
    tracer.record(span(1, 1));
    static_cast<void>(collector.body(0));
    tracer.record(span(1, 2));
  }
  EXPECT_EQ(reports, 1);
}

TEST(Trace, S4_L1_IsBoundedAndNeverBlocks) {
  auto options = quick();
  options.max_waiting = 4;
  options.stop_patience = Millis(0);
  std::function<void(Result<void>)> kept;
  std::mutex mutex;
  std::condition_variable begun;
  Tracer tracer(options,
                [&](const std::string&, std::function<void(Result<void>)> done) {
                  const std::lock_guard lock(mutex);
                  kept = std::move(done);
                  begun.notify_all();
                },
                {});
  tracer.record(span(1, 1));
  {
    std::unique_lock lock(mutex);
    begun.wait(lock, [&] { return kept != nullptr; });
  }
  for (SpanId id = 2; id <= 20; ++id) tracer.record(span(1, id));
  EXPECT_EQ(tracer.statistics().dropped, 15U);
}

TEST(Trace, S4_L1_IsBoundedInBytes) {
  auto options = quick();
  options.max_waiting_bytes = 10'000;
  options.max_batch_bytes = 2'500;
  options.stop_patience = Millis(0);
  const auto heavy = [](SpanId id, std::size_t bytes) {
    auto made = span(1, id);
    made.attributes = {{"x", json::Value(std::string(bytes, 'x'))}};
    return made;
  };
  std::function<void(Result<void>)> kept;
  std::vector<std::size_t> sizes;
  std::mutex mutex;
  std::condition_variable begun;
  Tracer tracer(options,
                [&](const std::string& body, std::function<void(Result<void>)> done) {
                  const std::lock_guard lock(mutex);
                  sizes.push_back(json::parse(body)->get("resourceSpans").at(0).get("scopeSpans").at(0).get("spans").size());
                  kept = std::move(done);
                  begun.notify_all();
                },
                {});
  const auto wait_for = [&](std::size_t count) {
    std::unique_lock lock(mutex);
    begun.wait(lock, [&] { return sizes.size() == count && kept != nullptr; });
    return std::exchange(kept, nullptr);
  };
  tracer.record(heavy(1, 9'000));  // more than a request should have, and alone in one
  auto done = wait_for(1);
  for (SpanId id = 2; id <= 20; ++id) tracer.record(heavy(id, 999));
  EXPECT_EQ(tracer.statistics().dropped, 9U) << "ten of a thousand bytes wait";
  done({});
  wait_for(2)({});
  done = wait_for(3);
  EXPECT_EQ(sizes, (std::vector<std::size_t>{1, 2, 2}));
  tracer.record(heavy(21, 999));
  EXPECT_EQ(tracer.statistics().dropped, 9U) << "there is room again";
  done({});
}

TEST(Trace, S4_L1_KeepsAShareOfTheTracesByTheirId) {
  auto options = quick();
  options.ratio = 0.25;
  Collector collector;
  const Tracer tracer(options, collector.send(), {});
  int kept = 0;
  for (int i = 0; i < 4000; ++i) {
    TraceId trace{};
    trace[8] = static_cast<std::uint8_t>(i);
    trace[9] = static_cast<std::uint8_t>(i >> 8);
    trace[14] = static_cast<std::uint8_t>(i * 7);
    EXPECT_EQ(tracer.keeps(trace), tracer.keeps(trace));
    kept += tracer.keeps(trace) ? 1 : 0;
  }
  EXPECT_GT(kept, 700);
  EXPECT_LT(kept, 1300);
}

}  // namespace
}  // namespace pawl::observe
