#include "mail/smtp.hpp"

#include <algorithm>
#include <cstring>
#include <new>

#include "mail/detail/session.hpp"

namespace pawl::mail {
namespace {

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

}  // namespace

Result<void> send_by_smtp(const MailServer& server, const SmtpEnvelope& envelope, std::string_view content, const std::atomic<bool>& stop) {
  detail::Session session(server, "smtp", "");
  std::unique_ptr<curl_slist, detail::ListDeleter> recipients;
  for (const std::string& address : envelope.to) {
    curl_slist* const longer = curl_slist_append(recipients.get(), ("<" + address + ">").c_str());
    if (longer == nullptr) throw std::bad_alloc();
    static_cast<void>(recipients.release());
    recipients.reset(longer);
  }
  const auto sender = "<" + envelope.from + ">";
  Upload upload{content};
  curl_easy_setopt(session.easy(), CURLOPT_MAIL_FROM, sender.c_str());
  curl_easy_setopt(session.easy(), CURLOPT_MAIL_RCPT, recipients.get());
  curl_easy_setopt(session.easy(), CURLOPT_UPLOAD, 1L);
  curl_easy_setopt(session.easy(), CURLOPT_READFUNCTION, &read_upload);
  curl_easy_setopt(session.easy(), CURLOPT_READDATA, &upload);
  return session.perform(stop);
}

Result<void> greet_by_smtp(const MailServer& server, const std::atomic<bool>& stop) {
  detail::Session session(server, "smtp", "");
  curl_easy_setopt(session.easy(), CURLOPT_CUSTOMREQUEST, "NOOP");
  return session.perform(stop);
}

}  // namespace pawl::mail
