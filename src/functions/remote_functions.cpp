#include "functions/remote_functions.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <filesystem>
#include <future>
#include <iterator>
#include <memory>
#include <optional>
#include <utility>

#include "functions/detail/fd.hpp"
#include "functions/user_functions.hpp"

namespace pawl::functions {
namespace {

using Remote = dsl::FunctionCatalog::Remote;

constexpr std::chrono::milliseconds kPatience{5'000};
constexpr std::size_t kMaxKnownBytes = 8U << 20U;  // as data a file takes many times that
constexpr std::ptrdiff_t kMaxKept = 2000;          // files: what is beyond is fetched again

bool is_version(std::string_view text) {
  const auto good = [](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '.' || c == '-';
  };
  return !text.empty() && text.size() <= 60 && text.front() != '.' && std::all_of(text.begin(), text.end(), good);
}

bool is_digest(std::string_view text) {
  const auto good = [](char c) { return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f'); };
  return text.size() == 64 && std::all_of(text.begin(), text.end(), good);
}

Error bad_address(std::string message) { return {ErrorClass::invalid, "catalog.address", std::move(message)}; }

/// `https://github.com/OWNER/NAME[/tree/BRANCH[/FOLDER]]` and `https://gitlab.com/GROUP/NAME/-/tree/BRANCH[/FOLDER]` are pages about files.
std::string raw_address(std::string_view address) {
  constexpr std::string_view kGitHub = "https://github.com/";
  constexpr std::string_view kGitLab = "https://gitlab.com/";
  constexpr std::string_view kTree = "/-/tree/";
  if (address.starts_with(kGitLab)) {
    const auto tree = address.find(kTree);
    if (tree == std::string_view::npos) return fmt::format("{}/-/raw/HEAD", address);
    return fmt::format("{}/-/raw/{}", address.substr(0, tree), address.substr(tree + kTree.size()));
  }
  if (!address.starts_with(kGitHub)) return std::string(address);
  const auto path = address.substr(kGitHub.size());
  const auto owner = path.find('/');
  if (owner == std::string_view::npos) return std::string(address);
  const auto name = path.find('/', owner + 1);
  const auto rest = name == std::string_view::npos ? std::string_view() : path.substr(name);
  const auto branch = rest.starts_with("/tree/") ? fmt::format("refs/heads/{}", rest.substr(6)) : std::string("HEAD");
  return fmt::format("https://raw.githubusercontent.com/{}/{}", path.substr(0, name), branch);
}

std::string shown(const Remote& wanted) { return fmt::format("{}:{}@{}", wanted.name, wanted.version, wanted.catalog); }

std::optional<std::string> read_file(const std::string& path) {
  const Fd fd(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  if (!fd) return std::nullopt;
  std::string text(kMaxFunctionBytes + 1, '\0');
  std::size_t length = 0;
  while (length < text.size()) {
    const ssize_t more = read(fd.get(), text.data() + length, text.size() - length);
    if (more < 0) return std::nullopt;
    if (more == 0) break;
    length += static_cast<std::size_t>(more);
  }
  text.resize(length);
  return text;
}

}  // namespace

Result<std::string> function_address(const Remote& wanted) {
  if (!is_function_name(wanted.name)) return bad_address("The name of a function consists of small letters, digits and inner dashes.");
  if (!is_version(wanted.version)) return bad_address("The version of a function is written as in `1.0.0`.");
  std::string_view address = wanted.catalog;
  while (address.ends_with('/')) address.remove_suffix(1);
  const auto scheme = address.find("://");
  if (scheme == std::string_view::npos || (address.substr(0, scheme) != "https" && address.substr(0, scheme) != "http")) {
    return bad_address("The address of a catalog begins with `https://` or `http://`.");
  }
  const auto rest = address.substr(scheme + 3);
  if (rest.find_first_of("?#@") != std::string_view::npos) {
    return bad_address("The address of a catalog has neither credentials nor a query.");
  }
  return fmt::format("{}/functions/{}/{}/function.yaml", raw_address(address), wanted.name, wanted.version);
}

Result<dsl::FunctionDefinitionPtr> RemoteFunctions::take(const Remote& wanted, std::string_view text) {
  const auto fault = [](const Findings& findings) {
    const auto first =
        std::find_if(findings.begin(), findings.end(), [](const Finding& finding) { return finding.severity == Severity::error; });
    return first == findings.end() ? Error(ErrorClass::unprocessable, "catalog.faulty", "The function has a fault.")
                                   : Error(ErrorClass::unprocessable, "catalog.faulty",
                                           fmt::format("The function has a fault in line {}: {}", first->line, first->message));
  };
  auto read = read_definition(text);
  if (!read.ok()) return fault(read.findings);
  read.value->name = wanted.name;
  read.value->version = wanted.version;
  read.value->catalog = wanted.catalog;
  const auto checked = dsl::compile_function(text, shown(wanted), registry_);
  if (!checked.ok()) return fault(checked.findings);
  auto definition = std::make_shared<const dsl::FunctionDefinition>(std::move(*read.value));
  const std::lock_guard lock(mutex_);
  if (known_bytes_ + text.size() > kMaxKnownBytes) {
    known_.clear();
    known_bytes_ = 0;
  }
  known_bytes_ += text.size();
  known_[shown(wanted) + ' ' + wanted.sha256] = definition;
  return dsl::FunctionDefinitionPtr(std::move(definition));
}

Result<dsl::FunctionDefinitionPtr> RemoteFunctions::kept(const Remote& wanted) {
  PAWL_TRY(address, function_address(wanted));
  {
    const std::lock_guard lock(mutex_);
    if (const auto known = known_.find(shown(wanted) + ' ' + wanted.sha256); known != known_.end()) return known->second;
  }
  if (!folder_.empty() && is_digest(wanted.sha256)) {
    // What somebody has changed there is not what was kept: it counts as missing.
    const auto text = read_file(fmt::format("{}/{}.yaml", folder_, wanted.sha256));
    if (text && sha256_of(*text) == wanted.sha256) return take(wanted, *text);
  }
  return Error(ErrorClass::unavailable, "catalog.unreachable", fmt::format("{} was not fetched yet.", address));
}

/// Whole or not at all: a name of its own first, whatever ends the process. What cannot be kept is fetched again.
void RemoteFunctions::keep(const std::string& sha256, std::string_view text) const {
  if (folder_.empty()) return;
  static std::atomic<unsigned> count{0};
  std::error_code failed;
  std::filesystem::create_directories(folder_, failed);
  const std::filesystem::directory_iterator files(folder_, failed);
  if (failed || std::distance(begin(files), end(files)) >= kMaxKept) return;
  const auto own = fmt::format("{}/.{}.{}.{}", folder_, sha256, getpid(), count.fetch_add(1));
  const Fd fd(open(own.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600));
  if (!fd) return;
  const bool whole = write(fd.get(), text.data(), text.size()) == static_cast<ssize_t>(text.size()) && fsync(fd.get()) == 0;
  if (!whole || rename(own.c_str(), fmt::format("{}/{}.yaml", folder_, sha256).c_str()) != 0) unlink(own.c_str());
}

Result<dsl::FunctionDefinitionPtr> RemoteFunctions::get(const Remote& wanted) {
  PAWL_TRY(address, function_address(wanted));
  if (auto here = kept(wanted); here.has_value() || here.error().code != "catalog.unreachable") return here;
  if (fetching_.test_and_set()) {
    return Error(ErrorClass::unavailable, "catalog.unreachable", fmt::format("{} was not fetched: another one is; try again.", address));
  }
  auto fetched = fetch(wanted, address);
  fetching_.clear();
  return fetched;
}

Result<dsl::FunctionDefinitionPtr> RemoteFunctions::fetch(const Remote& wanted, const std::string& address) {
  net::OutboundRequest request;
  request.url = address;
  request.timeout = kPatience;
  request.follow_redirects = false;
  request.max_response_bytes = kMaxFunctionBytes;
  const auto answer = std::make_shared<std::promise<Result<net::OutboundResponse>>>();
  auto waiting = answer->get_future();
  outbound_.start(std::move(request), [answer](Result<net::OutboundResponse> response) { answer->set_value(std::move(response)); });
  const auto response = waiting.get();
  if (response.has_error()) {
    return Error(response.error().kind, "catalog.unreachable", fmt::format("{} was not fetched: {}", address, response.error().message));
  }
  if (response->status != 200) {
    const bool elsewhere = response->status >= 300 && response->status < 400;
    return Error(ErrorClass::unavailable, "catalog.unreachable",
                 fmt::format("{} answered {}{}.", address, response->status,
                             elsewhere ? "; redirects are not followed, so the catalog's address must be that of the files" : ""));
  }
  if (const auto digest = sha256_of(response->body); digest != wanted.sha256) {
    return Error(ErrorClass::denied, "catalog.digest",
                 fmt::format("The file at {} is not the one that was pinned: its digest is sha256:{}, pinned is sha256:{}.", address,
                             digest, wanted.sha256));
  }
  auto definition = take(wanted, response->body);
  if (definition.has_value()) keep(wanted.sha256, response->body);
  return definition;
}

}  // namespace pawl::functions
