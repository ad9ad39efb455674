#include "jq/detail/parser.hpp"

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <optional>

#include "jq/detail/ops.hpp"

namespace pawl::jq::detail {
namespace {

struct Operator {
  std::string_view text;
  int precedence;
  enum class Associativity : std::uint8_t { left, right, none } associativity;
  NodeKind kind;
  Binary binary = Binary::add;
};

constexpr auto kLeft = Operator::Associativity::left;
constexpr auto kRight = Operator::Associativity::right;
constexpr auto kNone = Operator::Associativity::none;

constexpr Operator kOperators[] = {
    {"//", 1, kRight, NodeKind::alternative},
    {"=", 2, kNone, NodeKind::assign},
    {"|=", 2, kNone, NodeKind::update},
    {"+=", 2, kNone, NodeKind::arithmetic_update, Binary::add},
    {"-=", 2, kNone, NodeKind::arithmetic_update, Binary::subtract},
    {"*=", 2, kNone, NodeKind::arithmetic_update, Binary::multiply},
    {"/=", 2, kNone, NodeKind::arithmetic_update, Binary::divide},
    {"%=", 2, kNone, NodeKind::arithmetic_update, Binary::modulo},
    {"//=", 2, kNone, NodeKind::alternative_update},
    {"or", 3, kLeft, NodeKind::logical_or},
    {"and", 4, kLeft, NodeKind::logical_and},
    {"==", 5, kNone, NodeKind::binary, Binary::equal},
    {"!=", 5, kNone, NodeKind::binary, Binary::not_equal},
    {"<", 5, kNone, NodeKind::binary, Binary::less},
    {"<=", 5, kNone, NodeKind::binary, Binary::less_equal},
    {">", 5, kNone, NodeKind::binary, Binary::greater},
    {">=", 5, kNone, NodeKind::binary, Binary::greater_equal},
    {"+", 6, kLeft, NodeKind::binary, Binary::add},
    {"-", 6, kLeft, NodeKind::binary, Binary::subtract},
    {"*", 7, kLeft, NodeKind::binary, Binary::multiply},
    {"/", 7, kLeft, NodeKind::binary, Binary::divide},
    {"%", 7, kLeft, NodeKind::binary, Binary::modulo},
};
constexpr int kProductPrecedence = 7;

const Operator* find_operator(const Lexeme& lexeme) {
  if (lexeme.token != Token::op && lexeme.token != Token::keyword) return nullptr;
  for (const auto& candidate : kOperators) {
    if (candidate.text == lexeme.text) return &candidate;
  }
  return nullptr;
}

}  // namespace

json::Value number_from_text(std::string_view text) {
  std::int64_t integer = 0;
  const char* const end = text.data() + text.size();
  if (const auto [stop, failure] = std::from_chars(text.data(), end, integer); failure == std::errc{} && stop == end) {
    if (integer != 0 || text.front() != '-') return integer;
  }
  double number = 0;
  const auto [stop, failure] = std::from_chars(text.data(), end, number);
  // Out of range: strtod tells the infinite from the tiny.
  if (failure != std::errc{}) number = std::strtod(std::string(text).c_str(), nullptr);
  return number;
}

class Parser::Nesting {
 public:
  explicit Nesting(Parser& parser) : parser_(parser) { ++parser_.nesting_; }
  Nesting(const Nesting&) = delete;
  Nesting& operator=(const Nesting&) = delete;
  ~Nesting() { --parser_.nesting_; }
  [[nodiscard]] bool too_deep() const { return parser_.nesting_ > kMaxNesting; }

