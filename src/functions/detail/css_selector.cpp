#include "functions/detail/css_selector.hpp"

#include <fmt/format.h>
#include <gumbo.h>

#include <algorithm>
#include <cctype>
#include <charconv>
#include <optional>
#include <variant>

namespace pawl::functions {

namespace {

using Node = GumboInternalNode;

struct Type {
  std::string name;  // lower case
};
struct Identifier {
  std::string name;
};
struct Class {
  std::string name;
};
struct Attribute {
  std::string name;
  char operation = 0;  // 0: present; otherwise '=' '~' '|' '^' '$' '*'
  std::string value;
  bool ignore_case = false;
};
struct Nth {
  std::int64_t step = 0;
  std::int64_t offset = 0;
  bool from_end = false;
  bool of_type = false;
};
struct Only {};
struct Empty {};
struct Root {};
struct Nested {
  bool negated = false;
  std::shared_ptr<const Selector::List> list;
};
using Simple = std::variant<Type, Identifier, Class, Attribute, Nth, Only, Empty, Root, Nested>;
using Compound = std::vector<Simple>;

}  // namespace

struct Selector::Complex {
  std::vector<Compound> compounds;  // from left to right
  std::vector<char> combinators;    // between them: ' ' '>' '+' '~'
};

namespace {

constexpr std::size_t kMaxLength = 1000;
constexpr int kMaxNesting = 16;

std::string lower(std::string_view text) {
  std::string result(text);
  for (char& c : result) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return result;
}

// ---- reading ------------------------------------------------------------------------------------------------------------------------

class Parser {
 public:
  explicit Parser(std::string_view text) : text_(text) {}

  Result<Selector::List> list(int nesting) {
    if (nesting > kMaxNesting) return failure("is nested too deep");
    Selector::List result;
    while (true) {
      PAWL_TRY(one, complex(nesting));
      result.alternatives.push_back(std::move(one));
      skip_space();
      if (!take(',')) return result;
    }
  }
  [[nodiscard]] bool at_end() const { return at_ == text_.size(); }
  [[nodiscard]] Error failure(std::string_view what) const {
    return {ErrorClass::invalid, "css.syntax", fmt::format("the selector '{}' {} (column {})", text_, what, at_ + 1)};
  }

 private:
  [[nodiscard]] char peek() const { return at_end() ? '\0' : text_[at_]; }
  bool take(char c) {
    if (peek() != c || at_end()) return false;
    ++at_;
    return true;
  }
  bool skip_space() {
    const std::size_t before = at_;
    while (!at_end() && std::isspace(static_cast<unsigned char>(peek())) != 0) ++at_;
    return at_ > before;
  }
  static bool in_name(char c) {
    return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '-' || c == '_' || static_cast<unsigned char>(c) >= 0x80;
  }

  Result<std::string> name() {
    std::string result;
    while (!at_end()) {
      if (peek() == '\\' && at_ + 1 < text_.size()) {
        ++at_;
      } else if (!in_name(peek())) {
        break;
      }
      result += text_[at_++];
    }
    if (result.empty()) return failure("lacks a name");
    return result;
  }

  Result<Selector::Complex> complex(int nesting) {
    Selector::Complex result;
    skip_space();
    while (true) {
      PAWL_TRY(one, compound(nesting));
      result.compounds.push_back(std::move(one));
      const bool space = skip_space();
      const char next = peek();
      if (next == '>' || next == '+' || next == '~') {
        result.combinators.push_back(next);
        ++at_;
        skip_space();
      } else if (space && next != ',' && next != ')' && !at_end()) {
        result.combinators.push_back(' ');
      } else {
        return result;
      }
    }
  }

