#include "http/cookies.hpp"

#include <gmock/gmock.h>

namespace pawl::http {
namespace {

constexpr CookieRules kSecure{.secure = true};
constexpr CookieRules kPlain{.secure = false};

Request request_with(std::initializer_list<std::string_view> lines) {
  Request request;
  for (const auto line : lines) request.headers.add("Cookie", line);
  return request;
}

// proves: S4-D2
TEST(Cookies, AreForThisHostAloneAndHiddenFromScripts) {
  EXPECT_EQ(set_cookie({.name = "pawl_session", .value = "abc.DEF-1_2", .max_age = std::chrono::hours(1)}, kSecure),
            "__Host-pawl_session=abc.DEF-1_2; Path=/; Max-Age=3600; Secure; HttpOnly; SameSite=Lax");
  EXPECT_EQ(set_cookie({.name = "pawl_csrf", .value = "x", .http_only = false, .same_site = SameSite::strict}, kSecure),
            "__Host-pawl_csrf=x; Path=/; Secure; SameSite=Strict");
}

TEST(Cookies, StandWithoutPrefixOverPlainHttp) {
  EXPECT_EQ(set_cookie({.name = "pawl_session", .value = "x"}, kPlain), "pawl_session=x; Path=/; HttpOnly; SameSite=Lax");
}

TEST(Cookies, AreForgottenByAnAgeOfZero) {
  EXPECT_EQ(clear_cookie("pawl_session", kSecure), "__Host-pawl_session=; Path=/; Max-Age=0; Secure; HttpOnly; SameSite=Lax");
  EXPECT_EQ(set_cookie({.name = "a", .value = "b", .max_age = std::chrono::seconds(-5)}, kPlain),
            "a=b; Path=/; Max-Age=0; HttpOnly; SameSite=Lax");
}

TEST(CookiesDeathTest, NeverCarryWhatWouldEndThem) {
  for (const auto* value : {"a;b", "a,b", "a b", "a\r\nSet-Cookie: x=y", "a\"b", "a\\b", "\x7F"}) {
    EXPECT_DEATH(static_cast<void>(set_cookie({.name = "a", .value = value}, kPlain)), "cookie's value");
  }
  EXPECT_DEATH(static_cast<void>(set_cookie({.name = "a=b", .value = "x"}, kPlain)), "cookie's name");
}

TEST(Cookies, AreReadByName) {
  const auto request = request_with({"theme=dark; __Host-pawl_session=abc; x=1", "other=2"});
  EXPECT_EQ(cookie_value(request, "pawl_session", kSecure), "abc");
  EXPECT_EQ(cookie_value(request, "other", kPlain), "2");
  EXPECT_EQ(cookie_value(request, "theme", kPlain), "dark");
  EXPECT_EQ(cookie_value(request, "missing", kPlain), std::nullopt);
}

TEST(Cookies, OverHttpsCountOnlyWithTheirPrefix) {
  const auto planted = request_with({"pawl_session=planted"});
  EXPECT_EQ(cookie_value(planted, "pawl_session", kSecure), std::nullopt);
  EXPECT_EQ(cookie_value(planted, "pawl_session", kPlain), "planted");
  const auto both = request_with({"pawl_session=planted; __Host-pawl_session=ours"});
  EXPECT_EQ(cookie_value(both, "pawl_session", kSecure), "ours");
}

TEST(Cookies, AreRefusedWhereTwoHaveTheSameName) {
  EXPECT_EQ(cookie_value(request_with({"s=a; s=b"}), "s", kPlain), std::nullopt);
  EXPECT_EQ(cookie_value(request_with({"s=a", "s=a"}), "s", kPlain), std::nullopt);
}

TEST(Cookies, AreIgnoredWhereMalformed) {
  for (const auto* line : {"", ";", "=;", "s", "s=", "s=\"quoted\"", "s=a b", "s=a\\b", "S=case", " = s", ";;s ;"}) {
    EXPECT_EQ(cookie_value(request_with({line}), "s", kPlain), std::nullopt) << line;
  }
  EXPECT_EQ(cookie_value(request_with({" ;; s = a ;"}), "s", kPlain), "a");
}

}  // namespace
}  // namespace pawl::http
