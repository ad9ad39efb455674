#include "storage/detail/manifest.hpp"

#include <algorithm>
#include <charconv>

namespace pawl::storage::detail {
namespace {

constexpr std::string_view kFirstLine = "pawl-backup 1";
constexpr std::string_view kAnyFirstLine = "pawl-backup ";

std::string sha256(std::string_view text) {
  Sha256 hash;
  hash.add(text);
  return hash.hex();
}

std::string_view take_word(std::string_view& line) {
  const auto space = line.find(' ');
  const auto word = line.substr(0, space);
  line.remove_prefix(space == std::string_view::npos ? line.size() : space + 1);
  return word;
}

template <class Number>
bool take_number(std::string_view& line, Number& number) {
  const auto word = take_word(line);
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), number);
  return error == std::errc() && end == word.data() + word.size();
}

std::vector<std::string> split(std::string_view text) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    const auto comma = text.find(',');
    parts.emplace_back(text.substr(0, comma));
    text.remove_prefix(comma == std::string_view::npos ? text.size() : comma + 1);
  }
  return parts;
}

std::string join(const std::vector<std::string>& parts) {
  std::string text;
  for (const auto& part : parts) text += (text.empty() ? "" : ",") + part;
  return text;
}

Error damaged(const std::string& what) { return {ErrorClass::unprocessable, "backup.damaged", "the backup is damaged: " + what}; }

bool read_line(Manifest& manifest, std::string_view line) {
  const auto kind = take_word(line);
  if (kind == "made") {
    const auto time = parse_rfc3339(line);
    manifest.made_at = time.value_or(TimePoint{});
    return time.has_value();
  }
  if (kind == "dialect") {
    manifest.dialect = line == "postgresql" ? Dialect::postgresql : Dialect::sqlite;
    return line == "postgresql" || line == "sqlite";
  }
  if (kind == "migration") {
    std::uint32_t version = 0;
    const bool good = take_number(line, version);
    manifest.migrations[version] = line;
    return good;
  }
  if (kind == "table") {
    Manifest::Table table;
    table.name = take_word(line);
    const bool good = take_number(line, table.rows);
    table.columns = split(line);
    manifest.tables.push_back(std::move(table));
    return good;
  }
  if (kind == "file") {
    FileDigest digest;
    digest.sha256 = take_word(line);
    const bool good = take_number(line, digest.size);
    manifest.files[std::string(line)] = digest;
    return good;
  }
  return false;
}

}  // namespace

std::string Manifest::to_text() const {
  std::string text(kFirstLine);
  text += "\nmade " + to_rfc3339(made_at) + "\ndialect " + (dialect == Dialect::sqlite ? "sqlite" : "postgresql") + "\n";
  for (const auto& [version, checksum] : migrations) text += "migration " + std::to_string(version) + " " + checksum + "\n";
  for (const auto& table : tables) text += "table " + table.name + " " + std::to_string(table.rows) + " " + join(table.columns) + "\n";
  for (const auto& [path, digest] : files) text += "file " + digest.sha256 + " " + std::to_string(digest.size) + " " + path + "\n";
  return text + "end " + sha256(text) + "\n";
}

Result<Manifest> Manifest::parse(std::string_view text) {
  if (!text.starts_with(kFirstLine)) {
    if (!text.starts_with(kAnyFirstLine)) return damaged("its MANIFEST is none");
    return Error{ErrorClass::unprocessable, "backup.unsupported", "the backup was made by a newer program"};
  }
  const auto end = text.rfind("\nend ");
  if (end == std::string_view::npos || text.substr(end + 1) != "end " + sha256(text.substr(0, end + 1)) + "\n") {
    return damaged("its MANIFEST was changed or cut off");
  }
  Manifest manifest;
  auto lines = text.substr(0, end);
  lines.remove_prefix(std::min(lines.find('\n') + 1, lines.size()));
  while (!lines.empty()) {
    const auto length = lines.find('\n');
    if (!read_line(manifest, lines.substr(0, length))) return damaged("a line of its MANIFEST cannot be read");
    lines.remove_prefix(length == std::string_view::npos ? lines.size() : length + 1);
  }
  return manifest;
}

}  // namespace pawl::storage::detail