 private:
  Parser& parser_;
};

Result<void> Parser::advance() {
  PAWL_TRY(lexeme, lexer_.next());
  now_ = lexeme;
  return {};
}

Error Parser::error_at(std::uint32_t offset, std::string message) const {
  return source_error(source_, offset, "jq.syntax", std::move(message));
}

Error Parser::unexpected(std::string_view wanted) const {
  std::string message = "syntax error, unexpected ";
  if (now_.token == Token::end) {
    message += "end of the expression";
  } else {
    message += '\'';
    message += source_.substr(now_.offset, now_.length);
    message += '\'';
  }
  if (!wanted.empty()) {
    message += ", expecting ";
    message += wanted;
  }
  return error_at(now_.offset, std::move(message));
}

Result<void> Parser::expect(std::string_view op) {
  if (!now_.is(op)) return unexpected("'" + std::string(op) + "'");
  return advance();
}

Result<void> Parser::expect_keyword(std::string_view word) {
  if (!now_.is_keyword(word)) return unexpected("'" + std::string(word) + "'");
  return advance();
}

Node& Parser::make(NodeKind kind, std::uint32_t offset) {
  Node& node = tree_.nodes.emplace_back();
  node.kind = kind;
  node.offset = offset;
  return node;
}

const Node* Parser::constant(json::Value value, std::uint32_t offset) {
  Node& node = make(NodeKind::constant, offset);
  node.value = std::move(value);
  return &node;
}

Parser::Parsed Parser::finish(Node& node) const {
  int deepest = 0;
  for (const auto* kid : node.kids) {
    if (kid) deepest = std::max<int>(deepest, kid->depth);
  }
  for (const auto* bound : node.patterns) deepest = std::max<int>(deepest, bound->depth);
  if (node.function) deepest = std::max<int>(deepest, node.function->body->depth);
  if (deepest >= kMaxNesting) return error_at(node.offset, "the expression is nested too deeply");
  node.depth = static_cast<std::uint16_t>(deepest + 1);
  return &node;
}

Parser::Parsed Parser::program() {
  PAWL_TRY_VOID(advance());
  if (now_.token == Token::end) {
    return finish(make(NodeKind::identity, 0));  // jq: an empty program is `.`
  }
  PAWL_TRY(root, query());
  if (now_.token != Token::end) return unexpected("the end");
  tree_.root = root;
  return root;
}

Result<std::vector<const Function*>> Parser::definitions() {
  std::vector<const Function*> all;
  PAWL_TRY_VOID(advance());
  while (now_.token != Token::end) {
    PAWL_TRY(function, definition());
    all.push_back(function);
  }
  return all;
}

Parser::Parsed Parser::query(bool with_comma) {
  const Nesting nesting(*this);
  if (nesting.too_deep()) return error_at(now_.offset, "the expression is nested too deeply");
  const std::uint32_t offset = now_.offset;
  std::vector<const Node*> stages;
  while (true) {
    std::vector<const Node*> choices;
    while (true) {
      PAWL_TRY(choice, operand(with_comma));
      choices.push_back(choice);
      if (!with_comma || !now_.is(",")) break;
      PAWL_TRY_VOID(advance());
    }
    if (choices.size() == 1) {
      stages.push_back(choices.front());
    } else {
      Node& comma = make(NodeKind::comma, offset);
      comma.kids = std::move(choices);
      PAWL_TRY(done, finish(comma));
      stages.push_back(done);
    }
    if (!now_.is("|")) break;
    PAWL_TRY_VOID(advance());
  }
  if (stages.size() == 1) return stages.front();
  Node& pipe = make(NodeKind::pipe, offset);
  pipe.kids = std::move(stages);
  return finish(pipe);
}

/// What stands between commas and pipes; `def`, `label` and `as` take everything to their right.
Parser::Parsed Parser::operand(bool with_comma) {
  const std::uint32_t offset = now_.offset;
  if (now_.is_keyword("def")) {
    PAWL_TRY(function, definition());
    Node& node = make(NodeKind::define, offset);
    node.function = function;
    PAWL_TRY(rest, query(with_comma));
    node.kids = {rest};
    return finish(node);
  }
  if (now_.is_keyword("label")) {
    PAWL_TRY_VOID(advance());
    if (now_.token != Token::variable) return unexpected("a label such as $out");
    Node& node = make(NodeKind::label, offset);
    node.text = now_.text;
    PAWL_TRY_VOID(advance());
    PAWL_TRY_VOID(expect("|"));
    PAWL_TRY(rest, query(with_comma));
    node.kids = {rest};
    return finish(node);
  }
  if (now_.is_keyword("import") || now_.is_keyword("include") || now_.is_keyword("module")) {
    return source_error(source_, offset, "jq.unknown", "modules are not available");
  }
  PAWL_TRY(source, expression(0));
  if (!now_.is_keyword("as")) return source;
  PAWL_TRY_VOID(advance());
  Node& node = make(NodeKind::bind, offset);
  PAWL_TRY(all, patterns());
  node.patterns = std::move(all);
  PAWL_TRY_VOID(expect("|"));
  PAWL_TRY(rest, query(with_comma));
  node.kids = {source, rest};
  return finish(node);
}

Parser::Parsed Parser::expression(int min_precedence) {
  const Nesting nesting(*this);
  if (nesting.too_deep()) return error_at(now_.offset, "the expression is nested too deeply");
  PAWL_TRY(first, unary());
  const Node* left = first;
  while (const Operator* op = find_operator(now_)) {
    if (op->precedence < min_precedence) break;
    Node& node = make(op->kind, now_.offset);
    node.binary = op->binary;
    node.length = now_.length;
    PAWL_TRY_VOID(advance());
    PAWL_TRY(right, expression(op->associativity == kRight ? op->precedence : op->precedence + 1));
    node.kids = {left, right};
    PAWL_TRY(done, finish(node));
    left = done;
    if (op->associativity == kNone) {
      const Operator* following = find_operator(now_);
      if (following && following->precedence == op->precedence) return unexpected();
    }
  }
  return left;
}

Parser::Parsed Parser::unary() {
  if (!now_.is("-")) return post_term();
  Node& node = make(NodeKind::negate, now_.offset);
  PAWL_TRY_VOID(advance());
  PAWL_TRY(inner, expression(kProductPrecedence));
  if (inner->kind == NodeKind::constant && inner->value.is_number()) return constant(negated(inner->value), node.offset);
  node.kids = {inner};
  return finish(node);
}

/// What `try` and `catch` take: a term, perhaps negated.
Parser::Parsed Parser::post_term() {
  if (now_.is_keyword("try")) return try_expression();
  if (now_.is("-")) {
    const Nesting nesting(*this);
    if (nesting.too_deep()) return error_at(now_.offset, "the expression is nested too deeply");
    Node& node = make(NodeKind::negate, now_.offset);
    PAWL_TRY_VOID(advance());
    PAWL_TRY(inner, post_term());
    node.kids = {inner};
    return finish(node);
  }
  return term();
}

Parser::Parsed Parser::try_expression() {
  const Nesting nesting(*this);
  if (nesting.too_deep()) return error_at(now_.offset, "the expression is nested too deeply");
  Node& node = make(NodeKind::try_catch, now_.offset);
  PAWL_TRY_VOID(advance());
  PAWL_TRY(body, post_term());
  const Node* handler = nullptr;
  if (now_.is_keyword("catch")) {
    PAWL_TRY_VOID(advance());
    PAWL_TRY(parsed, post_term());
    handler = parsed;
  }
  node.kids = {body, handler};
  return finish(node);
}

Parser::Parsed Parser::term() {
  PAWL_TRY(base, primary());
  return suffixes(base);
}

Parser::Parsed Parser::suffixes(const Node* base) {
  while (true) {
    const std::uint32_t offset = now_.offset;
    if (now_.token == Token::field) {
      Node& node = make(NodeKind::index, offset);
      node.length = now_.length;
      node.kids = {base, constant(now_.text, offset)};
      PAWL_TRY_VOID(advance());
      PAWL_TRY(done, finish(node));
      base = done;
    } else if (now_.token == Token::dot) {
      PAWL_TRY_VOID(advance());
      if (now_.token == Token::quote) {
        Node& node = make(NodeKind::index, offset);
        PAWL_TRY(key, string_literal(""));
        node.kids = {base, key};
        PAWL_TRY(done, finish(node));
        base = done;
      } else if (now_.is("[")) {
        PAWL_TRY(done, bracket_suffix(base, offset));
        base = done;
      } else {
        return unexpected("a field name");
      }
    } else if (now_.is("[")) {
      PAWL_TRY(done, bracket_suffix(base, offset));
      base = done;
    } else if (now_.is("?") || now_.is("?//")) {
      auto& last = const_cast<Node&>(*base);  // the parser's own, not yet shared
      const bool access = last.kind == NodeKind::index || last.kind == NodeKind::slice || last.kind == NodeKind::iterate;
      if (access && !last.optional) {
        last.optional = true;
      } else {
        Node& node = make(NodeKind::try_catch, offset);
        node.kids = {base, nullptr};
        PAWL_TRY(done, finish(node));
        base = done;
      }
      if (now_.is("?//")) {  // `.a?//1`: no pattern can stand here, so it is `?` and `//`
        now_.text.remove_prefix(1);
        now_.offset += 1;
        now_.length -= 1;
      } else {
        PAWL_TRY_VOID(advance());
      }
    } else {
      return base;
    }
  }
}

Parser::Parsed Parser::bracket_suffix(const Node* base, std::uint32_t offset) {
  PAWL_TRY_VOID(expect("["));
  if (now_.is("]")) {
    Node& node = make(NodeKind::iterate, offset);
    node.kids = {base};
    PAWL_TRY_VOID(advance());
    return finish(node);
  }
  const Node* from = nullptr;
  if (!now_.is(":")) {
    PAWL_TRY(parsed, query());
    from = parsed;
    if (now_.is("]")) {
      Node& node = make(NodeKind::index, offset);
      node.kids = {base, from};
      PAWL_TRY_VOID(advance());
      return finish(node);
    }
  }
  PAWL_TRY_VOID(expect(":"));
  const Node* to = nullptr;
  if (!now_.is("]")) {
    PAWL_TRY(parsed, query());
    to = parsed;
  } else if (!from) {
    return unexpected("a bound of the slice");
  }
  PAWL_TRY_VOID(expect("]"));
  Node& node = make(NodeKind::slice, offset);
  node.kids = {base, from, to};
  return finish(node);
}

Result<const Function*> Parser::definition() {
  Function& function = tree_.functions.emplace_back();
  function.offset = now_.offset;
  PAWL_TRY_VOID(expect_keyword("def"));
  if (now_.token != Token::identifier && now_.token != Token::keyword) return unexpected("a function name");
  function.name = now_.text;
  PAWL_TRY_VOID(advance());
  if (now_.is("(")) {
    do {
      PAWL_TRY_VOID(advance());
      if (now_.token != Token::identifier && now_.token != Token::variable && now_.token != Token::keyword)
        return unexpected("a parameter");
      function.parameters.push_back({std::string(now_.text), now_.token == Token::variable});
      PAWL_TRY_VOID(advance());
    } while (now_.is(";"));
    PAWL_TRY_VOID(expect(")"));
  }
  if (function.parameters.size() > 255) return error_at(function.offset, "too many parameters");
  PAWL_TRY_VOID(expect(":"));
  PAWL_TRY(body, query());
  function.body = body;
  PAWL_TRY_VOID(expect(";"));
  return &function;
}

Result<std::vector<const Pattern*>> Parser::patterns() {
  std::vector<const Pattern*> all;
  while (true) {
    PAWL_TRY(parsed, pattern());
    all.push_back(parsed);
    if (!now_.is("?//")) return all;
    PAWL_TRY_VOID(advance());
  }
}

Result<const Pattern*> Parser::pattern() {
  const Nesting nesting(*this);
  if (nesting.too_deep()) return error_at(now_.offset, "the expression is nested too deeply");
  Pattern& made = tree_.patterns.emplace_back();
  made.offset = now_.offset;
  if (now_.token == Token::variable) {
    made.name = now_.text;
    PAWL_TRY_VOID(advance());
    return &made;
  }
  if (now_.is("[")) {
    made.kind = Pattern::Kind::array;
    do {
      PAWL_TRY_VOID(advance());
      PAWL_TRY(item, pattern());
      made.items.push_back(item);
      made.depth = std::max<std::uint16_t>(made.depth, static_cast<std::uint16_t>(item->depth + 1));
    } while (now_.is(","));
    PAWL_TRY_VOID(expect("]"));
    return &made;
  }
  if (now_.is("{")) {
    made.kind = Pattern::Kind::object;
    do {
      PAWL_TRY_VOID(advance());
      PAWL_TRY_VOID(pattern_entry(made));
    } while (now_.is(","));
    PAWL_TRY_VOID(expect("}"));
    return &made;
  }
  return unexpected("a variable, '[' or '{'");
}

Result<void> Parser::pattern_entry(Pattern& object) {
  Pattern::Entry entry;
  const std::uint32_t offset = now_.offset;
  bool needs_value = true;
  if (now_.token == Token::variable) {
    entry.variable = now_.text;
    needs_value = false;
    PAWL_TRY_VOID(advance());
  } else if (now_.token == Token::identifier || now_.token == Token::keyword) {
    entry.key = constant(now_.text, offset);
    PAWL_TRY_VOID(advance());
  } else if (now_.token == Token::quote) {
    PAWL_TRY(key, string_literal(""));
    entry.key = key;
  } else if (now_.is("(")) {
    PAWL_TRY_VOID(advance());
    PAWL_TRY(key, query());
    PAWL_TRY_VOID(expect(")"));
    PAWL_TRY_VOID(refuse_constant_key(*key));
    entry.key = key;
  } else {
    return unexpected("an object key");
  }
  if (now_.is(":")) {
    PAWL_TRY_VOID(advance());
    PAWL_TRY(value, pattern());
    entry.value = value;
  } else if (needs_value) {
    return unexpected("':'");
  }
  int deepest = 0;
  if (entry.key) deepest = entry.key->depth;
  if (entry.value) deepest = std::max<int>(deepest, entry.value->depth);
  object.depth = std::max<std::uint16_t>(object.depth, static_cast<std::uint16_t>(deepest + 1));
  object.entries.push_back(std::move(entry));
  return {};
}

}  // namespace pawl::jq::detail
