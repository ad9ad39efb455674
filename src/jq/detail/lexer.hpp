/// Text to tokens, on demand: the parser asks for the next one, and reads the inside of string literals piece by piece because
/// interpolations nest.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.hpp"

namespace pawl::jq::detail {

enum class Token : std::uint8_t {
  end,
  identifier,  // also `a::b`
  keyword,
  field,     // .name
  variable,  // $name
  format,    // @name
  number,
  quote,  // the opening quote of a string
  dot,
  dot_dot,
  op,  // operators and brackets, by `text`
};

struct Lexeme {
  Token token = Token::end;
  std::string_view text;  // of names: without `.`, `$`, `@`
  std::uint32_t offset = 0;
  std::uint32_t length = 0;

  [[nodiscard]] bool is(std::string_view op) const { return token == Token::op && text == op; }
  [[nodiscard]] bool is_keyword(std::string_view word) const { return token == Token::keyword && text == word; }
};

/// An error about one place of the source, with line and column worked out.
[[nodiscard]] Error source_error(std::string_view source, std::uint32_t offset, std::string code, std::string message,
                                 std::string suggestion = {});

class Lexer {
 public:
  explicit Lexer(std::string_view source) : source_(source) {}

  [[nodiscard]] Result<Lexeme> next();

  /// Reads on inside a string literal, appending to `out`, until its closing quote (true) or a `\(` (false).
  [[nodiscard]] Result<bool> string_part(std::string& out);

 private:
  void skip_blanks();
  [[nodiscard]] Lexeme make(Token token, std::size_t begin, std::size_t skip = 0) const;
  [[nodiscard]] std::size_t name_end(std::size_t from) const;
  [[nodiscard]] std::size_t number_end(std::size_t from) const;
  [[nodiscard]] Result<void> escape(std::string& out);
  [[nodiscard]] int hex4(std::size_t from) const;
  [[nodiscard]] char peek(std::size_t ahead = 0) const { return at_ + ahead < source_.size() ? source_[at_ + ahead] : '\0'; }

  std::string_view source_;
  std::size_t at_ = 0;
};

}  // namespace pawl::jq::detail
