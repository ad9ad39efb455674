#include "mail/message.hpp"

#include <gmock/gmock.h>

namespace pawl::mail {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

Message to_ada(std::string subject = "Hello", std::string text = "How are you?\n") {
  Message message;
  message.kind = "test";
  message.to = "ada@example.org";
  message.subject = std::move(subject);
  message.text = std::move(text);
  return message;
}

Envelope envelope() { return {"pawl@example.com", "id-1", TimePoint(Millis(1'764'108'060'000))}; }

TEST(Message, IsWrittenWithItsFieldsAndABase64Body) {
  const auto text = compose(to_ada(), envelope());
  ASSERT_TRUE(text.has_value());
  EXPECT_THAT(*text,
              StartsWith("From: pawl@example.com\r\nTo: ada@example.org\r\nSubject: Hello\r\nDate: Tue, 25 Nov 2025 22:01:00 +0000\r\n"
                         "Message-ID: <id-1@example.com>\r\n"));
  EXPECT_THAT(*text,
              HasSubstr("Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\nSG93IGFyZSB5b3U/Cg==\r\n"));
}

TEST(Message, HasTextAndHtmlSideBySide) {
  auto message = to_ada();
  message.html = "<p>x</p>";
  const auto text = compose(message, envelope());
  ASSERT_TRUE(text.has_value());
  EXPECT_THAT(*text, HasSubstr("multipart/alternative; boundary=\"=_pawl_id-1\""));
  EXPECT_THAT(*text, HasSubstr("text/html; charset=utf-8"));
  EXPECT_THAT(*text, HasSubstr("--=_pawl_id-1--\r\n"));
}

TEST(Message, SubjectsOutsideOfAsciiBecomeEncodedWordsThatCutNoCharacter) {
  EXPECT_THAT(*compose(to_ada("Grüße"), envelope()), HasSubstr("Subject: =?UTF-8?B?R3LDvMOfZQ==?=\r\n"));
  std::string many;
  for (int i = 0; i < 60; ++i) many += "ü";
  const auto text = *compose(to_ada(many), envelope());
  // 39 bytes hold 19 of these characters: 19, 19, 19, 3.
  std::size_t words = 0;
  for (auto at = text.find("=?UTF-8?B?"); at != std::string::npos; at = text.find("=?UTF-8?B?", at + 1)) ++words;
  EXPECT_EQ(words, 4);
}

TEST(Message, FA_18_NoFieldTakesALineBreak) {
  // security-checks 13
  EXPECT_EQ(compose(to_ada("a\r\nBcc: eve@example.org"), envelope()).error().code, "mail.invalid_message");
  EXPECT_EQ(compose(to_ada("a\nb"), envelope()).error().code, "mail.invalid_message");
  auto message = to_ada();
  message.to = "ada@example.org\r\nBcc: eve@example.org";
  EXPECT_EQ(compose(message, envelope()).error().code, "mail.invalid_message");
  auto from = envelope();
  from.from = "pawl@example.com\r\nBcc: eve@example.org";
  EXPECT_EQ(compose(to_ada(), from).error().code, "mail.invalid_message");
}

TEST(Message, LongBodiesAreCutIntoLines) {
  const auto text = *compose(to_ada("Hello", std::string(10'000, 'x')), envelope());
  for (std::size_t begin = 0; begin < text.size();) {
    const auto end = text.find("\r\n", begin);
    ASSERT_NE(end, std::string::npos);
    EXPECT_LE(end - begin, 78);
    begin = end + 2;
  }
}

TEST(Address, IsBareAndPlain) {
  for (const auto* good : {"a@b", "ada.lovelace+pawl@mail.example.org", "o'neil@example.org"}) EXPECT_TRUE(is_address(good)) << good;
  for (const auto* bad :
       {"", "ada", "@example.org", "ada@", "ada @example.org", "<ada@example.org>", "ada@example.org,eve@example.org", "a..b@example.org",
        ".a@example.org", "ada@exa mple.org", "ada@example..org", "\"a b\"@example.org", "ad\xC3\xA4@example.org", "ada@example.org\n"}) {
    EXPECT_FALSE(is_address(bad)) << bad;
  }
  EXPECT_FALSE(is_address(std::string(65, 'a') + "@example.org"));
  EXPECT_FALSE(is_address("a@" + std::string(260, 'b')));
}

TEST(Html, IsEscaped) { EXPECT_EQ(escape_html("<a href=\"x\">&'"), "&lt;a href=&quot;x&quot;&gt;&amp;&#39;"); }

TEST(Html, OfTextHasItsLinksAndNothingThatTheTextBroughtAlong) {
  const auto html = html_of("Hello <b>,\n\nhttps://pawl.example.com/reset#abc\n");
  EXPECT_THAT(html, HasSubstr("Hello &lt;b&gt;,<br>"));
  EXPECT_THAT(html, HasSubstr("<a href=\"https://pawl.example.com/reset#abc\">https://pawl.example.com/reset#abc</a>"));
}

}  // namespace
}  // namespace pawl::mail
