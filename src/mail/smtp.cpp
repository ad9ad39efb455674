#include "mail/smtp.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "mail/detail/session.hpp"
#include "mail/letter.hpp"

namespace pawl::mail {
namespace {

constexpr std::size_t kMaxReply = 64U << 10U;  ///< bytes of all its lines
constexpr std::size_t kDigits = 3;
constexpr int kFirstFinal = 550;
constexpr int kLastFinal = 554;

Error lost(std::string message) { return {ErrorClass::unavailable, "mail.server", std::move(message)}; }

/// The text as it travels: a line that begins with a dot gets another one (RFC 5321, 4.5.2), the end is a dot alone. A dot after a bare
/// line feed as well, which some servers take for the end of a line: nothing in a mail may end it.
std::string with_dots(std::string_view content) {
  std::string text;
  text.reserve(content.size() + content.size() / 64 + 8);
  char before = '\n';
  for (const char c : content) {
    if (c == '.' && before == '\n') text += '.';
    text += c;
    before = c;
  }
  if (!text.ends_with("\r\n")) text += "\r\n";
  return text += ".\r\n";
}

/// libcurl opens the conversation: greeting, encryption, credentials. The rest is said here: libcurl waits within its own calls for the
/// server's answer to a mail, where nobody can stop it, and ends the mail by its dot when it is stopped before, as though it were whole.
class Smtp {
 public:
  Smtp(const MailServer& server, const std::atomic<bool>& stop) : session_(server, "smtp", ""), stop_(stop) {}

  [[nodiscard]] Result<void> open() { return session_.open(stop_); }

  /// Sends it. Error where the answer does not begin with `digit`; `name` is what the error calls it.
  [[nodiscard]] Result<void> command(std::string_view text, char digit, std::string_view name) {
    PAWL_TRY_VOID(session_.say(text, stop_));
    PAWL_TRY(answer, read_answer());
    if (answer / 100 == digit - '0') return {};
    if (answer >= kFirstFinal && answer <= kLastFinal) {
      return Error(ErrorClass::invalid, "mail.refused", fmt::format("The mail server refused the mail with {}.", answer));
    }
    return lost(fmt::format("The mail server answered {} with {}.", name, answer));
  }

  /// Says goodbye and does not wait for the answer.
  void leave() { static_cast<void>(session_.say("QUIT\r\n", stop_)); }

 private:
  /// The code of an answer, whose lines but the last have a hyphen after it.
  [[nodiscard]] Result<int> read_answer() {
    std::size_t size = 0;
    while (true) {
      PAWL_TRY(line, read_line());
      const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
      if (line.size() < kDigits || !std::all_of(line.begin(), line.begin() + kDigits, is_digit)) {
        return lost("The mail server answers what is no answer.");
      }
      if (line.size() == kDigits || line[kDigits] != '-') return (line[0] - '0') * 100 + (line[1] - '0') * 10 + (line[2] - '0');
      size += line.size();
      if (size > kMaxReply) return lost("The mail server's answer does not come to an end.");
    }
  }

  [[nodiscard]] Result<std::string> read_line() {
    while (true) {
      if (const auto end = buffer_.find('\n'); end != std::string::npos) {
        std::string line = buffer_.substr(0, end);
        buffer_.erase(0, end + 1);
        if (line.ends_with('\r')) line.pop_back();
        return line;
      }
      if (buffer_.size() > kMaxReply) return lost("The mail server sends a line without an end.");
      PAWL_TRY_VOID(session_.hear(buffer_, stop_));
    }
  }

  detail::Session session_;
  const std::atomic<bool>& stop_;
  std::string buffer_;
};

}  // namespace

Result<void> send_by_smtp(const MailServer& server, const SmtpEnvelope& envelope, std::string_view content, const std::atomic<bool>& stop) {
  const bool is_good = is_address(envelope.from) && !envelope.to.empty() && std::all_of(envelope.to.begin(), envelope.to.end(), is_address);
  if (!is_good) return Error(ErrorClass::invalid, "mail.arguments", "A mail has a sender and recipients, all of them bare addresses.");
  Smtp smtp(server, stop);
  PAWL_TRY_VOID(smtp.open());
  PAWL_TRY_VOID(smtp.command(fmt::format("MAIL FROM:<{}>\r\n", envelope.from), '2', "MAIL"));
  for (const std::string& address : envelope.to) PAWL_TRY_VOID(smtp.command(fmt::format("RCPT TO:<{}>\r\n", address), '2', "RCPT"));
  PAWL_TRY_VOID(smtp.command("DATA\r\n", '3', "DATA"));
  PAWL_TRY_VOID(smtp.command(with_dots(content), '2', "the mail"));
  smtp.leave();
  return {};
}

Result<void> greet_by_smtp(const MailServer& server, const std::atomic<bool>& stop) {
  Smtp smtp(server, stop);
  PAWL_TRY_VOID(smtp.open());
  smtp.leave();
  return {};
}

}  // namespace pawl::mail
