// `archive` on real archives, good ones and hostile ones.
#include <archive.h>
#include <archive_entry.h>
#include <gmock/gmock.h>

#include "functions/testing/bench.hpp"
#include "json/write.hpp"
#include "net/scripted_outbound.hpp"

namespace pawl::functions {
namespace {

using testing::HasSubstr;

struct Planted {
  std::string name;
  std::string content{};
  unsigned type = AE_IFREG;
  std::string link{};  // symbolic, or hard where the type is a file
};

void plant(const std::string& path, const std::vector<Planted>& entries, bool zip = false) {
  archive* writer = archive_write_new();
  if (zip) {
    archive_write_set_format_zip(writer);
  } else {
    archive_write_set_format_pax_restricted(writer);
    archive_write_add_filter_gzip(writer);
  }
  ASSERT_EQ(archive_write_open_filename(writer, path.c_str()), ARCHIVE_OK);
  for (const Planted& each : entries) {
    archive_entry* entry = archive_entry_new();
    archive_entry_set_pathname(entry, each.name.c_str());
    archive_entry_set_filetype(entry, each.type);
    archive_entry_set_perm(entry, 0644);
    if (!each.link.empty() && each.type == AE_IFLNK) archive_entry_set_symlink(entry, each.link.c_str());
    if (!each.link.empty() && each.type == AE_IFREG) archive_entry_set_hardlink(entry, each.link.c_str());
    archive_entry_set_size(entry, static_cast<la_int64_t>(each.content.size()));
    archive_write_header(writer, entry);
    if (!each.content.empty()) archive_write_data(writer, each.content.data(), each.content.size());
    archive_entry_free(entry);
  }
  archive_write_free(writer);
}

class ArchiveFunction : public testing::Test {
 protected:
  std::string call(const std::string& arguments) {
    const auto outcome = bench_.call("archive", arguments);
    return json::to_text(outcome.ok() ? outcome.output : outcome.error);
  }
  net::ScriptedOutbound outbound_;
  FunctionsOptions options_ = [] {
    FunctionsOptions options;
    options.max_archive_entries = 100;
    options.max_archive_bytes = 64U << 20U;
    return options;
  }();
  Bench bench_{outbound_, options_};
};

TEST_F(ArchiveFunction, WhatIsPackedIsUnpackedInEveryFormat) {
  bench_.write("data/a.txt", "hello");
  bench_.write("data/sub/b.txt", std::string(100'000, 'b'));
  std::filesystem::create_symlink("/etc/passwd", bench_.root() + "/data/link");
  for (const std::string format : {"zip", "tar", "tar.gz", "tar.xz", "tar.zst"}) {
    const std::string archive = "out." + format;
    const std::string packed = call(R"({"operation": "create", "paths": ["data"], "archive": ")" + archive + "\"}");
    EXPECT_THAT(packed, HasSubstr(R"("count":4,"bytes":100005)")) << format;
    EXPECT_THAT(packed, HasSubstr("data/link")) << format;
    const std::string listed = call(R"({"operation": "list", "archive": ")" + archive + "\"}");
    EXPECT_THAT(listed, HasSubstr(R"("name":"data/sub/b.txt","kind":"file","size":100000)")) << format << listed;
    EXPECT_THAT(call(R"({"operation": "extract", "target": "to-)" + format + R"(", "archive": ")" + archive + "\"}"),
                HasSubstr(R"("count":2)"))
        << format;
    EXPECT_EQ(bench_.read("to-" + format + "/data/a.txt"), "hello") << format;
    EXPECT_EQ(bench_.read("to-" + format + "/data/sub/b.txt").size(), 100'000U) << format;
  }
}

TEST_F(ArchiveFunction, FilesThatExistStayUnlessReplacingIsAllowed) {
  plant(bench_.root() + "/a.zip", {{"x", "new"}, {"y", "new"}}, true);
  bench_.write("x", "old");
  const std::string extract = R"({"operation": "extract", "archive": "a.zip")";
  EXPECT_THAT(call(extract + "}"), HasSubstr("exists already"));
  EXPECT_FALSE(std::filesystem::exists(bench_.root() + "/y"));
  EXPECT_THAT(call(extract + R"(, "existing": "skip"})"), HasSubstr(R"("count":1,"skipped":1)"));
  EXPECT_EQ(bench_.read("x"), "old");
  const auto* function = bench_.registry.get("archive");
  EXPECT_FALSE(function->destroys(json::parse(extract + "}").value()));
  EXPECT_TRUE(function->destroys(json::parse(extract + R"(, "overwrite": true})").value()));
  EXPECT_THAT(call(extract + R"(, "existing": "overwrite", "allow_destructive": true})"), HasSubstr(R"("count":2)"));
  EXPECT_EQ(bench_.read("x"), "new");
  EXPECT_THAT(call(R"({"operation": "create", "archive": "a.zip", "paths": ["x"]})"), HasSubstr("exists already"));
}

TEST_F(ArchiveFunction, F3_NothingLeavesTheFolder) {
  const std::vector<std::pair<std::string, std::vector<Planted>>> hostile = {
      {"slip", {{"good", "x"}, {"../slipped", "x"}}},
      {"deep slip", {{"a/../../slipped", "x"}}},
      {"absolute", {{"/tmp/slipped", "x"}}},
      {"backslash", {{"..\\slipped", "x"}}},
      {"symbolic link", {{"link", "", AE_IFLNK, "/tmp"}, {"link/slipped", "x"}}},
      {"link inside", {{"good", "x"}, {"link", "", AE_IFLNK, "good"}}},
      {"hard link", {{"hard", "", AE_IFREG, "../../etc/passwd"}}},
      {"repository", {{"good", "x"}, {"site/.git/config", "x"}}},
      {"repository in capitals", {{".GiT/hooks/x", "x"}}},
      {"pipe", {{"pipe", "", AE_IFIFO}}},
      {"device", {{"device", "", AE_IFCHR}}},
  };
  for (const auto& [what, entries] : hostile) {
    plant(bench_.root() + "/bad.tar.gz", entries);
    EXPECT_THAT(call(R"({"operation": "extract", "archive": "bad.tar.gz", "target": "to"})"), HasSubstr("is refused")) << what;
    EXPECT_THAT(call(R"({"operation": "list", "archive": "bad.tar.gz"})"), HasSubstr(R"("refused")")) << what;
    EXPECT_FALSE(std::filesystem::exists(bench_.root() + "/to")) << what;
  }
  EXPECT_FALSE(std::filesystem::exists(bench_.root() + "/slipped"));
  EXPECT_FALSE(std::filesystem::exists("/tmp/slipped"));
}

TEST_F(ArchiveFunction, F3_LinksThatAreThereAlreadyAreNotFollowed) {
  std::filesystem::create_directory(bench_.root() + "/../outside");
  std::filesystem::create_directory(bench_.root() + "/to");
  std::filesystem::create_directory_symlink(bench_.root() + "/../outside", bench_.root() + "/to/sub");
  plant(bench_.root() + "/a.zip", {{"sub/x", "x"}}, true);
  EXPECT_THAT(call(R"({"operation": "extract", "archive": "a.zip", "target": "to", "overwrite": true})"), HasSubstr("authorization"));
  EXPECT_TRUE(std::filesystem::is_empty(bench_.root() + "/../outside"));
}

TEST_F(ArchiveFunction, F3_BombsAreRefusedBeforeTheyUnpack) {
  plant(bench_.root() + "/ratio.tar.gz", {{"zeros", std::string(20U << 20U, '\0')}});
  EXPECT_THAT(call(R"({"operation": "extract", "archive": "ratio.tar.gz", "target": "to"})"), HasSubstr("times its size"));
  plant(bench_.root() + "/ratio.zip", {{"zeros", std::string(20U << 20U, '\0')}}, true);
  EXPECT_THAT(call(R"({"operation": "extract", "archive": "ratio.zip", "target": "to"})"), HasSubstr("times its size"));
  plant(bench_.root() + "/many.tar.gz", std::vector<Planted>(101, {"same", ""}));
  EXPECT_THAT(call(R"({"operation": "extract", "archive": "many.tar.gz", "target": "to"})"), HasSubstr("more than 100 entries"));
  plant(bench_.root() + "/large.tar.gz", {{"a", "0123456789"}});
  EXPECT_THAT(call(R"({"operation": "extract", "archive": "large.tar.gz", "target": "to", "max_bytes": 5})"),
              HasSubstr("more than 5 bytes"));
  EXPECT_FALSE(std::filesystem::exists(bench_.root() + "/to"));
}

// Unfolding them would take place while the archive is opened, before anything is counted.
TEST_F(ArchiveFunction, F3_ACompressionInsideOfACompressionIsNotUnfolded) {
  for (const auto add : {archive_write_add_filter_gzip, archive_write_add_filter_xz, archive_write_add_filter_zstd}) {
    archive* writer = archive_write_new();
    archive_write_set_format_pax_restricted(writer);
    archive_write_add_filter_gzip(writer);
    add(writer);
    ASSERT_EQ(archive_write_open_filename(writer, (bench_.root() + "/nested").c_str()), ARCHIVE_OK);
    archive_entry* entry = archive_entry_new();
    archive_entry_set_pathname(entry, "inner");
    archive_entry_set_filetype(entry, AE_IFREG);
    archive_entry_set_size(entry, 0);
    archive_write_header(writer, entry);
    archive_entry_free(entry);
    archive_write_free(writer);
    EXPECT_THAT(call(R"({"operation": "list", "archive": "nested"})"), testing::Not(HasSubstr("inner")));
  }
}

TEST_F(ArchiveFunction, ItsTimeIsBoundedByTheServers) {
  FunctionsOptions options;
  options.process_timeout = Millis(0);
  Bench bench(outbound_, options);
  plant(bench.root() + "/a.tar.gz", {{"a", "x"}});
  for (const std::string operation : {"list", "extract"}) {
    const auto outcome =
        bench.call("archive", R"({"archive": "a.tar.gz", "timeout": 60, "target": "to", "operation": ")" + operation + "\"}");
    EXPECT_THAT(json::to_text(outcome.error), HasSubstr("the time for this call is up"));
  }
}

TEST_F(ArchiveFunction, WhatIsNoArchiveIsSaidSo) {
  bench_.write("a.zip", "no archive at all");
  EXPECT_THAT(call(R"({"operation": "list", "archive": "a.zip"})"), HasSubstr("a.zip"));
  EXPECT_THAT(call(R"({"operation": "create", "archive": "a.rar", "paths": ["a.zip"]})"), HasSubstr("does not tell its format"));
  EXPECT_THAT(call(R"({"operation": "list", "archive": "/etc/passwd"})"), HasSubstr("authorization"));
}

TEST_F(ArchiveFunction, ACancelEndsAPacking) {
  bench_.write("data/a", std::string(32U << 20U, 'x'));
  auto [future, cancel] =
      bench_.start("archive", bench_.invocation(R"({"operation": "create", "archive": "a.tar.xz", "paths": ["data"]})"));
  cancel();
  ASSERT_EQ(future.wait_for(std::chrono::seconds(2)), std::future_status::ready);
  EXPECT_THAT(json::to_text(future.get().error), HasSubstr("cancelled"));
  EXPECT_FALSE(std::filesystem::exists(bench_.root() + "/a.tar.xz"));
}

}  // namespace
}  // namespace pawl::functions
