#include "integrations/detail/settings.hpp"

#include <algorithm>
#include <array>

#include "dsl/schema.hpp"

namespace pawl::integrations::detail {
namespace {

Finding finding(std::string pointer, std::string message, std::string rule) {
  Finding out;
  out.pointer = std::move(pointer);
  out.message = std::move(message);
  out.rule = std::move(rule);
  return out;
}

bool is_control(char letter) { return static_cast<unsigned char>(letter) < 0x20 || letter == 0x7F; }

/// Members that choose among what one service at one address offers. Every other one counts as saying where a secret goes.
constexpr std::array<std::string_view, 8> kChoices{"channel", "folder_id",  "folder_path",  "from_email",
                                                   "model",   "repository", "organization", "test_path"};

bool is_mask(const json::Value* value) { return value != nullptr && value->is_string() && value->as_string() == kMask; }

/// The member, or what stands for it where it is left out.
const json::Value& effective(const json::Value& config, std::string_view field, const json::Value& property) {
  const auto* given = config.find(field);
  return given != nullptr ? *given : property.get("default");
}

bool is_sent_elsewhere(const Connector& connector, const json::Value& wish, const json::Value& stored) {
  for (const auto& property : connector.schema.get("properties").members()) {
    const auto field = property.key.as_string();
    if (connector.is_secret(field) || std::find(kChoices.begin(), kChoices.end(), field) != kChoices.end()) continue;
    if (effective(wish, field, property.value) != effective(stored, field, property.value)) return true;
  }
  return false;
}

void check_name(Findings& findings, std::string_view name) {
  const bool spaced = name.starts_with(' ') || name.ends_with(' ');
  if (name.empty() || name.size() > kMaxNameLength || spaced || std::any_of(name.begin(), name.end(), is_control)) {
    findings.push_back(
        finding("/name", "`name` must have 1 to 100 characters, without control characters and spaces at its ends.", "invalid-value"));
  }
}

}  // namespace

json::Value without_masks(const Connector& connector, json::Value wish, const json::Value& stored) {
  for (const auto& field : connector.secret_fields) {
    const auto* kept = stored.find(field);
    if (kept != nullptr && is_mask(wish.find(field))) wish.set(field, *kept);
  }
  return wish;
}

Findings moved_secrets(const Connector& connector, const json::Value& wish, const json::Value& stored) {
  Findings findings;
  if (!wish.is_object() || !is_sent_elsewhere(connector, wish, stored)) return findings;
  for (const auto& field : connector.secret_fields) {
    if (stored.find(field) == nullptr || !is_mask(wish.find(field))) continue;
    findings.push_back(
        finding("/config/" + field, "`" + field + "` was stored for another address or user: enter the secret again.", "secret-moved"));
  }
  return findings;
}

Findings check(const Connector& connector, std::string_view name, const json::Value& config) {
  Findings findings;
  check_name(findings, name);
  const auto schema = dsl::Schema::compile(connector.schema);
  if (schema.has_error()) return {finding("/config", schema.error().message, "invalid-schema")};
  for (auto& found : schema->validate(config)) {
    found.pointer.insert(0, "/config");
    findings.push_back(std::move(found));
  }
  if (!config.is_object()) return findings;
  for (const auto& field : connector.secret_fields) {
    if (is_mask(config.find(field))) {
      findings.push_back(finding("/config/" + field, "`" + field + "` is the mask, but no secret is stored here yet.", "invalid-value"));
    }
  }
  // A line break in a value could become a second header field or a second command.
  for (const auto& member : config.members()) {
    const auto key = std::string(member.key.as_string());
    if (key != "credentials_json" && member.value.is_string() &&
        std::any_of(member.value.as_string().begin(), member.value.as_string().end(), is_control)) {
      findings.push_back(finding("/config/" + key, "`" + key + "` must not hold control characters.", "invalid-value"));
    }
  }
  return findings;
}

Parts split(const Connector& connector, const json::Value& config) {
  Parts parts{json::Value::object(), json::Value::object()};
  for (const auto& member : config.members()) {
    const auto key = member.key.as_string();
    (connector.is_secret(key) ? parts.secret : parts.shown).set(key, member.value);
  }
  return parts;
}

json::Value masked(const Parts& parts) {
  auto out = parts.shown;
  for (const auto& member : parts.secret.members()) out.set(member.key.as_string(), kMask);
  return out;
}

json::Value joined(const Parts& parts) {
  auto out = parts.shown;
  for (const auto& member : parts.secret.members()) out.set(member.key.as_string(), member.value);
  return out;
}

}  // namespace pawl::integrations::detail
