#include "engine/capabilities.hpp"

#include <algorithm>
#include <optional>

namespace pawl::engine {
namespace {

using Kind = Capabilities::Kind;

constexpr std::size_t kMaxName = 200;

/// A parameter as the plan knows it: nothing, a value, or the beginning of a text that an expression ends.
struct Known {
  enum class How : std::uint8_t { absent, value, at_run_time };
  How how = How::absent;
  json::Value value;
  std::string prefix;  ///< at_run_time: what stands before the first expression
};

std::string unescaped(std::string_view token) {
  std::string text;
  for (std::size_t i = 0; i < token.size(); ++i) {
    const bool escaped = token[i] == '~' && i + 1 < token.size();
    text += !escaped ? token[i] : token[++i] == '1' ? '/' : '~';
  }
  return text;
}

const dsl::Template* member_of(const dsl::Template::ObjectOf& object, std::string_view name) {
  const auto found = std::find_if(object.members.begin(), object.members.end(), [&](const auto& each) { return each.first == name; });
  return found == object.members.end() ? nullptr : &found->second;
}

Known known_in(const json::Value& constant, std::string_view pointer) {
  const json::Value* place = &constant;
  while (!pointer.empty() && place->is_object()) {
    pointer.remove_prefix(1);
    const auto end = std::min(pointer.find('/'), pointer.size());
    place = place->find(unescaped(pointer.substr(0, end)));
    pointer.remove_prefix(end);
    if (place == nullptr) return {};
  }
  // `endpoint: https://...` is short for `endpoint: {uri: https://...}`: a text stands for what would be inside of it.
  if (!pointer.empty() && !place->is_string()) return {};
  if (place->is_null()) return {};
  return {Known::How::value, *place, {}};
}

Known known_at(const dsl::Template& source, std::string_view pointer) {
  const auto* here = &source;
  while (true) {
    if (here->is_constant()) return known_in(here->constant(), pointer);
    if (const auto* parts = std::get_if<std::vector<dsl::Template::Part>>(&here->node())) {
      return {Known::How::at_run_time, {}, parts->empty() ? std::string() : parts->front().literal};  // it precedes the expression
    }
    const auto* object = std::get_if<std::shared_ptr<const dsl::Template::ObjectOf>>(&here->node());
    if (object == nullptr || pointer.empty()) return {Known::How::at_run_time, {}, {}};
    pointer.remove_prefix(1);
    const auto end = std::min(pointer.find('/'), pointer.size());
    here = member_of(**object, unescaped(pointer.substr(0, end)));
    pointer.remove_prefix(end);
    if (here == nullptr) return {};
  }
}

std::string shortened(std::string_view text) {
  text = text.substr(0, text.find_first_of("\r\n"));
  if (text.size() <= kMaxName) return std::string(text);
  std::size_t end = kMaxName;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0U) == 0x80U) --end;  // not within a character
  return std::string(text.substr(0, end)) + "...";
}

