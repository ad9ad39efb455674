// Reading a mailbox, from servers that lie. (A real one is in tests/e2e/imap_test.py.)

#include "mail/imap.hpp"

#include <gmock/gmock.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <map>
#include <mutex>
#include <thread>

#include "net/address_policy.hpp"

namespace pawl::mail {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

/// Speaks IMAP to one client after another. What it answers to a command is written down: `TAG` stands for the client's tag.
class Script {
 public:
  explicit Script(std::map<std::string, std::string> changed = {}) : answers_(std::move(changed)) {
    answers_.insert({{"GREETING", "* PREAUTH at your service\r\n"},
                     {"CAPABILITY", "* CAPABILITY IMAP4rev1\r\nTAG OK\r\n"},
                     {"EXAMINE", "* FLAGS (\\Seen)\r\n* 3 EXISTS\r\nTAG OK [READ-ONLY]\r\n"},
                     {"UID SEARCH", "* SEARCH 4 9 7\r\nTAG OK\r\n"},
                     {"UID FETCH 4", "* 1 FETCH (UID 4 BODY[]<0> {5}\r\nfour\n)\r\nTAG OK\r\n"},
                     {"UID FETCH 7", "* 2 FETCH (FLAGS (\\Seen))\r\n* 2 FETCH (BODY[]<0> {7}\r\nP5 OK\r\n UID 7)\r\nTAG OK\r\n"},
                     {"UID FETCH 9", "* 3 EXPUNGE\r\nTAG OK\r\n"},
                     {"LOGOUT", ""}});
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof address;
    auto* const plain = reinterpret_cast<sockaddr*>(&address);
    listener_ = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(listener_, plain, size) != 0 || listen(listener_, 8) != 0 || getsockname(listener_, plain, &size) != 0) std::abort();
    port_ = ntohs(address.sin_port);
    thread_ = std::thread([this] { serve(); });
  }
  ~Script() {
    const std::uint64_t one = 1;
    static_cast<void>(!write(stop_, &one, sizeof one));
    thread_.join();
    close(listener_);
    close(stop_);
  }
  Script(const Script&) = delete;
  Script& operator=(const Script&) = delete;

  [[nodiscard]] MailServer server(Millis timeout = Millis(5000)) const {
    MailServer server{.host = "127.0.0.1", .port = port_, .security = Security::none};
    server.timeout = timeout;
    return server;
  }
  [[nodiscard]] std::vector<std::string> said() {
    const std::lock_guard lock(mutex_);
    return said_;
  }

 private:
  [[nodiscard]] bool is_ready(int socket, short events) const {
    std::array<pollfd, 2> looks{{{stop_, POLLIN, 0}, {socket, events, 0}}};
    poll(looks.data(), looks.size(), -1);
    return looks[0].revents == 0;
  }

  void serve() {
    while (is_ready(listener_, POLLIN)) {
      const int client = accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK);
      talk(client);
      close(client);
    }
  }

  void talk(int client) {
    if (!send_all(client, answers_.at("GREETING"))) return;
    std::string heard;
    while (is_ready(client, POLLIN)) {
      std::array<char, 4096> buffer{};
      const auto length = recv(client, buffer.data(), buffer.size(), 0);
      if (length <= 0) return;
      heard.append(buffer.data(), static_cast<std::size_t>(length));
      for (auto end = heard.find("\r\n"); end != std::string::npos; end = heard.find("\r\n")) {
        const std::string line = heard.substr(0, end);
        heard.erase(0, end + 2);
        const auto tag = line.substr(0, line.find(' '));
        const auto command = line.substr(tag.size() + 1);
        {
          const std::lock_guard lock(mutex_);
          said_.push_back(command);
        }
        std::string answer = "TAG BAD what?\r\n";
        for (const auto& [name, text] : answers_) {
          if (command.starts_with(name)) answer = text;
        }
        for (auto place = answer.find("TAG"); place != std::string::npos; place = answer.find("TAG")) answer.replace(place, 3, tag);
        if (answer.ends_with("FOREVER")) {
          answer.resize(answer.size() - 7);
          std::string much;
          while (much.size() < 65'536) much += answer;
          while (send_all(client, much)) {
          }
          return;
        }
        if (!send_all(client, answer)) return;
        if (answer.empty()) return;
      }
    }
  }

  [[nodiscard]] bool send_all(int client, std::string_view text) const {
    while (!text.empty()) {
      if (!is_ready(client, POLLOUT)) return false;
      const auto length = send(client, text.data(), text.size(), MSG_NOSIGNAL);
      if (length < 0 && errno == EAGAIN) continue;
      if (length <= 0) return false;
      text.remove_prefix(static_cast<std::size_t>(length));
    }
    return true;
  }

  std::map<std::string, std::string> answers_;
  std::mutex mutex_;
  std::vector<std::string> said_;
  int listener_ = -1;
  int stop_ = eventfd(0, EFD_CLOEXEC);
  std::uint16_t port_ = 0;
  std::thread thread_;
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
