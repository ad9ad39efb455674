#include <algorithm>
#include <array>

#include "dsl/cron.hpp"
#include "dsl/detail/compiler.hpp"
#include "json/pointer.hpp"

namespace pawl::dsl::detail {
namespace {

/// As in the tz database: `Europe/Berlin`, `UTC`, `Etc/GMT+1`. Whether it exists is for the scheduler to say, which has the database.
bool is_zone_name(std::string_view name) {
  if (name.empty() || name.size() > 64 || name.front() == '/' || name.back() == '/') return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '/' || c == '_' || c == '+' || c == '-';
  });
}

}  // namespace

void Compiler::schedule(const Node& node, const json::Value& metadata) {
  constexpr std::array<std::string_view, 5> kMembers = {"every", "cron", "after", "on", "read"};
  constexpr std::array<std::string_view, 3> kMisfire = {"skip", "run-once", "catch-up"};
  constexpr std::array<std::string_view, 4> kOverlap = {"allow", "skip", "queue", "cancel-other"};
  if (!is_object(node, "`schedule`")) return;
  check_members(node, kMembers, "`schedule`");
  Schedule made;
  const Names names = {"secrets", "workflow", "runtime"};
  const auto constant = [&](std::string_view name) -> std::optional<Template> {
    const auto given = member(node, name);
    if (!given) return std::nullopt;
    auto read = duration(*given, names);
    if (!read) return std::nullopt;
    if (!read->is_constant()) {
      report_.error(given->pointer, "constant-required",
                    "A schedule is read before there is a run: `" + std::string(name) + "` must be a constant.");
    } else if (const auto length = to_duration(read->constant()); length.has_value() && length.value() < Millis{1} && name == "every") {
      report_.error(given->pointer, "invalid-value", "`every` must be longer than nothing.");
    }
    return read;
  };
  made.every = constant("every");
  made.after = constant("after");
  if (const auto cron = member(node, "cron")) {
    if (auto given = text(*cron, "`cron`")) {
      if (const auto parsed = Cron::parse(*given); parsed.has_error()) report_.error(cron->pointer, "invalid-cron", parsed.error().message);
      made.cron = std::move(given);
    }
  }
  const auto on = member(node, "on");
  if (on) made.on = std::make_shared<const EventStrategy>(strategy(*on, names));
  const auto read = member(node, "read");
  if (read) made.read = read_as(*read);
  if (read && !on) report_.key_error(read->pointer, "missing-property", "`read` goes with `on`, which is missing.");
  if (!made.every && !made.after && !made.cron && !on && node.value.empty()) {
    report_.key_error(node.pointer, "missing-property", "`schedule` needs `every`, `cron`, `after` or `on`.");
  }
  reads_event_data_ = on && made.read == ReadAs::data;

  // The workflow's metadata: below `/document` in one form, at the top in the other.
  const Node meta{metadata, document_.value.find("document") ? "/document/metadata" : "/metadata"};
  if (const auto zone = member(meta, "timezone")) {
    const auto name = text(*zone, "`metadata.timezone`");
    if (name && !is_zone_name(*name)) {
      report_.error(zone->pointer, "invalid-timezone", "A time zone is named as in `Europe/Berlin` or `UTC`.");
    } else if (name) {
      made.timezone = *name;
    }
  }
  if (const auto misfire = member(meta, "misfire")) {
    const auto choice = one_of(*misfire, "`metadata.misfire`", kMisfire);
    if (choice == "skip") made.misfire = Schedule::Misfire::skip;
    if (choice == "catch-up") made.misfire = Schedule::Misfire::catch_up;
  }
  if (const auto overlap = member(meta, "overlap")) {
    const auto choice = one_of(*overlap, "`metadata.overlap`", kOverlap);
    if (choice == "skip") made.overlap = Schedule::Overlap::skip;
    if (choice == "queue") made.overlap = Schedule::Overlap::queue;
    if (choice == "cancel-other") made.overlap = Schedule::Overlap::cancel_other;
  }
  plan_.schedule = std::move(made);
}

