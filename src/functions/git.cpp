// `git`: the program git in the sandbox, without anything of it that runs other programs.
//
// Hooks, filters, external diffs, pagers, editors, credential helpers, the file monitor, submodules and every transport but https are
// off. A remote's name is resolved here, passes the address guard, and git is told the address (`http.curloptResolve`); redirects are off.

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <mutex>

#include "base/utf8.hpp"
#include "engine/machine/machine.hpp"
#include "functions/detail/builtins.hpp"
#include "functions/detail/contained_path.hpp"
#include "functions/detail/encoding.hpp"
#include "functions/detail/git_config.hpp"
#include "functions/detail/process_call.hpp"
#include "functions/detail/secret_hosts.hpp"
#include "net/address_policy.hpp"
#include "net/permitted_addresses.hpp"

namespace pawl::functions {
namespace {

constexpr std::int64_t kDefaultLog = 20;

std::string operation_of(const json::Value& arguments) { return text_or(arguments, "operation", ""); }
bool is_remote(const std::string& operation) { return operation == "clone" || operation == "pull" || operation == "push"; }
bool only_looks(const std::string& operation) { return operation == "status" || operation == "log" || operation == "diff"; }

Error bad(std::string message) { return {ErrorClass::invalid, "git.arguments", std::move(message)}; }

// ---- remotes ------------------------------------------------------------------------------------------------------------------------

struct Remote {
  std::string url;
  std::string host;  // empty: a folder below the roots (tests)
  std::string port = "443";
};

Result<Remote> read_remote(const std::string& url, const Roots& roots, const FunctionsOptions& options) {
  Remote remote{url, "", "443"};
  constexpr std::string_view kScheme = "https://";
  if (options.git_local_remotes && url.starts_with('/')) {
    PAWL_TRY(place, roots.find(url));
    remote.url = place.display();
    return remote;
  }
  if (!url.starts_with(kScheme)) return bad("a remote is an https:// URL");
  const std::string_view rest = std::string_view(url).substr(kScheme.size());
  std::string_view authority = rest.substr(0, rest.find_first_of("/?#"));
  const bool odd = std::any_of(url.begin(), url.end(), [](unsigned char c) { return c <= ' ' || c == 0x7F || c == '\\' || c == '"'; });
  if (odd) return bad("the URL of the remote contains a blank, a quote or a backslash");
  if (authority.find('@') != std::string_view::npos)
    return bad("user and password do not belong into the URL: give `username` and `password`");
  if (authority.find('[') != std::string_view::npos) return bad("a remote is named by its host name");
  if (const std::size_t colon = authority.find(':'); colon != std::string_view::npos) {
    remote.port = authority.substr(colon + 1);
    authority = authority.substr(0, colon);
    if (remote.port.empty() || remote.port.find_first_not_of("0123456789") != std::string::npos)
      return bad("the port of the remote is no number");
  }
  remote.host = authority;
  if (remote.host.empty()) return bad("the URL of the remote names no host");
  return remote;
}

// ---- what git is told ---------------------------------------------------------------------------------------------------------------

using Settings = std::vector<std::pair<std::string, std::string>>;

Settings settings() {
  return {{"core.hooksPath", "/dev/null"},
          {"core.fsmonitor", "false"},
          {"core.pager", "cat"},
          {"core.askPass", "/bin/false"},
          {"core.sshCommand", "/bin/false"},
          {"core.alternateRefsCommand", "/bin/false"},
          {"core.attributesFile", "/dev/null"},
          {"core.excludesFile", "/dev/null"},
          {"safe.directory", "*"},
          {"diff.external", ""},
          {"credential.helper", ""},
          {"commit.gpgSign", "false"},
          {"gpg.program", "/bin/false"},
          {"submodule.recurse", "false"},
          {"fetch.recurseSubmodules", "false"},
          {"push.recurseSubmodules", "no"},
          {"http.followRedirects", "false"},
          {"http.proxy", ""},
          {"http.sslVerify", "true"},
          {"gc.auto", "0"},
          {"maintenance.auto", "false"},
          {"advice.detachedHead", "false"},
          {"init.defaultBranch", "main"}};
}

// As variables and not on the command line, where other processes could read a password.
std::vector<std::pair<std::string, std::string>> environment(const Settings& settings, bool local) {
  std::vector<std::pair<std::string, std::string>> all = {{"GIT_CONFIG_NOSYSTEM", "1"},
                                                          {"GIT_CONFIG_GLOBAL", "/dev/null"},
                                                          {"GIT_ATTR_NOSYSTEM", "1"},
                                                          {"GIT_TERMINAL_PROMPT", "0"},
                                                          {"GIT_PAGER", "cat"},
                                                          {"GIT_EDITOR", "/bin/false"},
                                                          {"GIT_ASKPASS", "/bin/false"},
                                                          {"GIT_OPTIONAL_LOCKS", "0"},
                                                          {"GIT_LITERAL_PATHSPECS", "1"},
                                                          {"GIT_ALLOW_PROTOCOL", local ? "file" : "https"},
                                                          {"GIT_CONFIG_COUNT", std::to_string(settings.size())}};
  for (std::size_t i = 0; i < settings.size(); ++i) {
    all.emplace_back(fmt::format("GIT_CONFIG_KEY_{}", i), settings[i].first);
    all.emplace_back(fmt::format("GIT_CONFIG_VALUE_{}", i), settings[i].second);
  }
  return all;
}

// A call's words, one list for each process in order.
std::vector<std::vector<std::string>> steps_of(const json::Value& arguments, const std::string& path, const std::string& url) {
  const std::string operation = operation_of(arguments);
  const std::string branch = text_or(arguments, "branch", "");
  const std::string revision = text_or(arguments, "revision", "");
  const bool force = flag_or(arguments, "force", false);
  std::vector<std::string> paths;
  if (arguments.get("paths").is_array()) {
    for (const json::Value& each : arguments.get("paths").items()) paths.emplace_back(each.as_string());
  }
  const auto with = [](std::vector<std::string> words, const std::vector<std::string>& more) {
    words.insert(words.end(), more.begin(), more.end());
    return words;
  };
  if (operation == "clone") {
    std::vector<std::string> words = {"clone", "--quiet", "--no-recurse-submodules", "--template="};
    if (!branch.empty()) words.push_back("--branch=" + branch);
    if (arguments.get("depth").is_integer()) words.push_back(fmt::format("--depth={}", arguments.get("depth").as_integer()));
    return {with(std::move(words), {"--", url, path}), {"-C", path, "rev-parse", "HEAD"}};
  }
  if (operation == "pull") {
    // Not `git pull`, which overwrites files that are ignored.
    std::vector<std::string> words = {"fetch", "--quiet", "--no-recurse-submodules", "--", "origin"};
    if (!branch.empty()) words.push_back(branch);
    return {std::move(words), {"merge", "--quiet", "--ff-only", "--no-overwrite-ignore", "FETCH_HEAD"}, {"rev-parse", "HEAD"}};
  }
  if (operation == "push") {
    std::vector<std::string> words = {"push", "--quiet", "--no-verify", "--no-recurse-submodules", "--no-signed"};
    if (force) words.emplace_back("--force");
    return {with(std::move(words), {"--", "origin", branch.empty() ? "HEAD" : "HEAD:refs/heads/" + branch}), {"rev-parse", "HEAD"}};
  }
  if (operation == "commit") {
    if (paths.empty()) paths = {"."};
    return {with({"add", "--all", "--"}, paths),
            {"commit", "--quiet", "--no-verify", "--no-gpg-sign", "--message=" + text_or(arguments, "commit_message", "")},
            {"rev-parse", "HEAD"}};
  }
  if (operation == "checkout") {
    std::vector<std::string> words = {"checkout", "--quiet", "--no-recurse-submodules", "--no-overwrite-ignore"};
    if (force) words.emplace_back("--force");
    if (flag_or(arguments, "create", false)) words.emplace_back("-b");
    return {with(std::move(words), {branch.empty() ? revision : branch, "--"}), {"rev-parse", "HEAD"}};
  }
  if (operation == "log") {
    const json::Value& limit = arguments.get("limit");
    std::vector<std::string> words = {"log", "--no-show-signature", "--no-color", "--format=%H%x1f%an%x1f%ae%x1f%aI%x1f%s%x1e",
                                      fmt::format("--max-count={}", limit.is_integer() ? limit.as_integer() : kDefaultLog)};
    if (!revision.empty()) words.push_back(revision);
    words.emplace_back("--");
    return {with(std::move(words), paths)};
  }
  if (operation == "diff") {
    std::vector<std::string> words = {"diff", "--no-ext-diff", "--no-textconv", "--no-color", "--ignore-submodules=all"};
    if (!revision.empty()) words.push_back(revision);
    words.emplace_back("--");
    return {with(std::move(words), paths)};
  }
  return {{"status", "--porcelain=v1", "-z", "--branch", "--ignore-submodules=all", "--untracked-files=all"}};
}

// ---- what git says ------------------------------------------------------------------------------------------------------------------

json::Value commits_of(std::string_view text) {
  json::Value commits = json::Value::array();
  constexpr std::array kNames = {"hash", "author", "email", "date", "subject"};
  while (!text.empty()) {
    const std::size_t end = text.find('\x1e');
    if (end == std::string_view::npos) break;
    std::string_view record = text.substr(0, end);
    text.remove_prefix(end + 1);
    if (record.starts_with('\n')) record.remove_prefix(1);
    json::Value commit = json::Value::object();
    for (const char* name : kNames) {
      const std::size_t next = std::min(record.find('\x1f'), record.size());
      commit.set(name, to_utf8(std::string(record.substr(0, next))));
      record.remove_prefix(std::min(next + 1, record.size()));
    }
    commits.push_back(std::move(commit));
  }
  return commits;
}

json::Value status_of(std::string_view text) {
  json::Value files = json::Value::array();
  std::string branch;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\0'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.starts_with("## ")) {
      branch = line.substr(3, line.find("...") == std::string_view::npos ? std::string_view::npos : line.find("...") - 3);
      if (branch.starts_with("No commits yet on ")) branch.erase(0, std::string_view("No commits yet on ").size());
    } else if (line.size() > 3) {
      files.push_back(
          json::Value::object({{"state", to_utf8(std::string(line.substr(0, 2)))}, {"path", to_utf8(std::string(line.substr(3)))}}));
      const bool renamed = line.front() == 'R' || line.front() == 'C';
      if (renamed) text.remove_prefix(std::min(text.find('\0'), text.size() - 1) + 1);  // the old name follows
    }
  }
  const bool clean = files.empty();
  return json::Value::object({{"branch", to_utf8(std::move(branch))}, {"clean", clean}, {"files", std::move(files)}});
}

