#include "identity/organizations.hpp"

#include <fmt/core.h>

#include "identity/detail/organization_rows.hpp"
#include "storage/database.hpp"

namespace pawl::identity {
namespace {

constexpr std::size_t kMaxSlug = 48;
constexpr std::string_view kInstallationName = "Default organization";
constexpr int kSlugAttempts = 5;

bool is_slug_character(char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); }
char to_lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

}  // namespace

std::string slug_of(std::string_view name) {
  std::string slug;
  for (const char each : name) {
    const char c = to_lower(each);
    if (is_slug_character(c)) {
      slug += c;
    } else if (!slug.empty() && slug.back() != '-') {
      slug += '-';
    }
    if (slug.size() == kMaxSlug) break;
  }
  if (!slug.empty() && slug.back() == '-') slug.pop_back();
  return slug.empty() ? "organization" : slug;
}

namespace detail {

Result<std::string> free_slug(storage::Session& session, std::string_view name, Random& random) {
  const auto base = slug_of(name);
  auto slug = base;
  for (int attempt = 0; attempt < kSlugAttempts; ++attempt) {
    PAWL_TRY(taken, slug_exists(session, slug));
    if (!taken) return slug;
    slug = fmt::format("{}-{:06x}", base, random.next() & 0xFF'FFFFU);
  }
  return Error(ErrorClass::conflict, "organization.slug_taken", "No free short name was found for this organization; choose another name.");
}

}  // namespace detail

Result<OrganizationId> create_organization(storage::Transaction& transaction, const NewOrganization& request, const UserId& owner,
                                           TimePoint now, Random& random) {
  PAWL_TRY_VOID(detail::check_texts(request.name, request.description));
  PAWL_TRY(slug, detail::free_slug(transaction, request.name, random));
  Organization organization;
  organization.id = OrganizationId::make(now, random);
  organization.name = request.name;
  organization.slug = std::move(slug);
  organization.description = request.description;
  organization.created_at = organization.updated_at = now;
  if (request.personal) organization.personal_of = owner;
  PAWL_TRY_VOID(detail::insert_organization(transaction, organization));
  PAWL_TRY_VOID(detail::insert_member(transaction, organization.id, owner, Role::owner, now));
  return organization.id;
}

Result<OrganizationId> ensure_organization(storage::Database& database, const Clock& clock, Random& random) {
  const auto now = clock.now();
  const auto fresh = OrganizationId::make(now, random).to_string();
  OrganizationId id;
  const auto work = [&](storage::Transaction& transaction) -> Result<void> {
    std::string text;
    PAWL_TRY_VOID(transaction.execute("insert into settings (key, value) values ('organization_id', $1) on conflict do nothing", {fresh}));
    PAWL_TRY_VOID(transaction.query("select value from settings where key = 'organization_id'", {},
                                    [&](const storage::Row& row) { text = std::string(row.text(0)); }));
    const auto parsed = OrganizationId::parse(text);
    if (!parsed) return Error(ErrorClass::internal, "storage.corrupt", "The setting `organization_id` is not a UUID.");
    id = *parsed;
    // Installations made before there were organizations have the setting, and workflows that belong to it, but no row.
    PAWL_TRY(known, detail::find_organization(transaction, id));
    if (known) return {};
    Organization organization;
    organization.id = id;
    organization.name = std::string(kInstallationName);
    PAWL_TRY(slug, detail::free_slug(transaction, "default", random));
    organization.slug = std::move(slug);
    organization.created_at = organization.updated_at = now;
    return detail::insert_organization(transaction, organization);
  };
  PAWL_TRY_VOID(database.write_and_wait(work));
  return id;
}

}  // namespace pawl::identity