/// What of the workflow's metadata has a meaning whether or not there is a schedule.
void Compiler::workflow_metadata() {
  const Node meta{plan_.metadata, document_.value.find("document") ? "/document/metadata" : "/metadata"};
  if (const auto after = member(meta, "after"); after && is_list(*after, "`metadata.after`")) after_workflows(*after);
  const auto concurrency = member(meta, "concurrency");
  if (!concurrency || !is_object(*concurrency, "`metadata.concurrency` of a workflow")) return;
  constexpr std::array<std::string_view, 3> kMembers = {"limit", "policy", "key"};
  constexpr std::array<std::string_view, 3> kPolicies = {"queue", "skip", "replace"};
  check_members(*concurrency, kMembers, "`metadata.concurrency`");
  if (const auto limit = member(*concurrency, "limit")) (void)integer(*limit, "`limit`", 1, 1000);
  if (const auto policy = member(*concurrency, "policy")) (void)one_of(*policy, "`policy`", kPolicies);
  if (const auto key = member(*concurrency, "key")) {
    const auto given = text(*key, "`key`");
    const bool printable = given && std::all_of(given->begin(), given->end(), [](char c) { return c > ' ' && c <= '~'; });
    if (given && (given->empty() || given->size() > 255 || !printable)) {
      report_.error(key->pointer, "invalid-value", "A concurrency key is printable ASCII without spaces, 255 characters at most.");
    }
  }
}

/// `after`: the ends of other workflows, as the lifecycle events that tell them.
void Compiler::after_workflows(const Node& list) {
  constexpr std::array<std::string_view, 3> kMembers = {"namespace", "workflow", "on"};
  constexpr std::array<std::string_view, 3> kEnds = {"completed", "faulted", "cancelled"};
  auto filters = json::Value::array();
  for (std::size_t i = 0; i < list.value.size(); ++i) {
    const Node each = item(list, i);
    if (!is_object(each, "A workflow to come after")) continue;
    check_members(each, kMembers, "A workflow to come after");
    const auto name = required(each, "workflow", "A workflow to come after");
    const auto workflow = name ? text(*name, "`workflow`") : std::nullopt;
    auto name_space = plan_.namespace_name;
    if (const auto given = member(each, "namespace")) name_space = text(*given, "`namespace`").value_or("");
    std::vector<std::string> ends;
    if (const auto on = member(each, "on"); on && is_list(*on, "`on`")) {
      for (std::size_t k = 0; k < on->value.size(); ++k) {
        if (const auto end = one_of(item(*on, k), "An end of a workflow", kEnds)) ends.emplace_back(*end);
      }
      if (on->value.empty()) report_.error(on->pointer, "invalid-value", "`on` names one end of a workflow at least.");
    } else {
      ends.emplace_back("completed");
    }
    if (!workflow) continue;
    if (*workflow == plan_.name && name_space == plan_.namespace_name) {
      report_.error(each.pointer, "trigger-cycle", "A workflow that comes after itself would never stop.");
    }
    for (const auto& end : ends) {
      filters.push_back(json::Value::object({{"with", json::Value::object({{"type", "io.serverlessworkflow.workflow." + end + ".v1"},
                                                                           {"workflownamespace", name_space},
                                                                           {"workflowname", *workflow}})}}));
    }
  }
  if (list.value.empty()) report_.error(list.pointer, "invalid-value", "`after` names one workflow at least.");
  if (plan_.schedule && plan_.schedule->on) {
    return report_.error(list.pointer, "excludes-each-other", "A workflow has one of `schedule.on` and `metadata.after`.");
  }
  if (filters.empty()) return;
  if (!plan_.schedule) plan_.schedule.emplace();
  const Node made{json::Value::object({{"any", std::move(filters)}}), list.pointer};
  plan_.schedule->on = std::make_shared<const EventStrategy>(strategy(made, {"secrets", "workflow", "runtime"}));
}

}  // namespace pawl::dsl::detail
