/// jq's own test format: a program, an input and the outputs expected, each on a line; a blank line ends the case. `%%FAIL` begins a case
/// whose program must not compile. `#` begins a comment.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace pawl::jq {

struct CaseFailure {
  std::size_t line = 0;  ///< of the program, from 1
  std::string program;
  std::string reason;
};

struct RunReport {
  std::size_t passed = 0;
  std::size_t failed = 0;
  std::vector<CaseFailure> failures;
};

/// Runs every case of a test file. Results are compared as values, so spelling of numbers and order of members do not matter. The message
/// that a `%%FAIL` case expects is not compared.
[[nodiscard]] RunReport run_test_file(std::string_view text);

}  // namespace pawl::jq
