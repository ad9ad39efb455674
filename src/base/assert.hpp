/// Assertions for what input cannot cause. They stay on in release builds: a broken invariant ends the process, and recovery replays
/// the journal. For anything that input or the environment can cause, return a `Result` instead.
#pragma once

namespace pawl {

/// Prints the failed condition with its place on stderr and aborts.
[[noreturn]] void assertion_failed(const char* condition, const char* file, int line, const char* why);

}  // namespace pawl

#define PAWL_ASSERT(condition, why) ((condition) ? static_cast<void>(0) : ::pawl::assertion_failed(#condition, __FILE__, __LINE__, why))
