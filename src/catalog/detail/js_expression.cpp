#include "catalog/detail/js_expression.hpp"

#include <algorithm>
#include <array>

#include "catalog/detail/import_flow.hpp"
#include "json/parse.hpp"
#include "json/write.hpp"

namespace pawl::catalog::detail {
namespace {

constexpr int kMaxDepth = 50;
constexpr std::size_t kMaxExpression = 10'000;

/// A translated part. jq binds its operators otherwise than JavaScript does, so what is put together is put into parentheses.
struct Part {
  std::string jq;
  bool is_text = false;  ///< certainly a text: `+` joins
  bool is_bool = false;  ///< certainly true or false
};

bool is_name_start(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '$'; }
bool is_digit(char c) { return c >= '0' && c <= '9'; }

std::string falsy(const std::string& variable) {
  return variable + " == null or " + variable + " == false or " + variable + " == \"\" or " + variable + " == 0";
}

class Translator {
 public:
  Translator(std::string_view text, JsContext& context) : text_(text), context_(context) {}

  std::optional<std::string> translate() {
    auto part = ternary();
    skip_space();
    if (part && at_ != text_.size()) fail("`" + std::string(text_.substr(at_, 20)) + "` is not understood");
    if (!part || failed_) return std::nullopt;
    return part->jq;
  }

 private:
  using Maybe = std::optional<Part>;

  Maybe fail(std::string why) {
    if (!failed_) context_.why = std::move(why);
    failed_ = true;
    return std::nullopt;
  }
  void skip_space() {
    while (at_ < text_.size() && std::string_view(" \t\r\n").find(text_[at_]) != std::string_view::npos) ++at_;
  }
  bool take(std::string_view sign) {
    skip_space();
    if (!text_.substr(at_).starts_with(sign)) return false;
    at_ += sign.size();
    return true;
  }
  [[nodiscard]] char peek() {
    skip_space();
    return at_ < text_.size() ? text_[at_] : '\0';
  }
  std::string name() {
    const auto from = at_;
    while (at_ < text_.size() && (is_name_start(text_[at_]) || is_digit(text_[at_]))) ++at_;
    return std::string(text_.substr(from, at_ - from));
  }
  /// A fresh jq variable, so that what is used twice is evaluated once.
  std::string variable() { return "$v" + std::to_string(++variables_); }

  Maybe ternary() {
    if (++depth_ > kMaxDepth) return fail("it is nested too deeply");
    auto condition = either();
    if (condition && take("?")) {
      auto yes = ternary();
      if (!yes) return yes;
      if (!take(":")) return fail("a `:` is missing");
      auto no = ternary();
      if (!no) return no;
      condition = Part{"(if " + truth(*condition) + " then " + yes->jq + " else " + no->jq + " end)", yes->is_text && no->is_text,
                       yes->is_bool && no->is_bool};
    }
    --depth_;
    return condition;
  }

  std::string truth(const Part& part) {
    if (part.is_bool) return part.jq;
    const auto v = variable();
    return "(" + part.jq + " as " + v + " | " + falsy(v) + " | not)";
  }

  Maybe either() {
    auto left = both();
    for (;;) {
      const bool nullish = left && take("??");
      if (!left || (!nullish && !take("||"))) return left;
      auto right = both();
      if (!right) return right;
      if (!nullish && left->is_bool && right->is_bool) {
        left = Part{"(" + left->jq + " or " + right->jq + ")", false, true};
        continue;
      }
      const auto v = variable();
      const auto missing = nullish ? v + " == null" : falsy(v);
      left = Part{"(" + left->jq + " as " + v + " | if " + missing + " then " + right->jq + " else " + v + " end)"};
    }
  }

  Maybe both() {
    auto left = equality();
    while (left && take("&&")) {
      auto right = equality();
      if (!right) return right;
      if (left->is_bool && right->is_bool) {
        left = Part{"(" + left->jq + " and " + right->jq + ")", false, true};
        continue;
      }
      const auto v = variable();
      left = Part{"(" + left->jq + " as " + v + " | if " + falsy(v) + " then " + v + " else " + right->jq + " end)"};
    }
    return left;
  }

  Maybe binary(Maybe (Translator::*operand)(), std::initializer_list<std::pair<std::string_view, std::string_view>> signs) {
    auto left = (this->*operand)();
    for (;;) {
      if (!left) return left;
      const auto found = std::find_if(signs.begin(), signs.end(), [&](const auto& sign) { return take(sign.first); });
      if (found == signs.end()) return left;
      auto right = (this->*operand)();
      if (!right) return right;
      left = Part{"(" + left->jq + " " + std::string(found->second) + " " + right->jq + ")", false, true};
    }
  }
  Maybe equality() { return binary(&Translator::comparison, {{"===", "=="}, {"!==", "!="}, {"==", "=="}, {"!=", "!="}}); }
  Maybe comparison() { return binary(&Translator::sum, {{"<=", "<="}, {">=", ">="}, {"<", "<"}, {">", ">"}}); }

