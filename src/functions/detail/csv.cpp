#include "functions/detail/csv.hpp"

#include <fmt/format.h>

#include <unordered_set>
#include <vector>

#include "functions/detail/encoding.hpp"

namespace pawl::functions {
namespace {

class Reader {
 public:
  explicit Reader(std::string_view text) : rest_(text) {
    if (rest_.starts_with("\xEF\xBB\xBF")) rest_.remove_prefix(3);
  }
  [[nodiscard]] bool at_end() const { return rest_.empty(); }
  [[nodiscard]] std::size_t line() const { return line_; }

  Result<std::vector<std::string>> record() {
    std::vector<std::string> fields;
    while (true) {
      PAWL_TRY(field, rest_.starts_with('"') ? quoted() : plain());
      fields.push_back(std::move(field));
      if (rest_.starts_with(',')) {
        rest_.remove_prefix(1);
        continue;
      }
      if (rest_.starts_with('\r')) rest_.remove_prefix(1);
      if (rest_.starts_with('\n')) rest_.remove_prefix(1);
      ++line_;
      return fields;
    }
  }

 private:
  Result<std::string> plain() {
    const std::size_t end = std::min(rest_.find_first_of(",\r\n"), rest_.size());
    std::string field(rest_.substr(0, end));
    rest_.remove_prefix(end);
    return field;
  }
  Result<std::string> quoted() {
    std::string field;
    rest_.remove_prefix(1);
    while (true) {
      const std::size_t quote = rest_.find('"');
      if (quote == std::string_view::npos)
        return Error(ErrorClass::invalid, "csv.syntax", fmt::format("line {}: a quote is not closed", line_));
      for (const char c : rest_.substr(0, quote)) line_ += c == '\n' ? 1 : 0;
      field += rest_.substr(0, quote);
      rest_.remove_prefix(quote + 1);
      if (!rest_.starts_with('"')) break;
      field += '"';
      rest_.remove_prefix(1);
    }
    if (!rest_.empty() && rest_.find_first_of(",\r\n") != 0) {
      return Error(ErrorClass::invalid, "csv.syntax", fmt::format("line {}: text after a closing quote", line_));
    }
    return field;
  }

  std::string_view rest_;
  std::size_t line_ = 1;
};

void append_field(std::string& out, const json::Value& value) {
  if (value.is_null()) return;
  std::string text = as_text(value);
  // A cell that starts so is code to a spreadsheet (CWE-1236); numbers are not meant.
  if (value.is_string() && !text.empty() && std::string_view("=+-@\t\r").find(text.front()) != std::string_view::npos)
    text.insert(0, 1, '\'');
  if (text.find_first_of(",\"\r\n") == std::string::npos) {
    out += text;
    return;
  }
  out += '"';
  for (const char c : text) {
    if (c == '"') out += '"';
    out += c;
  }
  out += '"';
}

std::vector<json::Value> columns_of(const json::Value& rows) {
  std::vector<json::Value> columns;
  std::unordered_set<std::string> seen;
  for (const json::Value& row : rows.items()) {
    if (!row.is_object()) continue;
    for (const json::Member& member : row.members()) {
      if (seen.emplace(member.name()).second) columns.push_back(member.key);
    }
  }
  return columns;
}

}  // namespace

Result<json::Value> parse_csv(std::string_view text) {
  Reader reader(text);
  json::Value rows = json::Value::array();
  if (reader.at_end()) return rows;
  PAWL_TRY(header, reader.record());
  while (!reader.at_end()) {
    const std::size_t line = reader.line();
    PAWL_TRY(fields, reader.record());
    if (fields.size() == 1 && fields.front().empty()) continue;  // an empty line
    if (fields.size() != header.size()) {
      return Error(ErrorClass::invalid, "csv.syntax",
                   fmt::format("line {}: {} fields where the first line names {}", line, fields.size(), header.size()));
    }
    json::Value row = json::Value::object();
    for (std::size_t i = 0; i < fields.size(); ++i) row.set(header[i], std::move(fields[i]));
    rows.push_back(std::move(row));
  }
  return rows;
}

Result<std::string> write_csv(const json::Value& rows) {
  const auto refuse = [] {
    return Error(ErrorClass::invalid, "csv.value", "CSV is written from an array of objects or an array of arrays");
  };
  if (!rows.is_array()) return refuse();
  const std::vector<json::Value> columns = columns_of(rows);
  std::string out;
  const auto line = [&out](std::span<const json::Value> fields) {
    for (std::size_t i = 0; i < fields.size(); ++i) {
      if (i > 0) out += ',';
      append_field(out, fields[i]);
    }
    out += "\r\n";
  };
  if (!columns.empty()) line(columns);
  for (const json::Value& row : rows.items()) {
    if (row.is_object()) {
      std::vector<json::Value> fields;
      fields.reserve(columns.size());
      for (const json::Value& column : columns) fields.push_back(row.get(column.as_string()));
      line(fields);
    } else if (row.is_array() && columns.empty()) {
      line(row.items());
    } else {
      return refuse();
    }
  }
  return out;
}

}  // namespace pawl::functions
