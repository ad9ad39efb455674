#include "mail/letter.hpp"

#include <fmt/core.h>

#include <algorithm>
#include <array>

namespace pawl::mail {
namespace {

constexpr std::size_t kMaxAddress = 254;  // RFC 5321, 4.5.3.1.3 less the brackets
constexpr std::size_t kMaxLocalPart = 64;
constexpr std::size_t kMaxSubject = 500;
constexpr std::size_t kEncodedLine = 76;                 // RFC 2045, 6.8
constexpr std::size_t kWordBytes = 39;                   // an encoded word is at most 75 characters: 52 of base64 and its frame
constexpr std::string_view kBoundaryPrefix = "=_pawl_";  // `=_` appears in no base64 body

bool is_control(char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; }
bool is_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return static_cast<unsigned char>(c) < 0x80; });
}
bool is_atom(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         std::string_view("!#$%&'*+-/=?^_`{|}~").find(c) != std::string_view::npos;
}
bool is_dotted(std::string_view text, bool (*accepts)(char)) {
  if (text.empty() || text.front() == '.' || text.back() == '.' || text.find("..") != std::string_view::npos) return false;
  return std::all_of(text.begin(), text.end(), [accepts](char c) { return c == '.' || accepts(c); });
}
bool is_host(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-'; }

std::string base64(std::string_view data) {
  static constexpr std::string_view kAlphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string out;
  out.reserve((data.size() + 2) / 3 * 4);
  for (std::size_t i = 0; i < data.size(); i += 3) {
    const std::size_t given = std::min<std::size_t>(3, data.size() - i);
    std::uint32_t group = 0;
    for (std::size_t k = 0; k < 3; ++k) group = (group << 8U) | (k < given ? static_cast<unsigned char>(data[i + k]) : 0U);
    for (std::size_t k = 0; k < 4; ++k) out += k <= given ? kAlphabet[(group >> (18 - 6 * k)) & 0x3FU] : '=';
  }
  return out;
}

std::string base64_lines(std::string_view data) {
  const auto text = base64(data);
  std::string out;
  for (std::size_t i = 0; i < text.size(); i += kEncodedLine) {
    out.append(text, i, kEncodedLine);
    out += "\r\n";
  }
  return out;
}

/// Cuts between characters, never inside of one.
std::size_t word_end(std::string_view text, std::size_t begin) {
  auto end = std::min(text.size(), begin + kWordBytes);
  while (end < text.size() && end > begin + 1 && (static_cast<unsigned char>(text[end]) & 0xC0U) == 0x80U) --end;
  return end;
}

std::string encode_subject(std::string_view subject) {
  constexpr std::size_t kPlainLine = 60;  // with the field's name well below 78
  if (is_ascii(subject) && subject.size() <= kPlainLine && subject.find("=?") == std::string_view::npos) return std::string(subject);
  std::string out;
  for (std::size_t begin = 0; begin < subject.size();) {
    const auto end = word_end(subject, begin);
    if (!out.empty()) out += "\r\n ";
    out += "=?UTF-8?B?" + base64(subject.substr(begin, end - begin)) + "?=";
    begin = end;
  }
  return out;
}

/// RFC 5322, 3.3: `Wed, 25 Nov 2026 22:01:00 +0000`
std::string date_field(TimePoint time) {
  static constexpr std::array<std::string_view, 7> kDays{"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
  static constexpr std::array<std::string_view, 12> kMonths{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                            "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
  const auto day = std::chrono::floor<std::chrono::days>(time);
  const std::chrono::year_month_day date(day);
  const std::chrono::hh_mm_ss clock(std::chrono::floor<std::chrono::seconds>(time - day));
  return fmt::format("{}, {:02} {} {} {:02}:{:02}:{:02} +0000", kDays[std::chrono::weekday(day).c_encoding()],
                     static_cast<unsigned>(date.day()), kMonths[static_cast<unsigned>(date.month()) - 1], static_cast<int>(date.year()),
                     clock.hours().count(), clock.minutes().count(), clock.seconds().count());
}

std::string text_part(std::string_view type, std::string_view content) {
  return fmt::format("Content-Type: {}; charset=utf-8\r\nContent-Transfer-Encoding: base64\r\n\r\n{}", type, base64_lines(content));
}

/// Within quotes: no quotes, no backslashes, ASCII only.
std::string quotable(std::string_view name) {
  std::string out;
  for (const char c : name) {
    if ((static_cast<unsigned char>(c) & 0xC0U) == 0x80U) continue;  // one sign for each character
    out += static_cast<unsigned char>(c) >= 0x80 || c == '"' || c == '\\' ? '_' : c;
  }
  return out;
}

/// RFC 2231 (and 5987): the name in UTF-8, in pieces that fit on a line.
std::string extended_name(std::string_view name) {
  constexpr std::size_t kPiece = 54;
  std::vector<std::string> pieces(1);
  for (const char c : name) {
    const std::string sign = (is_atom(c) || c == '.') && std::string_view("*'%").find(c) == std::string_view::npos
                                 ? std::string(1, c)
                                 : fmt::format("%{:02X}", static_cast<unsigned>(static_cast<unsigned char>(c)));
    if (pieces.back().size() + sign.size() > kPiece) pieces.emplace_back();
    pieces.back() += sign;
  }
  if (pieces.size() == 1) return ";\r\n filename*=UTF-8''" + pieces.front();
  std::string out;
  for (std::size_t i = 0; i < pieces.size(); ++i) out += fmt::format(";\r\n filename*{}*={}{}", i, i == 0 ? "UTF-8''" : "", pieces[i]);
  return out;
}

std::string attachment_part(const Attachment& attachment) {
  constexpr std::size_t kShortName = 50;
  const bool plain = is_ascii(attachment.name) && quotable(attachment.name) == attachment.name && attachment.name.size() <= kShortName;
  const std::string name = plain ? fmt::format("; filename=\"{}\"", attachment.name) : extended_name(attachment.name);
  return fmt::format("Content-Type: {}\r\nContent-Transfer-Encoding: base64\r\nContent-Disposition: attachment{}\r\n\r\n{}",
                     attachment.type, name, base64_lines(attachment.content));
}

/// The parts between their boundaries, with the field that announces them.
std::string multipart(std::string_view type, const std::string& boundary, const std::vector<std::string>& parts) {
  std::string out = fmt::format("Content-Type: multipart/{}; boundary=\"{}\"\r\n\r\n", type, boundary);
  for (const std::string& part : parts) out += fmt::format("--{}\r\n{}", boundary, part);
  return out + fmt::format("--{}--\r\n", boundary);
}

std::string body_of(const Letter& letter, const std::string& boundary) {
  if (letter.html.empty()) return text_part("text/plain", letter.text);
  if (letter.text.empty()) return text_part("text/html", letter.html);
  return multipart("alternative", boundary, {text_part("text/plain", letter.text), text_part("text/html", letter.html)});
}

/// A field that may be long: one address a line.
std::string address_field(std::string_view name, const std::vector<std::string>& addresses) {
  if (addresses.empty()) return {};
  std::string out = fmt::format("{}: ", name);
  for (std::size_t i = 0; i < addresses.size(); ++i) out += (i == 0 ? "" : ",\r\n ") + addresses[i];
  return out + "\r\n";
}

bool is_media_type(std::string_view type) {
  constexpr std::size_t kLongest = 100;
  const auto slash = type.find('/');
  const auto is_token = [](std::string_view text) { return !text.empty() && std::all_of(text.begin(), text.end(), is_atom); };
  return type.size() <= kLongest && slash != std::string_view::npos && is_token(type.substr(0, slash)) && is_token(type.substr(slash + 1));
}

bool is_file_name(std::string_view name) {
  constexpr std::size_t kLongest = 255;
  return !name.empty() && name.size() <= kLongest && name.find('/') == std::string_view::npos &&
         std::none_of(name.begin(), name.end(), is_control);
}

Error invalid(std::string message) { return {ErrorClass::unprocessable, "mail.invalid_message", std::move(message)}; }

}  // namespace

bool is_address(std::string_view text) {
  const auto at = text.rfind('@');
  if (at == std::string_view::npos || text.size() > kMaxAddress || at > kMaxLocalPart) return false;
  return is_dotted(text.substr(0, at), is_atom) && is_dotted(text.substr(at + 1), is_host);
}

Result<void> check(const Letter& letter) {
  if (letter.to.empty() && letter.cc.empty() && letter.bcc.empty()) return invalid("The mail has no recipient.");
  for (const auto* list : {&letter.to, &letter.cc, &letter.bcc}) {
    if (!std::all_of(list->begin(), list->end(), is_address)) return invalid("The recipient's address cannot be used.");
  }
  if (!letter.reply_to.empty() && !is_address(letter.reply_to)) return invalid("The address for answers cannot be used.");
  if (letter.subject.size() > kMaxSubject || std::any_of(letter.subject.begin(), letter.subject.end(), is_control)) {
    return invalid("The subject is too long or holds a line break or another control character.");
  }
  for (const Attachment& attachment : letter.attachments) {
    if (!is_file_name(attachment.name)) return invalid("The name of an attachment cannot be used.");
    if (!is_media_type(attachment.type)) return invalid("The content type of an attachment cannot be used.");
  }
  return {};
}

Result<std::string> compose(const Letter& letter, const Envelope& envelope) {
  PAWL_TRY_VOID(check(letter));
  if (!is_address(envelope.from)) return invalid("The sender's address cannot be used.");
  if (!is_dotted(envelope.message_id, is_atom)) return invalid("The message's id cannot be used.");
  const auto domain = envelope.from.substr(envelope.from.rfind('@') + 1);
  auto out =
      fmt::format("From: {}\r\n{}{}{}Subject: {}\r\nDate: {}\r\nMessage-ID: <{}@{}>\r\n", envelope.from, address_field("To", letter.to),
                  address_field("Cc", letter.cc), letter.reply_to.empty() ? "" : "Reply-To: " + letter.reply_to + "\r\n",
                  encode_subject(letter.subject), date_field(envelope.date), envelope.message_id, domain);
  out += "Auto-Submitted: auto-generated\r\nMIME-Version: 1.0\r\n";
  const auto boundary = std::string(kBoundaryPrefix) + envelope.message_id;
  if (letter.attachments.empty()) return out + body_of(letter, boundary);
  std::vector<std::string> parts{body_of(letter, boundary)};
  for (const Attachment& attachment : letter.attachments) parts.push_back(attachment_part(attachment));
  return out + multipart("mixed", std::string(kBoundaryPrefix) + "mixed_" + envelope.message_id, parts);
}

std::vector<std::string> recipients_of(const Letter& letter) {
  std::vector<std::string> all;
  for (const auto* list : {&letter.to, &letter.cc, &letter.bcc}) {
    for (const std::string& address : *list) {
      if (std::find(all.begin(), all.end(), address) == all.end()) all.push_back(address);
    }
  }
  return all;
}

}  // namespace pawl::mail
