#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>

#include "mail/transport.hpp"

namespace pawl::mail {
namespace {

Error failed(std::string_view what, int error) {
  return {ErrorClass::unavailable, "mail.unavailable", std::string(what) + ": " + std::strerror(error)};
}

class FileTransport final : public Transport {
 public:
  explicit FileTransport(std::filesystem::path folder) : folder_(std::move(folder)) {}

  [[nodiscard]] Result<void> deliver(const Parcel& parcel) override {
    PAWL_TRY_VOID(make_folder());
    std::error_code error;
    const auto target = folder_ / (parcel.id + ".eml");
    const auto draft = folder_ / ("." + parcel.id);
    PAWL_TRY_VOID(write(draft, parcel.content));
    std::filesystem::rename(draft, target, error);
    if (error) return failed("The mail's file cannot be named", error.value());
    return {};
  }

  [[nodiscard]] Result<void> check(Millis /*patience*/) override {
    PAWL_TRY_VOID(make_folder());
    const auto probe = folder_ / ".check";
    PAWL_TRY_VOID(write(probe, "can be written"));
    std::error_code ignored;
    std::filesystem::remove(probe, ignored);
    return {};
  }

  [[nodiscard]] Result<void> forget(std::string_view recipient) override {
    std::error_code error;
    if (!std::filesystem::exists(folder_, error) && !error) return {};
    const auto wanted = lower(recipient);
    std::error_code kept;  // of the last file that stays: the others go all the same
    for (std::filesystem::directory_iterator it(folder_, error), end; !error && it != end; it.increment(error)) {
      if (it->path().extension() != ".eml" || recipient_of(it->path()) != wanted) continue;
      std::error_code removed;
      if (!std::filesystem::remove(it->path(), removed) && removed) kept = removed;
    }
    if (!error) error = kept;
    if (error) return failed("The files of mails cannot be removed", error.value());
    return {};
  }

 private:
  static std::string lower(std::string_view text) {
    std::string out(text);
    std::transform(out.begin(), out.end(), out.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
    return out;
  }
  /// As the field `To` has it: mails of the outbox go to one address.
  static std::string recipient_of(const std::filesystem::path& path) {
    constexpr std::string_view kField = "To: ";
    std::ifstream file(path);
    for (std::string line; std::getline(file, line) && line != "\r" && !line.empty();) {
      if (!line.starts_with(kField)) continue;
      if (line.ends_with('\r')) line.pop_back();
      return lower(std::string_view(line).substr(kField.size()));
    }
    return {};
  }
  [[nodiscard]] Result<void> make_folder() const {
    std::error_code error;
    if (std::filesystem::create_directories(folder_, error)) {
      std::filesystem::permissions(folder_, std::filesystem::perms::owner_all, error);
    }
    if (error) return failed("The folder of mails cannot be made", error.value());
    return {};
  }
  static Result<void> write(const std::filesystem::path& path, std::string_view content) {
    constexpr mode_t kOwnerOnly = 0600;
    const int file = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, kOwnerOnly);
    if (file < 0) return failed("The mail's file cannot be made", errno);
    int problem = 0;
    while (!content.empty() && problem == 0) {
      const auto written = ::write(file, content.data(), content.size());
      if (written >= 0) {
        content.remove_prefix(static_cast<std::size_t>(written));
      } else if (errno != EINTR) {
        problem = errno;
      }
    }
    if (::close(file) != 0 && problem == 0) problem = errno;
    if (problem != 0) return failed("The mail's file cannot be written", problem);
    return {};
  }

  std::filesystem::path folder_;
};

}  // namespace

std::unique_ptr<Transport> make_file_transport(std::filesystem::path folder) { return std::make_unique<FileTransport>(std::move(folder)); }

}  // namespace pawl::mail
