/// Terms: literals, constructions, calls.
#include <algorithm>

#include "jq/detail/ops.hpp"
#include "jq/detail/parser.hpp"

namespace pawl::jq::detail {

Parser::Parsed Parser::primary() {
  const std::uint32_t offset = now_.offset;
  switch (now_.token) {
    case Token::number: return number_literal();
    case Token::quote: return string_literal("");
    case Token::format: {
      Node& node = make(NodeKind::format, offset);
      node.text = now_.text;
      node.length = now_.length;
      PAWL_TRY_VOID(advance());
      if (now_.token == Token::quote) return string_literal(node.text);
      return finish(node);
    }
    case Token::field:
    case Token::dot: {
      // `.a` is a suffix of an identity that is not written.
      const Node* self = &make(NodeKind::identity, offset);
      if (now_.token == Token::field) return self;
      PAWL_TRY_VOID(advance());
      if (now_.token != Token::quote) return self;
      Node& node = make(NodeKind::index, offset);
      PAWL_TRY(key, string_literal(""));
      node.kids = {self, key};
      return finish(node);
    }
    case Token::dot_dot: {
      Node& node = make(NodeKind::call, offset);
      node.text = "recurse";
      PAWL_TRY_VOID(advance());
      return finish(node);
    }
    case Token::variable: {
      if (now_.text == "__loc__") {
        const auto line = 1 + std::count(source_.begin(), source_.begin() + offset, '\n');
        PAWL_TRY_VOID(advance());
        return constant(json::Value::object({{"file", "<top-level>"}, {"line", static_cast<std::int64_t>(line)}}), offset);
      }
      Node& node = make(NodeKind::variable, offset);
      node.text = now_.text;
      node.length = now_.length;
      PAWL_TRY_VOID(advance());
      return finish(node);
    }
    case Token::identifier: return named_or_call();
    case Token::keyword:
      if (now_.text == "if") return conditional();
      if (now_.text == "reduce") return fold(NodeKind::reduce);
      if (now_.text == "foreach") return fold(NodeKind::foreach);
      if (now_.text == "break") {
        PAWL_TRY_VOID(advance());
        if (now_.token != Token::variable) return unexpected("a label such as $out");
        Node& node = make(NodeKind::break_out, offset);
        node.text = now_.text;
        PAWL_TRY_VOID(advance());
        return finish(node);
      }
      return unexpected();
    case Token::op:
      if (now_.text == "(") {
        PAWL_TRY_VOID(advance());
        PAWL_TRY(inner, query());
        PAWL_TRY_VOID(expect(")"));
        // A node of its own, so that a `?` behind the parenthesis covers all of it.
        if (inner->kind != NodeKind::index && inner->kind != NodeKind::slice && inner->kind != NodeKind::iterate) return inner;
        Node& group = make(NodeKind::pipe, offset);
        group.kids = {inner};
        return finish(group);
      }
      if (now_.text == "[") return array_literal();
      if (now_.text == "{") return object_literal();
      return unexpected();
    case Token::end: return unexpected();
  }
  return unexpected();
}

Parser::Parsed Parser::number_literal() {
  const auto* node = constant(number_from_text(now_.text), now_.offset);
  PAWL_TRY_VOID(advance());
  return node;
}

Parser::Parsed Parser::string_literal(std::string format) {
  const std::uint32_t offset = now_.offset;
  Node& node = make(NodeKind::text, offset);
  node.text = std::move(format);
  while (true) {
    std::string part;
    PAWL_TRY(closed, lexer_.string_part(part));
    node.strings.push_back(std::move(part));
    if (closed) break;
    PAWL_TRY_VOID(advance());
    PAWL_TRY(inner, query());
    node.kids.push_back(inner);
    if (!now_.is(")")) return unexpected("')'");
  }
  PAWL_TRY_VOID(advance());
  if (node.kids.empty()) return constant(std::move(node.strings.front()), offset);
  return finish(node);
}

Parser::Parsed Parser::array_literal() {
  Node& node = make(NodeKind::array, now_.offset);
  PAWL_TRY_VOID(advance());
  if (!now_.is("]")) {
    PAWL_TRY(inner, query());
    node.kids = {inner};
  }
  PAWL_TRY_VOID(expect("]"));
  return finish(node);
}

Parser::Parsed Parser::object_literal() {
  Node& node = make(NodeKind::object, now_.offset);
  PAWL_TRY_VOID(advance());
  while (!now_.is("}")) {
    PAWL_TRY_VOID(object_entry(node));
    if (now_.is("}")) break;
    PAWL_TRY_VOID(expect(","));
  }
  PAWL_TRY_VOID(advance());
  return finish(node);
}

Result<void> Parser::refuse_constant_key(const Node& key) const {
  if (key.kind != NodeKind::constant || key.value.is_string()) return {};
  return error_at(key.offset, "Cannot use " + describe(key.value) + " as object key");
}

Result<void> Parser::object_entry(Node& object) {
  const std::uint32_t offset = now_.offset;
  const Node* key = nullptr;
  const Node* implied = nullptr;  // the value where none is written
  const auto own_field = [&](const Node* name) -> Parsed {
    Node& node = make(NodeKind::index, offset);
    node.kids = {&make(NodeKind::identity, offset), name};
    return finish(node);
  };
  if (now_.token == Token::identifier || now_.token == Token::keyword) {
    key = constant(now_.text, offset);
    PAWL_TRY_VOID(advance());
    PAWL_TRY(field, own_field(key));
    implied = field;
  } else if (now_.token == Token::variable) {
    const auto* name = constant(now_.text, offset);
    PAWL_TRY(variable, primary());
    key = now_.is(":") ? variable : name;
    implied = variable;
  } else if (now_.token == Token::quote || now_.token == Token::format) {
    PAWL_TRY(name, primary());
    key = name;
    if (name->kind == NodeKind::format) return unexpected("a string");
    PAWL_TRY(field, own_field(key));
    implied = field;
  } else if (now_.is("(")) {
    PAWL_TRY_VOID(advance());
    PAWL_TRY(computed, query());
    PAWL_TRY_VOID(expect(")"));
    key = computed;
    PAWL_TRY_VOID(refuse_constant_key(*key));
  } else {
    return unexpected("an object key");
  }
  if (now_.is(":")) {
    PAWL_TRY_VOID(advance());
    PAWL_TRY(value, query(false));
    implied = value;
  } else if (!implied) {
    return unexpected("':'");
  }
  object.kids.push_back(key);
  object.kids.push_back(implied);
  return {};
}

Parser::Parsed Parser::conditional() {
  struct Branch {
    const Node* condition;
    const Node* result;
    std::uint32_t offset;
  };
  std::vector<Branch> branches;
  const Node* otherwise = nullptr;
  while (true) {
    const std::uint32_t offset = now_.offset;
    PAWL_TRY_VOID(advance());  // `if` or `elif`
    PAWL_TRY(condition, query());
    PAWL_TRY_VOID(expect_keyword("then"));
    PAWL_TRY(result, query());
    branches.push_back({condition, result, offset});
    if (!now_.is_keyword("elif")) break;
  }
  if (now_.is_keyword("else")) {
    PAWL_TRY_VOID(advance());
    PAWL_TRY(result, query());
    otherwise = result;
  } else {
    otherwise = &make(NodeKind::identity, now_.offset);
  }
  PAWL_TRY_VOID(expect_keyword("end"));
  for (auto branch = branches.rbegin(); branch != branches.rend(); ++branch) {
    Node& node = make(NodeKind::conditional, branch->offset);
    node.kids = {branch->condition, branch->result, otherwise};
    PAWL_TRY(done, finish(node));
    otherwise = done;
  }
  return otherwise;
}

Parser::Parsed Parser::fold(NodeKind kind) {
  Node& node = make(kind, now_.offset);
  PAWL_TRY_VOID(advance());
  PAWL_TRY(source, expression(0));
  PAWL_TRY_VOID(expect_keyword("as"));
  PAWL_TRY(all, patterns());
  node.patterns = std::move(all);
  PAWL_TRY_VOID(expect("("));
  PAWL_TRY(start, query());
  PAWL_TRY_VOID(expect(";"));
  PAWL_TRY(update, query());
  node.kids = {source, start, update};
  if (kind == NodeKind::foreach) {
    const Node* extract = nullptr;
    if (now_.is(";")) {
      PAWL_TRY_VOID(advance());
      PAWL_TRY(parsed, query());
      extract = parsed;
    }
    node.kids.push_back(extract);
  }
  PAWL_TRY_VOID(expect(")"));
  return finish(node);
}

Parser::Parsed Parser::named_or_call() {
  const Lexeme name = now_;
  PAWL_TRY_VOID(advance());
  Node& node = make(NodeKind::call, name.offset);
  node.text = name.text;
  node.length = name.length;
  if (now_.is("(")) {
    do {
      PAWL_TRY_VOID(advance());
      PAWL_TRY(argument, query());
      node.kids.push_back(argument);
    } while (now_.is(";"));
    PAWL_TRY_VOID(expect(")"));
    return finish(node);
  }
  if (name.text == "true") return constant(true, name.offset);
  if (name.text == "false") return constant(false, name.offset);
  if (name.text == "null") return constant(nullptr, name.offset);
  return finish(node);
}

}  // namespace pawl::jq::detail
