/// Identifiers: UUIDv7 (RFC 9562 section 5.7), as strong types that do not mix.
#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <cstring>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/time.hpp"

namespace pawl {

/// Where random numbers come from. Implementations are thread-safe; the simulator's is seeded.
class Random {
 public:
  Random() = default;
  Random(const Random&) = delete;
  Random& operator=(const Random&) = delete;
  virtual ~Random() = default;
  [[nodiscard]] virtual std::uint64_t next() = 0;
};

/// Cryptographically strong, thread-safe (libsodium).
class SystemRandom final : public Random {
 public:
  SystemRandom();
  [[nodiscard]] std::uint64_t next() override;
};

/// 16 bytes in network order: byte order is creation order for UUIDv7.
struct Uuid {
  std::array<std::uint8_t, 16> bytes{};

  friend auto operator<=>(const Uuid&, const Uuid&) = default;  // NOLINT(modernize-use-nullptr): the check misreads the operator
  [[nodiscard]] bool is_nil() const { return *this == Uuid{}; }
  /// Lower-case 8-4-4-4-12 text.
  [[nodiscard]] std::string to_string() const;
  /// Nothing unless `text` is exactly 36 characters of 8-4-4-4-12 hexadecimal.
  [[nodiscard]] static std::optional<Uuid> parse(std::string_view text);
};

/// A new version 7 id: 48 bits of `time` in milliseconds, the rest random.
[[nodiscard]] Uuid make_uuid_v7(TimePoint time, Random& random);

/// A UUID that names one kind of thing.
template <class Tag>
struct Id {
  Uuid uuid{};

  friend auto operator<=>(const Id&, const Id&) = default;  // NOLINT(modernize-use-nullptr): the check misreads the operator
  [[nodiscard]] std::string to_string() const { return uuid.to_string(); }
  [[nodiscard]] bool is_nil() const { return uuid.is_nil(); }
  [[nodiscard]] static std::optional<Id> parse(std::string_view text) {
    const auto parsed = Uuid::parse(text);
    if (!parsed) return std::nullopt;
    return Id{*parsed};
  }
  [[nodiscard]] static Id make(TimePoint time, Random& random) { return Id{make_uuid_v7(time, random)}; }
};

using RunId = Id<struct RunTag>;
using WorkflowId = Id<struct WorkflowTag>;
using OrganizationId = Id<struct OrganizationTag>;
using ScheduleId = Id<struct ScheduleTag>;
using UserId = Id<struct UserTag>;
using SessionId = Id<struct SessionTag>;
using ApiKeyId = Id<struct ApiKeyTag>;
using InvitationId = Id<struct InvitationTag>;
using IntegrationId = Id<struct IntegrationTag>;
using AuditId = Id<struct AuditTag>;

}  // namespace pawl

template <>
struct std::hash<pawl::Uuid> {
  std::size_t operator()(const pawl::Uuid& id) const noexcept {
    std::uint64_t low = 0;  // the random half: well spread as it is
    std::memcpy(&low, id.bytes.data() + 8, sizeof low);
    return static_cast<std::size_t>(low);
  }
};
template <class Tag>
struct std::hash<pawl::Id<Tag>> {
  std::size_t operator()(const pawl::Id<Tag>& id) const noexcept { return std::hash<pawl::Uuid>{}(id.uuid); }
};