  Result<Compound> compound(int nesting) {
    Compound result;
    bool any = false;
    if (take('*')) {
      any = true;
    } else if (in_name(peek()) || peek() == '\\') {
      PAWL_TRY(type, name());
      result.emplace_back(Type{lower(type)});
    }
    while (true) {
      if (take('#')) {
        PAWL_TRY(id, name());
        result.emplace_back(Identifier{std::move(id)});
      } else if (take('.')) {
        PAWL_TRY(class_name, name());
        result.emplace_back(Class{std::move(class_name)});
      } else if (take('[')) {
        PAWL_TRY(attribute, attribute_rest());
        result.emplace_back(std::move(attribute));
      } else if (take(':')) {
        PAWL_TRY(pseudo, pseudo_rest(nesting));
        result.push_back(std::move(pseudo));
      } else {
        break;
      }
    }
    if (result.empty() && !any) return failure(at_end() ? "ends too early" : "has something here that is no selector");
    return result;
  }

  Result<Attribute> attribute_rest() {
    Attribute attribute;
    skip_space();
    PAWL_TRY(attribute_name, name());
    attribute.name = lower(attribute_name);
    skip_space();
    if (take(']')) return attribute;
    const char operation = peek();
    if (std::string_view("~|^$*").find(operation) != std::string_view::npos && !at_end()) ++at_;
    attribute.operation = operation;
    if (!take('=')) return failure("lacks '=' or ']'");
    skip_space();
    PAWL_TRY(value, peek() == '"' || peek() == '\'' ? quoted() : name());
    attribute.value = std::move(value);
    skip_space();
    if (take('i') || take('I')) attribute.ignore_case = true;
    skip_space();
    if (!take(']')) return failure("lacks ']'");
    return attribute;
  }

  Result<std::string> quoted() {
    const char quote = text_[at_++];
    std::string result;
    while (!at_end() && peek() != quote) {
      if (peek() == '\\' && at_ + 1 < text_.size()) ++at_;
      result += text_[at_++];
    }
    if (!take(quote)) return failure("has a quote that is not closed");
    return result;
  }

  Result<Simple> pseudo_rest(int nesting) {
    PAWL_TRY(raw, name());
    const std::string pseudo = lower(raw);
    if (pseudo == "first-child") return Simple(Nth{0, 1, false, false});
    if (pseudo == "last-child") return Simple(Nth{0, 1, true, false});
    if (pseudo == "first-of-type") return Simple(Nth{0, 1, false, true});
    if (pseudo == "last-of-type") return Simple(Nth{0, 1, true, true});
    if (pseudo == "only-child") return Simple(Only{});
    if (pseudo == "empty") return Simple(Empty{});
    if (pseudo == "root") return Simple(Root{});
    const bool nth = pseudo == "nth-child" || pseudo == "nth-last-child" || pseudo == "nth-of-type" || pseudo == "nth-last-of-type";
    if (!nth && pseudo != "not" && pseudo != "is") return failure(fmt::format("uses ':{}', which is not known here", pseudo));
    if (!take('(')) return failure("lacks '('");
    Simple result = Root{};
    if (nth) {
      PAWL_TRY(position, an_plus_b());
      position.from_end = pseudo.find("last") != std::string::npos;
      position.of_type = pseudo.ends_with("of-type");
      result = position;
    } else {
      PAWL_TRY(nested, list(nesting + 1));
      result = Nested{pseudo == "not", std::make_shared<const Selector::List>(std::move(nested))};
    }
    skip_space();
    if (!take(')')) return failure("lacks ')'");
    return result;
  }

  Result<Nth> an_plus_b() {
    std::string formula;
    while (!at_end() && peek() != ')') {
      if (std::isspace(static_cast<unsigned char>(peek())) == 0)
        formula += static_cast<char>(std::tolower(static_cast<unsigned char>(peek())));
      ++at_;
    }
    if (formula == "odd") return Nth{2, 1};
    if (formula == "even") return Nth{2, 0};
    const auto number = [](std::string_view text) -> std::optional<std::int64_t> {
      if (text.starts_with('+')) text.remove_prefix(1);
      std::int32_t value = 0;
      const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
      if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
      return value;
    };
    const std::size_t n = formula.find('n');
    if (n == std::string::npos) {
      const auto offset = number(formula);
      if (!offset) return failure("has a position that cannot be read");
      return Nth{0, *offset};
    }
    const std::string front = formula.substr(0, n);
    const std::string back = formula.substr(n + 1);
    const auto step = front.empty() || front == "+" ? std::optional<std::int64_t>(1) : front == "-" ? -1 : number(front);
    const auto offset = back.empty() ? std::optional<std::int64_t>(0) : number(back);
    if (!step || !offset) return failure("has a position that cannot be read");
    return Nth{*step, *offset};
  }

