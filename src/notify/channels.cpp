#include "notify/channels.hpp"

#include <fmt/core.h>

#include <algorithm>

#include "json/parse.hpp"
#include "json/write.hpp"
#include "net/uri.hpp"

namespace pawl::notify {
namespace {

using json::Value;
using storage::Row;
using storage::Session;
using storage::Transaction;

constexpr Millis kPatience{10'000};
constexpr std::size_t kMaxAnswer = 64U << 10U;

Error not_found() { return {ErrorClass::not_found, "notification_channel.not_found", "There is no notification channel of this id."}; }
Error invalid(std::string why) { return {ErrorClass::unprocessable, "notification_channel.invalid", std::move(why)}; }
Error name_taken() { return {ErrorClass::conflict, "notification_channel.exists", "Another channel has this name."}; }

Result<std::string> host_of(const std::string& url) {
  auto host = net::host_of(url);
  if (host.empty() || url.size() > kMaxUrl) return invalid("`url` must be an http or https address.");
  return host;
}

/// `,a,b,`: what `like '%,a,%'` finds.
std::string joined(const std::vector<std::string>& kinds) {
  if (kinds.empty()) return {};
  std::string text = ",";
  for (const auto& kind : kinds) text.append(kind).append(",");
  return text;
}

std::vector<std::string> split(std::string_view text) {
  std::vector<std::string> kinds;
  while (text.size() > 1) {
    text.remove_prefix(1);
    const auto end = text.find(',');
    if (end == std::string_view::npos) break;
    kinds.emplace_back(text.substr(0, end));
    text.remove_prefix(end);
  }
  return kinds;
}

Result<void> check_kinds(const std::vector<std::string>& kinds) {
  for (const auto& kind : kinds) {
    if (std::find(kKinds.begin(), kKinds.end(), kind) == kKinds.end()) return invalid("`kinds` names a kind that does not exist.");
  }
  return {};
}

/// Slack takes these three as marks of its own.
std::string slack_text(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '&') {
      out += "&amp;";
    } else if (c == '<') {
      out += "&lt;";
    } else if (c == '>') {
      out += "&gt;";
    } else {
      out += c;
    }
  }
  return out;
}

Value webhook_body(const Digest& digest, TimePoint now) {
  auto list = Value::array();
  for (const auto& line : digest.lines) {
    list.push_back(Value::object({{"id", line.id.to_string()},
                                  {"kind", line.kind},
                                  {"title", line.title},
                                  {"count", line.count},
                                  {"data", line.data},
                                  {"updated_at", to_rfc3339(line.updated_at)}}));
  }
  return Value::object({{"organization_id", digest.organization.to_string()},
                        {"delivered_at", to_rfc3339(now)},
                        {"notifications", std::move(list)},
                        {"more", digest.more.size()}});
}

/// The same for the same lines, so that a receiver knows a repetition.
std::string delivery_of(const ChannelId& channel, const Digest& digest) {
  auto text = channel.to_string();
  for (const auto& line : digest.lines) text += fmt::format("\n{} {}", line.id.to_string(), line.count);
  return crypto::hmac_sha256_hex("pawl delivery", text).substr(0, 32);
}

constexpr std::string_view kColumns =
    "select id, organization_id, kind, name, host, sealed_config, kinds, is_active, created_by, created_at, updated_at, last_sent_at, "
    "last_error from notification_channels where organization_id = $1 order by name";
constexpr std::string_view kOne =
    "select id, organization_id, kind, name, host, sealed_config, kinds, is_active, created_by, created_at, updated_at, last_sent_at, "
    "last_error from notification_channels where organization_id = $1 and id = $2";

}  // namespace

std::string text_of(const Digest& digest) {
  std::string text;
  for (const auto& line : digest.lines) {
    text += line.title;
    if (line.count > 1) text += fmt::format(" ({} times)", line.count);
    text += "\n";
  }
  if (!digest.more.empty()) text += fmt::format("and {} more\n", digest.more.size());
  return text;
}

std::string Channels::seal(const Channel& channel, const Address& address) const {
  return d_.seals.seal(json::to_text(Value::object({{"url", address.url}, {"key", address.key}})),
                       {kSealedChannel.name, channel.id, channel.organization});
}

Result<Channels::Address> Channels::open(const Stored& stored) const {
  PAWL_TRY(text, d_.seals.open(stored.sealed, {kSealedChannel.name, stored.shown.id, stored.shown.organization}));
  PAWL_TRY(value, json::parse(text));
  return Address{std::string(value.get("url").as_string()), std::string(value.get("key").as_string())};
}

