#include "mail/received.hpp"

#include <iconv.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <memory>
#include <optional>

#include "base/utf8.hpp"
#include "mail/detail/decode.hpp"

namespace pawl::mail {
namespace {

using detail::Fields;
using detail::lower;
using detail::trim;

constexpr std::size_t kMaxDepth = 20;
constexpr std::size_t kMaxParts = 500;
constexpr std::size_t kMaxCharsetName = 40;

/// No `//TRANSLIT` and no paths: iconv looks for a file by this name.
bool is_charset_name(std::string_view name) {
  return !name.empty() && name.size() <= kMaxCharsetName && std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '-' || c == '_' || c == '.' || c == ':';
  });
}

struct CloseIconv {
  using pointer = iconv_t;
  void operator()(iconv_t converter) const noexcept { iconv_close(converter); }
};

/// Nothing where the charset is not known.
std::optional<std::string> convert(const std::string& charset, std::string_view bytes) {
  const iconv_t opened = iconv_open("UTF-8", charset.c_str());
  if (opened == reinterpret_cast<iconv_t>(-1)) return std::nullopt;
  const std::unique_ptr<iconv_t, CloseIconv> converter(opened);
  std::string input(bytes);
  std::string out;
  char* from = input.data();
  std::size_t left = input.size();
  std::array<char, 4096> piece{};
  while (true) {
    char* to = piece.data();
    std::size_t room = piece.size();
    const std::size_t result = iconv(converter.get(), left > 0 ? &from : nullptr, &left, &to, &room);
    const int error = result == static_cast<std::size_t>(-1) ? errno : 0;
    const bool flushed = left == 0 && error == 0;
    out.append(piece.data(), piece.size() - room);
    if (error == E2BIG) continue;
    if (error == 0 && flushed) return out;
    out += "\xEF\xBF\xBD";
    if (error == EINVAL || left <= 1) return out;  // cut off in the middle of a character
    ++from;
    --left;
  }
}

/// Where an encoded word ends, from its `=?` on; its three parts.
struct Word {
  std::string_view charset;
  std::string_view encoding;
  std::string_view text;
  std::size_t length = 0;
};
std::optional<Word> read_word(std::string_view text) {
  const std::size_t first = text.find('?', 2);
  if (first == std::string_view::npos) return std::nullopt;
  const std::size_t second = text.find('?', first + 1);
  if (second == std::string_view::npos) return std::nullopt;
  const std::size_t end = text.find("?=", second + 1);
  if (end == std::string_view::npos) return std::nullopt;
  Word word{text.substr(2, first - 2), text.substr(first + 1, second - first - 1), text.substr(second + 1, end - second - 1), end + 2};
  word.charset = word.charset.substr(0, word.charset.find('*'));  // RFC 2231: a language may follow
  if (word.encoding.size() != 1 || word.text.find(' ') != std::string_view::npos) return std::nullopt;
  return word;
}

std::string undo_transfer(std::string_view encoding, std::string_view body) {
  if (encoding == "base64") return detail::decode_base64(body);
  if (encoding == "quoted-printable") return detail::decode_quoted(body, false);
  return std::string(body);
}

/// What stands between the boundary lines, without what is before the first.
std::vector<std::string_view> split_parts(std::string_view body, const std::string& boundary) {
  std::vector<std::string_view> parts;
  const std::string line = "--" + boundary;
  std::optional<std::size_t> begin;
  std::size_t at = 0;
  while (at <= body.size() && parts.size() < kMaxParts) {
    const std::size_t found = body.find(line, at);
    if (found == std::string_view::npos) break;
    at = found + line.size();
    if (found > 0 && body[found - 1] != '\n') continue;
    const std::size_t end = std::min(body.find('\n', at), body.size());
    const std::string_view tail = trim(body.substr(at, end - at));
    if (!tail.empty() && tail != "--") continue;  // a longer boundary that begins alike
    if (begin) {
      std::string_view part = body.substr(*begin, found - *begin);
      if (part.ends_with('\n')) part.remove_suffix(1);
      if (part.ends_with('\r')) part.remove_suffix(1);
      parts.push_back(part);
    }
    begin = std::min(end + 1, body.size());
    if (tail == "--") return parts;
  }
  if (begin && *begin < body.size() && parts.size() < kMaxParts) parts.push_back(body.substr(*begin));  // cut off before its end
  return parts;
}

class Reader {
 public:
  explicit Reader(Received& received) : received_(received) {}

