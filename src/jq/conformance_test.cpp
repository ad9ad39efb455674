/// jq's own test files, where they are at hand.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "jq/test_cases.hpp"

namespace pawl::jq {
namespace {

std::string read_file(const std::filesystem::path& path) {
  const std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

TEST(JqConformance, PassesNinetyFivePercentOfJqsOwnCases) {
  const char* shared = std::getenv("PAWL_SHARED_DIR");
  const std::filesystem::path folder = std::filesystem::path(shared ? shared : "") / "jq-tests";
  if (!shared || !std::filesystem::is_directory(folder)) GTEST_SKIP() << "PAWL_SHARED_DIR/jq-tests is not there: NOT CHECKED";
  std::size_t passed = 0;
  std::size_t failed = 0;
  for (const auto* name : {"jq.test", "man.test", "onig.test", "base64.test", "uri.test"}) {
    const RunReport report = run_test_file(read_file(folder / name));
    passed += report.passed;
    failed += report.failed;
    for (const auto& failure : report.failures) {
      std::cout << name << ':' << failure.line << ": " << failure.program << "\n    " << failure.reason << '\n';
    }
  }
  std::cout << passed << " passed, " << failed << " failed\n";
  EXPECT_GE(static_cast<double>(passed), 0.95 * static_cast<double>(passed + failed));
}

}  // namespace
}  // namespace pawl::jq
