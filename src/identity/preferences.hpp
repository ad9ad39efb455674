/// How a person wants the interface to show things. It belongs to the person and not to a browser, so it is kept with the account:
/// `Accounts::preferences` reads it, `Accounts::change_preferences` writes it.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.hpp"

namespace pawl::identity {

enum class Theme : std::uint8_t { system, light, dark };
inline constexpr std::array<std::string_view, 3> kThemes = {"system", "light", "dark"};
inline constexpr std::size_t kMaxTimeZone = 64;

struct Preferences {
  Theme theme = Theme::system;
  std::string time_zone{};  ///< a name of the tz database; empty: that of the browser
  bool letter_shortcuts = true;

  friend bool operator==(const Preferences&, const Preferences&) = default;
};

/// What is not set stays as it is.
struct PreferencesChange {
  std::optional<Theme> theme{};
  std::optional<std::string> time_zone{};
  std::optional<bool> letter_shortcuts{};
};

[[nodiscard]] std::string_view to_text(Theme theme);
/// Nothing unless it is one of `kThemes`.
[[nodiscard]] std::optional<Theme> parse_theme(std::string_view text);
/// Empty, or written as names of the tz database are. Whether there is such a zone is for the browser to say, which shows the times and may
/// know others than this machine.
[[nodiscard]] bool may_be_time_zone(std::string_view name);

/// As the database keeps them.
[[nodiscard]] std::string to_json(const Preferences& preferences);
/// What does not fit counts as not chosen: nobody is kept out by it.
[[nodiscard]] Preferences preferences_of(std::string_view json);

}  // namespace pawl::identity
