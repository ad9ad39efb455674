#include <curl/curl.h>
#include <fmt/core.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <new>

#include "base/assert.hpp"
#include "mail/transport.hpp"

namespace pawl::mail {
namespace {

constexpr std::uint16_t kImplicitTlsPort = 465;

struct EasyDeleter {
  void operator()(CURL* easy) const { curl_easy_cleanup(easy); }
};
struct ListDeleter {
  void operator()(curl_slist* list) const { curl_slist_free_all(list); }
};

struct Upload {
  std::string_view left;
};

std::size_t read_upload(char* buffer, std::size_t size, std::size_t count, void* context) {
  auto& upload = *static_cast<Upload*>(context);
  const auto bytes = std::min(size * count, upload.left.size());
  std::memcpy(buffer, upload.left.data(), bytes);
  upload.left.remove_prefix(bytes);
  return bytes;
}

int check_stop(void* context, curl_off_t, curl_off_t, curl_off_t, curl_off_t) {
  return static_cast<const std::atomic<bool>*>(context)->load() ? 1 : 0;
}

std::size_t ignore_output(char*, std::size_t size, std::size_t count, void*) { return size * count; }

class SmtpTransport final : public Transport {
 public:
  explicit SmtpTransport(SmtpOptions options) : options_(std::move(options)) {
    static const bool kStarted = curl_global_init(CURL_GLOBAL_DEFAULT) == CURLE_OK;
    PAWL_ASSERT(kStarted, "libcurl does not start");
  }

  [[nodiscard]] Result<void> deliver(const Parcel& parcel) override {
    const std::unique_ptr<CURL, EasyDeleter> easy(curl_easy_init());
    const auto recipient = "<" + parcel.to + ">";
    const std::unique_ptr<curl_slist, ListDeleter> recipients(curl_slist_append(nullptr, recipient.c_str()));
    if (!easy || !recipients) throw std::bad_alloc();
    const auto sender = "<" + parcel.from + ">";
    Upload upload{parcel.content};
    std::array<char, CURL_ERROR_SIZE> message{};
    configure(easy.get());
    curl_easy_setopt(easy.get(), CURLOPT_MAIL_FROM, sender.c_str());
    curl_easy_setopt(easy.get(), CURLOPT_MAIL_RCPT, recipients.get());
    curl_easy_setopt(easy.get(), CURLOPT_UPLOAD, 1L);
    curl_easy_setopt(easy.get(), CURLOPT_READFUNCTION, &read_upload);
    curl_easy_setopt(easy.get(), CURLOPT_READDATA, &upload);
    curl_easy_setopt(easy.get(), CURLOPT_ERRORBUFFER, message.data());
    const auto code = curl_easy_perform(easy.get());
    if (code == CURLE_OK) return {};
    long answer = 0;
    curl_easy_getinfo(easy.get(), CURLINFO_RESPONSE_CODE, &answer);
    return failure(code, answer, message[0] != '\0' ? message.data() : curl_easy_strerror(code));
  }

  /// Connects, with TLS and credentials as a delivery would, and asks for nothing.
  [[nodiscard]] Result<void> check(Millis patience) override {
    const std::unique_ptr<CURL, EasyDeleter> easy(curl_easy_init());
    if (!easy) throw std::bad_alloc();
    std::array<char, CURL_ERROR_SIZE> message{};
    configure(easy.get());
    curl_easy_setopt(easy.get(), CURLOPT_CUSTOMREQUEST, "NOOP");
    curl_easy_setopt(easy.get(), CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(patience.count()));
    curl_easy_setopt(easy.get(), CURLOPT_TIMEOUT_MS, static_cast<long>(patience.count()));
    curl_easy_setopt(easy.get(), CURLOPT_ERRORBUFFER, message.data());
    const auto code = curl_easy_perform(easy.get());
    if (code == CURLE_OK) return {};
    return failure(code, 0, message[0] != '\0' ? message.data() : curl_easy_strerror(code));
  }

  void stop() override { stopping_ = true; }

 private:
  void configure(CURL* easy) {
    const bool implicit = options_.use_tls && options_.port == kImplicitTlsPort;
    const auto url = fmt::format("{}://{}:{}", implicit ? "smtps" : "smtp", options_.host, options_.port);
    curl_easy_setopt(easy, CURLOPT_URL, url.c_str());
    curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "smtp,smtps");
    curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
    curl_easy_setopt(easy, CURLOPT_PROXY, "");
    curl_easy_setopt(easy, CURLOPT_USE_SSL, static_cast<long>(options_.use_tls ? CURLUSESSL_ALL : CURLUSESSL_NONE));
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYPEER, 1L);
    curl_easy_setopt(easy, CURLOPT_SSL_VERIFYHOST, 2L);
    if (!options_.ca_file.empty()) curl_easy_setopt(easy, CURLOPT_CAINFO, options_.ca_file.c_str());
    if (options_.use_tls && !options_.username.empty()) {
      curl_easy_setopt(easy, CURLOPT_USERNAME, options_.username.c_str());
      curl_easy_setopt(easy, CURLOPT_PASSWORD, options_.password.c_str());
    }
    curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS, static_cast<long>(options_.connect_timeout.count()));
    curl_easy_setopt(easy, CURLOPT_TIMEOUT_MS, static_cast<long>(options_.timeout.count()));
    curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, &ignore_output);
    curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 0L);
    curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, &check_stop);
    curl_easy_setopt(easy, CURLOPT_XFERINFODATA, &stopping_);
  }

  /// 550 to 554 speak about this recipient or this content. Anything else, wrong credentials included, can be mended by the operator while
  /// the mail waits.
  static Error failure(CURLcode code, long answer, std::string_view what) {
    constexpr long kFirstFinal = 550;
    constexpr long kLastFinal = 554;
    if (code != CURLE_LOGIN_DENIED && answer >= kFirstFinal && answer <= kLastFinal) {
      return {ErrorClass::invalid, "mail.refused", fmt::format("The mail server refused the mail with {}.", answer)};
    }
    return {ErrorClass::unavailable, "mail.unavailable",
            answer > 0 ? fmt::format("{} (the server's last answer was {})", what, answer) : std::string(what)};
  }

  SmtpOptions options_;
  std::atomic<bool> stopping_ = false;
};

}  // namespace

std::unique_ptr<Transport> make_smtp_transport(SmtpOptions options) { return std::make_unique<SmtpTransport>(std::move(options)); }

}  // namespace pawl::mail