json::Value output_of(const std::string& operation, const std::string& text) {
  if (operation == "status") return status_of(text);
  if (operation == "log") return json::Value::object({{"commits", commits_of(text)}});
  if (operation == "diff") return json::Value::object({{"diff", to_utf8(text)}});
  std::string commit = text;
  while (commit.ends_with('\n')) commit.pop_back();
  return json::Value::object({{"commit", to_utf8(std::move(commit))}});
}

// ---- the call -----------------------------------------------------------------------------------------------------------------------

// Looks on the pool (files, the resolver), then runs one process after the other: what is under way changes, `cancel` finds it.
class GitCall : public std::enable_shared_from_this<GitCall> {
 public:
  GitCall(const Parts& parts, engine::Invocation call, engine::Done done)
      : parts_(parts), call_(std::move(call)), done_(std::move(done)), operation_(operation_of(call_.arguments)) {}

  void begin() {
    auto work = [self = shared_from_this()](const std::atomic<bool>&) {
      const auto prepared = self->prepare();
      return prepared.has_error() ? failed(prepared.error()) : engine::Outcome::success({});
    };
    auto ready = [self = shared_from_this()](engine::Outcome outcome) {
      if (!outcome.ok()) return self->done_(std::move(outcome));
      self->next();
    };
    static_cast<void>(run_on_pool(parts_.dependencies.pool, std::move(work), std::move(ready)));
  }
  void cancel() {
    engine::Cancel current;
    {
      const std::lock_guard lock(mutex_);
      cancelled_ = true;
      current = current_;
    }
    if (current) current();
  }

