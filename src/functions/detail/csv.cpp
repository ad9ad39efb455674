#include "functions/detail/csv.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_set>
#include <vector>

#include "functions/detail/encoding.hpp"

namespace pawl::functions {
namespace {

class Reader {
 public:
  Reader(std::string_view text, char delimiter) : rest_(text), delimiter_(delimiter), stops_{delimiter, '\r', '\n'} {
    if (rest_.starts_with("\xEF\xBB\xBF")) rest_.remove_prefix(3);
  }
  [[nodiscard]] bool at_end() const { return rest_.empty(); }
  [[nodiscard]] std::size_t line() const { return line_; }

  Result<std::vector<std::string>> record() {
    std::vector<std::string> fields;
    while (true) {
      PAWL_TRY(field, rest_.starts_with('"') ? quoted() : plain());
      fields.push_back(std::move(field));
      if (rest_.starts_with(delimiter_)) {
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
    const std::size_t end = std::min(rest_.find_first_of(stops_), rest_.size());
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
    if (!rest_.empty() && rest_.find_first_of(stops_) != 0) {
      return Error(ErrorClass::invalid, "csv.syntax", fmt::format("line {}: text after a closing quote", line_));
    }
    return field;
  }

  std::string_view rest_;
  char delimiter_;
  std::string stops_;
  std::size_t line_ = 1;
};

void append_field(std::string& out, const json::Value& value, char delimiter) {
  if (value.is_null()) return;
  std::string text = as_text(value);
  // A cell that starts so is code to a spreadsheet (CWE-1236); numbers are not meant.
  if (value.is_string() && !text.empty() && std::string_view("=+-@\t\r").find(text.front()) != std::string_view::npos)
    text.insert(0, 1, '\'');
  if (text.find(delimiter) == std::string::npos && text.find_first_of("\"\r\n") == std::string::npos) {
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

Result<json::Value> parse_csv(std::string_view text, const CsvFormat& format) {
  Reader reader(text, format.delimiter);
  json::Value rows = json::Value::array();
  if (reader.at_end()) return rows;
  std::vector<json::Value> columns(format.columns.begin(), format.columns.end());
  if (format.header) {
    PAWL_TRY(header, reader.record());
    if (columns.empty()) columns.assign(header.begin(), header.end());
  }
  std::unordered_set<std::string_view> seen;
  for (const json::Value& column : columns) {
    if (!seen.insert(column.as_string()).second) {
      return Error(ErrorClass::invalid, "csv.columns",
                   fmt::format("the column '{}' is there twice: give other names as `columns`", column.as_string()));
    }
  }
  std::size_t width = columns.size();
  while (!reader.at_end() && rows.size() < format.max_rows) {
    const std::size_t line = reader.line();
    PAWL_TRY(fields, reader.record());
    if (fields.size() == 1 && fields.front().empty()) continue;  // an empty line
    if (width == 0) width = fields.size();
    if (fields.size() != width) {
      return Error(ErrorClass::invalid, "csv.syntax", fmt::format("line {}: {} fields where {} are expected", line, fields.size(), width));
    }
    if (columns.empty()) {
      rows.push_back(json::Value::array(std::vector<json::Value>(fields.begin(), fields.end())));
      continue;
    }
    json::Value row = json::Value::object();
    for (std::size_t i = 0; i < fields.size(); ++i) row.set_shared(columns[i], std::move(fields[i]));
    rows.push_back(std::move(row));
  }
  return rows;
}

Result<std::string> write_csv(const json::Value& rows, const CsvFormat& format) {
  const auto refuse = [] {
    return Error(ErrorClass::invalid, "csv.value", "CSV is written from an array of objects or an array of arrays");
  };
  if (!rows.is_array()) return refuse();
  const std::vector<json::Value> columns =
      format.columns.empty() ? columns_of(rows) : std::vector<json::Value>(format.columns.begin(), format.columns.end());
  const bool arrays = !rows.empty() && rows.at(0).is_array();
  std::string out;
  const auto line = [&](std::span<const json::Value> fields) {
    for (std::size_t i = 0; i < fields.size(); ++i) {
      if (i > 0) out += format.delimiter;
      append_field(out, fields[i], format.delimiter);
    }
    out += "\r\n";
  };
  if (!columns.empty() && format.header) line(columns);
  for (const json::Value& row : rows.items()) {
    if (row.is_object() && !arrays) {
      std::vector<json::Value> fields;
      fields.reserve(columns.size());
      for (const json::Value& column : columns) fields.push_back(row.get(column.as_string()));
      line(fields);
    } else if (row.is_array() && arrays && (columns.empty() || row.size() == columns.size())) {
      line(row.items());
    } else {
      return refuse();
    }
  }
  return out;
}

}  // namespace pawl::functions