/// `https://user:password@host:1/path` -> `host:1`; what has no scheme is a host, perhaps with a path. Nothing where an expression, or a
/// URI template, stands in the authority, or the text ends before it does. What has half of a `://` (`https:/{+x}`) may get the rest, and
/// a host, from what follows.
std::optional<std::string> host_in(std::string_view text, bool is_whole) {
  if (const auto scheme = text.find("://"); scheme != std::string_view::npos) {
    text.remove_prefix(scheme + 3);
  } else if (text.find('{') != std::string_view::npos || text.substr(0, text.find('/')).ends_with(':')) {
    return std::nullopt;
  }
  const auto end = text.find_first_of("/?#");
  if (end == std::string_view::npos && !is_whole) return std::nullopt;
  text = text.substr(0, end);
  if (const auto at = text.rfind('@'); at != std::string_view::npos) text.remove_prefix(at + 1);
  if (text.empty() || text.find_first_of("{}") != std::string_view::npos) return std::nullopt;
  std::string host(text);
  std::transform(host.begin(), host.end(), host.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return shortened(host);
}

/// A connection string without its password and options.
std::string database_in(std::string_view text) {
  const auto scheme = text.find("://");
  if (scheme == std::string_view::npos) {
    // `host=db user=ann password=...`: only what names the database.
    if (text.find("password") != std::string_view::npos) return "(a connection string with a password)";
    return shortened(text);
  }
  const auto authority = text.find('@', scheme);
  std::string name(text.substr(0, scheme + 3));
  name += text.substr(authority == std::string_view::npos ? scheme + 3 : authority + 1);
  return shortened(std::string_view(name).substr(0, name.find_first_of("?#")));
}

/// What a function takes where the argument at `pointer` is left out: the `default` of its schema.
Known default_of(const json::Value& parameters, std::string_view pointer) {
  const json::Value* schema = &parameters;
  while (!pointer.empty() && schema != nullptr) {
    pointer.remove_prefix(1);
    const auto end = std::min(pointer.find('/'), pointer.size());
    const auto& properties = schema->get("properties");
    schema = properties.find(unescaped(pointer.substr(0, end)));
    pointer.remove_prefix(end);
  }
  const auto* value = schema == nullptr ? nullptr : schema->find("default");
  return value == nullptr ? Known{} : Known{Known::How::value, *value, {}};
}

class Collector {
 public:
  explicit Collector(const FunctionRegistry& functions) : functions_(functions) {}

  /// `is_open`: what the arguments do not say somebody else does, when the call is made.
  void call(std::string_view function, const dsl::Template& arguments, const std::string& reference, bool is_open = false) {
    is_open_ = is_open;
    note(Kind::function, std::string(function), reference);
    if (function == "run.workflow") return workflow(arguments, reference);
    const auto* known = functions_.get(function);
    if (known == nullptr) return;
    const auto& info = known->info();
    for (const auto need : info.needs) note(need, reference);
    for (const auto& access : info.reach) {
      if (is_taken(access.when, info.parameters, arguments)) reach(access, info.parameters, arguments, reference);
    }
    if (!info.destructive) return;
    const auto allowed = known_at(arguments, "/allow_destructive");
    if (allowed.how != Known::How::at_run_time && !allowed.value.truthy()) return;
    note(Kind::destructive, std::string(function), reference);
    note(Need::destroy, reference);
  }
  void note(Kind kind, std::string name, const std::string& reference) {
    auto& list = found_.all[static_cast<std::size_t>(kind)];
    const auto place =
        std::lower_bound(list.begin(), list.end(), name, [](const Capability& each, const std::string& text) { return each.name < text; });
    auto& entry = place != list.end() && place->name == name ? *place : *list.insert(place, {std::move(name), {}});
    if (!reference.empty() && (entry.tasks.empty() || entry.tasks.back() != reference)) entry.tasks.push_back(reference);
  }
  void note(Need need, const std::string& reference) { note(Kind::need, std::string(to_text(need)), reference); }
  /// Something outside, and what reaching it needs.
  void note(Access::Kind kind, std::string name, const std::string& reference) {
    note(kind_of(kind), std::move(name), reference);
    note(need_of(kind), reference);
  }
  [[nodiscard]] Capabilities take() { return std::move(found_); }

 private:
  static Kind kind_of(Access::Kind kind) {
    switch (kind) {
      case Access::Kind::host: return Kind::host;
      case Access::Kind::read: return Kind::read;
      case Access::Kind::write: return Kind::write;
      case Access::Kind::process: return Kind::process;
      case Access::Kind::database: return Kind::database;
      case Access::Kind::mail: return Kind::mail;
      case Access::Kind::model: return Kind::model;
      case Access::Kind::workflow: break;
    }
    return Kind::workflow;
  }

  /// Whether the arguments take what `when` names, or may do so.
  [[nodiscard]] bool is_taken(std::string_view when, const json::Value& parameters, const dsl::Template& arguments) const {
    if (when.empty()) return true;
    const auto pointer = when.substr(0, when.find('='));
    auto known = known_at(arguments, pointer);
    if (known.how == Known::How::absent) {
      if (is_open_) return true;
      known = default_of(parameters, pointer);
    }
    if (known.how == Known::How::at_run_time) return true;
    if (pointer.size() == when.size()) return known.value.truthy();
    const auto wanted = when.substr(pointer.size() + 1);
    return known.value.is_string() ? known.value.as_string() == wanted : wanted.empty() && known.how == Known::How::absent;
  }

  void reach(const Access& access, const json::Value& parameters, const dsl::Template& arguments, const std::string& reference) {
    const auto kind = access.kind;
    const auto known = access.parameter.empty() ? Known{} : known_at(arguments, access.parameter);
    if (known.how == Known::How::absent) {
      // Who settles an argument settles all of it, what it leaves out as well.
      const auto whole = std::string_view(access.parameter).substr(0, access.parameter.find('/', 1));
      const bool is_chosen = is_open_ && !access.parameter.empty() && known_at(arguments, whole).how == Known::How::absent;
      if (is_chosen) return note(kind, std::string(kAtRunTime), reference);
      if (!access.fixed.empty()) return note(kind, access.fixed, reference);
      if (const auto usual = default_of(parameters, access.parameter); usual.how == Known::How::value && !access.parameter.empty()) {
        values(kind, usual.value, reference);
      }
      return;
    }
    if (known.how == Known::How::at_run_time) {
      const auto host = kind == Access::Kind::host ? host_in(known.prefix, false) : std::nullopt;
      return note(kind, host.value_or(std::string(kAtRunTime)), reference);
    }
    values(kind, known.value, reference);
  }

  void values(Access::Kind kind, const json::Value& given, const std::string& reference) {
    if (!given.is_array()) return value(kind, given, reference);
    for (const auto& item : given.items()) value(kind, item, reference);
  }

  void value(Access::Kind kind, const json::Value& given, const std::string& reference) {
    if (!given.is_string() || given.as_string().empty()) return note(kind, std::string(kAtRunTime), reference);
    const auto text = given.as_string();
    if (kind == Access::Kind::host) return note(kind, host_in(text, true).value_or(std::string(kAtRunTime)), reference);
    note(kind, kind == Access::Kind::database ? database_in(text) : shortened(text), reference);
  }

  void workflow(const dsl::Template& arguments, const std::string& reference) {
    const auto part = [&](std::string_view name) -> std::optional<std::string> {
      auto known = known_at(arguments, "/workflow/" + std::string(name));
      if (known.how == Known::How::absent) known = known_at(arguments, "/" + std::string(name));
      if (known.how != Known::How::value || !known.value.is_string()) return std::nullopt;
      return std::string(known.value.as_string());
    };
    const auto name = part("name");
    if (!name) return note(Access::Kind::workflow, std::string(kAtRunTime), reference);
    const auto space = part("namespace");
    note(Access::Kind::workflow, shortened(space ? *space + "/" + *name : *name), reference);
  }

  const FunctionRegistry& functions_;
  Capabilities found_;
  bool is_open_ = false;
};

/// What of `a` is not in `b`.
Capabilities without(const Capabilities& a, const Capabilities& b) {
  Capabilities rest;
  for (std::size_t kind = 0; kind < Capabilities::kKinds; ++kind) {
    for (const auto& each : a.all[kind]) {
      const auto& others = b.all[kind];
      const auto found = std::find_if(others.begin(), others.end(), [&](const Capability& other) { return other.name == each.name; });
      if (found == others.end()) {
        rest.all[kind].push_back(each);
      } else if (each.name == kAtRunTime) {
        Capability left{each.name, {}};
        for (const auto& task : each.tasks) {
          if (std::find(found->tasks.begin(), found->tasks.end(), task) == found->tasks.end()) left.tasks.push_back(task);
        }
        if (!left.tasks.empty()) rest.all[kind].push_back(std::move(left));
      }
    }
  }
  return rest;
}

json::Value list_of(const std::vector<Capability>& capabilities) {
  auto list = json::Value::array();
  for (const auto& each : capabilities) {
    auto tasks = json::Value::array();
    for (const auto& task : each.tasks) tasks.push_back(json::Value(task));
    list.push_back(json::Value::object({{"name", each.name}, {"tasks", std::move(tasks)}}));
  }
  return list;
}

}  // namespace

