#include "jq/detail/lexer.hpp"

#include <algorithm>
#include <array>

#include "jq/detail/utf8.hpp"

namespace pawl::jq::detail {
namespace {

constexpr std::array<std::string_view, 19> kKeywords = {"and", "as",      "break", "catch",  "def",     "elif",  "else",
                                                        "end", "foreach", "if",    "import", "include", "label", "module",
                                                        "or",  "reduce",  "then",  "try",    "__loc__"};
// Longest first.
constexpr std::array<std::string_view, 31> kOperators = {
    "?//", "//=", "|=", "+=", "-=", "*=", "/=", "%=", "==", "!=", "<=", ">=", "//", "|", ",", "+",
    "-",   "*",   "/",  "%",  "=",  "<",  ">",  "(",  ")",  "[",  "]",  "{",  "}",  ":", ";"};

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_name_start(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }
bool is_name(char c) { return is_name_start(c) || is_digit(c); }

}  // namespace

Error source_error(std::string_view source, std::uint32_t offset, std::string code, std::string message, std::string suggestion) {
  Finding finding;
  finding.line = 1;
  finding.column = 1;
  for (std::size_t i = 0; i < offset && i < source.size(); ++i) {
    if (source[i] == '\n') {
      ++finding.line;
      finding.column = 1;
    } else if ((static_cast<unsigned char>(source[i]) & 0xC0U) != 0x80) {
      ++finding.column;
    }
  }
  finding.message = message;
  finding.rule = code == "jq.unknown" ? "jq-unknown" : "jq-syntax";
  finding.suggestion = std::move(suggestion);
  std::string sentence = message + " (line " + std::to_string(finding.line) + ", column " + std::to_string(finding.column) + ")";
  return Error(ErrorClass::unprocessable, std::move(code), std::move(sentence), {std::move(finding)});
}

void Lexer::skip_blanks() {
  while (at_ < source_.size()) {
    const char c = source_[at_];
    if (c == ' ' || c == '\t' || c == '\n' || c == '\r') {
      ++at_;
    } else if (c == '#') {
      // A comment ends with its line, unless an odd number of backslashes stands before the line's end.
      for (std::size_t slashes = 0; at_ < source_.size(); ++at_) {
        if (source_[at_] == '\n' && slashes % 2 == 0) break;
        if (source_[at_] == '\r' && peek(1) == '\n' && slashes % 2 == 1) continue;
        slashes = source_[at_] == '\\' ? slashes + 1 : 0;
      }
    } else {
      return;
    }
  }
}

Lexeme Lexer::make(Token token, std::size_t begin, std::size_t skip) const {
  Lexeme out;
  out.token = token;
  out.text = source_.substr(begin + skip, at_ - begin - skip);
  out.offset = static_cast<std::uint32_t>(begin);
  out.length = static_cast<std::uint32_t>(at_ - begin);
  return out;
}

std::size_t Lexer::name_end(std::size_t from) const {
  if (from >= source_.size() || !is_name_start(source_[from])) return from;
  std::size_t end = from;
  while (end < source_.size() && is_name(source_[end])) ++end;
  while (end + 2 < source_.size() && source_[end] == ':' && source_[end + 1] == ':' && is_name_start(source_[end + 2])) {
    end += 2;
    while (end < source_.size() && is_name(source_[end])) ++end;
  }
  return end;
}

std::size_t Lexer::number_end(std::size_t from) const {
  std::size_t end = from;
  while (end < source_.size() && is_digit(source_[end])) ++end;
  if (end < source_.size() && source_[end] == '.') {
    ++end;
    while (end < source_.size() && is_digit(source_[end])) ++end;
  }
  if (end < source_.size() && (source_[end] == 'e' || source_[end] == 'E')) {
    std::size_t exponent = end + 1;
    if (exponent < source_.size() && (source_[exponent] == '+' || source_[exponent] == '-')) ++exponent;
    if (exponent < source_.size() && is_digit(source_[exponent])) {
      while (exponent < source_.size() && is_digit(source_[exponent])) ++exponent;
      end = exponent;
    }
  }
  return end;
}

Result<Lexeme> Lexer::next() {
  skip_blanks();
  const std::size_t begin = at_;
  if (at_ >= source_.size()) return make(Token::end, begin);
  const char c = source_[at_];
  if (is_digit(c) || (c == '.' && is_digit(peek(1)))) {
    at_ = number_end(at_);
    return make(Token::number, begin);
  }
  if (c == '.') {
    if (peek(1) == '.') {
      at_ += 2;
      return make(Token::dot_dot, begin);
    }
    if (is_name_start(peek(1))) {
      ++at_;
      while (at_ < source_.size() && is_name(source_[at_])) ++at_;
      return make(Token::field, begin, 1);
    }
    ++at_;
    return make(Token::dot, begin);
  }
  if (c == '"') {
    ++at_;
    return make(Token::quote, begin);
  }
  if ((c == '$' || c == '@') && is_name_start(peek(1))) {
    at_ = name_end(at_ + 1);
    return make(c == '$' ? Token::variable : Token::format, begin, 1);
  }
  if (is_name_start(c)) {
    at_ = name_end(at_);
    const bool keyword = std::find(kKeywords.begin(), kKeywords.end(), source_.substr(begin, at_ - begin)) != kKeywords.end();
    return make(keyword ? Token::keyword : Token::identifier, begin);
  }
  for (const auto op : kOperators) {
    if (source_.substr(at_, op.size()) != op) continue;
    at_ += op.size();
    return make(Token::op, begin);
  }
  if (c == '?') {
    ++at_;
    return make(Token::op, begin);
  }
  return source_error(source_, static_cast<std::uint32_t>(begin), "jq.syntax", "unexpected character");
}

Result<bool> Lexer::string_part(std::string& out) {
  while (at_ < source_.size()) {
    const char c = source_[at_];
    if (c == '"') {
      ++at_;
      return true;
    }
    if (c != '\\') {
      out += c;
      ++at_;
      continue;
    }
    if (peek(1) == '(') {
      at_ += 2;
      return false;
    }
    PAWL_TRY_VOID(escape(out));
  }
  return source_error(source_, static_cast<std::uint32_t>(source_.size()), "jq.syntax", "unterminated string literal");
}

int Lexer::hex4(std::size_t from) const {
  if (from + 4 > source_.size()) return -1;
  int value = 0;
  for (std::size_t i = from; i < from + 4; ++i) {
    const char c = source_[i];
    int digit = -1;
    if (is_digit(c)) digit = c - '0';
    if (c >= 'a' && c <= 'f') digit = c - 'a' + 10;
    if (c >= 'A' && c <= 'F') digit = c - 'A' + 10;
    if (digit < 0) return -1;
    value = value * 16 + digit;
  }
  return value;
}

Result<void> Lexer::escape(std::string& out) {
  static constexpr std::string_view kFrom = "\"\\/bfnrt";
  static constexpr std::string_view kTo = "\"\\/\b\f\n\r\t";
  const auto known = kFrom.find(peek(1));
  if (peek(1) != '\0' && known != std::string_view::npos) {
    out += kTo[known];
    at_ += 2;
    return {};
  }
  if (peek(1) == 'u') {
    const int high = hex4(at_ + 2);
    if (high >= 0) {
      at_ += 6;
      auto code_point = static_cast<std::uint32_t>(high);
      if (high >= 0xD800 && high <= 0xDBFF && peek() == '\\' && peek(1) == 'u') {
        const int low = hex4(at_ + 2);
        if (low >= 0xDC00 && low <= 0xDFFF) {
          at_ += 6;
          code_point = 0x10000U + ((static_cast<std::uint32_t>(high) - 0xD800U) << 10U) + (static_cast<std::uint32_t>(low) - 0xDC00U);
        }
      }
      append_utf8(out, code_point);
      return {};
    }
  }
  return source_error(source_, static_cast<std::uint32_t>(at_), "jq.syntax", "invalid escape in a string literal");
}

}  // namespace pawl::jq::detail
