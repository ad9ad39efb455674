#include "functions/detail/git_config.hpp"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>

#include "functions/detail/file_io.hpp"

namespace pawl::functions {
namespace {

constexpr std::size_t kMaxConfig = 256 * 1024;

std::string_view trimmed(std::string_view text) {
  const auto space = [](char c) { return c == ' ' || c == '\t' || c == '\r'; };
  while (!text.empty() && space(text.front())) text.remove_prefix(1);
  while (!text.empty() && space(text.back())) text.remove_suffix(1);
  return text;
}

std::string lower(std::string_view text) {
  std::string result(text);
  std::transform(result.begin(), result.end(), result.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return result;
}

bool plain_name(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](unsigned char c) { return std::isalnum(c) != 0 || c == '-'; });
}

bool harmless(std::string_view section, std::string_view key) {
  constexpr std::array<std::pair<std::string_view, std::string_view>, 18> kKnown = {{{"core", "repositoryformatversion"},
                                                                                     {"core", "filemode"},
                                                                                     {"core", "bare"},
                                                                                     {"core", "logallrefupdates"},
                                                                                     {"core", "ignorecase"},
                                                                                     {"core", "precomposeunicode"},
                                                                                     {"core", "symlinks"},
                                                                                     {"core", "autocrlf"},
                                                                                     {"core", "eol"},
                                                                                     {"init", "defaultbranch"},
                                                                                     {"pull", "rebase"},
                                                                                     {"user", "name"},
                                                                                     {"user", "email"},
                                                                                     {"remote", "url"},
                                                                                     {"remote", "fetch"},
                                                                                     {"branch", "remote"},
                                                                                     {"branch", "merge"},
                                                                                     {"branch", "rebase"}}};
  return std::find(kKnown.begin(), kKnown.end(), std::pair(section, key)) != kKnown.end();
}

Error refused(std::string_view what) {
  return {ErrorClass::denied, "git.config", fmt::format("the repository's configuration has {}, which is not allowed here", what)};
}

// `[name]` or `[name "sub"]`; what is written in any other way is refused.
struct Section {
  std::string name;
  std::string sub;
};
Result<Section> read_section(std::string_view line) {
  if (line.back() != ']') return refused(fmt::format("'{}'", line));
  const std::string_view inner = line.substr(1, line.size() - 2);
  const std::size_t space = inner.find(' ');
  Section section{lower(inner.substr(0, space)), ""};
  if (!plain_name(section.name)) return refused(fmt::format("'{}'", line));
  if (space == std::string_view::npos) return section;
  const std::string_view quoted = trimmed(inner.substr(space));
  if (quoted.size() < 2 || quoted.front() != '"' || quoted.back() != '"') return refused(fmt::format("'{}'", line));
  section.sub = quoted.substr(1, quoted.size() - 2);
  if (section.sub.find_first_of("\"\\]") != std::string::npos) return refused(fmt::format("'{}'", line));
  return section;
}

}  // namespace

Result<GitConfig> read_git_config(std::string_view text) {
  GitConfig config;
  Section section;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = trimmed(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.empty() || line.front() == '#' || line.front() == ';') continue;
    if (line.front() == '[') {
      PAWL_TRY(next, read_section(line));
      section = std::move(next);
      continue;
    }
    // A line that goes on in the next one could hide a setting.
    if (line.back() == '\\') return refused("a continued line");
    const std::size_t equals = line.find('=');
    const std::string key = lower(trimmed(line.substr(0, equals)));
    if (!plain_name(key) || !harmless(section.name, key)) return refused(fmt::format("{}.{}", section.name, key));
    const std::string_view value = equals == std::string_view::npos ? std::string_view() : trimmed(line.substr(equals + 1));
    if (section.name == "remote" && key == "url") {
      if (value.find_first_of("\"\\#;") != std::string_view::npos) return refused("a quoted remote.url");
      if (!config.remotes.emplace(section.sub, value).second) return refused("a remote with several URLs");
    }
    if (section.name == "user" && key == "email") config.names_committer = true;
  }
  return config;
}

Result<GitConfig> check_repository(const Place& folder) {
  const auto inner = open_place(folder.child(".git"), O_PATH | O_DIRECTORY);
  if (inner.has_error()) {
    if (inner.error().code != "file.not_found") return inner.error();
    return Error(ErrorClass::not_found, "git.repository", fmt::format("{} is not the top folder of a Git repository", folder.display()));
  }
  // Both name further configuration: that of another folder, and that of this working folder alone.
  for (const char* other : {"commondir", "config.worktree"}) {
    const auto found = open_place(folder.child(".git").child(other), O_PATH);
    if (found.has_value() || found.error().code != "file.not_found") return refused(fmt::format("the file {}", other));
  }
  PAWL_TRY(content, read_whole(folder.child(".git").child("config"), kMaxConfig));
  return read_git_config(content.bytes);
}

}  // namespace pawl::functions