  Maybe sum() {
    auto left = product();
    for (;;) {
      if (!left) return left;
      if (take("-")) {
        auto right = product();
        if (!right) return right;
        left = Part{"(" + left->jq + " - " + right->jq + ")"};
      } else if (take("+")) {
        auto right = product();
        if (!right) return right;
        left = plus(*left, *right);
      } else {
        return left;
      }
    }
  }
  Part plus(const Part& left, const Part& right) {
    if (left.is_text || right.is_text) return {"((" + left.jq + " | tostring) + (" + right.jq + " | tostring))", true};
    const auto a = variable();
    const auto b = variable();
    return {"(" + left.jq + " as " + a + " | " + right.jq + " as " + b + " | if ([" + a + ", " + b + "] | any(type == \"string\")) then (" +
            a + " | tostring) + (" + b + " | tostring) else " + a + " + " + b + " end)"};
  }

  Maybe product() {
    auto left = unary();
    for (;;) {
      if (!left) return left;
      const char sign = peek();
      if (sign != '*' && sign != '/' && sign != '%') return left;
      ++at_;
      auto right = unary();
      if (!right) return right;
      left = Part{"(" + left->jq + " " + sign + " " + right->jq + ")"};
    }
  }

  Maybe unary() {
    if (++depth_ > kMaxDepth) return fail("it is nested too deeply");
    Maybe part;
    if (peek() == '!' && !text_.substr(at_).starts_with("!=")) {
      ++at_;
      part = unary();
      if (part) part = Part{"(" + truth(*part) + " | not)", false, true};
    } else if (take("-")) {
      part = unary();
      if (part) part = Part{"(-" + part->jq + ")"};
    } else {
      part = primary();
      if (part) part = postfix(std::move(*part));
    }
    --depth_;
    return part;
  }

  // ---- values -------------------------------------------------------------------------------------------------------------------

  Maybe primary() {
    const char c = peek();
    if (c == '(') {
      ++at_;
      auto inner = ternary();
      if (!inner) return inner;
      if (!take(")")) return fail("a `)` is missing");
      inner->jq = "(" + inner->jq + ")";
      return inner;
    }
    if (c == '"' || c == '\'') return text_literal();
    if (is_digit(c)) return number();
    if (c == '[') return array();
    if (is_name_start(c)) return named();
    return fail(c == '\0' ? "it ends too early" : "`" + std::string(text_.substr(at_, 20)) + "` is not understood");
  }

  Maybe text_literal() {
    const auto text = take_text();
    if (!text) return std::nullopt;
    return Part{jq_text(*text), true};
  }
  std::optional<std::string> take_text() {
    const char quote = peek();
    if (quote != '"' && quote != '\'') {
      fail("a text is missing");
      return std::nullopt;
    }
    std::string value;
    for (++at_; at_ < text_.size() && text_[at_] != quote; ++at_) {
      if (text_[at_] != '\\') {
        value += text_[at_];
        continue;
      }
      if (++at_ == text_.size()) break;
      const char c = text_[at_];
      if (c == 'n')
        value += '\n';
      else if (c == 't')
        value += '\t';
      else if (c == 'r')
        value += '\r';
      else if (c == '\\' || c == '\'' || c == '"' || c == '/')
        value += c;
      else {
        fail("the escape `\\" + std::string(1, c) + "` is not understood");
        return std::nullopt;
      }
    }
    if (at_ >= text_.size()) {
      fail("a text does not end");
      return std::nullopt;
    }
    ++at_;
    return value;
  }

  Maybe number() {
    const auto from = at_;
    while (at_ < text_.size() && (is_digit(text_[at_]) || text_[at_] == '.')) ++at_;
    const auto digits = text_.substr(from, at_ - from);
    const auto value = json::parse(digits);
    if (value.has_error() || !value->is_number()) return fail("`" + std::string(digits) + "` is no number");
    return Part{std::string(digits)};
  }

  Maybe array() {
    ++at_;
    std::string items;
    while (peek() != ']') {
      auto item = ternary();
      if (!item) return item;
      items += (items.empty() ? "" : ", ") + item->jq;
      if (!take(",")) break;
    }
    if (!take("]")) return fail("a `]` is missing");
    return Part{"[" + items + "]"};
  }

  Maybe node_output(std::string_view node) {
    const auto task = context_.task_of ? context_.task_of(node) : std::nullopt;
    if (!task) return fail("there is no node `" + std::string(node) + "`");
    context_.references.insert(*task);
    return Part{output_of(*task)};
  }
  /// What stands between a node and its data: `.item.json`, `.first().json`, `.last().json`, `.json`.
  bool item_accessor() {
    for (const std::string_view way : {".item.json", ".first().json", ".last().json", ".json"}) {
      if (take(way)) return true;
    }
    fail("only the data of one item can be read");
    return false;
  }

