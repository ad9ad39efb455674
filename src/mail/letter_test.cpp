#include "mail/letter.hpp"

#include <gmock/gmock.h>

#include <functional>

namespace pawl::mail {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

Letter letter() {
  Letter letter;
  letter.to = {"ada@example.org", "bob@example.org"};
  letter.subject = "Hello";
  letter.text = "How are you?\n";
  return letter;
}

Envelope envelope() { return {"pawl@example.com", "id-1", TimePoint(Millis(1'764'108'060'000))}; }

TEST(Letter, NamesItsRecipientsButNotTheBlindOnes) {
  auto mail = letter();
  mail.cc = {"cc@example.org"};
  mail.bcc = {"bcc@example.org", "ada@example.org"};
  mail.reply_to = "desk@example.org";
  const auto text = *compose(mail, envelope());
  EXPECT_THAT(text, HasSubstr("To: ada@example.org,\r\n bob@example.org\r\nCc: cc@example.org\r\nReply-To: desk@example.org\r\n"));
  EXPECT_THAT(text, Not(HasSubstr("bcc@example.org")));
  EXPECT_THAT(recipients_of(mail), ElementsAre("ada@example.org", "bob@example.org", "cc@example.org", "bcc@example.org"));
}

TEST(Letter, CarriesAttachmentsBesideItsTwoBodies) {
  auto mail = letter();
  mail.html = "<p>x</p>";
  mail.attachments = {{"report 1.pdf", "application/pdf", "%PDF"}, {"Übersicht.csv", "text/csv", "a,b\n"}};
  const auto text = *compose(mail, envelope());
  EXPECT_THAT(text, HasSubstr("Content-Type: multipart/mixed; boundary=\"=_pawl_mixed_id-1\"\r\n\r\n--=_pawl_mixed_id-1\r\n"
                              "Content-Type: multipart/alternative; boundary=\"=_pawl_id-1\"\r\n"));
  EXPECT_THAT(text, HasSubstr("Content-Type: application/pdf\r\nContent-Transfer-Encoding: base64\r\n"
                              "Content-Disposition: attachment; filename=\"report 1.pdf\"\r\n\r\nJVBERg==\r\n--=_pawl_mixed_id-1\r\n"));
  EXPECT_THAT(text, HasSubstr("attachment;\r\n filename*=UTF-8''%C3%9Cbersicht.csv\r\n"));
  EXPECT_TRUE(text.ends_with("--=_pawl_mixed_id-1--\r\n"));
}

TEST(Letter, MayBeHtmlAlone) {
  auto mail = letter();
  mail.text.clear();
  mail.html = "<p>x</p>";
  EXPECT_THAT(*compose(mail, envelope()), HasSubstr("MIME-Version: 1.0\r\nContent-Type: text/html; charset=utf-8\r\n"));
}

// security-checks 13
TEST(Letter, FA_18_NoFieldTakesALineBreak) {
  const std::string evil = "x\r\nBcc: eve@example.org";
  const std::function<void(Letter&)> changes[] = {
      [&](Letter& mail) { mail.subject = evil; },
      [&](Letter& mail) { mail.to.push_back("ada@example.org\r\nBcc: eve@example.org"); },
      [&](Letter& mail) { mail.cc.push_back("ada@example.org\nBcc: eve@example.org"); },
      [&](Letter& mail) { mail.bcc.push_back("ada@example.org>\r\nDATA"); },
      [&](Letter& mail) { mail.reply_to = "ada@example.org\r\nBcc: eve@example.org"; },
      [&](Letter& mail) {
        mail.attachments = {{evil, "text/plain", ""}};
      },
      [&](Letter& mail) {
        mail.attachments = {{"../x", "text/plain", ""}};
      },
      [&](Letter& mail) {
        mail.attachments = {{"x", "text/plain\r\nBcc: eve@example.org", ""}};
      },
      [&](Letter& mail) {
        mail.attachments = {{"x", "text/plain; charset=x", ""}};
      },
      [&](Letter& mail) { mail.to.clear(); },
  };
  for (const auto& change : changes) {
    auto mail = letter();
    change(mail);
    EXPECT_EQ(compose(mail, envelope()).error().code, "mail.invalid_message");
  }
  auto from = envelope();
  from.message_id = "a>\r\nBcc: eve@example.org";
  EXPECT_EQ(compose(letter(), from).error().code, "mail.invalid_message");
}

TEST(Letter, NoLineIsLongerThanItsLimit) {
  auto mail = letter();
  for (int i = 0; i < 90; ++i) mail.to.push_back("recipient-" + std::to_string(i) + "@example.org");
  mail.attachments = {{std::string(80, 'x') + "\xC3\xBC" + std::string(100, 'y'), "application/octet-stream", std::string(5000, 'z')}};
  const auto text = *compose(mail, envelope());
  for (std::size_t begin = 0; begin < text.size();) {
    const auto end = text.find("\r\n", begin);
    ASSERT_NE(end, std::string::npos);
    EXPECT_LE(end - begin, 78) << text.substr(begin, end - begin);
    begin = end + 2;
  }
}

}  // namespace
}  // namespace pawl::mail
