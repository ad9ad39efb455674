/// A process to be run under control, and how it ended. Plain data between the functions and `ProcessRunner`.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/time.hpp"

namespace pawl::functions {

/// A file laid into the process's private folder before it starts.
struct ScratchFile {
  std::string name;
  std::string content;
};

/// What a program that is talked with is told next.
struct Said {
  std::string input{};  ///< for its standard input, after all that it was told before
  bool ends = false;    ///< nothing more will be: its standard input closes, and it has `kFarewell` to end by itself
};

struct ProcessSpec {
  /// The command line, given the path of the private folder as the process sees it. The first word is a program's path or a name looked up
  /// on `kProgramPath`.
  std::function<std::vector<std::string>(const std::string& scratch)> command;
  /// In addition to PATH, HOME, LANG and TMPDIR, which it may replace. Nothing is inherited.
  std::vector<std::pair<std::string, std::string>> environment;
  std::vector<ScratchFile> files;
  std::string working_directory;  ///< absolute, within a root; empty: the first root, or the private folder where there are no roots
  std::string input;              ///< all of standard input
  Millis timeout{0};              ///< from its start on; 0: the runner's limit
  /// When it must be over, whether it has started by then or waits for its turn: of a call that is more than this process.
  std::optional<std::chrono::steady_clock::time_point> due{};
  bool network = false;
  bool write_roots = false;
  bool see_roots = true;       ///< false: for programs that parse what a stranger has made; they get `files` and nothing else
  std::size_t max_output = 0;  ///< bytes of standard output and error each; 0: the runner's limit
  /// Where it is set the program is talked with: its standard output comes here as it is written, and is not collected (`max_output` limits
  /// all of it); `input` is what it is told first. On the runner's thread; must not block or throw. With an empty piece after a
  /// `ProcessRunner::nudge`.
  std::function<Said(std::string_view piece)> converse{};
  std::vector<std::string> programs{};  ///< folders that it sees beside the system's programs, to read and run
  /// Processes of a kind are alike until they read their standard input, so they may have been started before this call (see
  /// `ProcessStock`). Empty: started for it.
  std::string kind;
  bool reports = false;                ///< writes its exit code, one byte, to `kReportDescriptor` when all that it does is done: its end
  std::uint32_t most_at_once = 0;      ///< of those that say this, beside the runner's limit; others go before them. 0: no limit of its own
  std::uint32_t max_subprocesses = 0;  ///< itself and (but for root) threads included; 0: the runner's limit
  bool own_network = false;            ///< refused where the sandbox is none that gives it a network of its own, with nothing in it
  bool contained = true;  ///< false: no sandbox and no resource limits, for trusted command lines only (a container engine's client)
};

struct ProcessResult {
  enum class Ending : std::uint8_t {
    exited,     ///< `code` is the exit code
    signalled,  ///< `code` is the signal
    timed_out,
    cancelled,
    output_limit,   ///< standard output or error grew beyond the limit
    process_limit,  ///< more processes than allowed
    not_started,    ///< `message` says why
    refused,        ///< no sandbox works here: `message` says why
    overloaded,     ///< too many processes wait already
  };
  Ending ending = Ending::not_started;
  int code = 0;
  std::string output{};
  std::string error_output{};
  std::string message{};
};

/// Low enough for Node.js to keep it from the programs that it starts (it does so with the first 16).
inline constexpr int kReportDescriptor = 15;

/// How long a program that is talked with may take to end once it has been told everything.
inline constexpr Millis kFarewell{2000};

/// Where programs are looked up, within the sandbox as well.
inline constexpr const char* kProgramPath = "/usr/local/bin:/usr/bin:/bin";

}  // namespace pawl::functions
