#include "functions/detail/sql.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <unordered_set>

namespace pawl::functions {
namespace {

bool starts_name(char c) { return std::isalpha(static_cast<unsigned char>(c)) != 0 || c == '_'; }
bool in_name(char c) { return starts_name(c) || std::isdigit(static_cast<unsigned char>(c)) != 0; }

// The end of what begins at `at` and holds no parameters: a text, a quoted name, a comment, a dollar-quoted text; `at` itself where nothing
// of the kind begins. What is not closed reaches to the end: the database will say so.
std::size_t skip_opaque(std::string_view sql, std::size_t at) {
  const auto after = [&](std::string_view end, std::size_t from) {
    const std::size_t found = sql.find(end, from);
    return found == std::string_view::npos ? sql.size() : found + end.size();
  };
  const std::string_view rest = sql.substr(at);
  if (rest.starts_with("--")) return after("\n", at);
  if (rest.starts_with("/*")) {
    std::size_t depth = 1;  // PostgreSQL's comments nest
    std::size_t i = at + 2;
    for (; i < sql.size() && depth > 0; ++i) {
      if (sql.substr(i, 2) == "/*")
        ++depth, ++i;
      else if (sql.substr(i, 2) == "*/")
        --depth, ++i;
    }
    return i;
  }
  if (rest.front() == '\'' || rest.front() == '"') {
    const bool escapes = rest.front() == '\'' && at > 0 && (sql[at - 1] == 'e' || sql[at - 1] == 'E') && (at < 2 || !in_name(sql[at - 2]));
    for (std::size_t i = at + 1; i < sql.size(); ++i) {
      if (escapes && sql[i] == '\\')
        ++i;
      else if (sql[i] == rest.front())
        return i + 1;  // a doubled quote begins the next text, which changes nothing
    }
    return sql.size();
  }
  if (rest.front() == '$' && (at == 0 || !in_name(sql[at - 1]))) {
    std::size_t end = 1;
    if (end < rest.size() && starts_name(rest[end])) {
      while (end < rest.size() && in_name(rest[end])) ++end;
    }
    if (end < rest.size() && rest[end] == '$') return after(rest.substr(0, end + 1), at + end + 1);
  }
  return at;
}

}  // namespace

Result<NumberedSql> number_parameters(std::string_view sql, const json::Value& given) {
  NumberedSql result;
  std::size_t at = 0;
  while (at < sql.size()) {
    if (const std::size_t end = skip_opaque(sql, at); end != at) {
      result.text += sql.substr(at, end - at);
      at = end;
      continue;
    }
    const bool cast = sql.substr(at, 2) == "::";
    const bool slice = at > 0 && (in_name(sql[at - 1]) || sql[at - 1] == ']' || sql[at - 1] == ')');  // a[1:n]
    if (cast || sql[at] != ':' || slice || at + 1 >= sql.size() || !starts_name(sql[at + 1])) {
      result.text += sql.substr(at, cast ? 2 : 1);
      at += cast ? 2 : 1;
      continue;
    }
    std::size_t end = at + 1;
    while (end < sql.size() && in_name(sql[end])) ++end;
    const std::string name(sql.substr(at + 1, end - at - 1));
    if (given.find(name) == nullptr) return Error(ErrorClass::invalid, "sql.parameters", fmt::format("there is no parameter '{}'", name));
    auto place = std::find(result.names.begin(), result.names.end(), name);
    if (place == result.names.end()) place = result.names.insert(place, name);
    result.text += fmt::format("${}", place - result.names.begin() + 1);
    at = end;
  }
  return result;
}

SqlRows::SqlRows(const SqlStatement& statement, std::vector<std::string> names) : statement_(statement) {
  std::unordered_set<std::string> seen;
  for (std::string& name : names) {
    std::string unique = name;
    for (int i = 2; !seen.insert(unique).second; ++i) unique = fmt::format("{}_{}", name, i);
    names_.emplace_back(std::move(unique));
  }
}

bool SqlRows::wants_more() {
  if (rows_.size() < statement_.limit) return true;
  limited_ = true;
  return false;
}

Result<void> SqlRows::add(std::vector<json::Value> values, std::size_t bytes) {
  bytes_ += bytes;
  if (bytes_ > statement_.max_bytes) {
    return Error(ErrorClass::too_large, "sql.too_large",
                 fmt::format("the rows hold more than {} bytes; ask for fewer", statement_.max_bytes));
  }
  json::Value row = json::Value::object();
  for (std::size_t i = 0; i < values.size() && i < names_.size(); ++i) row.set_shared(names_[i], std::move(values[i]));
  rows_.push_back(std::move(row));
  return boost::system::in_place_value;
}

json::Value SqlRows::finish() && {
  const std::size_t count = rows_.size();
  return json::Value::object(
      {{"rows", std::move(rows_)}, {"columns", json::Value::array(std::move(names_))}, {"count", count}, {"limited", limited_}});
}

}  // namespace pawl::functions
