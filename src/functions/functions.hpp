/// The built-in functions: everything that a workflow can do to the outside, on one registry.
///
/// | name | does |
/// | --- | --- |
/// | `noop`, `log` | nothing; writes a line into the step's log |
/// | `http`, `http-task`, `openapi`, `web-scraper` | calls services through `net::Outbound` |
/// | `run.shell`, `run.script`, `shell-command`, `run.container` | run processes, sandboxed |
/// | `file-read`, `file-write`, `file-organizer` | work on files below the roots |
/// | `csv`, `transform`, `archive`, `sql-query`, `database-backup` | data in texts, files, archives and databases |
/// | `git` | works on repositories below the roots |
/// | `slack`, `send-email`, `email-summarizer` | tell people, and read what they wrote |
/// | `s3` | keeps objects in a storage service |
/// | `pdf-extractor`, `image-processor` | look into PDFs and pictures, in the sandbox |
///
/// Each function lives in one source file; adding one is that file and its line in `add_builtin_functions`.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "base/ids.hpp"
#include "base/time.hpp"

namespace pawl::async {
class BlockingPool;
}
namespace pawl::net {
class Outbound;
struct AddressPolicy;
}  // namespace pawl::net
namespace pawl::engine {
class FunctionRegistry;
}

namespace pawl::functions {

/// What contains shell commands and scripts.
enum class SandboxMode : std::uint8_t {
  automatic,   ///< bubblewrap, else Landlock, else such calls fail with a configuration error
  bubblewrap,  ///< this or a configuration error
  landlock,    ///< this or a configuration error
  waived,      ///< none at all: commands run with the server's own rights (resource limits still hold)
};

struct FunctionsOptions {
  /// Folders that file functions and sandboxed processes may use. Relative paths are meant from the first one. Empty: file functions
  /// refuse, and processes see no files of the machine.
  std::vector<std::string> roots;
  /// Folders that they never see even below a root: the data folder.
  std::vector<std::string> hidden;

  SandboxMode sandbox = SandboxMode::automatic;
  /// `run.shell` and `run.script` may write the roots too, in runs that may destroy. Otherwise they read them, and results leave through
  /// standard output; `shell-command`, which must be allowed to be destructive, always may.
  bool scripts_may_write_roots = false;
  bool processes_may_use_network = false;

  Millis process_timeout = std::chrono::hours(1);  ///< upper limit and default of shell commands and scripts
  std::uint32_t max_running_processes = 16;        ///< more wait in order
  std::uint32_t max_waiting_processes = 10'000;    ///< beyond: the call fails at once
  std::uint32_t warm_processes = 2;                ///< interpreters of each language that wait for the next script; 0: none
  Millis warm_idle{60'000};                        ///< after the last script of a language they go
  std::uint32_t max_subprocesses = 64;             ///< of one call, itself included
  std::size_t max_process_output = 1U << 20U;      ///< bytes, of standard output and error each
  std::size_t max_process_memory = 1U << 30U;      ///< bytes of data per process
  std::size_t max_process_file = 1U << 30U;        ///< bytes per file that it writes
  std::size_t max_scratch = 256U << 20U;           ///< bytes of private /tmp (bubblewrap)

  std::size_t max_file_read = 16U << 20U;      ///< bytes per `file-read`
  std::uint32_t max_organized_files = 10'000;  ///< per `file-organizer`
  std::size_t max_response = 16U << 20U;       ///< bytes per HTTP response, decoded, and per answer of a database
  bool git_local_remotes = false;              ///< `git` takes folders below the roots as remotes, in place of https (tests)
  std::uint32_t max_archive_entries = 10'000;
  std::uint64_t max_archive_bytes = 1ULL << 30U;  ///< of all entries of an archive, unpacked
  std::uint64_t max_archive_ratio = 200;          ///< unpacked to packed; a small archive is not asked
  std::size_t max_mail = 25U << 20U;              ///< bytes per mail sent, attachments included
  std::uint64_t max_transfer = 4ULL << 30U;       ///< bytes per object that goes between a file and `s3`
  std::size_t max_document = 64U << 20U;          ///< bytes per PDF, picture or mailbox that is looked into
  std::uint64_t max_pixels = 100'000'000;         ///< per picture
  /// Command line of a container engine, for `run.container`. Empty: podman, else docker, where one of them is installed.
  std::string container_engine{};
  std::string ca_file{};  ///< PEM file of authorities that mail servers are trusted by; empty: the system's
};

/// What the functions work with; all of it outlives the registry, and is stopped before the registry is destroyed.
struct Dependencies {
  net::Outbound& outbound;
  async::BlockingPool& pool;
  Clock& clock;
  Random& random;
  const net::AddressPolicy* policy = nullptr;  ///< where databases and programs may connect to; null: the public internet
};

/// Adds every built-in function. Starts nothing: the thread that watches processes begins with the first process, and the sandbox is tried
/// out then. Error `functions.root`: a root or hidden folder does not exist or cannot be opened.
[[nodiscard]] Result<void> add_builtin_functions(engine::FunctionRegistry& registry, const Dependencies& dependencies,
                                                 const FunctionsOptions& options);

}  // namespace pawl::functions