  Maybe named() {
    const auto word = name();
    if (word == "true" || word == "false") return Part{word, false, true};
    if (word == "null" || word == "undefined") return Part{"null"};
    if (word == "$json") return Part{context_.json};
    if (word == "$now" || word == "$today") return now(word);
    if (word == "$execution" && take(".id")) return Part{"$workflow.id", true};
    if (word == "$input") return item_accessor() ? Maybe(Part{context_.json}) : std::nullopt;
    if (word == "$node") return old_node();
    if (word == "$" && take("(")) {
      const auto node = take_text();
      if (!node) return std::nullopt;
      if (!take(")")) return fail("a `)` is missing");
      if (!item_accessor()) return std::nullopt;
      return node_output(*node);
    }
    static constexpr std::array<std::pair<std::string_view, std::string_view>, 10> kFunctions{{{"JSON.stringify", "tojson"},
                                                                                               {"JSON.parse", "fromjson"},
                                                                                               {"Object.keys", "keys_unsorted"},
                                                                                               {"Math.round", "round"},
                                                                                               {"Math.floor", "floor"},
                                                                                               {"Math.ceil", "ceil"},
                                                                                               {"Number", "tonumber"},
                                                                                               {"parseInt", "(tonumber | trunc)"},
                                                                                               {"parseFloat", "tonumber"},
                                                                                               {"String", "tostring"}}};
    auto whole = word;
    if (peek() == '.' && (word == "JSON" || word == "Object" || word == "Math")) {
      ++at_;
      whole += "." + name();
    }
    for (const auto& [function, jq] : kFunctions) {
      if (whole != function) continue;
      if (!take("(")) return fail("`" + whole + "` is not called");
      auto argument = ternary();
      if (!argument) return argument;
      if (!take(")")) return fail("`" + whole + "` takes one argument here");
      return Part{"(" + argument->jq + " | " + std::string(jq) + ")", jq == "tojson" || jq == "tostring"};
    }
    return fail("`" + whole + "` is not known");
  }

  Maybe now(const std::string& word) {
    if (word == "$today") return Part{"(now | strftime(\"%Y-%m-%dT00:00:00Z\"))", true};
    static_cast<void>(take(".toISO()"));
    return Part{"(now | todate)", true};
  }

  Maybe old_node() {
    std::optional<std::string> node;
    if (take("[")) {
      node = take_text();
      if (!node) return std::nullopt;
      if (!take("]")) return fail("a `]` is missing");
    } else if (take(".")) {
      node = name();
    } else {
      return fail("`$node` needs a name");
    }
    if (!take(".json")) return fail("only the data of a node can be read");
    return node_output(*node);
  }

  // ---- members and methods --------------------------------------------------------------------------------------------------------

  Maybe postfix(Part part) {
    for (;;) {
      if (take("?.") || (peek() == '.' && take("."))) {
        skip_space();
        const auto member = name();
        if (member.empty()) return fail("a name is missing");
        auto next = peek() == '(' ? method(part, member) : Maybe(property(part, member));
        if (!next) return next;
        part = std::move(*next);
      } else if (peek() == '[') {
        ++at_;
        auto index = ternary();
        if (!index) return index;
        if (!take("]")) return fail("a `]` is missing");
        // A variable: inside of the brackets `.` would be what is indexed.
        const bool constant = index->is_text || is_digit(index->jq.front());
        if (constant) {
          part = Part{part.jq + "[" + index->jq + "]"};
        } else {
          const auto v = variable();
          part = Part{"(" + index->jq + " as " + v + " | " + part.jq + "[" + v + "])"};
        }
      } else {
        return part;
      }
    }
  }

  static Part property(const Part& part, const std::string& member) {
    if (member == "length") return {"(" + part.jq + " | length)"};
    const bool plain = member.find('$') == std::string::npos;
    if (plain) return {(part.jq == "." ? "." : part.jq + ".") + member};
    return {part.jq + "[" + jq_text(member) + "]"};
  }

