#include "identity/api_keys.hpp"

#include <fmt/core.h>

#include "crypto/crypto.hpp"
#include "identity/detail/session_rows.hpp"
#include "storage/database.hpp"

namespace pawl::identity {
namespace {

constexpr std::string_view kPrefix = "pawl_";
constexpr std::size_t kSecretCharacters = 43;
constexpr std::size_t kShownCharacters = kPrefix.size() + 6;
constexpr std::size_t kMaxNameBytes = 100;

Finding finding(std::string pointer, std::string message) {
  Finding out;
  out.pointer = std::move(pointer);
  out.message = std::move(message);
  out.rule = "api-key";
  return out;
}

Error not_found() { return {ErrorClass::not_found, "api_key.not_found", "There is no API key of this id."}; }

/// Scopes by name, each one that the principal has; complains about the others.
Scopes read_scopes(const Principal& principal, const OrganizationId& organization, const std::vector<std::string>& names,
                   Findings& findings) {
  Scopes scopes;
  if (names.empty()) findings.push_back(finding("/scopes", "A key needs at least one scope."));
  for (std::size_t i = 0; i < names.size(); ++i) {
    const auto pointer = fmt::format("/scopes/{}", i);
    const auto permission = parse_permission(names[i]);
    if (!permission || *permission == Permission::open) {
      findings.push_back(finding(pointer, "There is no such scope: account, read, execute, write, manage, own, administer."));
    } else if (!principal.permits(*permission, organization)) {
      findings.push_back(finding(pointer, "You do not have this permission in the organization yourself."));
    } else {
      scopes.add(*permission);
    }
  }
  return scopes;
}

}  // namespace

bool is_api_key(std::string_view text) { return text.starts_with(kPrefix) && text.size() == kPrefix.size() + kSecretCharacters; }

Result<void> ApiKeys::record(storage::Transaction& transaction, const AccountEvent& event) const {
  return d_.witness.record ? d_.witness.record(transaction, event) : Result<void>();
}

Result<IssuedApiKey> ApiKeys::create(const Principal& principal, const OrganizationId& organization, const NewApiKey& request) {
  const auto now = d_.clock.now();
  Findings findings;
  if (request.name.empty() || request.name.size() > kMaxNameBytes) {
    findings.push_back(finding("/name", fmt::format("A name has 1 to {} bytes.", kMaxNameBytes)));
  }
  if (request.expires_at && *request.expires_at <= now) findings.push_back(finding("/expires_at", "This time has passed."));
  if (principal.expires_at && principal.kind == Principal::Kind::api_key &&
      (!request.expires_at || *request.expires_at > *principal.expires_at)) {
    findings.push_back(finding("/expires_at", "A key that is made with another one ends no later than that one."));
  }
  const auto scopes = read_scopes(principal, organization, request.scopes, findings);
  if (!findings.empty()) {
    return Error(ErrorClass::unprocessable, "api_key.invalid", "The key cannot be made as asked.", std::move(findings));
  }
  IssuedApiKey issued;
  issued.secret = std::string(kPrefix) + crypto::random_token();
  issued.key.id = ApiKeyId::make(now, d_.random);
  issued.key.user = principal.user;
  issued.key.organization = organization;
  issued.key.name = request.name;
  issued.key.prefix = issued.secret.substr(0, kShownCharacters);
  issued.key.scopes = scopes;
  issued.key.created_at = now;
  issued.key.expires_at = request.expires_at;
  const auto digest = crypto::hash(issued.secret);
  const std::string hash(digest.begin(), digest.end());
  const AccountEvent event{.action = "api_key.created", .user = principal.user, .organization = organization, .api_key = issued.key.id};
  const auto work = [&](storage::Transaction& transaction) -> Result<void> {
    PAWL_TRY(count, detail::count_api_keys(transaction, principal.user));
    if (count >= kMaxApiKeysPerUser) {
      return Error(ErrorClass::conflict, "api_key.limit",
                   fmt::format("One user has at most {} keys; revoke one first.", kMaxApiKeysPerUser));
    }
    PAWL_TRY_VOID(detail::insert_api_key(transaction, issued.key, hash));
    return record(transaction, event);
  };
  PAWL_TRY_VOID(d_.database.write_and_wait(work));
  if (d_.witness.report) d_.witness.report(event);
  return issued;
}

Result<ApiKeyPage> ApiKeys::list(const UserId& user, std::uint32_t limit, const std::optional<ApiKeyId>& before) {
  return d_.database.read([&](storage::Session& session) -> Result<ApiKeyPage> {
    ApiKeyPage page;
    PAWL_TRY(keys, detail::load_api_keys(session, user, limit + 1, before));
    page.keys = std::move(keys);
    if (page.keys.size() > limit) {
      page.keys.resize(limit);
      page.next = page.keys.back().id;
    }
    return page;
  });
}

Result<ApiKey> ApiKeys::get(const UserId& user, const ApiKeyId& id) {
  return d_.database.read([&](storage::Session& session) -> Result<ApiKey> {
    PAWL_TRY(key, detail::load_api_key(session, user, id));
    if (!key) return not_found();
    return std::move(*key);
  });
}

Result<void> ApiKeys::revoke(const UserId& user, const ApiKeyId& id) {
  const auto now = d_.clock.now();
  AccountEvent event{.action = "api_key.revoked", .user = user, .api_key = id};
  const auto work = [&](storage::Transaction& transaction) -> Result<void> {
    PAWL_TRY(key, detail::load_api_key(transaction, user, id));
    PAWL_TRY(revoked, detail::revoke_api_key(transaction, user, id, now));
    if (!key || !revoked) return not_found();
    event.organization = key->organization;
    return record(transaction, event);
  };
  PAWL_TRY_VOID(d_.database.write_and_wait(work));
  d_.authenticator.forget(id);
  if (d_.witness.report) d_.witness.report(event);
  return {};
}

}  // namespace pawl::identity