  std::string_view text_;
  std::size_t at_ = 0;
};

// ---- matching -----------------------------------------------------------------------------------------------------------------------

bool is_element(const Node* node) { return node != nullptr && (node->type == GUMBO_NODE_ELEMENT || node->type == GUMBO_NODE_TEMPLATE); }

std::string_view tag_of(const Node* node) {
  if (node->v.element.tag != GUMBO_TAG_UNKNOWN) return gumbo_normalized_tagname(node->v.element.tag);
  GumboStringPiece piece = node->v.element.original_tag;
  gumbo_tag_from_original_text(&piece);
  return {piece.data, piece.length};
}

std::optional<std::string_view> attribute_of(const Node* node, const char* name) {
  const GumboAttribute* attribute = gumbo_get_attribute(&node->v.element.attributes, name);
  if (attribute == nullptr) return std::nullopt;
  return attribute->value;
}

bool equal(std::string_view left, std::string_view right, bool ignore_case) {
  if (!ignore_case) return left == right;
  return left.size() == right.size() && lower(left) == lower(right);
}

bool has_word(std::string_view words, std::string_view wanted, bool ignore_case) {
  while (!words.empty()) {
    const std::size_t end = std::min(words.find_first_of(" \t\r\n\f"), words.size());
    if (end > 0 && equal(words.substr(0, end), wanted, ignore_case)) return true;
    words.remove_prefix(std::min(end + 1, words.size()));
  }
  return false;
}

class Matcher {
 public:
  explicit Matcher(std::uint64_t max_steps) : steps_left_(max_steps) {}

  [[nodiscard]] bool exhausted() const { return steps_left_ == 0; }

  bool matches(const Selector::List& list, const Node* node) {
    return std::any_of(list.alternatives.begin(), list.alternatives.end(),
                       [&](const Selector::Complex& one) { return matches_from(one, one.compounds.size() - 1, node); });
  }

 private:
  bool step() {
    if (steps_left_ > 0) --steps_left_;
    return steps_left_ > 0;
  }

  // The compounds up to `last` match with the last one at `node`.
  bool matches_from(const Selector::Complex& complex, std::size_t last, const Node* node) {
    if (!step() || !matches_compound(complex.compounds[last], node)) return false;
    if (last == 0) return true;
    const char combinator = complex.combinators[last - 1];
    if (combinator == '>' || combinator == ' ') {
      for (const Node* above = node->parent; is_element(above); above = above->parent) {
        if (matches_from(complex, last - 1, above)) return true;
        if (combinator == '>' || exhausted()) return false;
      }
      return false;
    }
    for (const Node* before = previous(node); before != nullptr; before = previous(before)) {
      if (matches_from(complex, last - 1, before)) return true;
      if (combinator == '+' || exhausted()) return false;
    }
    return false;
  }

  bool matches_compound(const Compound& compound, const Node* node) {
    return std::all_of(compound.begin(), compound.end(), [&](const Simple& simple) { return matches_simple(simple, node); });
  }

  bool matches_simple(const Simple& simple, const Node* node) {
    return std::visit([&](const auto& one) { return test(one, node); }, simple);
  }

