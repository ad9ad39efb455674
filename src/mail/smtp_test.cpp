// Sending, to servers that say no, say nothing, or do not stop. (Real ones are in tests/e2e/mail_test.py and services_test.py.)

#include "mail/smtp.hpp"

#include <gmock/gmock.h>

#include <chrono>
#include <future>
#include <map>

#include "mail/testing/scripted_server.hpp"
#include "net/address_policy.hpp"

namespace pawl::mail {
namespace {

using namespace std::chrono_literals;
using testing::Contains;
using testing::HasSubstr;
using testing::Not;

using Answers = std::map<std::string, std::string>;

class Script : public ScriptedServer {
 public:
  explicit Script(std::map<std::string, std::string> changed = {}) : ScriptedServer(with_usual(std::move(changed)), Form::plain) {}

 private:
  static std::map<std::string, std::string> with_usual(std::map<std::string, std::string> answers) {
    answers.insert({{"GREETING", "220 at your service\r\n"},
                    {"EHLO", "250-test\r\n250 SIZE 1000000\r\n"},
                    {"MAIL", "250 ok\r\n"},
                    {"RCPT", "250 ok\r\n"},
                    {"DATA", "354 go on\r\n"},
                    {".", "250-taken\r\n250 really\r\n"},
                    {"QUIT", ""}});
    return answers;
  }
};

const std::atomic<bool> kGoOn{false};
const SmtpEnvelope kEnvelope{"ada@example.org", {"bob@example.org", "eve@example.org"}};
constexpr std::string_view kMail = "Subject: s\r\n\r\n.begins with a dot\r\n..\r\n.\r\nend";

std::string code_of(std::map<std::string, std::string> changed, Millis timeout = Millis(5000)) {
  Script script(std::move(changed));
  const auto sent = send_by_smtp(script.server(timeout), kEnvelope, kMail, kGoOn);
  return sent.has_value() ? "" : sent.error().code;
}

TEST(Smtp, SendsTheWholeMailToEverybody) {
  Script script;
  const auto sent = send_by_smtp(script.server(), kEnvelope, kMail, kGoOn);
  ASSERT_TRUE(sent.has_value()) << sent.error().message;
  auto said = script.said();
  ASSERT_GE(said.size(), 5U);
  EXPECT_THAT(said[0], HasSubstr("EHLO "));
  said.erase(said.begin());
  if (said.back() == "QUIT") said.pop_back();  // nobody waits until it was heard
  EXPECT_EQ(said, (std::vector<std::string>{"MAIL FROM:<ada@example.org>", "RCPT TO:<bob@example.org>", "RCPT TO:<eve@example.org>", "DATA",
                                            "Subject: s", "", "..begins with a dot", "...", "..", "end", "."}));
}

TEST(Smtp, NothingInAMailEndsIt) {
  Script script;
  ASSERT_TRUE(send_by_smtp(script.server(), kEnvelope, "a\n.\nMAIL FROM:<x@x.x>\n.\r\nb\r\n", kGoOn).has_value());
  const auto said = script.said();
  EXPECT_THAT(said, Contains("a\n..\nMAIL FROM:<x@x.x>\n.."));
  EXPECT_THAT(said, Contains("b"));
}

// proves: F3
TEST(Smtp, F3_AServerThatSaysNoOrDoesNotStopIsLeft) {
  EXPECT_EQ(code_of({{"MAIL", "553 not you\r\n"}}), "mail.refused");
  EXPECT_EQ(code_of({{"RCPT TO:<eve", "550 no such user\r\n"}}), "mail.refused");
  EXPECT_EQ(code_of({{"RCPT TO:<eve", "451 later\r\n"}}), "mail.server");
  EXPECT_EQ(code_of({{"DATA", "250 what?\r\n"}}), "mail.server");
  EXPECT_EQ(code_of({{".", "554-spam\r\n554 spam\r\n"}}), "mail.refused");
  EXPECT_EQ(code_of({{".", ""}}), "mail.server") << "it hangs up";
  EXPECT_EQ(code_of({{"MAIL", "hello\r\n"}}), "mail.server");
  EXPECT_EQ(code_of({{"MAIL", "25\r\n"}}), "mail.server");
  EXPECT_EQ(code_of({{"MAIL", "250-more\r\nFOREVER"}}), "mail.server") << "lines without an end";
  EXPECT_EQ(code_of({{"MAIL", "250 xFOREVER"}}), "mail.server") << "a line without an end";
  for (const char* command : {"GREETING", "EHLO", "MAIL", "RCPT", "DATA", "."}) {
    EXPECT_EQ(code_of({{command, "SILENCE"}}, 300ms), "net.timeout") << command;
  }
}

// A cancelled mail is not sent, and nobody waits for a server that is silent, whatever it was told last.
// proves: S4-M2
TEST(Smtp, S4M2_ACancelIsHeardAtEveryPoint) {
  for (const char* command : {"GREETING", "EHLO", "MAIL", "RCPT", "DATA", "."}) {
    Script script(Answers{{command, "SILENCE"}});
    std::atomic<bool> stop{false};
    auto sending = std::async(std::launch::async, [&] { return send_by_smtp(script.server(30s), kEnvelope, kMail, stop); });
    const auto reached = [&] {
      if (std::string_view(command) == "GREETING") return script.connections() == 1;
      const auto said = script.said();
      return std::any_of(said.begin(), said.end(), [&](const std::string& line) { return line.starts_with(command); });
    };
    while (!reached()) std::this_thread::yield();
    const auto cancelled = std::chrono::steady_clock::now();
    stop = true;
    const auto sent = sending.get();
    EXPECT_LT(std::chrono::steady_clock::now() - cancelled, 2s) << command;
    ASSERT_TRUE(sent.has_error()) << command;
    EXPECT_EQ(sent.error().code, "mail.cancelled") << command << ": " << sent.error().message;
    while (script.ended() == 0) std::this_thread::yield();
    const auto said = script.said();
    if (std::string_view(command) != ".") {
      EXPECT_THAT(said, Not(Contains("."))) << command << ": half a mail was sent as though it were whole";
    }
  }
}

TEST(Smtp, TheRestOfAMailThatWasCutOffIsNotTakenForAWholeOne) {
  // The server goes on for as long as the mail comes: it is larger than what the sockets hold, and the client is stopped within it.
  Script script(Answers{{"DATA", "354 go on\r\nFOREVER"}});  // it does not read any more
  std::atomic<bool> stop{false};
  const std::string large(64U << 20U, 'x');
  auto sending = std::async(std::launch::async, [&] { return send_by_smtp(script.server(30s), kEnvelope, large, stop); });
  const auto asked = [&] {
    const auto said = script.said();
    return std::find(said.begin(), said.end(), "DATA") != said.end();
  };
  while (!asked()) std::this_thread::yield();
  stop = true;
  EXPECT_EQ(sending.get().error().code, "mail.cancelled");
  EXPECT_THAT(script.said(), Not(Contains(".")));
}

// proves: S4-O10
TEST(Smtp, TheGuardAndEncryptionStandBeforeEverything) {
  Script script;
  auto server = script.server();
  const net::AddressPolicy guard;
  server.policy = &guard;
  EXPECT_EQ(send_by_smtp(server, kEnvelope, kMail, kGoOn).error().code, "net.refused_address");
  server.policy = nullptr;
  server.username = "ada";
  server.password = "canary";
  EXPECT_EQ(send_by_smtp(server, kEnvelope, kMail, kGoOn).error().code, "mail.not_encrypted");
  server.security = Security::starttls;
  EXPECT_EQ(send_by_smtp(server, kEnvelope, kMail, kGoOn).error().code, "net.tls");
  for (const auto& line : script.said()) EXPECT_THAT(line, testing::AllOf(Not(HasSubstr("canary")), Not(HasSubstr("MAIL"))));
  server = script.server();
  for (const char* bad : {"", "a@b.c>\r\nRCPT TO:<x@y.z", "a b@c.d", "<a@b.c>"}) {
    EXPECT_EQ(send_by_smtp(server, {bad, {"bob@example.org"}}, kMail, kGoOn).error().code, "mail.arguments") << bad;
    EXPECT_EQ(send_by_smtp(server, {"ada@example.org", {bad}}, kMail, kGoOn).error().code, "mail.arguments") << bad;
  }
  EXPECT_EQ(send_by_smtp(server, {"ada@example.org", {}}, kMail, kGoOn).error().code, "mail.arguments");
}

TEST(Smtp, AGreetingAsksForNothing) {
  Script script;
  EXPECT_TRUE(greet_by_smtp(script.server(), kGoOn).has_value());
  for (const auto& line : script.said()) EXPECT_THAT(line, Not(HasSubstr("MAIL")));
}

}  // namespace
}  // namespace pawl::mail
