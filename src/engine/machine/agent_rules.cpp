#include "engine/machine/detail/agent_rules.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <set>

#include "base/utf8.hpp"
#include "json/write.hpp"

namespace pawl::engine::detail {
namespace {

/// What a message costs beside its text: role and separators in every known format.
constexpr std::uint64_t kMessageTokens = 16;
/// Of the first request: what providers put around instructions and tools.
constexpr std::uint64_t kFrameTokens = 512;
/// What providers count for a large image, and for a document of some hundred pages, beside what its bytes come to.
constexpr std::uint64_t kImageTokens = 50'000;
constexpr std::uint64_t kFileTokens = 400'000;
/// Of one request, and so little that no sum of them leaves its type, whatever a provider says.
constexpr std::uint64_t kMostTokens = 1'000'000'000'000;
constexpr double kMostCost = 1e15;
constexpr std::uint32_t kUsualRepeats = 2;
constexpr double kNano = 1e9;
constexpr double kMillion = 1e6;

std::uint64_t count_of(const json::Value& usage, std::string_view name) {
  const auto& value = usage.get(name);
  return value.is_integer() && value.as_integer() > 0 ? std::min(static_cast<std::uint64_t>(value.as_integer()), kMostTokens) : 0;
}

std::uint64_t media_tokens(const json::Value& message) {
  std::uint64_t most = 0;
  const auto& content = message.get("content");
  if (!content.is_array()) return most;
  for (const auto& part : content.items()) {
    const auto& type = part.get("type");
    if (type == json::Value("image")) most += kImageTokens;
    if (type == json::Value("file")) most += kFileTokens + 3 * text_of(part.get("data")).size();
  }
  return most;
}

std::uint64_t message_tokens(const json::Value& messages) {
  std::uint64_t most = 0;
  for (const auto& message : messages.items()) most += json::to_text(message).size() + kMessageTokens + media_tokens(message);
  return most;
}

}  // namespace

std::uint64_t setting(const json::Value& settings, std::string_view name, std::uint64_t usual) {
  const auto& value = settings.get(name);
  return value.is_integer() && value.as_integer() >= 0 ? static_cast<std::uint64_t>(value.as_integer()) : usual;
}

std::uint64_t used_tokens(const AgentState& agent) { return agent.input_tokens + agent.output_tokens; }

std::uint64_t most_input_tokens(const AgentState& agent, const dsl::AgentTask& body) {
  const auto fresh = message_tokens(agent.news);
  const auto& others = agent.settings.get("fallback");
  const bool is_one_model = !others.is_array() || others.empty();
  if (agent.known_tokens > 0 && is_one_model) return agent.known_tokens + fresh;
  auto most = kFrameTokens + fresh + message_tokens(agent.transcript) + text_of(agent.settings.get("instructions")).size();
  for (const auto& tool : body.tools) most += json::to_text(tool.offer).size() + kMessageTokens;
  if (!body.output_schema.is_null()) most += json::to_text(body.output_schema).size();
  // Another model counts another way, though not more than twice as many.
  return agent.known_tokens > 0 ? std::min(most, 2 * agent.known_tokens + fresh) : most;
}

std::optional<std::int64_t> dearest(const json::Value& price, std::uint64_t prompt, std::uint64_t answer) {
  const auto& input = price.get("input");
  const auto& output = price.get("output");
  if (!input.is_number() || !output.is_number()) return std::nullopt;
  const auto cost = (static_cast<double>(prompt) * input.as_double() + static_cast<double>(answer) * output.as_double()) * kNano / kMillion;
  // One more than rounded up: whoever asks the model adds the same figures in another order.
  return static_cast<std::int64_t>(std::ceil(std::clamp(cost, 0.0, kMostCost))) + 1;
}

std::uint64_t paid_answer(const json::Value& price, std::uint64_t prompt, std::uint64_t most, std::int64_t money) {
  std::uint64_t paid = 0;
  while (paid < most) {
    const auto half = paid + (most - paid + 1) / 2;
    if (dearest(price, prompt, half).value_or(0) <= money) {
      paid = half;
    } else {
      most = half - 1;
    }
  }
  return paid;
}

json::Value model_settings(const AgentState& agent) {
  auto chosen = json::Value::object();
  for (const std::string_view name : {"model", "provider", "fallback"}) {
    if (const auto* given = agent.settings.find(name); given != nullptr && !given->is_null()) chosen.set(name, *given);
  }
  const auto& others = agent.settings.get("fallback");
  const auto next = std::min<std::size_t>(agent.repeats, others.is_array() ? others.size() : 0);
  if (next == 0) return chosen;
  // A name without a provider means that of the first model, as it does in a list of fallbacks.
  const auto model = text_of(others.at(next - 1));
  const auto first = text_of(agent.settings.get("model"));
  if (model.find('/') != std::string::npos) {
    chosen.erase("provider");
  } else if (chosen.find("provider") == nullptr && first.find('/') != std::string::npos) {
    chosen.set("provider", first.substr(0, first.find('/')));
  }
  chosen.set("model", model);
  auto rest = json::Value::array();
  for (auto i = next; i < others.size(); ++i) rest.push_back(others.at(i));
  chosen.erase("fallback");
  if (!rest.empty()) chosen.set("fallback", std::move(rest));
  return chosen;
}

std::string model_named(const json::Value& settings) { return text_of(settings.get("provider")) + " " + text_of(settings.get("model")); }

std::uint32_t most_repeats(const AgentState& agent) {
  const auto& others = agent.settings.get("fallback");
  return others.is_array() && !others.empty() ? static_cast<std::uint32_t>(others.size()) : kUsualRepeats;
}

TurnUsage usage_of_reply(const json::Value& reply) {
  const auto& usage = reply.get("usage");
  TurnUsage used;
  used.input_tokens = count_of(usage, "input_tokens");
  used.output_tokens = count_of(usage, "output_tokens");
  used.cached_tokens = count_of(usage, "cached_tokens");
  used.reasoning_tokens = count_of(usage, "reasoning_tokens");
  const auto& cost = reply.get("cost");
  // What is less than nothing is no cost, and gives nobody anything back.
  if (cost.is_number() && cost.as_double() >= 0 && cost.as_double() < kNano) used.cost = std::llround(cost.as_double() * kNano);
  return used;
}

void add_usage(AgentState& agent, const TurnUsage& usage) {
  agent.input_tokens += usage.input_tokens;
  agent.output_tokens += usage.output_tokens;
  agent.cached_tokens += usage.cached_tokens;
  agent.reasoning_tokens += usage.reasoning_tokens;
  agent.cost += usage.cost.value_or(0);
  agent.is_cost_known = agent.is_cost_known && usage.cost.has_value();
}

std::uint64_t known_after(const TurnUsage& usage, const json::Value& reply, std::uint64_t most_input) {
  const auto calls = reply.get("tool_calls").is_array() ? reply.get("tool_calls").size() : 0;
  const auto said = usage.output_tokens > 0 ? usage.output_tokens : json::to_text(reply.get("content")).size();
  return (usage.input_tokens > 0 ? usage.input_tokens : most_input) + std::max<std::uint64_t>(said, kLeastAnswer) +
         (calls + 1) * kMessageTokens;
}

json::Value window_of(const AgentState& agent) {
  auto messages = agent.transcript;
  const auto window = setting(agent.settings.get("memory"), "window", 0);
  if (window > 0 && messages.size() > window) {
    const auto all = agent.transcript.items();
    const auto is_reply = [](const json::Value& message) { return message.get("role") == json::Value("assistant"); };
    const auto replied = static_cast<std::size_t>(std::find_if(all.begin(), all.end(), is_reply) - all.begin());
    // What it is asked stays: with what is recalled or summed up that is not all before the first reply.
    const bool is_plain = agent.recalled == 0 && !agent.is_summed_up;
    const std::size_t first = is_plain ? 0 : agent.recalled;
    const std::size_t head = is_plain ? replied : std::min(all.size(), first + agent.asked + (agent.is_summed_up ? 1U : 0U));
    auto from = std::max(head, all.size() - static_cast<std::size_t>(window));
    // The answers of tools go with the reply that asked for them.
    while (from > head && all[from].get("role") == json::Value("tool")) --from;
    // What is left of the window goes back into what is recalled, to where somebody asked: a conversation begins with that.
    auto recalled = first - std::min<std::size_t>(first, window - std::min<std::size_t>(window, all.size() - head));
    while (recalled < first && all[recalled].get("role") != json::Value("user")) ++recalled;
    messages = json::Value::array();
    for (std::size_t i = recalled; i < all.size(); ++i) {
      if (i < head || i >= from) messages.push_back(all[i]);
    }
  }
  for (const auto& message : agent.news.items()) messages.push_back(message);
  return messages;
}

std::string text_of(const json::Value& value) {
  if (value.is_null()) return {};
  return value.is_string() ? std::string(value.as_string()) : json::to_text(value);
}

json::Value readable_call(const json::Value& call, std::uint32_t turn, std::size_t number) {
  const auto& id = call.get("id");
  const auto& name = call.get("name");
  auto made = json::Value::object({{"id", id}, {"name", name.is_string() ? name : json::Value("")}, {"arguments", call.get("arguments")}});
  if (!id.is_string() || id.empty()) made.set("id", "call_" + std::to_string(turn) + "_" + std::to_string(number));
  return made;
}

bool repeats_ids(const json::Value& calls) {
  std::set<std::string_view> seen;
  if (!calls.is_array()) return false;
  for (const auto& call : calls.items()) {
    const auto& id = call.get("id");
    if (id.is_string() && !id.empty() && !seen.insert(id.as_string()).second) return true;
  }
  return false;
}

std::vector<json::Value> readable_calls(const json::Value& calls, std::uint32_t turn, bool with_own_ids) {
  std::vector<json::Value> made;
  std::set<std::string, std::less<>> seen;
  for (std::size_t i = 0; i < calls.size(); ++i) {
    auto call = readable_call(calls.at(i), turn, i);
    if (with_own_ids && !seen.emplace(call.get("id").as_string()).second) {
      auto id = "call_" + std::to_string(turn) + "_" + std::to_string(i);
      while (!seen.insert(id).second) id += "_";
      call.set("id", id);
    }
    made.push_back(std::move(call));
  }
  return made;
}

std::string shown_to_model(const json::Value& output, std::size_t most) {
  auto text = output.is_string() ? std::string(output.as_string()) : json::to_text(output);
  if (text.size() <= most) return text;
  const auto whole = text.size();
  text.resize(most);
  while (!text.empty() && !is_utf8(text)) text.pop_back();
  return text + "\n[cut: " + std::to_string(whole) + " bytes in all, the first " + std::to_string(text.size()) + " are shown]";
}

json::Value told_error(std::string_view kind, std::string_view detail) {
  return json::Value::object({{"error", json::Value::object({{"kind", kind}, {"detail", detail}})}});
}

const dsl::AgentTool* find_tool(const dsl::AgentTask& body, const json::Value& name) {
  const auto found = std::find_if(body.tools.begin(), body.tools.end(), [&](const auto& tool) { return name == json::Value(tool.name); });
  return found == body.tools.end() ? nullptr : &*found;
}

bool is_held_back(const AgentState& agent, const dsl::AgentTool& tool) {
  return tool.acts && !tool.allowed_after_untrusted && !agent.untrusted.empty();
}

std::uint32_t remember_call(AgentState& agent, const json::Value& call, std::string_view answer) {
  // 64 bits of FNV-1a: the key only has to tell a few hundred calls apart, and to be the same on every machine.
  const auto text = json::to_text(json::Value::array({call.get("name"), call.get("arguments"), json::Value(answer)}), {.sort_keys = true});
  std::uint64_t hash = 0xcbf29ce484222325ULL;
  for (const char byte : text) hash = (hash ^ static_cast<unsigned char>(byte)) * 0x100000001b3ULL;
  return ++agent.seen[std::to_string(hash)];
}

void add_once(std::vector<std::string>& names, std::string_view name) {
  if (std::find(names.begin(), names.end(), name) == names.end()) names.emplace_back(name);
}

std::string wrong_with_messages(const json::Value& messages) {
  if (!messages.is_array()) return "`messages` must be a list";
  for (const auto& message : messages.items()) {
    const auto& role = message.get("role");
    const bool is_role =
        role == json::Value("user") || role == json::Value("assistant") || role == json::Value("system") || role == json::Value("tool");
    if (!is_role) return "each message needs a `role`: user, assistant, system or tool";
    if (message.find("content") == nullptr && message.find("tool_calls") == nullptr) return "each message needs `content`";
  }
  return {};
}

}  // namespace pawl::engine::detail