  static bool test(const Type& type, const Node* node) { return equal(tag_of(node), type.name, true); }
  static bool test(const Identifier& id, const Node* node) { return attribute_of(node, "id") == id.name; }
  static bool test(const Class& wanted, const Node* node) {
    const auto classes = attribute_of(node, "class");
    return classes && has_word(*classes, wanted.name, false);
  }
  static bool test(const Attribute& wanted, const Node* node) {
    const auto value = attribute_of(node, wanted.name.c_str());
    if (!value) return false;
    const std::string have = wanted.ignore_case ? lower(*value) : std::string(*value);
    const std::string want = wanted.ignore_case ? lower(wanted.value) : wanted.value;
    switch (wanted.operation) {
      case 0: return true;
      case '=': return have == want;
      case '~': return !want.empty() && has_word(have, want, false);
      case '|': return have == want || have.starts_with(want + "-");
      case '^': return !want.empty() && have.starts_with(want);
      case '$': return !want.empty() && have.ends_with(want);
      default: return !want.empty() && have.find(want) != std::string::npos;
    }
  }
  bool test(const Nth& nth, const Node* node) {
    const std::int64_t difference = position(nth, node) - nth.offset;
    if (nth.step == 0) return difference == 0;
    return difference % nth.step == 0 && difference / nth.step >= 0;
  }
  bool test(const Only& /*only*/, const Node* node) {
    return position({0, 1, false, false}, node) == 1 && position({0, 1, true, false}, node) == 1;
  }
  static bool test(const Empty& /*empty*/, const Node* node) {
    const GumboVector& children = node->v.element.children;
    for (unsigned i = 0; i < children.length; ++i) {
      if (static_cast<const Node*>(children.data[i])->type != GUMBO_NODE_COMMENT) return false;
    }
    return true;
  }
  static bool test(const Root& /*root*/, const Node* node) { return !is_element(node->parent); }
  bool test(const Nested& nested, const Node* node) { return matches(*nested.list, node) != nested.negated; }

  // From 1 among the elements of the same parent.
  std::int64_t position(const Nth& nth, const Node* node) {
    if (!is_element(node->parent)) return 1;
    const GumboVector& siblings = node->parent->v.element.children;
    const std::size_t own = node->index_within_parent;
    std::int64_t result = 1;
    const std::size_t first = nth.from_end ? own + 1 : 0;
    const std::size_t end = nth.from_end ? siblings.length : own;
    for (std::size_t i = first; i < end && step(); ++i) {
      const auto* sibling = static_cast<const Node*>(siblings.data[i]);
      if (is_element(sibling) && (!nth.of_type || tag_of(sibling) == tag_of(node))) ++result;
    }
    return result;
  }

  static const Node* previous(const Node* node) {
    if (!is_element(node->parent)) return nullptr;
    const GumboVector& siblings = node->parent->v.element.children;
    for (std::size_t i = node->index_within_parent; i > 0; --i) {
      const auto* sibling = static_cast<const Node*>(siblings.data[i - 1]);
      if (is_element(sibling)) return sibling;
    }
    return nullptr;
  }

  std::uint64_t steps_left_;
};

}  // namespace

Result<Selector> Selector::parse(std::string_view text) {
  Parser parser(text);
  if (text.size() > kMaxLength)
    return Error(ErrorClass::invalid, "css.syntax", fmt::format("the selector is longer than {} characters", kMaxLength));
  PAWL_TRY(list, parser.list(0));
  if (!parser.at_end()) return parser.failure("has something here that is no selector");
  Selector selector;
  selector.list_ = std::make_shared<const List>(std::move(list));
  return selector;
}

Result<std::vector<const GumboInternalNode*>> Selector::select(const GumboInternalNode* root, std::size_t limit,
                                                               std::uint64_t max_steps) const {
  Matcher matcher(max_steps);
  std::vector<const Node*> found;
  std::vector<const Node*> open = {root};  // an explicit stack: documents nest deeper than threads have stack
  while (!open.empty() && found.size() < limit) {
    const Node* node = open.back();
    open.pop_back();
    if (!is_element(node)) continue;
    if (matcher.matches(*list_, node)) found.push_back(node);
    if (matcher.exhausted()) return Error(ErrorClass::too_large, "css.limit", "the selector takes too long on this page");
    const GumboVector& children = node->v.element.children;
    for (unsigned i = children.length; i > 0; --i) open.push_back(static_cast<const Node*>(children.data[i - 1]));
  }
  return found;
}

}  // namespace pawl::functions