  Maybe method(const Part& part, const std::string& member) {
    ++at_;  // the parenthesis
    std::vector<std::string> arguments;
    while (peek() != ')') {
      auto argument = ternary();
      if (!argument) return argument;
      arguments.push_back(argument->jq);
      if (!take(",")) break;
    }
    if (!take(")")) return fail("a `)` is missing");
    struct Known {
      std::string_view name;
      std::size_t arguments;
      std::string_view jq;  ///< on the value; `$a`, `$b`: the arguments
      bool is_text;
      bool is_bool;
    };
    static constexpr std::array<Known, 15> kMethods{{
        {"toUpperCase", 0, "ascii_upcase", true, false},
        {"toLowerCase", 0, "ascii_downcase", true, false},
        {"trim", 0, "trim", true, false},
        {"toString", 0, "tostring", true, false},
        {"toFixed", 1, "(. * pow(10; $a) | round) / pow(10; $a) | tostring", true, false},
        {"includes", 1, "if type == \"array\" then any(.[]; . == $a) else contains($a) end", false, true},
        {"startsWith", 1, "startswith($a)", false, true},
        {"endsWith", 1, "endswith($a)", false, true},
        {"split", 1, "split($a)", false, false},
        {"join", 1, "map(tostring) | join($a)", true, false},
        {"join", 0, "map(tostring) | join(\",\")", true, false},
        {"isEmpty", 0, "length == 0", false, true},
        {"isNotEmpty", 0, "length > 0", false, true},
        {"first", 0, "first", false, false},
        {"last", 0, "last", false, false},
    }};
    for (const auto& known : kMethods) {
      if (known.name != member || known.arguments != arguments.size()) continue;
      if (arguments.empty()) return Part{"(" + part.jq + " | " + std::string(known.jq) + ")", known.is_text, known.is_bool};
      const auto v = variable();
      std::string body(known.jq);
      for (auto found = body.find("$a"); found != std::string::npos; found = body.find("$a", found + v.size())) body.replace(found, 2, v);
      return Part{"(" + arguments[0] + " as " + v + " | " + part.jq + " | " + body + ")", known.is_text, known.is_bool};
    }
    return fail("the method `" + member + "` is not known");
  }

  std::string_view text_;
  JsContext& context_;
  std::size_t at_ = 0;
  int depth_ = 0;
  int variables_ = 0;
  bool failed_ = false;
};

/// The parts of `a {{ b }} c`: literal texts and expressions in turn.
struct TemplatePart {
  bool is_expression = false;
  std::string_view text;
};

std::optional<std::vector<TemplatePart>> split_template(std::string_view text) {
  std::vector<TemplatePart> parts;
  while (!text.empty()) {
    const auto open = text.find("{{");
    if (open != 0) parts.push_back({false, text.substr(0, open)});
    if (open == std::string_view::npos) break;
    const auto close = text.find("}}", open);
    if (close == std::string_view::npos) return std::nullopt;
    parts.push_back({true, text.substr(open + 2, close - open - 2)});
    text = text.substr(close + 2);
  }
  return parts;
}

std::optional<std::string> template_to_jq(std::string_view text, JsContext& context) {
  const auto parts = split_template(text);
  if (!parts) {
    context.why = "a `}}` is missing";
    return std::nullopt;
  }
  if (parts->size() == 1 && (*parts)[0].is_expression) return js_to_jq((*parts)[0].text, context);
  std::string jq;
  for (const auto& part : *parts) {
    std::string piece;
    if (part.is_expression) {
      auto made = js_to_jq(part.text, context);
      if (!made) return std::nullopt;
      piece = "(" + *made + " | tostring)";
    } else {
      piece = jq_text(part.text);
    }
    jq += (jq.empty() ? "" : " + ") + piece;
  }
  return jq.empty() ? "\"\"" : jq;
}

}  // namespace

std::optional<std::string> js_to_jq(std::string_view expression, JsContext& context) {
  if (expression.size() > kMaxExpression) {
    context.why = "it is too long";
    return std::nullopt;
  }
  return Translator(expression, context).translate();
}

std::optional<json::Value> convert_parameter(const json::Value& value, JsContext& context) {
  if (value.is_string()) {
    const auto text = value.as_string();
    if (!text.starts_with('=')) return literal(text);
    if (text.find("{{") == std::string_view::npos) return literal(text.substr(1));
    const auto jq = template_to_jq(text.substr(1), context);
    if (!jq) return std::nullopt;
    return json::Value(expression(*jq));
  }
  if (value.is_array()) {
    auto items = json::Value::array();
    for (const auto& item : value.items()) {
      auto made = convert_parameter(item, context);
      if (!made) return std::nullopt;
      items.push_back(std::move(*made));
    }
    return items;
  }
  if (value.is_object()) {
    auto members = json::Value::object();
    for (const auto& member : value.members()) {
      auto made = convert_parameter(member.value, context);
      if (!made) return std::nullopt;
      members.set(member.name(), std::move(*made));
    }
    return members;
  }
  return value;
}

std::optional<std::string> parameter_to_jq(const json::Value& value, JsContext& context) {
  if (value.is_string() && value.as_string().starts_with('=')) return template_to_jq(value.as_string().substr(1), context);
  return json::to_text(value);
}

}  // namespace pawl::catalog::detail
