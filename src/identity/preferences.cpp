#include "identity/preferences.hpp"

#include <algorithm>

#include "identity/detail/accounts_impl.hpp"
#include "json/parse.hpp"
#include "json/write.hpp"

namespace pawl::identity {
namespace {

Error no_user() { return {ErrorClass::not_found, "user.not_found", "There is no user of this id."}; }

}  // namespace

std::string_view to_text(Theme theme) { return kThemes.at(static_cast<std::size_t>(theme)); }

std::optional<Theme> parse_theme(std::string_view text) {
  const auto* const found = std::find(kThemes.begin(), kThemes.end(), text);
  if (found == kThemes.end()) return std::nullopt;
  return static_cast<Theme>(found - kThemes.begin());
}

bool may_be_time_zone(std::string_view name) {
  if (name.empty()) return true;
  if (name.size() > kMaxTimeZone || name.front() == '/' || name.back() == '/') return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '/' || c == '_' || c == '+' || c == '-';
  });
}

std::string to_json(const Preferences& preferences) {
  return json::to_text(json::Value::object(
      {{"theme", to_text(preferences.theme)}, {"time_zone", preferences.time_zone}, {"letter_shortcuts", preferences.letter_shortcuts}}));
}

Preferences preferences_of(std::string_view text) {
  Preferences preferences;
  const auto parsed = json::parse(text);
  if (parsed.has_error() || !parsed->is_object()) return preferences;
  const auto& theme = parsed->get("theme");
  if (theme.is_string()) preferences.theme = parse_theme(theme.as_string()).value_or(Theme::system);
  const auto& zone = parsed->get("time_zone");
  if (zone.is_string() && may_be_time_zone(zone.as_string())) preferences.time_zone = std::string(zone.as_string());
  const auto& letters = parsed->get("letter_shortcuts");
  if (letters.is_bool()) preferences.letter_shortcuts = letters.as_bool();
  return preferences;
}

Result<std::optional<Preferences>> Accounts::preferences(const UserId& user) {
  std::optional<std::optional<Preferences>> found;
  PAWL_TRY_VOID(impl_->d.database.read([&](storage::Session& session) {
    found.reset();
    return detail::load_preferences(session, user, found);
  }));
  if (!found) return no_user();
  return *found;
}

Result<Preferences> Accounts::change_preferences(const UserId& user, const PreferencesChange& change) {
  if (change.time_zone && !may_be_time_zone(*change.time_zone)) {
    return field_error("auth.invalid_time_zone", "/time_zone",
                       "A time zone is named as in `Europe/Berlin` or `UTC`; empty is that of the browser.");
  }
  Preferences changed;
  // What two tabs choose at the same time is kept of both: each names only what it changes.
  const auto work = [&](storage::Transaction& transaction) -> Result<void> {
    std::optional<std::optional<Preferences>> before;
    PAWL_TRY_VOID(detail::load_preferences(transaction, user, before));
    if (!before) return no_user();
    changed = before->value_or(Preferences{});
    if (change.theme) changed.theme = *change.theme;
    if (change.time_zone) changed.time_zone = *change.time_zone;
    if (change.letter_shortcuts) changed.letter_shortcuts = *change.letter_shortcuts;
    return detail::store_preferences(transaction, user, changed);
  };
  PAWL_TRY_VOID(impl_->d.database.write_and_wait(work));
  return changed;
}

}  // namespace pawl::identity
