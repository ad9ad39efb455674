#include "storage/detail/sql_dialect.hpp"

#include <algorithm>
#include <cctype>

namespace pawl::storage::detail {
namespace {

bool is_word(char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; }

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return out;
}

/// Length of the literal, quoted name or comment at the start of `sql`; 0: there is none.
std::size_t opaque(std::string_view sql) {
  if (sql.starts_with("--")) return std::min(sql.find('\n'), sql.size());
  if (sql.front() != '\'' && sql.front() != '"') return 0;
  const auto end = sql.find(sql.front(), 1);  // a doubled quote merely begins another one
  return end == std::string_view::npos ? sql.size() : end + 1;
}

std::size_t word_length(std::string_view sql) {
  std::size_t length = 0;
  while (length < sql.size() && is_word(sql[length])) ++length;
  return length;
}

}  // namespace

std::string to_postgresql(std::string_view sql) {
  std::string out;
  out.reserve(sql.size() + sql.size() / 8);
  while (!sql.empty()) {
    auto length = opaque(sql);
    if (length == 0) length = word_length(sql);
    if (length == 0) length = 1;
    const auto piece = sql.substr(0, length);
    sql.remove_prefix(length);
    const auto word = lower(piece);
    if (word == "blob") {
      out += "bytea";
    } else if (word == "integer") {
      out += "bigint";
    } else if (word == "without" && lower(sql.substr(0, 6)) == " rowid") {
      sql.remove_prefix(6);
    } else {
      out += piece;
    }
  }
  return out;
}

}  // namespace pawl::storage::detail