Result<Channels::Stored> Channels::find(Session& session, const OrganizationId& organization, const ChannelId& id) const {
  std::optional<Stored> found;
  const auto take = [&](const Row& row) {
    auto& stored = found.emplace();
    auto& shown = stored.shown;
    shown.id = row.id<ChannelId>(0);
    shown.organization = row.id<OrganizationId>(1);
    shown.kind = row.text(2);
    shown.name = row.text(3);
    shown.host = row.text(4);
    stored.sealed = row.blob(5);
    shown.kinds = split(row.text(6));
    shown.is_active = row.boolean(7);
    shown.created_by = row.id<UserId>(8);
    shown.created_at = row.time(9);
    shown.updated_at = row.time(10);
    shown.last_sent_at = row.optional_time(11);
    shown.last_error = row.text(12);
  };
  PAWL_TRY_VOID(session.query(kOne, {organization, id}, take));
  if (!found) return not_found();
  PAWL_TRY(address, open(*found));
  found->shown.is_signed = !address.key.empty();
  return std::move(*found);
}

Result<std::vector<Channel>> Channels::list(const OrganizationId& organization) {
  std::vector<Channel> channels;
  const auto reading = [&](Session& session) -> Result<void> {
    std::vector<ChannelId> ids;
    PAWL_TRY_VOID(session.query(kColumns, {organization}, [&](const Row& row) { ids.push_back(row.id<ChannelId>(0)); }));
    for (const auto& id : ids) {
      PAWL_TRY(stored, find(session, organization, id));
      channels.push_back(std::move(stored.shown));
    }
    return {};
  };
  PAWL_TRY_VOID(d_.database.read(reading));
  return channels;
}

Result<Channel> Channels::create(const OrganizationId& organization, const UserId& by, const NewChannel& wish) {
  Channel channel;
  PAWL_TRY(host, host_of(wish.url));
  PAWL_TRY_VOID(check_kinds(wish.kinds));
  if (wish.kind == "slack" && !wish.key.empty()) return invalid("Slack takes no key: its address is the secret.");
  channel.id = ChannelId::make(d_.clock.now(), d_.random);
  channel.organization = organization;
  channel.kind = wish.kind;
  channel.name = wish.name;
  channel.host = std::move(host);
  channel.kinds = wish.kinds;
  channel.is_signed = !wish.key.empty();
  channel.created_by = by;
  channel.created_at = channel.updated_at = d_.clock.now();
  const auto sealed = seal(channel, {wish.url, wish.key});
  const auto writing = [&](Transaction& transaction) -> Result<void> {
    std::int64_t count = 0;
    bool taken = false;
    PAWL_TRY_VOID(
        transaction.query("select name from notification_channels where organization_id = $1", {organization}, [&](const Row& row) {
          ++count;
          taken = taken || row.text(0) == channel.name;
        }));
    if (taken) return name_taken();
    if (count >= static_cast<std::int64_t>(kMaxChannels)) {
      return Error(ErrorClass::limited, "notification_channel.too_many", "The organization has as many channels as it may have.");
    }
    const auto creator = by.is_nil() ? std::nullopt : std::optional(by);
    return transaction.queue(
        "insert into notification_channels (id, organization_id, kind, name, host, sealed_config, kinds, is_active, created_by, "
        "created_at, updated_at) values ($1, $2, $3, $4, $5, $6, $7, 1, $8, $9, $9)",
        {channel.id, organization, channel.kind, channel.name, channel.host, storage::Parameter::blob(sealed), joined(channel.kinds),
         creator, channel.created_at});
  };
  PAWL_TRY_VOID(d_.database.write_and_wait(writing));
  return channel;
}

