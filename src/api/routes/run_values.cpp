#include "api/routes/run_values.hpp"

#include <algorithm>
#include <charconv>

#include "api/body.hpp"
#include "api/detail/render.hpp"
#include "api/detail/shown.hpp"
#include "api/json_writer.hpp"
#include "json/pointer.hpp"
#include "json/size.hpp"

namespace pawl::api::detail {
namespace {

using Task = engine::RunView::TaskView;

constexpr std::int64_t kMostBytes = 64 << 20;
constexpr std::int64_t kUsualBytes = 64 << 10;
/// A reply holds as many values of the size that was asked for; beyond them only small ones.
constexpr std::size_t kFullValues = 64;
constexpr std::size_t kSmall = 1024;
constexpr std::size_t kMemberBytes = 2048;
constexpr std::int64_t kMostMembers = 1000;

std::optional<std::int64_t> read_integer(Query& query, std::string_view name, std::int64_t most) {
  const auto text = query.text(name);
  if (!text) return std::nullopt;
  std::int64_t number = -1;
  const auto [end, failed] = std::from_chars(text->data(), text->data() + text->size(), number);
  if (failed == std::errc{} && end == text->data() + text->size() && number >= 0 && number <= most) return number;
  query.problem(name, "must be an integer from 0 to " + std::to_string(most));
  return std::nullopt;
}

// ---- a run without large values -------------------------------------------------------------------------------------------------

class Thinner {
 public:
  explicit Thinner(std::size_t most) : most_(most), left_(most * kFullValues) {}
  /// Takes the value out where it is too large, and says how large it was.
  std::size_t take(json::Value& value) {
    const auto limit = left_ >= most_ ? most_ : std::min(most_, std::max(left_, kSmall));
    if (json::larger_than(value, limit)) {
      const auto size = json::rough_size(value);
      value = {};
      return size;
    }
    left_ -= std::min(left_, json::rough_size(value));
    return 0;
  }