bool Capabilities::empty() const {
  return std::all_of(all.begin(), all.end(), [](const auto& list) { return list.empty(); });
}

Capabilities capabilities_of(const dsl::Plan& plan, const FunctionRegistry& functions) {
  Collector collector(functions);
  for (const auto& task : plan.tasks) {
    const auto* call = std::get_if<dsl::CallTask>(&task.body);
    if (call == nullptr || call->function.empty()) continue;
    collector.call(call->function, call->arguments, task.reference, call->of_agent);
    if (call->on_unknown && !call->on_unknown->probe.empty()) {
      collector.call(call->on_unknown->probe, call->on_unknown->probe_arguments, task.reference);
    }
  }
  for (const auto& secret : plan.secrets) collector.note(Kind::secret, secret, {});
  if (const auto& watched = plan.metadata.get("files"); watched.is_object()) {
    const auto& folder = watched.get("folder");
    collector.note(Access::Kind::read, folder.is_string() ? shortened(folder.as_string()) : ".", {});
  }
  return collector.take();
}

CapabilityChange compare(const Capabilities& before, const Capabilities& after) { return {without(after, before), without(before, after)}; }

json::Value to_json(const Capabilities& capabilities) {
  const auto of = [&](Kind kind) { return list_of(capabilities.of(kind)); };
  return json::Value::object({{"hosts", of(Kind::host)},
                              {"paths", json::Value::object({{"read", of(Kind::read)}, {"write", of(Kind::write)}})},
                              {"processes", of(Kind::process)},
                              {"databases", of(Kind::database)},
                              {"mail", of(Kind::mail)},
                              {"models", of(Kind::model)},
                              {"workflows", of(Kind::workflow)},
                              {"secrets", of(Kind::secret)},
                              {"functions", of(Kind::function)},
                              {"destructive", of(Kind::destructive)},
                              {"needs", of(Kind::need)}});
}

}  // namespace pawl::engine
