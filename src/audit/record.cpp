// Words and forms of a record.
#include <array>

#include "audit/audit.hpp"
#include "audit/detail/chain.hpp"
#include "json/write.hpp"

namespace pawl::audit {
namespace {

constexpr std::array<std::string_view, 5> kKinds{"system", "anonymous", "user", "api_key", "administrator"};
constexpr std::array<std::string_view, 4> kOutcomes{"success", "failure", "dry_run", "refused"};

template <class Enum, std::size_t n>
std::optional<Enum> find(const std::array<std::string_view, n>& words, std::string_view text) {
  for (std::size_t i = 0; i < n; ++i) {
    if (words[i] == text) return static_cast<Enum>(i);
  }
  return std::nullopt;
}

/// Members of a JSON object, one after the other.
class LineWriter {
 public:
  explicit LineWriter(std::string& out) : out_(out) { out_.push_back('{'); }
  void raw(std::string_view name, std::string_view json) {
    begin(name);
    out_ += json;
  }
  void text(std::string_view name, std::string_view value) {
    begin(name);
    json::append_quoted(out_, value);
  }
  template <class AnyId>
  void id(std::string_view name, const AnyId& value, bool present) {
    if (present) {
      text(name, value.to_string());
    } else {
      raw(name, "null");
    }
  }
  void end() { out_.push_back('}'); }

 private:
  /// The names are ours: nothing in them needs an escape.
  void begin(std::string_view name) {
    out_ += out_.size() > 1 ? ",\"" : "\"";
    out_ += name;
    out_ += "\":";
  }

  std::string& out_;
};

}  // namespace

std::string_view to_text(Actor::Kind kind) { return kKinds[static_cast<std::size_t>(kind)]; }
std::optional<Actor::Kind> parse_actor(std::string_view text) { return find<Actor::Kind>(kKinds, text); }
std::string_view to_text(Outcome outcome) { return kOutcomes[static_cast<std::size_t>(outcome)]; }
std::optional<Outcome> parse_outcome(std::string_view text) { return find<Outcome>(kOutcomes, text); }

AuditId Entry::id() const {
  AuditId id;
  auto& bytes = id.uuid.bytes;
  const auto millis = static_cast<std::uint64_t>(at.time_since_epoch().count());
  for (unsigned i = 0; i < 6; ++i) bytes[i] = static_cast<std::uint8_t>(millis >> (40 - 8 * i));
  bytes[6] = 0x70;
  for (unsigned i = 0; i < 8; ++i) bytes[8 + i] = static_cast<std::uint8_t>(sequence >> (56 - 8 * i));
  bytes[8] = static_cast<std::uint8_t>(0x80U | (bytes[8] & 0x3fU));
  return id;
}

std::optional<std::uint64_t> sequence_of(const AuditId& id) {
  const auto& bytes = id.uuid.bytes;
  if (bytes[6] != 0x70 || bytes[7] != 0 || (bytes[8] & 0xC0U) != 0x80U) return std::nullopt;
  std::uint64_t sequence = bytes[8] & 0x3fU;
  for (unsigned i = 1; i < 8; ++i) sequence = (sequence << 8U) | bytes[8 + i];
  return sequence == 0 ? std::nullopt : std::optional(sequence);
}

std::string to_line(const Entry& entry) {
  std::string out;
  out.reserve(entry.details.size() + 640);
  LineWriter line(out);
  line.text("time", to_rfc3339(entry.at));
  line.raw("sequence", std::to_string(entry.sequence));
  line.text("id", entry.id().to_string());
  line.text("action", entry.action);
  line.text("outcome", to_text(entry.outcome));
  line.id("organization_id", entry.organization.value_or(OrganizationId{}), entry.organization.has_value());
  line.text("actor", to_text(entry.actor.kind));
  line.id("user_id", entry.actor.user, !entry.actor.user.is_nil());
  line.id("api_key_id", entry.actor.api_key, !entry.actor.api_key.is_nil());
  line.text("resource_type", entry.resource.type);
  line.text("resource_id", entry.resource.id);
  line.text("network", entry.network);
  line.text("request_id", entry.request_id);
  line.id("run_id", entry.run.value_or(RunId{}), entry.run.has_value());
  line.text("task", entry.task);
  line.raw("duration_ms", entry.duration ? std::to_string(entry.duration->count()) : "null");
  line.raw("details", entry.details);
  line.text("previous_hash", detail::to_hex(entry.previous));
  line.text("hash", detail::to_hex(entry.hash));
  line.end();
  return out;
}

crypto::Key key_of(std::string_view installation_secret) { return crypto::derive_key(installation_secret, "pawl audit chain"); }

}  // namespace pawl::audit
