#include "app/sign_in.hpp"

#include <gtest/gtest.h>

namespace pawl::app {
namespace {

using Kind = identity::OAuthProvider::Kind;

TEST(SignInProviders, P1_GoogleAndGitHubAreKnownAndAnyOtherIsNamedByItsIssuer) {
  config::Config config;
  EXPECT_TRUE(sign_in_providers(config, "https://pawl.example.org").empty());
  config.google = {"google-id", "google-secret", ""};
  config.github = {"github-id", "github-secret", ""};
  config.oidc = {"other-id", "other-secret", "https://elsewhere.example.org/back"};
  config.oidc_issuer = "https://id.example.com";
  const auto providers = sign_in_providers(config, "https://pawl.example.org");
  ASSERT_EQ(providers.size(), 3U);
  const auto expect = [&](std::size_t place, std::string_view name, Kind kind, std::string_view issuer, std::string_view redirect) {
    EXPECT_EQ(providers[place].name, name);
    EXPECT_EQ(providers[place].kind, kind) << name;
    EXPECT_EQ(providers[place].issuer, issuer) << name;
    EXPECT_EQ(providers[place].redirect_uri, redirect) << name;
  };
  // Google's documents name this issuer, and tokens of any other are refused.
  expect(0, "google", Kind::oidc, "https://accounts.google.com", "https://pawl.example.org/api/auth/google/callback");
  expect(1, "github", Kind::github, "", "https://pawl.example.org/api/auth/github/callback");
  expect(2, "oidc", Kind::oidc, "https://id.example.com", "https://elsewhere.example.org/back");
  EXPECT_EQ(providers[0].client_id + providers[0].client_secret, "google-idgoogle-secret");
}

}  // namespace
}  // namespace pawl::app