Result<Channel> Channels::update(const OrganizationId& organization, const ChannelId& id, const ChannelChanges& changes) {
  Channel channel;
  const auto writing = [&](Transaction& transaction) -> Result<void> {
    PAWL_TRY(stored, find(transaction, organization, id));
    PAWL_TRY(address, open(stored));
    channel = std::move(stored.shown);
    if (changes.url) {
      PAWL_TRY(host, host_of(*changes.url));
      channel.host = std::move(host);
      address.url = *changes.url;
    }
    if (changes.key) address.key = *changes.key;
    if (channel.kind == "slack" && !address.key.empty()) return invalid("Slack takes no key: its address is the secret.");
    if (changes.kinds) {
      PAWL_TRY_VOID(check_kinds(*changes.kinds));
      channel.kinds = *changes.kinds;
    }
    if (changes.is_active) channel.is_active = *changes.is_active;
    if (changes.name && *changes.name != channel.name) {
      channel.name = *changes.name;
      bool taken = false;
      PAWL_TRY_VOID(transaction.query("select 1 from notification_channels where organization_id = $1 and name = $2",
                                      {organization, channel.name}, [&](const Row&) { taken = true; }));
      if (taken) return name_taken();
    }
    channel.is_signed = !address.key.empty();
    channel.updated_at = d_.clock.now();
    const auto sealed = seal(channel, address);
    PAWL_TRY_VOID(transaction.queue(
        "update notification_channels set name = $3, host = $4, sealed_config = $5, kinds = $6, is_active = $7, updated_at = $8 "
        "where organization_id = $1 and id = $2",
        {organization, id, channel.name, channel.host, storage::Parameter::blob(sealed), joined(channel.kinds), channel.is_active ? 1 : 0,
         channel.updated_at}));
    if (channel.is_active) return {};
    return transaction.queue("delete from notification_queue where organization_id = $1 and target = $2", {organization, id});
  };
  PAWL_TRY_VOID(d_.database.write_and_wait(writing));
  return channel;
}

Result<void> Channels::remove(const OrganizationId& organization, const ChannelId& id) {
  return d_.database.write_and_wait([&](Transaction& transaction) -> Result<void> {
    PAWL_TRY(removed, transaction.execute("delete from notification_channels where organization_id = $1 and id = $2", {organization, id}));
    if (removed == 0) return not_found();
    PAWL_TRY_VOID(transaction.queue("delete from notification_queue where organization_id = $1 and target = $2", {organization, id}));
    return transaction.queue("delete from notification_targets where organization_id = $1 and target = $2", {organization, id});
  });
}

Result<OrganizationId> Channels::owner(const ChannelId& id) {
  std::optional<OrganizationId> found;
  PAWL_TRY_VOID(d_.database.read([&](Session& session) {
    return session.query("select organization_id from notification_channels where id = $1", {id},
                         [&](const Row& row) { found = row.id<OrganizationId>(0); });
  }));
  if (!found) return not_found();
  return *found;
}

void Channels::send(const OrganizationId& organization, const ChannelId& id, const Digest& digest, std::function<void(Result<void>)> done) {
  std::string kind;
  auto found = d_.database.read([&](Session& session) -> Result<Address> {
    PAWL_TRY(stored, find(session, organization, id));
    kind = stored.shown.kind;
    return open(stored);
  });
  if (found.has_error()) return done(found.error());
  const auto now = d_.clock.now();
  net::OutboundRequest request;
  request.method = "POST";
  request.url = found->url;
  request.timeout = kPatience;
  request.follow_redirects = false;
  request.max_response_bytes = kMaxAnswer;
  request.headers = {{"Content-Type", "application/json"}, {"X-Pawl-Delivery", delivery_of(id, digest)}};
  if (kind == "slack") {
    request.body = json::to_text(Value::object({{"text", slack_text(text_of(digest)) + d_.public_url}}));
  } else {
    request.body = json::to_text(webhook_body(digest, now));
    const auto seconds = now.time_since_epoch().count() / 1000;
    if (!found->key.empty()) {
      const auto signature = crypto::hmac_sha256_hex(found->key, fmt::format("{}.{}", seconds, request.body));
      request.headers.emplace_back("X-Pawl-Signature", fmt::format("t={},v1={}", seconds, signature));
    }
  }
  d_.outbound.start(std::move(request), [done = std::move(done)](const Result<net::OutboundResponse>& response) {
    // The sentence never names the address: a part of it may be the secret.
    if (response.has_error()) return done(Error(response.error().kind, response.error().code, "The channel cannot be reached."));
    if (response->status >= 200 && response->status < 300) return done({});
    done(Error(ErrorClass::unavailable, "notification_channel.refused", fmt::format("The channel answered {}.", response->status)));
  });
}

void Channels::test(const OrganizationId& organization, const ChannelId& id, std::function<void(Result<void>)> done) {
  Digest digest;
  digest.organization = organization;
  digest.lines.push_back({{}, "test", "This is a test: the channel works.", Value::object(), 1, d_.clock.now()});
  send(organization, id, digest, std::move(done));
}

}  // namespace pawl::notify
