// Figures of an organization for its dashboard.
#include <algorithm>
#include <array>

#include "api/body.hpp"
#include "api/detail/context.hpp"
#include "api/json_writer.hpp"
#include "api/routes/theme.hpp"
#include "engine/run_statistics.hpp"

namespace pawl::api::detail {
namespace {

using engine::Phase;
using std::chrono::hours;
using std::chrono::minutes;

struct Span {
  std::string_view name;
  Millis slice;
  std::uint32_t slices;
};
constexpr std::array kSpans{Span{"1h", minutes(1), 60}, Span{"24h", minutes(30), 48}, Span{"7d", hours(4), 42}, Span{"30d", hours(24), 30}};
constexpr std::string_view kDefaultSpan = "24h";

/// The slices end with the one that the present belongs to.
engine::Window window_of(const Span& span, TimePoint now) {
  const auto length = span.slice.count();
  const TimePoint current(Millis(now.time_since_epoch().count() / length * length));
  return {.since = current - span.slice * (span.slices - 1), .slice = span.slice, .slices = span.slices};
}

void append_ended(ObjectWriter& object, const engine::RunStatistics::Counts& counts) {
  for (const auto phase : {Phase::completed, Phase::faulted, Phase::cancelled}) {
    object.integer(engine::to_text(phase), static_cast<std::int64_t>(counts[static_cast<std::size_t>(phase)]));
  }
}

void append_times(std::string& out, const engine::RunTimes& times) {
  ObjectWriter object(out);
  const auto write = [&object](std::string_view name, std::optional<Millis> time) {
    if (time) return object.integer(name, time->count());
    object.null(name);
  };
  object.integer("runs", static_cast<std::int64_t>(times.runs));
  write("p50_ms", times.p50);
  write("p95_ms", times.p95);
  write("p99_ms", times.p99);
}

void append_statistics(std::string& out, const Span& span, const engine::Window& window, const engine::RunStatistics& statistics) {
  ObjectWriter object(out);
  object.text("window", span.name);
  object.time("since", window.since);
  object.time("until", window.until());
  object.integer("slice_seconds", window.slice.count() / 1000);
  {
    ObjectWriter open(object.raw("open"));
    for (const auto phase : {Phase::pending, Phase::running, Phase::waiting, Phase::suspended}) {
      open.integer(engine::to_text(phase), static_cast<std::int64_t>(statistics.open[static_cast<std::size_t>(phase)]));
    }
  }
  {
    ObjectWriter ended(object.raw("ended"));
    append_ended(ended, statistics.ended);
  }
  append_times(object.raw("times"), statistics.times);
  append_array(object.raw("slices"), statistics.slices, [&out](const engine::RunStatistics::Slice& slice) {
    ObjectWriter item(out);
    item.time("at", slice.at);
    append_ended(item, slice.ended);
    append_times(item.raw("times"), slice.times);
  });
}

void get_stats(Context& context, Call call) {
  Query query(call.request);
  const auto name = query.text("window").value_or(kDefaultSpan);
  const auto* span = std::ranges::find(kSpans, name, &Span::name);
  if (span == kSpans.end()) query.problem("window", "must be 1h, 24h, 7d or 30d");
  PAWL_API_CHECK(query.finish());
  const auto window = window_of(*span, context.d.clock.now());
  PAWL_API_TRY(statistics, engine::run_statistics(context.d.database, call.organization, window));
  std::string out;
  append_statistics(out, *span, window, statistics);
  call.reply(200, std::move(out));
}

// ---- rows -----------------------------------------------------------------------------------------------------------------------

Shape times_shape() {
  const auto time = [](std::int64_t example) { return Shape::integer(example).or_null(); };
  return Shape::object("RunTimes", {{"runs", Shape::integer(120).described("That the times are made of: the newest of the window.")},
                                    {"p50_ms", time(180)},
                                    {"p95_ms", time(950)},
                                    {"p99_ms", time(2400)}});
}

std::vector<Shape::Member> ended_members() {
  return {{"completed", Shape::integer(120)}, {"faulted", Shape::integer(3)}, {"cancelled", Shape::integer(1)}};
}

Shape stats_shape() {
  auto slice = ended_members();
  slice.insert(slice.begin(), {"at", Shape::time()});
  slice.push_back({"times", times_shape()});
  return Shape::object("RunStatistics", {{"window", Shape::choice({"1h", "24h", "7d", "30d"})},
                                         {"since", Shape::time()},
                                         {"until", Shape::time()},
                                         {"slice_seconds", Shape::integer(1800, 1)},
                                         {"open", Shape::object("OpenRuns", {{"pending", Shape::integer(0)},
                                                                             {"running", Shape::integer(4)},
                                                                             {"waiting", Shape::integer(2)},
                                                                             {"suspended", Shape::integer(0)}})},
                                         {"ended", Shape::object("EndedRuns", ended_members())},
                                         {"times", times_shape()},
                                         {"slices", Shape::array(Shape::object("RunStatisticsSlice", std::move(slice)))}});
}

}  // namespace

std::vector<Route> stats_routes() {
  return {{.method = http::Method::get,
           .path = "/api/stats",
           .id = "getStatistics",
           .tag = "runs",
           .summary = "Figures of the runs of a window",
           .permission = Permission::read,
           .handler = get_stats,
           .runs = Runs::pool,
           .query = {{"window", Shape::choice({"24h", "1h", "7d", "30d"}), "How far back."}},
           .reply = stats_shape(),
           .description = "By the time of their creation, without dry runs. `open` is what is open now; `times` of completed runs, from "
                          "creation to end."}};
}

}  // namespace pawl::api::detail