  void read_body(const Fields& fields, std::string_view body, std::size_t depth) {
    if (++parts_ > kMaxParts || depth > kMaxDepth) return;
    auto type = detail::read_parameterized(detail::field_of(fields, "content-type"));
    if (type.value.find('/') == std::string::npos) type.value = "text/plain";
    const std::string boundary = type.parameter("boundary");
    if (type.value.starts_with("multipart/") && !boundary.empty()) {
      for (const std::string_view part : split_parts(body, boundary)) {
        std::string_view content;
        const Fields inner = detail::read_fields(part, content);
        // A part may begin with the empty line at once: then it has no fields.
        read_body(inner, inner.empty() ? without_first_line_break(part) : content, depth + 1);
      }
      return;
    }
    read_leaf(fields, type, body);
  }

 private:
  static std::string_view without_first_line_break(std::string_view text) {
    if (text.starts_with("\r\n")) return text.substr(2);
    return text.substr(text.starts_with('\n') ? 1 : 0);
  }

  void read_leaf(const Fields& fields, const detail::Parameterized& type, std::string_view body) {
    const auto disposition = detail::read_parameterized(detail::field_of(fields, "content-disposition"));
    const std::string encoding = lower(trim(detail::field_of(fields, "content-transfer-encoding")));
    std::string content = undo_transfer(encoding, body);
    std::string name = disposition.parameter("filename");
    if (name.empty()) name = type.parameter("name");
    const bool is_text = type.value == "text/plain" || type.value == "text/html";
    std::string& place = type.value == "text/html" ? received_.html : received_.text;
    if (is_text && disposition.value != "attachment" && place.empty()) {
      place = to_utf8_from(type.parameter("charset"), content);
      return;
    }
    if (is_text && disposition.value != "attachment" && name.empty()) return;  // another rendering of what is there already
    received_.attachments.push_back({std::move(name), to_utf8(type.value), content.size()});
  }

  Received& received_;
  std::size_t parts_ = 0;
};

}  // namespace

std::string to_utf8_from(std::string_view charset, std::string_view bytes) {
  const std::string name = lower(trim(charset));
  if (name.empty() || name == "utf-8" || name == "utf8" || name == "us-ascii" || !is_charset_name(name)) return to_utf8(std::string(bytes));
  auto converted = convert(name, bytes);
  return to_utf8(converted ? std::move(*converted) : std::string(bytes));
}

std::string decode_words(std::string_view field) {
  std::string out;
  bool after_word = false;
  while (!field.empty()) {
    const std::size_t begin = std::min(field.find("=?"), field.size());
    const std::string_view before = field.substr(0, begin);
    const auto word = begin < field.size() ? read_word(field.substr(begin)) : std::nullopt;
    // Space between two encoded words is no space (RFC 2047, 6.2).
    if (!(after_word && word && trim(before).empty())) out += before;
    field.remove_prefix(begin);
    after_word = word.has_value();
    if (word) {
      const std::string bytes = lower(word->encoding) == "b" ? detail::decode_base64(word->text) : detail::decode_quoted(word->text, true);
      out += to_utf8_from(word->charset, bytes);
      field.remove_prefix(word->length);
    } else if (!field.empty()) {
      out += field.substr(0, 2);
      field.remove_prefix(std::min<std::size_t>(2, field.size()));
    }
  }
  return to_utf8(std::move(out));
}

Received read_message(std::string_view message) {
  Received received;
  std::string_view body;
  const Fields fields = detail::read_fields(message, body);
  const auto text = [&fields](std::string_view name) { return decode_words(detail::field_of(fields, name)); };
  received.from = text("from");
  received.to = text("to");
  received.cc = text("cc");
  received.subject = text("subject");
  received.date = text("date");
  received.message_id = text("message-id");
  Reader(received).read_body(fields, body, 0);
  return received;
}

std::vector<std::string> split_mbox(std::string_view mailbox, std::size_t limit) {
  if (!mailbox.starts_with("From ")) return {std::string(mailbox)};
  std::vector<std::string> mails;
  bool after_blank = true;
  while (!mailbox.empty()) {
    const std::size_t end = std::min(mailbox.find('\n'), mailbox.size());
    std::string_view line = mailbox.substr(0, std::min(end + 1, mailbox.size()));
    mailbox.remove_prefix(line.size());
    if (after_blank && line.starts_with("From ")) {
      if (mails.size() == limit) break;
      mails.emplace_back();
      after_blank = false;
      continue;
    }
    after_blank = trim(line).empty();
    const std::size_t quotes = std::min(line.find_first_not_of('>'), line.size());
    if (quotes > 0 && line.substr(quotes).starts_with("From ")) line.remove_prefix(1);
    mails.back().append(line);
  }
  return mails;
}

}  // namespace pawl::mail
