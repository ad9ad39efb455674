/// `ctk_runner FEATURE_FILE_OR_DIR...`: runs conformance scenarios, prints each, ends with `N passed, N failed`.
/// Exit code 0 only where every scenario passed and there was at least one.
#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <sstream>
#include <vector>

#include "gherkin.hpp"
#include "local_engine.hpp"
#include "stand_in.hpp"
#include "world.hpp"

namespace {

namespace fs = std::filesystem;
using pawl::conformance::Feature;
using pawl::conformance::Scenario;

std::vector<fs::path> feature_files(const std::vector<fs::path>& arguments) {
  std::vector<fs::path> files;
  for (const auto& argument : arguments) {
    if (!fs::is_directory(argument)) {
      files.push_back(argument);
      continue;
    }
    for (const auto& entry : fs::recursive_directory_iterator(argument)) {
      if (entry.path().extension() == ".feature") files.push_back(entry.path());
    }
  }
  std::sort(files.begin(), files.end());
  return files;
}

std::string read(const fs::path& path) {
  std::ostringstream text;
  text << std::ifstream(path, std::ios::binary).rdbuf();
  return text.str();
}

/// The first failing step's story; nothing where the scenario passed.
std::optional<std::string> run(const Scenario& scenario, pawl::conformance::LocalEngine& engine, const std::string& host) {
  pawl::conformance::World world(engine, host);
  for (const auto& step : scenario.steps) {
    if (const auto failure = world.perform(step)) return "line " + std::to_string(step.line) + ": " + step.text + "\n      " + *failure;
  }
  return std::nullopt;
}

}  // namespace

int main(int argc, char** argv) {
  const auto files = feature_files({argv + 1, argv + argc});
  if (files.empty()) {
    std::fprintf(stderr, "usage: ctk_runner FEATURE_FILE_OR_DIR...\n");
    return 2;
  }
  for (const auto& file : files) {
    if (fs::exists(file)) continue;
    std::fprintf(stderr, "ctk_runner: %s is missing: NOTHING WAS TESTED\n", file.c_str());
    return 2;
  }
  pawl::conformance::StandIn stand_in;
  pawl::conformance::LocalEngine engine(stand_in.hosts());
  int passed = 0;
  int failed = 0;
  for (const auto& file : files) {
    auto feature = pawl::conformance::parse_feature(read(file));
    if (feature.has_error()) {
      std::printf("FAIL  %s: %s\n", file.c_str(), feature.error().message.c_str());
      ++failed;
      continue;
    }
    for (const auto& scenario : feature.value().scenarios) {
      const auto failure = run(scenario, engine, stand_in.address());
      std::printf("%s  %s: %s\n", failure ? "FAIL" : "ok  ", file.filename().c_str(), scenario.name.c_str());
      if (failure) std::printf("      %s\n", failure->c_str());
      std::fflush(stdout);
      ++(failure ? failed : passed);
    }
  }
  std::printf("%d passed, %d failed\n", passed, failed);
  return failed == 0 && passed > 0 ? 0 : 1;
}
