/// jq's own test files, where they are at hand.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
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

// What fails and why: docs/jq.md has the same list.
constexpr std::string_view kKnownFailures[] = {
    // Modules.
    "jq.test:1068", "jq.test:1072", "jq.test:1076", "jq.test:1080", "jq.test:1084", "jq.test:1088", "jq.test:1122", "jq.test:1126",
    // Expect that integers lose digits, as doubles do.
    "jq.test:1245", "jq.test:1249", "jq.test:1253", "jq.test:1257", "jq.test:1261", "jq.test:1265", "man.test:13",
    // The environment.
    "man.test:416"};

TEST(JqConformance, PassesAllOfJqsOwnCasesButTheDocumentedOnes) {
  const char* shared = std::getenv("PAWL_SHARED_DIR");
  const std::filesystem::path folder = std::filesystem::path(shared ? shared : "") / "jq-tests";
  if (!shared || !std::filesystem::is_directory(folder)) GTEST_SKIP() << "PAWL_SHARED_DIR/jq-tests is not there: NOT CHECKED";
  std::size_t passed = 0;
  std::size_t failed = 0;
  std::vector<std::string> failures;
  for (const auto* name : {"jq.test", "man.test", "onig.test", "base64.test", "uri.test"}) {
    const RunReport report = run_test_file(read_file(folder / name));
    passed += report.passed;
    failed += report.failed;
    for (const auto& failure : report.failures) {
      failures.push_back(std::string(name) + ":" + std::to_string(failure.line));
      const bool known = std::find(std::begin(kKnownFailures), std::end(kKnownFailures), failures.back()) != std::end(kKnownFailures);
      EXPECT_TRUE(known) << failures.back() << ": " << failure.program << "\n    " << failure.reason;
    }
  }
  EXPECT_THAT(failures, testing::UnorderedElementsAreArray(kKnownFailures));
  EXPECT_GE(static_cast<double>(passed), 0.95 * static_cast<double>(passed + failed));
}

TEST(JqTestCases, ReportWhatFailsWithItsLine) {
  const RunReport report = run_test_file(
      "# comment\n.a\n{\"a\":1}\n1\n\n.a\n{\"a\":1}\n2\n\n%%FAIL\n}\nany message\n\n%%FAIL IGNORE "
      "MSG\n.\n\n1,2\nnull\n1\n\n1\nnull\n1\n2\n");
  EXPECT_EQ(report.passed, 2U);
  EXPECT_EQ(report.failed, 4U);
  ASSERT_EQ(report.failures.size(), 4U);
  EXPECT_EQ(report.failures[0].line, 6U);
  EXPECT_EQ(report.failures[0].reason, "expected 2, but got 1");
  EXPECT_EQ(report.failures[1].reason, "compiles, though it must not");
  EXPECT_EQ(report.failures[2].reason, "unexpected result 2");
}

}  // namespace
}  // namespace pawl::jq
