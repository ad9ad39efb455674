/// emit and listen; event filters, which schedules use as well.
#include <algorithm>
#include <array>

#include "base/time.hpp"
#include "dsl/detail/compiler.hpp"
#include "dsl/detail/scan.hpp"
#include "json/pointer.hpp"
#include "json/write.hpp"

namespace pawl::dsl::detail {
namespace {

bool is_regex(const json::Value& value) {
  return value.is_string() && value.size() > 2 && value.as_string().front() == '/' && value.as_string().back() == '/';
}

/// Empty where Oniguruma takes it.
std::string regex_problem(std::string_view pattern) {
  std::string source = "test(";
  json::append_quoted(source, pattern);
  source += ')';
  const auto program = jq::compile(source);
  if (program.has_error()) return program.error().message;
  const auto tried = jq::first(program.value(), json::Value(""), {});
  return tried.has_error() ? tried.error().message : std::string();
}

}  // namespace

EmitTask Compiler::emit_task(const Node& node, const Place& place) {
  constexpr std::array<std::string_view, 1> kMembers = {"event"};
  EmitTask made;
  if (!is_object(node, "`emit`")) return made;
  check_members(node, kMembers, "`emit`");
  const auto event = required(node, "event", "`emit`");
  if (!event || !is_object(*event, "`event`")) return made;
  const auto with = required(*event, "with", "`event`");
  if (!with || !is_object(*with, "`with`")) return made;
  if (const auto type = required(*with, "type", "An event")) (void)text(*type, "The type of an event");
  for (const std::string_view name : {"id", "source", "subject", "datacontenttype", "dataschema", "time"}) {
    const auto given = member(*with, name);
    if (!given) continue;
    const auto value = text(*given, "`" + std::string(name) + '`');
    if (value && name == "time" && !has_expression(*value) && !parse_rfc3339(*value)) {
      report_.error(given->pointer, "invalid-value", "`time` must be a date and time as in RFC 3339, such as `2026-11-22T09:47:00Z`.");
    }
  }
  made.event = data(*with, place.names);
  return made;
}

ReadAs Compiler::read_as(const Node& node) {
  constexpr std::array<std::string_view, 3> kForms = {"data", "envelope", "raw"};
  const auto form = one_of(node, "`read`", kForms);
  if (form == "envelope") return ReadAs::envelope;
  if (form == "raw") return ReadAs::raw;
  return ReadAs::data;
}

ListenTask Compiler::listen_task(const Node& task, const Place& place) {
  constexpr std::array<std::string_view, 2> kMembers = {"to", "read"};
  ListenTask made;
  if (const auto listen = member(task, "listen"); listen && is_object(*listen, "`listen`")) {
    check_members(*listen, kMembers, "`listen`");
    if (const auto to = required(*listen, "to", "`listen`")) made.to = strategy(*to, place.names);
    if (const auto read = member(*listen, "read")) made.read = read_as(*read);
  }
  if (const auto each = member(task, "foreach")) made.foreach = foreach_clause(*each, place);
  return made;
}

std::optional<ForeachClause> Compiler::foreach_clause(const Node& node, const Place& place) {
  constexpr std::array<std::string_view, 5> kMembers = {"item", "at", "do", "output", "export"};
  if (!is_object(node, "`foreach`")) return std::nullopt;
  check_members(node, kMembers, "`foreach`");
  ForeachClause made;
  if (const auto name = member(node, "item")) variable_name(*name, made.item, "`item`");
  if (const auto name = member(node, "at")) variable_name(*name, made.at, "`at`");
  Place inside = place;
  inside.names = with_name(with_name(place.names, made.item), made.at);
  if (const auto tasks = member(node, "do")) made.tasks = task_list(*tasks, inside);
  const Names after = with_name(inside.names, "output");
  if (const auto output = member(node, "output")) made.output_as = data_out(*output, after, "`output`").as;
  if (const auto exported = member(node, "export")) made.export_as = data_out(*exported, after, "`export`").as;
  return made;
}

EventStrategy Compiler::strategy(const Node& node, const Names& names, bool nested) {
  constexpr std::array<std::string_view, 4> kMembers = {"one", "any", "all", "until"};
  EventStrategy made;
  if (!is_object(node, "A choice of events")) return made;
  check_members(node, kMembers, "A choice of events");
  const auto one = member(node, "one");
  const auto any = member(node, "any");
  const auto all = member(node, "all");
  const int count = (one ? 1 : 0) + (any ? 1 : 0) + (all ? 1 : 0);
  if (count == 0) report_.key_error(node.pointer, "missing-property", "A choice of events needs `one`, `any` or `all`.");
  if (count > 1) report_.error(node.pointer, "excludes-each-other", "A choice of events has one of `one`, `any` and `all`.");
  if (one) {
    made.filters.push_back(event_filter(*one, names));
  } else if (any || all) {
    const Node& list = any ? *any : *all;
    made.kind = any ? EventStrategy::Kind::any : EventStrategy::Kind::all;
    if (is_list(list, any ? "`any`" : "`all`")) {
      for (std::size_t i = 0; i < list.value.size(); ++i) made.filters.push_back(event_filter(item(list, i), names));
      if (all && list.value.empty()) report_.error(list.pointer, "invalid-value", "`all` needs at least one event to wait for.");
    }
  }
  const auto until = member(node, "until");
  if (!until || (until->value.is_bool() && !until->value.as_bool())) return made;
  if (!any || nested) {
    report_.key_error(until->pointer, "unexpected-until",
                      nested ? "`until` cannot have an `until` of its own." : "`until` goes with `any` only.");
  } else if (until->value.is_object()) {
    made.until_consumed = std::make_shared<const EventStrategy>(strategy(*until, names, true));
  } else {
    made.until = expression(*until, names, "`until`");
  }
  return made;
}

EventFilter Compiler::event_filter(const Node& node, const Names& names) {
  constexpr std::array<std::string_view, 2> kMembers = {"with", "correlate"};
  EventFilter made;
  if (!is_object(node, "An event filter")) return made;
  check_members(node, kMembers, "An event filter");
  if (const auto with = required(node, "with", "An event filter"); with && is_object(*with, "`with`")) {
    if (with->value.empty()) report_.error(with->pointer, "invalid-value", "`with` needs at least one attribute.");
    for (const json::Member& attribute : with->value.members()) {
      const Node given{attribute.value, json::pointer_child(with->pointer, attribute.name())};
      if (is_regex(given.value)) {
        const std::string problem = regex_problem(given.value.as_string().substr(1, given.value.size() - 2));
        if (!problem.empty()) report_.error(given.pointer, "invalid-regex", "This is not a regular expression: " + problem);
        made.with.emplace_back(std::string(attribute.name()), Template(given.value));
      } else {
        made.with.emplace_back(std::string(attribute.name()), data(given, names));
      }
    }
  }
  const auto correlate = member(node, "correlate");
  if (!correlate || !is_object(*correlate, "`correlate`")) return made;
  constexpr std::array<std::string_view, 2> kCorrelation = {"from", "expect"};
  for (const json::Member& entry : correlate->value.members()) {
    const Node given{entry.value, json::pointer_child(correlate->pointer, entry.name())};
    if (!is_object(given, "A correlation")) continue;
    check_members(given, kCorrelation, "A correlation");
    const auto from = required(given, "from", "A correlation");
    auto extract = from ? expression(*from, names, "`from`") : std::nullopt;
    std::optional<Template> expected;
    if (const auto expect = member(given, "expect")) {
      // An expression by its type, yet constants are allowed: text that is no expression is the constant.
      expected = data(*expect, names);
      if (expected->is_constant() && expect->value.is_string()) {
        auto tried = Expression::compile(expect->value.as_string(), names);
        if (tried.has_value()) expected = Template(std::move(tried).value());
      }
    }
    if (extract) made.correlate.push_back({std::string(entry.name()), std::move(*extract), std::move(expected)});
  }
  return made;
}

}  // namespace pawl::dsl::detail
