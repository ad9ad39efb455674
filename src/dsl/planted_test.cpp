/// Whole documents: the specification's examples, planted mistakes (tests/planted), and damaged documents.
///
/// A planted document names its mistakes in comments: `# expect: RULE...` at the end of the line where they are to be found, or `#
/// expect-line: N RULE...` anywhere. Exactly these errors must be found.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <random>
#include <sstream>

#include "dsl/compile.hpp"
#include "dsl/describe.hpp"
#include "dsl/detail/test_catalog.hpp"

namespace pawl::dsl {
namespace {

namespace fs = std::filesystem;

std::string read_file(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

std::vector<fs::path> documents(const fs::path& folder) {
  std::vector<fs::path> found;
  for (const auto& entry : fs::directory_iterator(folder)) {
    if (entry.path().extension() == ".yaml") found.push_back(entry.path());
  }
  std::sort(found.begin(), found.end());
  return found;
}

fs::path folder_from(const char* variable, const char* below) {
  const char* base = std::getenv(variable);
  return base ? fs::path(base) / below : fs::path();
}

std::string show(const Findings& findings) {
  std::string out;
  for (const Finding& finding : findings) {
    out += std::to_string(finding.line) + ':' + std::to_string(finding.column) + ' ' + finding.rule + ": " + finding.message + '\n';
  }
  return out;
}

void add_rules(std::vector<std::string>& out, std::size_t line, std::istringstream& rules) {
  for (std::string rule; rules >> rule;) out.push_back(std::to_string(line) + ' ' + rule);
}

std::vector<std::string> expectations(const std::string& text) {
  std::vector<std::string> expected;
  std::istringstream lines(text);
  std::size_t number = 0;
  for (std::string line; std::getline(lines, line);) {
    ++number;
    if (const auto at = line.find("# expect: "); at != std::string::npos) {
      std::istringstream rules(line.substr(at + 10));
      add_rules(expected, number, rules);
    }
    if (const auto at = line.find("# expect-line: "); at != std::string::npos) {
      std::istringstream rules(line.substr(at + 15));
      std::size_t where = 0;
      rules >> where;
      add_rules(expected, where, rules);
    }
  }
  return expected;
}

TEST(PlantedMistakes, W3_S4_M1_EachIsFoundAtItsLineAndNothingElseIs) {
  const fs::path folder = folder_from("PAWL_SOURCE_DIR", "tests/planted");
  if (folder.empty() || !fs::exists(folder)) GTEST_SKIP() << "PAWL_SOURCE_DIR does not lead to tests/planted";
  const TestCatalog catalog;
  std::size_t count = 0;
  for (const fs::path& path : documents(folder)) {
    const std::string text = read_file(path);
    const auto result = compile(text, catalog);
    std::vector<std::string> found;
    for (const Finding& finding : result.findings) {
      if (finding.severity == Severity::error) found.push_back(std::to_string(finding.line) + ' ' + finding.rule);
      EXPECT_FALSE(finding.message.empty());
    }
    const std::vector<std::string> expected = expectations(text);
    EXPECT_FALSE(expected.empty()) << path;
    EXPECT_THAT(found, ::testing::UnorderedElementsAreArray(expected)) << path.filename() << '\n' << show(result.findings);
    EXPECT_FALSE(result.ok());
    EXPECT_FALSE(result.value.has_value());
    count += expected.size();
  }
  EXPECT_GE(count, 60U);
}

class Examples : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = folder_from("PAWL_SHARED_DIR", "serverless-workflow/examples");
    if (folder_.empty() || !fs::exists(folder_))
      GTEST_SKIP() << "PAWL_SHARED_DIR does not lead to serverless-workflow/examples: nothing was checked";
  }
  fs::path folder_;
  TestCatalog catalog_;
};

TEST_F(Examples, W1_AllOfTheSpecificationCompile) {
  std::size_t count = 0;
  for (const fs::path& path : documents(folder_)) {
    const auto result = compile(read_file(path), catalog_);
    EXPECT_TRUE(result.ok()) << path.filename() << '\n' << show(result.findings);
    if (result.ok()) {
      EXPECT_FALSE(graph(**result.value).get("nodes").empty());
    }
    ++count;
  }
  EXPECT_EQ(count, 34U);
}

TEST_F(Examples, W3_TruncatedAtEveryByteGiveCleanFindings) {
  for (const fs::path& path : documents(folder_)) {
    const std::string text = read_file(path);
    for (std::size_t length = 0; length < text.size(); ++length) {
      const auto result = compile(std::string_view(text).substr(0, length), catalog_);
      ASSERT_TRUE(result.ok() || !result.findings.empty()) << path << ' ' << length;
      ASSERT_EQ(result.value.has_value(), result.ok());
    }
  }
}

std::string mutate(std::string text, std::mt19937_64& random) {
  const auto below = [&](std::size_t bound) { return bound == 0 ? 0 : static_cast<std::size_t>(random() % bound); };
  const std::size_t changes = 1 + below(4);
  for (std::size_t i = 0; i < changes; ++i) {
    const std::size_t at = below(text.size());
    switch (below(7)) {
      case 0: text.insert(at, 1, static_cast<char>(below(256))); break;
      case 1: text.erase(at, 1 + below(20)); break;
      case 2: text.insert(at, text.substr(below(text.size()), below(60))); break;
      case 3: text.insert(at, 1, "{}[]:,-&*!|>'\"%@`#?\n\t $"[below(24)]); break;
      case 4:
        if (!text.empty()) text[at] = static_cast<char>(text[at] ^ static_cast<char>(1U << below(8)));
        break;
      case 5: {
        // Swaps two lines.
        const auto start = text.rfind('\n', at);
        const auto end = text.find('\n', at);
        if (start == std::string::npos || end == std::string::npos) break;
        const std::string line = text.substr(start, end - start);
        text.erase(start, end - start);
        text.insert(std::min(text.size(), below(text.size() + 1)), line);
        break;
      }
      default: text.insert(at, "${ .a | "); break;
    }
  }
  return text;
}

TEST_F(Examples, W3_S4_M1_RandomMutationsGiveCleanFindings) {
#ifdef __OPTIMIZE__
  constexpr std::size_t kRounds = 10'000;
#else
  constexpr std::size_t kRounds = 2'000;
#endif
  std::vector<std::string> texts;
  for (const fs::path& path : documents(folder_)) texts.push_back(read_file(path));
  const fs::path planted = folder_from("PAWL_SOURCE_DIR", "tests/planted");
  if (!planted.empty() && fs::exists(planted)) {
    for (const fs::path& path : documents(planted)) texts.push_back(read_file(path));
  }
  constexpr std::uint64_t kSeed = 20261122;
  std::mt19937_64 random(kSeed);
  for (std::size_t round = 0; round < kRounds; ++round) {
    const std::string text = mutate(texts[round % texts.size()], random);
    const auto result = compile(text, catalog_);
    ASSERT_TRUE(result.ok() || !result.findings.empty()) << "seed " << kSeed << " round " << round << '\n' << text;
    ASSERT_EQ(result.value.has_value(), result.ok()) << "seed " << kSeed << " round " << round;
    for (const Finding& finding : result.findings) ASSERT_FALSE(finding.rule.empty());
  }
}

}  // namespace
}  // namespace pawl::dsl
