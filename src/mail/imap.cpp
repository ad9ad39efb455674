#include "mail/imap.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <string_view>
#include <utility>

#include "mail/detail/session.hpp"

namespace pawl::mail {
namespace {

constexpr std::size_t kMaxLine = 4U << 20U;  // a search finds that many mails at most: some 500,000
constexpr std::size_t kMaxLines = 10'000;    // of one response
constexpr std::size_t kMaxFound = 1'000'000;
constexpr std::size_t kMaxLiteral = 64 << 10;  // beside mails: of names and the like

Error bad(std::string message) { return {ErrorClass::invalid, "mail.arguments", std::move(message)}; }
Error lost(std::string message) { return {ErrorClass::unavailable, "mail.server", std::move(message)}; }

/// RFC 3501, `quoted`.
Result<std::string> quote(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c < ' ' || c > '~') return bad("texts for a mail server are ASCII without line breaks");
    if (c == '"' || c == '\\') out += '\\';
    out += c;
  }
  return out + '"';
}

/// Section 5.1.3: `&` begins what is no ASCII.
Result<std::string> mailbox_name(std::string_view name) {
  std::string escaped;
  for (const char c : name) escaped += c == '&' ? "&-" : std::string(1, c);
  return quote(escaped);
}

/// `2026-11-26` as `26-Nov-2026`.
Result<std::string> imap_date(std::string_view date) {
  static constexpr std::array<std::string_view, 12> kMonths{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                            "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const auto number = [&](std::size_t at, std::size_t length) {
    unsigned value = 0;
    const auto part = date.substr(at, length);
    const auto [end, error] = std::from_chars(part.data(), part.data() + part.size(), value);
    return error == std::errc() && end == part.data() + part.size() ? value : 0;
  };
  const bool is_shaped = date.size() == 10 && date[4] == '-' && date[7] == '-';
  const unsigned month = is_shaped ? number(5, 2) : 0;
  const unsigned day = is_shaped ? number(8, 2) : 0;
  if (month < 1 || month > kMonths.size() || day < 1 || day > 31 || number(0, 4) == 0) return bad("a date is written as 2026-11-26");
  return fmt::format("{}-{}-{}", day, kMonths[month - 1], date.substr(0, 4));
}

Result<std::string> criteria_of(const ImapSearch& search) {
  std::string criteria = search.unseen ? "UNSEEN" : "ALL";
  if (!search.since.empty()) {
    PAWL_TRY(date, imap_date(search.since));
    criteria += " SINCE " + date;
  }
  for (const auto& [key, text] : {std::pair("FROM", &search.from), std::pair("SUBJECT", &search.subject)}) {
    if (text->empty()) continue;
    PAWL_TRY(word, quote(*text));
    criteria += fmt::format(" {} {}", key, word);
  }
  return criteria;
}

/// A word of a line without regard to case.
bool is_word(std::string_view text, std::string_view word) {
  return text.size() == word.size() && std::equal(text.begin(), text.end(), word.begin(), [](char a, char b) {
           return (a >= 'a' && a <= 'z' ? static_cast<char>(a - ('a' - 'A')) : a) == b;
         });
}

std::string_view next_word(std::string_view& rest) {
  while (rest.starts_with(' ')) rest.remove_prefix(1);
  const auto word = rest.substr(0, rest.find(' '));
  rest.remove_prefix(word.size());
  return word;
}

/// The length at the end of a line that announces a literal: `... {42}`.
std::optional<std::uint64_t> announced(std::string_view line) {
  const auto open = line.rfind('{');
  if (open == std::string_view::npos || !line.ends_with('}')) return std::nullopt;
  const auto digits = line.substr(open + 1, line.size() - open - 2);
  std::uint64_t length = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), length);
  if (error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  return length;
}

/// One response of the server: its line without literals, and those.
struct Line {
  std::string text;
  std::vector<std::string> literals;
};

class Imap {
 public:
  Imap(const MailServer& server, const std::atomic<bool>& stop) : session_(server, "imap", ""), stop_(stop) {}

  [[nodiscard]] Result<void> open() { return session_.open(stop_); }

  /// Sends it, and gives each untagged response to `take`. Error where it is not answered by OK.
  template <class Take>
  [[nodiscard]] Result<void> command(std::string_view text, std::size_t max_literal, Take&& take) {
    const std::string tag = fmt::format("P{}", ++tags_);
    PAWL_TRY_VOID(session_.say(fmt::format("{} {}\r\n", tag, text), stop_));
    for (std::size_t lines = 0; lines < kMaxLines; ++lines) {
      PAWL_TRY(line, read(max_literal));
      std::string_view rest = line.text;
      const auto first = next_word(rest);
      if (first == "*") {
        const auto kind = next_word(rest);
        if (is_word(kind, "BYE")) return lost("The mail server has ended the conversation.");
        PAWL_TRY_VOID(take(kind, rest, line));
        continue;
      }
      if (first != tag) return lost("The mail server answers something that was not asked.");
      const auto answer = next_word(rest);
      if (is_word(answer, "OK")) return {};
      if (is_word(answer, "NO")) return Error(ErrorClass::not_found, "mail.not_found", "The mail server says no to what was asked for.");
      return lost("The mail server does not understand what was asked for.");
    }
    return lost("The mail server does not come to an end.");
  }

  /// Says goodbye and does not wait for the answer.
  void leave() { static_cast<void>(session_.say(fmt::format("P{} LOGOUT\r\n", ++tags_), stop_)); }

