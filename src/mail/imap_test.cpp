// Reading a mailbox, from servers that lie. (A real one is in tests/e2e/imap_test.py.)

#include "mail/imap.hpp"

#include <gmock/gmock.h>

#include <map>

#include "mail/testing/scripted_server.hpp"
#include "net/address_policy.hpp"

namespace pawl::mail {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

/// A mailbox of three mails.
class Script : public ScriptedServer {
 public:
  explicit Script(std::map<std::string, std::string> changed = {}) : ScriptedServer(with_usual(std::move(changed)), Form::tagged) {}

 private:
  static std::map<std::string, std::string> with_usual(std::map<std::string, std::string> answers) {
    answers.insert({{"GREETING", "* PREAUTH at your service\r\n"},
                    {"CAPABILITY", "* CAPABILITY IMAP4rev1\r\nTAG OK\r\n"},
                    {"EXAMINE", "* FLAGS (\\Seen)\r\n* 3 EXISTS\r\nTAG OK [READ-ONLY]\r\n"},
                    {"UID SEARCH", "* SEARCH 4 9 7\r\nTAG OK\r\n"},
                    {"UID FETCH 4", "* 1 FETCH (UID 4 BODY[]<0> {5}\r\nfour\n)\r\nTAG OK\r\n"},
                    {"UID FETCH 7", "* 2 FETCH (FLAGS (\\Seen))\r\n* 2 FETCH (BODY[]<0> {7}\r\nP5 OK\r\n UID 7)\r\nTAG OK\r\n"},
                    {"UID FETCH 9", "* 3 EXPUNGE\r\nTAG OK\r\n"},
                    {"LOGOUT", ""}});
    return answers;
  }
};

const std::atomic<bool> kGoOn{false};

std::string code_of(const std::map<std::string, std::string>& changed, ImapQuery query = {}, Millis timeout = Millis(5000)) {
  Script script(changed);
  const auto read = read_by_imap(script.server(timeout), query, kGoOn);
  return read.has_value() ? "" : read.error().code;
}

TEST(Imap, ReadsTheNewestMailsAndChangesNothing) {
  Script script;
  ImapQuery query{.mailbox = R"(Lists & "more")", .search = {.unseen = true, .from = "ada", .subject = R"(a "b")", .since = "2026-01-05"}};
  const auto read = read_by_imap(script.server(), query, kGoOn);
  ASSERT_TRUE(read.has_value()) << read.error().message;
  EXPECT_EQ(read->found, 3U);
  ASSERT_EQ(read->mails.size(), 2U) << "the third went away meanwhile";
  EXPECT_EQ(read->mails[0].uid, 4U);
  EXPECT_EQ(read->mails[0].content, "four\n");
  EXPECT_EQ(read->mails[1].content, "P5 OK\r\n") << "what a mail says is no answer of the server's";
  const auto said = script.said();
  EXPECT_THAT(said, testing::Contains(R"(EXAMINE "Lists &- \"more\"")"));
  EXPECT_THAT(said, testing::Contains(R"(UID SEARCH UNSEEN SINCE 5-Jan-2026 FROM "ada" SUBJECT "a \"b\"")"));
  for (const auto& command : said) {
    EXPECT_THAT(command,
                testing::AllOf(Not(HasSubstr("SELECT")), Not(HasSubstr("STORE")), Not(HasSubstr("LOGIN")), Not(HasSubstr("BODY["))));
  }
}

TEST(Imap, OnlyAsManyAndAsMuchAsIsWanted) {
  const std::map<std::string, std::string> nine{{"UID FETCH 9", "* 3 FETCH (UID 9 BODY[]<0> {4}\r\nnine)\r\nTAG OK\r\n"}};
  Script script(nine);
  ImapQuery query;
  query.max_mails = 1;
  query.max_mail = 3;
  const auto read = read_by_imap(script.server(), query, kGoOn);
  ASSERT_TRUE(read.has_value());
  ASSERT_EQ(read->mails.size(), 1U);
  EXPECT_EQ(read->mails[0].content, "nin");
  EXPECT_TRUE(read->mails[0].is_cut);
  EXPECT_THAT(script.said(), testing::Contains(HasSubstr("BODY.PEEK[]<0.4>")));
  query.max_mails = 5;
  query.max_total = 7;
  EXPECT_EQ(read_by_imap(script.server(), query, kGoOn).error().code, "mail.too_large");
}

// proves: F3
TEST(Imap, F3_AServerThatLiesIsLeft) {
  const std::map<std::string, std::string> big{{"UID FETCH 4", "* 1 FETCH (UID 4 BODY[]<0> {99999999999}\r\n"}};
  EXPECT_EQ(code_of(big), "mail.too_large") << "nothing is set aside for what is only announced";
  EXPECT_EQ(code_of({{"UID FETCH 4", "* 1 FETCH (UID 4 BODY[]<0> {99999999999999999999999}\r\nx)\r\nTAG OK\r\n"}}), "mail.server");
  EXPECT_EQ(code_of({{"UID FETCH 4", "* 1 FETCH (UID 4 BODY[]<0> {9}\r\nshort)\r\n"}}, {}, Millis(300)), "net.timeout");
  EXPECT_EQ(code_of({{"UID FETCH 4", "* 1 FETCH (X {60000}\r\nFOREVER"}}), "mail.too_large");
  EXPECT_EQ(code_of({{"UID SEARCH", "xFOREVER"}}), "mail.server") << "a line without an end";
  EXPECT_EQ(code_of({{"UID SEARCH", "* x\r\nFOREVER"}}), "mail.server") << "lines without an end";
  EXPECT_EQ(code_of({{"UID SEARCH", "* SEARCH 1 -2 x\r\nTAG OK\r\n"}}), "mail.server");
  std::string many = "* SEARCH";
  for (int uid = 1; uid <= 100'000; ++uid) many += " " + std::to_string(uid);
  EXPECT_EQ(code_of({{"UID SEARCH", many + "\r\nFOREVER"}}), "mail.too_large") << "mails without an end";
  EXPECT_EQ(code_of({{"UID SEARCH", "P9 OK\r\n"}}), "mail.server");
  EXPECT_EQ(code_of({{"UID SEARCH", "* BYE\r\n"}}), "mail.server");
  EXPECT_EQ(code_of({{"UID SEARCH", ""}}), "mail.server") << "it hangs up";
  EXPECT_EQ(code_of({{"EXAMINE", "TAG NO\r\n"}}), "mail.not_found");
  EXPECT_EQ(code_of({{"EXAMINE", "TAG BAD\r\n"}}), "mail.server");
  EXPECT_EQ(code_of({{"EXAMINE", "* OK\r\n"}}, {}, Millis(300)), "net.timeout") << "it stalls";
  EXPECT_EQ(code_of({{"GREETING", "HTTP/1.1 400 Bad Request\r\n"}}, {}, Millis(300)), "net.timeout");
}

TEST(Imap, WhatCannotBeSaidIsNotSent) {
  EXPECT_EQ(code_of({}, {.mailbox = "a\r\nP1 DELETE b"}), "mail.arguments");
  EXPECT_EQ(code_of({}, {.search = {.from = "a\r\nb"}}), "mail.arguments");
  EXPECT_EQ(code_of({}, {.search = {.subject = "gr\xC3\xBC\xC3\x9F"}}), "mail.arguments");
  for (const char* date : {"2026-13-01", "2026-1-1", "26-01-01", "2026-01-00", "2026-01-0x", "yesterday"}) {
    EXPECT_EQ(code_of({}, {.search = {.since = date}}), "mail.arguments") << date;
  }
}

// proves: S4-O10
TEST(Imap, TheGuardAndEncryptionStandBeforeEverything) {
  Script script;
  auto server = script.server();
  const net::AddressPolicy guard;
  server.policy = &guard;
  EXPECT_EQ(read_by_imap(server, {}, kGoOn).error().code, "net.refused_address");
  server.policy = nullptr;
  server.username = "ada";
  server.password = "canary";
  EXPECT_EQ(read_by_imap(server, {}, kGoOn).error().code, "mail.not_encrypted");
  server.security = Security::starttls;
  const auto stripped = read_by_imap(server, {}, kGoOn).error();
  EXPECT_EQ(stripped.code, "net.tls") << stripped.message;
  for (const auto& command : script.said()) EXPECT_THAT(command, Not(HasSubstr("canary")));
  for (const std::string& word : {std::string("a\r\nP1 DELETE b"), std::string("a\nb"), std::string("a\0b", 3)}) {
    server.username = word;
    server.password = "canary";
    EXPECT_EQ(read_by_imap(server, {}, kGoOn).error().code, "mail.arguments");
    server.username = "ada";
    server.password = word;
    EXPECT_EQ(read_by_imap(server, {}, kGoOn).error().code, "mail.arguments");
  }
  server.password = "canary";
  const std::atomic<bool> stop{true};
  EXPECT_EQ(read_by_imap(script.server(), {}, stop).error().code, "mail.cancelled");
}

}  // namespace
}  // namespace pawl::mail