 private:
  Result<void> prepare() {
    const json::Value& arguments = call_.arguments;
    PAWL_TRY(place, parts_.roots->find(text_or(arguments, "repo_path", ".")));
    std::string url = text_or(arguments, "remote_url", "");
    bool names_committer = true;
    if (operation_ == "clone") {
      if (open_place(place, O_PATH).has_value()) return file_error(EEXIST, place.display());
      PAWL_TRY(parent, open_parent(place, true));
      folder_ = parts_.roots->paths()[place.root];
    } else {
      PAWL_TRY(config, check_repository(place));
      folder_ = place.display();
      url = config.remotes.contains("origin") ? config.remotes.at("origin") : "";
      names_committer = config.names_committer;
    }
    Settings told = settings();
    if (is_remote(operation_)) {
      PAWL_TRY(remote, read_remote(url, *parts_.roots, parts_.options));
      url = remote.url;
      local_ = remote.host.empty();
      if (!local_) {
        PAWL_TRY_VOID(hold_to_host(arguments, remote.host, call_.secrets));
        PAWL_TRY_VOID(guard(remote, told));
      }
    }
    PAWL_TRY_VOID(add_credentials(told));
    if (const json::Value& author = arguments.get("author"); author.is_object() || !names_committer) {
      told.emplace_back("user.name", text_or(author, "name", "Pawl"));
      told.emplace_back("user.email", text_or(author, "email", "pawl@localhost"));
    }
    environment_ = environment(told, local_);
    if (operation_ != "clone") {
      // Said and not searched for: git must take the repository whose configuration was looked at, or none.
      environment_.insert(environment_.end(),
                          {{"GIT_DIR", folder_ + "/.git"}, {"GIT_COMMON_DIR", folder_ + "/.git"}, {"GIT_WORK_TREE", folder_}});
    }
    steps_ = steps_of(arguments, place.display(), url);
    PAWL_TRY(time, duration_argument(arguments, "timeout"));
    time_ = time.value_or(Millis(120'000));
    return boost::system::in_place_value;
  }

  // Git connects to the addresses that were looked at, and to no other.
  Result<void> guard(const Remote& remote, Settings& told) const {
    const net::AddressPolicy policy = parts_.dependencies.policy != nullptr ? *parts_.dependencies.policy : net::AddressPolicy{};
    PAWL_TRY(addresses, net::permitted_addresses(remote.host, policy));
    std::string list;
    for (const std::string& address : addresses) {
      list += list.empty() ? "" : ",";
      list += address.find(':') == std::string::npos ? address : "[" + address + "]";
    }
    told.emplace_back("http.curloptResolve", fmt::format("{}:{}:{}", remote.host, remote.port, list));
    return boost::system::in_place_value;
  }

  Result<void> add_credentials(Settings& told) const {
    const std::string password = text_or(call_.arguments, "password", text_or(call_.arguments, "token", ""));
    if (password.empty()) return boost::system::in_place_value;
    const std::string user = text_or(call_.arguments, "username", "git");
    if (user.find(':') != std::string::npos) return bad("`username` contains a colon");
    told.emplace_back("http.extraHeader", "Authorization: Basic " + to_base64(user + ":" + password));
    return boost::system::in_place_value;
  }

  void next() {
    ProcessSpec spec;
    std::vector<std::string> words = steps_[step_];
    words.insert(words.begin(), {"git", "--no-pager", "--no-replace-objects"});
    spec.command = [words = std::move(words)](const std::string&) { return words; };
    spec.environment = environment_;
    spec.working_directory = folder_;
    spec.timeout = time_;
    spec.network = is_remote(operation_) && !local_ && step_ == 0;
    spec.write_roots = !only_looks(operation_);
    const auto id =
        parts_.processes->start(std::move(spec), [self = shared_from_this()](const ProcessResult& result) { self->ended(result); });
    engine::Cancel cancel = [weak = std::weak_ptr(parts_.processes), id] {
      if (const auto alive = weak.lock()) alive->cancel(id);
    };
    bool late = false;
    {
      const std::lock_guard lock(mutex_);
      current_ = cancel;
      late = cancelled_;
    }
    if (late) cancel();
  }

  void ended(const ProcessResult& result) {
    const bool good = result.ending == ProcessResult::Ending::exited && result.code == 0;
    const bool nothing_new = operation_ == "commit" && step_ == 1 && result.ending == ProcessResult::Ending::exited && result.code == 1;
    if (!good && !nothing_new) {
      engine::Outcome outcome = to_outcome(result, "stdout", "git " + operation_, hidden());
      if (outcome.ok()) outcome = engine::Outcome::failure(engine::make_error("runtime", 500, "Git failed", "git ended unexpectedly"));
      return done_(std::move(outcome));
    }
    if (nothing_new) changed_ = false;
    if (++step_ < steps_.size()) return next();
    json::Value output = output_of(operation_, result.output);
    output.set("operation", operation_);
    output.set("repository", text_or(call_.arguments, "repo_path", "."));
    if (operation_ == "commit") output.set("committed", changed_);
    done_(engine::Outcome::success(std::move(output)));
  }

  // What must not be seen in errors: the run's secrets, and the password of this call.
  [[nodiscard]] json::Value hidden() const {
    return json::Value::array({call_.secrets, call_.arguments.get("password"), call_.arguments.get("token")});
  }

  const Parts parts_;
  const engine::Invocation call_;
  const engine::Done done_;
  const std::string operation_;
  std::vector<std::vector<std::string>> steps_;
  std::vector<std::pair<std::string, std::string>> environment_;
  std::string folder_;
  Millis time_{0};
  std::size_t step_ = 0;
  bool local_ = false;
  bool changed_ = true;
  std::mutex mutex_;
  engine::Cancel current_;
  bool cancelled_ = false;
};

class Git final : public Builtin {
 public:
  explicit Git(const Parts& parts)
      : Builtin({.name = "git",
                 .summary = "Works on a Git repository below the allowed folders; remotes over https",
                 .parameters = literal(R"json({
                   "type": "object",
                   "properties": {
                     "operation": {"type": "string", "enum": ["clone", "pull", "push", "commit", "status", "log", "diff", "checkout"]},
                     "repo_path": {"type": "string", "minLength": 1, "default": ".", "description": "the working folder; for clone the folder that is made"},
                     "remote_url": {"type": "string", "pattern": "^[^-]", "description": "for clone: https://host/path, without user and password"},
                     "branch": {"type": "string", "pattern": "^[A-Za-z0-9_][A-Za-z0-9._/-]*$"},
                     "revision": {"type": "string", "pattern": "^[A-Za-z0-9_][A-Za-z0-9._/~^-]*$", "description": "for log, diff and checkout: a commit or a range"},
                     "commit_message": {"type": "string", "minLength": 1},
                     "paths": {"type": "array", "items": {"type": "string", "pattern": "^[^-]"}, "minItems": 1, "description": "for commit, log and diff; default: all"},
                     "author": {"type": "object", "properties": {"name": {"type": "string", "minLength": 1}, "email": {"type": "string", "minLength": 1}},
                                "required": ["name", "email"], "additionalProperties": false},
                     "username": {"type": "string", "description": "for https; default git"},
                     "password": {"type": "string", "description": "for https: a password or token, from $secrets"},
                     "token": {"type": "string", "description": "the same as password"},
                     "depth": {"type": "integer", "minimum": 1, "description": "for clone: so many commits"},
                     "limit": {"type": "integer", "minimum": 1, "maximum": 10000, "default": 20, "description": "for log"},
                     "create": {"type": "boolean", "default": false, "description": "for checkout: make the branch"},
                     "force": {"type": "boolean", "default": false, "description": "for push and checkout: overwrite; needs allow_destructive"},
                     "timeout": {"description": "of each step: seconds, ISO 8601 text or a duration object; default 2 minutes"},
                     "allow_destructive": {"type": "boolean", "default": false},
                     "dry_run": {"type": "boolean", "default": false}
                   },
                   "required": ["operation"],
                   "additionalProperties": false
                 })json"),
                 .output = literal(R"json({
                   "type": "object",
                   "properties": {
                     "operation": {"type": "string"}, "repository": {"type": "string"}, "commit": {"type": "string", "description": "where HEAD is afterwards"},
                     "committed": {"type": "boolean", "description": "false: there was nothing to commit"}, "branch": {"type": "string"}, "clean": {"type": "boolean"},
                     "files": {"type": "array", "items": {"type": "object"}}, "commits": {"type": "array", "items": {"type": "object"}}, "diff": {"type": "string"}
                   }
                 })json"),
                 .examples = literal(R"json([
                   {"operation": "clone", "remote_url": "https://git.example/team/site.git", "repo_path": "site", "depth": 1},
                   {"operation": "commit", "repo_path": "site", "commit_message": "Renew the prices", "paths": ["prices.csv"]},
                   {"operation": "push", "repo_path": "site", "branch": "main", "force": true, "allow_destructive": true},
                   {"operation": "log", "repo_path": "site", "limit": 5}
                 ])json"),
                 .destructive = true,
                 .reach = {{engine::Access::Kind::host, "/remote_url", ""},
                           {engine::Access::Kind::write, "/repo_path", ""},
                           {engine::Access::Kind::host, "", "(the remote origin of the repository)"}}}),
        parts_(parts) {}

  [[nodiscard]] bool destroys(const json::Value& arguments) const override {
    const std::string operation = operation_of(arguments);
    return (operation == "push" || operation == "checkout") && flag_or(arguments, "force", false);
  }
  [[nodiscard]] engine::EffectClass effect_class(const json::Value& arguments) const override {
    const std::string operation = operation_of(arguments);
    if (only_looks(operation)) return engine::EffectClass::read;
    return operation == "clone" || operation == "commit" ? engine::EffectClass::once : engine::EffectClass::idempotent;
  }

 private:
  [[nodiscard]] static Result<void> check(const json::Value& arguments) {
    const std::string operation = operation_of(arguments);
    const auto has = [&](const char* name) { return arguments.get(name).is_string(); };
    if (operation == "clone" && !has("remote_url")) return bad("`clone` needs `remote_url`");
    if (operation == "commit" && !has("commit_message")) return bad("`commit` needs `commit_message`");
    if (operation == "checkout" && has("branch") == has("revision")) return bad("`checkout` needs either `branch` or `revision`");
    if (operation != "clone" && has("remote_url")) return bad("only `clone` takes `remote_url`: others use the repository's remote origin");
    if (text_or(arguments, "branch", "").find("..") != std::string::npos) return bad("`branch` contains `..`");
    return boost::system::in_place_value;
  }
  [[nodiscard]] Result<json::Value> describe(const engine::Invocation& call) const override {
    PAWL_TRY_VOID(check(call.arguments));
    PAWL_TRY(place, parts_.roots->find(text_or(call.arguments, "repo_path", ".")));
    json::Value step = json::Value::object({{"action", operation_of(call.arguments)}, {"repository", place.display()}});
    if (call.arguments.get("remote_url").is_string()) {
      PAWL_TRY(remote, read_remote(text_or(call.arguments, "remote_url", ""), *parts_.roots, parts_.options));
      step.set("remote", remote.url);
    }
    return json::Value::array({std::move(step)});
  }
  engine::Cancel run(engine::Invocation call, engine::Done done) override {
    if (const auto checked = check(call.arguments); checked.has_error()) {
      done(failed(checked.error()));
      return {};
    }
    auto git = std::make_shared<GitCall>(parts_, std::move(call), std::move(done));
    git->begin();
    return [git] { git->cancel(); };
  }
  Parts parts_;
};

}  // namespace

std::unique_ptr<engine::Function> make_git(const Parts& parts) { return std::make_unique<Git>(parts); }

}  // namespace pawl::functions