 private:
  [[nodiscard]] Result<Line> read(std::size_t max_literal) {
    Line line;
    std::size_t literals = 0;
    while (true) {
      PAWL_TRY(part, read_line());
      line.text += part;
      const auto length = announced(part);
      if (!length) return line;
      literals += *length <= max_literal ? static_cast<std::size_t>(*length) : max_literal + 1;
      if (literals > max_literal || line.text.size() > kMaxLine) {
        return Error(ErrorClass::too_large, "mail.too_large", fmt::format("The mail server sends more than {} bytes.", max_literal));
      }
      while (buffer_.size() - at_ < *length) PAWL_TRY_VOID(fill());
      line.literals.push_back(buffer_.substr(at_, static_cast<std::size_t>(*length)));
      at_ += static_cast<std::size_t>(*length);
    }
  }

  [[nodiscard]] Result<std::string> read_line() {
    std::size_t searched = at_;
    while (true) {
      const auto end = buffer_.find("\r\n", searched);
      if (end != std::string::npos) {
        std::string line = buffer_.substr(at_, end - at_);
        at_ = end + 2;
        return line;
      }
      if (buffer_.size() - at_ > kMaxLine) return lost("The mail server sends a line without an end.");
      const std::size_t unread = buffer_.size() - at_;
      PAWL_TRY_VOID(fill());
      searched = unread > 0 ? unread - 1 : 0;  // the first half of the line's end may have come
    }
  }

  [[nodiscard]] Result<void> fill() {
    buffer_.erase(0, std::exchange(at_, 0));
    return session_.hear(buffer_, stop_);
  }

  detail::Session session_;
  const std::atomic<bool>& stop_;
  unsigned tags_ = 0;
  std::string buffer_;
  std::size_t at_ = 0;  // what is before it has been read
};

/// The numbers of all that match, in order.
Result<std::vector<std::uint32_t>> search(Imap& imap, const std::string& criteria) {
  std::vector<std::uint32_t> found;
  const auto take = [&found](std::string_view kind, std::string_view rest, const Line&) -> Result<void> {
    if (!is_word(kind, "SEARCH")) return {};
    for (auto word = next_word(rest); !word.empty(); word = next_word(rest)) {
      std::uint32_t uid = 0;
      const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), uid);
      if (error != std::errc() || end != word.data() + word.size() || uid == 0) return lost("The mail server finds what is no mail.");
      if (found.size() == kMaxFound) {
        return Error(ErrorClass::too_large, "mail.too_large", fmt::format("The mail server finds more than {} mails.", kMaxFound));
      }
      found.push_back(uid);
    }
    return {};
  };
  PAWL_TRY_VOID(imap.command("UID SEARCH " + criteria, kMaxLiteral, take));
  std::sort(found.begin(), found.end());
  found.erase(std::unique(found.begin(), found.end()), found.end());
  return found;
}

/// Nothing where it has gone meanwhile.
Result<std::optional<std::string>> fetch(Imap& imap, std::uint32_t uid, std::size_t most) {
  std::optional<std::string> content;
  const auto take = [&content, uid](std::string_view, std::string_view rest, const Line& line) -> Result<void> {
    if (!is_word(next_word(rest), "FETCH")) return {};
    // Servers tell of other mails in between: this one's number stands beside its content.
    std::string text(rest);
    for (char& c : text) c = c == '(' || c == ')' ? ' ' : c;
    std::string_view words = text;
    for (auto word = next_word(words); !word.empty(); word = next_word(words)) {
      if (!is_word(word, "UID")) continue;
      if (next_word(words) != std::to_string(uid)) return {};
      if (!line.literals.empty()) content = line.literals.front();
      return {};
    }
    return {};
  };
  // One byte more than is wanted tells whether there is more.
  const auto text = fmt::format("UID FETCH {} (UID BODY.PEEK[]<0.{}>)", uid, most + 1);
  PAWL_TRY_VOID(imap.command(text, most + 1 + kMaxLiteral, take));
  return content;
}

}  // namespace

Result<ImapMails> read_by_imap(const MailServer& server, const ImapQuery& query, const std::atomic<bool>& stop) {
  PAWL_TRY(criteria, criteria_of(query.search));
  PAWL_TRY(mailbox, mailbox_name(query.mailbox));
  Imap imap(server, stop);
  PAWL_TRY_VOID(imap.open());
  const auto ignore = [](std::string_view, std::string_view, const Line&) -> Result<void> { return {}; };
  PAWL_TRY_VOID(imap.command("EXAMINE " + mailbox, kMaxLiteral, ignore));
  PAWL_TRY(found, search(imap, criteria));

  ImapMails read{.found = found.size(), .mails = {}};
  if (found.size() > query.max_mails) found.erase(found.begin(), found.end() - static_cast<std::ptrdiff_t>(query.max_mails));
  std::size_t left = query.max_total;
  for (const std::uint32_t uid : found) {
    const std::size_t most = std::min(query.max_mail, left);
    PAWL_TRY(content, fetch(imap, uid, most));
    if (!content) continue;
    const bool is_cut = content->size() > most;
    if (is_cut) content->resize(most);
    left -= content->size();
    if (left == 0)
      return Error(ErrorClass::too_large, "mail.too_large", fmt::format("The mails are larger than {} bytes.", query.max_total));
    read.mails.push_back({uid, std::move(*content), is_cut});
  }
  imap.leave();
  return read;
}

}  // namespace pawl::mail