 private:
  std::size_t most_;
  std::size_t left_;
};

RunLeftOut thin(engine::RunView& run, std::size_t most) {
  Thinner thinner(most);
  RunLeftOut left_out;
  left_out.run = {thinner.take(run.input), thinner.take(run.output), thinner.take(run.error)};
  left_out.tasks.reserve(run.tasks.size());
  for (auto& task : run.tasks) {
    auto& record = task.record;
    left_out.tasks.push_back({thinner.take(record.input), thinner.take(record.output), thinner.take(record.error)});
  }
  return left_out;
}

// ---- one value ------------------------------------------------------------------------------------------------------------------

struct Wanted {
  std::string task;  ///< empty: the run's own
  std::vector<std::uint32_t> iteration;
  std::optional<std::int64_t> nth;
  std::string of;
  std::string pointer;
  std::size_t max_value = kUsualBytes;
  std::size_t offset = 0;
  std::size_t limit = kMostMembers;
};

std::vector<std::uint32_t> read_iteration(Query& query) {
  std::vector<std::uint32_t> rounds;
  auto text = query.text("iteration").value_or("");
  while (!text.empty()) {
    const auto part = text.substr(0, text.find(','));
    std::uint32_t round = 0;
    const auto [end, failed] = std::from_chars(part.data(), part.data() + part.size(), round);
    if (part.empty() || failed != std::errc{} || end != part.data() + part.size()) {
      query.problem("iteration", "must be numbers with commas between them, as in `0,2`");
      return {};
    }
    rounds.push_back(round);
    text.remove_prefix(std::min(text.size(), part.size() + 1));
  }
  return rounds;
}

Result<Wanted> read_wanted(const http::Request& request) {
  Query query(request);
  Wanted wanted;
  wanted.of = query.text("of").value_or("");
  if (wanted.of != "input" && wanted.of != "output" && wanted.of != "error") query.problem("of", "must be input, output or error");
  wanted.task = query.text("task").value_or("");
  wanted.iteration = read_iteration(query);
  wanted.nth = read_integer(query, "nth", INT32_MAX);
  wanted.pointer = query.text("pointer").value_or("");
  wanted.max_value = static_cast<std::size_t>(read_integer(query, "max_value", kMostBytes).value_or(kUsualBytes));
  wanted.offset = static_cast<std::size_t>(read_integer(query, "offset", INT32_MAX).value_or(0));
  wanted.limit = static_cast<std::size_t>(read_integer(query, "limit", kMostMembers).value_or(kMostMembers));
  if (const auto problem = query.finish()) return *problem;
  return wanted;
}

/// Of several runs of the task in the same round the one that was asked for, else the last.
const Task* find_task(const engine::RunView& run, const Wanted& wanted) {
  const Task* found = nullptr;
  std::int64_t number = 0;
  for (const auto& task : run.tasks) {
    if (task.reference != wanted.task || task.record.iteration != wanted.iteration) continue;
    found = &task;
    if (wanted.nth == number++) return found;
  }
  return wanted.nth ? nullptr : found;
}

Result<json::Value> find_value(const engine::RunView& run, const Wanted& wanted) {
  const auto pick = [&](const json::Value& input, const json::Value& output, const json::Value& error) {
    return wanted.of == "input" ? &input : wanted.of == "output" ? &output : &error;
  };
  const auto* const task = wanted.task.empty() ? nullptr : find_task(run, wanted);
  if (!wanted.task.empty() && task == nullptr) {
    return Error(ErrorClass::not_found, "run.unknown_task", "The run has no record of this task and iteration.");
  }
  const auto* const whole =
      task == nullptr ? pick(run.input, run.output, run.error) : pick(task->record.input, task->record.output, task->record.error);
  const auto* const value = json::resolve(*whole, wanted.pointer);
  if (value == nullptr) return Error(ErrorClass::not_found, "run.no_value", "There is nothing at this place of the value.");
  return *value;
}

std::string_view kind_of(const json::Value& value) {
  switch (value.kind()) {
    case json::Kind::null: return "null";
    case json::Kind::boolean: return "boolean";
    case json::Kind::integer:
    case json::Kind::number: return "number";
    case json::Kind::string: return "string";
    case json::Kind::array: return "array";
    case json::Kind::object: return "object";
  }
  return "null";
}

void write_value(ObjectWriter& object, const Context& context, const json::Value& value, std::size_t most) {
  object.text("kind", kind_of(value));
  object.integer("size", static_cast<std::int64_t>(value.size()));
  object.integer("bytes", static_cast<std::int64_t>(json::rough_size(value)));
  if (!json::larger_than(value, most)) object.value("value", shown(context, value));
}

void write_members(ObjectWriter& object, std::string& out, const Context& context, const json::Value& value, const Wanted& wanted) {
  const auto first = std::min(wanted.offset, value.size());
  const auto count = std::min(wanted.limit, value.size() - first);
  if (value.is_object()) {
    append_array(object.raw("members"), value.members().subspan(first, count), [&](const json::Member& member) {
      ObjectWriter item(out);
      item.value("name", shown(context, member.key));
      write_value(item, context, member.value, kMemberBytes);
    });
  } else {
    append_array(object.raw("members"), value.items().subspan(first, count), [&](const json::Value& member) {
      ObjectWriter item(out);
      write_value(item, context, member, kMemberBytes);
    });
  }
  if (first + count < value.size()) object.integer("next_offset", static_cast<std::int64_t>(first + count));
}

std::vector<Shape::Member> value_members() {
  return {{"kind", Shape::choice({"null", "boolean", "number", "string", "array", "object"})},
          {"size", Shape::integer(1).described("Items of an array, members of an object, bytes of a text.")},
          {"bytes", Shape::integer(17).described("About how much JSON it is.")},
          {"value", Shape::any(json::Value::object({{"text", "Hello"}})).described("Left out where it is larger than asked for."),
           Shape::kOptional}};
}

Parameter max_value_parameter(std::string_view description) {
  return {"max_value", Shape::integer(kUsualBytes, 0, kMostBytes), description};
}

}  // namespace

void get_run(Context& context, Call call) {
  PAWL_API_TRY(id, run_id(call.request));
  Query query(call.request);
  const auto most = read_integer(query, "max_value", kMostBytes);
  PAWL_API_CHECK(query.finish());
  const auto shared = std::make_shared<Call>(std::move(call));
  context.d.engine.view(shared->organization, id, true, [&context, shared, most](Result<engine::RunView> view) {
    if (view.has_error()) return shared->fail(view.error());
    RunLeftOut left_out;
    // What is left out need not be looked through for secrets.
    if (most) left_out = thin(*view, static_cast<std::size_t>(*most));
    std::string out;
    append_run(out, shown(context, std::move(*view)), left_out);
    shared->reply(200, std::move(out));
  });
}

void get_run_value(Context& context, Call call) {
  PAWL_API_TRY(id, run_id(call.request));
  PAWL_API_TRY(wanted, read_wanted(call.request));
  const auto shared = std::make_shared<Call>(std::move(call));
  const bool of_task = !wanted.task.empty();
  context.d.engine.view(shared->organization, id, of_task, [&context, shared, wanted](Result<engine::RunView> view) {
    if (view.has_error()) return shared->fail(view.error());
    const auto value = find_value(*view, wanted);
    if (value.has_error()) return shared->fail(value.error());
    std::string out;
    {
      ObjectWriter object(out);
      write_value(object, context, *value, wanted.max_value);
      const bool is_whole = !json::larger_than(*value, wanted.max_value);
      if (!is_whole && (value->is_object() || value->is_array())) write_members(object, out, context, *value, wanted);
    }
    shared->reply(200, std::move(out));
  });
}

std::vector<Parameter> run_parameters() {
  return {
      max_value_parameter("Leave out inputs, outputs and errors that are larger than about so many bytes of JSON, and all but small ones "
                          "once there are 64 times "
                          "as many; `left_out` says how large they are, and `/value` reads them.")};
}

std::vector<Parameter> run_value_parameters() {
  return {{"of", Shape::choice({"input", "output", "error"}), "Which value."},
          {"task", Shape::text("/do/0/greet", 10'000), "Reference of a task; without: the run's own value."},
          {"iteration", Shape::text("0,2"), "The rounds of the loops around the task, from outside in."},
          {"nth", Shape::integer(0, 0, INT32_MAX), "Which of the records with this reference and iteration; without: the last."},
          {"pointer", Shape::text("/items/3", 10'000), "JSON pointer into the value; without: all of it."},
          max_value_parameter("Where the value is larger than about so many bytes of JSON, its members come instead of it; 65536 without."),
          {"offset", Shape::integer(0, 0, INT32_MAX), "The first member."},
          {"limit", Shape::integer(1000, 0, kMostMembers), "How many members; 1000 without."}};
}

Shape run_value_shape() {
  auto member = value_members();
  member.push_back({"name", Shape::text("text", 1U << 20U).described("Of an object's member."), Shape::kOptional});
  const auto one = Shape::object("RunValueMember", std::move(member));
  auto members = value_members();
  members.push_back({"members",
                     Shape::array(one, static_cast<std::size_t>(kMostMembers))
                         .described("Of an array or object that is too large; each comes with its value where that is small (2 KiB)."),
                     Shape::kOptional});
  members.push_back({"next_offset", Shape::integer(1000).described("Where there are more members."), Shape::kOptional});
  return Shape::object("RunValue", std::move(members));
}

Shape left_out_shape() {
  const auto size = Shape::integer(5'300'000);
  return Shape::object("LeftOut",
                       {{"input", size, Shape::kOptional}, {"output", size, Shape::kOptional}, {"error", size, Shape::kOptional}});
}

}  // namespace pawl::api::detail
