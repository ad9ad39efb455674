/// Exit codes of the command line; part of the outer contract.
#pragma once

namespace pawl::app {

inline constexpr int kOk = 0;
inline constexpr int kFailed = 1;       ///< faulted run, pending migrations, a server that could not start
inline constexpr int kUsage = 2;        ///< invalid document, configuration or command line
inline constexpr int kStopped = 3;      ///< `run`: cancelled or timed out
inline constexpr int kEvalCompile = 3;  ///< `eval`: the expression does not compile
inline constexpr int kEvalRuntime = 5;  ///< `eval`: the expression failed

}  // namespace pawl::app
