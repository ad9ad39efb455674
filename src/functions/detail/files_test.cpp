#include <fcntl.h>
#include <gmock/gmock.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <fstream>
#include <thread>

#include "base/utf8.hpp"
#include "functions/detail/contained_path.hpp"
#include "functions/detail/csv.hpp"
#include "functions/detail/encoding.hpp"
#include "functions/detail/file_io.hpp"
#include "functions/detail/organizer.hpp"
#include "functions/detail/remove_tree.hpp"
#include "json/parse.hpp"
#include "json/write.hpp"

namespace pawl::functions {
namespace {

using testing::ElementsAre;
namespace fs = std::filesystem;

const std::atomic<bool> kNever{false};

class Files : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = "/tmp/pawl-test-XXXXXX";
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    folder_ = pattern;
    fs::create_directories(folder_ + "/root/data");
    fs::create_directories(folder_ + "/outside");
    write(folder_ + "/outside/secret", "secret");
    write(root() + "/data/key", "hidden");
    auto roots = Roots::open({root()}, {root() + "/data"});
    ASSERT_TRUE(roots.has_value()) << roots.error().message;
    roots_ = std::move(roots).value();
  }
  void TearDown() override { remove_tree(folder_); }

  [[nodiscard]] std::string root() const { return folder_ + "/root"; }
  static void write(const std::string& path, const std::string& text) {
    fs::create_directories(fs::path(path).parent_path());
    std::ofstream(path) << text;
  }
  static std::string read(const std::string& path) {
    std::ifstream file(path);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  [[nodiscard]] Place place(const std::string& path) const { return roots_->find(path).value(); }
  [[nodiscard]] std::vector<std::string> tree() const {
    std::vector<std::string> paths;
    for (const auto& entry : fs::recursive_directory_iterator(root())) {
      const std::string path = entry.path().lexically_relative(root()).string();
      if ((entry.is_symlink() || entry.is_regular_file()) && !path.starts_with("data/") && !path.starts_with("inbox/.pawl-undo"))
        paths.push_back(path);
    }
    std::sort(paths.begin(), paths.end());
    return paths;
  }

  std::string folder_;
  std::shared_ptr<const Roots> roots_;
};

// proves: AI-C10
TEST_F(Files, C10PathsStayBelowTheRoots) {
  for (const std::string& path :
       {std::string("../outside/secret"), std::string("a/../../outside/secret"), folder_ + "/outside/secret", root() + "/../outside/secret",
        root() + "x/secret", std::string("/etc/passwd"), std::string(""), std::string("a\0b", 3)}) {
    EXPECT_TRUE(roots_->find(path).has_error()) << path;
  }
  EXPECT_EQ(place("./a//b/./c").relative, "a/b/c");
  EXPECT_EQ(place(root()).relative, ".");
  EXPECT_EQ(place(root() + "/a").display(), root() + "/a");
}

// proves: AI-C10
TEST_F(Files, C10SymbolicLinksAreNotFollowed) {
  ASSERT_EQ(symlink("../outside", (root() + "/folder_link").c_str()), 0);
  ASSERT_EQ(symlink("../outside/secret", (root() + "/file_link").c_str()), 0);
  write(root() + "/plain", "x");
  ASSERT_EQ(symlink("plain", (root() + "/inner_link").c_str()), 0);
  for (const char* path : {"folder_link/secret", "file_link", "inner_link", "folder_link"}) {
    const auto opened = open_place(place(path), O_RDONLY);
    ASSERT_TRUE(opened.has_error()) << path;
    EXPECT_EQ(opened.error().code, "file.outside") << path;
    EXPECT_TRUE(walk_below(roots_->handle(0), path, O_RDONLY, 0).has_error()) << path;
    EXPECT_TRUE(walk_below(roots_->handle(0), path, O_PATH, 0).has_error()) << path;
  }
  EXPECT_TRUE(write_whole(place("file_link"), "x", WriteMode::overwrite).has_error());
  EXPECT_TRUE(write_whole(place("file_link"), "x", WriteMode::append).has_error());
  EXPECT_TRUE(write_whole(place("folder_link/new"), "x", WriteMode::create).has_error());
  EXPECT_EQ(read(folder_ + "/outside/secret"), "secret");
  EXPECT_TRUE(walk_below(roots_->handle(0), "plain", O_RDONLY, 0).has_value());
  EXPECT_TRUE(walk_below(roots_->handle(0), "../outside/secret", O_RDONLY, 0).has_error());
}

TEST_F(Files, TheDataFolderIsHidden) {
  EXPECT_EQ(read_whole(place("data/key"), 1000).error().code, "file.outside");
  EXPECT_EQ(write_whole(place("data/key"), "x", WriteMode::overwrite).error().code, "file.outside");
  EXPECT_EQ(write_whole(place("data/sub/new"), "x", WriteMode::create).error().code, "file.outside");
  EXPECT_EQ(read(root() + "/data/key"), "hidden");
}

// A folder is swapped for a link again and again while files in it are opened: never may the secret come out.
// proves: AI-C10
TEST_F(Files, C10NoRaceLeadsOutside) {
  write(root() + "/real/secret", "harmless");
  ASSERT_EQ(symlink("../outside", (root() + "/link").c_str()), 0);
  fs::create_directory_symlink("../outside", root() + "/swap_link");
  std::atomic<bool> stop{false};
  std::thread swapper([&] {
    const std::string real = root() + "/real";
    const std::string link = root() + "/swap_link";
    while (!stop) syscall(SYS_renameat2, AT_FDCWD, real.c_str(), AT_FDCWD, link.c_str(), 2U /* RENAME_EXCHANGE */);
  });
  for (int i = 0; i < 3000; ++i) {
    for (const bool walk : {false, true}) {
      const auto opened = walk ? walk_below(roots_->handle(0), "real/secret", O_RDONLY, 0) : open_place(place("real/secret"), O_RDONLY);
      if (opened.has_error()) continue;
      std::array<char, 32> text{};
      const ssize_t length = ::read(opened->get(), text.data(), text.size());
      ASSERT_EQ(std::string(text.data(), static_cast<std::size_t>(length)), "harmless");
    }
  }
  stop = true;
  swapper.join();
}

TEST_F(Files, WritesInThreeModes) {
  const auto created = write_whole(place("new/sub/file"), "one\n", WriteMode::create);
  ASSERT_TRUE(created.has_value()) << created.error().message;
  EXPECT_TRUE(created->created);
  EXPECT_EQ(write_whole(place("new/sub/file"), "x", WriteMode::create).error().code, "file.exists");
  EXPECT_EQ(write_whole(place("new/sub/file"), "two\n", WriteMode::append)->size, 8U);
  EXPECT_EQ(read(root() + "/new/sub/file"), "one\ntwo\n");
  fs::permissions(root() + "/new/sub/file", fs::perms::owner_read | fs::perms::owner_write);
  EXPECT_FALSE(write_whole(place("new/sub/file"), "three", WriteMode::overwrite)->created);
  EXPECT_EQ(read(root() + "/new/sub/file"), "three");
  EXPECT_EQ(fs::status(root() + "/new/sub/file").permissions(), fs::perms::owner_read | fs::perms::owner_write);
  EXPECT_THAT(tree(), ElementsAre("new/sub/file"));
}

TEST_F(Files, ReadsOnlyRegularFilesUpToALimit) {
  write(root() + "/big", std::string(1000, 'x'));
  EXPECT_EQ(read_whole(place("big"), 1000)->bytes.size(), 1000U);
  EXPECT_EQ(read_whole(place("big"), 999).error().code, "file.too_large");
  EXPECT_EQ(read_whole(place("missing"), 999).error().code, "file.not_found");
  EXPECT_EQ(read_whole(place("."), 999).error().code, "file.not_regular");
  ASSERT_EQ(mkfifo((root() + "/pipe").c_str(), 0600), 0);
  EXPECT_EQ(read_whole(place("pipe"), 999).error().code, "file.not_regular");  // and does not wait for a writer
}

TEST_F(Files, OrganizerSortsByTypeAndCanBeTakenBack) {
  write(root() + "/inbox/a.JPG", "image");
  write(root() + "/inbox/b.pdf", "document");
  write(root() + "/inbox/copy of b.pdf", "document");
  write(root() + "/inbox/odd", "x");
  write(root() + "/inbox/images/a.JPG", "another");
  write(root() + "/inbox/.hidden", "x");
  ASSERT_EQ(symlink("../../outside/secret", (root() + "/inbox/link.pdf").c_str()), 0);
  const auto before = tree();
  OrganizeOptions options;
  options.categories = default_categories();
  options.key = "run-1";
  const auto planned = plan_moves(place("inbox"), options, kNever);
  ASSERT_TRUE(planned.has_value()) << planned.error().message;
  EXPECT_EQ(planned->size(), 4U);
  EXPECT_EQ(tree(), before);

  const auto organized = organize(place("inbox"), options, kNever);
  ASSERT_TRUE(organized.has_value()) << organized.error().message;
  EXPECT_THAT(tree(), ElementsAre("inbox/.hidden", "inbox/documents/b.pdf", "inbox/duplicates/copy of b.pdf", "inbox/images/a.JPG",
                                  "inbox/images/a_1.JPG", "inbox/link.pdf", "inbox/others/odd"));
  // The same key again: nothing moves, the answer is the same.
  const auto again = organize(place("inbox"), options, kNever);
  EXPECT_EQ(again->moves.size(), 4U);
  EXPECT_EQ(again->manifest, organized->manifest);

  const auto back = undo(place(organized->manifest), false, kNever);
  ASSERT_TRUE(back.has_value()) << back.error().message;
  EXPECT_EQ(back->size(), 4U);
  EXPECT_EQ(tree(), before);
  EXPECT_FALSE(fs::exists(root() + "/inbox/documents"));
  EXPECT_FALSE(fs::exists(root() + "/inbox/.pawl-undo"));
}

TEST_F(Files, UndoNeverReplacesAFile) {
  write(root() + "/inbox/b.pdf", "old");
  OrganizeOptions options;
  options.categories = default_categories();
  options.key = "k";
  const auto organized = organize(place("inbox"), options, kNever);
  write(root() + "/inbox/b.pdf", "new");
  const auto back = undo(place(organized->manifest), false, kNever);
  ASSERT_EQ(back->size(), 1U);
  EXPECT_NE(back->front().problem, "");
  EXPECT_EQ(read(root() + "/inbox/b.pdf"), "new");
  EXPECT_EQ(read(root() + "/inbox/documents/b.pdf"), "old");
}

TEST_F(Files, UndoTrustsNoManifest) {
  write(root() + "/inbox/.pawl-undo/x.jsonl", "{\"from\":\"../../outside/stolen\",\"to\":\"b\"}\n");
  write(root() + "/inbox/b", "x");
  const auto back = undo(place("inbox/.pawl-undo/x.jsonl"), false, kNever);
  EXPECT_TRUE(back.has_error() || back->front().problem != "");
  EXPECT_FALSE(fs::exists(folder_ + "/outside/stolen"));
  write(root() + "/elsewhere.jsonl", "");
  EXPECT_EQ(undo(place("elsewhere.jsonl"), false, kNever).error().code, "file.manifest");
  write(root() + "/inbox/.pawl-undo/y.jsonl", "nonsense\n");
  EXPECT_EQ(undo(place("inbox/.pawl-undo/y.jsonl"), false, kNever).error().code, "file.manifest");
}

TEST_F(Files, OrganizerSortsByDateAndSizeInTheDepth) {
  write(root() + "/inbox/x/y/z.txt", "1");
  const timespec time{1'600'000'000, 0};
  const std::array<timespec, 2> times = {time, time};
  ASSERT_EQ(utimensat(AT_FDCWD, (root() + "/inbox/x/y/z.txt").c_str(), times.data(), 0), 0);
  OrganizeOptions options;
  options.by = OrganizeOptions::By::date;
  options.recursive = true;
  options.key = "k";
  EXPECT_EQ(plan_moves(place("inbox"), options, kNever)->front().to, "2020-09/z.txt");
  options.by = OrganizeOptions::By::size;
  EXPECT_EQ(plan_moves(place("inbox"), options, kNever)->front().to, "small/z.txt");
  options.max_files = 0;
  EXPECT_EQ(plan_moves(place("inbox"), options, kNever).error().code, "file.too_many");
}

TEST_F(Files, OrganizerStopsWhenCancelled) {
  write(root() + "/inbox/a.pdf", "1");
  const std::atomic<bool> cancelled{true};
  OrganizeOptions options;
  options.key = "k";
  EXPECT_EQ(plan_moves(place("inbox"), options, cancelled).error().code, "file.cancelled");
}

TEST(Csv, ReadsWhatItWrites) {
  const auto rows = json::parse(R"([{"a":"x, y","b":1},{"a":"q\"\nz","c":true},{"b":[1]}])");
  const auto text = write_csv(*rows);
  EXPECT_EQ(*text, "a,b,c\r\n\"x, y\",1,\r\n\"q\"\"\nz\",,true\r\n,[1],\r\n");
  EXPECT_EQ(json::to_text(*parse_csv(*text)),
            R"([{"a":"x, y","b":"1","c":""},{"a":"q\"\nz","b":"","c":"true"},{"a":"","b":"[1]","c":""}])");
}

