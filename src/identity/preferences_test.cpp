#include "identity/preferences.hpp"

#include <gmock/gmock.h>

#include "identity/detail/test_support.hpp"

namespace pawl::identity {
namespace {

class PreferencesTest : public AccountsTest {
 protected:
  std::optional<Preferences> kept(const UserId& user) {
    const auto found = accounts_->preferences(user);
    EXPECT_TRUE(found.has_value()) << found.error().code;
    return found.has_value() ? *found : std::nullopt;
  }
};

TEST_F(PreferencesTest, NothingIsChosenUntilSomethingIs) {
  const auto user = sign_up().user.id;
  EXPECT_EQ(kept(user), std::nullopt);
  const auto changed = accounts_->change_preferences(user, {});
  ASSERT_TRUE(changed.has_value());
  EXPECT_EQ(*changed, Preferences{});
  EXPECT_EQ(kept(user), Preferences{});
}

TEST_F(PreferencesTest, WhatIsNotNamedStays) {
  const auto user = sign_up().user.id;
  ASSERT_TRUE(accounts_->change_preferences(user, {.theme = Theme::dark}).has_value());
  ASSERT_TRUE(accounts_->change_preferences(user, {.time_zone = "America/Argentina/Buenos_Aires"}).has_value());
  const auto changed = accounts_->change_preferences(user, {.letter_shortcuts = false});
  ASSERT_TRUE(changed.has_value());
  EXPECT_EQ(*changed, (Preferences{Theme::dark, "America/Argentina/Buenos_Aires", false}));
  EXPECT_EQ(kept(user), *changed);
  ASSERT_TRUE(accounts_->change_preferences(user, {.theme = Theme::light, .time_zone = ""}).has_value());
  EXPECT_EQ(kept(user), (Preferences{Theme::light, "", false}));
}

TEST_F(PreferencesTest, TheyAreOnePersonsAlone) {
  const auto ada = sign_up().user.id;
  const auto other = sign_up("bob@example.org").user.id;
  ASSERT_TRUE(accounts_->change_preferences(ada, {.theme = Theme::dark}).has_value());
  EXPECT_EQ(kept(other), std::nullopt);
  const auto nobody = UserId::make(clock_.now(), random_);
  EXPECT_EQ(code_of(accounts_->preferences(nobody)), "user.not_found");
  EXPECT_EQ(code_of(accounts_->change_preferences(nobody, {.theme = Theme::dark})), "user.not_found");
}

TEST_F(PreferencesTest, ATimeZoneLooksLikeOne) {
  const auto user = sign_up().user.id;
  const std::string longest(kMaxTimeZone, 'a');
  for (const auto& zone : {std::string("UTC"), std::string("Etc/GMT+1"), std::string("America/North_Dakota/New_Salem"), longest}) {
    EXPECT_TRUE(accounts_->change_preferences(user, {.time_zone = zone}).has_value()) << zone;
  }
  for (const auto& zone : {longest + "a", std::string("/etc/passwd"), std::string("Europe/"), std::string("<b>"),
                           std::string("Europe/Z\xC3\xBCrich"), std::string("a b"), std::string("..\n"), std::string("\0", 1)}) {
    EXPECT_EQ(code_of(accounts_->change_preferences(user, {.theme = Theme::dark, .time_zone = zone})), "auth.invalid_time_zone") << zone;
  }
  EXPECT_EQ(kept(user), (Preferences{Theme::system, longest, true})) << "nothing of what was refused is kept";
}

TEST_F(PreferencesTest, WhatTheDatabaseKeepsIsSmallAndReadsBack) {
  for (const auto theme : {Theme::system, Theme::light, Theme::dark}) {
    for (const bool letters : {false, true}) {
      const Preferences preferences{theme, std::string(kMaxTimeZone, 'z'), letters};
      const auto text = to_json(preferences);
      EXPECT_LE(text.size(), 200U);
      EXPECT_EQ(preferences_of(text), preferences);
    }
  }
}

TEST_F(PreferencesTest, WhatDoesNotFitKeepsNobodyOut) {
  for (const auto* text :
       {"", "{", "null", "[]", "7", R"({"theme": "pink", "time_zone": 3, "letter_shortcuts": "no"})", R"({"time_zone": "a b"})"}) {
    EXPECT_EQ(preferences_of(text), Preferences{}) << text;
  }
  EXPECT_EQ(preferences_of(R"({"theme": "dark", "more": 1})"), (Preferences{Theme::dark, "", true}));
}

}  // namespace
}  // namespace pawl::identity
