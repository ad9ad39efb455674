#include "mail/received.hpp"

#include <gmock/gmock.h>

namespace pawl::mail {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

TEST(Received, ReadsFieldsWithEncodedWordsInAnyCharset) {
  const auto mail = read_message(
      "From: =?ISO-8859-1?Q?J=F6rg_M=FCller?= <joerg@example.org>\r\nTo: a@example.org,\r\n b@example.org\r\n"
      "Subject: =?utf-8?B?R3LDvA==?=\r\n =?utf-8?b?w59l?= and =?x-unknown?q?=41?=\r\nMessage-ID: <1@example.org>\r\n"
      "Date: Tue, 25 Nov 2025 22:01:00 +0000\r\n\r\nBody\r\n");
  EXPECT_EQ(mail.from, "Jörg Müller <joerg@example.org>");
  EXPECT_EQ(mail.to, "a@example.org, b@example.org");
  EXPECT_EQ(mail.subject, "Grüße and A");
  EXPECT_EQ(mail.message_id, "<1@example.org>");
  EXPECT_EQ(mail.text, "Body\r\n");
}

TEST(Received, TakesTheBodyFromWithinNestedParts) {
  const auto mail = read_message(
      "Content-Type: multipart/mixed; boundary=\"out\"\n\npreamble\n--out\n"
      "Content-Type: multipart/alternative; boundary=in\n\n--in\nContent-Type: text/plain; charset=iso-8859-15\n"
      "Content-Transfer-Encoding: quoted-printable\n\n100 =A4 for=\n you\n--in\nContent-Type: text/html\n\n<p>x</p>\n--in--\n"
      "--outer is text\n--out\nContent-Type: application/pdf; name=old.pdf\nContent-Transfer-Encoding: base64\n"
      "Content-Disposition: attachment; filename*0*=UTF-8''%C3%9Cber; filename*1=\"sicht.pdf\"\n\nJVBERg==\n--out--\nepilogue\n");
  EXPECT_EQ(mail.text, "100 \xE2\x82\xAC for you");
  EXPECT_EQ(mail.html, "<p>x</p>");
  ASSERT_EQ(mail.attachments.size(), 1U);
  EXPECT_EQ(mail.attachments[0].name, "Übersicht.pdf");
  EXPECT_EQ(mail.attachments[0].type, "application/pdf");
  EXPECT_EQ(mail.attachments[0].size, 4U);
}

TEST(Received, ReadsWhatItsOwnWriterWrites) {
  EXPECT_EQ(decode_words("=?UTF-8?B?R3LDvMOfZQ==?="), "Grüße");
  EXPECT_EQ(decode_words("plain =? text ?= and =?broken"), "plain =? text ?= and =?broken");
}

TEST(Received, SplitsAMailbox) {
  const char* mailbox =
      "From ada@example.org Tue Nov 25 22:01:00 2025\nSubject: one\n\nFirst.\nFrom here on it is text.\n\n>From the start\n>>From twice\n\n"
      "From bob@example.org Tue Nov 25 22:02:00 2025\nSubject: two\n\nSecond.\n";
  const auto mails = split_mbox(mailbox, 10);
  ASSERT_EQ(mails.size(), 2U);
  EXPECT_THAT(mails[0], HasSubstr("\nFrom here on it is text.\n\nFrom the start\n>From twice\n"));
  EXPECT_EQ(read_message(mails[1]).subject, "two");
  EXPECT_EQ(split_mbox(mailbox, 1).size(), 1U);
  EXPECT_THAT(split_mbox("Subject: x\n\ny", 10), ElementsAre("Subject: x\n\ny"));
}

// Whatever comes in, text comes out, and the reader ends.
TEST(Received, HostileMailsEndSomewhere) {
  std::string deep = "Content-Type: multipart/mixed; boundary=b\n\n";
  for (int i = 0; i < 1000; ++i) deep += "--b\nContent-Type: multipart/mixed; boundary=b\n\n";
  std::string wide = "Content-Type: multipart/mixed; boundary=b\n\n";
  for (int i = 0; i < 5000; ++i) wide += "--b\nContent-Disposition: attachment\n\nx\n";
  const std::string cases[] = {
      deep,
      wide,
      "",
      "\n\n",
      std::string("Subject: \xFF\xFE\n\n\xFF\0x", 18),
      "Content-Type: text/plain; charset=../../../etc/x//TRANSLIT\n\nx",
      "Content-Type: text/plain; charset=utf-16\n\nx",
      "Content-Type: text/plain; charset=iso-2022-jp\n\n\x1B$B",
      "Content-Type: multipart/mixed; boundary=\"\"\n\n--\n--\n",
      "Content-Type: ;;;=;=\"\n\nx",
      "Content-Transfer-Encoding: base64\n\n====",
      "Content-Transfer-Encoding: quoted-printable\n\n=",
      "Content-Disposition: attachment; filename*99999999999999999999*=x\n\nx",
  };
  for (const std::string& text : cases) {
    const auto mail = read_message(text);
    EXPECT_LE(mail.attachments.size(), 501U);
  }
  EXPECT_EQ(read_message("Content-Type: text/plain; charset=utf-8\n\n\xFFx").text, "\xEF\xBF\xBDx");
}

}  // namespace
}  // namespace pawl::mail
