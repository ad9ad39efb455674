/// Tokens to syntax tree: recursive descent with a depth limit.
#pragma once

#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "jq/detail/ast.hpp"
#include "jq/detail/lexer.hpp"

namespace pawl::jq::detail {

/// Nesting of parentheses, operators and the like beyond this is an error, so that no pass over the tree overflows the stack.
inline constexpr int kMaxNesting = 600;

class Parser {
 public:
  Parser(std::string_view source, Tree& tree) : source_(source), lexer_(source), tree_(tree) {}

  /// A whole program.
  [[nodiscard]] Result<const Node*> program();
  /// Function definitions up to the end, for the built-in ones.
  [[nodiscard]] Result<std::vector<const Function*>> definitions();

 private:
  using Parsed = Result<const Node*>;
  class Nesting;

  Parsed query(bool with_comma = true);
  Parsed operand(bool with_comma);
  Parsed expression(int min_precedence);
  Parsed unary();
  Parsed post_term();
  Parsed term();
  Parsed suffixes(const Node* base);
  Parsed bracket_suffix(const Node* base, std::uint32_t offset);
  Parsed primary();
  Parsed string_literal(std::string format);
  Parsed array_literal();
  Parsed object_literal();
  Result<void> object_entry(Node& object);
  Parsed conditional();
  Parsed try_expression();
  Parsed fold(NodeKind kind);
  Parsed named_or_call();
  Result<const Function*> definition();
  Result<std::vector<const Pattern*>> patterns();
  Result<const Pattern*> pattern();
  Result<void> pattern_entry(Pattern& object);
  Result<void> refuse_constant_key(const Node& key) const;

  Result<void> advance();
  Result<void> expect(std::string_view op);
  Result<void> expect_keyword(std::string_view word);
  [[nodiscard]] Error unexpected(std::string_view wanted = {}) const;
  [[nodiscard]] Error error_at(std::uint32_t offset, std::string message) const;
  Node& make(NodeKind kind, std::uint32_t offset);
  Parsed finish(Node& node) const;  // sets the depth
  Parsed number_literal();
  const Node* constant(json::Value value, std::uint32_t offset);

  std::string_view source_;
  Lexer lexer_;
  Tree& tree_;
  Lexeme now_;
  int nesting_ = 0;
};

/// The number that `text` spells; integers that fit in 64 bits stay exact, what is too large becomes infinite.
[[nodiscard]] json::Value number_from_text(std::string_view text);

}  // namespace pawl::jq::detail