TEST(Csv, DefusesFormulas) { EXPECT_EQ(*write_csv(*json::parse(R"([["=1+1","-2",-2]])")), "'=1+1,'-2,-2\r\n"); }

TEST(Csv, NamesTheLineAtFault) {
  EXPECT_NE(parse_csv("a,b\n1,2\n3\n").error().message.find("line 3"), std::string::npos);
  EXPECT_TRUE(parse_csv("a\n\"x").has_error());
  EXPECT_TRUE(parse_csv("a\n\"x\"y\n").has_error());
  EXPECT_TRUE(write_csv(json::Value(1)).has_error());
}

TEST(Encoding, KeepsTextValid) {
  EXPECT_TRUE(is_utf8("gr\xC3\xBC\xC3\x9F"));
  for (const char* bad : {"\xFF", "\xC3", "\xE0\x80\x80", "\xED\xA0\x80", "\xF5\x80\x80\x80", "\xC0\xAF"}) EXPECT_FALSE(is_utf8(bad));
  EXPECT_EQ(to_utf8("a\xFFz"), "a\xEF\xBF\xBDz");
  EXPECT_EQ(to_base64("hello"), "aGVsbG8=");
  EXPECT_EQ(from_base64("aGVs\nbG8="), "hello");
  EXPECT_EQ(from_base64("aGVsbG8"), "hello");
  EXPECT_FALSE(from_base64("a$").has_value());
  EXPECT_EQ(sha256("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST(Encoding, RedactsKnownSecrets) {
  EXPECT_EQ(redact("token abcdef and abcdef", *json::parse(R"({"x":["abcdef","a"]})")), "token *** and ***");
}

}  // namespace
}  // namespace pawl::functions
