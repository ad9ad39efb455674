#include "functions/user_functions.hpp"

#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sodium/crypto_hash_sha256.h>
#include <sodium/utils.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <exception>
#include <memory>
#include <optional>
#include <set>
#include <utility>
#include <variant>

#include "dsl/compile_stored.hpp"
#include "dsl/written_function.hpp"
#include "engine/capabilities.hpp"
#include "functions/detail/fd.hpp"
#include "json/write.hpp"
#include "yaml/yaml.hpp"

namespace pawl::functions {
namespace {

using dsl::FunctionDefinition;
using dsl::FunctionDefinitionPtr;

constexpr std::size_t kMaxFunctions = 1000;
constexpr std::string_view kFile = "function.yaml";

Finding problem(std::string rule, std::string message) {
  Finding finding;
  finding.rule = std::move(rule);
  finding.message = std::move(message);
  return finding;
}

/// The three numbers of `1.2.3`; nothing else is a version here.
std::optional<std::array<unsigned, 3>> numbers_of(std::string_view text) {
  std::array<unsigned, 3> numbers{};
  const char* at = text.data();
  const char* const end = text.data() + text.size();
  for (std::size_t i = 0; i < 3; ++i) {
    if (i > 0 && (at == end || *at++ != '.')) return std::nullopt;
    const auto [next, error] = std::from_chars(at, end, numbers.at(i));
    if (error != std::errc()) return std::nullopt;
    at = next;
  }
  return at == end ? std::optional(numbers) : std::nullopt;
}

bool is_newer(const FunctionDefinition& a, const FunctionDefinition& b) {
  if (a.name != b.name) return a.name < b.name;
  return dsl::is_newer_version(a.version, b.version);
}

// ---- the folder -----------------------------------------------------------------------------------------------------------------

Fd open_folder(int parent, const std::string& name) {
  return Fd(openat(parent, name.c_str(), O_RDONLY | O_CLOEXEC | O_DIRECTORY | O_NOFOLLOW));
}

/// Sorted; without those that begin with a dot.
std::vector<std::string> names_in(const Fd& folder) {
  std::vector<std::string> names;
  Fd own(openat(folder.get(), ".", O_RDONLY | O_CLOEXEC | O_DIRECTORY));
  const std::unique_ptr<DIR, int (*)(DIR*)> listing(own ? fdopendir(own.get()) : nullptr, closedir);
  if (!listing) return names;
  static_cast<void>(own.release());
  for (const dirent* entry = readdir(listing.get()); entry != nullptr; entry = readdir(listing.get())) {
    if (entry->d_name[0] != '.') names.emplace_back(entry->d_name);
  }
  std::sort(names.begin(), names.end());
  return names;
}

/// A regular file and no link: who may write the folder decides what it holds, not what it points at.
Result<std::string> read_text(const Fd& folder) {
  const Fd fd(openat(folder.get(), kFile.data(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  struct stat status {};
  if (!fd || fstat(fd.get(), &status) != 0 || !S_ISREG(status.st_mode)) {
    return Error(ErrorClass::unavailable, "plugins.file", "The file cannot be read: it must be a plain file and no link.");
  }
  std::string text(kMaxFunctionBytes + 1, '\0');
  std::size_t length = 0;
  while (length < text.size()) {
    const ssize_t more = read(fd.get(), text.data() + length, text.size() - length);
    if (more < 0) return Error(ErrorClass::unavailable, "plugins.file", "The file cannot be read.");
    if (more == 0) break;
    length += static_cast<std::size_t>(more);
  }
  if (length > kMaxFunctionBytes) {
    return Error(ErrorClass::too_large, "plugins.file", fmt::format("The file has more than {} bytes.", kMaxFunctionBytes));
  }
  text.resize(length);
  return text;
}

struct Candidate {
  std::string file;
  std::string text;
  FunctionDefinition read;           // name and version at once; the rest once it is read
  FunctionDefinitionPtr definition;  // null: not yet
  FunctionDefinitionPtr before;      // what the registry has of this name and version; null: nothing
};

/// The files of the folder; what cannot be read is told.
class Folder {
 public:
  Folder(const std::string& path, LoadedFunctions& loaded) : loaded_(loaded) {
    const Fd top(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_DIRECTORY));
    const Fd functions = top ? open_folder(top.get(), "functions") : Fd();
    if (!functions) {
      loaded_.findings.push_back(
          {"", problem("folder", fmt::format("{} cannot be read: functions stand in {}/functions/NAME/VERSION/{}.", path, path, kFile))});
      return;
    }
    for (const auto& name : names_in(functions)) {
      const Fd versions = open_folder(functions.get(), name);
      if (!versions) {
        if (is_link(functions, name)) tell_of_link("functions/" + name);
        continue;  // a file that somebody has put there, such as a README
      }
      for (const auto& version : names_in(versions)) look_at(versions, name, version);
    }
    std::sort(found_.begin(), found_.end(), [](const Candidate& a, const Candidate& b) { return is_newer(a.read, b.read); });
  }
  [[nodiscard]] std::vector<Candidate> take() { return std::move(found_); }

 private:
  static bool is_link(const Fd& folder, const std::string& name) {
    struct stat status {};
    return fstatat(folder.get(), name.c_str(), &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISLNK(status.st_mode);
  }
  void tell_of_link(std::string what) { loaded_.findings.push_back({std::move(what), problem("file", "Links are not followed.")}); }

  void look_at(const Fd& versions, const std::string& name, const std::string& version) {
    const Fd folder = open_folder(versions.get(), version);
    if (!folder) {
      if (is_link(versions, version)) tell_of_link(fmt::format("functions/{}/{}", name, version));
      return;
    }
    struct stat status {};
    if (fstatat(folder.get(), kFile.data(), &status, AT_SYMLINK_NOFOLLOW) != 0) return;
    Candidate one;
    one.read.name = name;
    one.read.version = version;
    one.file = fmt::format("functions/{}/{}/{}", name, version, kFile);
    if (found_.size() == kMaxFunctions) {
      if (!std::exchange(full_, true)) {
        loaded_.findings.push_back({"", problem("too-many", fmt::format("More than {} functions are not read.", kMaxFunctions))});
      }
      return;
    }
    auto text = read_text(folder);
    if (text.has_value()) {
      one.text = std::move(*text);
      found_.push_back(std::move(one));
    } else {
      loaded_.findings.push_back({one.file, problem("file", text.error().message)});
    }
  }

  LoadedFunctions& loaded_;
  std::vector<Candidate> found_;
  bool full_ = false;
};

// ---- what is in it --------------------------------------------------------------------------------------------------------------

/// The program's functions and those of the folder that are sound so far.
class Candidates final : public dsl::FunctionCatalog {
 public:
  explicit Candidates(const engine::FunctionRegistry& registry) : registry_(registry) {}
  std::vector<Candidate> all;  // by name, the newest first

  [[nodiscard]] const Signature* find(std::string_view name) const override { return registry_.find(name); }
  [[nodiscard]] Reach reach(std::string_view name, const json::Value& fixed) const override { return registry_.reach(name, fixed); }
  [[nodiscard]] FunctionDefinitionPtr definition(std::string_view name, std::string_view version) const override {
    std::string wanted(name);
    std::replace(wanted.begin(), wanted.end(), '_', '-');
    for (const Candidate& one : all) {
      const auto& known = *one.definition;
      if (known.name == wanted && (version.empty() || version == "latest" || version == known.version)) return one.definition;
    }
    return nullptr;
  }
  [[nodiscard]] std::vector<std::string> names() const override {
    std::vector<std::string> names;
    for (const engine::Function* function : registry_.all()) names.push_back(function->info().name);
    for (const Candidate& one : all) names.push_back(one.definition->name);
    return names;
  }

 private:
  const engine::FunctionRegistry& registry_;
};

std::optional<Finding> first_error(Findings& findings) {
  const auto first =
      std::find_if(findings.begin(), findings.end(), [](const Finding& finding) { return finding.severity == Severity::error; });
  return first == findings.end() ? std::nullopt : std::optional(std::move(*first));
}

/// What is wrong with the name and the version.
std::optional<Finding> refuse_name(const FunctionDefinition& function, const engine::FunctionRegistry& registry) {
  static const std::set<std::string_view> kReserved = {"a2a",    "agent", "asyncapi", "call",   "container", "do",      "emit",    "for",
                                                       "fork",   "grpc",  "http",     "listen", "mcp",       "openapi", "raise",   "run",
                                                       "script", "set",   "shell",    "switch", "try",       "wait",    "workflow"};
  if (!is_function_name(function.name)) {
    return problem("invalid-name", "A function's folder is named by small letters, digits and inner dashes.");
  }
  if (kReserved.contains(function.name) || registry.find(function.name) != nullptr) {
    return problem("taken-name", fmt::format("`{}` is a function of the program.", function.name));
  }
  if (!numbers_of(function.version)) return problem("invalid-version", "The folder of a version is named as in `1.0.0`.");
  return std::nullopt;
}

/// Takes what there was before, where there was something.
bool fall_back(Candidate& one, Finding& finding) {
  if (one.before == nullptr || one.definition == one.before) return false;
  one.definition = one.before;
  one.text = json::to_text(one.definition->task);
  finding.message += " What it was before stays in use.";
  return true;
}

void read_candidate(Candidate& one, const engine::FunctionRegistry& registry, LoadedFunctions& loaded) {
  auto fault = refuse_name(one.read, registry);
  if (fault) return loaded.findings.push_back({one.file, std::move(*fault)});
  const auto written = registry.user_functions();
  for (const auto& known : *written) {
    if (known.definition->name == one.read.name && known.definition->version == one.read.version) one.before = known.definition;
  }
  auto read = read_definition(one.text);
  if (read.ok()) {
    read.value->name = one.read.name;
    read.value->version = one.read.version;
    const bool same = one.before != nullptr && one.before->sha256 == read.value->sha256;
    one.definition = same ? one.before : std::make_shared<const FunctionDefinition>(std::move(*read.value));
    return;
  }
  fault = first_error(read.findings);
  if (!fault) fault = problem("yaml-syntax", "This is not YAML.");
  static_cast<void>(fall_back(one, *fault));
  loaded.findings.push_back({one.file, std::move(*fault)});
}

engine::EffectClass effect_of(const dsl::CallTask& call, const engine::FunctionRegistry& registry) {
  if (call.effect) return *call.effect;
  const auto* called = registry.get(call.function);
  if (called == nullptr) return engine::EffectClass::once;
  try {
    return called->effect_class(dsl::written_arguments(call.arguments));
  } catch (const std::exception&) {
    return engine::EffectClass::once;
  }
}

std::vector<engine::EffectClass> effects_of(const dsl::Plan& plan, const engine::FunctionRegistry& registry) {
  std::set<engine::EffectClass> effects;
  for (const auto& task : plan.tasks) {
    if (const auto* call = std::get_if<dsl::CallTask>(&task.body)) effects.insert(effect_of(*call, registry));
    if (std::holds_alternative<dsl::AgentTask>(task.body)) effects.insert(engine::EffectClass::once);
  }
  if (effects.empty()) effects.insert(engine::EffectClass::pure);
  return {effects.begin(), effects.end()};
}

engine::UserFunction describe(FunctionDefinitionPtr definition, const dsl::Plan& plan, const engine::FunctionRegistry& registry) {
  const json::Value& task = definition->task;
  const auto schema = [&](std::string_view side) {
    const json::Value& document = task.get(side).get("schema").get("document");
    return document.is_object() ? document : json::Value::object();
  };
  engine::UserFunction function;
  const json::Value& metadata = task.get("metadata");
  if (metadata.get("summary").is_string()) function.summary = metadata.get("summary").as_string();
  function.parameters = schema("input");
  function.output = schema("output");
  function.examples = metadata.get("examples").is_array() ? metadata.get("examples") : json::Value::array();
  const auto capabilities = engine::capabilities_of(plan, registry);
  function.destructive = !capabilities.of(engine::Capabilities::Kind::destructive).empty();
  function.permissions = engine::to_json(capabilities);
  for (const auto& need : capabilities.of(engine::Capabilities::Kind::need)) function.needs.push_back(need.name);
  function.effects = effects_of(plan, registry);
  function.definition = std::move(definition);
  return function;
}

/// Compiles each; false where one was left out or has become what it was before, so that those that call it must be looked at again.
bool check_all(Candidates& candidates, const engine::FunctionRegistry& registry, LoadedFunctions& loaded) {
  loaded.functions.clear();
  bool sound = true;
  for (std::size_t i = 0; i < candidates.all.size();) {
    Candidate& one = candidates.all[i];
    auto checked = dsl::compile_function(one.text, one.read.name + ':' + one.read.version, candidates);
    if (checked.ok()) {
      loaded.functions.push_back(describe(one.definition, **checked.value, registry));
      ++i;
      continue;
    }
    sound = false;
    bool stays = false;
    const auto earlier = dsl::compile_function(one.text, one.read.name + ':' + one.read.version, candidates, dsl::Source::stored);
    for (Finding& finding : checked.findings) {
      if (finding.severity != Severity::error) continue;
      if (!stays) stays = fall_back(one, finding);
      if (!stays && earlier.ok()) finding.message += " Earlier releases let this pass; the function is left out until it is mended.";
      loaded.findings.push_back({one.file, std::move(finding)});
    }
    if (!stays) candidates.all.erase(candidates.all.begin() + static_cast<std::ptrdiff_t>(i));
  }
  return sound;
}

}  // namespace

bool is_function_name(std::string_view text) {
  const auto good = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-'; };
  return !text.empty() && text.size() <= 63 && text.front() >= 'a' && text.front() <= 'z' && text.back() != '-' &&
         std::all_of(text.begin(), text.end(), good);
}

std::string sha256_of(std::string_view text) {
  std::array<unsigned char, crypto_hash_sha256_BYTES> digest{};
  crypto_hash_sha256(digest.data(), reinterpret_cast<const unsigned char*>(text.data()), text.size());
  std::array<char, 2 * crypto_hash_sha256_BYTES + 1> digits{};
  sodium_bin2hex(digits.data(), digits.size(), digest.data(), digest.size());
  return digits.data();
}

Checked<FunctionDefinition> read_definition(std::string_view text) {
  yaml::Limits limits;
  limits.max_bytes = kMaxFunctionBytes;
  auto parsed = yaml::parse(text, limits);
  if (!parsed.ok()) return {std::nullopt, std::move(parsed.findings)};
  if (!parsed.value->value.is_object()) {
    return {std::nullopt, {problem("wrong-type", "A function is a task: an object such as `set: ...` or `call: ...`.")}};
  }
  FunctionDefinition definition;
  definition.sha256 = sha256_of(text);
  definition.task = std::move(parsed.value->value);
  return {std::move(definition), {}};
}

LoadedFunctions load_user_functions(const std::string& folder, const engine::FunctionRegistry& registry) {
  LoadedFunctions loaded;
  if (folder.empty()) return loaded;
  Candidates candidates(registry);
  for (Candidate& one : Folder(folder, loaded).take()) {
    read_candidate(one, registry, loaded);
    if (one.definition != nullptr) candidates.all.push_back(std::move(one));
  }
  while (!check_all(candidates, registry, loaded)) {
  }
  return loaded;
}

std::string user_function_page(const engine::UserFunction& function) {
  std::string effects;
  for (const auto effect : function.effects) {
    constexpr std::array<std::string_view, 4> kNames = {"pure", "read", "idempotent", "once"};
    effects += (effects.empty() ? "" : ", ") + std::string(kNames.at(static_cast<std::size_t>(effect)));
  }
  json::WriteOptions style;
  style.indent = 2;
  return fmt::format(
      "# {}\n\n{}\n\n- version: {}\n- sha256: {}\n- effect: {}\n- destructive: {}\n- needs: {}\n\n## May reach\n\n```json\n{}\n```\n\n## "
      "Parameters\n\n"
      "```json\n{}\n```\n\n## Output\n\n```json\n{}\n```\n",
      function.definition->name, function.summary, function.definition->version, function.definition->sha256, effects,
      function.destructive ? "yes" : "no", function.needs.empty() ? "nothing" : fmt::format("{}", fmt::join(function.needs, ", ")),
      json::to_text(function.permissions, style), json::to_text(function.parameters, style), json::to_text(function.output, style));
}

}  // namespace pawl::functions
