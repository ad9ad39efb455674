/// Functions of catalogs elsewhere: `use.catalogs` of a document, with the digest of each file that is called.
///
///     use:
///       catalogs:
///         shared:
///           endpoint: https://catalog.example/tree
///           pins: {'greet:1.0.0': 'sha256:...'}      # of https://catalog.example/tree/functions/greet/1.0.0/function.yaml
///     do:
///       - hello: {call: 'greet:1.0.0@shared', with: {name: Ann}}
///
/// The digest decides, not the address: what has it is kept in the data folder and never asked for again, and what has it not is refused.
/// Files are fetched through the guard of all outbound calls, without credentials, and redirects are not followed. A file is checked as one
/// of the folder of user functions is.
///
/// Errors: `catalog.address`, `catalog.unreachable` (with what the network said), `catalog.digest`, `catalog.faulty`.
#pragma once

#include <atomic>
#include <map>
#include <mutex>
#include <string>
#include <string_view>

#include "base/error.hpp"
#include "dsl/compile.hpp"
#include "engine/function.hpp"
#include "net/outbound.hpp"

namespace pawl::functions {

class RemoteFunctions {
 public:
  /// `folder`: where files are kept, made when the first one comes; empty: only in memory.
  RemoteFunctions(net::Outbound& outbound, const engine::FunctionRegistry& registry, std::string folder)
      : outbound_(outbound), registry_(registry), folder_(std::move(folder)) {}

  /// What is here already: in memory or in the folder. Any thread.
  [[nodiscard]] Result<dsl::FunctionDefinitionPtr> kept(const dsl::FunctionCatalog::Remote& wanted);
  /// The same, else fetched. Blocks until the network has answered: never on an event loop, nor on a thread of `outbound`. At most one call
  /// waits at a time, or those who ask for slow addresses would hold all threads that may block; others are told so.
  [[nodiscard]] Result<dsl::FunctionDefinitionPtr> get(const dsl::FunctionCatalog::Remote& wanted);

 private:
  /// The text has the digest. Checks it and keeps it in memory.
  [[nodiscard]] Result<dsl::FunctionDefinitionPtr> fetch(const dsl::FunctionCatalog::Remote& wanted, const std::string& address);
  [[nodiscard]] Result<dsl::FunctionDefinitionPtr> take(const dsl::FunctionCatalog::Remote& wanted, std::string_view text);
  void keep(const std::string& sha256, std::string_view text) const;

  net::Outbound& outbound_;
  const engine::FunctionRegistry& registry_;
  std::string folder_;
  std::atomic_flag fetching_;
  std::mutex mutex_;
  std::map<std::string, dsl::FunctionDefinitionPtr, std::less<>> known_;  // guarded by mutex_
  std::size_t known_bytes_ = 0;                                           // guarded by mutex_: of their files
};

/// The registry, with functions of catalogs elsewhere fetched where they are not here: for those who check what somebody wants to save, on
/// threads that may block.
class FetchingFunctions final : public dsl::FunctionCatalog {
 public:
  FetchingFunctions(const engine::FunctionRegistry& registry, RemoteFunctions& remote) : registry_(registry), remote_(remote) {}
  [[nodiscard]] const Signature* find(std::string_view name) const override { return registry_.find(name); }
  [[nodiscard]] Reach reach(std::string_view name, const json::Value& fixed) const override { return registry_.reach(name, fixed); }
  [[nodiscard]] dsl::FunctionDefinitionPtr definition(std::string_view name, std::string_view version) const override {
    return registry_.definition(name, version);
  }
  [[nodiscard]] Result<dsl::FunctionDefinitionPtr> remote(const Remote& wanted) const override { return remote_.get(wanted); }
  [[nodiscard]] std::vector<std::string> names() const override { return registry_.names(); }

 private:
  const engine::FunctionRegistry& registry_;
  RemoteFunctions& remote_;
};

/// Where the file of a function lies: below the catalog's address as the language lays catalogs out. Pages of GitHub and GitLab stand for
/// the files behind them. Error `catalog.address`.
[[nodiscard]] Result<std::string> function_address(const dsl::FunctionCatalog::Remote& wanted);

}  // namespace pawl::functions
