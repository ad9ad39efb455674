#include "audit/detail/line_file.hpp"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <utility>

#include "json/parse.hpp"

namespace pawl::audit::detail {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kDigits = 20;
constexpr std::size_t kChunk = 64U << 10U;

Error failed(const fs::path& path, std::string_view doing) {
  return {ErrorClass::internal, "audit.file",
          "the audit file " + path.string() + " cannot be " + std::string(doing) + ": " + std::strerror(errno)};
}

Result<int> open_for_append(const fs::path& path) {
  const int fd = ::open(path.c_str(), O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (fd < 0) return failed(path, "opened");
  struct stat state {};
  if (::fstat(fd, &state) != 0 || !S_ISREG(state.st_mode) || (state.st_mode & 077U) != 0) {
    ::close(fd);
    return Error(ErrorClass::internal, "audit.file", "the audit file " + path.string() + " must be a file of mode 0600");
  }
  if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
    ::close(fd);
    return Error(ErrorClass::internal, "audit.file", "another process writes the audit file " + path.string());
  }
  return fd;
}

std::uint64_t sequence_in(std::string_view line) {
  const auto parsed = json::parse(line);
  if (parsed.has_error()) return 0;
  const auto& sequence = parsed->get("sequence");
  return sequence.is_integer() ? static_cast<std::uint64_t>(sequence.as_integer()) : 0;
}

}  // namespace

std::vector<FilePart> parts_of(const fs::path& path) {
  std::vector<FilePart> parts;
  std::error_code ignored;
  const auto folder = path.has_parent_path() ? path.parent_path() : fs::path(".");
  const auto prefix = path.filename().string() + ".";
  for (const auto& item : fs::directory_iterator(folder, ignored)) {
    const auto name = item.path().filename().string();
    if (name.size() != prefix.size() + kDigits || !name.starts_with(prefix)) continue;
    std::uint64_t sequence = 0;
    const auto* const end = name.data() + name.size();
    const auto read = std::from_chars(name.data() + prefix.size(), end, sequence);
    if (read.ec == std::errc() && read.ptr == end) parts.push_back({item.path(), sequence});
  }
  std::sort(parts.begin(), parts.end(), [](const FilePart& a, const FilePart& b) { return a.last_sequence < b.last_sequence; });
  if (fs::exists(path, ignored)) parts.push_back({path, 0});
  return parts;
}

Result<void> read_lines(const fs::path& path, const std::function<bool(std::string_view line)>& each) {
  std::vector<char> chunk(kChunk);
  for (const auto& part : parts_of(path)) {
    const int fd = ::open(part.path.c_str(), O_RDONLY | O_CLOEXEC);
    if (fd < 0) return failed(part.path, "opened");
    std::string rest;
    for (;;) {
      const auto got = ::read(fd, chunk.data(), chunk.size());
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) {
        ::close(fd);
        return failed(part.path, "read");
      }
      if (got == 0) break;
      rest.append(chunk.data(), static_cast<std::size_t>(got));
      std::size_t from = 0;
      for (auto end = rest.find('\n'); end != std::string::npos; end = rest.find('\n', from)) {
        if (!each(std::string_view(rest).substr(from, end - from))) {
          ::close(fd);
          return {};
        }
        from = end + 1;
      }
      rest.erase(0, from);
    }
    ::close(fd);
  }
  return {};
}

Result<LineFile> LineFile::open(const fs::path& path, std::uint64_t rotate_bytes) {
  PAWL_TRY(fd, open_for_append(path));
  LineFile file(path, rotate_bytes, fd);
  PAWL_TRY_VOID(file.find_end());
  return file;
}

LineFile::LineFile(LineFile&& other) noexcept
    : path_(std::move(other.path_)),
      rotate_bytes_(other.rotate_bytes_),
      fd_(std::exchange(other.fd_, -1)),
      size_(other.size_),
      last_sequence_(other.last_sequence_) {}

LineFile::~LineFile() {
  if (fd_ >= 0) ::close(fd_);
}

Result<void> LineFile::find_end() {
  struct stat state {};
  if (::fstat(fd_, &state) != 0) return failed(path_, "read");
  size_ = static_cast<std::uint64_t>(state.st_size);
  // Backwards until the tail holds the last complete line and the line end before it.
  std::string tail;
  std::uint64_t from = size_;
  std::size_t last_end = std::string::npos;
  while (from > 0) {
    const auto step = std::min<std::uint64_t>(from, kChunk);
    from -= step;
    std::string chunk(step, '\0');
    if (::pread(fd_, chunk.data(), chunk.size(), static_cast<off_t>(from)) != static_cast<ssize_t>(chunk.size())) {
      return failed(path_, "read");
    }
    tail.insert(0, chunk);
    last_end = tail.rfind('\n');
    if (last_end != std::string::npos && last_end > 0 && tail.rfind('\n', last_end - 1) != std::string::npos) break;
  }
  if (last_end == std::string::npos) {
    size_ = 0;
  } else {
    size_ = from + last_end + 1;
    const auto start = last_end == 0 ? std::string::npos : tail.rfind('\n', last_end - 1);
    const auto begin = start == std::string::npos ? 0 : start + 1;
    last_sequence_ = sequence_in(std::string_view(tail).substr(begin, last_end - begin));
  }
  if (size_ < static_cast<std::uint64_t>(state.st_size) && ::ftruncate(fd_, static_cast<off_t>(size_)) != 0) return failed(path_, "mended");
  if (last_sequence_ == 0) {
    for (const auto& part : parts_of(path_)) last_sequence_ = std::max(last_sequence_, part.last_sequence);
  }
  return {};
}

Result<void> LineFile::append(std::string_view lines, std::uint64_t last_sequence) {
  if (size_ > 0 && size_ + lines.size() > rotate_bytes_) PAWL_TRY_VOID(rotate());
  const auto before = size_;
  while (!lines.empty()) {
    const auto written = ::write(fd_, lines.data(), lines.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) {
      const auto error = failed(path_, "written");
      // No half line stays: the same lines come again.
      if (::ftruncate(fd_, static_cast<off_t>(before)) == 0) size_ = before;
      return error;
    }
    lines.remove_prefix(static_cast<std::size_t>(written));
    size_ += static_cast<std::uint64_t>(written);
  }
  last_sequence_ = last_sequence;
  return {};
}

Result<void> LineFile::rotate() {
  std::array<char, kDigits> digits{};
  digits.fill('0');
  std::array<char, kDigits> plain{};
  const auto end = std::to_chars(plain.data(), plain.data() + plain.size(), last_sequence_).ptr;
  std::copy_backward(plain.data(), end, digits.data() + digits.size());
  auto aside = path_;
  aside += "." + std::string(digits.data(), digits.size());
  if (::rename(path_.c_str(), aside.c_str()) != 0) return failed(path_, "put aside");
  PAWL_TRY(fd, open_for_append(path_));
  ::close(std::exchange(fd_, fd));
  size_ = 0;
  return {};
}

void LineFile::forget_up_to(std::uint64_t sequence) {
  for (const auto& part : parts_of(path_)) {
    if (part.last_sequence == 0 || part.last_sequence > sequence) continue;
    std::error_code ignored;  // the next time
    fs::remove(part.path, ignored);
  }
}

}  // namespace pawl::audit::detail
