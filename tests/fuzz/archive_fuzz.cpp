/// Whatever is in an archive: plain files and folders below the one that it is unpacked into, within the limits, or a refusal.
///
/// The first line names the format (`zip`, `tar`, `tar.gz`); each further one is an entry, `type name` and after a tab the content or the
/// link's target: `f` file, `d` folder, `s` symbolic link, `h` hard link, `p` pipe. A line `~ 30 255 31 0` sets bytes of the finished
/// archive, by place and value: so a text that can be read gives archives that are broken in their insides.
#include <archive.h>
#include <archive_entry.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include <charconv>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>
#include <string_view>
#include <vector>

#include "base/assert.hpp"
#include "base/utf8.hpp"
#include "functions/detail/archive.hpp"

namespace {

using namespace pawl;
using namespace pawl::functions;
namespace fs = std::filesystem;

constexpr std::size_t kRoom = 1 << 20;
constexpr std::uint64_t kMostBytes = 64 << 10;
constexpr std::uint32_t kMostEntries = 20;

struct Folders {
  fs::path base;
  std::shared_ptr<const Roots> roots;
  Folders() {
    std::string pattern = (fs::temp_directory_path() / "pawl-archive-fuzz-XXXXXX").string();
    base = ::mkdtemp(pattern.data());
    fs::create_directories(base / "root");
    fs::create_directories(base / "outside");
    roots = Roots::open({(base / "root").string()}, {}).value();
  }
  ~Folders() { fs::remove_all(base); }
};

struct Free {
  void operator()(archive* writer) const { archive_write_free(writer); }
  void operator()(archive_entry* entry) const { archive_entry_free(entry); }
};

void write_entry(archive* writer, std::string_view line) {
  if (line.size() < 3) return;
  const auto tab = std::min(line.find('\t'), line.size());
  const std::string name(line.substr(2, tab - 2));
  const std::string rest(line.substr(std::min(tab + 1, line.size())));
  const std::unique_ptr<archive_entry, Free> entry(archive_entry_new());
  archive_entry_set_pathname(entry.get(), name.c_str());
  archive_entry_set_perm(entry.get(), 0755);
  archive_entry_set_filetype(entry.get(), line[0] == 'd' ? AE_IFDIR : line[0] == 's' ? AE_IFLNK : line[0] == 'p' ? AE_IFIFO : AE_IFREG);
  if (line[0] == 's') archive_entry_set_symlink(entry.get(), rest.c_str());
  if (line[0] == 'h') archive_entry_set_hardlink(entry.get(), rest.c_str());
  const bool has_content = line[0] == 'f';
  archive_entry_set_size(entry.get(), has_content ? static_cast<la_int64_t>(rest.size()) : 0);
  if (archive_write_header(writer, entry.get()) == ARCHIVE_OK && has_content) archive_write_data(writer, rest.data(), rest.size());
}

std::string make_archive(std::string_view text) {
  std::vector<std::string_view> lines;
  while (!text.empty()) {
    const auto end = std::min(text.find('\n'), text.size());
    lines.push_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  std::string bytes(kRoom, '\0');
  std::size_t used = 0;
  {
    const std::unique_ptr<archive, Free> writer(archive_write_new());
    const auto format = lines.empty() ? std::string_view() : lines[0];
    if (format == "zip") {
      archive_write_set_format_zip(writer.get());
    } else {
      archive_write_set_format_pax_restricted(writer.get());
    }
    if (format == "tar.gz") archive_write_add_filter_gzip(writer.get());
    archive_write_set_bytes_in_last_block(writer.get(), 1);
    archive_write_open_memory(writer.get(), bytes.data(), bytes.size(), &used);
    for (std::size_t i = 1; i < lines.size() && i < 30; ++i) {
      if (!lines[i].starts_with('~')) write_entry(writer.get(), lines[i]);
    }
    archive_write_close(writer.get());
  }
  bytes.resize(used);
  for (const auto line : lines) {
    if (!line.starts_with("~ ") || bytes.empty()) continue;
    const char* at = line.data() + 1;
    const char* end = line.data() + line.size();
    while (at != end) {
      std::uint32_t place = 0;
      std::uint32_t value = 0;
      if (*at != ' ') break;
      const auto first = std::from_chars(at + 1, end, place);
      if (first.ec != std::errc{} || first.ptr == end) break;
      const auto second = std::from_chars(first.ptr + 1, end, value);
      if (second.ec != std::errc{}) break;
      bytes[place % bytes.size()] = static_cast<char>(value);
      at = second.ptr;
    }
  }
  return bytes;
}

void check_unpacked(const Folders& folders) {
  PAWL_ASSERT(fs::is_empty(folders.base / "outside"), "nothing leaves the root");
  std::uint64_t bytes = 0;
  for (const auto& each : fs::directory_iterator(folders.base / "root"))
    PAWL_ASSERT(each.path().filename() == "in" || each.path().filename() == "out", "nothing leaves the folder");
  if (!fs::exists(folders.base / "root" / "out")) return;
  for (const auto& each : fs::recursive_directory_iterator(folders.base / "root" / "out")) {
    const auto status = each.symlink_status();
    PAWL_ASSERT(fs::is_regular_file(status) || fs::is_directory(status), "files and folders only");
    PAWL_ASSERT(each.path().filename() != ".git", "nothing that git would obey");
    PAWL_ASSERT(is_utf8(each.path().filename().string()), "names are text");
    if (fs::is_regular_file(status)) bytes += each.file_size();
  }
  PAWL_ASSERT(bytes <= kMostBytes, "the limit holds");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Folders folders;
  const auto bytes = make_archive({reinterpret_cast<const char*>(data), size});
  const auto file = folders.base / "root" / "in";
  std::ofstream(file, std::ios::binary | std::ios::trunc).write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  const std::atomic<bool> cancelled = false;
  ArchiveLimits limits;
  limits.max_entries = kMostEntries;
  limits.max_bytes = kMostBytes;
  const auto in = folders.roots->find("in").value();
  const auto out = folders.roots->find("out").value();
  const auto listed = list_archive(in, limits, cancelled);
  bool refused = listed.has_error();
  if (listed.has_value()) {
    PAWL_ASSERT(listed->size() <= kMostEntries, "the number of entries is limited");
    for (const auto& entry : *listed) {
      PAWL_ASSERT(is_utf8(entry.name), "names are text");
      refused = refused || !entry.problem.empty();
    }
  }
  const auto unpacked = extract_archive(in, out, Existing::replace, limits, cancelled);
  PAWL_ASSERT(!refused || unpacked.has_error(), "what is refused in a list is not unpacked");
  if (refused) PAWL_ASSERT(!fs::exists(folders.base / "root" / "out"), "nor is anything beside it");
  check_unpacked(folders);
  fs::remove_all(folders.base / "root" / "out");
  return 0;
}
