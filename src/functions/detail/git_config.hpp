/// What a repository's own configuration may say before `git` is run in it.
///
/// Git runs programs that a repository's configuration names (filters, merge drivers, hooks) and lets it rewrite addresses. What is
/// not known to be harmless refuses the repository: the list below is what `git clone` and `git init` write, and who commits.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "base/error.hpp"
#include "functions/detail/contained_path.hpp"

namespace pawl::functions {

struct GitConfig {
  std::map<std::string, std::string> remotes;  ///< name to URL
  bool names_committer = false;
};

/// Error `git.config` (denied): names the setting that is refused.
[[nodiscard]] Result<GitConfig> read_git_config(std::string_view text);
/// `.git/config` of the working folder. `.git` must be a folder there, not a file that points elsewhere. Errors `git.repository`,
/// `git.config`, those of contained_path.hpp.
[[nodiscard]] Result<GitConfig> check_repository(const Place& folder);

}  // namespace pawl::functions
