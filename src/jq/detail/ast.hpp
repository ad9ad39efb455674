/// Syntax tree of an expression. Nodes live in an arena and point to each other; the tree is immutable once parsed.
#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "json/value.hpp"

namespace pawl::jq::detail {

/// Two-operand functions that have an instruction each.
enum class Binary : std::uint8_t { add, subtract, multiply, divide, modulo, equal, not_equal, less, less_equal, greater, greater_equal };

enum class NodeKind : std::uint8_t {
  identity,     // .
  constant,     // value
  variable,     // $text
  index,        // kids[0][kids[1]]
  slice,        // kids[0][kids[1]:kids[2]], each bound may be missing (nullptr)
  iterate,      // kids[0][]
  text,         // "..\(kids[i])..": strings[i] comes before kids[i]; `text` names the format
  format,       // @text
  negate,       // -kids[0]
  binary,       // kids[0] binary kids[1]
  logical_and,  // kids[0] and kids[1]
  logical_or,
  alternative,         // kids[0] // kids[1]
  update,              // kids[0] |= kids[1]
  assign,              // kids[0] = kids[1]
  arithmetic_update,   // kids[0] binary= kids[1]
  alternative_update,  // kids[0] //= kids[1]
  comma,               // kids, left to right
  pipe,                // kids, left to right
  array,               // [kids[0]]; no kid: []
  object,              // kids: key, value, key, value ...
  conditional,         // if kids[0] then kids[1] else kids[2] end
  try_catch,           // try kids[0] catch kids[1]; no handler: kids[1] is nullptr
  reduce,              // reduce kids[0] as patterns (kids[1]; kids[2])
  foreach,             // foreach kids[0] as patterns (kids[1]; kids[2]; kids[3]), kids[3] may be nullptr
  label,               // label $text | kids[0]
  break_out,           // break $text
  call,                // text(kids...)
  bind,                // kids[0] as patterns | kids[1]
  define,              // def function; kids[0]
};

struct Node;

struct Pattern {
  enum class Kind : std::uint8_t { variable, array, object };
  struct Entry {
    const Node* key = nullptr;       // an expression, or nullptr where `variable` is the key
    std::string variable;            // `$name` or `$name: pattern`
    const Pattern* value = nullptr;  // may be missing for `$name`
  };
  Kind kind = Kind::variable;
  std::uint16_t depth = 1;
  std::uint32_t offset = 0;
  std::string name;
  std::vector<const Pattern*> items;
  std::vector<Entry> entries;
};

struct Function {
  struct Parameter {
    std::string name;
    bool is_value = false;  // `$name`
  };
  std::string name;
  std::vector<Parameter> parameters;
  const Node* body = nullptr;
  std::uint32_t offset = 0;
};

struct Node {
  NodeKind kind = NodeKind::identity;
  Binary binary = Binary::add;
  bool optional = false;     // index, slice, iterate: followed by `?`
  std::uint16_t depth = 1;   // of the tree below: bounds the recursion of every pass
  std::uint32_t offset = 0;  // in the source, in bytes
  std::uint32_t length = 1;
  std::string text;
  json::Value value;
  std::vector<const Node*> kids;
  std::vector<std::string> strings;
  std::vector<const Pattern*> patterns;  // several: `?//`
  const Function* function = nullptr;
};

struct Tree {
  std::deque<Node> nodes;
  std::deque<Pattern> patterns;
  std::deque<Function> functions;
  const Node* root = nullptr;
};

}  // namespace pawl::jq::detail
