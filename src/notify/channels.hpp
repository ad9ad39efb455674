/// Where an organization is told besides the application: Slack, and webhooks of its own. Addresses and keys lie sealed and are never
/// shown.
///
/// A webhook gets `POST` with `{organization_id, delivered_at, notifications: [{id, kind, title, count, data, updated_at}], more}` and,
/// where it has a key, `X-Pawl-Signature: t=SECONDS,v1=HEX` (HMAC-SHA256 over `t`, a point and the body: what Pawl's own webhooks check,
/// too). `X-Pawl-Delivery` is the same when a delivery is repeated. Slack's incoming webhooks get `{text}`.
///
/// Functions block, but for `test`. The organization bounds every query.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "crypto/key_ring.hpp"
#include "net/outbound.hpp"
#include "notify/notice.hpp"
#include "storage/database.hpp"
#include "storage/sealed_columns.hpp"

namespace pawl::notify {

inline constexpr std::size_t kMaxChannels = 20;  ///< per organization
inline constexpr std::size_t kMaxUrl = 2000;
inline constexpr std::size_t kMaxKey = 200;
inline constexpr storage::SealedColumn kSealedChannel{
    .name = "notification_channels.sealed_config",
    .key = storage::SealedColumn::Key::blob,
    .select = "select id, organization_id, sealed_config from notification_channels where id > $1 order by id limit $2",
    .update = "update notification_channels set sealed_config = $1 where id = $2 and sealed_config = $3"};

struct Channel {
  ChannelId id;
  OrganizationId organization;
  std::string kind;  ///< `slack`, `webhook`
  std::string name;
  std::string host;                ///< all that is shown of the address
  std::vector<std::string> kinds;  ///< of notices; empty: all
  bool is_active = true;
  bool is_signed = false;
  UserId created_by;
  TimePoint created_at{};
  TimePoint updated_at{};
  std::optional<TimePoint> last_sent_at;
  std::string last_error;
};

struct NewChannel {
  std::string kind;
  std::string name;
  std::string url;
  std::string key;  ///< of a webhook's signature; empty: none
  std::vector<std::string> kinds;
};

struct ChannelChanges {
  std::optional<std::string> name{};
  std::optional<std::string> url{};
  std::optional<std::string> key{};  ///< empty: no signature any more
  std::optional<std::vector<std::string>> kinds{};
  std::optional<bool> is_active{};
};

/// What is told at once.
struct Digest {
  struct Line {
    NotificationId id;
    std::string kind;
    std::string title;
    json::Value data;
    std::int64_t count = 1;
    TimePoint updated_at{};
  };
  OrganizationId organization;
  std::vector<Line> lines;  ///< the newest last
  /// Those that are not shown, with their counts.
  std::vector<std::pair<NotificationId, std::int64_t>> more{};
};
/// For people: a line each.
[[nodiscard]] std::string text_of(const Digest& digest);

class Channels {
 public:
  struct Dependencies {
    storage::Database& database;
    const crypto::KeyRing& seals;
    net::Outbound& outbound;
    const Clock& clock;
    Random& random;
    std::string public_url;  ///< start of links
  };
  explicit Channels(Dependencies dependencies) : d_(std::move(dependencies)) {}

  [[nodiscard]] Result<std::vector<Channel>> list(const OrganizationId& organization);
  /// Errors: `notification_channel.invalid` (422), `.exists`, `.too_many`.
  [[nodiscard]] Result<Channel> create(const OrganizationId& organization, const UserId& by, const NewChannel& wish);
  [[nodiscard]] Result<Channel> update(const OrganizationId& organization, const ChannelId& id, const ChannelChanges& changes);
  [[nodiscard]] Result<void> remove(const OrganizationId& organization, const ChannelId& id);
  /// Error `notification_channel.not_found`.
  [[nodiscard]] Result<OrganizationId> owner(const ChannelId& id);

  /// Sends a digest. `done` comes once, on a thread of the network client or inside: an error says why it was not taken.
  void send(const OrganizationId& organization, const ChannelId& id, const Digest& digest, std::function<void(Result<void>)> done);
  /// Sends a line that says that it is a test.
  void test(const OrganizationId& organization, const ChannelId& id, std::function<void(Result<void>)> done);

 private:
  struct Stored {
    Channel shown;
    std::string sealed;
  };
  struct Address {
    std::string url;
    std::string key;
  };
  [[nodiscard]] Result<Stored> find(storage::Session& session, const OrganizationId& organization, const ChannelId& id) const;
  [[nodiscard]] std::string seal(const Channel& channel, const Address& address) const;
  [[nodiscard]] Result<Address> open(const Stored& stored) const;

  Dependencies d_;
};

}  // namespace pawl::notify
