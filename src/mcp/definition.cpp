#include "mcp/definition.hpp"

#include <algorithm>
#include <array>
#include <optional>

#include "base/utf8.hpp"
#include "crypto/crypto.hpp"
#include "json/write.hpp"
#include "mcp/protocol.hpp"

namespace pawl::mcp {
namespace {

using json::Value;

constexpr std::string_view kForm = "v1.";
constexpr std::size_t kHashDigits = 32;
constexpr std::size_t kParts = 3;
constexpr std::size_t kMaxName = 128;
constexpr std::size_t kMaxDefinition = 256U * 1024;
constexpr std::uint32_t kMaxSchemaDepth = 64;
constexpr std::size_t kShown = 300;
constexpr std::string_view kMirror = "x-mcp-header";

std::string hash_of(const Value& part) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  const auto digest = crypto::hash(json::to_text(part, {.sort_keys = true}));
  std::string text;
  for (std::size_t i = 0; text.size() < kHashDigits; ++i) {
    const auto byte = static_cast<unsigned char>(digest[i]);
    text += kDigits[byte >> 4U];
    text += kDigits[byte & 15U];
  }
  return text;
}

/// In the order of the pin.
std::array<Value, kParts> parts_of(const Value& tool) {
  return {Value::array({tool.get("name"), tool.get("title"), tool.get("description"), tool.get("annotations")}), tool.get("inputSchema"),
          tool.get("outputSchema")};
}

std::optional<std::array<std::string_view, kParts>> read_pin(std::string_view text) {
  if (!text.starts_with(kForm) || text.size() != kForm.size() + kParts * kHashDigits + kParts - 1) return std::nullopt;
  text.remove_prefix(kForm.size());
  std::array<std::string_view, kParts> hashes;
  for (std::size_t i = 0; i < kParts; ++i) {
    hashes[i] = text.substr(i * (kHashDigits + 1), kHashDigits);
    if (hashes[i].find_first_not_of("0123456789abcdef") != std::string_view::npos) return std::nullopt;
    if (i > 0 && text[i * (kHashDigits + 1) - 1] != '.') return std::nullopt;
  }
  return hashes;
}

/// Text of a stranger in a sentence for a person: one line, nothing that hides or turns round, not too long.
std::string quoted(const Value& value) {
  std::string text = value.is_string() ? std::string(value.as_string()) : json::to_text(value);
  std::replace_if(
      text.begin(), text.end(), [](unsigned char c) { return c < 0x20 || c == 0x7f; }, ' ');
  if (text.size() > kShown) {
    text.resize(kShown);
    while (!text.empty() && !is_utf8(text)) text.pop_back();
    text += "...";
  }
  return "`" + text + "`";
}

bool is_token(std::string_view text) {
  const auto good = [](unsigned char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           std::string_view("!#$%&'*+-.^_`|~").find(static_cast<char>(c)) != std::string_view::npos;
  };
  return !text.empty() && text.size() <= kMaxName && std::all_of(text.begin(), text.end(), good);
}

Error bad(std::string message) { return {ErrorClass::unprocessable, "mcp.tool", std::move(message)}; }

std::string lower(std::string_view text) {
  std::string made(text);
  std::transform(made.begin(), made.end(), made.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return made;
}

std::span<const json::Member> properties_of(const Value& tool) {
  const auto& properties = tool.get("inputSchema").get("properties");
  return properties.is_object() ? properties.members() : std::span<const json::Member>();
}

/// Annotations below the top level, or on what is no scalar, cannot be mirrored.
bool has_mirror_inside(const Value& schema, bool is_top) {
  if (schema.is_array()) {
    return std::any_of(schema.items().begin(), schema.items().end(), [](const Value& item) { return has_mirror_inside(item, false); });
  }
  if (!schema.is_object()) return false;
  return std::any_of(schema.members().begin(), schema.members().end(), [&](const json::Member& member) {
    if (member.name() == kMirror) return !is_top;
    return has_mirror_inside(member.value, false);
  });
}

Result<void> check_mirrors(const Value& tool) {
  std::vector<std::string> seen;
  for (const auto& property : properties_of(tool)) {
    const auto* field = property.value.find(kMirror);
    if (has_mirror_inside(property.value, true)) return bad("`x-mcp-header` stands where no argument is.");
    if (field == nullptr) continue;
    const auto& type = property.value.get("type");
    const bool is_scalar = type == Value("string") || type == Value("integer") || type == Value("number") || type == Value("boolean");
    if (!field->is_string() || !is_token(field->as_string()) || !is_scalar)
      return bad("`x-mcp-header` of an argument is no name of a field.");
    auto name = lower(field->as_string());
    if (std::find(seen.begin(), seen.end(), name) != seen.end()) return bad("Two arguments have the same `x-mcp-header`.");
    seen.push_back(std::move(name));
  }
  return boost::system::in_place_value;
}

}  // namespace

std::string pin_of(const Value& tool) {
  std::string pin(kForm);
  for (const auto& part : parts_of(tool)) pin += (pin.size() == kForm.size() ? "" : ".") + hash_of(part);
  return pin;
}

bool is_pin(std::string_view text) { return read_pin(text).has_value(); }

std::string changes_since(std::string_view pin, const Value& tool) {
  const auto pinned = read_pin(pin);
  if (!pinned) return "The pin is not one of this program.";
  const auto parts = parts_of(tool);
  std::string changes;
  if ((*pinned)[0] != hash_of(parts[0])) {
    changes += "What it says of itself is another text: " + quoted(tool.get("description"));
    if (tool.get("annotations").is_object()) changes += " with " + quoted(tool.get("annotations"));
    changes += ". ";
  }
  if ((*pinned)[1] != hash_of(parts[1])) changes += "Its arguments are others: " + quoted(parts[1]) + ". ";
  if ((*pinned)[2] != hash_of(parts[2])) changes += "Its results are others: " + quoted(parts[2]) + ". ";
  if (!changes.empty()) changes.pop_back();
  return changes;
}

Result<void> check_definition(const Value& tool) {
  const auto& name = tool.get("name");
  const auto good = [](unsigned char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '-' || c == '.' || c == '/';
  };
  if (!name.is_string() || name.empty() || name.as_string().size() > kMaxName ||
      !std::all_of(name.as_string().begin(), name.as_string().end(), good)) {
    return bad("The name of a tool has a form that the protocol does not allow.");
  }
  const auto& description = tool.get("description");
  if (!description.is_null() && !description.is_string()) return bad("The description of a tool is no text.");
  const auto& input = tool.get("inputSchema");
  if (!input.is_object()) return bad("A tool has no schema of its arguments.");
  if (tool.depth() > kMaxSchemaDepth) return bad("A tool's schema is nested too deeply.");
  if (json::to_text(tool).size() > kMaxDefinition) return bad("A tool's definition is too long.");
  return check_mirrors(tool);
}

std::vector<std::pair<std::string, std::string>> mirrored_arguments(const Value& tool, const Value& arguments) {
  std::vector<std::pair<std::string, std::string>> fields;
  for (const auto& property : properties_of(tool)) {
    const auto* field = property.value.find(kMirror);
    const auto& value = arguments.get(property.name());
    if (field == nullptr || !field->is_string() || value.is_null() || value.is_array() || value.is_object()) continue;
    fields.emplace_back("Mcp-Param-" + std::string(field->as_string()),
                        field_of(value.is_string() ? std::string(value.as_string()) : json::to_text(value)));
  }
  return fields;
}

}  // namespace pawl::mcp
