/// For tests: the set-up of the tables over all functions of this module (`each_function.hpp`).
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>  // NOLINT(modernize-deprecated-headers): mkdtemp is POSIX
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>

#include "functions/testing/bench.hpp"
#include "functions/testing/tiff.hpp"
#include "net/address_policy.hpp"
#include "net/curl_outbound.hpp"

namespace pawl::functions {

/// Whether the browser of `web-scraper` is installed.
inline bool has_browser() { return access("/usr/lib/chromium/chromium", X_OK) == 0; }

/// Stands in for the command line of a container engine: what it is told to run in a container it runs here. An engine needs rights that
/// tests do not have; what the function itself sees to (words, time, output, cancellation) is the same with it. Each call is a line in
/// `calls`.
class StandInEngine {
 public:
  StandInEngine() {
    std::string pattern = "/tmp/pawl-engine-XXXXXX";
    folder_ = mkdtemp(pattern.data());
    std::ofstream(program()) << "#!/bin/sh\n"
                                "echo \"$@\" >>"
                             << calls_file()
                             << "\n"
                                "[ \"$1\" = run ] || exit 0\n"
                                "shift\n"
                                "while :; do\n"
                                "  case $1 in\n"
                                "    --interactive | --rm) shift ;;\n"
                                "    --*) shift 2 ;;\n"
                                "    *) break ;;\n"
                                "  esac\n"
                                "done\n"
                                "shift  # the image\n"
                                "exec \"$@\"\n";
    std::filesystem::permissions(program(), std::filesystem::perms::owner_all);
  }
  ~StandInEngine() { std::filesystem::remove_all(folder_); }
  StandInEngine(const StandInEngine&) = delete;
  StandInEngine& operator=(const StandInEngine&) = delete;

  [[nodiscard]] std::string program() const { return folder_ + "/engine"; }
  [[nodiscard]] std::string calls() const {
    std::ifstream file(calls_file());
    return {std::istreambuf_iterator<char>(file), {}};
  }

 private:
  [[nodiscard]] std::string calls_file() const { return folder_ + "/calls"; }

  std::string folder_;
};

/// All functions, over real connections, to this machine as well.
class EachBuiltin : public testing::Test {
 protected:
  explicit EachBuiltin(FunctionsOptions options = {}) : bench_(outbound_, of_tests(std::move(options), engine_), &policy_) {
    bench_.write("x.db", "");
  }

  static net::CurlOptions open_options() {
    net::CurlOptions options;
    options.policy.allow_private = true;
    return options;
  }
  static FunctionsOptions of_tests(FunctionsOptions options, const StandInEngine& engine) {
    options.warm_processes = 0;  // interpreters that wait for other calls would look as if they were left of this one
    options.container_engine = engine.program();
    return options;
  }
  /// A file of zeros that takes no place.
  void sparse(const std::string& name, std::uintmax_t size) const {
    bench_.write(name, "x");
    std::filesystem::resize_file(bench_.root() + "/" + name, size);
  }

  StandInEngine engine_;
  net::CurlOutbound outbound_{open_options()};
  net::AddressPolicy policy_{.allow_private = true};
  Bench bench_;
};

/// Documents in the bench's root that take long to look into: a grey picture of 4000 x 4000 pixels, none of which takes place on the disk
/// (`slow.tiff`), and a page with very much to read (`slow.pdf`).
inline void write_slow_documents(const Bench& bench) {
  constexpr std::uint32_t kSide = 4000;
  const auto head = grey_tiff_head(kSide, kSide);
  bench.write("slow.tiff", head);
  std::filesystem::resize_file(bench.root() + "/slow.tiff", head.size() + std::uintmax_t{kSide} * kSide);
  std::string page = "BT /F1 12 Tf 72 720 Td ";
  for (int i = 0; i < 1'000'000; ++i) page += "1 1 Td (x) Tj ";
  page += "ET";
  bench.write("slow.pdf",
              "%PDF-1.4\n1 0 obj\n<< /Type /Catalog /Pages 2 0 R >>\nendobj\n"
              "2 0 obj\n<< /Type /Pages /Kids [3 0 R] /Count 1 >>\nendobj\n"
              "3 0 obj\n<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>\n"
              "endobj\n4 0 obj\n<< /Length " +
                  std::to_string(page.size()) + " >>\nstream\n" + page +
                  "\nendstream\nendobj\n"
                  "5 0 obj\n<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica >>\nendobj\n"
                  "trailer\n<< /Size 6 /Root 1 0 R >>\n%%EOF\n");
}

}  // namespace pawl::functions
