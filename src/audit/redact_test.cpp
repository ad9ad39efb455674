#include "audit/redact.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "json/parse.hpp"
#include "json/write.hpp"

namespace pawl::audit {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

json::Value parsed(std::string_view text) { return json::parse(text).value(); }

// proves: FA-11
TEST(Redact, FA_11_HidesValuesByTheNameTheyStandUnder) {
  for (const auto* const name :
       {"password",      "Password",      "db_password",         "token",       "access_token", "refreshToken",      "secret",
        "client_secret", "Authorization", "Proxy-Authorization", "api_key",     "apiKey",       "X-API-Key",         "cookie",
        "Set-Cookie",    "private_key",   "session_id",          "otp",         "credentials",  "connection_string", "passphrase",
        "secret_key",    "csrf-token",    "signature",           "backup_codes"}) {
    EXPECT_TRUE(is_secret_name(name)) << name;
  }
  for (const auto* const name :
       {"name", "tokens", "max_tokens", "keyboard", "monkey", "password_hint_shown", "secretary", "key", "url", "shotp"}) {
    EXPECT_FALSE(is_secret_name(name)) << name;
  }
}

TEST(Redact, HidesWholeContainersUnderASecretNameAndLeavesTheRest) {
  const Redactor redactor;
  const auto clean = redactor.value(
      parsed(R"({"url":"https://x","headers":{"Authorization":["Bearer a","b"],"Accept":"*/*"},"cookie":{"a":1},"token":null})"));
  EXPECT_EQ(json::to_text(clean),
            R"({"url":"https://x","headers":{"Authorization":"[redacted]","Accept":"*/*"},"cookie":"[redacted]","token":null})");
}

// Check 29 of the security list.
TEST(Redact, FindsASecretInEveryFormThatItMayTurnUpIn) {
  const std::string secret = "pa55 w0rd/with+\"odd\" charact\xc3\xa9rs";
  Needles needles;
  needles.add(secret);
  const Redactor redactor(std::move(needles));
  struct Case {
    const char* form;
    std::string text;
  };
  const std::vector<Case> cases{
      {"plain", "say " + secret + " aloud"},
      {"in JSON", json::to_text(json::Value::object({{"a", secret}}))},
      {"hexadecimal",
       "70613535207730"
       "72642f776974682b226f6464222063686172616374c3a97273"},
      {"upper-case hexadecimal", "7061353520773072642F776974682B226F6464222063686172616374C3A97273"},
      {"URL", "q=pa55%20w0rd%2Fwith%2B%22odd%22%20charact%C3%A9rs&x"},
      {"URL, lower case", "q=pa55%20w0rd%2fwith%2b%22odd%22%20charact%c3%a9rs&x"},
      {"form", "q=pa55+w0rd%2Fwith%2B%22odd%22+charact%C3%A9rs&x"},
      {"base64", "cGE1NSB3MHJkL3dpdGgrIm9kZCIgY2hhcmFjdMOpcnM="},
      {"base64 after one byte", "OnBhNTUgdzByZC93aXRoKyJvZGQiIGNoYXJhY3TDqXJz"},       // ":" + secret
      {"base64 after two bytes", "dTpwYTU1IHcwcmQvd2l0aCsib2RkIiBjaGFyYWN0w6lycw=="},  // "u:" + secret
      {"base64 with more behind", "cGE1NSB3MHJkL3dpdGgrIm9kZCIgY2hhcmFjdMOpcnM6dXNlcg=="},
  };
  for (const auto& each : cases) {
    const auto clean = redactor.text(each.text);
    EXPECT_THAT(clean, HasSubstr(std::string(kRedacted))) << each.form;
    EXPECT_NE(clean, each.text) << each.form;
  }
}

TEST(Redact, FindsURLSafeBase64) {
  const std::string secret = "\xfb\xff\xfe~~~?>>secret-value";
  Needles needles;
  needles.add(secret);
  bool found = false;
  EXPECT_EQ(needles.replace("x-__-fn5-Pz4-c2VjcmV0LXZhbHVl-", found).find("c2VjcmV0"), std::string::npos);
}

TEST(Redact, TakesSecretsAtAnyDepthAndKeysLineByLine) {
  const auto needles = Needles::of(parsed(
      R"({"a":{"b":["deep-secret-1"]},"pem":"-----BEGIN KEY-----\nMIIEvQIBADANBgkq\nhkiG9w0BAQEFAASC\n-----END KEY-----\n","pin":123456789,"short":"abc"})"));
  EXPECT_TRUE(needles.occur_in("x deep-secret-1 y"));
  EXPECT_TRUE(needles.occur_in("only hkiG9w0BAQEFAASC of it"));
  EXPECT_TRUE(needles.occur_in("pin=123456789"));
  EXPECT_FALSE(needles.occur_in("abc"));
  EXPECT_FALSE(needles.occur_in("-----BEGIN KEY-----"));
}

TEST(Redact, HidesSecretsInNamesAndNumbersToo) {
  const Redactor redactor;
  const auto needles = Needles::of(parsed(R"({"a":"secret-name","b":987654321})"));
  const auto clean = json::to_text(redactor.value(parsed(R"({"secret-name":1,"n":[987654321]})"), {}, &needles));
  EXPECT_EQ(clean, R"({"[redacted]":1,"n":["[redacted]"]})");
}

TEST(Redact, MasksEmailAddressesWhereAsked) {
  const Redactor redactor;
  const RedactOptions options{.mask_emails = true};
  EXPECT_EQ(redactor.text("mail anna.b+c@example.com, <z@sub.example.org>!", options), "mail a***@example.com, <z***@sub.example.org>!");
  EXPECT_EQ(redactor.text("user@host and @name", options), "user@host and @name");
  EXPECT_EQ(redactor.text("anna@example.com", {}), "anna@example.com");
}

TEST(Redact, BoundsTextsItemsAndDepth) {
  const Redactor redactor;
  const RedactOptions options{.max_text = 5, .max_items = 2, .max_depth = 2};
  EXPECT_EQ(redactor.text("abcd\xc3\xa9\xc3\xa9", options), "abcd... (cut)");
  EXPECT_EQ(json::to_text(redactor.value(parsed("[1,2,3,4]"), options)), R"x([1,2,"... (2 more)"])x");
  EXPECT_EQ(json::to_text(redactor.value(parsed(R"({"a":1,"b":[[1]],"c":3})"), options)), R"({"a":1,"b":["[too deep]"],"...":"1 more"})");
}

TEST(Redact, SharesWhatHasNothingToHide) {
  const Redactor redactor;
  const auto value = parsed(R"({"a":"some text"})");
  EXPECT_TRUE(redactor.value(value).get("a").same_storage(value.get("a")));
}

}  // namespace
}  // namespace pawl::audit
